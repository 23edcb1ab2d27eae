"""The most probable classes as bars, and the list of all classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget

__all__ = ["ClassBars", "ClassList"]


class ClassBars(ExplorerWidget):
    """Classes with their probabilities, one of which is chosen.

    Attributes
    ----------
    rows : list of dict
        ``index``, ``name`` (text, whoever wrote it), ``prob`` (0 … 1) and ``percent`` (as it is written).
    selected : int
        Index of the chosen class; may be one that is not among the rows.
    heading : dict of str to str
        ``title``, ``hint``, ``stem``.
    """

    _esm = bundle("class_bars.js")
    _css = stylesheet()
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    heading = traitlets.Dict().tag(sync=True)

    def show(self, rows: Sequence[dict[str, Any]], heading: dict[str, str], selected: int) -> None:
        """Show other classes, in one message."""
        with self.hold_sync(), self.hold_trait_notifications():
            self.rows = list(rows)
            self.heading = heading
            self.selected = selected


class ClassList(ExplorerWidget):
    """All classes that a model knows, folded away until someone asks, and searchable.

    Attributes
    ----------
    opened : bool
        Whether it is unfolded; the names (up to 22,000) are sent only then.
    names : list of str
        The classes in their order, one each; text, whoever wrote it.
    heading : dict of str to str
        ``title``, ``search``, ``count`` (with ``{shown}`` and ``{total}``) and ``more`` (with ``{count}``).
    """

    _esm = bundle("class_list.js")
    _css = stylesheet()
    opened = traitlets.Bool(False).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    heading = traitlets.Dict().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._all: tuple[str, ...] = ()
        super().__init__(**traits)
        self.observe(lambda change: self._tell_names(), names="opened")

    def show(self, names: Sequence[str], heading: dict[str, str]) -> None:
        """Show other classes."""
        self._all = tuple(names)
        with self.hold_sync():
            self.heading = heading
            self._tell_names()

    def _tell_names(self) -> None:
        names = list(self._all) if self.opened else []
        if names != self.names:
            self.names = names
