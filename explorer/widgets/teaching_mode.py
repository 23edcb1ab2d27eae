"""Teaching mode: one stage a screen, in larger type, for those in the back row."""

from __future__ import annotations

import traitlets

from explorer.widgets._esm import bundle
from explorer.widgets.main_shell import FrontEnd

__all__ = ["TeachingMode"]


class TeachingMode(FrontEnd):
    """A button (and the key *t*) that shows one stage a screen, larger, with the controls folded away.

    Arrow keys and the keys of a presenter's remote go through the stages, *Escape* leaves. The kernel has no part in
    it. In JupyterLab, where page and keys are the user's own, there is no such button.

    Attributes
    ----------
    texts : dict of str to str
        ``button``, ``hint``, ``back``, ``next`` and ``leave``.
    """

    _esm = bundle("teaching_mode.js")
    texts = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Unicode()).tag(sync=True)
