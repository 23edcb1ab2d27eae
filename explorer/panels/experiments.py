"""Stage 7: touch the model, watch the answer. One experiment at a time, chosen above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import ipywidgets as W

from explorer.panels.base import StagePanel, box
from explorer.panels.experiment_base import ExperimentPanel
from explorer.panels.experiment_head import HeadPanel
from explorer.panels.experiment_lens import LensPanel
from explorer.panels.experiment_mask import MaskPanel
from explorer.panels.experiment_models import TwoModelsPanel
from explorer.panels.experiment_shuffle import ShufflePanel
from explorer.panels.experiment_sizes import SizesPanel
from explorer.panels.experiment_swap import SwapPanel
from explorer.panels.experiment_ways import WaysPanel
from explorer.state import ExplorerState
from explorer.texts import text
from explorer.trace import Trace
from explorer.widgets.choice import Choice

__all__ = ["EXPERIMENTS", "ExperimentsPanel"]

#: The experiments in the order in which they are offered.
EXPERIMENTS: Mapping[str, type[ExperimentPanel]] = {
    panel.name: panel
    for panel in (ShufflePanel, SwapPanel, SizesPanel, MaskPanel, LensPanel, WaysPanel, HeadPanel, TwoModelsPanel)
}


class ExperimentsPanel(StagePanel):
    """The choice of an experiment, and the one that was chosen; the others are built when they are."""

    stage = "experiments"
    number = 7
    watches: ClassVar[frozenset[str]] = frozenset(
        {"trace", "experiment", "intervention", "token", "dimension", "layer", "head"}
    )

    def __init__(self, state: ExplorerState, **options: Any) -> None:
        self.experiments: dict[str, ExperimentPanel] = {}
        self._current = ""
        super().__init__(state, **options)

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """The choice, and room for what is chosen."""
        self._choice = Choice(kind="segments")
        self._choice.add_class("vx-experiment-choice")
        self._choice.observe(lambda change: self._choose(change["new"]), names="value")
        self._room = box(classes=["vx-experiment-room"])
        return (self._choice, self._room)

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Show the chosen experiment, and let it keep up."""
        name = self.state.experiment if self.state.experiment in EXPERIMENTS else next(iter(EXPERIMENTS))
        if "language" in changes:
            language = self.state.language
            options = [
                {
                    "value": key,
                    "label": f"{place}  {text(f'experiment-{key}.name', language)}",
                    "note": text(f"experiment-{key}.what", language),
                }
                for place, key in enumerate(EXPERIMENTS, start=1)
            ]
            self._choice.show(options, name)
        self._choice.value = name
        if name not in self.experiments:
            self.experiments[name] = EXPERIMENTS[name](self.state)
        experiment = self.experiments[name]
        if name != self._current:
            if self._current:
                self.experiments[self._current].leave()
            self._current = name
            # What changed while another experiment was in view, this one has not seen.
            changes = frozenset(self.state.trait_names())
            self._room.children = (experiment,)
        experiment.update(trace, changes)

    def _choose(self, name: object) -> None:
        if isinstance(name, str) and name in EXPERIMENTS and name != self.state.experiment:
            self.state.experiment = name
