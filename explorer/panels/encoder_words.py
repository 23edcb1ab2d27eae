"""Sentences, formulas and tables of stage 4 that depend on the model and on today's numbers."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from explorer.figures.encoder_facts import score_spread
from explorer.figures.encoder_worked import Term, Then, Worked
from explorer.formulas import mathml
from explorer.panels.equations import norm_name
from explorer.panels.numbers import difference, signed
from explorer.trace import BlockTrace

if TYPE_CHECKING:
    from explorer.panels.encoder import EncoderPanel

__all__ = [
    "ACTIVATION_NAMES",
    "AXIS_LETTERS",
    "array_symbol",
    "step_facts",
    "step_formulas",
    "step_sentences",
    "subscripts",
    "worked_table",
]

ACTIVATION_NAMES = {
    "gelu": "GELU",
    "gelu_tanh": "GELU (tanh)",
    "quick_gelu": "QuickGELU",
    "silu": "SiLU",
    "relu": "ReLU",
    "sigmoid": "sigmoid",
}
#: The letters that entries are counted by.
AXIS_LETTERS = {"dimension": "d", "place": "i", "joined": "m", "token": "", "hidden": "u", "column": "c"}
_SYMBOLS = {
    "z_in": "zₗ₋₁",
    "norm1-bare": "x̂",
    "norm1-weight": "γ",
    "norm1-bias": "β",
    "norm2-bare": "x̂",
    "norm2-weight": "γ",
    "norm2-bias": "β",
    "qkv": "[q, k, v]",
    "q-raw": "q",
    "k-raw": "k",
    "scores": "s",
    "attention": "A",
    "joined": "[SA₁, …, SAₕ]",
    "attn_norm": "[SA₁, …, SAₕ]",
    "attn_gate": "[SA₁, …, SAₕ]",
    "msa": "MSA",
    "scale1": "λ₁",
    "scale2": "λ₂",
    "msa-scaled": "λ₁ · MSA",
    "z_mid": "z′ₗ",
    "mlp_pre": "x W₁ + b₁",
    "mlp_gate": "x W_gate",
    "mlp_normed": "norm",
    "mlp": "MLP",
    "mlp-scaled": "λ₂ · MLP",
    "z_out": "zₗ",
}
_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
#: The two factors of a product, and the letter of what is summed over.
_FACTORS = {
    "q": (r"\mathrm{LN}(z)_d", r"U_{d,c}", "dimension"),
    "k": (r"\mathrm{LN}(z)_d", r"U_{d,c}", "dimension"),
    "v": (r"\mathrm{LN}(z)_d", r"U_{d,c}", "dimension"),
    "scores": (r"q_i", r"k_{j,i}", "place"),
    "head_outputs": (r"A_j", r"v_{j,i}", "token"),
    "joined": (r"A_j", r"v_{j,i}", "token"),
    "msa": (r"\mathrm{SA}_m", r"U_{m,d}", "joined"),
    "mlp_hidden": (r"\mathrm{LN}(z')_d", r"W_{d,u}", "dimension"),
    "mlp": (r"\mathrm{hidden}_u", r"W_{u,d}", "hidden"),
}


def subscripts(words: str) -> str:
    """Escaped text in which what stands behind an underscore is set lower: ``U_msa``."""
    return re.sub(r"\b([A-Za-z])_([A-Za-z]+)", r"\1<sub>\2</sub>", escape(words))


def array_symbol(array: str, row: BlockTrace, head: int) -> str:
    """What an array is called in the drawings: ``LN(zₗ₋₁)``."""
    if array in {"norm1", "norm2"}:
        kind = getattr(row.arrays, array).kind
        return f"{norm_name(kind)}({'zₗ₋₁' if array == 'norm1' else 'z′ₗ'})"
    if array == "head_outputs":
        return "SA" + str(head + 1).translate(_DIGITS)
    if array == "mlp_hidden":
        name = ACTIVATION_NAMES[row.arrays.mlp.activation]
        return f"{name}(x W₁ + b₁)" if row.arrays.mlp.gate is None else f"{name}(gate) · (x W₁)"
    return _SYMBOLS.get(array, array)


def step_sentences(panel: EncoderPanel, step: str, row: BlockTrace) -> tuple[str, str]:
    """The plain sentence of a step and the precise one, for this model."""
    values: dict[str, float | int | str] = {}
    variant = ""
    if step in {"norm1", "norm2"}:
        norm = getattr(row.arrays, step)
        variant = "-rms" if norm.kind == "rms" else ""
        values = {"eps": _eps(norm.eps)}
    elif step in {"residual1", "residual2"} and row.arrays.layer_scale:
        return panel.say(f"{step}.plain"), panel.say(f"{step}.precise-scale")
    elif step == "mlp":
        mlp = row.arrays.mlp
        variant = "" if mlp.gate is None else "-gated"
        values = {"hidden": mlp.fc1.weight.shape[1], "activation": ACTIVATION_NAMES[mlp.activation]}
    say = panel.say
    return say(f"{step}.plain{variant}", **values), say(f"{step}.precise{variant}", **values)


def step_formulas(step: str, row: BlockTrace) -> tuple[str, ...]:
    """Names of a step's formulas, for this model."""
    arrays = row.arrays
    if step in {"norm1", "norm2"}:
        return (f"encoder-norm-{getattr(arrays, step).kind}",)
    if step in {"residual1", "residual2"}:
        name = "encoder-msa" if step == "residual1" else "encoder-mlp"
        return (f"{name}-scale" if arrays.layer_scale else name,)
    if step == "mlp":
        biased = "" if arrays.mlp.fc1.bias is not None else "-no-bias"
        if arrays.mlp.gate is not None:
            return (f"encoder-hidden-gated{biased}",)
        curve = ("encoder-hidden-gelu",) if arrays.mlp.activation == "gelu" else ()
        return (f"encoder-hidden{biased}", *curve)
    linear = {"qkv": arrays.qkv, "project": arrays.proj}.get(step)
    return (f"encoder-{step}" + ("" if linear is None or linear.bias is not None else "-no-bias"),)


def step_facts(panel: EncoderPanel, step: str, row: BlockTrace, head: int) -> str:
    """Today's numbers in words, as HTML: why √D_h, the row's sum, what most comes from."""
    say, tokens = panel.say, int(row.k.shape[1])
    said: list[str] = []
    if panel.mean_is_chosen and step in {"qkv", "scores", "softmax", "weighted", "concat"}:
        said.append(say("head-mean"))
    if step == "scores":
        spread, width = score_spread(row, head), int(row.q.shape[-1])
        said.append(
            say(
                "why-root",
                size=width,
                tokens=tokens,
                root=f"{width**0.5:.4g}",
                before=f"{spread.before:.3g}",
                after=f"{spread.after:.3g}",
                most_before=f"{spread.most_before:.3f}",
                most_after=f"{spread.most_after:.3f}",
            )
        )
    if step in {"softmax", "weighted"}:
        attention = row.attention[head, 0]
        if step == "softmax":
            total = float(attention.astype(np.float64).sum())
            said.append(say("row-sum", tokens=tokens, total=f"{total:.6f}"))
        # What a token brings is its share times the length of its value.
        brought = attention if step == "softmax" else attention * np.linalg.norm(row.v[head], axis=1)
        brought = brought / (float(brought.sum()) or 1.0)
        best = np.argsort(-brought, kind="stable")[:4].tolist()
        names = [say("most-item", token=_short(panel, token), weight=f"{100 * brought[token]:.1f} %") for token in best]
        key = "most-from" if step == "softmax" else "most-brought"
        said.append(say(key, names=("、" if panel.state.language == "ja" else ", ").join(names)))
        if head in row.trace.intervention.masked_in(row.layer):
            said.append(say("head-off"))
    if step in {"residual1", "residual2"}:
        said.append(say("shared"))
    if step in {"norm1", "residual1"}:
        said.append(say("complete"))
    return "".join(f"<p>{subscripts(sentence)}</p>" for sentence in said)


def worked_table(panel: EncoderPanel, work: Worked) -> str:
    """One number worked out, as an HTML table."""
    say = panel.say
    lines = [_then(panel, line) for line in work.before]
    if work.terms:
        a, b, axis = _FACTORS[work.kind]
        lines.append(
            f"<tr class='vx-head'><th>{escape(say('sum-terms'))}</th><th>{mathml(a)}</th><th></th><th>{mathml(b)}</th>"
            f"<th>{escape(say('sum-value'))}</th></tr>"
        )
        lines += [_term(panel, term, axis) for term in work.terms]
        if work.num_rest:
            lines.append(_line("vx-part", say("sum-rest", count=work.num_rest), signed(work.rest, 4)))
        lines.append(_line("vx-total", say("sum-total", count=work.num_terms), signed(work.total or 0.0, 4)))
    lines += [_then(panel, line) for line in work.then]
    for key, shown in (
        ("sum-result", signed(work.result, 8)),
        ("sum-model", signed(work.model, 8)),
        ("sum-difference", difference(work.result - work.model)),
    ):
        lines.append(_line(f"vx-{key}", say(key), shown))
    return f"<table>{''.join(lines)}</table>"


def _line(name: str, words: str, shown: str) -> str:
    return f"<tr class='{name}'><td colspan='4'>{subscripts(words)}</td><td>{shown}</td></tr>"


def _then(panel: EncoderPanel, line: Then) -> str:
    about: float | int | str = line.about
    if line.key.startswith("divided-"):
        about = _eps(float(about))
    elif isinstance(about, str):
        about = ACTIVATION_NAMES.get(about, about)
    shown = str(int(line.value)) if line.key == "owner" else signed(line.value, 5)
    return _line("vx-part", panel.say(f"then.{line.key}", about=about), shown)


def _term(panel: EncoderPanel, term: Term, axis: str) -> str:
    name = _short(panel, term.index) if axis == "token" else f"{AXIS_LETTERS[axis]} = {term.index}"
    return (
        f"<tr><td>{escape(name)}</td><td>{signed(term.a, 4)}</td><td>×</td><td>{signed(term.b, 4)}</td>"
        f"<td>{signed(term.value, 4)}</td></tr>"
    )


def _short(panel: EncoderPanel, token: int) -> str:
    """A token's name where there is little room."""
    trace = panel.state.trace
    if trace is None or token < trace.num_prefix:
        return panel.token_name(token)
    return panel.say("patch-short", patch=int(trace.patch_index[token - trace.num_prefix]))


def _eps(value: float) -> str:
    return difference(value).replace("1.0 × ", "")
