"""Parts of an experiment's frame: what is to be worked out, how far it is, and a button."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as W

from explorer.jobs import Report
from explorer.panels.base import html
from explorer.widgets.main_shell import Button

if TYPE_CHECKING:
    from explorer.models import ExplorerModel

__all__ = ["Experiment", "RunningBox", "button"]

_MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What a panel wants to have worked out.

    Parameters
    ----------
    run : callable
        ``run(model, report, cancelled)`` in a thread of its own: gives the result. ``report(done, total)`` tells how
        far it is, ``cancelled()`` whether it is still wanted. It must not touch a widget.
    options : hashable
        All that the result depends on besides the picture, its crop, the model and the sizes.
    remembered : bool
        Whether the same question may be answered with the result of before.
    """

    run: Callable[[ExplorerModel, Report, Callable[[], bool]], Any]
    options: Hashable = ()
    remembered: bool = True


class RunningBox(W.Box):
    """How far something is, and a button that stops it; its place on the page is kept while nothing runs."""

    def __init__(self, stop: Button) -> None:
        self._words = html("vx-experiment-progress")
        super().__init__([self._words, stop])
        self.add_class("vx-box")
        self.add_class("vx-experiment-running")

    def tell(self, done: int, total: int, say: Callable[..., str]) -> None:
        """So much of so much is done; a ``total`` of 0 where nobody knows."""
        bar = f"<progress max='{total}' value='{done}'></progress>" if total else "<progress></progress>"
        # Bytes are counted by the million; nothing else that is worked out has so many parts.
        if total > _MEGABYTE:
            words = say("downloading", done=done // _MEGABYTE, total=total // _MEGABYTE)
        else:
            words = say("progress", done=done, total=total) if total else say("working")
        self._words.value = f"<span role='status'>{bar} {escape(words)}</span>"
        self.add_class("vx-is-running")

    def rest(self) -> None:
        """Nothing runs."""
        self.remove_class("vx-is-running")


def button(on_click: Callable[[Any], None], *classes: str) -> Button:
    """A button of the page; its words are set with the language."""
    widget = Button()
    for name in ("vx-plain-button", *classes):
        widget.add_class(name)
    widget.on_click(on_click)
    return widget
