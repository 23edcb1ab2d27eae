"""The ViT paper's equations 1 to 4 as the shown model computes them: names of :data:`explorer.formulas.FORMULAS`."""

from __future__ import annotations

from explorer.trace import Trace

__all__ = ["layer_equations", "norm_kind", "norm_name", "prefix_kind", "reading_equations", "sum_equation"]


def prefix_kind(trace: Trace) -> str:
    """What stands on top of the patches: ``class``, ``distilled``, ``registers``, ``registers-only`` or ``none``."""
    if not trace.num_prefix:
        return "none"
    if trace.spec.distilled:
        return "distilled"
    has_class = trace.prefix_names[0] == "CLS"
    if trace.num_prefix == 1 and has_class:
        return "class"
    return "registers" if has_class else "registers-only"


def sum_equation(trace: Trace | None) -> str:
    """Equation 1, 𝒛₀: with what this model puts on top of its patches, and with its norm if it has one first."""
    if trace is None:
        return "tokens"
    kind, arrays = prefix_kind(trace), trace.arrays
    embedded = "" if arrays.embed_norm is None else "-embedded"
    normed = "" if arrays.norm_pre is None else "-norm"
    return ("tokens" if kind == "class" else f"tokens-{kind}") + embedded + normed


def layer_equations(trace: Trace | None) -> tuple[str, str]:
    """Equations 2 and 3, a layer's two sums: with LayerScale where the model has it."""
    scaled = trace is not None and trace.weights is not None and trace.arrays.blocks[0].layer_scale
    return ("encoder-msa-scale", "encoder-mlp-scale") if scaled else ("encoder-msa", "encoder-mlp")


def reading_equations(trace: Trace | None) -> tuple[str, ...]:
    """Equation 4, 𝒚: what is read and whether it is normalised, before pooling or after it; then head and softmax."""
    if trace is None:
        return ("classification", "head", "softmax")
    first = _equation_of_y(trace)
    head = "head-distilled" if trace.spec.distilled else "head"
    return (first, head, "softmax") if trace.logits is not None else (first,)


def norm_kind(trace: Trace | None) -> str:
    """What the model normalises with: ``layer`` (LN) or ``rms`` (RMSNorm)."""
    return "layer" if trace is None or trace.weights is None else trace.weights.blocks[0].norm1.kind


def norm_name(kind: str) -> str:
    """What a norm is called in formulas: ``LN`` or ``RMSNorm``."""
    return "RMSNorm" if kind == "rms" else "LN"


def _equation_of_y(trace: Trace) -> str:
    spec, arrays = trace.spec, trace.arrays
    if spec.distilled:
        return "classification-distilled"
    before, after = arrays.norm is not None, arrays.fc_norm is not None
    if spec.pooling == "token":
        return "classification" if before or after else "classification-plain"
    if spec.pooling == "avg":
        read = "-all" if spec.pool_include_prefix and spec.num_prefix else ""
        return "classification-" + ("norm-mean" if before else "mean" if after else "mean-plain") + read
    return "classification-pool" + ("" if before else "-norm" if after else "-plain")
