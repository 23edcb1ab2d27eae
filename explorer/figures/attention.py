"""Stage 5: who looks at whom."""

from __future__ import annotations

import numpy as np

from explorer.figures.matrix import Axis, MatrixFigure, Scale, attention_scale
from explorer.numerics import Array
from explorer.trace import Trace

__all__ = ["attention_figure", "head_attention", "layer_scale"]

#: ``head`` that stands for the mean over a layer's heads.
MEAN = -1
#: For a layer with more weights than these its scale is taken from every so many-th query, in all heads.
_SAMPLED_WEIGHTS = 4_000_000


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


def layer_scale(trace: Trace, layer: int, label: str, *, log: bool = False) -> Scale:
    """The scale that all heads of a layer share (0 to the layer's 99.5th percentile)."""
    block, tokens = trace.blocks[layer], trace.num_tokens
    step = max(1, len(block.q) * tokens * tokens // _SAMPLED_WEIGHTS)
    if step == 1:
        return attention_scale(block.attention, label, log=log)
    rows = np.concatenate([block.attention_rows(query) for query in range(0, tokens, step)])
    return attention_scale(rows, label, log=log)


def attention_figure(
    attention: Array,
    scale: Scale,
    *,
    query: str,
    key: str,
    tokens: list[str],
    num_prefix: int,
    title: str = "",
    caption: str = "",
    stem: str = "attention",
) -> MatrixFigure:
    """A T × T matrix with its sides named and its prefix tokens marked.

    Parameters
    ----------
    attention : (T, T) array
        From :func:`head_attention`.
    scale : Scale
        From :func:`layer_scale`.
    query, key : str
        Names of the sides: rows look, columns are looked at.
    tokens : list of str
        What every token is called.
    num_prefix : int
        R; the first R tokens are marked at the edges.
    title, caption, stem : str
        See :class:`~explorer.figures.matrix.MatrixFigure`.

    Returns
    -------
    MatrixFigure
    """
    marks = {token: tokens[token] for token in range(num_prefix)}
    return MatrixFigure(
        values=attention,
        rows=Axis(name=query, labels=tokens, marks=marks),
        cols=Axis(name=key, labels=tokens, marks=marks),
        scale=scale,
        title=title,
        caption=caption,
        stem=stem,
        binning="max",
    )
