"""What stage 3 says of what a model puts on top of its patches: sentence, symbol, names."""

from __future__ import annotations

from collections.abc import Sequence

from explorer.panels.equations import prefix_kind
from explorer.trace import Trace

__all__ = ["before_title_key", "joined", "listed", "prefix_shape", "sentence_key", "title_names"]

#: Most prefix tokens that are named one by one above a matrix: a title of two lines would push it below its neighbours.
_NAMED = 1
_SYMBOLS = {
    "class": r"\boldsymbol{x}_{class}",
    "distilled": r"[\boldsymbol{x}_{class};\, \boldsymbol{x}_{dist}]",
    "registers": r"[\boldsymbol{x}_{class};\, \dots]",
    "registers-only": r"\boldsymbol{x}_{reg}",
}


def joined(sentences: Sequence[str], language: str) -> str:
    """Sentences, one after the other."""
    return ("" if language == "ja" else " ").join(sentences)


def listed(names: Sequence[str], language: str) -> str:
    """Names in a row."""
    return ("、" if language == "ja" else ", ").join(names)


def sentence_key(trace: Trace | None) -> str:
    """Key of the sentence at the head of the stage."""
    if trace is None:
        return "sentence"
    placed = _normed(trace) if trace.pos_embed.any() else "-unplaced"
    return "sentence" + {"class": "", "none": "-none"}.get(prefix_kind(trace), "-more") + placed


def prefix_shape(trace: Trace) -> tuple[tuple[str, str, tuple[int, int]], ...]:
    """Symbol, name and sizes of the prefix tokens; nothing where there are none."""
    symbol = _SYMBOLS.get(prefix_kind(trace))
    return () if symbol is None else ((symbol, "prefix_tokens", (trace.num_prefix, trace.spec.dim)),)


def before_title_key(trace: Trace) -> str:
    """Key of the title of what the positions are added to: normalised in some models, without a prefix in others."""
    embedded = "" if trace.arrays.embed_norm is None else "-embedded"
    return f"before-figure{embedded}" + ("" if trace.num_prefix else "-no-prefix")


def title_names(trace: Trace) -> tuple[str, ...]:
    """Names of the prefix tokens, short enough for a title."""
    return trace.prefix_names if trace.num_prefix <= _NAMED else (trace.prefix_names[0], "…")


def _normed(trace: Trace) -> str:
    return "" if trace.arrays.norm_pre is None else "-norm"
