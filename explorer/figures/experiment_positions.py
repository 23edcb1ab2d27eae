"""Stage 7, another 𝑬_pos: how large a table is made, how alike its positions are, and what the paper measured."""

from __future__ import annotations

import numpy as np

from explorer.figures.matrix import TilesFigure
from explorer.figures.position import similarity_tiles
from explorer.numerics import Array

__all__ = ["OWN_SIZE", "PAPER", "rms", "similarity_map", "strength_scale", "strengths"]

#: The choice of a table as large as the model's own.
OWN_SIZE = "1"

#: Multiples of that size that can be chosen.
_STRENGTHS = (("0", 0.0), ("0.25", 0.25), ("0.5", 0.5), (OWN_SIZE, 1.0), ("2", 2.0), ("4", 4.0), ("8", 8.0))

#: ViT (Dosovitskiy et al. 2021), Table 8: ViT-B/16, ImageNet, 5-shot linear; trained with each of them.
PAPER = (("none", 0.61382), ("1d", 0.64206), ("2d", 0.64001), ("relative", 0.64032))


def strengths(kind: str, matching: float) -> tuple[tuple[str, str], ...]:
    """Sizes that a table can be given, smallest first.

    Parameters
    ----------
    kind : str
        As for :func:`explorer.experiments.position_intervention`.
    matching : float
        The scale at which the table is as large as the model's own.

    Returns
    -------
    tuple of (value, label)
        Multiples of the own size; for a sinusoidal table also ``slides``, where it is not scaled at all.
    """
    sizes = [(value, number) for value, number in _STRENGTHS]
    if kind in {"sin1d", "sin2d"} and matching != 1.0:
        sizes.append(("slides", 1.0 / matching))
    return tuple((value, f"{number:g}") for value, number in sorted(sizes, key=lambda size: size[1]))


def strength_scale(value: str, matching: float) -> float:
    """What a table is multiplied with for a choice of :func:`strengths`."""
    return 1.0 if value == "slides" else float(value) * matching


def rms(table: Array) -> float:
    """How large a table's numbers typically are: their root mean square."""
    return float(np.sqrt(np.square(table, dtype=np.float64).mean())) if table.size else 0.0


def similarity_map(table: Array, grid: tuple[int, int], *, title: str, label: str, stem: str) -> TilesFigure | None:
    """One tile for a position: how alike every other one is; None for a table of zeros, which has no angles.

    Parameters
    ----------
    table : (N, D) array
        Of the whole grid.
    grid : (rows, cols)
    title, label, stem : str
    """
    if not table.any() or len(table) != grid[0] * grid[1]:
        return None
    return similarity_tiles(table, grid, title=title, label=label, stem=stem)[0]
