"""What the browser says to a widget is heard by the kernel's main thread."""

from __future__ import annotations

from typing import Any

import anywidget
import ipywidgets as W

__all__ = ["Button", "FrontEnd", "MainShell", "TextField"]


class MainShell:
    """Mixin of a widget whose messages all come to the kernel's main thread.

    Notes
    -----
    JupyterLab sends them to a thread of its own (a *subshell*), and ipykernel to whichever thread the widget's last
    message to the browser was sent for. Traces and results arrive in the main thread: two threads would change one
    state at the same time. And after the page was loaded anew, the thread that ipykernel remembers may be gone, and all
    that the widget is told with it.
    """

    comm: Any

    def open(self) -> None:
        """Open the line to the browser; its messages come to the main thread from the first one on."""
        super().open()  # type: ignore[misc]
        route = getattr(self.comm, "_reply_subshell_for", None)
        if route is None:  # before ipykernel 7.4, and without a kernel
            return

        def main_shell(data: Any, default: str | None) -> None:
            route(data, default)  # which forgets what it remembers of requests that are answered

        self.comm._reply_subshell_for = main_shell


class FrontEnd(MainShell, anywidget.AnyWidget):
    """A widget with a front end of its own."""


class Button(MainShell, W.Button):
    """A button of ipywidgets."""


class TextField(MainShell, W.Text):
    """A field for one line of text."""
