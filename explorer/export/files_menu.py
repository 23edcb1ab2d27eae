"""In the page's bar: the menu of files that are made of what the page shows, beside its own work."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import PurePath

from explorer.drawing import Drawing, Sheet, sheets_script
from explorer.errors import Cancelled, ExplorerError
from explorer.export.deck import SLIDE_SHEET, check_pptx, deck_bytes
from explorer.export.handout import page_of
from explorer.export.showing import Showing
from explorer.export.stages import draw_shown
from explorer.state import ExplorerState
from explorer.texts import text
from explorer.widgets.export_menu import ExportMenu
from explorer.worker import Say, Worker

__all__ = ["FilesMenu"]

_PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
#: Seconds between two looks whether a file is still wanted.
_GLANCE = 0.2
#: As long as the browser may take for one drawing: it draws nothing while its window lies behind another page.
_PATIENCE = 600.0

#: A file's bytes, what is added to the picture's name, the ending, and the type.
_Made = tuple[bytes, str, str, str]


class FilesMenu(ExportMenu):
    """Makes the handout and the deck of the run that a state shows, with the layer, head and token that are open.

    Parameters
    ----------
    state : ExplorerState

    Notes
    -----
    All is worked out in a thread of its own, with panels that are on no page; what a deck needs drawn is drawn by the
    page, so that no further browser is needed.
    """

    def __init__(self, state: ExplorerState) -> None:
        super().__init__()
        self._state = state
        self._worker = Worker("vit-explorer-files")
        self._drawn: queue.SimpleQueue[bytes | ExplorerError] = queue.SimpleQueue()
        self.add_class("vx-export")
        self.on_ask(self._make, self._stop)
        self.on_drawn(self._drawn.put, lambda problem: self._drawn.put(ExplorerError("page-undrawn", detail=problem)))
        self._unsubscribe = state.subscribe(self._changed)
        self._tell()

    def close(self) -> None:
        """Stop what is under way, and take the menu off the page."""
        self._worker.close()
        self._unsubscribe()
        super().close()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until no file is being made (for scripts and tests; a page never waits)."""
        return self._worker.wait(timeout)

    # -- what is said ----------------------------------------------------------------------------------------------

    def _changed(self, changes: frozenset[str]) -> None:
        if "language" in changes:
            self._tell()

    def _tell(self) -> None:
        language = self._state.language
        self.texts = {key: text(f"export.menu-{key}", language) for key in ("button", "hint", "stop")}
        self.files = {
            file: {"label": text(f"{entry}button", language), "hint": text(f"{entry}hint", language)}
            for file, entry in (("handout", "handout."), ("deck", "export.deck-"))
        }

    # -- what is done ----------------------------------------------------------------------------------------------

    def _make(self, file: str) -> None:
        if self.making:
            # The second of two quick clicks: who made them waits for the first one's file; an end would take it away.
            return
        showing = Showing.on_page(self._state)
        if showing is None:
            self.end()
            return
        language = showing.language
        if file == "deck":
            self.making = {"file": file, "words": text("export.deck-making", language)}
            work: Callable[[Say, Callable[[], bool]], _Made] = partial(self._deck, showing)
        else:
            self.making = {"file": file, "words": text("handout.making", language)}
            work = partial(self._handout, showing)
        stem = PurePath(showing.picture.name).stem
        self._worker.submit("file", work, partial(self._done, stem), self._failed)

    def _stop(self) -> None:
        self._worker.cancel()
        self.making = {}
        self.end()

    def _done(self, stem: str, made: _Made) -> None:
        data, what, ending, mime = made
        self.making = {}
        self.give(data, f"{stem}-{what}", ending, mime)

    def _failed(self, error: BaseException) -> None:
        self.making = {}
        self._state.report(error)
        self.end()

    # -- in the thread ---------------------------------------------------------------------------------------------

    @staticmethod
    def _handout(showing: Showing, _say: Say, _cancelled: Callable[[], bool]) -> _Made:
        return page_of(showing).encode("utf-8"), "handout", "html", "text/html"

    def _deck(self, showing: Showing, say: Say, cancelled: Callable[[], bool]) -> _Made:
        check_pptx()
        drawn = draw_shown(showing, sheets=[SLIDE_SHEET], draw=partial(self._drawings, say, cancelled))
        return deck_bytes(drawn, showing), f"slides-{showing.language}", "pptx", _PPTX

    def _drawings(
        self, say: Say, cancelled: Callable[[], bool], sheets: Sequence[Sheet], language: str
    ) -> list[Drawing]:
        """Have the page draw, sheet by sheet: so it says how far it is, and stays in use between two."""
        found = []
        while not self._drawn.empty():
            self._drawn.get()
        for place, sheet in enumerate(sheets):
            if cancelled():
                raise Cancelled
            words = text("export.deck-drawing", language, done=place + 1, total=len(sheets))
            say(partial(self._ask, sheets_script([sheet], language), words))
            found.append(Drawing(png=self._awaited(cancelled)))
        return found

    def _ask(self, script: str, words: str) -> None:
        self.making = self.making | {"words": words}
        self.draw(script)

    def _awaited(self, cancelled: Callable[[], bool]) -> bytes:
        waited = 0.0
        while not cancelled():
            try:
                answer = self._drawn.get(timeout=_GLANCE)
            except queue.Empty:
                waited += _GLANCE
                if waited > _PATIENCE:
                    raise ExplorerError("page-undrawn", detail=f"{_PATIENCE:.0f} s") from None
                continue
            if isinstance(answer, ExplorerError):
                raise answer
            return answer
        raise Cancelled
