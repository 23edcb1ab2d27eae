"""Long work of the page, beside its traces: experiments that run a model many times.

A :class:`Job` says what is to be worked out and all that its result depends on. A :class:`JobRunner` works jobs off in
one thread of its own: the latest of each key wins, what is no longer wanted is asked to stop and never heard of again,
and results are remembered.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.errors import Cancelled
from explorer.model_store import ModelStore
from explorer.trace import Trace
from explorer.tracer import TraceRequest
from explorer.worker import Deliver, Say, Worker

if TYPE_CHECKING:
    from explorer.models import ExplorerModel

__all__ = ["Job", "JobRunner", "Report", "Work"]

#: ``report(done, total)``: how far the work is.
Report = Callable[[int, int], None]
#: ``work(model, report, cancelled)``: gives the result.
Work = Callable[["ExplorerModel", Report, Callable[[], bool]], Any]

#: Results are kept until together they are larger than this; four traces of a ViT-B/16 are 120 MB.
REMEMBERED_BYTES = 200_000_000
#: Seconds between two words on how far a job is; more would only keep the page busy.
_PACE = 0.05


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be worked out.

    Parameters
    ----------
    key : hashable
        Whose work it is: a later job with the same key takes its place.
    request : TraceRequest
        Picture, crop, model, sizes: what the work starts from.
    run : callable
        ``run(model, report, cancelled)``, called in the runner's thread with the request's model; may raise
        :class:`~explorer.errors.Cancelled` once ``cancelled()`` says so.
    options : hashable
        All that the result depends on besides the request.
    remembered : bool
        Whether the same request and options may be answered with the result of before.
    """

    key: Hashable
    request: TraceRequest
    run: Work
    options: Hashable = ()
    remembered: bool = True

    @property
    def memory(self) -> Hashable:
        """What two jobs with the same result have in common."""
        return (self.key, self.request.key, self.options)


class JobRunner:
    """Works jobs off, one at a time, in a thread of its own.

    Parameters
    ----------
    models : ModelStore, optional
        The loaded models; the page's tracer has the same.
    deliver : callable, optional
        What brings calls back to the caller's thread; by default :func:`~explorer.worker.kernel_delivery`.

    Notes
    -----
    Jobs of different keys wait for each other in the order in which they were submitted.
    """

    def __init__(self, *, models: ModelStore | None = None, deliver: Deliver | None = None) -> None:
        self.models = models or ModelStore()
        self._worker = Worker("vit-explorer-jobs", deliver)
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def submit(
        self,
        job: Job,
        on_result: Callable[[Any], None],
        on_failure: Callable[[BaseException], None],
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Have a job done; earlier ones of its key are no longer wanted.

        Parameters
        ----------
        job : Job
        on_result : callable
            Called with the result, on the caller's side; at once (or in the loop's next turn) if it is remembered.
        on_failure : callable
            Called with the exception: an :class:`~explorer.errors.ExplorerError` where the failure is an expected one.
        on_progress : callable
            Called with what is done and what there is to do; ``(0, 0)`` where nobody knows.
        """
        known = self._known(job) if job.remembered else None
        if known is not None:
            self._worker.reply(job.key, lambda: on_result(known[0]))
            return

        def work(say: Say, cancelled: Callable[[], bool]) -> Any:
            return self._run(job, _paced(lambda done, total: say(lambda: on_progress(done, total))), cancelled)

        self._worker.submit(job.key, work, on_result, on_failure)

    def cancel(self, key: Hashable | None = None) -> None:
        """Want nothing of a key any more (or nothing at all); what is under way is asked to stop."""
        self._worker.cancel(key)

    def close(self) -> None:
        """Cancel everything, and let the thread end."""
        self._worker.close()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is waiting or under way (for scripts and tests; a page never waits).

        Returns
        -------
        bool
            False if ``timeout`` seconds went by first.
        """
        return self._worker.wait(timeout)

    def _run(self, job: Job, report: Report, cancelled: Callable[[], bool]) -> Any:
        request = job.request
        model = self.models.get(request.model, random_weights=request.random_weights, cancelled=cancelled)
        if cancelled():
            raise Cancelled
        result = job.run(model, report, cancelled)
        if job.remembered:
            self._remember(job.memory, result)
        return result

    def _known(self, job: Job) -> tuple[Any, int] | None:
        with self._lock:
            known = self._results.get(job.memory)
            if known is not None:
                self._results.move_to_end(job.memory)
            return known

    def _remember(self, memory: Hashable, result: Any) -> None:
        with self._lock:
            self._results[memory] = result, _size(result)
            while len(self._results) > 1 and sum(size for _, size in self._results.values()) > REMEMBERED_BYTES:
                self._results.popitem(last=False)


def _paced(report: Report) -> Report:
    """Pass on the first word, the last, and in between not more than the page can show."""
    told = float("-inf")

    def paced(done: int, total: int) -> None:
        nonlocal told
        now = monotonic()
        if now - told < _PACE and done < total:
            return
        told = now
        report(done, total)

    return paced


def _size(value: Any) -> int:
    """Bytes of all arrays in a result; weights, which traces share, not counted."""
    if isinstance(value, np.ndarray | Trace):
        return int(value.nbytes)
    if is_dataclass(value) and not isinstance(value, type):
        return sum(_size(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return sum(_size(each) for each in value.values())
    if isinstance(value, tuple | list):
        return sum(_size(each) for each in value)
    return 0
