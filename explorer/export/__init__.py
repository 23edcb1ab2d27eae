"""Files made of a run: the handout, one page that opens from disk; pictures of the stages for slides; a deck."""

from __future__ import annotations

from explorer.export.deck import write_deck
from explorer.export.files_menu import FilesMenu
from explorer.export.handout import handout_html, write_handout
from explorer.export.showing import Showing
from explorer.export.stage_menu import StageMenu
from explorer.export.stages import STAGES, StagePicture, draw_stages, save_stages

__all__ = [
    "STAGES",
    "FilesMenu",
    "Showing",
    "StageMenu",
    "StagePicture",
    "draw_stages",
    "handout_html",
    "save_stages",
    "write_deck",
    "write_handout",
]
