"""Loaded models, shared by all threads of a page: each is loaded once, the last few are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from explorer.errors import Cancelled

if TYPE_CHECKING:
    from explorer.models import ExplorerModel

__all__ = ["SMALL", "ModelStore"]

#: Loaded models that are kept: the one that is shown, one beside it, and one for the way back.
REMEMBERED_MODELS = 3
#: Models up to so many weights (20 MB) are small: they do not take a large one's place. All that come with the program
#: are, and an experiment asks four of them at once.
SMALL = 5_000_000
_REMEMBERED_SMALL = 8
#: Seconds between two looks at whether a model that another thread loads is still wanted here.
_PATIENCE = 0.1


class ModelStore:
    """Loads (and downloads) models, and keeps the last ones.

    Parameters
    ----------
    size : int
        How many are kept, small ones not counted.
    """

    def __init__(self, size: int = REMEMBERED_MODELS) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._models: OrderedDict[tuple[str, bool], ExplorerModel] = OrderedDict()
        self._loading: dict[tuple[str, bool], threading.Lock] = {}

    def get(
        self,
        name: str,
        *,
        random_weights: bool = False,
        loading: Callable[[], None] | None = None,
        downloading: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> ExplorerModel:
        """A model by its name.

        Parameters
        ----------
        name : str
            As for :func:`explorer.load_model`.
        random_weights : bool
            The architecture alone.
        loading : callable, optional
            Told when the model is not there and has to be loaded.
        downloading : callable, optional
            Told how many bytes of how many are there.
        cancelled : callable, optional
            Asked whether the model is still wanted.

        Raises
        ------
        Cancelled
            If it is no longer wanted while another thread loads it.
        ExplorerError
            If it cannot be loaded; see :func:`explorer.load_model`.
        """
        key = (name, random_weights)
        known = self._known(key)
        if known is not None:
            return known
        if loading is not None:
            loading()
        with self._lock:
            turn = self._loading.setdefault(key, threading.Lock())
        # Two threads that want one model load it once; the second may be told meanwhile that it is not wanted.
        while not turn.acquire(timeout=_PATIENCE):
            if cancelled is not None and cancelled():
                raise Cancelled
        try:
            known = self._known(key)
            if known is not None:
                return known
            from explorer.models import load_model

            model = load_model(name, pretrained=not random_weights, progress=downloading, cancelled=cancelled)
            self.add(name, model, random_weights=random_weights)
            return model
        finally:
            turn.release()

    def add(self, name: str, model: ExplorerModel, *, random_weights: bool = False) -> None:
        """Keep a model that was loaded or made elsewhere under a name."""
        with self._lock:
            self._models[name, random_weights] = model
            self._models.move_to_end((name, random_weights))
            small = [key for key, each in self._models.items() if each.spec.num_params <= SMALL]
            large = [key for key in self._models if key not in small]
            for key in large[: -self._size] + small[:-_REMEMBERED_SMALL]:
                del self._models[key]

    def _known(self, key: tuple[str, bool]) -> ExplorerModel | None:
        with self._lock:
            model = self._models.get(key)
            if model is not None:
                self._models.move_to_end(key)
            return model
