"""Whatever a reader hands in, as something that can be compared, or as words about why it cannot.

Nothing here raises: an answer may be a text, a tensor, a list of lists of unequal length, a function that was not
called, or an object that nobody has thought of.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.errors import MessageValue

__all__ = ["Odd", "is_open", "read_array", "read_number", "read_shape"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Odd:
    """An answer that cannot be compared.

    Parameters
    ----------
    key : str
        Below ``lessons.odd`` in the catalogues.
    values : dict
        What its placeholders stand for.
    """

    key: str
    values: dict[str, MessageValue] = field(default_factory=dict)


def is_open(answer: object) -> bool:
    """Whether nothing was answered yet: ``None``, ``...``, an empty text, or something with ``...`` in it."""
    if answer is None or answer is Ellipsis:
        return True
    if isinstance(answer, str):
        return not answer.strip()
    if isinstance(answer, list | tuple):
        return any(entry is Ellipsis for entry in answer)
    return False


def read_array(answer: object) -> Floats | Odd:
    """An answer as numbers, of whatever shape."""
    if isinstance(answer, str | bytes):
        return Odd("text")
    try:
        if callable(answer) and not hasattr(answer, "__array__") and not hasattr(answer, "detach"):
            return Odd("function", {"name": str(getattr(answer, "__name__", type(answer).__name__))})
        # A tensor of torch's may hang on a graph or lie on another device; torch itself is not imported here.
        given: Any = answer
        if hasattr(given, "detach") and hasattr(given, "cpu"):
            given = given.detach().cpu()
            given = given.numpy() if str(given.dtype) != "torch.bfloat16" else given.float().numpy()
        values = np.asarray(given)
    except ValueError:
        # What NumPy says to rows of unequal length.
        return Odd("ragged") if isinstance(answer, Sequence) else Odd("type", {"type": type(answer).__name__})
    except Exception:  # noqa: BLE001 - an object of the reader's own may raise anything
        return Odd("type", {"type": type(answer).__name__})
    if values.dtype.kind == "b":
        return Odd("bool")
    if values.dtype.kind == "c":
        return Odd("complex")
    if values.dtype.kind in "US":
        return Odd("text")
    if values.dtype.kind == "O":
        # Large integers, fractions and decimals are objects to NumPy, and numbers all the same.
        try:
            return np.array([_object_number(entry) for entry in values.reshape(-1)], np.float64).reshape(values.shape)
        except Exception:  # noqa: BLE001 - as above
            return Odd("type", {"type": type(answer).__name__})
    if values.dtype.kind not in "iuf":
        return Odd("type", {"type": type(answer).__name__})
    return np.asarray(values.astype(np.float64))


def read_number(answer: object) -> float | Odd:
    """An answer as one number; a text that reads as one is taken for it."""
    if isinstance(answer, str):
        try:
            return float(_plain(answer).replace(",", ""))
        except ValueError:
            return Odd("text")
    values = read_array(answer)
    if isinstance(values, Odd):
        return values
    if values.size != 1:
        return Odd("not-one", {"shape": str(values.shape)})
    return float(values.reshape(()))


def read_shape(answer: object) -> tuple[int, ...] | Odd:
    """An answer as a shape; of an array that is no list of sizes, its own shape is said."""
    if not isinstance(answer, str | bytes | list | tuple):
        values = read_array(answer)
        if isinstance(values, Odd):
            return values
        if values.ndim == 0:
            return Odd("shape-number", {"number": f"{float(values):g}"})
        if values.ndim > 1 or values.size > _MOST_AXES:
            return Odd("shape-array", {"shape": str(values.shape)})
    values = read_array(answer)
    if isinstance(values, Odd):
        return values
    if values.ndim != 1:
        return Odd("shape-nested")
    if not np.isfinite(values).all() or (values != np.round(values)).any():
        return Odd("shape-whole")
    return tuple(int(size) for size in values)


def _object_number(entry: object) -> float:
    if not isinstance(entry, Number | Decimal):
        raise TypeError
    try:
        return float(entry)  # type: ignore[arg-type]
    except OverflowError:
        return np.inf


#: No array of a trace has more.
_MOST_AXES = 5


def _plain(answer: str) -> str:
    """Without full-width letters and spaces around it."""
    return unicodedata.normalize("NFKC", answer).strip()
