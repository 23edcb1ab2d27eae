"""Questions that are asked of a trace's arrays: flows of attention, distances, likeness, leading classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.numerics import Array, softmax
from explorer.positions import cosine_similarity

__all__ = [
    "attention_distance",
    "attention_entropy",
    "cosine_similarity",
    "rank_correlation",
    "ranks",
    "roll_on",
    "rollout",
    "softmax",
    "top_k",
]


def rollout(attentions: Iterable[Array], residual: float = 0.5) -> Array:
    """Attention rollout (Abnar and Zuidema 2020): what reaches a token through all layers.

    Parameters
    ----------
    attentions : iterable of (h, T, T) or (T, T) arrays
        𝑨 of each layer, first to last; heads are averaged.
    residual : float
        Share of a token's new value that comes past the attention, by the residual connection.

    Returns
    -------
    (T, T) array
        Row = token of the last layer, column = token of the first; rows sum to 1.

    Raises
    ------
    ValueError
        Without any layer.
    """
    flow: NDArray[np.float64] | None = None
    for attention in attentions:
        flow = roll_on(flow, attention, residual)
    if flow is None:
        raise ValueError("rollout needs the attention of at least one layer")
    return flow.astype(np.float32)


def roll_on(flow: NDArray[np.float64] | None, attention: Array, residual: float = 0.5) -> NDArray[np.float64]:
    """A rollout, one layer further.

    Parameters
    ----------
    flow : (T, T) array or None
        Up to the layer before; ``None`` before the first.
    attention : (h, T, T) or (T, T) array
        𝑨 of the layer.
    residual : float
        See :func:`rollout`.

    Returns
    -------
    (T, T) float64 array
    """
    mean = np.asarray(attention, dtype=np.float64)
    mean = mean.mean(axis=0) if mean.ndim == 3 else mean
    step = residual * np.eye(len(mean)) + (1.0 - residual) * mean
    return step if flow is None else step @ flow


def attention_distance(
    attention: Array, grid: tuple[int, int], patch_index: Sequence[int] | NDArray[np.int64] | None = None
) -> Array:
    """How far a head looks (ViT paper, Fig. 7 right): the mean distance between a patch and what it looks at.

    Parameters
    ----------
    attention : (h, T, T) array
        𝑨 of one layer. Prefix tokens, which have no place, are left out, and each patch's attention to the other
        patches is taken as its whole.
    grid : (rows, cols)
    patch_index : (N,) ints, optional
        Where each patch token lies, counted row by row; by default all places in order.

    Returns
    -------
    (h,) array
        In patches: 1 is the distance to the patch beside.
    """
    rows, cols = grid
    places = np.arange(rows * cols) if patch_index is None else np.asarray(patch_index)
    y, x = np.divmod(places, cols)
    distance = np.hypot(y[:, None] - y[None, :], x[:, None] - x[None, :])
    start = attention.shape[-1] - len(places)
    among = np.asarray(attention[:, start:, start:], dtype=np.float64)
    seen = among.sum(axis=-1)
    mean = (among * distance).sum(axis=-1) / np.where(seen > 0, seen, 1.0)
    distances: Array = mean.mean(axis=-1).astype(np.float32)
    return distances


def attention_entropy(attention: Array) -> Array:
    """How widely attention is spread, as a number of tokens.

    Parameters
    ----------
    attention : (…, T) array whose rows sum to 1

    Returns
    -------
    (…) array
        The exponential of the entropy: 1 where one token has it all, T where all have the same.
    """
    values = np.asarray(attention, dtype=np.float64)
    logs = np.log(values, out=np.zeros_like(values), where=values > 0)
    entropy: Array = np.exp(-(values * logs).sum(axis=-1)).astype(np.float32)
    return entropy


def top_k(values: Array, count: int) -> tuple[NDArray[np.int64], Array]:
    """The largest values, largest first; of equal ones the first comes first.

    Parameters
    ----------
    values : (K,) array
    count : int
        How many at most.

    Returns
    -------
    indices, values : (min(count, K),) arrays
    """
    order = np.argsort(-values, kind="stable")[: max(count, 0)]
    return order, values[order]


def ranks(values: Array) -> NDArray[np.float64]:
    """Places of values in their order, from 0 for the smallest; equal ones share the mean of their places.

    Parameters
    ----------
    values : (n,) array

    Returns
    -------
    (n,) array
    """
    given = np.asarray(values, dtype=np.float64)
    _, inverse, counts = np.unique(given, return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    places: NDArray[np.float64] = (first + (counts - 1) / 2)[inverse.reshape(given.shape)]
    return places


def rank_correlation(one: Array, other: Array) -> float:
    """Spearman's rank correlation: how far two lists put the same things in the same order.

    Parameters
    ----------
    one, other : arrays of equal size
        Flattened.

    Returns
    -------
    float
        1 for the same order, -1 for the opposite one, about 0 where they have nothing to do with each other; NaN
        where a list has only equal values, and so no order.
    """
    first, second = (ranks(np.ravel(values)) for values in (one, other))
    first, second = first - first.mean(), second - second.mean()
    length = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / length if length > 0 else float("nan")
