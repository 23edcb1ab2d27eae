"""Figures as the front ends take them that draw them, on the page and in files."""

from __future__ import annotations

import dataclasses
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.drawing import FrontEnd, Part, Sheet, draw_sheets
from explorer.errors import ExplorerError
from explorer.esm import bundle
from explorer.files import write_file
from explorer.texts import catalogue

if TYPE_CHECKING:
    from explorer.figures.matrix import Axis, MatrixFigure, Scale, TilesFigure

__all__ = ["axis_state", "matrix_state", "save_figure", "scale_state", "tiles_state"]

_WIDGETS = Path(__file__).parents[1] / "widgets"
_FORMATS = ("png", "svg")


def matrix_state(
    figure: MatrixFigure, drawn: NDArray[np.float32] | None = None, bins: tuple[int, int] = (1, 1)
) -> dict[str, Any]:
    """What ``matrix_view.js`` draws.

    Parameters
    ----------
    figure : MatrixFigure
    drawn, bins
        Fewer values in place of the figure's own, and how many rows and columns share one of them.
    """
    return {
        "shape": figure.values.shape,
        "bins": bins,
        "binning": figure.binning,
        "values": (figure.values if drawn is None else drawn).tobytes(),
        "rows": axis_state(figure.rows),
        "cols": axis_state(figure.cols),
        "scale": scale_state(figure.scale),
        "heading": {"title": figure.title, "caption": figure.caption, "stem": figure.stem},
        "aspect": figure.aspect,
    }


def tiles_state(figure: TilesFigure) -> dict[str, Any]:
    """What ``tiles_view.js`` draws."""
    names = ("title", "caption", "note", "stem", "rows", "cols")
    return {
        "shape": figure.values.shape[:3],
        "values": figure.values.tobytes(),
        "captions": list(figure.captions),
        "columns": figure.columns,
        "scale": None if figure.scale is None else scale_state(figure.scale),
        "heading": {name: getattr(figure, name) for name in names},
    }


def scale_state(scale: Scale) -> dict[str, Any]:
    """A scale as the front ends take it."""
    return dataclasses.asdict(scale)


def save_figure(figure: MatrixFigure | TilesFigure, path: str | os.PathLike[str], *, language: str, width: int) -> Path:
    """Write a figure as PNG or SVG, drawn by the page's own front end in a browser without a window.

    Parameters
    ----------
    figure : MatrixFigure or TilesFigure
    path : path
        Ends in ``.png`` or ``.svg``.
    language : str
        Of what the drawing says itself (that cells stand for several values).
    width : int
        Room in CSS pixels that the drawing is given; a PNG has twice as many.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ExplorerError
        ``figure-format``, ``browser-missing``, ``browser-failed`` or ``file-not-writable``.
    """
    from explorer.figures.matrix import MatrixFigure

    file = Path(path)
    ending = file.suffix.lower().removeprefix(".")
    if ending not in _FORMATS:
        raise ExplorerError("figure-format", file=str(file))
    if isinstance(figure, MatrixFigure):
        entry = "matrix_view.js"
        state = matrix_state(figure) | {"selected_row": -1, "selected_col": -1, "max_size": width, "max_width": 0}
    else:
        entry = "tiles_view.js"
        state = tiles_state(figure) | {"selected": -1, "max_tile": 220}
    words = {key.removeprefix("widgets."): word for key, word in catalogue(language).items()}
    front = FrontEnd(bundle(entry, _WIDGETS), _style(), state | {"labels": words, "language": language})
    body = Part(front, width=width, caption=True)
    sheet = Sheet(
        body=body, width=0, height=0, margin=24, title=figure.title, formats=("png",) if ending == "png" else ("svg",)
    )
    (drawing,) = draw_sheets([sheet], language)
    return write_file(file, drawing.png or drawing.svg.encode("utf-8"))


@cache
def _style() -> str:
    return (_WIDGETS / "figure.css").read_text("utf-8")


def axis_state(axis: Axis) -> dict[str, Any]:
    """An axis as the front ends take it."""
    return {
        "name": axis.name,
        "labels": list(axis.labels),
        "marks": {str(index): text for index, text in axis.marks.items()},
        "first": axis.first,
    }
