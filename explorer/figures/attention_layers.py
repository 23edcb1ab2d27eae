"""Stage 5 at a glance: what is known of every layer's attention, worked out once and remembered."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from explorer.figures.attention import MEAN, head_attention
from explorer.figures.attention_rollout import Rollouts
from explorer.numerics import Array
from explorer.trace import Trace

__all__ = ["MAX_ROLLOUT_TOKENS", "THUMBNAIL", "AttentionLayers", "Direction", "LayerSummary", "on_grid"]

#: Longest side of a thumbnail.
THUMBNAIL = 64
#: Rollout multiplies whole T × T matrices, and needs one in the browser; beyond this many tokens it is not offered.
MAX_ROLLOUT_TOKENS = 2048

_PERCENTILE = 99.5
#: A layer with more weights than these gives its percentile from every so many-th query, in all heads.
_SAMPLED = 4_000_000
#: Means over the heads are kept for rollouts where those of all layers take less than this.
_KEPT_MEANS = 24_000_000

Direction = Literal["looks", "seen"]


@dataclass(frozen=True, eq=False)
class LayerSummary:
    """What the page needs to know of a layer beyond its q and k.

    Parameters
    ----------
    log_sum_exp : (h, T) array
        Of each query's scores: ``attention = exp(scores - log_sum_exp)``.
    distance : (h,) array
        Mean attention distance in patches; see :func:`explorer.analysis.attention_distance`.
    high : float
        The 99.5th percentile of all heads' weights, where the layer's common scale ends.
    head_highs : (h,) array
        The same of each head by itself.
    mean_high : float
        The same of the mean over the heads.
    thumbnails : (h, s, s) array
        𝑨 with s = min(T, 64); larger ones are binned, each value the largest of its block.
    mean : (T, T) array or None
        The mean over the heads, for rollouts; only of runs that are small.
    """

    log_sum_exp: Array
    distance: Array
    high: float
    head_highs: Array
    mean_high: float
    thumbnails: Array
    mean: Array | None


class AttentionLayers:
    """Summaries of a trace's layers, each worked out when it is first asked for, from any thread.

    Parameters
    ----------
    trace : Trace
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._locks = [threading.Lock() for _ in trace.blocks]
        self._known: dict[int, LayerSummary] = {}
        self._places = _distances(trace)
        #: Up to every layer.
        self.rollouts = Rollouts(self._mean_attention)

    @property
    def weights(self) -> int:
        """How many attention weights the run has, all layers and heads."""
        layers, heads = self.trace.q.shape[:2]
        return int(layers * heads * self.trace.num_tokens**2)

    @property
    def uniform_distance(self) -> float:
        """The distance of a head that looks everywhere alike, in patches."""
        return float(self._places.mean()) if self._places.size else 0.0

    @property
    def small(self) -> bool:
        """Whether the means over the heads are kept, and rollouts cost next to nothing."""
        heads, tokens = self.trace.q.shape[1], self.trace.num_tokens
        return heads * tokens**2 <= _SAMPLED and len(self._locks) * tokens**2 * 4 <= _KEPT_MEANS

    def known(self, layer: int) -> LayerSummary | None:
        """A layer's summary, if it is there already."""
        return self._known.get(layer)

    def summary(self, layer: int) -> LayerSummary:
        """A layer's summary."""
        with self._locks[layer]:
            if layer not in self._known:
                self._known[layer] = self._summarise(layer)
            return self._known[layer]

    def _summarise(self, layer: int) -> LayerSummary:
        block, tokens, prefix = self.trace.blocks[layer], self.trace.num_tokens, self.trace.num_prefix
        heads = len(block.q)
        step = max(1, math.ceil(heads * tokens * tokens / _SAMPLED))
        scale = np.float32(block.q.shape[-1] ** -0.5)
        lse = np.empty((heads, tokens), dtype=np.float32)
        distance = np.empty(heads, dtype=np.float32)
        head_highs = np.empty(heads, dtype=np.float32)
        side = min(tokens, THUMBNAIL)
        starts = np.arange(side) * tokens // side
        thumbnails = np.empty((heads, side, side), dtype=np.float32)
        sampled: list[Array] = []
        total = np.zeros((len(range(0, tokens, step)), tokens), dtype=np.float32)
        # Head by head: all heads of a model with small patches would not fit into memory together.
        for head in range(heads):
            weights = (block.q[head] * scale) @ block.k[head].T
            largest = weights.max(axis=-1, keepdims=True)
            np.exp(weights - largest, out=weights)
            sums = weights.sum(axis=-1, keepdims=True)
            weights /= sums
            lse[head] = (largest + np.log(sums))[:, 0]
            among = weights[prefix:, prefix:]
            seen = among.sum(axis=-1)
            far = np.einsum("qk,qk->q", among, self._places)
            distance[head] = float((far / np.where(seen > 0, seen, 1)).mean()) if len(seen) else 0.0
            rows = weights[::step]
            head_highs[head] = np.percentile(rows, _PERCENTILE)
            total += rows
            sampled.append(rows if step == 1 else rows.copy())
            if side < tokens:
                thumbnails[head] = np.maximum.reduceat(np.maximum.reduceat(weights, starts, axis=0), starts, axis=1)
            else:
                thumbnails[head] = weights
        total /= heads
        return LayerSummary(
            log_sum_exp=lse,
            distance=distance,
            high=float(np.percentile(np.stack(sampled), _PERCENTILE)),
            head_highs=head_highs,
            mean_high=float(np.percentile(total, _PERCENTILE)),
            thumbnails=thumbnails,
            mean=total if self.small else None,
        )

    def matrix_thumbnails(self) -> Array:
        """(L, h, s, s): every head's 𝑨, small."""
        return np.stack([self.summary(layer).thumbnails for layer in range(len(self._locks))])

    def token_thumbnails(self, token: int, direction: Direction) -> Array:
        """Where one token looks, or who looks at it, in every head of every layer.

        Parameters
        ----------
        token : int
        direction : {"looks", "seen"}

        Returns
        -------
        (L, h, rows, cols) array
            At each patch's place on the photo, ``nan`` where the run has no such token; at most 64 × 64, where the
            grid is finer each value is the largest of its block.
        """
        return np.stack([on_grid(self.trace, weights) for weights in self._of_token(token, direction)])

    def _of_token(self, token: int, direction: Direction) -> Iterator[Array]:
        scale = np.float32(self.trace.q.shape[-1] ** -0.5)
        for layer, block in enumerate(self.trace.blocks):
            if direction == "looks":
                yield block.attention_rows(token)
            else:
                scores = np.einsum("htd,hd->ht", block.q, block.k[:, token]) * scale
                yield np.exp(scores - self.summary(layer).log_sum_exp)

    def _mean_attention(self, layer: int) -> Array:
        mean = self.summary(layer).mean if self.small else None
        return head_attention(self.trace, layer, MEAN) if mean is None else mean


def on_grid(trace: Trace, weights: Array) -> Array:
    """Weights of the tokens, laid out as the photo is.

    Parameters
    ----------
    trace : Trace
    weights : (…, T) array

    Returns
    -------
    (…, rows, cols) array
        Without the prefix; ``nan`` where the run has no such token; at most 64 × 64.
    """
    rows, cols = trace.grid
    places = np.full((*weights.shape[:-1], rows * cols), np.nan, dtype=np.float32)
    places[..., trace.patch_index] = weights[..., trace.num_prefix :]
    grid = places.reshape(*weights.shape[:-1], rows, cols)
    if max(rows, cols) <= THUMBNAIL:
        return grid
    row_starts, col_starts = (np.arange(min(n, THUMBNAIL)) * n // min(n, THUMBNAIL) for n in (rows, cols))
    # fmax leaves nan out where a block has other values.
    binned: Array = np.fmax.reduceat(np.fmax.reduceat(grid, row_starts, axis=-2), col_starts, axis=-1)
    return binned


def _distances(trace: Trace) -> Array:
    """(N, N): between the places of the patches, in patches."""
    y, x = np.divmod(trace.patch_index, trace.grid[1])
    distances: Array = np.hypot(y[:, None] - y[None, :], x[:, None] - x[None, :]).astype(np.float32)
    return distances
