"""Experiments *Mask and ablate* and *Where it looked*: blanked photos, effects of patches and heads, ranks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.figures.matrix import Axis, MatrixFigure, Scale, data_scale, symmetric_scale
from explorer.numerics import Array

__all__ = ["agreement", "blanked", "head_figure", "rank_scale"]

#: What a dropped patch is drawn with: paper, and lines across it.
_PAPER, _LINES = 236, 150


def blanked(
    pixels: NDArray[np.uint8],
    grid: tuple[int, int],
    patches: Collection[int],
    how: Literal["mean", "drop"],
    mean: Sequence[float] = (0.5, 0.5, 0.5),
) -> NDArray[np.uint8]:
    """A photo of which some patches are blanked.

    Parameters
    ----------
    pixels : (S, S', 3) uint8 array
        What the grid covers, at any sharpness.
    grid : (rows, cols)
    patches : collection of int
        Counted row by row.
    how : {"mean", "drop"}
        Filled with the mean colour, as the model then sees them; or hatched, as they are not there for it at all.
    mean : three floats
        The colour that the model subtracts, 0 … 1.

    Returns
    -------
    (S, S', 3) uint8 array
    """
    rows, cols = grid
    height, width = pixels.shape[:2]
    gone = np.zeros(rows * cols, dtype=bool)
    gone[list(patches)] = True
    row_of = np.minimum(np.arange(height) * rows // height, rows - 1)
    col_of = np.minimum(np.arange(width) * cols // width, cols - 1)
    blank = gone.reshape(rows, cols)[row_of[:, None], col_of[None, :]]
    if how == "mean":
        fill = np.broadcast_to(np.round(np.asarray(mean) * 255), pixels.shape)
    else:
        step = max(6, min(height // rows, width // cols) // 3)
        lines = (np.arange(height)[:, None] + np.arange(width)[None, :]) % step < max(1, step // 8)
        fill = np.where(lines, _LINES, _PAPER)[..., None]
    return np.where(blank[..., None], fill, pixels).astype(np.uint8)


def head_figure(
    values: Array,
    *,
    rows: Axis,
    cols: Axis,
    signed: bool,
    label: str,
    title: str,
    caption: str = "",
    stem: str,
) -> MatrixFigure:
    """A value for every head of every layer.

    Parameters
    ----------
    values : (L, h) array
    rows, cols : Axis
        Layers and heads.
    signed : bool
        Coloured from the largest magnitude below 0 to the same above; else from 0 to the largest.
    label, title, caption, stem : str
        As in :class:`~explorer.figures.MatrixFigure`.

    Returns
    -------
    MatrixFigure
    """
    scale = symmetric_scale(values, label) if signed else data_scale(values, label)
    return MatrixFigure(
        values=values, rows=rows, cols=cols, scale=scale, title=title, caption=caption, stem=stem, aspect="equal"
    )


def rank_scale(label: str = "") -> Scale:
    """From the patch that matters least (0) to the one that matters most (1)."""
    return Scale(low=0.0, high=1.0, label=label)


def agreement(correlation: float) -> Literal["none", "weak", "middling", "strong", "against"]:
    """A rank correlation in a word that the catalogues have.

    Parameters
    ----------
    correlation : float
        −1 … 1; nan where one side is the same everywhere.

    Returns
    -------
    str
        The borders (0.3, 0.6, and −0.3) are a convention and nothing more.
    """
    if not np.isfinite(correlation):
        return "none"
    if correlation <= -0.3:
        return "against"
    if correlation < 0.3:
        return "weak"
    return "middling" if correlation < 0.6 else "strong"
