"""The bar's menu of files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from explorer.widgets._esm import bundle
from explorer.widgets.main_shell import FrontEnd
from explorer.widgets.uploads import is_count

__all__ = ["ExportMenu"]

#: No picture that a browser draws for a file is larger.
_MAX_BYTES = 64 * 1024 * 1024


class ExportMenu(FrontEnd):
    """Asks for files, draws what they need drawn, and hands them to the browser as downloads.

    Attributes
    ----------
    files : dict of str to dict
        What there is, in order: ``label`` and ``hint`` of each.
    texts : dict of str to str
        ``button`` and ``hint`` of the menu; ``stop``.
    making : dict of str to str
        ``file`` that is being made, and ``words`` on how far it is; empty when none is.
    """

    _esm = bundle("export_menu.js")
    files = traitlets.Dict(key_trait=traitlets.Unicode()).tag(sync=True)
    texts = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Unicode()).tag(sync=True)
    making = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Unicode()).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        #: The drawing that is waited for, and what has arrived of it.
        self._number = 0
        self._data = bytearray()

    def on_ask(self, make: Callable[[str], None], stop: Callable[[], None]) -> None:
        """Call ``make(file)`` when one is asked for, and ``stop()`` when it is not wanted any more."""

        def listen(_widget: Any, content: Any, _buffers: Any) -> None:
            kind = content.get("kind") if isinstance(content, dict) else None
            if kind == "make" and content.get("file") in self.files:
                make(content["file"])
            elif kind == "stop":
                stop()

        self.on_msg(listen)

    def on_drawn(self, drawn: Callable[[bytes], None], undrawn: Callable[[str], None]) -> None:
        """Call ``drawn(png)`` with what :meth:`draw` asked for; or ``undrawn(problem)``, in the browser's own words."""

        def listen(_widget: Any, content: Any, buffers: Any) -> None:
            if not isinstance(content, dict) or content.get("number") != self._number:
                return
            if content.get("kind") == "undrawn":
                self._number += 1
                undrawn(str(content.get("problem"))[:300])
            elif content.get("kind") == "drawn":
                whole = self._take(content.get("offset"), buffers) and content.get("last") is True
                if whole:
                    self._number += 1
                    drawn(bytes(self._data))

        self.on_msg(listen)

    def draw(self, script: str) -> None:
        """Have the browser draw one sheet as a PNG; see :func:`explorer.drawing.sheets_script`."""
        self._number += 1
        self._data.clear()
        self.send({"kind": "draw", "number": self._number, "script": script})

    def give(self, data: bytes, stem: str, ending: str, mime: str) -> None:
        """Hand a file to the browser.

        Parameters
        ----------
        data : bytes
        stem, ending : str
            Its name; the browser takes out what no file name may have.
        mime : str
        """
        self.send({"kind": "file", "stem": stem, "ending": ending, "mime": mime}, buffers=[data])

    def end(self) -> None:
        """There will be no file; why, is said elsewhere."""
        self._number += 1
        self.send({"kind": "end"})

    def _take(self, offset: Any, buffers: Any) -> bool:
        if not is_count(offset) or offset != len(self._data) or len(buffers) != 1:
            return False
        piece = bytes(buffers[0])
        if len(self._data) + len(piece) > _MAX_BYTES:
            return False
        self._data += piece
        return True
