"""Stage 3: CLS put on top, 𝑬_pos added, and three tables of position embeddings side by side.

A *table* has one row a place of the grid, counted row by row, and no row for prefix tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from explorer.arrays import ModelArrays
from explorer.figures.matrix import Axis, MatrixFigure, Scale, TilesFigure, similarity_scale, symmetric_scale
from explorer.positions import BASE, cosine_similarity, sinusoidal_1d, sinusoidal_2d
from explorer.trace import Trace

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = [
    "PositionKind",
    "PositionTables",
    "Wave",
    "chosen_dimensions",
    "dimension_tiles",
    "grid_figure",
    "model_tables",
    "position_kind",
    "similarity_figure",
    "similarity_tiles",
    "slide_tables",
    "table_figure",
    "table_scales",
    "token_figure",
    "tokens_before",
    "wave_figure",
    "wave_of",
    "zero_rows",
]

Table = NDArray[np.float32]
#: What a table of position embeddings is: learned (or random), all zeros, or the columns of slide 14 or 16.
PositionKind = Literal["learned", "none", "sinusoidal-1d", "sinusoidal-2d"]
#: The setting of slides 15 and 17.
SLIDE_GRID, SLIDE_DIM = (24, 24), 256
#: Most values that a picture of every position's similarity to every other sends to a page: all of the slides' grid.
MAX_SIMILARITIES = (24 * 24) ** 2


# -- the sum -----------------------------------------------------------------------------------------------------------


def tokens_before(trace: Trace) -> Table:
    """``[x_class; x_p E]``: the tokens before 𝑬_pos is added, (T, D)."""
    embeddings = trace.patch_embeddings
    norm = trace.arrays.embed_norm
    return np.concatenate([trace.prefix_tokens, embeddings if norm is None else norm(embeddings)])


def token_figure(values: Table, scale: Scale, *, rows: Axis, cols: Axis, title: str = "", stem: str) -> MatrixFigure:
    """A (T, D) matrix of the sum; what is compared is handed the same scale."""
    return MatrixFigure(
        values=values, rows=rows, cols=cols, scale=scale, title=title, stem=stem, aspect=_aspect(values.shape)
    )


def _aspect(shape: tuple[int, ...]) -> Literal["equal", "fill"]:
    # Square cells show the matrix's true proportions, unless it is a strip or a tower.
    return "equal" if 1 / 6 <= shape[0] / shape[1] <= 1.25 else "fill"


# -- tables of position embeddings -------------------------------------------------------------------------------------


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


def table_figure(table: Table, scale: Scale, *, rows: Axis, cols: Axis, title: str = "", stem: str) -> MatrixFigure:
    """A whole table as a heat map, (N, D)."""
    return MatrixFigure(
        values=table, rows=rows, cols=cols, scale=scale, title=title, stem=stem, aspect=_aspect(table.shape)
    )


# -- one dimension, and several ----------------------------------------------------------------------------------------


def grid_figure(
    table: Table,
    dimension: int,
    grid: tuple[int, int],
    scale: Scale,
    *,
    rows: Axis,
    cols: Axis,
    title: str = "",
    stem: str,
) -> MatrixFigure:
    """Column ``dimension`` of a table, laid out on the grid (slides 15 and 17)."""
    return MatrixFigure(
        values=table[:, dimension].reshape(grid), rows=rows, cols=cols, scale=scale, title=title, stem=stem
    )


def chosen_dimensions(dim: int, count: int = 12) -> tuple[int, ...]:
    """Dimensions that are shown side by side: evenly spread from the first to the last."""
    return tuple(sorted({round(place) for place in np.linspace(0, dim - 1, count).tolist()}))


def dimension_tiles(
    table: Table,
    dimensions: Sequence[int],
    grid: tuple[int, int],
    scale: Scale,
    *,
    captions: Sequence[str],
    columns: int = 4,
    title: str = "",
    stem: str,
) -> TilesFigure:
    """Several columns of a table, each laid out on the grid."""
    return TilesFigure(
        values=table[:, list(dimensions)].T.reshape(len(dimensions), *grid),
        captions=captions,
        columns=columns,
        scale=scale,
        title=title,
        stem=stem,
    )


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


def wave_figure(
    table: Table,
    dimension: int,
    scale: Scale,
    *,
    name: str,
    x_title: str,
    y_title: str,
    position: int | None = None,
    color: str = "#c4006a",
) -> go.Figure:
    """Column ``dimension`` of a table as a wave over the patch's number x.

    Parameters
    ----------
    table : (N, D) array
    dimension : int
    scale : Scale
        The height of the chart, so that waves that are compared have the same.
    name, x_title, y_title : str
    position : int, optional
        The place that is picked, marked by a dot.
    color : str
    """
    import plotly.graph_objects as go

    values = table[:, dimension].astype(np.float64)
    # Dots as well while they can be told apart: the table has values at whole x only.
    mode = "lines+markers" if len(values) <= 64 else "lines"
    figure = go.Figure(
        go.Scatter(
            x=np.arange(len(values)),
            y=values,
            mode=mode,
            name=name,
            line={"color": color, "width": 2},
            marker={"size": 5, "color": color},
            hovertemplate="x = %{x}: %{y:.5g}<extra></extra>",
        )
    )
    if position is not None:
        figure.add_scatter(
            x=[position],
            y=[values[position]],
            mode="markers",
            marker={"size": 14, "color": "rgba(0,0,0,0)", "line": {"color": "#131c2e", "width": 3}},
            hoverinfo="skip",
        )
    # Room for the mark at the crest of a wave.
    room = 1.15
    figure.update_layout(
        template="none",
        showlegend=False,
        height=230,
        margin={"l": 70, "r": 12, "t": 10, "b": 56},
        font={"size": 16, "color": "#131c2e"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis={"title": {"text": x_title}, "showgrid": False, "zeroline": False, "range": [-0.5, len(values) - 0.5]},
        yaxis={
            "title": {"text": y_title},
            "range": [scale.low * room, scale.high * room],
            "gridcolor": "#d8deea",
            "zerolinecolor": "#b9c2d3",
            "nticks": 5,
        },
    )
    return figure


# -- how alike positions are -------------------------------------------------------------------------------------------


def similarity_figure(
    table: Table,
    query: int | Table,
    grid: tuple[int, int],
    *,
    rows: Axis,
    cols: Axis,
    title: str = "",
    label: str = "",
    stem: str,
) -> MatrixFigure:
    """Cosine similarity of every place's row to one row, laid out on the grid, from -1 to 1.

    Parameters
    ----------
    table : (N, D) array
    query : int or (D,) array
        The place that is picked, or the row of a prefix token.
    grid : (rows, cols)
    rows, cols : Axis
    title, label, stem : str
    """
    if isinstance(query, int):
        values = cosine_similarity(table, query)
    else:
        values = cosine_similarity(np.concatenate([query[None, :], table]), 0)[1:]
    return MatrixFigure(
        values=values.reshape(grid),
        rows=rows,
        cols=cols,
        scale=similarity_scale(label),
        title=title,
        stem=stem,
    )


def similarity_tiles(
    table: Table, grid: tuple[int, int], *, title: str = "", label: str = "", stem: str
) -> tuple[TilesFigure, tuple[int, ...]]:
    """Every place's similarity to every other (ViT paper, Fig. 7 middle).

    Parameters
    ----------
    table : (N, D) array
    grid : (rows, cols)
    title, label, stem : str

    Returns
    -------
    figure : TilesFigure
        One tile a place, laid out as the places are.
    places : tuple of int
        The places that have a tile: all of them, or every second, third … row and column of a large grid.
    """
    rows, cols = grid
    step = 1
    while -(-rows // step) * -(-cols // step) * rows * cols > MAX_SIMILARITIES:
        step += 1
    # The middle ones of each group, so that no side of the picture is preferred.
    tile_rows = range(min(step // 2, rows - 1), rows, step)
    tile_cols = range(min(step // 2, cols - 1), cols, step)
    places = tuple(row * cols + col for row in tile_rows for col in tile_cols)
    # Not the whole N × N: of a large grid few rows are wanted.
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    similarity = np.clip(unit[list(places)] @ unit.T, -1.0, 1.0)
    figure = TilesFigure(
        values=similarity.reshape(len(places), rows, cols),
        captions=[""] * len(places),
        columns=len(tile_cols),
        scale=similarity_scale(label),
        title=title,
        stem=stem,
    )
    return figure, places


def zero_rows(arrays: ModelArrays) -> tuple[int, ...]:
    """Prefix tokens whose row of 𝑬_pos is zero, as in models that add none to them."""
    prefix = arrays.pos_embed[: len(arrays.prefix_tokens)]
    return tuple(int(row) for row in np.flatnonzero(~prefix.any(axis=1)))
