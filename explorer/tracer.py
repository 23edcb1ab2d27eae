"""From a request to a trace, without making anyone wait: the latest request wins, stale answers are dropped.

A :class:`TraceRequest` says all that a trace depends on. A :class:`Tracer` answers requests from one thread of its
own, so that the page stays alive while a model is downloaded, loaded or run. What it needs from the outside is
handed to it (the function that answers, the function that brings the answer back to the caller's thread), so that
the same requests can later be answered by another process or another machine.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from explorer.errors import Cancelled
from explorer.model_store import ModelStore
from explorer.worker import Deliver, Say, Worker

if TYPE_CHECKING:
    from explorer.images import Picture
    from explorer.interventions import Intervention
    from explorer.labels import Labels
    from explorer.models import ExplorerModel
    from explorer.trace import Trace

__all__ = [
    "Answerer",
    "ModelAnswerer",
    "Progress",
    "TraceAnswer",
    "TraceRequest",
    "Tracer",
]

#: Traces and their photos are kept until together they are larger than this; a trace of the bundled model is about
#: 3 MB, a photo of twelve megapixels 36.
REMEMBERED_BYTES = 150_000_000


@dataclass(frozen=True, kw_only=True)
class TraceRequest:
    """All that a trace depends on.

    Parameters
    ----------
    picture : Picture
        The upright picture, whole.
    crop : (float, float)
        Where the square crop lies, as fractions of the way that it can be moved (0.5, 0.5: centred).
    model : str
        Name of a bundled or timm model, or a folder.
    random_weights : bool
        Look at the architecture alone.
    patch_size, image_size : int
        Sides in pixels; 0 is the model's own.
    intervention : Intervention or None
        What is changed in the run.
    """

    picture: Picture
    model: str = "bundled"
    random_weights: bool = False
    crop: tuple[float, float] = (0.5, 0.5)
    patch_size: int = 0
    image_size: int = 0
    intervention: Intervention | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What two requests with the same answer have in common (the picture by the digest of its bytes)."""
        return (
            self.picture.digest,
            self.model,
            self.random_weights,
            self.crop,
            self.patch_size,
            self.image_size,
            self.intervention,
        )


@dataclass(frozen=True, kw_only=True)
class TraceAnswer:
    """A trace, with the request that it answers and the names of the classes."""

    request: TraceRequest
    trace: Trace
    labels: Labels


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is being done: ``phase`` is *loading*, *downloading* or *tracing*; ``total`` 0 where nobody knows."""

    phase: str
    done: int = 0
    total: int = 0


Report = Callable[[Progress], None]
Answerer = Callable[[TraceRequest, Report, Callable[[], bool]], TraceAnswer]

#: A page shows one trace: all requests are of one key, and supersede each other.
_KEY = "trace"


class ModelAnswerer:
    """Answers requests in this process: loads (and downloads) models, runs them, remembers both.

    Parameters
    ----------
    models : ModelStore, optional
        The loaded models; others may use the same.
    """

    def __init__(self, models: ModelStore | None = None) -> None:
        self.models = models or ModelStore()
        self._answers: OrderedDict[tuple[object, ...], TraceAnswer] = OrderedDict()

    def __call__(self, request: TraceRequest, report: Report, cancelled: Callable[[], bool]) -> TraceAnswer:
        """Answer one request; see :class:`Tracer`."""
        known = self._answers.get(request.key)
        if known is not None:
            self._answers.move_to_end(request.key)
            return known
        model = self._model(request, report, cancelled)
        if cancelled():
            raise Cancelled
        report(Progress(phase="tracing"))
        from explorer.engine import trace_image

        trace = trace_image(
            model,
            request.picture,
            patch_size=request.patch_size or None,
            image_size=request.image_size or None,
            crop=request.crop,
            intervention=request.intervention,
        )
        answer = TraceAnswer(request=request, trace=trace, labels=model.labels)
        self._answers[request.key] = answer
        while len(self._answers) > 1 and self._nbytes() > REMEMBERED_BYTES:
            self._answers.popitem(last=False)
        return answer

    def _nbytes(self) -> int:
        """Bytes of all that is remembered; answers to one photo (other crops, sizes, models) share its pixels."""
        answers = self._answers.values()
        photos = {id(pixels): pixels.nbytes for pixels in (answer.request.picture.pixels for answer in answers)}
        return sum(answer.trace.nbytes for answer in answers) + sum(photos.values())

    def _model(self, request: TraceRequest, report: Report, cancelled: Callable[[], bool]) -> ExplorerModel:
        return self.models.get(
            request.model,
            random_weights=request.random_weights,
            loading=lambda: report(Progress(phase="loading")),
            downloading=lambda done, total: report(Progress(phase="downloading", done=done, total=total)),
            cancelled=cancelled,
        )


class Tracer:
    """Answers the latest request, in a thread of its own.

    Parameters
    ----------
    on_answer : callable
        Called with a :class:`TraceAnswer`, on the caller's side.
    on_failure : callable
        Called with the request and the exception: an :class:`~explorer.errors.ExplorerError` where the failure
        is an expected one.
    on_progress : callable
        Called with a :class:`Progress`.
    answerer : callable, optional
        What turns a request into an answer; by default a :class:`ModelAnswerer`.
    deliver : callable, optional
        What brings calls back to the caller's thread; by default :func:`~explorer.worker.kernel_delivery`.

    Notes
    -----
    Of requests made while another is being answered only the last is kept. The one under way is asked to stop (it
    waits for its model no longer; a run ends when it is through) and whatever it still says is dropped. A model that is
    on its way stays so for the request that takes its place; see :class:`~explorer.model_store.ModelStore`.
    """

    def __init__(
        self,
        *,
        on_answer: Callable[[TraceAnswer], None],
        on_failure: Callable[[TraceRequest, BaseException], None],
        on_progress: Callable[[Progress], None] = lambda progress: None,
        answerer: Answerer | None = None,
        deliver: Deliver | None = None,
    ) -> None:
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._on_progress = on_progress
        self._answerer = answerer or ModelAnswerer()
        self._worker = Worker("vit-explorer-tracer", deliver)

    def submit(self, request: TraceRequest) -> None:
        """Ask for a trace; earlier requests are no longer wanted."""

        def work(say: Say, cancelled: Callable[[], bool]) -> TraceAnswer:
            answer = self._answerer(request, lambda progress: say(lambda: self._on_progress(progress)), cancelled)
            return answer if answer.request is request else replace(answer, request=request)

        self._worker.submit(_KEY, work, self._on_answer, lambda error: self._on_failure(request, error))

    def cancel(self) -> None:
        """Want nothing any more; the request under way is asked to stop."""
        self._worker.cancel()

    def close(self) -> None:
        """Cancel, and let the thread end."""
        self._worker.close()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is asked for or under way (for scripts and tests; a page never waits).

        Returns
        -------
        bool
            False if ``timeout`` seconds went by first.
        """
        return self._worker.wait(timeout)
