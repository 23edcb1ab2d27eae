"""A choice among a few things: a menu, a row of segments, or a slider with a step to either side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from explorer.widgets._esm import bundle
from explorer.widgets.main_shell import FrontEnd

__all__ = ["Choice"]


class Choice(FrontEnd):
    """One of several options, chosen by mouse or keyboard.

    Parameters
    ----------
    kind : {"menu", "segments", "slider"}
        A native menu; buttons side by side; a slider with buttons for one step back and forth.
    options : sequence of dict
        ``value`` (str or int), ``label`` and optionally ``short`` (menus: what a closed one shows), ``group``
        (menus: a heading above it), ``note`` (shown on hover) and ``disabled``.
    value : str or int
        The chosen option's value.
    label : str
        Name of the control, shown before it.

    Notes
    -----
    The front end can only choose among the options: anything else that it sends is put back.
    """

    _esm = bundle("choice.js")
    kind = traitlets.Enum(("menu", "segments", "slider"), default_value="menu").tag(sync=True)
    options = traitlets.List(traitlets.Dict()).tag(sync=True)
    value = traitlets.Union([traitlets.Int(), traitlets.Unicode()], default_value=0).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    #: The last value that was among the options.
    _last = traitlets.Any()

    def show(self, options: Sequence[dict[str, Any]], value: str | int) -> None:
        """Replace the options and the choice among them, in one message."""
        with self.hold_sync(), self.hold_trait_notifications():
            self.options = list(options)
            self.value = value

    @traitlets.validate("value")
    def _among_options(self, proposal: dict[str, Any]) -> str | int:
        value: str | int = proposal["value"]
        allowed = [option["value"] for option in self.options if not option.get("disabled")]
        if not self.options or value in allowed:
            self._last = value
        # Messages of the front end are checked after they were written, so ``self.value`` may be the wrong one by now.
        return self._last

    @traitlets.default("_last")
    def _first(self) -> str | int:
        return self.value
