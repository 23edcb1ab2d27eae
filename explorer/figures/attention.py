"""Stage 5: who looks at whom."""

from __future__ import annotations

import numpy as np

from explorer.numerics import Array
from explorer.trace import Trace

__all__ = ["head_attention"]

#: ``head`` that stands for the mean over a layer's heads.
MEAN = -1


def head_attention(trace: Trace, layer: int, head: int) -> Array:
    """𝑨 of one head, or the mean over the heads.

    Parameters
    ----------
    trace : Trace
    layer, head : int
        Counted from 0; ``head`` −1 is the mean.

    Returns
    -------
    (T, T) array
        Rows are queries, columns are keys.
    """
    block = trace.blocks[layer]
    if head != MEAN:
        return block.attention_head(head)
    total = np.zeros((trace.num_tokens, trace.num_tokens), dtype=np.float32)
    # Head by head: all heads of a model with small patches would not fit into memory together.
    for one in range(len(block.q)):
        total += block.attention_head(one)
    total /= len(block.q)
    return total
