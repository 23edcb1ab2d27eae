"""Numbers as they are printed on the page."""

from __future__ import annotations

__all__ = ["difference", "signed", "size"]


def signed(value: float, digits: int) -> str:
    """A number with a true minus sign, to line up in columns: ``−0.1234``."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "−")


def size(value: float) -> str:
    """A magnitude to three figures: ``0.0831``."""
    return f"{value:.3g}"


def difference(value: float) -> str:
    """A small difference in scientific notation, ``−2.4 × 10⁻⁸``, in one piece; a plain 0 where there is none."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa.replace('-', '−')}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10{raised}"
