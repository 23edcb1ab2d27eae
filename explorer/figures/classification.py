"""Stage 6: from the last layer's tokens to the classes, every step in numbers that can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.figures.matrix import Axis, MatrixFigure, symmetric_scale
from explorer.trace import Trace

__all__ = [
    "ClassScore",
    "ScoreCheck",
    "check_score",
    "margin",
    "pooled_sources",
    "strip_figure",
    "top_classes",
    "vote_of",
]

Floats = NDArray[np.float32] | NDArray[np.float64]


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
    y = arrays.read(trace.z[-1].astype(np.float64))  # type: ignore[arg-type]
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


def strip_figure(
    values: Floats, *, name: str, dims: str, title: str, label: str, stem: str, marks: Sequence[int] = ()
) -> MatrixFigure:
    """A vector as a strip of one row, on its own symmetric scale.

    Parameters
    ----------
    values : (D,) array
    name : str
        What the row is.
    dims : str
        Name of the axis along it.
    title, label, stem : str
        Of the figure, of the colour bar, of the file.
    marks : sequence of int
        Dimensions that are named at the edge.

    Returns
    -------
    MatrixFigure
        (1, D).
    """
    return MatrixFigure(
        values=np.asarray(values, dtype=np.float32)[None, :],
        rows=Axis(name="", labels=(name,)),
        cols=Axis(name=dims, marks={int(place): str(place) for place in marks}),
        scale=symmetric_scale(values, label),
        title=title,
        stem=stem,
        aspect="fill",
        binning="max",
    )
