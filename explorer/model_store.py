"""Loaded models, shared by all threads of a page: each is loaded once, the last few are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
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
#: Seconds between two looks at whether a model is still wanted by one who waits for it.
_PATIENCE = 0.1
#: Seconds that a download goes on when nobody waits for it any more. A request that is replaced (another crop, another
#: photo) stops waiting at once, and the one in its place comes a moment later, mostly for the same model: a download
#: cannot be taken up again, so that moment must not end it. One that was cancelled ends so much later.
_LINGER = 2.0


@dataclass(eq=False)
class _Load:
    """A model on its way, and who waits for it; guarded by the store's lock."""

    waiting: int = 0
    #: When the last of those who waited went away.
    left: float = 0.0
    #: Bytes that are there, and all; None before a download has begun.
    progress: tuple[int, int] | None = None
    #: What became of it.
    result: ExplorerModel | BaseException | None = None


class ModelStore:
    """Loads (and downloads) models, and keeps the last ones.

    Parameters
    ----------
    size : int
        How many are kept, small ones not counted.

    Notes
    -----
    Each model is loaded in a thread of its own, so that a load belongs to all who want the model and to none of them:
    who does not want it any more goes away at once, and who comes while it is on its way joins in. A download stops
    when nobody has waited for it for a moment.
    """

    def __init__(self, size: int = REMEMBERED_MODELS) -> None:
        self._size = size
        self._changed = threading.Condition()
        self._models: OrderedDict[tuple[str, bool], ExplorerModel] = OrderedDict()
        self._loads: dict[tuple[str, bool], _Load] = {}

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
            Told how many bytes of how many are there, in the calling thread.
        cancelled : callable, optional
            Asked whether the model is still wanted by the caller.

        Raises
        ------
        Cancelled
            If it is no longer wanted before it is there.
        ExplorerError
            If it cannot be loaded; see :func:`explorer.load_model`.
        """
        key = (name, random_weights)
        known = self._known(key)
        if known is not None:
            return known
        if loading is not None:
            loading()
        load = self._join(key)
        told: tuple[int, int] | None = None
        try:
            while (result := load.result) is None:
                if cancelled is not None and cancelled():
                    raise Cancelled
                with self._changed:
                    if load.result is None and load.progress == told:
                        self._changed.wait(_PATIENCE)
                    progress = load.progress
                if downloading is not None and progress is not None and progress != told:
                    downloading(*progress)
                told = progress
        finally:
            with self._changed:
                load.waiting -= 1
                load.left = monotonic()
        if isinstance(result, BaseException):
            raise result
        return result

    def add(self, name: str, model: ExplorerModel, *, random_weights: bool = False) -> None:
        """Keep a model that was loaded or made elsewhere under a name."""
        with self._changed:
            self._models[name, random_weights] = model
            self._models.move_to_end((name, random_weights))
            small = [key for key, each in self._models.items() if each.spec.num_params <= SMALL]
            large = [key for key in self._models if key not in small]
            for key in large[: -self._size] + small[:-_REMEMBERED_SMALL]:
                del self._models[key]

    def _known(self, key: tuple[str, bool]) -> ExplorerModel | None:
        with self._changed:
            model = self._models.get(key)
            if model is not None:
                self._models.move_to_end(key)
            return model

    def _join(self, key: tuple[str, bool]) -> _Load:
        """Wait with others for a model, or be the first."""
        with self._changed:
            load = self._loads.get(key)
            if load is None:
                load = _Load(result=self._known(key))  # it may have come since the last look
                if load.result is None:
                    # A daemon: a kernel that ends does not wait for a download.
                    threading.Thread(
                        target=self._load, args=(key, load), name="vit-explorer-model", daemon=True
                    ).start()
                    self._loads[key] = load
            load.waiting += 1
            return load

    def _load(self, key: tuple[str, bool], load: _Load) -> None:
        name, random_weights = key

        def downloading(done: int, total: int) -> None:
            with self._changed:
                load.progress = (done, total)
                self._changed.notify_all()

        def unwanted() -> bool:
            with self._changed:
                if load.waiting or monotonic() - load.left < _LINGER:
                    return False
                self._forget(key, load)  # who comes now must not wait for what is being stopped
                return True

        result: ExplorerModel | BaseException
        try:
            from explorer.models import load_model

            result = load_model(name, pretrained=not random_weights, progress=downloading, cancelled=unwanted)
            self.add(name, result, random_weights=random_weights)
        except BaseException as error:  # noqa: BLE001 - raised again by each of those who wait
            result = error
        with self._changed:
            load.result = result
            self._forget(key, load)
            self._changed.notify_all()

    def _forget(self, key: tuple[str, bool], load: _Load) -> None:
        if self._loads.get(key) is load:
            del self._loads[key]
