"""Stage 7, two models: where each looks, in a unit that they share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from explorer.experiments.ablations import reading_weights
from explorer.figures.matrix import Scale
from explorer.numerics import Array
from explorer.trace import Trace

__all__ = ["common_scale", "gaze", "has_cls"]


def gaze(trace: Trace, layer: int, head: int) -> Array:
    """Where CLS looks, or what the classifier reads instead, as a multiple of looking at all tokens equally.

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
        Attention of CLS to every patch, times T: 1 is as much as each token would get if all got the same. Where a
        model has no CLS, the mean over the tokens that look, weighted as the classifier weighs them: registers, say,
        which it does not read, do not count.
    """
    block = trace.blocks[layer]
    heads = range(len(block.q)) if head < 0 else (head,)
    if has_cls(trace):
        looks = block.attention_rows(0)[list(heads)]
    else:
        weights = reading_weights(trace)
        # Head by head: all heads of a model with small patches would not fit into memory together.
        looks = np.stack([weights @ block.attention_head(each) for each in heads])
    values: Array = np.asarray(looks.mean(axis=0)[trace.num_prefix :] * trace.num_tokens, dtype=np.float32)
    return values


def has_cls(trace: Trace) -> bool:
    """Whether the first token is CLS; a model may have registers and no CLS."""
    return trace.prefix_names[:1] == ("CLS",)


def common_scale(maps: Iterable[Array], label: str) -> Scale:
    """One scale for several maps, from 0 to the largest of their 99th percentiles."""
    high = max((float(np.percentile(values, 99)) for values in maps if values.size), default=0.0)
    return Scale(low=0.0, high=high if high > 0 else 1.0, label=label)
