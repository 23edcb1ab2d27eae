"""A matrix on the page: coloured cells, exact values, keyboard, PNG and SVG."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from explorer.figures.front_end import axis_state, matrix_state, scale_state
from explorer.figures.matrix import Axis, MatrixFigure, Scale
from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget

__all__ = ["MAX_VALUES", "MatrixView", "binned"]

#: Most values that are sent to the browser; a larger matrix is binned first.
MAX_VALUES = 1_500_000

_MAX_SIDE = math.isqrt(MAX_VALUES)


class MatrixView(ExplorerWidget):
    """Shows a :class:`~explorer.figures.MatrixFigure`.

    The cell under the pointer is read out with as many digits as its float32 has; a click or the arrow keys choose a
    cell. A matrix of more than :data:`MAX_VALUES` values is binned for display, says so, and asks Python for the exact
    value under the pointer.

    Attributes
    ----------
    selected_row, selected_col : int
        The chosen cell, −1 for none; set from either side. A row or a column alone may be chosen from Python.
    max_size : int
        Longest side in CSS pixels of a matrix with square cells; one with stretched cells is at most three quarters of
        it high.
    max_width : int
        Width in CSS pixels that is not exceeded, 0 for the whole width there is.

    Examples
    --------
    >>> view = MatrixView()
    >>> view.show(
    ...     MatrixFigure(
    ...         values=np.eye(3),
    ...         rows=Axis(name="query ↓"),
    ...         cols=Axis(name="key →"),
    ...         scale=Scale(low=0, high=1, label="attention"),
    ...     )
    ... )
    """

    _esm = bundle("matrix_view.js")
    _css = stylesheet()

    selected_row = traitlets.Int(-1).tag(sync=True)
    selected_col = traitlets.Int(-1).tag(sync=True)
    max_size = traitlets.Int(560, min=80).tag(sync=True)
    max_width = traitlets.Int(0, min=0).tag(sync=True)

    shape = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(0, 0), read_only=True).tag(sync=True)
    bins = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(1, 1), read_only=True).tag(sync=True)
    binning = traitlets.Unicode("mean", read_only=True).tag(sync=True)
    values = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    rows = traitlets.Dict(read_only=True).tag(sync=True)
    cols = traitlets.Dict(read_only=True).tag(sync=True)
    scale = traitlets.Dict(read_only=True).tag(sync=True)
    heading = traitlets.Dict(read_only=True).tag(sync=True)
    aspect = traitlets.Unicode("equal", read_only=True).tag(sync=True)

    def __init__(self, figure: MatrixFigure | None = None, **traits: Any) -> None:
        super().__init__(**traits)
        self._figure: MatrixFigure | None = None
        self.on_msg(self._on_message)
        if figure is not None:
            self.show(figure)

    @traitlets.default("rows")
    @traitlets.default("cols")
    def _no_axis(self) -> dict[str, Any]:
        return axis_state(Axis(name=""))

    @traitlets.default("scale")
    def _no_scale(self) -> dict[str, Any]:
        return scale_state(Scale(low=0.0, high=1.0))

    @traitlets.default("heading")
    def _no_heading(self) -> dict[str, str]:
        return {"title": "", "caption": "", "stem": "matrix"}

    @property
    def figure(self) -> MatrixFigure | None:
        """What is shown."""
        return self._figure

    def show(self, figure: MatrixFigure) -> None:
        """Show a figure in place of the one before, in one message.

        Parameters
        ----------
        figure : MatrixFigure
        """
        row_step, col_step = bin_steps(*figure.values.shape)
        drawn = binned(figure.values, row_step, col_step, figure.binning)
        self._figure = figure
        rows, cols = figure.values.shape
        with self.hold_sync(), self.hold_trait_notifications():
            for name, value in matrix_state(figure, drawn, (row_step, col_step)).items():
                self.set_trait(name, value)
            if self.selected_row >= rows or self.selected_col >= cols:
                self.selected_row = self.selected_col = -1

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Answer the browser's question for a value that was binned away, or for all of them."""
        if not isinstance(content, dict) or self._figure is None:
            return
        if content.get("kind") == "values":
            self.send({"kind": "values", "serial": content.get("serial")}, buffers=[self._figure.values.tobytes()])
        if content.get("kind") != "value":
            return
        row, col = content.get("row"), content.get("col")
        rows, cols = self._figure.values.shape
        if isinstance(row, int) and isinstance(col, int) and 0 <= row < rows and 0 <= col < cols:
            value = self._figure.values[row, col].tobytes()
            self.send({"kind": "value", "row": row, "col": col}, buffers=[value])


def bin_steps(rows: int, cols: int) -> tuple[int, int]:
    """How many rows and columns of a matrix share one cell, so that at most :data:`MAX_VALUES` remain."""
    if rows * cols <= MAX_VALUES:
        return 1, 1
    row_step = max(1, math.ceil(rows / max(_MAX_SIDE, MAX_VALUES // cols)))
    col_step = max(1, math.ceil(cols / max(_MAX_SIDE, MAX_VALUES // rows)))
    return row_step, col_step


def binned(values: NDArray[np.float32], row_step: int, col_step: int, how: str) -> NDArray[np.float32]:
    """Fewer values, each for a block of others.

    Parameters
    ----------
    values : ndarray, shape (rows, cols)
    row_step, col_step : int
        Size of a block; those at the far edges may be smaller.
    how : {"mean", "max"}
        The mean of the block, or its value furthest from 0. ``nan`` is left out where a block has other values.

    Returns
    -------
    ndarray, shape (ceil(rows / row_step), ceil(cols / col_step)), float32
    """
    if row_step == col_step == 1:
        return values

    def reduced(by: np.ufunc, array: NDArray[Any]) -> NDArray[Any]:
        return _reduced(by, _reduced(by, array, row_step, 0), col_step, 1)

    missing = np.isnan(values)
    counts = reduced(np.add, (~missing).astype(np.int32))
    if how == "max":
        some = bool(missing.any())
        high = reduced(np.maximum, np.where(missing, -np.inf, values) if some else values)
        low = reduced(np.minimum, np.where(missing, np.inf, values) if some else values)
        result = np.where(high >= -low, high, low)
    else:
        with np.errstate(invalid="ignore"):
            result = reduced(np.add, np.where(missing, 0, values).astype(np.float64)) / np.maximum(counts, 1)
    return np.where(counts > 0, result, np.nan).astype(np.float32)


def _reduced(by: np.ufunc, array: NDArray[Any], step: int, axis: int) -> NDArray[Any]:
    """Every ``step`` rows (or columns) as one; several times as fast as ``reduceat``, which goes cell by cell."""
    if step == 1:
        return array

    def along(part: slice) -> tuple[slice, ...]:
        return (slice(None),) * axis + (part,)

    result = array[along(slice(0, None, step))].copy()
    for place in range(1, step):
        part = array[along(slice(place, None, step))]
        # The last cell may stand for fewer.
        into = result[along(slice(part.shape[axis]))]
        by(into, part, out=into)
    return result
