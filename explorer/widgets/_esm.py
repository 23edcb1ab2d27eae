"""The widgets' own modules and style sheets."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from explorer import esm
from explorer.esm import BundleError

__all__ = ["BundleError", "bundle", "stylesheet"]

_FOLDER = Path(__file__).parent


def bundle(entry: str, folder: Path = _FOLDER) -> str:
    """Join a module of the widgets and all that it imports; see :func:`explorer.esm.bundle`."""
    return esm.bundle(entry, folder)


@cache
def stylesheet(name: str = "figure.css") -> str:
    """A style sheet of the widgets; all of them share the one."""
    return (_FOLDER / name).read_text("utf-8")
