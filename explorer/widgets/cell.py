"""A notebook's cell that is run again: what it showed before is closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import ref

import ipywidgets as W
from IPython.core.getipython import get_ipython

__all__ = ["close_all", "replace_earlier"]

#: Cell to what it shows, with the run that made it.
_SHOWN: dict[str, list[tuple[str, ref[W.Widget]]]] = {}


def replace_earlier(widget: W.Widget) -> None:
    """Close what an earlier run of the same cell made.

    Its output is gone, but ipywidgets keeps every widget until it is closed: after a few runs, opening the notebook
    anew would bring hundreds of widgets that nobody sees.

    Parameters
    ----------
    widget : Widget
        Takes the place of the earlier ones. Several of one run stand beside each other.
    """
    cell, run = _cell_and_run()
    if not cell:
        return
    kept = [(run, ref(widget))]
    for other_run, other in _SHOWN.get(cell, []):
        earlier = other()
        if other_run == run:
            kept.append((other_run, other))
        elif earlier is not None:
            earlier.close()
    _SHOWN[cell] = kept


def close_all(widget: W.Widget) -> None:
    """Close all widgets inside another (children, layouts, styles), but not itself.

    Parameters
    ----------
    widget : Widget
    """
    waiting, seen = [widget], {id(widget)}
    while waiting:
        for inside in _inside(waiting.pop()):
            if id(inside) not in seen:
                seen.add(id(inside))
                waiting.append(inside)
                inside.close()


def _inside(widget: W.Widget) -> Iterator[W.Widget]:
    # What was not asked for yet is not made now; and what a panel has at hand may not be in its place on the page.
    for value in (*widget._trait_values.values(), *vars(widget).values()):
        parts = tuple(value.values()) if isinstance(value, dict) else value
        for part in parts if isinstance(parts, tuple | list) else (parts,):
            if isinstance(part, W.Widget):
                yield part


def _cell_and_run() -> tuple[str, str]:
    """Which cell is running, and which run of it this is; empty where there is no notebook."""
    kernel: Any = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return "", ""
    parent = kernel.get_parent("shell") or {}
    return parent.get("metadata", {}).get("cellId", ""), parent.get("header", {}).get("msg_id", "")
