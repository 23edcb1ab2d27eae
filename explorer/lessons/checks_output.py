"""Checks of lessons 6 and 7: the MLP and the residuals, the classification and a new head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.lessons.check import Check
from explorer.lessons.checks_encoder import bare, without_bias
from explorer.numerics import ACTIVATIONS, erf, softmax

if TYPE_CHECKING:
    from explorer.arrays import LinearArrays
    from explorer.lessons.session import Lesson
    from explorer.trace import BlockTrace

__all__ = ["GROUPS", "MLP_LAYER", "OUTPUT_CHECKS"]

#: The layer of lesson 6; counted from 0.
MLP_LAYER = 1
#: The photos of lesson 7 in two classes of one's own: 0 is alive, 1 is not.
GROUPS: Mapping[str, int] = {"chelsea": 0, "goldfish": 0, "raccoon": 0, "moose": 0, "coffee": 1, "rocket": 1}


# -- lesson 6 ------------------------------------------------------------------------------------------------------


def _layer(lesson: Lesson) -> BlockTrace:
    return lesson.trace.blocks[MLP_LAYER]


def _lengths(lesson: Lesson, part: str) -> Any:
    """(L, T): how long the vectors are in every layer."""
    return np.stack([np.linalg.norm(getattr(block, part), axis=-1) for block in lesson.trace.blocks])


_MLP = {
    "mlp.middle": Check(
        "array",
        lambda lesson: _layer(lesson).z_mid,
        {
            "no-residual": lambda lesson: _layer(lesson).msa,
            "normalised-residual": lambda lesson: _layer(lesson).norm1 + _layer(lesson).msa,
            "subtracted": lambda lesson: _layer(lesson).z_in - _layer(lesson).msa,
            "layer-output": lambda lesson: _layer(lesson).z_out,
        },
    ),
    "mlp.before": Check(
        "array",
        lambda lesson: _layer(lesson).mlp_pre,
        {
            "no-bias": lambda lesson: without_bias(_layer(lesson).arrays.mlp.fc1, _layer(lesson).norm2),
            "not-normalised": lambda lesson: _layer(lesson).arrays.mlp.fc1(_layer(lesson).z_mid),
            "first-norm": lambda lesson: _layer(lesson).arrays.mlp.fc1(_layer(lesson).norm1),
            "activated-already": lambda lesson: _layer(lesson).mlp_hidden,
        },
    ),
    "mlp.hidden": Check(
        "array",
        lambda lesson: _layer(lesson).mlp_hidden,
        {
            "tanh-gelu": lambda lesson: ACTIVATIONS["gelu_tanh"](_layer(lesson).mlp_pre),
            "relu": lambda lesson: ACTIVATIONS["relu"](_layer(lesson).mlp_pre),
            "silu": lambda lesson: ACTIVATIONS["silu"](_layer(lesson).mlp_pre),
            "only-phi": lambda lesson: (1 + erf(_layer(lesson).mlp_pre * np.float32(0.5**0.5))) / 2,
            "no-root-two": lambda lesson: _layer(lesson).mlp_pre * (1 + erf(_layer(lesson).mlp_pre)) / 2,
            "no-half": lambda lesson: 2 * _layer(lesson).mlp_hidden,
        },
        # The approximation by tanh is within half a thousandth; it has to stay apart.
        tolerance=2e-5,
    ),
    "mlp.output": Check(
        "array",
        lambda lesson: _layer(lesson).z_out,
        {
            "slide-25": lambda lesson: _layer(lesson).z_in + _layer(lesson).mlp,
            "no-residual": lambda lesson: _layer(lesson).mlp,
            "normalised-residual": lambda lesson: _layer(lesson).norm2 + _layer(lesson).mlp,
            "no-bias": lambda lesson: (
                _layer(lesson).z_mid + without_bias(_layer(lesson).arrays.mlp.fc2, _layer(lesson).mlp_hidden)
            ),
            "not-activated": lambda lesson: (
                _layer(lesson).z_mid + _layer(lesson).arrays.mlp.fc2(_layer(lesson).mlp_pre)
            ),
        },
    ),
    "mlp.parameters": Check(
        "number",
        lambda lesson: _parameters(lesson, bias=True),
        {
            "no-bias": lambda lesson: _parameters(lesson, bias=False),
            "one-matrix": lambda lesson: _layer(lesson).arrays.mlp.fc1.weight.size,
            "all-layers": lambda lesson: _parameters(lesson, bias=True) * lesson.trace.spec.depth,
        },
    ),
    "mlp.lengths": Check(
        "array",
        lambda lesson: _lengths(lesson, "mlp")[:, 0],
        {
            "msa-not-mlp": lambda lesson: _lengths(lesson, "msa")[:, 0],
            "all-tokens": lambda lesson: _lengths(lesson, "mlp").mean(axis=1),
            "length-of-sum": lambda lesson: _lengths(lesson, "z_out")[:, 0],
            "squares": lambda lesson: np.square(_lengths(lesson, "mlp")[:, 0]),
        },
    ),
}


def _parameters(lesson: Lesson, *, bias: bool) -> int:
    mlp = _layer(lesson).arrays.mlp
    weights = mlp.fc1.weight.size + mlp.fc2.weight.size
    return weights + sum(layer.bias.size for layer in (mlp.fc1, mlp.fc2) if bias and layer.bias is not None)


# -- lesson 7 ------------------------------------------------------------------------------------------------------


def _head(lesson: Lesson) -> LinearArrays:
    return lesson.trace.arrays.heads[0]


def _logits(lesson: Lesson) -> Any:
    return lesson.trace.output.astype(np.float64)


def _last_norm(lesson: Lesson) -> Any:
    """The layer norm before the head, which the lessons' model has."""
    return lesson.trace.arrays.norm


def _divided_by_variance(lesson: Lesson) -> Any:
    """(D,): CLS, with its variance where its spread belongs."""
    cls, norm = lesson.trace.z[-1, 0], _last_norm(lesson)
    return (cls - cls.mean()) / (cls.var() + 1e-6) * norm.weight + norm.bias


def _vectors(lesson: Lesson) -> Any:
    """(n, D): what the head reads of each of the photos."""
    return np.stack([lesson.run(sample=sample).y[0] for sample in GROUPS]).astype(np.float64)


def _slope() -> Any:
    """(n, 2): how far the probabilities of a new head are from what they ought to be."""
    return np.full((len(GROUPS), 2), 0.5) - np.eye(2)[list(GROUPS.values())]


def _column(lesson: Lesson) -> Any:
    """(D,): the head's weights for the class that the model answers."""
    return _head(lesson).weight[:, int(lesson.trace.output.argmax())]


_CLASSIFICATION = {
    "classification.y": Check(
        "array",
        lambda lesson: lesson.trace.y[0],
        {
            "not-normalised": lambda lesson: lesson.trace.z[-1, 0],
            "last-token": lambda lesson: lesson.trace.final_tokens[-1],
            "mean-of-tokens": lambda lesson: lesson.trace.final_tokens.mean(axis=0),
            "no-gamma-beta": lambda lesson: bare(lesson.trace.z[-1, 0]),
            "no-beta": lambda lesson: bare(lesson.trace.z[-1, 0]) * _last_norm(lesson).weight,
            "variance-not-root": _divided_by_variance,
            "all-tokens-kept": lambda lesson: lesson.trace.final_tokens,
        },
    ),
    "classification.logits": Check(
        "array",
        lambda lesson: lesson.trace.output,
        {
            "no-bias": lambda lesson: without_bias(_head(lesson), lesson.trace.y[0]),
            "not-normalised": lambda lesson: _head(lesson)(lesson.trace.z[-1, 0]),
        },
    ),
    "classification.probs": Check(
        "array",
        lambda lesson: softmax(_logits(lesson)),
        {
            "no-softmax": _logits,
            "not-divided": lambda lesson: np.exp(_logits(lesson)),
            "largest-taken-off": lambda lesson: np.exp(_logits(lesson) - _logits(lesson).max()),
            "no-exponential": lambda lesson: _logits(lesson) / _logits(lesson).sum(),
            "sigmoid": lambda lesson: 1 / (1 + np.exp(-_logits(lesson))),
        },
    ),
    "classification.start": Check(
        "array",
        lambda lesson: np.full((len(GROUPS), 2), 0.5),
        {
            "no-softmax": lambda lesson: np.zeros((len(GROUPS), 2)),
            "not-divided": lambda lesson: np.ones((len(GROUPS), 2)),
            "softmax-photos": lambda lesson: np.full((len(GROUPS), 2), 1 / len(GROUPS)),
        },
    ),
    "classification.gradient": Check(
        "array",
        lambda lesson: _vectors(lesson).T @ _slope() / len(GROUPS),
        {
            "not-averaged": lambda lesson: _vectors(lesson).T @ _slope(),
            "wrong-sign": lambda lesson: -_vectors(lesson).T @ _slope() / len(GROUPS),
            "no-target": lambda lesson: _vectors(lesson).T @ np.full((len(GROUPS), 2), 0.5) / len(GROUPS),
        },
    ),
    "classification.parameters": Check(
        "number",
        lambda lesson: lesson.trace.spec.dim * 2 + 2,
        {
            "no-bias": lambda lesson: lesson.trace.spec.dim * 2,
            "old-head": lambda lesson: _head(lesson).weight.size + lesson.trace.spec.num_classes,
        },
    ),
    "classification.terms": Check(
        "array",
        lambda lesson: lesson.trace.y[0] * _column(lesson),
        {
            "y-alone": lambda lesson: lesson.trace.y[0],
            "weights-alone": _column,
            "not-normalised": lambda lesson: lesson.trace.z[-1, 0] * _column(lesson),
            "all-classes": lambda lesson: lesson.trace.y[0][:, None] * _head(lesson).weight,
        },
    ),
}

OUTPUT_CHECKS: Mapping[str, Check] = {**_MLP, **_CLASSIFICATION}
