"""Experiment *How the answer forms*: classes over depth, and every patch in the colour of its favourite class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.analysis_lens import LensResult
from explorer.figures.colors import CATEGORIES, OTHER_COLOR
from explorer.numerics import Array, softmax

__all__ = [
    "LENS_COLORS",
    "OTHER_COLOR",
    "chart_classes",
    "class_colors",
    "favourite_picture",
    "lens_chart",
    "shown_classes",
]

#: The answer has the page's accent.
LENS_COLORS = CATEGORIES

#: How much of the photo lies under the colours.
_COVER = 0.66


def chart_classes(logits: Array, count: int = 5) -> tuple[int, ...]:
    """The classes whose way through the layers is drawn.

    Parameters
    ----------
    logits : (L + 1, K) array
    count : int
        How many at most.

    Returns
    -------
    tuple of int
        First the answer after the last layer, then what led after some other layer (the one that was ahead for most
        layers first), then the runners-up of the last layer.
    """
    ranked = np.argsort(-logits[-1], kind="stable")
    leaders = logits.argmax(axis=-1)
    found, times = np.unique(leaders, return_counts=True)
    led = [int(index) for index in found[np.argsort(-times, kind="stable")]]
    return tuple(dict.fromkeys([int(ranked[0]), *led, *(int(index) for index in ranked[:count])]))[:count]


def class_colors(lens: LensResult) -> dict[int, str]:
    """Colours of the classes that matter most to a picture, the same for all its layers.

    Parameters
    ----------
    lens : LensResult

    Returns
    -------
    dict
        From class to colour. The answer comes first, then the other lines of the chart, then the classes that are the
        favourite of most patches (in all layers together). Classes without a colour are to be drawn in
        :data:`OTHER_COLOR`.
    """
    found, times = np.unique(lens.favourites, return_counts=True)
    frequent = [int(index) for index in found[np.argsort(-times, kind="stable")]]
    classes = dict.fromkeys([*chart_classes(lens.logits), *frequent])
    return dict(zip(classes, LENS_COLORS, strict=False))


def shown_classes(favourites: NDArray[np.int64], colors: Mapping[int, str]) -> tuple[tuple[int, int], ...]:
    """What a map's legend lists.

    Parameters
    ----------
    favourites : (N,) ints
        Of one layer.
    colors : mapping of int to str

    Returns
    -------
    tuple of (class, patches)
        In the order of ``colors``, classes that no patch likes included; last, where there are any, ``(-1, patches)``
        for all others.
    """
    rows = [(index, int((favourites == index).sum())) for index in colors]
    others = len(favourites) - sum(count for _, count in rows)
    return tuple(rows) + (((-1, others),) if others else ())


def favourite_picture(
    pixels: NDArray[np.uint8],
    grid: tuple[int, int],
    patch_index: NDArray[np.int64],
    favourites: NDArray[np.int64],
    colors: Mapping[int, str],
) -> NDArray[np.uint8]:
    """The photo in grey, each patch under the colour of its favourite class.

    Parameters
    ----------
    pixels : (S, S', 3) uint8 array
        What the grid covers, at any sharpness.
    grid : (rows, cols)
    patch_index : (N,) ints
        The patch of the photo of each token.
    favourites : (N,) ints
        Its class.
    colors : mapping of int to str
        ``#rrggbb`` of classes.

    Returns
    -------
    (S, S', 3) uint8 array
    """
    rows, cols = grid
    cells = np.full((rows * cols, 3), np.nan, dtype=np.float32)
    for patch, favourite in zip(patch_index, favourites, strict=True):
        cells[patch] = _rgb(colors.get(int(favourite), OTHER_COLOR))
    height, width = pixels.shape[:2]
    row_of = np.minimum(np.arange(height) * rows // height, rows - 1)
    col_of = np.minimum(np.arange(width) * cols // width, cols - 1)
    veil = cells.reshape(rows, cols, 3)[row_of[:, None], col_of[None, :]]
    grey = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    mixed = (1 - _COVER) * grey[..., None] + _COVER * veil
    # A patch whose token was dropped has no favourite: there the grey photo is left alone.
    return np.where(np.isnan(veil), grey[..., None], mixed).round().astype(np.uint8)


def lens_chart(
    logits: Array,
    classes: Sequence[int],
    names: Sequence[str],
    colors: Mapping[int, str],
    *,
    layer: int,
    x_title: str,
    y_title: str,
    title: str = "",
) -> dict[str, Any]:
    """Probabilities of classes after every layer, as plotly's JSON.

    Parameters
    ----------
    logits : (L + 1, K) array
    classes : sequence of int
        Those that get a line.
    names : sequence of str
        What they are called; text, whoever wrote it.
    colors : mapping of int to str
        Classes without one are dashed, in grey.
    layer : int
        The layer that is looked at, marked by a line.
    x_title, y_title, title : str
    """
    probs = softmax(logits.astype(np.float64))
    last = len(logits) - 1
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": list(range(last + 1)),
            "y": probs[:, index].tolist(),
            "name": escape(name),
            "line": {
                "color": colors.get(index, "#7d8798"),
                "width": 4 if place == 0 else 2.5,
                "dash": "solid" if index in colors else "dot",
            },
            "marker": {"size": 9 if place == 0 else 7, "color": colors.get(index, "#7d8798")},
            "hovertemplate": f"{escape(name).replace('%', '&#37;')}: %{{y:.1%}}<extra></extra>",
        }
        for place, (index, name) in enumerate(zip(classes, names, strict=True))
    ]
    layout = {
        "title": {"text": title},
        "showlegend": False,
        "height": 330,
        "margin": {"l": 76, "r": 16, "t": 12, "b": 60},
        "font": {"size": 16, "color": "#131c2e"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "closest",
        "xaxis": {
            "title": {"text": x_title},
            "range": [-0.25, last + 0.25],
            "dtick": max(1, round(last / 12)),
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis": {
            "title": {"text": y_title},
            # The whole of it, always: a class at 3 % is not to look sure of itself.
            "range": [-0.02, 1.02],
            "tickformat": ".0%",
            "nticks": 6,
            "gridcolor": "#d8deea",
            "zerolinecolor": "#b9c2d3",
        },
        "shapes": [
            {
                "type": "line",
                "x0": layer,
                "x1": layer,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": "#131c2e", "width": 2, "dash": "dot"},
                "layer": "below",
            }
        ],
    }
    return {"data": traces, "layout": layout}


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
