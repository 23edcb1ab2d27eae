"""The formulas of the stages, typeset as MathML, which a browser draws without a script or a network.

Written in LaTeX, in the slides' symbols; where a slide slips, the right formula stands here and the stage's
footnote says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from latex2mathml.converter import convert

__all__ = ["FORMULAS", "formula", "mathml", "shape_mathml"]

#: Name of a formula to its LaTeX.
FORMULAS: Mapping[str, str] = {
    "num-patches": r"N = \frac{H W}{P^2}",
    "patch": r"\boldsymbol{x} \in \mathbb{R}^{H \times W \times C} \;\to\;"
    r" \boldsymbol{x}_p^n \in \mathbb{R}^{P^2 C}",
    "normalise": r"x_{p,\,i}^n = \frac{x / 255 - \text{mean}}{\text{std}}",
    "embedding": r"\boldsymbol{x}_p^n \boldsymbol{E} + \boldsymbol{b}",
    "embedding-term": r"(\boldsymbol{x}_p^n \boldsymbol{E})_d + b_d = \sum_{i} x_{p,i}^n \, E_{i,d} + b_d",
    "tokens": r"\boldsymbol{z}_0 = [\, \boldsymbol{x}_{class};\; \boldsymbol{x}_p^1 \boldsymbol{E};\; \dots;\;"
    r" \boldsymbol{x}_p^N \boldsymbol{E} \,] + \boldsymbol{E}_{pos}",
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
    "classification": r"\boldsymbol{y} = \mathrm{LN}(\boldsymbol{z}_L^0)",
    "classification-distilled": r"\boldsymbol{y}_1 = \mathrm{LN}(\boldsymbol{z}_L^0), \quad"
    r" \boldsymbol{y}_2 = \mathrm{LN}(\boldsymbol{z}_L^1)",
    "classification-mean": r"\boldsymbol{y} = \mathrm{LN}\!\left( \frac{1}{N} \sum_{n} \boldsymbol{z}_L^n \right)",
    "classification-norm-mean": r"\boldsymbol{y} = \frac{1}{N} \sum_{n} \mathrm{LN}(\boldsymbol{z}_L^n)",
    "classification-pool": r"\boldsymbol{y} = \mathrm{pool}\!\left( \mathrm{LN}(\boldsymbol{z}_L) \right)",
    "head": r"\mathrm{logits} = \boldsymbol{y} \, \boldsymbol{W}_{head} + \boldsymbol{b}_{head}",
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


def formula(name: str) -> str:
    """A named formula of :data:`FORMULAS` as a block of MathML."""
    return mathml(FORMULAS[name], block=True)


def shape_mathml(symbol: str, *sizes: int | str) -> str:
    """A symbol with the shape of its array, today's numbers in it: *E : 192 × 192*."""
    return f"{mathml(symbol)}<span class='vx-shape'>{' × '.join(str(size) for size in sizes)}</span>"
