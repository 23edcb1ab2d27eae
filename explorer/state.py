"""The one observable object behind a page: what was chosen, and what came of it.

Controls write the *inputs*; a change of an input that a trace depends on makes one request. The *outputs* are
written here alone. Panels subscribe, and hear of changes that belong together (a new trace with a new layer and
head) once, as a set of names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from explorer.errors import ExplorerError
from explorer.images import Picture
from explorer.jobs import JobRunner
from explorer.model_store import ModelStore
from explorer.texts import LANGUAGES
from explorer.tracer import Answerer, ModelAnswerer, Progress, TraceAnswer, Tracer, TraceRequest
from explorer.worker import Deliver

if TYPE_CHECKING:
    from explorer.labels import Labels
    from explorer.specs import ModelSpec
    from explorer.trace import Trace

__all__ = ["MEAN_OF_HEADS", "ExplorerState", "place_ranges"]

#: Value of :attr:`ExplorerState.head` that stands for the mean over a layer's heads.
MEAN_OF_HEADS = -1

_LOG = logging.getLogger(__name__)

#: Inputs that a trace depends on.
_REQUESTED = ("picture", "crop", "model", "random_weights", "patch_size", "image_size", "intervention")
#: What an intervention was made for.
_FITTED = ("model", "random_weights", "patch_size", "image_size")

Listener = Callable[[frozenset[str]], None]


def place_ranges(trace: Trace) -> dict[str, tuple[int, int]]:
    """What can be picked in a trace: the least and the greatest layer, head, token and dimension.

    Parameters
    ----------
    trace : Trace
    """
    spec = trace.spec
    return {
        "layer": (0, spec.depth - 1),
        "head": (MEAN_OF_HEADS, spec.heads - 1),
        "token": (0, trace.num_tokens - 1),
        "dimension": (0, spec.dim - 1),
    }


class ExplorerState(traitlets.HasTraits):
    """What a page shows.

    Parameters
    ----------
    answerer : callable, optional
        What answers trace requests; see :class:`explorer.tracer.Tracer`.
    deliver : callable, optional
        What brings answers back to this thread.
    **inputs
        First values of the inputs.

    Attributes
    ----------
    picture : Picture or None
    crop : (float, float)
        Where the square crop lies (0.5, 0.5: centred).
    model : str
    random_weights : bool
        Look at the model's architecture alone.
    patch_size, image_size : int
        0 until a model is there, then the sizes that are shown.
    intervention : Intervention or None
    language : str
    layer, head : int
        Counted from 0; ``head`` may be :data:`MEAN_OF_HEADS`.
    token : int
        The picked token, prefix tokens first; with the first trace it is the patch in the middle.
    dimension : int
        The picked dimension of the embedding. Like layer, head and token it is clamped to what the trace has; before
        the first trace any number may wait for it, of token excepted.
    experiment : str
        Name of the experiment that stage 7 shows.
    trace, labels : outputs
        Of the last request that was answered.
    progress : Progress or None
        Output: what is being computed.
    failed : TraceRequest or None
        Output: the request that could not be answered.
    jobs : JobRunner
        Not a trait: what works experiments off, with the models that the traces come from.
    error : BaseException or None
        Output: what went wrong last; an :class:`~explorer.errors.ExplorerError` is told in words.
    """

    picture = traitlets.Instance(Picture, allow_none=True)
    crop = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=(0.5, 0.5))
    model = traitlets.Unicode("bundled")
    random_weights = traitlets.Bool(False)
    patch_size = traitlets.Int(0, min=0)
    image_size = traitlets.Int(0, min=0)
    intervention = traitlets.Any(None, allow_none=True)
    language = traitlets.Enum(tuple(LANGUAGES), default_value="en")
    layer = traitlets.Int(0)
    head = traitlets.Int(0)
    token = traitlets.Int(0)
    dimension = traitlets.Int(0)
    experiment = traitlets.Unicode("shuffle")

    trace: Trace | None = traitlets.Any(None, allow_none=True)  # type: ignore[assignment]
    labels: Labels | None = traitlets.Any(None, allow_none=True)  # type: ignore[assignment]
    progress: Progress | None = traitlets.Any(None, allow_none=True)  # type: ignore[assignment]
    failed: TraceRequest | None = traitlets.Any(None, allow_none=True)  # type: ignore[assignment]
    error: BaseException | None = traitlets.Any(None, allow_none=True)  # type: ignore[assignment]

    def __init__(self, *, answerer: Answerer | None = None, deliver: Deliver | None = None, **inputs: Any) -> None:
        super().__init__(**inputs)
        self._listeners: list[Listener] = []
        self._changes: set[str] = set()
        self._depth = 0
        self._settling = False
        self._answered: TraceRequest | None = None
        models = ModelStore()
        self._tracer = Tracer(
            on_answer=self._show,
            on_failure=self._fail,
            on_progress=self._report,
            answerer=answerer or ModelAnswerer(models),
            deliver=deliver,
        )
        self.jobs = JobRunner(models=models, deliver=deliver)
        self.observe(self._note, names=traitlets.All)
        if self.picture is not None:
            self.request()

    @property
    def spec(self) -> ModelSpec | None:
        """Facts of the model that is shown."""
        return None if self.trace is None else self.trace.spec

    @property
    def untouched(self) -> TraceRequest | None:
        """What would ask for the run that is shown, had nothing been changed in it."""
        if self._answered is None or self.trace is None:
            return None
        sizes = {"patch_size": self.trace.patch_size, "image_size": self.trace.image.shape[0]}
        return replace(self._answered, intervention=None, **sizes)

    @property
    def shown_picture(self) -> Picture | None:
        """What the run that is shown was made from; :attr:`picture` may be what is being computed."""
        return None if self._answered is None else self._answered.picture

    @property
    def shown_crop(self) -> tuple[float, float]:
        """Where the crop lies on :attr:`shown_picture`."""
        return self.crop if self._answered is None else self._answered.crop

    @property
    def busy(self) -> bool:
        """Whether something is being computed."""
        return self.progress is not None

    @traitlets.validate("layer", "head", "token", "dimension")
    def _within(self, proposal: dict[str, Any]) -> int:
        """A click or a slider of a larger model may arrive when another one is shown already."""
        value: int = proposal["value"]
        if self.trace is None:
            return value
        least, most = place_ranges(self.trace)[proposal["trait"].name]
        return min(max(value, least), most)

    # -- listeners -------------------------------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear of changes: ``listener`` is called with the names of all that changed together.

        Returns
        -------
        callable
            Ends the subscription; calling it again does nothing (ipywidgets closes a widget once more when it is
            collected).
        """
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Changes made inside are told once, at the end, and make at most one request."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._tell()

    def _note(self, change: dict[str, Any]) -> None:
        self._changes.add(change["name"])
        if self._depth == 0:
            self._tell()

    def _tell(self) -> None:
        changes = frozenset(self._changes)
        self._changes.clear()
        if not changes:
            return
        if not self._settling and not changes.isdisjoint(_REQUESTED):
            if "model" in changes:
                # Another model has sizes of its own, unless some were chosen together with it.
                self._settle(**{size: 0 for size in ("patch_size", "image_size") if size not in changes})
            if self.intervention is not None and not changes.isdisjoint(_FITTED) and "intervention" not in changes:
                # A change of a run names patches, layers and heads, and these are others now.
                self._settle(intervention=None)
            self.request()
        for listener in tuple(self._listeners):
            try:
                listener(changes)
            except Exception as error:  # noqa: BLE001 - one broken panel must not silence the others
                self.report(error)

    def _settle(self, **values: Any) -> None:
        """Write values that ask for nothing."""
        before, self._settling = self._settling, True
        try:
            with self.batch():
                for name, value in values.items():
                    setattr(self, name, value)
        finally:
            self._settling = before

    # -- requests and answers --------------------------------------------------------------------------------------

    def request(self) -> None:
        """Ask for the trace of the inputs as they are now; nothing happens before there is a picture."""
        if self.picture is None:
            return
        self._settle(progress=Progress(phase="loading" if self.trace is None else "tracing"), error=None)
        self._tracer.submit(
            TraceRequest(
                picture=self.picture,
                model=self.model,
                random_weights=self.random_weights,
                crop=self.crop,
                patch_size=self.patch_size,
                image_size=self.image_size,
                intervention=self.intervention,
            )
        )

    def cancel(self) -> None:
        """Stop what is being computed; the inputs return to what is shown, or to the bundled model if nothing is."""
        self._tracer.cancel()
        if self.trace is None:
            self.start_over()
        else:
            self._return()

    def start_over(self) -> None:
        """Ask for the bundled model's own run: a page that asked for another at once is not left empty without it."""
        self._settle(model="bundled", random_weights=False, patch_size=0, image_size=0, intervention=None)
        self.request()

    def dismiss(self) -> None:
        """The error was read."""
        self._settle(error=None)

    def report(self, error: BaseException) -> None:
        """Show a failure on the page; one that nobody expected goes to the log with all that is known of it."""
        if not isinstance(error, ExplorerError):
            _LOG.error("unexpected failure", exc_info=error)
        self._settle(error=error)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is being computed; see :meth:`explorer.tracer.Tracer.wait`."""
        return self._tracer.wait(timeout)

    def close(self) -> None:
        """End the threads of the tracer and of the jobs."""
        self._tracer.close()
        self.jobs.close()

    def _report(self, progress: Progress) -> None:
        self._settle(progress=progress)

    def _show(self, answer: TraceAnswer) -> None:
        trace, first = answer.trace, self.trace is None
        self._answered = answer.request
        token = self.token
        if first or not self._same_tokens(trace):
            token = self._same_place(trace)
        # The trace comes first: all that is picked is clamped to it.
        self._settle(
            trace=trace,
            labels=answer.labels,
            patch_size=trace.patch_size,
            image_size=trace.image.shape[0],
            layer=self.layer,
            head=self.head,
            token=token,
            dimension=self.dimension,
            progress=None,
            failed=None,
            error=None,
        )

    def _same_tokens(self, trace: Trace) -> bool:
        """Whether every token of the shown run has its number in another one, too."""
        old = self.trace
        if old is None or (old.grid, old.num_prefix) != (trace.grid, trace.num_prefix):
            return False
        return bool(np.array_equal(old.patch_index, trace.patch_index))

    def _same_place(self, trace: Trace) -> int:
        """The token that lies where the picked one lay, or next to it; the middle of the picture at first."""
        row, col = 0.5, 0.5
        if self.trace is not None:
            old = self.trace
            if self.token < old.num_prefix:
                return min(self.token, max(trace.num_prefix - 1, 0))
            patch = int(old.patch_index[self.token - old.num_prefix])
            row = (patch // old.grid[1] + 0.5) / old.grid[0]
            col = (patch % old.grid[1] + 0.5) / old.grid[1]
        rows, cols = trace.grid
        row, col = min(int(row * rows), rows - 1), min(int(col * cols), cols - 1)
        # The patch itself may have been dropped.
        away = (trace.patch_index // cols - row) ** 2 + (trace.patch_index % cols - col) ** 2
        return trace.num_prefix + int(away.argmin())

    def _fail(self, request: TraceRequest, error: BaseException) -> None:
        self._settle(failed=request)
        self._return()
        self.report(error)

    def _return(self) -> None:
        """Back to the inputs of what is shown, so that controls and pictures agree."""
        values: dict[str, Any] = {"progress": None}
        if self._answered is not None and self.trace is not None:
            shown = self._answered
            values |= {
                "picture": shown.picture,
                "model": shown.model,
                "random_weights": shown.random_weights,
                "crop": shown.crop,
                "patch_size": self.trace.patch_size,
                "image_size": self.trace.image.shape[0],
                "intervention": shown.intervention,
            }
        self._settle(**values)
