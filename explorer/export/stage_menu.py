"""In the heading of a stage on the page: the menu that saves the stage as one picture."""

from __future__ import annotations

from typing import Literal

from explorer.errors import ExplorerError
from explorer.export.stages import script_of
from explorer.panels.base import StagePanel
from explorer.texts import text
from explorer.widgets.picture_menu import PictureMenu

__all__ = ["StageMenu"]


class StageMenu(PictureMenu):
    """Saves a stage as it stands on the page; what the file shows is what ``vit-explorer export`` would draw.

    Parameters
    ----------
    panel : StagePanel
        Of :data:`explorer.panels.stages.PICTURED`.
    """

    def __init__(self, panel: StagePanel) -> None:
        super().__init__()
        self._panel = panel
        self.add_class("vx-stage-picture")
        self.on_ask(self._draw, self._undrawn)
        self._unsubscribe = panel.state.subscribe(self._changed)
        self._say()

    def close(self) -> None:
        """Stop listening, and take the menu off the page."""
        self._unsubscribe()
        super().close()

    def _changed(self, changes: frozenset[str]) -> None:
        if "language" in changes:
            self._say()

    def _say(self) -> None:
        panel, language = self._panel, self._panel.state.language
        texts = {key: text(f"export.picture-{key}", language) for key in ("button", "hint", "caption", "making")}
        label = text("export.picture-label", language, number=panel.number, name=panel.say("name"))
        self.texts = texts | {"label": label}

    def _draw(self, format: Literal["png", "svg"], caption: bool) -> None:  # noqa: A002 - the file's
        try:
            self._panel.keep_up()
            self.draw(*script_of(self._panel, caption=caption, formats=(format,)))
        except Exception as error:  # noqa: BLE001 - told on the page; a comm would only log it
            self._panel.state.report(error)
            self.fail()

    def _undrawn(self, problem: str) -> None:
        self._panel.state.report(ExplorerError("page-undrawn", detail=problem))
