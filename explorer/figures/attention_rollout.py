"""Attention rollout up to every layer of a run, each worked out from the one before it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from explorer.analysis import roll_on
from explorer.numerics import Array

__all__ = ["Rollouts"]

#: Rollouts are kept while they take less than this; the last one always is.
_KEPT_BYTES = 32_000_000


class Rollouts:
    """Rollouts of one run, from any thread.

    Parameters
    ----------
    mean_attention : callable
        Gives a layer's 𝑨 as the mean over its heads, (T, T).
    """

    def __init__(self, mean_attention: Callable[[int], Array]) -> None:
        self._mean_attention = mean_attention
        # One at a time: who asks for a later layer while an earlier one is worked out goes on from that one.
        self._lock = threading.Lock()
        self._flows: dict[int, NDArray[np.float64]] = {}

    def known(self, layer: int) -> bool:
        """Whether the rollout up to a layer needs no work."""
        return layer in self._flows

    def up_to(self, layer: int) -> Array:
        """The rollout from the picture up to a layer, that layer included.

        Parameters
        ----------
        layer : int
            Counted from 0.

        Returns
        -------
        (T, T) array
            See :func:`explorer.analysis.rollout`.
        """
        flow = self._flows.get(layer)
        if flow is None:
            with self._lock:
                flow = self._work_out(layer)
        return flow.astype(np.float32)

    def _work_out(self, layer: int) -> NDArray[np.float64]:
        start = max((kept for kept in self._flows if kept <= layer), default=-1)
        flow = self._flows.get(start)
        for place in range(start + 1, layer + 1):
            flow = roll_on(flow, self._mean_attention(place))
            self._keep(place, flow)
        if flow is None:
            raise ValueError(f"there is no layer {layer}")
        return flow

    def _keep(self, layer: int, flow: NDArray[np.float64]) -> None:
        if (len(self._flows) + 1) * flow.nbytes > _KEPT_BYTES:
            self._flows.clear()
        self._flows[layer] = flow
