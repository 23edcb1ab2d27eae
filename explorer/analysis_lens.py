"""The logit lens: what a model would answer if its encoder ended after an earlier layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.arrays import ModelArrays, PoolArrays
from explorer.errors import ExplorerError
from explorer.numerics import Array, log_sum_exp
from explorer.trace import Trace

__all__ = ["LensResult", "logit_lens", "token_lens"]

#: So many logits of patch tokens are worked out at a time: those of all tokens and 21,843 classes would take gigabytes.
_CHUNK = 4_000_000


@dataclass(frozen=True, eq=False, kw_only=True)
class LensResult:
    """What the classifier makes of every layer.

    Parameters
    ----------
    logits : (L + 1, K) array
        The model's answer if it read ``z[l]`` in place of ``z[L]``. Row L is the model's own answer.
    favourites : (L + 1, N) int64 array
        For every patch token the class that the head likes best, were that token alone what it reads.
    favourite_probs : (L + 1, N) array
        The probability of that class.
    """

    logits: Array
    favourites: NDArray[np.int64]
    favourite_probs: Array


def logit_lens(trace: Trace) -> LensResult:
    """Read every layer as if it were the last: ``head(LN(z[l]))``.

    Parameters
    ----------
    trace : Trace
        With the model's weights, of a model with a class head.

    Returns
    -------
    LensResult

    Raises
    ------
    ExplorerError
        ``experiment-no-classes``, for a model that names no classes; ``trace-without-weights``.

    Notes
    -----
    Introduced for language models (nostalgebraist 2020). The norm and head were trained for ``z[L]`` alone, so what
    early layers seem to say is to be taken with care.
    """
    arrays = _with_head(trace)
    logits = np.stack([arrays.classify(arrays.read(z)) for z in trace.z])
    favourites = np.empty((len(trace.z), trace.num_patches), dtype=np.int64)
    probs = np.empty(favourites.shape, dtype=np.float32)
    step = max(1, _CHUNK // logits.shape[1])
    for layer, z in enumerate(trace.z):
        for start in range(0, trace.num_patches, step):
            part = slice(start, min(start + step, trace.num_patches))
            values = _alone(arrays, z[trace.num_prefix :][part])
            best = values.argmax(axis=-1)
            favourites[layer, part] = best
            top = np.take_along_axis(values, best[:, None], axis=-1)[:, 0]
            probs[layer, part] = np.exp(top - log_sum_exp(values))
    return LensResult(logits=logits, favourites=favourites, favourite_probs=probs)


def token_lens(trace: Trace, token: int) -> Array:
    """What the head would answer if it read one token alone, after every layer.

    Parameters
    ----------
    trace : Trace
        With the model's weights, of a model with a class head.
    token : int
        Prefix tokens first.

    Returns
    -------
    (L + 1, K) array of logits

    Raises
    ------
    ExplorerError
        ``experiment-no-classes``, for a model that names no classes; ``trace-without-weights``.
    """
    return _alone(_with_head(trace), trace.z[:, token])


def _with_head(trace: Trace) -> ModelArrays:
    if trace.logits is None:
        raise ExplorerError("experiment-no-classes", name=trace.spec.name)
    return trace.arrays


def _alone(arrays: ModelArrays, tokens: Array) -> Array:
    """Logits (n, K) of tokens (n, D) that are each taken for all that there is to read."""
    read = arrays.final_tokens(tokens)
    if arrays.pool is not None:
        read = _pool_alone(arrays.pool, read)
    if arrays.fc_norm is not None:
        read = arrays.fc_norm(read)
    logits: Array = np.mean([head(read) for head in arrays.heads], axis=0)
    return logits


def _pool_alone(pool: PoolArrays, tokens: Array) -> Array:
    """Attention pooling over one token: whoever asks, it has all of the attention."""
    x = tokens if pool.pre_norm is None else pool.pre_norm(tokens)
    if pool.kv is not None:
        x = np.split(pool.kv(x), 2, axis=-1)[1]
    if pool.proj is not None:
        x = pool.proj(x)
    if pool.mlp is not None:
        return x + pool.mlp(x if pool.norm is None else pool.norm(x))
    return x if pool.norm is None else pool.norm(x)
