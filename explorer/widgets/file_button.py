"""A button that hands a file to the browser, as a download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from explorer.widgets._esm import bundle
from explorer.widgets.main_shell import FrontEnd

__all__ = ["FileButton"]


class FileButton(FrontEnd):
    """Asks for a file when it is pressed, and says so until it comes.

    Attributes
    ----------
    texts : dict of str to str
        ``label`` of the button; ``hint`` beside it, and ``making`` in its place while the file is made.
    """

    _esm = bundle("file_button.js")
    texts = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Unicode()).tag(sync=True)

    def on_ask(self, call: Callable[[], None]) -> None:
        """Call when a file is asked for; the answer is :meth:`give` or :meth:`fail`."""

        def listen(_widget: Any, content: Any, _buffers: Any) -> None:
            if isinstance(content, dict) and content.get("kind") == "make":
                call()

        self.on_msg(listen)

    def give(self, data: bytes, stem: str, ending: str, mime: str) -> None:
        """Hand the file to the browser.

        Parameters
        ----------
        data : bytes
        stem, ending : str
            Its name; the browser takes out what no file name may have.
        mime : str
        """
        self.send({"kind": "file", "stem": stem, "ending": ending, "mime": mime}, buffers=[data])

    def fail(self) -> None:
        """There will be no file; why, is said elsewhere."""
        self.send({"kind": "failed"})
