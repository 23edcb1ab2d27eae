"""The formulas of the stages in plain letters, for speaker notes, which have no typesetting."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FORMULA_TEXTS"]

_PREFIXES = {
    "": "x_class; ",
    "-distilled": "x_class; x_dist; ",
    "-registers": "x_class; x_reg,1; …; x_reg,R−1; ",
    "-registers-only": "x_reg,1; …; x_reg,R; ",
    "-none": "",
}

#: The formulas that stand at the head of a stage, by their names in :data:`explorer.formulas.FORMULAS`.
FORMULA_TEXTS: Mapping[str, str] = {
    "num-patches": "N = H W / P²",
    "patch": "x ∈ ℝ^(H × W × C)  →  xₚⁿ ∈ ℝ^(P²C),  n = 1, …, N",
    "embedding-term": "(xₚE)_d + b_d = Σᵢ xₚ,ᵢ E_i,d + b_d",
    **{f"tokens{kind}": f"z₀ = [{names}xₚ¹E; …; xₚᴺE] + E_pos" for kind, names in _PREFIXES.items()},
    **{f"tokens{kind}-norm": f"z₀ = LN([{names}xₚ¹E; …; xₚᴺE] + E_pos)" for kind, names in _PREFIXES.items()},
    **{f"tokens{kind}-embedded": f"z₀ = [{names}LN(xₚ¹E); …; LN(xₚᴺE)] + E_pos" for kind, names in _PREFIXES.items()},
    **{
        f"tokens{kind}-embedded-norm": f"z₀ = LN([{names}LN(xₚ¹E); …; LN(xₚᴺE)] + E_pos)"
        for kind, names in _PREFIXES.items()
    },
    "encoder-msa": "z′ₗ = MSA(LN(zₗ₋₁)) + zₗ₋₁",
    "encoder-mlp": "zₗ = MLP(LN(z′ₗ)) + z′ₗ",
    "encoder-msa-scale": "z′ₗ = λ₁ ⊙ MSA(LN(zₗ₋₁)) + zₗ₋₁",
    "encoder-mlp-scale": "zₗ = λ₂ ⊙ MLP(LN(z′ₗ)) + z′ₗ",
    "attention": "A = softmax(q kᵀ / √Dₕ)",
    "classification": "y = LN(z_L⁰)",
    "classification-distilled": "y₁ = LN(z_L⁰), y₂ = LN(z_L¹)",
    "classification-mean": "y = LN(1/N Σₙ z_Lⁿ)",
    "classification-norm-mean": "y = 1/N Σₙ LN(z_Lⁿ)",
    "classification-mean-all": "y = LN(1/T Σₜ z_Lᵗ)",
    "classification-norm-mean-all": "y = 1/T Σₜ LN(z_Lᵗ)",
    "classification-mean-plain-all": "y = 1/T Σₜ z_Lᵗ",
    "classification-plain": "y = z_L⁰",
    "classification-mean-plain": "y = 1/N Σₙ z_Lⁿ",
    "classification-pool-plain": "y = pool(z_L)",
    "classification-pool-norm": "y = LN(pool(z_L))",
    "classification-pool": "y = pool(LN(z_L))",
    "head": "logits = y W_head + b_head",
    "head-distilled": "logits = ½ (y₁ W_head + b_head + y₂ W_dist + b_dist)",
    "softmax": "pₖ = exp(logitₖ) / Σⱼ exp(logitⱼ)",
}
