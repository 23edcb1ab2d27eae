"""Rows and columns of switches: what of a model is on, and what is off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import traitlets

from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget

__all__ = ["SwitchGrid"]


class SwitchGrid(ExplorerWidget):
    """A switch for every pair of row and column; all are on at first.

    Attributes
    ----------
    off : list of (row, col)
        The switches that are off; set from either side. What is no pair of this grid is not taken.
    rows, cols : list of dict
        ``short`` (what stands beside) and ``long`` (what is said when pointed at).
    lead : int
        So many columns belong together: the button at a row's beginning turns all of them. Those after them stand
        apart.
    cuts : int
        The column whose switch makes those of the lead meaningless, −1 for none.
    title, row_hint : str
        Plain text; in ``row_hint``, which says what the button at a row's beginning does, ``{row}`` is its long name.
    """

    _esm = bundle("switch_grid.js")
    _css = stylesheet()
    off = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    cols = traitlets.List(traitlets.Dict()).tag(sync=True)
    lead = traitlets.Int(0, min=0).tag(sync=True)
    cuts = traitlets.Int(-1, min=-1).tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    row_hint = traitlets.Unicode("").tag(sync=True)

    def show(
        self, rows: Sequence[tuple[str, str]], cols: Sequence[tuple[str, str]], *, lead: int, cuts: int = -1
    ) -> None:
        """Show other rows and columns; switches that are no longer there are forgotten.

        Parameters
        ----------
        rows, cols : sequence of (str, str)
            Short and long names.
        lead, cuts : int
            As the traits.
        """
        with self.hold_sync():
            self.rows = [{"short": short, "long": long} for short, long in rows]
            self.cols = [{"short": short, "long": long} for short, long in cols]
            self.lead, self.cuts = lead, cuts
            self.off = self._fitting(self.off)

    def turn_off(self, places: Iterable[tuple[int, int]]) -> None:
        """These are off, and no others."""
        self.off = [[row, col] for row, col in sorted(set(places))]

    @property
    def places(self) -> frozenset[tuple[int, int]]:
        """What is off."""
        return frozenset((row, col) for row, col in self.off)

    def _fitting(self, off: Sequence[Sequence[int]]) -> list[list[int]]:
        pairs = (pair for pair in off if len(pair) == 2)
        return [[row, col] for row, col in pairs if 0 <= row < len(self.rows) and 0 <= col < len(self.cols)]

    @traitlets.validate("off")
    def _valid(self, proposal: dict[str, Any]) -> list[list[int]]:
        return self._fitting(proposal["value"])
