"""Stage 7: answers before and after a change, photos as they were put together, tables that were compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.numerics import Array, softmax
from explorer.trace import Trace

__all__ = ["AnswerRow", "answer_rows", "rearranged", "token_changes"]


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """One class of an answer.

    Parameters
    ----------
    index : int
        Of the class.
    prob : float
        0 … 1.
    logit : float
    change : float or None
        The logit's difference to the answer that this one is compared with; None where it is compared with none.
    rank : int
        0 for the leading classes; else the class's place (1 is the first), for one that is shown although it is not
        among them.
    """

    index: int
    prob: float
    logit: float
    change: float | None = None
    rank: int = 0


def answer_rows(
    logits: Array | None, *, against: Array | None = None, keep: Sequence[int] = (), count: int = 5
) -> tuple[AnswerRow, ...]:
    """The leading classes of an answer.

    Parameters
    ----------
    logits : (K,) array or None
        None for a model without classes, which has no rows.
    against : (K,) array, optional
        Logits of the run that nothing was changed in.
    keep : sequence of int
        Classes that are to be among the rows; those that do not lead come last, with their rank.
    count : int
        How many lead.

    Returns
    -------
    tuple of AnswerRow
    """
    if logits is None:
        return ()
    values, probs = np.asarray(logits, dtype=np.float64), softmax(np.asarray(logits, dtype=np.float32))
    order = np.argsort(-values, kind="stable")
    places = {int(index): place for place, index in enumerate(order, start=1)}
    leading = [int(index) for index in order[:count]]
    late = [index for index in dict.fromkeys(keep) if index not in leading and 0 <= index < len(values)]
    return tuple(
        AnswerRow(
            index=index,
            prob=float(probs[index]),
            logit=float(values[index]),
            change=None if against is None else float(values[index] - np.float64(against[index])),
            rank=places[index] if index in late else 0,
        )
        for index in (*leading, *late)
    )


def rearranged(
    pixels: NDArray[np.uint8], grid: tuple[int, int], order: Sequence[int] | NDArray[np.int64]
) -> NDArray[np.uint8]:
    """A photo with its patches in another order.

    Parameters
    ----------
    pixels : (S, S', 3) uint8 array
        At any sharpness; what the rows and columns do not fill evenly is cut off at the right and bottom.
    grid : (rows, cols)
    order : (N,) ints
        Place ``n`` shows what was at place ``order[n]``.

    Returns
    -------
    (rows·p, cols·q, 3) uint8 array
    """
    rows, cols = grid
    height, width = pixels.shape[0] // rows, pixels.shape[1] // cols
    tiles = pixels[: rows * height, : cols * width].reshape(rows, height, cols, width, -1).swapaxes(1, 2)
    shuffled = tiles.reshape(rows * cols, height, width, -1)[np.asarray(order)]
    back = shuffled.reshape(rows, cols, height, width, -1).swapaxes(1, 2)
    return np.ascontiguousarray(back.reshape(rows * height, cols * width, -1))


def token_changes(before: Trace, after: Trace, order: Sequence[int] | NDArray[np.int64]) -> Array:
    """How far the last layer's token of every patch has moved from one run to another.

    Parameters
    ----------
    before : Trace
        With the patches in order.
    after : Trace
        With patch ``order[n]`` at place ``n``.
    order : (N,) ints

    Returns
    -------
    (N,) array
        Length of the difference as a share of the token's own length, in the order of the photo.
    """
    start = before.num_prefix
    one = before.z[-1][start:].astype(np.float64)
    other = after.z[-1][start:][np.argsort(order)]
    lengths = np.linalg.norm(one, axis=1)
    moved: Array = (np.linalg.norm(other - one, axis=1) / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return moved
