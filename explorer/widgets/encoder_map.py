"""Where one is: the network as a row of layers, the open layer as a row of steps, and the way back and on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import traitlets

from explorer.widgets._esm import bundle
from explorer.widgets.base import ExplorerWidget

__all__ = ["EncoderMap"]


class EncoderMap(ExplorerWidget):
    """A map of the network that is also the stepper: layers and steps can be clicked, arrow keys step.

    Attributes
    ----------
    part : {"map", "stepper"}
        The layers and steps, or the buttons that lead back and on, which may stand elsewhere.
    layer, layers : int
        The open layer, counted from 0, and how many there are; ``layer`` is set from either side.
    step : int
        The open step, counted from 0; set from either side.
    every : bool
        All steps are shown, none is the open one.
    steps : list of dict
        ``symbol`` and ``name`` of each step.
    words : dict of str to str
        Finished strings: ``input``, ``output``, ``layers``, ``steps``, ``back``, ``next``, ``where``, ``zIn``,
        ``zMid``, ``zOut``, ``msa``, ``mlp``.
    """

    _esm = bundle("encoder_map.js")

    part = traitlets.Enum(("map", "stepper"), default_value="map").tag(sync=True)
    layer = traitlets.Int(0, min=0).tag(sync=True)
    layers = traitlets.Int(1, min=1, read_only=True).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    every = traitlets.Bool(False).tag(sync=True)
    steps = traitlets.List(traitlets.Dict(), read_only=True).tag(sync=True)
    words = traitlets.Dict(read_only=True).tag(sync=True)

    def show(self, *, layers: int, steps: Sequence[Mapping[str, str]], words: Mapping[str, str]) -> None:
        """Describe the network; layer and step are set on their own.

        Parameters
        ----------
        layers : int
        steps : sequence of mapping
        words : mapping of str to str
        """
        with self.hold_sync(), self.hold_trait_notifications():
            self.set_trait("layers", layers)
            self.set_trait("steps", [dict(step) for step in steps])
            self.set_trait("words", dict(words))

    @traitlets.validate("layer", "step")
    def _within(self, proposal: dict[str, Any]) -> int:
        """What a browser asks for may be anything."""
        count = self.layers if proposal["trait"].name == "layer" else max(len(self.steps), 1)
        return min(max(int(proposal["value"]), 0), count - 1)
