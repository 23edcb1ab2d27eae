"""One layer of the encoder, opened for one token: slides 19 to 25, step by step.

A step is a column of *parts*: strips (vectors of this token), arrows (what is done), matrices (weights, or the keys
and values of all tokens) and the curve of the activation. Which words stand at them is the panel's affair.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from explorer.arrays import LinearArrays, NormArrays, join_heads
from explorer.figures.encoder_parts import Arrow, Curve, Matrix, Part, Strip
from explorer.figures.matrix import Scale
from explorer.numerics import ACTIVATIONS, Array
from explorer.trace import BlockTrace, Trace

__all__ = [
    "STEPS",
    "joined_heads",
    "open_layer",
    "project_input",
    "raw_qkv",
    "rows_of",
    "step_parts",
    "strip_scales",
]

#: The steps of a layer, in their order.
STEPS = (
    "norm1",
    "qkv",
    "scores",
    "softmax",
    "weighted",
    "concat",
    "project",
    "residual1",
    "norm2",
    "mlp",
    "residual2",
)
#: Values beyond this percentile take the end colour: a few dimensions of a trained ViT are many times the others.
_PERCENTILE = 98.0


def rows_of(trace: Trace, tokens: NDArray[np.int64] | list[int]) -> Trace:
    """The same run, but with some tokens only as those who look: what is worked out of it are rows of the whole.

    Keys and values are still those of all tokens, so that attention is what it was.
    """
    return replace(trace, z=trace.z[:, tokens], q=trace.q[:, :, tokens])


def open_layer(trace: Trace, layer: int, token: int) -> BlockTrace:
    """One layer for one token.

    Parameters
    ----------
    trace : Trace
    layer, token : int

    Returns
    -------
    BlockTrace
        Whose arrays have one row, that of the token: ``norm1`` is (1, D), ``attention`` (h, 1, T).
    """
    return BlockTrace(rows_of(trace, [token]), layer)


def joined_heads(row: BlockTrace) -> Array:
    """(1, h · D_h): all heads' 𝑨𝒗, one after the other."""
    return join_heads(row.head_outputs)


def project_input(row: BlockTrace) -> Array:
    """(1, h · D_h): what 𝑼_msa is given: the joined heads, in some models normalised, or gated."""
    weights, joined = row.arrays, joined_heads(row)
    if weights.attn_norm is not None:
        joined = weights.attn_norm(joined)
    if weights.attn_gate is not None:
        joined = joined * ACTIVATIONS["sigmoid"](weights.attn_gate(row.norm1))
    return joined


def raw_qkv(row: BlockTrace) -> Array:
    """(1, 3 · h · D_h): LN(𝒛) times 𝑼_qkv, plus its bias, before any q/k norm."""
    return row.arrays.qkv(row.norm1)


# -- the steps ---------------------------------------------------------------------------------------------------------


def step_parts(step: str, row: BlockTrace, head: int) -> tuple[Part, ...]:
    """What a step shows.

    Parameters
    ----------
    step : str
        One of :data:`STEPS`.
    row : BlockTrace
        Of one token; see :func:`open_layer`.
    head : int
        The head that is followed.

    Returns
    -------
    tuple of Part
        From the step's input down to its output.
    """
    return _PARTS[step](row, head)


def _norm(norm: NormArrays, x: Array, given: str, name: str) -> tuple[Part, ...]:
    wide = x.astype(np.float64)
    mean = float(wide.mean()) if norm.kind == "layer" else 0.0
    spread = float(np.sqrt(((wide - mean) ** 2).mean()))
    bare = replace(norm, weight=None, bias=None)(x)
    parts: list[Part] = [
        Strip(array=given, values=x, axis="dimension", number=name),
        Arrow(key=f"normalise-{norm.kind}", values={"mean": mean, "spread": spread, "eps": norm.eps}),
        Strip(array=f"{name}-bare", values=bare, axis="dimension", number=name),
    ]
    if norm.weight is not None:
        parts += [Arrow(key="gamma"), Strip(array=f"{name}-weight", values=norm.weight, axis="dimension", number=name)]
    if norm.bias is not None:
        parts += [Arrow(key="beta"), Strip(array=f"{name}-bias", values=norm.bias, axis="dimension", number=name)]
    return (*parts, Arrow(key="gives"), Strip(array=name, values=norm(x), axis="dimension", number=name))


def _linear(key: str, weights: LinearArrays) -> Arrow:
    rows, cols = weights.weight.shape
    return Arrow(key=key if weights.bias is not None else f"{key}-no-bias", values={"rows": rows, "cols": cols})


def _norm1(row: BlockTrace, _head: int) -> tuple[Part, ...]:
    return _norm(row.arrays.norm1, row.z_in[0], "z_in", "norm1")


def _qkv(row: BlockTrace, head: int) -> tuple[Part, ...]:
    weights, heads = row.arrays, row.arrays.heads
    pieces = tuple(f"{letter}{n + 1}" for letter in "qkv" for n in range(heads))
    raw = raw_qkv(row)[0]
    normed = {"q": weights.q_norm, "k": weights.k_norm}
    cut = dict(zip("qkv", raw.reshape(3, heads, -1)[:, head], strict=True))
    parts: list[Part] = [
        Strip(array="norm1", values=row.norm1[0], axis="dimension"),
        _linear("times-qkv", weights.qkv),
        Matrix(array="qkv", values=weights.qkv.weight, rows="dimension", cols="column", number="column", pieces=pieces),
        Strip(array="qkv", values=raw, axis="column", number="column", pieces=pieces, picked=head),
        Arrow(key="cut", values={"head": head + 1, "heads": heads, "size": row.q.shape[-1]}),
    ]
    for letter, values in cut.items():
        norm = normed.get(letter)
        if norm is not None:
            parts += [
                Strip(array=f"{letter}-raw", values=values, axis="place", number=letter),
                Arrow(key=f"qk-norm-{norm.kind}"),
            ]
        after = row.q[head, 0] if letter == "q" else values if norm is None else norm(values)
        parts.append(Strip(array=letter, values=after, axis="place", number=letter))
    return tuple(parts)


def _scores(row: BlockTrace, head: int) -> tuple[Part, ...]:
    return (
        Strip(array="q", values=row.q[head, 0], axis="place"),
        Arrow(key="times-keys", values={"tokens": row.k.shape[1]}),
        Matrix(array="k", values=row.k[head], rows="token", cols="place", number="scores", across="rows"),
        Arrow(key="divide", values={"size": row.q.shape[-1], "root": row.q.shape[-1] ** 0.5}),
        Strip(array="scores", values=row.scores[head, 0], axis="token", number="scores"),
    )


def _softmax(row: BlockTrace, head: int) -> tuple[Part, ...]:
    attention = row.attention[head, 0]
    total = float(attention.astype(np.float64).sum())
    return (
        Strip(array="scores", values=row.scores[head, 0], axis="token", number="attention"),
        Arrow(key="softmax", values={"tokens": len(attention), "total": total}),
        Strip(array="attention", values=attention, axis="token", number="attention"),
    )


def _weighted(row: BlockTrace, head: int) -> tuple[Part, ...]:
    return (
        Strip(array="attention", values=row.attention[head, 0], axis="token"),
        Arrow(key="times-values", values={"tokens": row.v.shape[1]}),
        Matrix(array="v", values=row.v[head], rows="token", cols="place", number="head_outputs"),
        Arrow(key="weighted-sum"),
        Strip(array="head_outputs", values=row.head_outputs[head, 0], axis="place", number="head_outputs"),
    )


def _concat(row: BlockTrace, head: int) -> tuple[Part, ...]:
    outputs = row.head_outputs[:, 0]
    pieces = tuple(f"SA{n + 1}" for n in range(len(outputs)))
    return (
        Strip(array="head_outputs", values=outputs[head], axis="place", share="heads"),
        Arrow(key="join", values={"heads": len(outputs), "size": outputs.shape[1]}),
        Strip(
            array="joined",
            values=joined_heads(row)[0],
            axis="joined",
            number="joined",
            share="heads",
            pieces=pieces,
            picked=head,
        ),
    )


def _project(row: BlockTrace, _head: int) -> tuple[Part, ...]:
    weights, joined = row.arrays, joined_heads(row)
    parts: list[Part] = [Strip(array="joined", values=joined[0], axis="joined")]
    if weights.attn_norm is not None:
        joined = weights.attn_norm(joined)
        parts += [Arrow(key="attn-norm"), Strip(array="attn_norm", values=joined[0], axis="joined")]
    if weights.attn_gate is not None:
        parts += [Arrow(key="attn-gate"), Strip(array="attn_gate", values=project_input(row)[0], axis="joined")]
    parts += [
        _linear("times-msa", weights.proj),
        Matrix(array="proj", values=weights.proj.weight, rows="joined", cols="dimension", number="msa"),
    ]
    if row.layer in row.trace.intervention.msa_off:
        parts.append(Arrow(key="off"))
    return (*parts, Strip(array="msa", values=row.msa[0], axis="dimension", number="msa"))


def _residual(row: BlockTrace, given: str, branch: str, scale: Array, name: str) -> tuple[Part, ...]:
    added: Array = getattr(row, branch)[0]
    common = {"axis": "dimension", "number": name}
    parts: list[Part] = [Strip(array=given, values=getattr(row, given)[0], share="residual", **common)]  # type: ignore[arg-type]
    parts += [Arrow(key="plus"), Strip(array=branch, values=added, share="residual", **common)]  # type: ignore[arg-type]
    if row.arrays.layer_scale:
        parts += [
            Arrow(key="layer-scale"),
            Strip(array=name.replace("z_mid", "scale1").replace("z_out", "scale2"), values=scale, **common),  # type: ignore[arg-type]
            Arrow(key="gives"),
            Strip(array=f"{branch}-scaled", values=scale * added, share="residual", **common),  # type: ignore[arg-type]
        ]
    return (*parts, Arrow(key="gives"), Strip(array=name, values=getattr(row, name)[0], share="residual", **common))  # type: ignore[arg-type]


def _residual1(row: BlockTrace, _head: int) -> tuple[Part, ...]:
    return _residual(row, "z_in", "msa", row.scale1, "z_mid")


def _norm2(row: BlockTrace, _head: int) -> tuple[Part, ...]:
    return _norm(row.arrays.norm2, row.z_mid[0], "z_mid", "norm2")


def _mlp(row: BlockTrace, _head: int) -> tuple[Part, ...]:
    mlp = row.arrays.mlp
    pre, gate, hidden = row.mlp_pre[0], row.mlp_gate, row.mlp_hidden[0]
    parts: list[Part] = [
        Strip(array="norm2", values=row.norm2[0], axis="dimension"),
        _linear("times-fc1", mlp.fc1),
        Matrix(array="fc1", values=mlp.fc1.weight, rows="dimension", cols="hidden", number="mlp_hidden"),
        Strip(array="mlp_pre", values=pre, axis="hidden", number="mlp_hidden"),
    ]
    if mlp.gate is not None and gate is not None:
        parts += [
            _linear("times-gate", mlp.gate),
            Matrix(array="gate", values=mlp.gate.weight, rows="dimension", cols="hidden", number="mlp_hidden"),
            Strip(array="mlp_gate", values=gate[0], axis="hidden", number="mlp_hidden"),
        ]
    parts += [
        Arrow(key="activate" if gate is None else "activate-gate", values={"activation": mlp.activation}),
        activation_curve(mlp.activation, pre if gate is None else gate[0]),
        Strip(array="mlp_hidden", values=hidden, axis="hidden", number="mlp_hidden"),
    ]
    if mlp.norm is not None:
        parts += [
            Arrow(key="mlp-norm"),
            Strip(array="mlp_normed", values=mlp.norm(hidden), axis="hidden", number="mlp_hidden"),
        ]
    parts += [
        _linear("times-fc2", mlp.fc2),
        Matrix(array="fc2", values=mlp.fc2.weight, rows="hidden", cols="dimension", number="mlp"),
    ]
    if row.layer in row.trace.intervention.mlp_off:
        parts.append(Arrow(key="off"))
    return (*parts, Strip(array="mlp", values=row.mlp[0], axis="dimension", number="mlp"))


def _residual2(row: BlockTrace, _head: int) -> tuple[Part, ...]:
    return _residual(row, "z_mid", "mlp", row.scale2, "z_out")


_PARTS = {
    "norm1": _norm1,
    "qkv": _qkv,
    "scores": _scores,
    "softmax": _softmax,
    "weighted": _weighted,
    "concat": _concat,
    "project": _project,
    "residual1": _residual1,
    "norm2": _norm2,
    "mlp": _mlp,
    "residual2": _residual2,
}


def activation_curve(name: str, values: Array) -> Curve:
    """An activation as a line, and where one token's hidden units lie on it."""
    activation = ACTIVATIONS[name]
    reach = max(3.0, float(np.abs(values).max()) * 1.05)
    x = np.linspace(-reach, reach, 241, dtype=np.float32)
    return Curve(
        activation=name, curve=np.stack([x, activation(x)]), dots=np.stack([values, activation(values)]).astype("f4")
    )


def strip_scales(parts: tuple[Part, ...]) -> dict[str, Scale]:
    """The scale of every strip of a step, by its array's name.

    Parameters
    ----------
    parts : tuple of Part

    Returns
    -------
    dict of str to Scale
        Attention from 0 to its largest weight; all else from as far below 0 as above. Values beyond the 98th
        percentile take the end's colour. Strips that share a scale are measured together.
    """
    strips = [part for part in parts if isinstance(part, Strip)]
    scales: dict[str, Scale] = {}
    for strip in strips:
        if strip.array == "attention":
            scales[strip.array] = Scale(low=0.0, high=float(strip.values.max()) or 1.0)
            continue
        together = [other.values for other in strips if other is strip or (strip.share and other.share == strip.share)]
        sizes = np.abs(np.concatenate(together))
        reach = float(np.percentile(sizes, _PERCENTILE)) or float(sizes.max()) or 1.0
        scales[strip.array] = Scale(low=-reach, high=reach, colormap="diverging")
    return scales
