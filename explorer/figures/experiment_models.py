"""Stage 7, two models: where each looks, in a unit that they share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from explorer.figures.matrix import Scale
from explorer.numerics import Array
from explorer.trace import Trace

__all__ = ["common_scale", "gaze"]


def gaze(trace: Trace, layer: int, head: int) -> Array:
    """Where CLS looks, as a multiple of looking at all tokens equally.

    Parameters
    ----------
    trace : Trace
    layer : int
        Counted from 0.
    head : int
        Counted from 0; -1 is the mean of all heads.

    Returns
    -------
    (N,) array
        Attention of the first prefix token to every patch, times T: 1 is as much as each token would get if all got the
        same. Where a model has no prefix token, the mean over all patches that look.
    """
    attention = trace.blocks[layer].attention
    weights = attention.mean(axis=0) if head < 0 else attention[head]
    query = weights[0] if trace.num_prefix else weights.mean(axis=0)
    values: Array = np.asarray(query[trace.num_prefix :] * trace.num_tokens, dtype=np.float32)
    return values


def common_scale(maps: Iterable[Array], label: str) -> Scale:
    """One scale for several maps, from 0 to the largest of their 99th percentiles."""
    high = max((float(np.percentile(values, 99)) for values in maps if values.size), default=0.0)
    return Scale(low=0.0, high=high if high > 0 else 1.0, label=label)
