"""An answer beside the truth: equal, one of the mistakes that are often made, or what differs and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from explorer.errors import MessageValue
from explorer.lessons.answers import Floats, Odd, is_open, read_array, read_number, read_shape
from explorer.panels.numbers import difference

__all__ = ["Finding", "judge", "plain_number"]


@dataclass(frozen=True)
class Finding:
    """What was found out about an answer.

    Parameters
    ----------
    right : bool or None
    key : str
        Below ``lessons`` in the catalogues.
    values : dict
        What its placeholders stand for.
    """

    right: bool | None
    key: str
    values: dict[str, MessageValue] = field(default_factory=dict)


def judge(
    kind: str,
    answer: object,
    truth: ArrayLike,
    mistakes: Mapping[str, ArrayLike],
    *,
    tolerance: float = 1e-4,
) -> Finding:
    """Compare an answer with the truth.

    Parameters
    ----------
    kind : {"number", "index", "shape", "array"}
        An index is a number whose size says nothing: of a token, a head, a layer or a dimension.
    answer : object
        Anything at all.
    truth : number, tuple or array
    mistakes : mapping
        What comes out when one goes wrong in a way that has a name; the first that fits is said.
    tolerance : float
        How far a value may be off, as a share of the largest.

    Returns
    -------
    Finding
    """
    if is_open(answer):
        return Finding(None, "open")
    # A reader's numbers may be huge; what overflows on the way is wrong in any case, and nobody's warning.
    with np.errstate(all="ignore"):
        return _compare(kind, answer, truth, mistakes, tolerance)


def _compare(
    kind: str, answer: object, truth: ArrayLike, mistakes: Mapping[str, ArrayLike], tolerance: float
) -> Finding:
    if kind in ("number", "index"):
        number = read_number(answer)
        if isinstance(number, Odd):
            return _odd(number)
        found = _number(number, truth, mistakes, tolerance)
        if kind == "index" and found.key in _SIZES:
            return Finding(False, "wrong.index", {"value": plain_number(number)})
        return found
    if kind == "shape":
        shape = read_shape(answer)
        return _odd(shape) if isinstance(shape, Odd) else _shape(shape, truth, mistakes)
    values = read_array(answer)
    return (
        _odd(values) if isinstance(values, Odd) else _array(values, np.asarray(truth, np.float64), mistakes, tolerance)
    )


def plain_number(value: float) -> str:
    """A number as a reader writes it: whole ones whole, others with four digits."""
    words = f"{value:,.0f}" if abs(value) < 1e15 and value == round(value) else f"{value:.4g}"
    return words.replace("-", "−")


def _odd(odd: Odd) -> Finding:
    return Finding(False, f"odd.{odd.key}", odd.values)


# -- numbers -------------------------------------------------------------------------------------------------------


#: What is said of the size of a number.
_SIZES = frozenset({"wrong.sign", "wrong.one-off", "wrong.small", "wrong.large"})


def _number(given: float, truth: object, mistakes: Mapping[str, object], tolerance: float) -> Finding:
    wanted = float(np.asarray(truth, np.float64))
    whole = isinstance(truth, int | np.integer)

    def equal(one: float, other: float) -> bool:
        return one == other if whole else abs(one - other) <= tolerance * max(abs(other), 1e-12)

    if not np.isfinite(given):
        return Finding(False, "wrong.not-finite", {"count": 1, "size": 1, "place": "()"})
    if equal(given, wanted):
        return Finding(True, "right.number", {"value": plain_number(wanted)})
    for key, wrong in mistakes.items():
        if equal(given, float(np.asarray(wrong, np.float64))):
            return Finding(False, f"mistake.{key}")
    if not whole and (equal(given, wanted * 100) or equal(given * 100, wanted)):
        return Finding(False, "wrong.percent")
    if equal(given, -wanted):
        return Finding(False, "wrong.sign")
    if not whole and abs(given - wanted) <= 0.02 * abs(wanted):
        return Finding(False, "wrong.rounded")
    if whole and abs(given - wanted) == 1:
        return Finding(False, "wrong.one-off")
    return Finding(False, "wrong.small" if given < wanted else "wrong.large", {"value": plain_number(given)})


# -- shapes --------------------------------------------------------------------------------------------------------


def _shape(given: tuple[int, ...], truth: object, mistakes: Mapping[str, object]) -> Finding:
    wanted = _sizes(truth)
    if given == wanted:
        return Finding(True, "right.shape", {"shape": str(wanted)})
    for key, wrong in mistakes.items():
        if given == _sizes(wrong):
            return Finding(False, f"mistake.{key}")
    if len(given) != len(wanted):
        return Finding(False, "wrong.shape-length", {"given": len(given), "wanted": len(wanted)})
    if sorted(given) == sorted(wanted):
        return Finding(False, "wrong.shape-order")
    axis = next(axis for axis, (one, other) in enumerate(zip(given, wanted, strict=True)) if one != other)
    return Finding(False, "wrong.shape-axis", {"axis": axis, "size": given[axis]})


def _sizes(shape: object) -> tuple[int, ...]:
    return tuple(int(size) for size in np.asarray(shape))


# -- arrays --------------------------------------------------------------------------------------------------------


def _array(given: Floats, truth: Floats, mistakes: Mapping[str, object], tolerance: float) -> Finding:
    bad = ~np.isfinite(given)
    if bad.any():
        place = tuple(int(index) for index in np.argwhere(bad)[0])
        return Finding(False, "wrong.not-finite", {"count": int(bad.sum()), "size": given.size, "place": _place(place)})
    reach = float(np.abs(truth).max(initial=0.0)) or 1.0

    def equal(one: Floats, other: Floats) -> bool:
        return one.shape == other.shape and bool((np.abs(one - other) <= tolerance * reach).all())

    if equal(given, truth):
        off = float(np.abs(given - truth).max(initial=0.0))
        if off == 0.0:
            return Finding(True, "right.array-exact", {"shape": str(truth.shape)})
        return Finding(True, "right.array", {"shape": str(truth.shape), "difference": difference(off)})
    for key, wrong in mistakes.items():
        if equal(given, np.asarray(wrong, np.float64)):
            return Finding(False, f"mistake.{key}")
    if given.ndim == 2 and equal(given.T, truth):
        if given.shape == truth.shape:
            return Finding(False, "wrong.transposed-square")
        return Finding(False, "wrong.transposed", {"shape": str(given.shape), "wanted": str(truth.shape)})
    if given.shape != truth.shape:
        return _other_shape(
            given, truth, equal(given.reshape(truth.shape), truth) if given.size == truth.size else False
        )
    return _same_shape(given, truth, tolerance * reach)


def _other_shape(given: Floats, truth: Floats, right_numbers: bool) -> Finding:
    shapes: dict[str, MessageValue] = {"shape": str(given.shape), "wanted": str(truth.shape)}
    if right_numbers:
        return Finding(False, "wrong.reshape", shapes)
    if given.ndim == 0:
        return Finding(False, "wrong.single", shapes)
    if given.ndim != truth.ndim:
        return Finding(False, "wrong.array-axes", {**shapes, "given": given.ndim, "axes": truth.ndim})
    if sorted(given.shape) == sorted(truth.shape):
        return Finding(False, "wrong.array-order", shapes)
    axis = next(axis for axis, (one, other) in enumerate(zip(given.shape, truth.shape, strict=True)) if one != other)
    sizes: dict[str, MessageValue] = {"axis": axis, "size": given.shape[axis], "right": truth.shape[axis]}
    return Finding(False, "wrong.array-axis", {**shapes, **sizes})


def _same_shape(given: Floats, truth: Floats, allowed: float) -> Finding:
    if not given.any():
        return Finding(False, "wrong.zeros")
    factor = float((given * truth).sum() / max(float((truth * truth).sum()), 1e-30))
    if abs(factor) > 1e-9 and (np.abs(given / factor - truth) <= allowed).all():
        return (
            Finding(False, "wrong.sign")
            if abs(factor + 1) < 1e-3
            else Finding(False, "wrong.factor", {"factor": f"{factor:.4g}"})
        )
    offset = float((given - truth).mean())
    if (np.abs(given - offset - truth) <= allowed).all():
        return Finding(False, "wrong.offset", {"offset": f"{offset:+.4g}"})
    if (np.abs(np.sort(given, axis=None) - np.sort(truth, axis=None)) <= allowed).all():
        return Finding(False, "wrong.order")
    off = np.abs(given - truth)
    place = tuple(int(index) for index in np.unravel_index(int(off.argmax()), truth.shape))
    values: dict[str, MessageValue] = {
        "wrong": int((off > allowed).sum()),
        "size": truth.size,
        "place": _place(place),
        "given": f"{given[place]:.4g}",
        "wanted": f"{truth[place]:.4g}",
    }
    return Finding(False, "wrong.rounding" if off.max() <= 100 * allowed else "wrong.values", values)


def _place(index: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, index)) + "]"
