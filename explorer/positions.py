"""Position embeddings: the sinusoidal tables of slides 14 and 16, and how alike positions are.

timm's own two-dimensional table orders its columns otherwise (all sines, then all cosines); these follow the
slides to the letter: sine and cosine interleaved, the column ``x`` in the first half and the row ``y`` in the
second. No prefix token gets a row.
"""

from __future__ import annotations

import operator
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = ["SinusoidalKind", "cosine_similarity", "sinusoidal_1d", "sinusoidal_2d", "sinusoidal_table"]

#: The tables of slides 14 and 16.
SinusoidalKind = Literal["sin1d", "sin2d"]

#: The slides' constant: wavelengths run from 2π to 10000 · 2π.
BASE = 10000.0


def sinusoidal_1d(num_positions: int, dim: int) -> NDArray[np.float32]:
    """Position embeddings of slide 14: one wave a pair of columns, over the patch's number.

    ``PE[x, 2i] = sin(x / 10000^(2i/D))`` and ``PE[x, 2i+1] = cos(x / 10000^(2i/D))``.

    Parameters
    ----------
    num_positions : int
        N, the number of patches; 0 gives an empty table.
    dim : int
        D, the embedding size; even and positive.

    Returns
    -------
    (N, D) float32 array

    Raises
    ------
    ValueError
        If the count is negative, or `dim` is odd, zero or negative.
    TypeError
        If one of them is no whole number.
    """
    _check_count("num_positions", num_positions)
    _check_dim(dim, 2, "a sine and a cosine")
    return _waves(np.arange(num_positions), dim).astype(np.float32)


def sinusoidal_2d(rows: int, cols: int, dim: int) -> NDArray[np.float32]:
    """Position embeddings of slide 16: the column's waves in the first half, the row's in the second.

    For column ``x`` and row ``y``: ``PE[., 2i] = sin(x / 10000^(4i/D))``, ``PE[., 2i+1] = cos(x / 10000^(4i/D))``,
    and the same of ``y`` in columns ``D/2 + 2i`` and ``D/2 + 2i + 1``.

    Parameters
    ----------
    rows, cols : int
        The grid of patches; patches are counted row by row. 0 gives an empty table.
    dim : int
        D, the embedding size; positive and divisible by 4.

    Returns
    -------
    (rows * cols, D) float32 array

    Raises
    ------
    ValueError
        If a count is negative, or `dim` is zero, negative or not divisible by 4.
    """
    _check_count("rows", rows)
    _check_count("cols", cols)
    _check_dim(dim, 4, "a sine and a cosine of the column and of the row")
    half = dim // 2
    table = np.empty((rows, cols, dim), dtype=np.float64)
    table[:, :, :half] = _waves(np.arange(cols), half)[None, :, :]
    table[:, :, half:] = _waves(np.arange(rows), half)[:, None, :]
    return table.reshape(rows * cols, dim).astype(np.float32)


def sinusoidal_table(kind: str, rows: int, cols: int, dim: int) -> NDArray[np.float32]:
    """One of the two tables for a grid of patches.

    Parameters
    ----------
    kind : {'sin1d', 'sin2d'}
        Slide 14, with the patches counted row by row, or slide 16.
    rows, cols : int
        Size of the grid.
    dim : int
        Embedding size 𝐷.

    Returns
    -------
    (rows * cols, dim) float32 array

    Raises
    ------
    ValueError
        As those two; and if there is no table of that kind.
    """
    if kind not in get_args(SinusoidalKind):
        raise ValueError(f"there is no sinusoidal table of the kind {kind!r}")
    return sinusoidal_1d(rows * cols, dim) if kind == "sin1d" else sinusoidal_2d(rows, cols, dim)


def cosine_similarity(table: NDArray[np.floating], query: int | None = None) -> NDArray[np.float32]:
    """Cosine of the angle between the rows of a table.

    Parameters
    ----------
    table : (N, D) array
        One vector a row. The angle to a row of zeros is undefined; its similarity is given as 0.
    query : int, optional
        Compare every row to this one only; negative counts from the end.

    Returns
    -------
    (N,) float32 array if `query` is given, else (N, N)
        In [-1, 1].

    Raises
    ------
    ValueError
        If `table` is not two-dimensional.
    IndexError
        If there is no row `query`.
    """
    if table.ndim != 2:
        raise ValueError(f"a table of vectors has two dimensions, not {table.ndim}")
    values = np.asarray(table, dtype=np.float64)
    # Scaled by the largest entry first, so that squares of tiny values do not vanish.
    largest = np.abs(values).max(axis=1, keepdims=True, initial=0.0)
    values = values / np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    unit = values / np.where(length > 0, length, 1.0)
    similarity = unit @ unit.T if query is None else unit @ unit[query]
    return np.clip(similarity, -1.0, 1.0).astype(np.float32)


def _waves(positions: NDArray[np.integer], dim: int) -> NDArray[np.float64]:
    exponent = np.arange(0, dim, 2, dtype=np.float64) / dim
    angle = positions.astype(np.float64)[:, None] / BASE ** exponent[None, :]
    waves = np.empty((len(positions), dim), dtype=np.float64)
    waves[:, 0::2] = np.sin(angle)
    waves[:, 1::2] = np.cos(angle)
    return waves


def _check_count(name: str, count: int) -> None:
    if operator.index(count) < 0:
        raise ValueError(f"{name} must not be negative, but is {count}")


def _check_dim(dim: int, divisor: int, reason: str) -> None:
    if operator.index(dim) <= 0 or dim % divisor:
        raise ValueError(f"dim must be positive and divisible by {divisor} ({reason}), but is {dim}")
