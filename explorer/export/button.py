"""The page's button that saves what it shows as a handout."""

from __future__ import annotations

from pathlib import PurePath

from explorer.export.handout import page_of
from explorer.export.showing import Showing
from explorer.state import ExplorerState
from explorer.texts import text
from explorer.widgets.file_button import FileButton

__all__ = ["HandoutButton"]


class HandoutButton(FileButton):
    """Saves the run that a state shows, with the layer, head and token that are open.

    Parameters
    ----------
    state : ExplorerState
    """

    def __init__(self, state: ExplorerState) -> None:
        super().__init__()
        self._state = state
        self.add_class("vx-handout-button")
        self.on_ask(self._make)
        self._unsubscribe = state.subscribe(self._changed)
        self._changed(frozenset({"language"}))

    def close(self) -> None:
        """Stop listening, and take the button off the page."""
        self._unsubscribe()
        super().close()

    def _changed(self, changes: frozenset[str]) -> None:
        if "language" in changes:
            keys = {"label": "button", "hint": "hint", "making": "making"}
            self.texts = {name: text(f"handout.{key}", self._state.language) for name, key in keys.items()}

    def _make(self) -> None:
        state = self._state
        try:
            showing = Showing.on_page(state)
            if showing is None:
                self.fail()
                return
            stem = f"{PurePath(showing.picture.name).stem}-handout"
            self.give(page_of(showing).encode("utf-8"), stem, "html", "text/html")
        except Exception as error:  # noqa: BLE001 - told on the page; a comm would only log it
            state.report(error)
            self.fail()
