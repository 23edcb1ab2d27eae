"""Stage 6: from the last layer's tokens to the classes, every step in numbers that can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.figures.matrix import symmetric_scale
from explorer.trace import Trace

__all__ = [
    "ClassScore",
    "ScoreCheck",
    "StripsFigure",
    "check_score",
    "margin",
    "pooled_sources",
    "strips_figure",
    "top_classes",
    "vote_of",
]


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """One class in the model's answer.

    Parameters
    ----------
    index : int
        Its number, 0 … K − 1.
    rank : int
        0 for the winner.
    logit, prob : float
    """

    index: int
    rank: int
    logit: float
    prob: float


@dataclass(frozen=True, kw_only=True)
class ScoreCheck:
    """One class worked out from the last layer, in float64, beside what the model says.

    Parameters
    ----------
    index : int
        The class.
    votes : tuple of float
        The logit of every head (two in a distilled model).
    logit, prob : float
        Recomputed from ``z[L]`` and the weights.
    model_logit, model_prob : float
        The model's own.
    """

    index: int
    votes: tuple[float, ...]
    logit: float
    prob: float
    model_logit: float
    model_prob: float


@dataclass(frozen=True, eq=False, kw_only=True)
class StripsFigure:
    """Vectors of one length, one strip each, dimension below dimension.

    Parameters
    ----------
    values : (n, D) float32 array
    names, titles : tuple of str
        What each vector is called in the readout, and above its strip.
    reaches : tuple of float
        The magnitude that takes the end colour of each strip.
    title, caption, stem : str
        Of the figure and of saved pictures.
    axis : str
        What the dimensions are called.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...]
    titles: tuple[str, ...]
    reaches: tuple[float, ...]
    title: str
    caption: str
    axis: str
    stem: str


def top_classes(trace: Trace, count: int = 5) -> tuple[ClassScore, ...]:
    """The classes with the largest probabilities.

    Parameters
    ----------
    trace : Trace
    count : int
        How many; fewer where the model knows fewer.

    Returns
    -------
    tuple of ClassScore
        Empty for a model without a class head.
    """
    logits, probs = trace.logits, trace.probs
    if logits is None or probs is None:
        return ()
    # By logits: they tell classes apart whose probabilities are both 0 in float32.
    order = np.argsort(-logits, kind="stable")[:count]
    return tuple(
        ClassScore(index=int(index), rank=rank, logit=float(logits[index]), prob=float(probs[index]))
        for rank, index in enumerate(order)
    )


def margin(trace: Trace) -> float | None:
    """How far the winner is ahead of the runner-up, in probability; None without two classes."""
    best = top_classes(trace, 2)
    return best[0].prob - best[1].prob if len(best) == 2 else None


def pooled_sources(trace: Trace) -> NDArray[np.float32]:
    """What is taken out of the last layer, before the norms.

    Parameters
    ----------
    trace : Trace

    Returns
    -------
    (heads, D) array
        The row of CLS (and of the distillation token) in ``z[L]``; for a model that pools, what it pools them to.
    """
    if trace.spec.distilled:
        return trace.z[-1, :2]
    if trace.spec.pooling == "token":
        return trace.z[-1, :1]
    return trace.arrays.pool_tokens(trace.final_tokens)


def check_score(trace: Trace, index: int) -> ScoreCheck:
    """Work a class out again from ``z[L]``, in float64.

    Parameters
    ----------
    trace : Trace
        Of a model with a class head.
    index : int
        The class.

    Returns
    -------
    ScoreCheck
    """
    if trace.logits is None or trace.probs is None:
        raise ValueError("a model without a class head has no classes to check")
    arrays = trace.arrays
    y = arrays.read(trace.z[-1].astype(np.float64))
    votes = np.stack([head(vector) for head, vector in zip(arrays.heads, y, strict=True)]).astype(np.float64)
    logits = votes.mean(axis=0)
    shifted = np.exp(logits - logits.max())
    return ScoreCheck(
        index=index,
        votes=tuple(float(vote) for vote in votes[:, index]),
        logit=float(logits[index]),
        prob=float(shifted[index] / shifted.sum()),
        model_logit=float(trace.logits[index]),
        model_prob=float(trace.probs[index]),
    )


def vote_of(trace: Trace, index: int, head: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """How one head comes to its logit for a class.

    Parameters
    ----------
    trace : Trace
    index : int
        The class.
    head : int
        0, or 1 for a distilled model's second.

    Returns
    -------
    column : (D,) array
        The class's column of the head's weight.
    terms : (D,) array
        ``y * column``: their sum and the bias are the logit.
    bias : float
    """
    weights = trace.arrays.heads[head]
    column = weights.weight[:, index]
    bias = 0.0 if weights.bias is None else float(weights.bias[index])
    return column, trace.y[head] * column, bias


def strips_figure(
    vectors: Sequence[tuple[str, str, NDArray[np.float32]]], *, title: str, caption: str, axis: str, stem: str
) -> StripsFigure:
    """Vectors of one length under each other, each on its own symmetric scale.

    Parameters
    ----------
    vectors : sequence of (str, str, (D,) array)
        Symbol, title and values.
    title, caption, axis, stem : str
        As in :class:`StripsFigure`.

    Returns
    -------
    StripsFigure
    """
    names, titles, rows = zip(*vectors, strict=True)
    values = np.stack(rows).astype(np.float32)
    values.flags.writeable = False
    return StripsFigure(
        values=values,
        names=names,
        titles=titles,
        reaches=tuple(symmetric_scale(row).high for row in values),
        title=title,
        caption=caption,
        axis=axis,
        stem=stem,
    )
