"""Small multiples on the page: heat maps or RGB pictures of one size, on one shared scale."""

from __future__ import annotations

from typing import Any

import traitlets

from explorer.figures.front_end import tiles_state
from explorer.figures.matrix import TilesFigure
from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget

__all__ = ["TilesView"]


class TilesView(ExplorerWidget):
    """Shows a :class:`~explorer.figures.TilesFigure`.

    Attributes
    ----------
    selected : int
        The picked tile, −1 for none; set from either side.
    max_tile : int
        Longest side of a tile in CSS pixels.
    """

    _esm = bundle("tiles_view.js")
    _css = stylesheet()

    selected = traitlets.Int(-1, min=-1).tag(sync=True)
    max_tile = traitlets.Int(220, min=16).tag(sync=True)

    shape = traitlets.Tuple(
        traitlets.Int(), traitlets.Int(), traitlets.Int(), default_value=(0, 0, 0), read_only=True
    ).tag(sync=True)
    values = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    captions = traitlets.List(traitlets.Unicode(), read_only=True).tag(sync=True)
    columns = traitlets.Int(1, read_only=True).tag(sync=True)
    scale = traitlets.Dict(default_value=None, allow_none=True, read_only=True).tag(sync=True)
    heading = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, figure: TilesFigure | None = None, **traits: Any) -> None:
        super().__init__(**traits)
        self._figure: TilesFigure | None = None
        if figure is not None:
            self.show(figure)

    @traitlets.default("heading")
    def _no_heading(self) -> dict[str, str]:
        return {"title": "", "caption": "", "note": "", "stem": "tiles", "rows": "", "cols": ""}

    @property
    def figure(self) -> TilesFigure | None:
        """What is shown."""
        return self._figure

    def show(self, figure: TilesFigure) -> None:
        """Show a figure in place of the one before, in one message.

        Parameters
        ----------
        figure : TilesFigure
        """
        self._figure = figure
        with self.hold_sync(), self.hold_trait_notifications():
            for name, value in tiles_state(figure).items():
                self.set_trait(name, value)
            if self.selected >= len(figure.values):
                self.selected = -1
