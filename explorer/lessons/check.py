"""What a check of an answer is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explorer.lessons.session import Lesson

__all__ = ["Check", "Working"]

#: Works something out of a lesson's run.
Working = Callable[["Lesson"], Any]


@dataclass(frozen=True)
class Check:
    """One answer that a lesson asks for.

    Parameters
    ----------
    kind : {"number", "index", "shape", "array"}
    truth : callable
        From the lesson to what is right.
    mistakes : mapping of str to callable
        From the lesson to what a mistake gives; the keys are those below ``lessons.mistake`` in the catalogues.
    tolerance : float
        How far a value may be off, as a share of the largest: float32 against float64, another order of summing.
    """

    kind: str
    truth: Working
    mistakes: Mapping[str, Working] = field(default_factory=dict)
    tolerance: float = 1e-4
