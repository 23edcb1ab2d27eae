"""What experiments give back: traces, arrays and plain numbers, with nothing of torch in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explorer.analysis import ranks
from explorer.labels import Labels
from explorer.novelty import Rate
from explorer.numerics import Array
from explorer.trace import Trace

__all__ = [
    "WAYS",
    "EffectMap",
    "FourWays",
    "HeadEffects",
    "PairResult",
    "ShuffleResult",
    "SiblingAnswer",
    "SizeRow",
    "SizesResult",
]

#: The ways of :class:`FourWays`, in their order.
WAYS = ("attention", "rollout", "relevance", "effect")


@dataclass(frozen=True, eq=False, kw_only=True)
class PairResult:
    """The model's own run, and a changed one.

    Attributes
    ----------
    before, after : Trace
    """

    before: Trace
    after: Trace

    @property
    def logit_changes(self) -> Array:
        """(K,): by how much the change raised each logit."""
        changes: Array = self.after.output - self.before.output
        return changes


@dataclass(frozen=True, eq=False, kw_only=True)
class ShuffleResult:
    """Four runs: patches in order and shuffled, with 𝑬_pos and without.

    Attributes
    ----------
    original, shuffled : Trace
        With the model's own 𝑬_pos.
    original_without, shuffled_without : Trace
        Without any.
    order : (N,) int64 array
        Place ``n`` of the shuffled photo shows patch ``order[n]``.
    """

    original: Trace
    shuffled: Trace
    original_without: Trace
    shuffled_without: Trace
    order: NDArray[np.int64]

    @cached_property
    def largest_difference(self) -> float:
        """Between the last layer's tokens without 𝑬_pos, in order and shuffled, each taken at its own patch.

        In real numbers it is 0; what is left comes from rounding, as sums are taken in another order.
        """
        before, after = self.original_without, self.shuffled_without
        return _largest(before.z[-1][self._tokens], after.z[-1])

    @cached_property
    def largest_logit_difference(self) -> float:
        """The same of the logits."""
        return _largest(self.original_without.output, self.shuffled_without.output)

    @cached_property
    def largest_difference_with(self) -> float:
        """As :attr:`largest_difference`, of the runs with 𝑬_pos: no rounding, another picture."""
        return _largest(self.original.z[-1][self._tokens], self.shuffled.z[-1])

    @property
    def _tokens(self) -> NDArray[np.int64]:
        """For every token of the shuffled runs the same token of the others."""
        start = self.original.num_prefix
        return np.concatenate([np.arange(start), start + self.order])


@dataclass(frozen=True, eq=False, kw_only=True)
class SiblingAnswer:
    """What one of the models says that were trained alike but for 𝑬_pos.

    Attributes
    ----------
    name : str
        Of its folder in ``assets/models``: ``pos-learned``, ``pos-sin1d``, ``pos-sin2d`` or ``pos-none``.
    trace : Trace
    labels : Labels
    accuracy : Rate or None
        Top-1 on the pictures that were held back, at its native patch size, as its ``training.json`` has it.
    """

    name: str
    trace: Trace
    labels: Labels
    accuracy: Rate | None


@dataclass(frozen=True, eq=False, kw_only=True)
class EffectMap:
    """What every patch does to the logit of a class, measured by taking it away.

    Attributes
    ----------
    effects : (N,) array
        The class's logit of the model's own run, less that of the run without the patch: positive where the patch
        speaks for the class.
    attention : (N,) array
        What one might have believed instead: the last layer's attention to each patch, mean over heads, of the tokens
        that the head reads (CLS, where the model has one).
    correlation : float
        Spearman's, between the two; NaN where one of them has no order.
    target : int
        The class.
    logit : float
        Its logit in the model's own run.
    how : str
        ``mean`` (blanked to the mean colour) or ``drop`` (left out of the sequence).
    grid : (rows, cols)
    """

    effects: Array
    attention: Array
    correlation: float
    target: int
    logit: float
    how: str
    grid: tuple[int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadEffects:
    """What every head does to the logit of a class, measured by switching it off.

    Attributes
    ----------
    effects : (L, h) array
        The class's logit of the model's own run, less that of the run without the head.
    beside : (L, h) array
        How sharply the head looks, which one might have believed to say how much it matters: 0 where the attention of
        the tokens that the classifier reads (CLS, where it reads that) is spread evenly over all tokens, 1 where each
        of them looks at a single one. It is ``1 - log(n) / log(T)``, ``n`` being the exponential of the entropy of a
        token's row of 𝑨; of several tokens the mean, weighted as the classifier weighs them.
    correlation : float
        Spearman's, between the two; NaN where one of them has no order.
    target : int
        The class.
    logit : float
        Its logit in the model's own run.
    """

    effects: Array
    beside: Array
    correlation: float
    target: int
    logit: float


@dataclass(frozen=True, eq=False, kw_only=True)
class FourWays:
    """Where a model looked, in four readings of which none is the truth.

    Attributes
    ----------
    values : (4, N) array
        In the order of :data:`WAYS`: the last layer's attention, rollout, gradient-weighted relevance, and the
        measured effect of taking the patch away; each in its own unit.
    agreement : (4, 4) array
        Spearman's rank correlation of every two; NaN where one has no order.
    target : int
        The class that relevance and effect are about.
    logit : float
        Its logit in the model's own run.
    how : str
        How patches were taken away.
    grid : (rows, cols)
    """

    values: Array
    agreement: Array
    target: int
    logit: float
    how: str
    grid: tuple[int, int]

    @cached_property
    def ranks(self) -> Array:
        """(4, N): each reading as ranks, 0 the least and 1 the most, so that one scale fits all."""
        most = max(self.values.shape[1] - 1, 1)
        return np.stack([ranks(row) / most for row in self.values]).astype(np.float32)

    def __getitem__(self, way: str) -> Array:
        """(N,): one reading by its name."""
        row: Array = self.values[WAYS.index(way)]
        return row


@dataclass(frozen=True, eq=False, kw_only=True)
class SizeRow:
    """A model at one patch and input size.

    Attributes
    ----------
    patch_size, image_size : int
    grid : (rows, cols)
    tokens : int
        T.
    multiply_adds : int
        Of one run; see :func:`explorer.sizes.multiply_adds`.
    milliseconds : float
        Of the quickest of a few forward passes on this machine, measured now.
    output : (K,) array
        The model's answer.
    trained : bool
        Whether the model saw this size in training.
    pos_embed : (N, D) array
        The patches' rows of 𝑬_pos, after interpolation.
    """

    patch_size: int
    image_size: int
    grid: tuple[int, int]
    tokens: int
    multiply_adds: int
    milliseconds: float
    output: Array
    trained: bool
    pos_embed: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class SizesResult:
    """One picture through many sizes.

    Attributes
    ----------
    rows : tuple of SizeRow
        By input size, and then by patch size from the largest to the smallest.
    left_out : tuple of (patch size, image size)
        What was asked for and makes no grid, or too large a trace.
    pos_embed : (N, D) array
        The patches' rows of the model's own 𝑬_pos, before interpolation.
    grid : (rows, cols)
        That it was made for.
    has_classes : bool
        Whether the outputs are logits.
    """

    rows: tuple[SizeRow, ...]
    left_out: tuple[tuple[int, int], ...]
    pos_embed: Array
    grid: tuple[int, int]
    has_classes: bool


def _largest(one: Array, other: Array) -> float:
    return float(np.abs(one - other).max())
