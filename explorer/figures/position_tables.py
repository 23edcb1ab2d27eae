"""The tables of position embeddings that stage 3 compares: the model's own, and those of slides 14 and 16.

A *table* has one row a place of the grid, counted row by row, and no row for prefix tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.arrays import ModelArrays
from explorer.figures.matrix import Scale, symmetric_scale
from explorer.positions import BASE, sinusoidal_1d, sinusoidal_2d
from explorer.trace import Trace

__all__ = [
    "SLIDE_DIM",
    "SLIDE_GRID",
    "PositionKind",
    "PositionTables",
    "Table",
    "Wave",
    "model_tables",
    "position_kind",
    "slide_tables",
    "table_scales",
    "wave_of",
    "wave_window",
    "zero_rows",
]

Table = NDArray[np.float32]
#: What a table of position embeddings is: learned (or random), all zeros, or the columns of slide 14 or 16.
PositionKind = Literal["learned", "none", "sinusoidal-1d", "sinusoidal-2d"]
#: The setting of slides 15 and 17.
SLIDE_GRID, SLIDE_DIM = (24, 24), 256
#: More waves than these run into each other on a chart of a third of the page; then so many places are drawn.
_MOST_WAVES, _PLACES = 40, 96


@dataclass(frozen=True, kw_only=True, eq=False)
class PositionTables:
    """Tables for the same grid and the same D.

    Parameters
    ----------
    grid : (rows, cols)
    dim : int
        D.
    tables : mapping of str to (N, D) array
        ``model`` (missing in the slides' own setting), ``1d`` and ``2d``; a sinusoidal one is missing where D does
        not divide.
    prefix : (R, D) array
        The model's rows for its prefix tokens.
    kind : PositionKind
        What the model's table is.
    """

    grid: tuple[int, int]
    dim: int
    tables: Mapping[str, Table]
    prefix: Table
    kind: PositionKind


def model_tables(trace: Trace) -> PositionTables:
    """The table of 𝑬_pos that the run used for its whole grid, and the sinusoidal ones of the same size.

    Patches that were dropped or shuffled change nothing here: a table belongs to the places of the grid.
    """
    arrays, num_prefix = trace.arrays, trace.num_prefix
    whole = trace.intervention.positions(arrays.pos_embed)
    own = whole[num_prefix:]
    return PositionTables(
        grid=trace.grid,
        dim=own.shape[1],
        tables={"model": own} | _sinusoidal(trace.grid, own.shape[1]),
        prefix=whole[:num_prefix],
        kind=position_kind(own, trace.grid),
    )


def slide_tables() -> PositionTables:
    """The tables of slides 15 and 17: D = 256, 24 × 24 patches; no model."""
    return PositionTables(
        grid=SLIDE_GRID,
        dim=SLIDE_DIM,
        tables=_sinusoidal(SLIDE_GRID, SLIDE_DIM),
        prefix=np.zeros((0, SLIDE_DIM), dtype=np.float32),
        kind="none",
    )


def _sinusoidal(grid: tuple[int, int], dim: int) -> dict[str, Table]:
    rows, cols = grid
    tables = {}
    if dim % 2 == 0:
        tables["1d"] = sinusoidal_1d(rows * cols, dim)
    if dim % 4 == 0:
        tables["2d"] = sinusoidal_2d(rows, cols, dim)
    return tables


def position_kind(table: Table, grid: tuple[int, int]) -> PositionKind:
    """What a table is, told by its numbers alone.

    Parameters
    ----------
    table : (N, D) array
    grid : (rows, cols)

    Returns
    -------
    PositionKind
        ``none`` for zeros; ``sinusoidal-…`` where its columns are those of slide 14 or 16 in any order (MAE's fixed
        table has all sines first); else ``learned``.
    """
    if not np.any(table):
        return "none"
    # Fixed tables have values from -1 to 1 and the cosines of position 0 equal 1: most learned ones are told at once.
    if abs(float(np.abs(table).max()) - 1.0) < 1e-3:
        sinusoidal = _sinusoidal(grid, table.shape[1])
        for key, kind in (("2d", "sinusoidal-2d"), ("1d", "sinusoidal-1d")):
            if key in sinusoidal and _same_columns(table, sinusoidal[key]):
                return kind  # type: ignore[return-value]
    return "learned"


def _same_columns(one: Table, other: Table, tolerance: float = 1e-3) -> bool:
    """Whether every column of each table is one of the other's."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    squares = (a * a).sum(axis=0)[:, None] + (b * b).sum(axis=0)[None, :] - 2 * a.T @ b
    limit = tolerance**2 * len(one)
    return bool(squares.min(axis=0).max() < limit and squares.min(axis=1).max() < limit)


def table_scales(tables: PositionTables, *, same: bool, label: str = "") -> dict[str, Scale]:
    """A symmetric scale for each table: its own, or the widest for all."""
    if same:
        widest = max((table for table in tables.tables.values()), key=lambda table: float(np.abs(table).max()))
        return dict.fromkeys(tables.tables, symmetric_scale(widest, label))
    return {name: symmetric_scale(table, label) for name, table in tables.tables.items()}


@dataclass(frozen=True, kw_only=True)
class Wave:
    """What one column of a sinusoidal table is.

    Parameters
    ----------
    over : {"n", "x", "y"}
        The patch's number, its column, or its row.
    function : {"sin", "cos"}
    pair : int
        i of the slides: which of the pairs of sine and cosine.
    wavelength : float
        In steps of ``over``.
    """

    over: Literal["n", "x", "y"]
    function: Literal["sin", "cos"]
    pair: int
    wavelength: float


def wave_of(table: Literal["1d", "2d"], dimension: int, dim: int) -> Wave:
    """Slide 14 or 16, read for one column.

    Parameters
    ----------
    table : {"1d", "2d"}
    dimension : int
        d, 0 … D - 1.
    dim : int
        D.
    """
    half = dim // 2
    over: Literal["n", "x", "y"] = "n" if table == "1d" else "x" if dimension < half else "y"
    place, width = (dimension, dim) if table == "1d" else (dimension % half, half)
    pair = place // 2
    return Wave(
        over=over,
        function="cos" if place % 2 else "sin",
        pair=pair,
        # The slides call 10000^(2i/D) the wavelength; a sine of x / s comes round after 2π s.
        wavelength=2 * math.pi * BASE ** (2 * pair / width),
    )


def wave_window(count: int, dimension: int, dim: int, place: int | None) -> range:
    """The places of a dimension that a chart can show as a wave: all, or those around the picked one.

    Parameters
    ----------
    count : int
        N.
    dimension, dim : int
        d and D.
    place : int or None
        The picked place; the first ones are shown without one.

    Returns
    -------
    range
    """
    if dim % 2 or count / wave_of("1d", dimension, dim).wavelength <= _MOST_WAVES:
        return range(count)
    first = min(max((place or 0) - _PLACES // 2, 0), count - _PLACES)
    return range(first, first + _PLACES)


def zero_rows(arrays: ModelArrays) -> tuple[int, ...]:
    """Prefix tokens whose row of 𝑬_pos is zero, as in models that add none to them."""
    prefix = arrays.pos_embed[: len(arrays.prefix_tokens)]
    return tuple(int(row) for row in np.flatnonzero(~prefix.any(axis=1)))
