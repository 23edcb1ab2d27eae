"""Pictures as files: the widgets' own front ends, drawn by a browser and put together to sheets."""

from __future__ import annotations

from explorer.drawing.browser import Browser, find_browser
from explorer.drawing.sheets import (
    Column,
    Drawing,
    FrontEnd,
    Node,
    Part,
    Row,
    Sheet,
    Sign,
    Words,
    draw_sheets,
    sheets_script,
)

__all__ = [
    "Browser",
    "Column",
    "Drawing",
    "FrontEnd",
    "Node",
    "Part",
    "Row",
    "Sheet",
    "Sign",
    "Words",
    "draw_sheets",
    "find_browser",
    "sheets_script",
]
