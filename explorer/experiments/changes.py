"""Changes of a run as :class:`~explorer.interventions.Intervention`, made from what a reader chooses. No torch."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from explorer.arrays import ModelArrays
from explorer.errors import ExplorerError
from explorer.interventions import Intervention
from explorer.numerics import Array
from explorer.positions import sinusoidal_table
from explorer.trace import Trace

__all__ = ["PositionKind", "matching_scale", "position_intervention", "position_table"]

#: What 𝑬_pos can be swapped for: the model's own, none, the tables of slides 14 and 16, its own rows shuffled.
PositionKind = Literal["own", "none", "sin1d", "sin2d", "shuffled"]


def position_table(model: Trace | ModelArrays, kind: PositionKind, seed: int = 0) -> Array | None:
    """A table of position embeddings for a model's grid, not scaled.

    Parameters
    ----------
    model : Trace or ModelArrays
    kind : {'own', 'none', 'sin1d', 'sin2d', 'shuffled'}
    seed : int
        Of the shuffle.

    Returns
    -------
    (R + N, D) array for ``own`` and ``shuffled`` (where the prefix keeps its rows), (N, D) for the sinusoidal ones,
    None for ``none``

    Raises
    ------
    ExplorerError
        ``experiment-sinusoidal``, if D cannot be divided into sines and cosines.
    """
    if kind not in get_args(PositionKind):
        raise ValueError(f"there are no positions of the kind {kind!r}")
    arrays = model.arrays if isinstance(model, Trace) else model
    own, start, dim = arrays.pos_embed, arrays.spec.num_prefix, arrays.spec.dim
    if kind == "none":
        return None
    if kind == "own":
        return own
    if kind == "shuffled":
        order = np.random.default_rng(seed).permutation(len(own) - start)
        table: Array = np.concatenate([own[:start], own[start:][order]])
        return table
    rows, cols = arrays.grid
    if dim % (2 if kind == "sin1d" else 4):
        raise ExplorerError("experiment-sinusoidal", dim=dim)
    return sinusoidal_table(kind, rows, cols, dim)


def position_intervention(
    model: Trace | ModelArrays, kind: PositionKind, scale: float = 1.0, seed: int = 0
) -> Intervention:
    """The change that swaps 𝑬_pos for another table, scaled.

    Parameters
    ----------
    model : Trace or ModelArrays
    kind : {'own', 'none', 'sin1d', 'sin2d', 'shuffled'}
    scale : float
        What the table is multiplied with.
    seed : int
        Of the shuffle.

    Returns
    -------
    Intervention
        None that changes anything for ``own`` at scale 1.
    """
    table = position_table(model, kind, seed)
    if kind == "own" and scale == 1.0:
        return Intervention()
    return Intervention(pos_embed=None if table is None else table * np.float32(scale))


def matching_scale(model: Trace | ModelArrays, kind: PositionKind, seed: int = 0) -> float:
    """The scale at which a table's numbers are as large as those of the model's own 𝑬_pos (root mean square).

    A learned 𝑬_pos is often some fifty times smaller than a sinusoidal one, to which the layers are not used.
    1 where there is nothing to match.
    """
    table = position_table(model, kind, seed)
    arrays = model.arrays if isinstance(model, Trace) else model
    own = arrays.pos_embed[arrays.spec.num_prefix :]
    if table is None or kind in {"own", "shuffled"} or not own.any():
        return 1.0
    return float(np.sqrt(np.square(own).mean() / np.square(table).mean()))
