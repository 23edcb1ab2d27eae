"""The formulas of the stages, typeset as MathML, which a browser draws without a script or a network.

Written in LaTeX, in the slides' symbols; where a slide slips, the right formula stands here and the stage's
footnote says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from latex2mathml.converter import convert

__all__ = ["FORMULAS", "formula", "mathml", "shape_mathml"]

#: What stands on top of the patches in 𝒛₀: CLS, and what other models have in its place.
_PREFIXES = {
    "": r"\boldsymbol{x}_{class};\;",
    "-distilled": r"\boldsymbol{x}_{class};\; \boldsymbol{x}_{dist};\;",
    "-registers": r"\boldsymbol{x}_{class};\; \boldsymbol{x}_{reg}^1;\; \dots;\; \boldsymbol{x}_{reg}^{R-1};\;",
    "-registers-only": r"\boldsymbol{x}_{reg}^1;\; \dots;\; \boldsymbol{x}_{reg}^{R};\;",
    "-none": "",
}


def _tokens(prefix: str, *, embedded: bool, normed: bool) -> str:
    first, last = (rf"\boldsymbol{{x}}_p^{n} \boldsymbol{{E}}" for n in ("1", "N"))
    if embedded:
        first, last = (rf"\mathrm{{LN}}( {patch} )" for patch in (first, last))
    total = rf"[\, {prefix} {first};\; \dots;\; {last} \,] + \boldsymbol{{E}}_{{pos}}"
    return r"\boldsymbol{z}_0 = " + (rf"\mathrm{{LN}}( {total} )" if normed else total)


#: Name of a formula to its LaTeX.
FORMULAS: Mapping[str, str] = {
    "num-patches": r"N = \frac{H W}{P^2}",
    "patch": r"\boldsymbol{x} \in \mathbb{R}^{H \times W \times C} \;\to\;"
    r" \boldsymbol{x}_p^n \in \mathbb{R}^{P^2 C}",
    "normalise": r"x_{p,\,i}^n = \frac{x / 255 - \text{mean}}{\text{std}}",
    "embedding": r"\boldsymbol{x}_p^n \boldsymbol{E} + \boldsymbol{b}",
    "embedding-term": r"(\boldsymbol{x}_p^n \boldsymbol{E})_d + b_d = \sum_{i} x_{p,i}^n \, E_{i,d} + b_d",
    **{
        f"tokens{kind}{'-embedded' * embedded}{'-norm' * normed}": _tokens(prefix, embedded=embedded, normed=normed)
        for kind, prefix in _PREFIXES.items()
        for embedded in (False, True)
        for normed in (False, True)
    },
    "sinusoidal-1d-sin": r"PE_{x,\,2i} = \sin ( x / 10000^{2i/D} )",
    "sinusoidal-1d-cos": r"PE_{x,\,2i+1} = \cos ( x / 10000^{2i/D} )",
    "sinusoidal-2d-x-sin": r"PE_{x,y,\,2i} = \sin ( x / 10000^{4i/D} )",
    "sinusoidal-2d-x-cos": r"PE_{x,y,\,2i+1} = \cos ( x / 10000^{4i/D} )",
    "sinusoidal-2d-y-sin": r"PE_{x,y,\,2i+D/2} = \sin ( y / 10000^{4i/D} )",
    "sinusoidal-2d-y-cos": r"PE_{x,y,\,2i+1+D/2} = \cos ( y / 10000^{4i/D} )",
    "similarity": r"\cos(\boldsymbol{e}_m, \boldsymbol{e}_n) ="
    r" \frac{\boldsymbol{e}_m \cdot \boldsymbol{e}_n}{\|\boldsymbol{e}_m\| \, \|\boldsymbol{e}_n\|}",
    "attention": r"\boldsymbol{A} = \mathrm{softmax}\!\left( \frac{\boldsymbol{q} \boldsymbol{k}^{\mathsf{T}}}"
    r"{\sqrt{D_h}} \right)",
    "encoder-msa": r"\boldsymbol{z}'_l = \mathrm{MSA}(\mathrm{LN}(\boldsymbol{z}_{l-1})) + \boldsymbol{z}_{l-1}",
    "encoder-mlp": r"\boldsymbol{z}_l = \mathrm{MLP}(\mathrm{LN}(\boldsymbol{z}'_l)) + \boldsymbol{z}'_l",
    "encoder-norm-layer": r"\mathrm{LN}(\boldsymbol{x})_d = \gamma_d \, \frac{x_d - \mu}"
    r"{\sqrt{\sigma^2 + \varepsilon}} + \beta_d",
    "encoder-norm-rms": r"\mathrm{RMSNorm}(\boldsymbol{x})_d = \gamma_d \, \frac{x_d}"
    r"{\sqrt{\frac{1}{D} \sum_j x_j^2 + \varepsilon}}",
    "encoder-qkv": r"[\boldsymbol{q}, \boldsymbol{k}, \boldsymbol{v}] = \mathrm{LN}(\boldsymbol{z}_{l-1}) \,"
    r" \boldsymbol{U}_{qkv} + \boldsymbol{b}_{qkv}",
    "encoder-qkv-no-bias": r"[\boldsymbol{q}, \boldsymbol{k}, \boldsymbol{v}] = \mathrm{LN}(\boldsymbol{z}_{l-1}) \,"
    r" \boldsymbol{U}_{qkv}",
    "encoder-scores": r"s_j = \frac{\boldsymbol{q} \cdot \boldsymbol{k}_j}{\sqrt{D_h}}",
    "encoder-softmax": r"A_j = \frac{e^{s_j}}{\sum_m e^{s_m}}",
    "encoder-weighted": r"\mathrm{SA}(\boldsymbol{z}) = \sum_j A_j \, \boldsymbol{v}_j",
    "encoder-concat": r"[\, \mathrm{SA}_1(\boldsymbol{z}), \, \dots, \, \mathrm{SA}_h(\boldsymbol{z}) \,]",
    "encoder-project": r"\mathrm{MSA}(\boldsymbol{z}) = [\, \mathrm{SA}_1(\boldsymbol{z}), \, \dots, \,"
    r" \mathrm{SA}_h(\boldsymbol{z}) \,] \, \boldsymbol{U}_{msa} + \boldsymbol{b}_{msa}",
    "encoder-project-no-bias": r"\mathrm{MSA}(\boldsymbol{z}) = [\, \mathrm{SA}_1(\boldsymbol{z}), \, \dots, \,"
    r" \mathrm{SA}_h(\boldsymbol{z}) \,] \, \boldsymbol{U}_{msa}",
    "encoder-msa-scale": r"\boldsymbol{z}'_l = \boldsymbol{\lambda}_1 \odot"
    r" \mathrm{MSA}(\mathrm{LN}(\boldsymbol{z}_{l-1})) + \boldsymbol{z}_{l-1}",
    "encoder-mlp-scale": r"\boldsymbol{z}_l = \boldsymbol{\lambda}_2 \odot"
    r" \mathrm{MLP}(\mathrm{LN}(\boldsymbol{z}'_l)) + \boldsymbol{z}'_l",
    "encoder-hidden": r"\mathrm{MLP}(\boldsymbol{x}) = \phi(\boldsymbol{x} \boldsymbol{W}_1 + \boldsymbol{b}_1) \,"
    r" \boldsymbol{W}_2 + \boldsymbol{b}_2",
    "encoder-hidden-no-bias": r"\mathrm{MLP}(\boldsymbol{x}) = \phi(\boldsymbol{x} \boldsymbol{W}_1) \,"
    r" \boldsymbol{W}_2",
    "encoder-hidden-gelu": r"\mathrm{GELU}(x) = x \, \Phi(x) = \frac{x}{2} \left( 1 + \mathrm{erf}"
    r" \frac{x}{\sqrt{2}} \right)",
    "encoder-hidden-gated": r"\mathrm{MLP}(\boldsymbol{x}) = \left( \phi(\boldsymbol{x} \boldsymbol{W}_{gate} +"
    r" \boldsymbol{b}_{gate}) \odot (\boldsymbol{x} \boldsymbol{W}_1 + \boldsymbol{b}_1) \right)"
    r" \boldsymbol{W}_2 + \boldsymbol{b}_2",
    "encoder-hidden-gated-no-bias": r"\mathrm{MLP}(\boldsymbol{x}) = \left( \phi(\boldsymbol{x} \boldsymbol{W}_{gate})"
    r" \odot \boldsymbol{x} \boldsymbol{W}_1 \right) \boldsymbol{W}_2",
    "classification": r"\boldsymbol{y} = \mathrm{LN}(\boldsymbol{z}_L^0)",
    "classification-distilled": r"\boldsymbol{y}_1 = \mathrm{LN}(\boldsymbol{z}_L^0), \quad"
    r" \boldsymbol{y}_2 = \mathrm{LN}(\boldsymbol{z}_L^1)",
    "classification-mean": r"\boldsymbol{y} = \mathrm{LN}\!\left( \frac{1}{N} \sum_{n} \boldsymbol{z}_L^n \right)",
    "classification-norm-mean": r"\boldsymbol{y} = \frac{1}{N} \sum_{n} \mathrm{LN}(\boldsymbol{z}_L^n)",
    "classification-mean-all": r"\boldsymbol{y} = \mathrm{LN}\!\left( \frac{1}{T} \sum_{t} \boldsymbol{z}_L^t \right)",
    "classification-norm-mean-all": r"\boldsymbol{y} = \frac{1}{T} \sum_{t} \mathrm{LN}(\boldsymbol{z}_L^t)",
    "classification-mean-plain-all": r"\boldsymbol{y} = \frac{1}{T} \sum_{t} \boldsymbol{z}_L^t",
    "classification-plain": r"\boldsymbol{y} = \boldsymbol{z}_L^0",
    "classification-mean-plain": r"\boldsymbol{y} = \frac{1}{N} \sum_{n} \boldsymbol{z}_L^n",
    "classification-pool-plain": r"\boldsymbol{y} = \mathrm{pool}\!\left( \boldsymbol{z}_L \right)",
    "classification-pool-norm": r"\boldsymbol{y} = \mathrm{LN}\!\left( \mathrm{pool}(\boldsymbol{z}_L) \right)",
    "classification-pool": r"\boldsymbol{y} = \mathrm{pool}\!\left( \mathrm{LN}(\boldsymbol{z}_L) \right)",
    "head": r"\mathrm{logits} = \boldsymbol{y} \, \boldsymbol{W}_{head} + \boldsymbol{b}_{head}",
    "head-distilled": r"\mathrm{logits} = \frac{1}{2} \left( \boldsymbol{y}_1 \, \boldsymbol{W}_{head} +"
    r" \boldsymbol{b}_{head} + \boldsymbol{y}_2 \, \boldsymbol{W}_{dist} + \boldsymbol{b}_{dist} \right)",
    "softmax": r"p_k = \frac{e^{\mathrm{logit}_k}}{\sum_j e^{\mathrm{logit}_j}}",
}


@cache
def mathml(latex: str, *, block: bool = False) -> str:
    """MathML of a LaTeX formula.

    Parameters
    ----------
    latex : str
        The formula; ours, never a user's.
    block : bool
        On a line of its own.

    Returns
    -------
    str
        A ``<math>`` element.
    """
    return str(convert(latex, display="block" if block else "inline"))


def formula(name: str, *, norm: str = "layer") -> str:
    """A named formula as a block of MathML.

    Parameters
    ----------
    name : str
        Of :data:`FORMULAS`.
    norm : {'layer', 'rms'}
        What the model normalises with: other models have RMSNorm where the slides have LN.
    """
    latex = FORMULAS[name]
    return mathml(latex.replace(r"\mathrm{LN}", r"\mathrm{RMSNorm}") if norm == "rms" else latex, block=True)


def shape_mathml(symbol: str, *sizes: int | str) -> str:
    """A symbol with the shape of its array, today's numbers in it: *E : 192 × 192*."""
    return f"{mathml(symbol)}<span class='vx-shape'>{' × '.join(str(size) for size in sizes)}</span>"
