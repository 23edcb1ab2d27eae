"""A button that copies a link to what the page shows."""

from __future__ import annotations

from typing import Any

import traitlets

from explorer.widgets._esm import bundle
from explorer.widgets.main_shell import FrontEnd

__all__ = ["LinkButton"]


class LinkButton(FrontEnd):
    """Copies a link; the stage in view is added to it in the browser.

    When it is pressed, the browser asks for the link as it is by then: all that was chosen before has arrived, which
    the traits that the browser holds may not show yet.

    Attributes
    ----------
    query : str
        Query of the link, without the stage; see :func:`explorer.links.link_query`.
    own_picture : bool
        Whether the picture is the reader's own, which no link carries.
    own_model : bool
        Whether the model is none that a link can ask for.
    texts : dict of str to str
        ``label`` and ``hint`` of the button; what is said once the link is copied (``copied``), where it is a line of
        Python (``line``), and where the picture (``own``), the model (``own-model``) or both (``own-both``) are not
        in it.
    """

    _esm = bundle("link_button.js")
    query = traitlets.Unicode("").tag(sync=True)
    own_picture = traitlets.Bool(False).tag(sync=True)
    own_model = traitlets.Bool(False).tag(sync=True)
    texts = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Unicode()).tag(sync=True)

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.on_msg(self._on_message)

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if isinstance(content, dict) and content.get("kind") == "link" and isinstance(content.get("serial"), int):
            shown = {"query": self.query, "own_picture": self.own_picture, "own_model": self.own_model}
            self.send({"kind": "link", "serial": content["serial"], **shown})
