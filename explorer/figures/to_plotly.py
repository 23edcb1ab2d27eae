"""Figures as plotly charts, for notebooks and files. This is the module that imports plotly."""

from __future__ import annotations

import html
import math

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from explorer.figures.colors import plotly_colorscale
from explorer.figures.matrix import Axis, MatrixFigure, Scale, TilesFigure

__all__ = ["matrix_to_plotly", "tiles_to_plotly"]

_CELL = 560
_FONT = 16


def matrix_to_plotly(figure: MatrixFigure) -> go.Figure:
    """A matrix as ``go.Heatmap``: same colours, same ends of the scale, first row on top.

    On a logarithmic scale the heat map holds decimal logarithms; hovering gives the values themselves.
    """
    rows, cols = figure.values.shape
    chart = go.Figure(
        go.Heatmap(
            z=_drawn(figure.values, figure.scale),
            customdata=figure.values,
            coloraxis="coloraxis",
            hovertemplate=(
                f"{_plain(figure.rows.name)} %{{y}}<br>{_plain(figure.cols.name)} %{{x}}<br>%{{customdata}}"
                "<extra></extra>"
            ),
        )
    )
    chart.update_layout(
        coloraxis=_coloraxis(figure.scale),
        title={"text": _plain(figure.title), "subtitle": {"text": _plain(figure.caption)}},
        font={"size": _FONT},
        xaxis=_axis(figure.cols, cols) | {"side": "top"},
        yaxis=_axis(figure.rows, rows) | {"autorange": "reversed"},
        plot_bgcolor="#cbced2",
        height=_CELL + 160,
    )
    if figure.aspect == "equal":
        chart.update_xaxes(constrain="domain")
        chart.update_yaxes(scaleanchor="x", constrain="domain")
    return chart


def tiles_to_plotly(figure: TilesFigure) -> go.Figure:
    """Small multiples as subplots with one shared colour axis."""
    count = len(figure.values)
    columns = min(figure.columns, count)
    lines = math.ceil(count / columns)
    captions = [_plain(caption) for caption in figure.captions]
    chart = make_subplots(
        rows=lines,
        cols=columns,
        subplot_titles=captions,
        horizontal_spacing=0.1 / columns,
        vertical_spacing=0.3 / lines,
    )
    for index, values in enumerate(figure.values):
        if figure.scale is None:
            trace = go.Image(z=values)
        else:
            trace = go.Heatmap(
                z=_drawn(values, figure.scale),
                customdata=values,
                coloraxis="coloraxis",
                hovertemplate="%{y}, %{x}: %{customdata}<extra></extra>",
            )
        chart.add_trace(trace, row=index // columns + 1, col=index % columns + 1)
    chart.update_xaxes(visible=False, constrain="domain")
    chart.update_yaxes(visible=False, autorange="reversed", constrain="domain")
    for axis in chart.select_yaxes():
        axis.scaleanchor = axis.anchor
    caption = "\n".join(part for part in (figure.caption, figure.note) if part)
    chart.update_layout(
        title={"text": _plain(figure.title), "subtitle": {"text": _plain(caption)}},
        font={"size": _FONT},
        height=160 + 140 * lines,
    )
    if figure.scale is not None:
        chart.update_layout(coloraxis=_coloraxis(figure.scale))
    return chart


def _drawn(values: NDArray[np.float32], scale: Scale) -> NDArray[np.float32]:
    if not scale.log:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(values)
    # What is 0 lies below every end of a logarithmic scale, and has the low end's colour, not none.
    return np.where(np.isneginf(logs), np.float32(math.log10(scale.low)), logs).astype(np.float32)


def _coloraxis(scale: Scale) -> dict[str, object]:
    low, high = (math.log10(scale.low), math.log10(scale.high)) if scale.log else (scale.low, scale.high)
    places = [low, (low + high) / 2, high]
    texts = [f"{10**place if scale.log else place:.3g}" for place in places]
    return {
        "colorscale": plotly_colorscale(scale.colormap),
        "cmin": low,
        "cmax": high,
        "colorbar": {"title": {"text": _plain(scale.label)}, "tickvals": places, "ticktext": texts},
    }


def _axis(axis: Axis, length: int) -> dict[str, object]:
    """Ticks at the marks and at round numbers between them, as on the page."""
    least = max(1, length / 12)
    power = 10 ** math.floor(math.log10(least))
    step = int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least))
    numbers = [
        index
        for index in range(length)
        if (index + axis.first) % step == 0 and all(abs(index - mark) >= step / 2 for mark in axis.marks)
    ]
    texts = {index: str(index + axis.first) for index in numbers} | dict(axis.marks)
    places = sorted(texts)
    return {
        "title": {"text": _plain(axis.name)},
        "tickvals": places,
        "ticktext": [_plain(texts[place]) for place in places],
        "showgrid": False,
        "zeroline": False,
    }


def _plain(text: str) -> str:
    """Text as plotly shows it letter by letter: plotly reads some HTML."""
    return html.escape(text, quote=False).replace("\n", "<br>")
