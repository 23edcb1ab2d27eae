"""Matrices and small multiples, as plain data: what is drawn, not how.

A figure holds numbers and finished strings. :class:`explorer.widgets.MatrixView` and
:class:`explorer.widgets.TilesView` draw it on the page, ``to_plotly`` makes a chart of it for notebooks and files.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.figures.colors import Colormap
from explorer.figures.csv import matrix_csv
from explorer.figures.front_end import save_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = [
    "Axis",
    "MatrixFigure",
    "Scale",
    "TilesFigure",
    "data_scale",
    "similarity_scale",
    "symmetric_scale",
]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From values to colours; what is compared shares one.

    Parameters
    ----------
    low, high : float
        Values of the two ends of the colour map. Values beyond them take the end's colour, and the colour bar says
        that there are some.
    colormap : {"sequential", "diverging"}
        *Diverging* has its white at the middle of ``low`` and ``high``.
    log : bool
        Logarithmic; ``low`` must then be above 0.
    label : str
        What the values are, printed at the colour bar.
    """

    low: float
    high: float
    colormap: Colormap = "sequential"
    log: bool = False
    label: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a scale needs low < high, both finite, not {self.low!r} and {self.high!r}")
        if self.colormap not in get_args(Colormap):
            raise ValueError(f"no colour map {self.colormap!r}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic scale starts above 0, not at {self.low!r}")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One side of a matrix.

    Parameters
    ----------
    name : str
        What the axis counts, with an arrow where it helps: ``query ↓``, ``key →``.
    labels : sequence of str
        One for each index, shown on hover (and at the axis where all of them fit); empty for the bare indices.
    marks : mapping of int to str
        Indices whose text is always shown at the edge (``{0: "CLS"}``).
    first : int
        The number that index 0 is given at the axis (1 for layers, which the slides count from 1).
    """

    name: str
    labels: Sequence[str] = ()
    marks: Mapping[int, str] = field(default_factory=dict)
    first: int = 0

    def label(self, index: int) -> str:
        """What index ``index`` is called."""
        return self.labels[index] if self.labels else self.marks.get(index, str(index + self.first))

    def check(self, length: int) -> None:
        """Raise ``ValueError`` unless labels and marks fit an axis of this length."""
        if self.labels and len(self.labels) != length:
            raise ValueError(f"axis {self.name!r} has {len(self.labels)} labels for {length} entries")
        if any(not 0 <= index < length for index in self.marks):
            raise ValueError(f"axis {self.name!r} marks an index outside of 0 … {length - 1}")


@dataclass(frozen=True, eq=False)
class MatrixFigure:
    """A matrix as a picture of coloured cells.

    Parameters
    ----------
    values : array_like, shape (rows, cols)
        Kept as read-only float32. ``nan`` is drawn as "no value".
    rows, cols : Axis
    scale : Scale
    title, caption : str
        Plain text (never HTML); the caption says what is seen and what was left out.
    stem : str
        File name of saved pictures, without its ending.
    aspect : {"equal", "fill"}
        Square cells, or cells stretched to the width of the page (for long strips).
    binning : {"mean", "max"}
        What one drawn cell stands for where there are more values than can be drawn: their mean, or the value that is
        furthest from 0. The picture says which.
    """

    _: KW_ONLY
    values: NDArray[np.float32]
    rows: Axis
    cols: Axis
    scale: Scale
    title: str = ""
    caption: str = ""
    stem: str = "matrix"
    aspect: Literal["equal", "fill"] = "equal"
    binning: Literal["mean", "max"] = "mean"

    def __post_init__(self) -> None:
        values = _read_only(self.values)
        if values.ndim != 2 or values.size == 0:
            raise ValueError(f"a matrix figure needs a matrix with values in it, not shape {values.shape}")
        self.rows.check(values.shape[0])
        self.cols.check(values.shape[1])
        if self.aspect not in ("equal", "fill"):
            raise ValueError(f"no aspect {self.aspect!r}")
        if self.binning not in ("mean", "max"):
            raise ValueError(f"no binning {self.binning!r}")
        object.__setattr__(self, "values", values)

    def save(self, path: str | os.PathLike[str], *, language: str = "en", width: int = 640) -> Path:
        """Write it as PNG or SVG: title, matrix, colour bar and caption, as the page draws them.

        Parameters
        ----------
        path : path
            Ends in ``.png`` or ``.svg``.
        language : str
            Of what the drawing says itself.
        width : int
            Room in CSS pixels that the drawing is given; a PNG has twice as many.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        ExplorerError
            ``browser-missing``: a browser without a window draws it, and there is none; ``figure-format``;
            ``file-not-writable``.

        Examples
        --------
        >>> figure.save("attention.svg")
        """
        return save_figure(self, path, language=language, width=width)

    def to_csv(self) -> str:
        """All values as CSV, as the page's button copies them.

        Returns
        -------
        str
            A line for each row. The first field says which matrix it is; beside and below it are the names of columns
            and rows. Every value has as many digits as its float32 needs; where there is none, the field is empty.
        """
        return matrix_csv(self)

    def to_plotly(self) -> go.Figure:
        """The same picture as a plotly heat map (plotly is imported here, not before)."""
        from explorer.figures.to_plotly import matrix_to_plotly

        return matrix_to_plotly(self)


@dataclass(frozen=True, eq=False)
class TilesFigure:
    """Small multiples: pictures of one size, on one shared scale.

    Parameters
    ----------
    values : array_like, shape (n, rows, cols) or (n, rows, cols, 3)
        Numbers, kept as read-only float32 and coloured by ``scale``; or RGB of dtype uint8.
    captions : sequence of str
        One for each tile.
    columns : int
        At most so many side by side; fewer where the page is narrow.
    scale : Scale or None
        ``None`` for RGB only.
    title, caption, note : str
        Plain text; ``note`` stands below the caption (how the colours of RGB tiles were made, for example).
    stem : str
        File name of saved pictures, without its ending.
    rows, cols : str
        What the two sides of a tile count, for the readout.
    """

    _: KW_ONLY
    values: NDArray[np.float32] | NDArray[np.uint8]
    captions: Sequence[str]
    columns: int = 8
    scale: Scale | None = None
    title: str = ""
    caption: str = ""
    stem: str = "tiles"
    note: str = ""
    rows: str = ""
    cols: str = ""

    def __post_init__(self) -> None:
        given = np.asarray(self.values)
        if given.ndim == 4 and given.shape[-1] == 3:
            if given.dtype != np.uint8 or self.scale is not None:
                raise ValueError("RGB tiles are uint8 and have no scale")
            values: NDArray[np.float32] | NDArray[np.uint8] = np.ascontiguousarray(given).view()
            values.flags.writeable = False
        else:
            if self.scale is None:
                raise ValueError("tiles of numbers need a scale")
            values = _read_only(given)
        if values.ndim not in (3, 4) or values.size == 0:
            raise ValueError(f"tiles have shape (n, rows, cols) or (n, rows, cols, 3), not {values.shape}")
        if len(self.captions) != len(values):
            raise ValueError(f"{len(self.captions)} captions for {len(values)} tiles")
        if self.columns < 1:
            raise ValueError(f"tiles need at least one column, not {self.columns}")
        object.__setattr__(self, "values", values)

    @property
    def is_rgb(self) -> bool:
        """Whether the tiles are colours, not numbers."""
        return self.values.ndim == 4

    def save(self, path: str | os.PathLike[str], *, language: str = "en", width: int = 960) -> Path:
        """Write them as PNG or SVG; see :meth:`MatrixFigure.save`."""
        return save_figure(self, path, language=language, width=width)

    def to_plotly(self) -> go.Figure:
        """The same tiles as plotly subplots (plotly is imported here, not before)."""
        from explorer.figures.to_plotly import tiles_to_plotly

        return tiles_to_plotly(self)


def symmetric_scale(values: ArrayLike, label: str = "") -> Scale:
    """A diverging scale for signed values: as far below 0 as above, up to the largest magnitude among them."""
    reach = _largest(np.abs(np.asarray(values, dtype=np.float32)))
    return Scale(low=-reach, high=reach, colormap="diverging", label=label)


def data_scale(values: ArrayLike, label: str = "") -> Scale:
    """A sequential scale for amounts (norms, counts): from 0 to the largest among them."""
    return Scale(low=0.0, high=_largest(np.asarray(values, dtype=np.float32)), label=label)


def similarity_scale(label: str = "") -> Scale:
    """The scale of cosine similarities: from −1 to 1."""
    return Scale(low=-1.0, high=1.0, colormap="diverging", label=label)


def _largest(values: NDArray[np.float32]) -> float:
    finite = values[np.isfinite(values)]
    reach = float(finite.max()) if finite.size else 0.0
    return reach if reach > 0 else 1.0


def _read_only(values: ArrayLike) -> NDArray[np.float32]:
    array = np.ascontiguousarray(values, dtype=np.float32).view()
    array.flags.writeable = False
    return array
