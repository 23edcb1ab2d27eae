"""Stage 3: CLS put on top, 𝑬_pos added, and three tables of position embeddings side by side.

A *table* has one row a place of the grid, counted row by row, and no row for prefix tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from explorer.figures.matrix import Axis, MatrixFigure, Scale, TilesFigure, similarity_scale
from explorer.figures.position_tables import Table
from explorer.positions import cosine_similarity
from explorer.trace import Trace

__all__ = [
    "chosen_dimensions",
    "dimension_tiles",
    "grid_figure",
    "similarity_figure",
    "similarity_tiles",
    "table_figure",
    "token_figure",
    "tokens_before",
    "wave_chart",
]

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


# -- tables ----------------------------------------------------------------------------------------------------------


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


def wave_chart(
    table: Table,
    dimension: int,
    scale: Scale,
    *,
    name: str,
    x_title: str,
    y_title: str,
    position: int | None = None,
    window: range | None = None,
    color: str = "#c4006a",
) -> dict[str, Any]:
    """Column ``dimension`` of a table as a wave over the patch's number x, as plotly's JSON.

    A plain dict, since a slider makes three of them a step: a ``go.Figure`` takes 20 ms to check what it is given.

    Parameters
    ----------
    table : (N, D) array
    dimension : int
    scale : Scale
        The height of the chart, so that waves that are compared have the same.
    name, x_title, y_title : str
    position : int, optional
        The place that is picked, marked by a ring.
    window : range, optional
        The places that are in sight; all by default.
    color : str
    """
    values = table[:, dimension].astype(np.float64).tolist()
    window = range(len(values)) if window is None else window
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "x": list(range(len(values))),
            "y": values,
            # Dots as well while they can be told apart: the table has values at whole x only.
            "mode": "lines+markers" if len(window) <= 96 else "lines",
            "name": name,
            "line": {"color": color, "width": 2},
            "marker": {"size": 5, "color": color},
            "hovertemplate": "x = %{x}: %{y:.5g}<extra></extra>",
        }
    ]
    if position is not None:
        ring = {"size": 14, "color": "rgba(0,0,0,0)", "line": {"color": "#131c2e", "width": 3}}
        traces.append(
            {
                "type": "scatter",
                "x": [position],
                "y": [values[position]],
                "mode": "markers",
                "marker": ring,
                "hoverinfo": "skip",
            }
        )
    room = 1.15  # for the ring at the crest of a wave
    layout = {
        "showlegend": False,
        "height": 230,
        "margin": {"l": 70, "r": 12, "t": 10, "b": 56},
        "font": {"size": 16, "color": "#131c2e"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": {
            "title": {"text": x_title},
            "showgrid": False,
            "zeroline": False,
            "range": [window.start - 0.5, window.stop - 0.5],
        },
        "yaxis": {
            "title": {"text": y_title},
            "range": [scale.low * room, scale.high * room],
            "gridcolor": "#d8deea",
            "zerolinecolor": "#b9c2d3",
            "nticks": 5,
        },
    }
    return {"data": traces, "layout": layout}


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
