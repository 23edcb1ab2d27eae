"""Experiment 6: where a model looked, four ways, side by side on one scale of ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

import ipywidgets as W
import numpy as np

from explorer.experiments import WAYS, four_ways
from explorer.figures.experiment_effects import rank_scale
from explorer.jobs import Report
from explorer.panels.base import box, html
from explorer.panels.experiment_base import Experiment
from explorer.panels.experiment_effects import PatchMapsPanel
from explorer.panels.numbers import signed, size
from explorer.trace import Trace

if TYPE_CHECKING:
    from explorer.experiments import FourWays
    from explorer.models import ExplorerModel

__all__ = ["WaysPanel"]


class WaysPanel(PatchMapsPanel):
    """Attention, rollout, relevance and measured effect of every patch, and how far every two agree."""

    name = "ways"
    maps = WAYS
    max_size = 380

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """Four maps in a row; below, how far they agree."""
        self._build_maps()
        self._agreement = html("vx-ways-agreement")
        return (
            self.controls(self._choose_target(), self._how),
            box(*self._maps.values(), classes=["vx-columns", "vx-ways-maps"]),
            box(self._agreement, self._verdict, classes=["vx-columns", "vx-ways-below"]),
        )

    def words(self, trace: Trace) -> None:
        """Labels; the methods with their papers."""
        super().words(trace)
        for way, view in self._maps.items():
            about_read = way in {"attention", "rollout"}
            view.title = self.say(f"{way}-title")
            view.caption = self._of_read(trace, f"{way}-caption") if about_read else self.say(f"{way}-caption")

    def experiment(self, trace: Trace) -> Experiment:
        """One pass with gradients, and as many runs as there are patches."""
        request, sizes, how, target = self.request, self.sizes, self.how, int(self._target.value)
        picture = request.picture

        def run(model: ExplorerModel, report: Report, cancelled: Callable[[], bool]) -> FourWays:
            return four_ways(model, picture, target, how=how, report=report, cancelled=cancelled, **sizes)

        return Experiment(run=run, options=(how, target))

    def clear(self, trace: Trace) -> None:
        """Maps that are still empty, and no table."""
        super().clear(trace)
        self._agreement.value = ""

    def show(self, trace: Trace, result: FourWays) -> None:
        """Four maps in ranks, and the table."""
        scale = rank_scale(self.say("rank-label"))
        self._show_photos(trace)
        for place, view in enumerate(self._maps.values()):
            view.readouts = [
                self.say("own-unit", value=size(float(value)).replace("-", "−")) for value in result.values[place]
            ]
            # 64 patches have ranks in 63rds: more digits than these would say nothing.
            view.show_values(result.ranks[place].round(3), scale)
        self._agreement.value = self._table(result)
        self._verdict.value = f"<p>{escape(self._said(result))}</p>"

    # -- parts -----------------------------------------------------------------------------------------------------

    def _table(self, result: FourWays) -> str:
        """Rank correlations of every two, each cell as dark as they agree."""
        names = [self.say(f"{way}-short") for way in WAYS]
        head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in names)
        lines = []
        for row, name in enumerate(names):
            cells = []
            for col in range(len(names)):
                value = float(result.agreement[row, col])
                if row == col:
                    cells.append("<td class='vx-ways-self'>1</td>")
                elif np.isnan(value):
                    cells.append("<td>–</td>")
                else:
                    css, share = "vx-ways-against" if value < 0 else "", round(100 * abs(value))
                    cells.append(f"<td class='{css}' style='--vx-share:{share}%'>{signed(value, 2)}</td>")
            lines.append(f"<tr><th scope='row'>{escape(name)}</th>{''.join(cells)}</tr>")
        return (
            f"<h4>{escape(self.say('agreement-title'))}</h4>"
            f"<table class='vx-table'><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        )

    def _said(self, result: FourWays) -> str:
        """Which two agree best and which least, and what the best known patch of each is."""
        pairs = [
            (float(result.agreement[row, col]), WAYS[row], WAYS[col])
            for row in range(len(WAYS))
            for col in range(row)
            if not np.isnan(result.agreement[row, col])
        ]
        if not pairs:
            return self.say("agreement-none")
        best, worst = max(pairs), min(pairs)
        return self.say(
            "verdict",
            best=signed(best[0], 2),
            one=self.say(f"{best[1]}-short"),
            two=self.say(f"{best[2]}-short"),
            worst=signed(worst[0], 2),
            three=self.say(f"{worst[1]}-short"),
            four=self.say(f"{worst[2]}-short"),
        )
