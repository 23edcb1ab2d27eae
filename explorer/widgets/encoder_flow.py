"""Vectors of one token under each other, with what is done to them at the arrows between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets

from explorer.figures.matrix import Scale
from explorer.numerics import Array
from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget

__all__ = ["FlowArrow", "FlowStrip", "FlowView"]


@dataclass(frozen=True, eq=False, kw_only=True)
class FlowStrip:
    """A vector as a strip of cells.

    Parameters
    ----------
    symbol, title, shape : str
        What stands above it.
    values : (n,) float32 array
    scale : Scale
    prefix : str
        What comes before an entry's number in the readout: ``d``.
    labels : sequence of str
        A name for each entry, in place of its number.
    pieces : sequence of str
        Names of the equal pieces that it is cut into.
    picked : sequence of int
        Pieces that are framed.
    marked : int
        The entry that is framed; −1 for none.
    """

    symbol: str
    title: str
    shape: str
    values: Array
    scale: Scale
    prefix: str = ""
    labels: Sequence[str] = ()
    pieces: Sequence[str] = ()
    picked: Sequence[int] = ()
    marked: int = -1


@dataclass(frozen=True, kw_only=True)
class FlowArrow:
    """An arrow with its operation."""

    text: str


class FlowView(ExplorerWidget):
    """Shows strips and arrows; pointing at a cell reads its value, a click or the arrow keys choose it.

    Attributes
    ----------
    chosen : tuple of int
        Strip (counted without arrows), entry, and a count that makes each choice a change.
    marks : list of int
        For each strip the entry that is framed, −1 for none.
    """

    _esm = bundle("encoder_flow.js")
    _css = stylesheet()

    chosen = traitlets.List(traitlets.Int(), default_value=[-1, -1, 0]).tag(sync=True)
    marks = traitlets.List(traitlets.Int()).tag(sync=True)
    values = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    items = traitlets.List(traitlets.Dict(), read_only=True).tag(sync=True)
    heading = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._items: tuple[FlowStrip | FlowArrow, ...] = ()

    @traitlets.default("heading")
    def _no_heading(self) -> dict[str, str]:
        return {"alt": "", "stem": "flow"}

    @property
    def strips(self) -> tuple[FlowStrip, ...]:
        """The strips that are shown."""
        return tuple(item for item in self._items if isinstance(item, FlowStrip))

    def show(self, items: Sequence[FlowStrip | FlowArrow], *, alt: str, stem: str) -> None:
        """Show other items in place of those before, in one message.

        Parameters
        ----------
        items : sequence of FlowStrip or FlowArrow
        alt : str
            What they are, for those who cannot see them.
        stem : str
            File name of saved pictures.
        """
        self._items = tuple(items)
        vectors = [strip.values.astype(np.float32) for strip in self.strips]
        with self.hold_sync(), self.hold_trait_notifications():
            self.set_trait("values", np.concatenate(vectors).tobytes() if vectors else b"")
            self.set_trait("items", [_state(item) for item in items])
            self.set_trait("heading", {"alt": alt, "stem": stem})
            self.marks = [strip.marked for strip in self.strips]


def _state(item: FlowStrip | FlowArrow) -> dict[str, Any]:
    if isinstance(item, FlowArrow):
        return {"kind": "arrow", "text": item.text}
    return {
        "kind": "strip",
        "symbol": item.symbol,
        "title": item.title,
        "shape": item.shape,
        "length": len(item.values),
        "low": item.scale.low,
        "high": item.scale.high,
        "colormap": item.scale.colormap,
        "prefix": item.prefix,
        "labels": list(item.labels),
        "pieces": list(item.pieces),
        "picked": list(item.picked),
    }
