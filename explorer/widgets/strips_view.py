"""Several vectors of one length under each other, dimension below dimension, each on its own scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from explorer.figures.classification import StripsFigure
from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget

__all__ = ["StripsView"]


class StripsView(ExplorerWidget):
    """Shows a :class:`~explorer.figures.classification.StripsFigure`; pointing at a dimension reads all its values.

    Attributes
    ----------
    selected : int
        The chosen dimension, −1 for none; set from either side.
    """

    _esm = bundle("strips_view.js")
    _css = stylesheet()

    selected = traitlets.Int(-1, min=-1).tag(sync=True)
    values = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    strips = traitlets.List(traitlets.Dict(), read_only=True).tag(sync=True)
    heading = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._figure: StripsFigure | None = None

    @property
    def figure(self) -> StripsFigure | None:
        """What is shown."""
        return self._figure

    def show(self, figure: StripsFigure) -> None:
        """Show a figure in place of the one before, in one message.

        Parameters
        ----------
        figure : StripsFigure
        """
        self._figure = figure
        with self.hold_sync(), self.hold_trait_notifications():
            self.set_trait("values", np.ascontiguousarray(figure.values, dtype=np.float32).tobytes())
            self.set_trait(
                "strips",
                [
                    {"name": name, "title": title, "reach": float(reach)}
                    for name, title, reach in zip(figure.names, figure.titles, figure.reaches, strict=True)
                ],
            )
            heading = {"title": figure.title, "caption": figure.caption, "stem": figure.stem, "axis": figure.axis}
            self.set_trait("heading", heading)
            if self.selected >= figure.values.shape[1]:
                self.selected = -1
