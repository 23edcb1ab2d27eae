"""The page's button that saves what it shows as a handout."""

from __future__ import annotations

from pathlib import PurePath

from explorer.export.handout import handout_html
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
        state, trace = self._state, self._state.trace
        # What the shown run was made from: by now another picture may have been asked for.
        asked = state.untouched
        try:
            if trace is None or asked is None:
                self.fail()
                return
            page = handout_html(
                trace,
                state.labels,
                asked.picture,
                crop=asked.crop,
                language=state.language,
                layer=state.layer,
                head=state.head,
                token=state.token,
            )
            self.give(page.encode("utf-8"), f"{PurePath(asked.picture.name).stem}-handout", "html", "text/html")
        except Exception as error:  # noqa: BLE001 - told on the page; a comm would only log it
            state.report(error)
            self.fail()
