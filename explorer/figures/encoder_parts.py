"""What a step of an opened layer is drawn as: strips, arrows, matrices and a curve, without words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.numerics import Array

__all__ = ["Arrow", "Curve", "Matrix", "Part", "Strip"]

Axis = Literal["dimension", "place", "joined", "token", "hidden", "column"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Strip:
    """One vector of the picked token.

    Parameters
    ----------
    array : str
        The array's name in the trace, or in the layer's weights.
    values : (n,) float32 array
    axis : str
        What its entries count: ``dimension`` of the embedding, ``place`` within a head, ``joined``: within
        all heads one after the other, ``token``, ``hidden`` unit,
        or ``column`` of 𝑼_qkv.
    number : str
        The kind of number that is worked out for an entry of this strip, "" for none.
    share : str
        Strips of a step with the same word share a scale.
    pieces : tuple of str
        Names of the equal pieces that it is cut into.
    picked : int
        The piece that is followed; −1 for none.
    """

    array: str
    values: Array
    axis: Axis
    number: str = ""
    share: str = ""
    pieces: tuple[str, ...] = ()
    picked: int = -1


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """What is done between two strips: the key of its words, and their values."""

    key: str
    values: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Matrix:
    """Weights, or what all tokens bring along.

    Parameters
    ----------
    array : str
        Its name.
    values : (rows, cols) array
    rows, cols : str
        What the two sides count, as in :class:`Strip`.
    number, across : str
        The kind of number that is worked out for what is picked here, and the side that it is picked by.
    pieces : tuple of str
        Names of the equal pieces that its columns are cut into.
    """

    array: str
    values: Array
    rows: Axis
    cols: Axis
    number: str = ""
    across: Literal["rows", "cols"] = "cols"
    pieces: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """The activation with this token's values on it.

    Parameters
    ----------
    activation : str
        Its name.
    curve : (2, n) array
        x and y of the line.
    dots : (2, D_mlp) array
        x and y of every hidden unit.
    """

    activation: str
    curve: NDArray[np.float32]
    dots: NDArray[np.float32]


Part = Strip | Arrow | Matrix | Curve
