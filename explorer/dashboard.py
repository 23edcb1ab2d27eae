"""The page: the bar, and the stages in one column."""

from __future__ import annotations

import ipywidgets as W

from explorer.export import FilesMenu, StageMenu
from explorer.panels.bar import ControlBar
from explorer.panels.base import box
from explorer.panels.experiments import EXPERIMENTS
from explorer.panels.page_link import PageLink
from explorer.panels.stages import PICTURED, STAGES
from explorer.panels.tour import GuidedTour
from explorer.samples import open_sample, samples
from explorer.state import ExplorerState
from explorer.texts import text
from explorer.widgets.cell import close_all, replace_earlier
from explorer.widgets.page import PageAddress, StyleSheet

__all__ = ["Dashboard"]


class Dashboard(W.VBox):
    """The whole explorer, for a page of its own (Voilà) or a notebook cell (JupyterLab).

    Parameters
    ----------
    state : ExplorerState, optional
        What is shown; by default the bundled model with the first sample photo. Keep it to look at, from your own
        cells, what the page shows: ``dashboard.state.trace.blocks[4].attention[2]``.
    link : str, optional
        What the page shows at first: a link that was copied from a page, or its query
        (``"?sample=chelsea&patch-size=16&layer=3"``).
    lazy : bool
        Build a stage when it is first seen, and keep it up to date only while it is in view.

    Examples
    --------
    >>> from explorer import Dashboard
    >>> dashboard = Dashboard()  # doctest: +SKIP
    >>> dashboard.state.language = "ja"  # doctest: +SKIP
    """

    def __init__(self, state: ExplorerState | None = None, *, link: str = "", lazy: bool = True) -> None:
        self._own_state = state is None
        self.state = state if state is not None else ExplorerState(picture=open_sample(samples()[0].id))
        self.address = PageAddress(greet=self._own_state and not link)
        self.address.observe(lambda change: self._open(change["new"]), names="parameters")
        self._leads_to = ""
        self.stages = {panel.stage: panel(self.state, lazy=lazy, styled=False) for panel in STAGES}
        for name, panel in self.stages.items():
            if name in PICTURED:
                panel.children = (*panel.children, StageMenu(panel))
                panel.add_class("vx-pictured")
        self.files = FilesMenu(self.state)
        self.link = PageLink(self.state, tuple(EXPERIMENTS))
        numbered = [(panel.stage, panel.number) for panel in STAGES]
        self.tour = GuidedTour(self.state, numbered)
        self.bar = ControlBar(self.state, numbered, self.link, self.tour, self.files)
        stages = box(*self.stages.values(), classes=["vx-stages"])
        super().__init__([StyleSheet(), self.address, self.bar, stages])
        self.add_class("vx")
        self.add_class("vx-page")
        self._unsubscribe = self.state.subscribe(self._changed)
        self._changed(frozenset({"language"}))
        if link:
            self._open(link)
        replace_earlier(self)

    def close(self) -> None:
        """Take the page away, with all its widgets; its state lives on if it was given."""
        for stop in (self._unsubscribe, self.link.close, self.tour.close):
            stop()
        if self._own_state:
            self.state.close()
        close_all(self)
        super().close()

    def _open(self, link: str | dict[str, str]) -> None:
        asked = self.link.open(link)
        self._leads_to = asked.stage or ""
        if asked.tour:
            self.tour.start()
        self.bar.show_notices()
        self._lead()

    def _lead(self) -> None:
        """Go to the link's stage, once there is something to see; once, since then the reader goes where they like."""
        if self._leads_to and self.state.trace is not None:
            self.address.stage, self._leads_to = self._leads_to, ""

    def _changed(self, changes: frozenset[str]) -> None:
        if "trace" in changes:
            self._lead()
        if "language" in changes:
            if self.address.language != self.state.language:
                self.address.greet = False
            self.address.language = self.state.language
            self.address.title = text("page.title", self.state.language)
