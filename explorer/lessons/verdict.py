"""What is said to an answer: in a notebook as a framed line or two, elsewhere as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

__all__ = ["Verdict", "marked_up"]

#: A sign and a colour for right, wrong and open. The sign says it all; who does not see the colour misses nothing.
_SIGNS = {True: ("✓", "#00796b"), False: ("✗", "#c4006a"), None: ("…", "#526077")}


def marked_up(words: str) -> str:
    """A text of the catalogues as HTML: escaped, and what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Parameters
    ----------
    right : bool or None
        None where nothing was answered, or nothing that can be compared was asked for.
    finding : str
        What was found, as a key: ``right``, ``mistake.no-bias``, ``wrong.shape``, ``odd.text``.
    headline, detail, hint : str
        In the reader's language; detail and hint may be empty.
    """

    right: bool | None
    finding: str
    headline: str
    detail: str = ""
    hint: str = ""

    def __bool__(self) -> bool:
        return self.right is True

    def __str__(self) -> str:
        parts = [f"{_SIGNS[self.right][0]} {self.headline}", self.detail]
        first = " ".join(filter(None, parts))
        return "\n".join(filter(None, (first, self.hint)))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        sign, colour = _SIGNS[self.right]
        # Colours of JupyterLab's own, where there are any: the frame stands on a light page and on a dark one.
        style = (
            f"border-left:6px solid {colour};padding:0.5em 1em;margin:0.25em 0;font-size:16px;line-height:1.6;"
            "max-width:60em;background:var(--jp-layout-color2,#f3f5fa);color:var(--jp-content-font-color1,#131c2e)"
        )
        lines = [f"<strong>{sign} {escape(self.headline)}</strong> {marked_up(self.detail)}".strip()]
        if self.hint:
            lines.append(marked_up(self.hint))
        body = "".join(f"<div>{line}</div>" for line in lines)
        return f'<div class="vx-verdict" role="status" style="{style}">{body}</div>'
