"""Numbers as they are printed on the page."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["bracketed", "difference", "figures", "percents", "root_mean_square", "signed", "size"]


def signed(value: float, digits: int) -> str:
    """A number with a true minus sign, to line up in columns: ``−0.1234``."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "−")


def percents(part: float) -> str:
    """A part of a whole in percent, to two figures: ``6.1``, ``61``; above the whole ``140``."""
    return f"{100 * part:.2g}" if part < 0.995 else f"{100 * part:.0f}"


def size(value: float) -> str:
    """A magnitude to three figures: ``0.0831``."""
    return f"{value:.3g}"


def difference(value: float) -> str:
    """A small difference in scientific notation, ``−2.4 × 10⁻⁸``, in one piece; a plain 0 where there is none."""
    if value == 0:
        return "0"
    return _scientific(*f"{value:.1e}".split("e"))


def figures(value: float) -> str:
    """A number to four figures, however small: ``2.291``, ``−1.314 × 10⁻⁵``."""
    text = f"{value:.4g}"
    mantissa, e, exponent = text.partition("e")
    return _scientific(mantissa, exponent) if e else text.replace("-", "−")


def bracketed(value: float) -> str:
    """A number that something is added to: in brackets where it is negative."""
    text = signed(value, 4)
    return f"({text})" if value < 0 else text


def root_mean_square(values: ArrayLike) -> float:
    """How large some numbers typically are."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _scientific(mantissa: str, exponent: str) -> str:
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa.replace('-', '−')}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10{raised}"
