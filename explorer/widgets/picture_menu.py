"""A stage's menu that saves it as one picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import traitlets

from explorer.widgets._esm import bundle
from explorer.widgets.main_shell import FrontEnd

__all__ = ["PictureMenu"]


class PictureMenu(FrontEnd):
    """Asks for what draws a picture, has the browser draw it, and hands it over as a download.

    Attributes
    ----------
    texts : dict of str to str
        ``button``, ``hint`` and ``label`` (what a screen reader calls it), ``caption`` of the switch, and ``making``
        while it is drawn.
    """

    _esm = bundle("picture_menu.js")
    texts = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Unicode()).tag(sync=True)

    def on_ask(self, draw: Callable[[Literal["png", "svg"], bool], None], undrawn: Callable[[str], None]) -> None:
        """Call ``draw(format, caption)`` when a picture is asked for; the answer is :meth:`draw` or :meth:`fail`.

        Where the browser could not draw it, ``undrawn(problem)`` is called; what it gets was written by the browser.
        """

        def listen(_widget: Any, content: Any, _buffers: Any) -> None:
            if not isinstance(content, dict):
                return
            if content.get("kind") == "draw" and content.get("format") in {"png", "svg"}:
                draw(content["format"], content.get("caption") is not False)
            elif content.get("kind") == "undrawn":
                undrawn(str(content.get("problem"))[:300])

        self.on_msg(listen)

    def draw(self, script: str, stem: str) -> None:
        """Have the browser draw, and save it.

        Parameters
        ----------
        script : str
            See :func:`explorer.drawing.sheets_script`; one sheet in one format.
        stem : str
            Of the file's name; the browser takes out what no file name may have.
        """
        self.send({"kind": "draw", "script": script, "stem": stem})

    def fail(self) -> None:
        """There will be no picture; why, is said elsewhere."""
        self.send({"kind": "failed"})
