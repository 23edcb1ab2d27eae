"""Files made of a run: the handout, one page that opens from disk with no kernel, no server and no internet."""

from __future__ import annotations

from explorer.export.button import HandoutButton
from explorer.export.handout import handout_html, write_handout

__all__ = ["HandoutButton", "handout_html", "write_handout"]
