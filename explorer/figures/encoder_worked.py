"""One number of each step of a layer, worked out in float64 beside the trace's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explorer.arrays import LinearArrays, NormArrays
from explorer.figures.encoder import joined_heads, project_input, raw_qkv
from explorer.trace import BlockTrace

__all__ = ["NUMBERS", "Term", "Then", "Worked", "activation64", "count_of", "worked_number"]

#: Step to the kinds of numbers that can be worked out in it.
NUMBERS: Mapping[str, tuple[str, ...]] = {
    "norm1": ("norm1",),
    "qkv": ("q", "k", "v"),
    "scores": ("scores",),
    "softmax": ("attention",),
    "weighted": ("head_outputs",),
    "concat": ("joined",),
    "project": ("msa",),
    "residual1": ("z_mid",),
    "norm2": ("norm2",),
    "mlp": ("mlp_hidden", "mlp"),
    "residual2": ("z_out",),
}


@dataclass(frozen=True, kw_only=True)
class Term:
    """One product of a sum: ``a · b``."""

    index: int
    a: float
    b: float
    value: float


@dataclass(frozen=True, kw_only=True)
class Then:
    """A line of the calculation that is no product: the key of its words, its value, and what the words name."""

    key: str
    value: float
    about: int | float | str = 0


@dataclass(frozen=True, kw_only=True)
class Worked:
    """One number, worked out.

    Parameters
    ----------
    kind, index
        Which number it is.
    before : tuple of Then
        Lines in front of the sum.
    terms : tuple of Term
        The terms furthest from 0, the largest first; none where the number is no sum of products.
    num_rest : int
        How many terms are not among them.
    rest : float
        Their sum.
    total : float or None
        The sum of all terms; None without terms.
    then : tuple of Then
        What follows the sum.
    result : float
        In float64.
    model : float
        The trace's own (float32).
    """

    kind: str
    index: int
    before: tuple[Then, ...] = ()
    terms: tuple[Term, ...] = ()
    num_rest: int = 0
    rest: float = 0.0
    total: float | None = None
    then: tuple[Then, ...] = ()
    result: float
    model: float

    @property
    def num_terms(self) -> int:
        """How many products are summed."""
        return len(self.terms) + self.num_rest


Vector = NDArray[np.float64]


def count_of(kind: str, row: BlockTrace) -> int:
    """How many numbers of a kind there are."""
    if kind in {"scores", "attention"}:
        return int(row.k.shape[1])
    if kind in {"q", "k", "v", "head_outputs"}:
        return int(row.q.shape[-1])
    if kind == "mlp_hidden":
        return int(row.arrays.mlp.fc1.weight.shape[1])
    if kind == "joined":
        return int(row.arrays.proj.weight.shape[0])
    return int(row.z_in.shape[1])


def activation64(name: str, x: float) -> float:
    """An activation in double precision; ``explorer.numerics`` has them in single."""
    if name == "gelu":
        return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))
    if name == "gelu_tanh":
        return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    if name == "relu":
        return max(x, 0.0)
    slope = 1.702 if name == "quick_gelu" else 1.0
    sigmoid = 0.5 * (1 + math.tanh(0.5 * slope * x))
    return sigmoid if name == "sigmoid" else x * sigmoid


def worked_number(kind: str, row: BlockTrace, head: int, index: int, *, largest: int = 4) -> Worked:
    """Work out one number of a step, from the step's input as the trace has it.

    Parameters
    ----------
    kind : str
        One of those in :data:`NUMBERS`.
    row : BlockTrace
        Of one token; see :func:`explorer.figures.encoder.open_layer`.
    head : int
        The head that is followed.
    index : int
        Which of them, 0 … ``count_of(kind, row) - 1``.
    largest : int
        How many terms of a sum are given one by one.

    Returns
    -------
    Worked
    """
    return _WORK[kind](kind, row, head, index, largest)


def _wide(values: NDArray[np.float32]) -> Vector:
    return values.astype(np.float64)


def _sum(a: Vector, b: Vector, largest: int) -> tuple[tuple[Term, ...], int, float, float]:
    values = a * b
    # A stable sort, so that of equal terms the first is shown.
    order = np.argsort(-np.abs(values), kind="stable")[:largest]
    terms = tuple(
        Term(index=int(place), a=float(a[place]), b=float(b[place]), value=float(values[place])) for place in order
    )
    others = np.ones(len(values), dtype=bool)
    others[order] = False
    return terms, int(others.sum()), float(values[others].sum()), float(values.sum())


def _bias(weights: LinearArrays, index: int) -> float | None:
    return None if weights.bias is None else float(weights.bias[index])


def _linear(
    kind: str, index: int, x: NDArray[np.float32], weights: LinearArrays, model: float, largest: int, *, off: bool
) -> Worked:
    terms, count, rest, total = _sum(_wide(x), _wide(weights.weight[:, index]), largest)
    result, then = total, []
    bias = _bias(weights, index)
    if bias is not None:
        then.append(Then(key="bias", value=bias))
        result += bias
    if off:
        then.append(Then(key="off", value=0.0))
        result = 0.0
    return Worked(
        kind=kind,
        index=index,
        terms=terms,
        num_rest=count,
        rest=rest,
        total=total,
        then=tuple(then),
        result=result,
        model=model,
    )


def _norm(kind: str, norm: NormArrays, x: NDArray[np.float32], index: int, model: float) -> Worked:
    wide = _wide(x)
    mean = float(wide.mean()) if norm.kind == "layer" else 0.0
    root = math.sqrt(float(((wide - mean) ** 2).mean()) + norm.eps)
    result = (float(wide[index]) - mean) / root
    lines = [Then(key="x", value=float(wide[index]))]
    if norm.kind == "layer":
        lines.append(Then(key="minus-mean", value=mean))
    lines += [Then(key=f"divided-{norm.kind}", value=root, about=norm.eps), Then(key="normalised", value=result)]
    if norm.weight is not None:
        lines.append(Then(key="times-gamma", value=float(norm.weight[index])))
        result *= float(norm.weight[index])
    if norm.bias is not None:
        lines.append(Then(key="plus-beta", value=float(norm.bias[index])))
        result += float(norm.bias[index])
    return Worked(kind=kind, index=index, then=tuple(lines), result=result, model=model)


def _norm1(kind: str, row: BlockTrace, _head: int, index: int, _largest: int) -> Worked:
    return _norm(kind, row.arrays.norm1, row.z_in[0], index, float(row.norm1[0, index]))


def _norm2(kind: str, row: BlockTrace, _head: int, index: int, _largest: int) -> Worked:
    return _norm(kind, row.arrays.norm2, row.z_mid[0], index, float(row.norm2[0, index]))


def _qkv(kind: str, row: BlockTrace, head: int, index: int, largest: int) -> Worked:
    weights, size = row.arrays, row.q.shape[-1]
    third = "qkv".index(kind)
    start = (third * weights.heads + head) * size
    norm = {"q": weights.q_norm, "k": weights.k_norm}.get(kind)
    if kind == "q":
        model = float(row.q[head, 0, index])
    else:
        cut = raw_qkv(row)[0, start : start + size]
        model = float((cut if norm is None else norm(cut))[index])
    work = _linear(kind, index + start, row.norm1[0], weights.qkv, model, largest, off=False)
    then, result = list(work.then), work.result
    if norm is not None:
        columns = slice(start, start + size)
        vector = _wide(row.norm1[0]) @ _wide(weights.qkv.weight[:, columns])
        if weights.qkv.bias is not None:
            vector = vector + weights.qkv.bias[columns]
        result = float(norm(vector)[index])  # type: ignore[arg-type]
        then.append(Then(key=f"qk-norm-{norm.kind}", value=result, about=size))
    return replace(work, index=index, then=tuple(then), result=result)


def _scores(kind: str, row: BlockTrace, head: int, index: int, largest: int) -> Worked:
    terms, count, rest, total = _sum(_wide(row.q[head, 0]), _wide(row.k[head, index]), largest)
    size = row.q.shape[-1]
    return Worked(
        kind=kind,
        index=index,
        terms=terms,
        num_rest=count,
        rest=rest,
        total=total,
        then=(Then(key="root", value=math.sqrt(size), about=size),),
        result=total / math.sqrt(size),
        model=float(row.scores[head, 0, index]),
    )


def _attention64(row: BlockTrace, head: int) -> tuple[Vector, Vector]:
    """Scores and weights of one token, from q and k."""
    scores = _wide(row.k[head]) @ _wide(row.q[head, 0]) / math.sqrt(row.q.shape[-1])
    weights = np.exp(scores - scores.max())
    return scores, weights / weights.sum()


def _softmax(kind: str, row: BlockTrace, head: int, index: int, _largest: int) -> Worked:
    scores, weights = _attention64(row, head)
    top = float(scores.max())
    own, total = math.exp(scores[index] - top), float(np.exp(scores - top).sum())
    lines = (
        Then(key="score", value=float(scores[index])),
        Then(key="largest-score", value=top),
        Then(key="exp", value=own),
        Then(key="exp-sum", value=total, about=len(scores)),
        Then(key="row-sum", value=float(weights.sum()), about=len(scores)),
    )
    return Worked(kind=kind, index=index, then=lines, result=own / total, model=float(row.attention[head, 0, index]))


def _weighted(kind: str, row: BlockTrace, head: int, index: int, largest: int) -> Worked:
    _, weights = _attention64(row, head)
    terms, count, rest, total = _sum(weights, _wide(row.v[head, :, index]), largest)
    off = head in row.trace.intervention.masked_in(row.layer)
    return Worked(
        kind=kind,
        index=index,
        terms=terms,
        num_rest=count,
        rest=rest,
        total=total,
        then=(Then(key="off", value=0.0),) if off else (),
        result=0.0 if off else total,
        model=float(row.head_outputs[head, 0, index]),
    )


def _joined(kind: str, row: BlockTrace, _head: int, index: int, largest: int) -> Worked:
    size = row.v.shape[-1]
    owner, place = divmod(index, size)
    work = _weighted(kind, row, owner, place, largest)
    before = (Then(key="owner", value=owner + 1, about=place),)
    return replace(work, index=index, before=before, model=float(joined_heads(row)[0, index]))


def _msa(kind: str, row: BlockTrace, _head: int, index: int, largest: int) -> Worked:
    off = row.layer in row.trace.intervention.msa_off
    model = float(row.msa[0, index])
    return _linear(kind, index, project_input(row)[0], row.arrays.proj, model, largest, off=off)


def _added(
    kind: str,
    index: int,
    scaled: bool,
    given: NDArray[np.float32],
    branch: NDArray[np.float32],
    scale: NDArray[np.float32],
    model: float,
) -> Worked:
    x, added, factor = float(given[index]), float(branch[index]), float(scale[index])
    lines = [Then(key="given", value=x), Then(key="added", value=added)]
    if scaled:
        lines.append(Then(key="times-scale", value=factor))
    return Worked(kind=kind, index=index, then=tuple(lines), result=x + factor * added, model=model)


def _z_mid(kind: str, row: BlockTrace, _head: int, index: int, _largest: int) -> Worked:
    scaled, model = row.arrays.layer_scale, float(row.z_mid[0, index])
    return _added(kind, index, scaled, row.z_in[0], row.msa[0], row.scale1, model)


def _z_out(kind: str, row: BlockTrace, _head: int, index: int, _largest: int) -> Worked:
    scaled, model = row.arrays.layer_scale, float(row.z_out[0, index])
    return _added(kind, index, scaled, row.z_mid[0], row.mlp[0], row.scale2, model)


def _mlp_hidden(kind: str, row: BlockTrace, _head: int, index: int, largest: int) -> Worked:
    mlp, x = row.arrays.mlp, row.norm2[0]
    model = float(row.mlp_hidden[0, index])
    work = _linear(kind, index, x, mlp.fc1, model, largest, off=False)
    then = list(work.then)
    if mlp.gate is None:
        result = activation64(mlp.activation, work.result)
        then += [Then(key="pre", value=work.result), Then(key="activation", value=result, about=mlp.activation)]
    else:
        gate = float(_wide(x) @ _wide(mlp.gate.weight[:, index])) + (_bias(mlp.gate, index) or 0.0)
        opened = activation64(mlp.activation, gate)
        result = work.result * opened
        then += [
            Then(key="pre", value=work.result),
            Then(key="gate", value=gate),
            Then(key="gate-activation", value=opened, about=mlp.activation),
        ]
    return replace(work, index=index, then=tuple(then), result=result)


def _mlp(kind: str, row: BlockTrace, _head: int, index: int, largest: int) -> Worked:
    mlp, hidden = row.arrays.mlp, row.mlp_hidden[0]
    off = row.layer in row.trace.intervention.mlp_off
    given = hidden if mlp.norm is None else mlp.norm(hidden)
    return _linear(kind, index, given, mlp.fc2, float(row.mlp[0, index]), largest, off=off)


_WORK: Mapping[str, Callable[[str, BlockTrace, int, int, int], Worked]] = {
    "norm1": _norm1,
    "q": _qkv,
    "k": _qkv,
    "v": _qkv,
    "scores": _scores,
    "attention": _softmax,
    "head_outputs": _weighted,
    "joined": _joined,
    "msa": _msa,
    "z_mid": _z_mid,
    "norm2": _norm2,
    "mlp_hidden": _mlp_hidden,
    "mlp": _mlp,
    "z_out": _z_out,
}
