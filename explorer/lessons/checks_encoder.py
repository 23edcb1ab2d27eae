"""Checks of lessons 4 and 5: layer norm, self-attention, the heads and MSA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.arrays import join_heads
from explorer.lessons.check import Check
from explorer.numerics import softmax

if TYPE_CHECKING:
    from explorer.arrays import LinearArrays
    from explorer.lessons.session import Lesson
    from explorer.trace import BlockTrace

__all__ = ["ENCODER_CHECKS", "HEAD", "LAYER", "bare", "without_bias"]

#: The layer and the head that are opened; counted from 0.
LAYER, HEAD = 3, 2


def _block(lesson: Lesson) -> BlockTrace:
    return lesson.trace.blocks[LAYER]


def bare(x: Any, axis: int | None = -1, ddof: int = 0) -> Any:
    """Mean 0 and spread 1, without γ and β."""
    x = np.asarray(x, np.float64)
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True, ddof=ddof) + 1e-6)


def _divided(lesson: Lesson, power: float) -> Any:
    """(T, D): the tokens without their mean, divided by a power of their variance."""
    z = _block(lesson).z_in
    return (z - z.mean(-1, keepdims=True)) / (z.var(-1, keepdims=True) + 1e-6) ** power


def _affine(lesson: Lesson, x: Any) -> Any:
    norm = _block(lesson).arrays.norm1
    return x * norm.weight + norm.bias


def without_bias(layer: LinearArrays, x: Any) -> Any:
    """What a layer gives when its bias is forgotten."""
    return x @ layer.weight


# -- lesson 4 ------------------------------------------------------------------------------------------------------


def _columns(lesson: Lesson, start: int) -> Any:
    """(T, D_h): columns of all queries, keys and values."""
    block = _block(lesson)
    return block.arrays.qkv(block.norm1)[:, start : start + lesson.trace.spec.head_dim]


def _raw(lesson: Lesson) -> Any:
    """(T, T): 𝒒𝒌ᵀ of the lesson's head, not divided."""
    block = _block(lesson)
    return block.q[HEAD] @ block.k[HEAD].T


def _lined_up_with_columns(lesson: Lesson) -> Any:
    """(T, T): exponentials, each divided by the sum of the row that has its column's number."""
    exponentials = np.exp(_block(lesson).scores[HEAD].astype(np.float64))
    return exponentials / exponentials.sum(axis=1)


def _spread(lesson: Lesson) -> float:
    """Entropy of what CLS looks at, in nats."""
    row = _block(lesson).attention[HEAD, 0].astype(np.float64)
    return float(-(row * np.log(row)).sum())


_ATTENTION = {
    "attention.norm": Check(
        "array",
        lambda lesson: _block(lesson).norm1,
        {
            "over-tokens": lambda lesson: _affine(lesson, bare(_block(lesson).z_in, axis=0)),
            "no-gamma-beta": lambda lesson: bare(_block(lesson).z_in),
            "no-beta": lambda lesson: bare(_block(lesson).z_in) * _block(lesson).arrays.norm1.weight,
            "n-minus-one": lambda lesson: _affine(lesson, bare(_block(lesson).z_in, ddof=1)),
            "variance-not-root": lambda lesson: _affine(lesson, _divided(lesson, 1.0)),
            "root-of-spread": lambda lesson: _affine(lesson, _divided(lesson, 0.25)),
            "beta-inside": lambda lesson: (
                (bare(_block(lesson).z_in) + _block(lesson).arrays.norm1.bias) * _block(lesson).arrays.norm1.weight
            ),
            "over-everything": lambda lesson: _affine(lesson, bare(_block(lesson).z_in, axis=None)),
        },
    ),
    "attention.query": Check(
        "array",
        lambda lesson: _block(lesson).q[HEAD],
        {
            "no-bias": lambda lesson: without_bias(_block(lesson).arrays.qkv, _block(lesson).norm1)[
                :, HEAD * lesson.trace.spec.head_dim : (HEAD + 1) * lesson.trace.spec.head_dim
            ],
            "key-not-query": lambda lesson: _block(lesson).k[HEAD],
            "value-not-query": lambda lesson: _block(lesson).v[HEAD],
            "slide-22-order": lambda lesson: _columns(lesson, 3 * HEAD * lesson.trace.spec.head_dim),
            "head-from-one": lambda lesson: _block(lesson).q[HEAD - 1],
            "head-after": lambda lesson: _block(lesson).q[HEAD + 1],
            "not-normalised": lambda lesson: _block(lesson).arrays.qkv(_block(lesson).z_in)[
                :, HEAD * lesson.trace.spec.head_dim : (HEAD + 1) * lesson.trace.spec.head_dim
            ],
        },
    ),
    "attention.scores": Check(
        "array",
        lambda lesson: _block(lesson).scores[HEAD],
        {
            "no-root": _raw,
            "not-the-root": lambda lesson: _raw(lesson) / lesson.trace.spec.head_dim,
            "root-of-d": lambda lesson: _raw(lesson) / np.sqrt(lesson.trace.spec.dim),
            "query-and-key": lambda lesson: _block(lesson).scores[HEAD].T,
            "query-with-query": lambda lesson: (
                _block(lesson).q[HEAD] @ _block(lesson).q[HEAD].T / np.sqrt(lesson.trace.spec.head_dim)
            ),
        },
    ),
    "attention.weights": Check(
        "array",
        lambda lesson: _block(lesson).attention[HEAD],
        {
            "softmax-axis": lambda lesson: softmax(_block(lesson).scores[HEAD], axis=0),
            "softmax-all": lambda lesson: softmax(_block(lesson).scores[HEAD].reshape(1, -1)).reshape(
                _block(lesson).scores[HEAD].shape
            ),
            "no-keepdims": _lined_up_with_columns,
            "no-root": lambda lesson: softmax(_raw(lesson)),
            "no-softmax": lambda lesson: _block(lesson).scores[HEAD],
            "not-divided": lambda lesson: np.exp(_block(lesson).scores[HEAD]),
            "largest-taken-off": lambda lesson: np.exp(
                _block(lesson).scores[HEAD] - _block(lesson).scores[HEAD].max(-1, keepdims=True)
            ),
        },
    ),
    "attention.output": Check(
        "array",
        lambda lesson: _block(lesson).head_outputs[HEAD],
        {
            "a-transposed": lambda lesson: _block(lesson).attention[HEAD].T @ _block(lesson).v[HEAD],
            "softmax-axis": lambda lesson: softmax(_block(lesson).scores[HEAD], axis=0) @ _block(lesson).v[HEAD],
            "no-softmax": lambda lesson: _block(lesson).scores[HEAD] @ _block(lesson).v[HEAD],
            "key-not-value": lambda lesson: _block(lesson).attention[HEAD] @ _block(lesson).k[HEAD],
            "query-not-value": lambda lesson: _block(lesson).attention[HEAD] @ _block(lesson).q[HEAD],
        },
    ),
    "attention.strongest": Check(
        "index",
        lambda lesson: int(_block(lesson).attention[HEAD, 0].argmax()),
        {
            "seen-by": lambda lesson: int(_block(lesson).attention[HEAD, :, 0].argmax()),
            "patch-number": lambda lesson: int(_block(lesson).attention[HEAD, 0].argmax()) - 1,
        },
    ),
    "attention.spread": Check(
        "number",
        lambda lesson: float(np.exp(_spread(lesson))),
        {
            "entropy-itself": _spread,
            "entropy-bits": lambda lesson: _spread(lesson) / np.log(2),
            "no-minus": lambda lesson: float(np.exp(-_spread(lesson))),
        },
        tolerance=1e-3,
    ),
}


# -- lesson 5 ------------------------------------------------------------------------------------------------------


def _flat_queries(lesson: Lesson) -> Any:
    """(T, D): the queries of all heads beside each other."""
    return join_heads(_block(lesson).q)


def _rows_of_head(lesson: Lesson, head: int = HEAD) -> slice:
    size = lesson.trace.spec.head_dim
    return slice(head * size, (head + 1) * size)


def _proj_bias(lesson: Lesson) -> Any:
    """(D,): the bias behind 𝑼_msa."""
    return _block(lesson).arrays.proj.bias


def _share(lesson: Lesson, head: int = HEAD) -> Any:
    """(T, D): what one head adds to MSA."""
    block = _block(lesson)
    return block.head_outputs[head] @ block.arrays.proj.weight[_rows_of_head(lesson, head)]


_HEADS = {
    "heads.split": Check(
        "array",
        lambda lesson: _block(lesson).q,
        {
            "no-transpose": lambda lesson: _flat_queries(lesson).reshape(_block(lesson).q.shape),
            "tokens-first": lambda lesson: _block(lesson).q.transpose(1, 0, 2),
            "every-hth": lambda lesson: (
                _flat_queries(lesson)
                .reshape(lesson.trace.num_tokens, lesson.trace.spec.head_dim, lesson.trace.spec.heads)
                .transpose(2, 0, 1)
            ),
        },
    ),
    "heads.attention": Check(
        "array",
        lambda lesson: _block(lesson).attention,
        {
            "no-root": lambda lesson: softmax(_block(lesson).q @ _block(lesson).k.transpose(0, 2, 1)),
            "softmax-axis": lambda lesson: softmax(_block(lesson).scores, axis=-2),
            "softmax-heads": lambda lesson: softmax(_block(lesson).scores, axis=0),
            "root-of-d": lambda lesson: softmax(
                _block(lesson).scores * np.sqrt(lesson.trace.spec.head_dim / lesson.trace.spec.dim)
            ),
            "not-divided": lambda lesson: np.exp(_block(lesson).scores),
            "no-softmax": lambda lesson: _block(lesson).scores,
        },
    ),
    "heads.joined": Check(
        "array",
        lambda lesson: join_heads(_block(lesson).head_outputs),
        {
            "no-transpose": lambda lesson: _block(lesson).head_outputs.reshape(_block(lesson).z_in.shape),
            "heads-take-turns": lambda lesson: (
                _block(lesson).head_outputs.transpose(1, 2, 0).reshape(_block(lesson).z_in.shape)
            ),
            "added-up": lambda lesson: _block(lesson).head_outputs.sum(axis=0),
        },
    ),
    "heads.msa": Check(
        "array",
        lambda lesson: _block(lesson).msa,
        {
            "no-bias": lambda lesson: without_bias(_block(lesson).arrays.proj, join_heads(_block(lesson).head_outputs)),
            "u-transposed": lambda lesson: (
                join_heads(_block(lesson).head_outputs) @ _block(lesson).arrays.proj.weight.T + _proj_bias(lesson)
            ),
            "with-residual": lambda lesson: _block(lesson).z_mid,
        },
    ),
    "heads.share": Check(
        "array",
        _share,
        {
            "with-bias": lambda lesson: _share(lesson) + _proj_bias(lesson),
            "head-from-one": lambda lesson: _share(lesson, HEAD - 1),
            "columns-of-u": lambda lesson: (
                _block(lesson).head_outputs[HEAD] @ _block(lesson).arrays.proj.weight[:, _rows_of_head(lesson)].T
            ),
        },
    ),
    "heads.self": Check(
        "index",
        lambda lesson: int(lesson.trace.blocks[-1].attention[:, 0, 0].argmax()),
        {
            "not-the-last-layer": lambda lesson: int(_block(lesson).attention[:, 0, 0].argmax()),
            "from-one": lambda lesson: int(lesson.trace.blocks[-1].attention[:, 0, 0].argmax()) + 1,
        },
    ),
}

ENCODER_CHECKS: Mapping[str, Check] = {**_ATTENTION, **_HEADS}
