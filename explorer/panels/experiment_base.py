"""What all experiments have in common: words, run and stop, what is remembered, and a change that all stages show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, ClassVar

import ipywidgets as W
import numpy as np

from explorer.errors import ExplorerError, MessageValue
from explorer.interventions import Intervention
from explorer.jobs import Job
from explorer.panels.base import box, html, token_name
from explorer.panels.experiment_answers import class_name, percent
from explorer.panels.experiment_parts import Experiment, RunningBox, button
from explorer.panels.stems import picture_stem
from explorer.state import ExplorerState
from explorer.texts import catalogue, error_text, text
from explorer.trace import Trace
from explorer.tracer import TraceRequest
from explorer.widgets.choice import Choice

__all__ = ["Experiment", "ExperimentPanel", "button"]


class ExperimentPanel(W.VBox):
    """One experiment of stage 7.

    Parameters
    ----------
    state : ExplorerState

    Notes
    -----
    A subclass names itself (``name``: its section of the catalogues is ``experiment-<name>``, with ``title``,
    ``what`` (what is changed) and ``look`` (what to look for)) and has

    - :meth:`build`: its widgets, made once;
    - :meth:`fit`: bring the controls in line with a model, picture or size that is new;
    - :meth:`experiment`: what is to be worked out with the controls as they are;
    - :meth:`show`: the result on the page, also called when the language changes;
    - :meth:`follow`: another token, dimension, layer or head was picked on the page;
    - :meth:`clear`: there is no result (any more), where :attr:`automatic` is off;
    - :meth:`intervention`: the changed run that all stages may show, if there is one.

    Where the user changes a control, it calls :meth:`changed`. Experiments that are quick run by themselves then;
    the others (``automatic = False``) have a button to run.
    """

    name: ClassVar[str]
    automatic: ClassVar[bool] = True

    def __init__(self, state: ExplorerState) -> None:
        self.state = state
        self.result: Any = None
        self._built = False
        self._key: object = None
        self._parts: set[str] = set()
        self._running = False
        self._following = False
        self._quiet = False
        self._error: ExplorerError | None = None
        self._words = html("vx-experiment-words")
        self._run = button(self._guarded(self.start), "vx-experiment-run", "vx-primary-button")
        self._stop = button(self._guarded(self.stop), "vx-experiment-stop")
        self._reset = button(self._guarded(self.reset), "vx-experiment-reset")
        self._running_box = RunningBox(self._stop)
        self._failure = html("vx-experiment-failure")
        self._everywhere = Choice(kind="segments", options=[{"value": "own", "label": ""}], value="own")
        self._everywhere.add_class("vx-experiment-everywhere")
        self.listen(self._everywhere, "value", lambda value: self._follow(value == "changed"))
        self._body = box(classes=["vx-experiment-body"])
        super().__init__([self._words, self._body])
        for css in ("vx-experiment", f"vx-experiment-{self.name}"):
            self.add_class(css)

    # -- for subclasses --------------------------------------------------------------------------------------------

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """The experiment's widgets; :meth:`controls` and :attr:`switch` among them."""
        raise TypeError(f"{type(self).__name__} has no build()")

    def fit(self, trace: Trace) -> None:
        """Bring the controls in line with a new model, picture or size."""

    def experiment(self, trace: Trace) -> Experiment | None:
        """What is to be worked out; None where there is nothing to run."""
        raise TypeError(f"{type(self).__name__} has no experiment()")

    def words(self, trace: Trace) -> None:
        """Labels of the controls in the page's language; called before the first result, too."""

    def show(self, trace: Trace, result: Any) -> None:
        """Show a result."""
        raise TypeError(f"{type(self).__name__} has no show()")

    def follow(self, trace: Trace, changes: frozenset[str]) -> None:
        """What is picked on the page (token, dimension, layer, head) may have changed, while there is a result."""

    def clear(self, trace: Trace) -> None:
        """Show that there is no result (yet)."""

    def reset_controls(self, trace: Trace) -> None:
        """Back to how the experiment begins."""

    def intervention(self) -> Intervention | None:
        """The change of the run that was worked out last; None where there is none that stages could show."""
        return None

    def say(self, key: str, /, **values: MessageValue) -> str:
        """A text of this experiment, or one that all of them share, in the page's language."""
        own = f"experiment-{self.name}.{key}"
        language = self.state.language
        return text(own if own in catalogue(language) else f"experiments.{key}", language, **values)

    def class_name(self, index: int) -> str:
        """What a class is called in the page's language."""
        return class_name(self.state.labels, index, self.state.language)

    def place_name(self, patch: int) -> str:
        """*patch 12 (row 1, column 4)*: a place of the grid, with or without a token in the shown run."""
        row, col = divmod(patch, 1 if self.state.trace is None else self.state.trace.grid[1])
        return text("page.token-patch", self.state.language, patch=patch, row=row, col=col)

    def token_name(self, token: int) -> str:
        """What a token of the shown run is called."""
        trace = self.state.trace
        return "" if trace is None else token_name(trace, token, self.state.language)

    def stem(
        self, *what: str | int, run: Trace | None = None, layer: int | None = None, head: int | None = None
    ) -> str:
        """A file name for a saved picture, of the shown run if of no other; see :func:`picture_stem`."""
        run = self.state.trace if run is None else run
        return picture_stem("experiments", self.name, *what, run=run, layer=layer, head=head)

    def verdict(self, before: Trace, after: Trace) -> str:
        """What a change did to the answer, in a sentence; nothing for a model without classes."""
        if before.logits is None or after.logits is None or before.probs is None or after.probs is None:
            return self.say("no-classes")
        first, second = int(before.logits.argmax()), int(after.logits.argmax())
        values = {
            "before": self.class_name(first),
            "after": self.class_name(second),
            "prob_before": percent(float(before.probs[first])),
            "prob_after": percent(float(after.probs[first])),
            "prob_new": percent(float(after.probs[second])),
            "logits": f"{np.abs(after.logits - before.logits).max():.2f}",
        }
        return self.say("verdict-same" if first == second else "verdict-other", **values)

    def controls(self, *widgets: W.Widget) -> W.Box:
        """The row of an experiment's controls, then run, reset and how far it is."""
        own = () if self.automatic else (self._run,)
        row = box(*widgets, *own, self._reset, self._running_box, classes=["vx-row", "vx-experiment-controls"])
        return box(row, self._failure, classes=["vx-experiment-above"])

    def listen(self, widget: W.Widget, names: str | Sequence[str], call: Callable[[Any], None]) -> None:
        """Call with the new value when the *user* changes a widget, not when this panel does."""

        def listener(change: dict[str, Any]) -> None:
            if not self._quiet:
                self._guarded_with(call)(change["new"])

        widget.observe(listener, names=names)

    @property
    def switch(self) -> Choice:
        """Whether all stages show the changed run."""
        return self._everywhere

    @property
    def request(self) -> TraceRequest:
        """What is shown, without any change to the run: what experiments start from."""
        request = self.state.untouched
        if request is None:
            raise RuntimeError("nothing is shown yet")
        return request

    @property
    def sizes(self) -> dict[str, Any]:
        """Keywords ``patch_size``, ``image_size`` and ``crop`` of what is shown."""
        request = self.request
        return {"patch_size": request.patch_size, "image_size": request.image_size, "crop": request.crop}

    # -- what the stage does ---------------------------------------------------------------------------------------

    def update(self, trace: Trace, changes: frozenset[str]) -> None:
        """Keep up with the state; called while the experiment is in view."""
        first = not self._built
        if first:
            self._body.children = tuple(self.build(trace))
            self._built = True
        key, anew = self.request.key, self.request.key != self._key
        if anew:
            self._key = key
            self._drop(trace)
            self.fit(trace)
        if first or anew or "language" in changes:
            self._say(trace)
            self._quietly(lambda: self.words(trace))
            if self.result is None and not self.automatic:
                self._quietly(lambda: self.clear(trace))
            elif self.result is not None and not anew:
                self._quietly(lambda: self.show(trace, self.result))
        if self.result is not None and not anew:
            self._quietly(lambda: self.follow(trace, changes))
        self._mark_switch()
        if anew and self.automatic:
            self.start()

    def leave(self) -> None:
        """Another experiment was chosen: nothing is worked out for this one any more."""
        # What is still to come is asked for again when the experiment is seen again. One that runs by itself does so
        # then; of the others the result stays, as nothing would bring it back, and showing it asks for its parts.
        if self._running or (self._parts and self.automatic):
            self._key = None
        self._cancel_parts()
        self.stop()

    # -- running ---------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """A control was changed by the user."""
        trace = self.state.trace
        if self._quiet or trace is None:
            return
        if self.automatic:
            self.start()
        else:
            self._drop(trace)
            self._quietly(lambda: self.clear(trace))

    def start(self) -> None:
        """Work out what the controls ask for."""
        trace = self.state.trace
        if trace is None:
            return
        self._fail(None)
        try:
            wanted = self.experiment(trace)
        except ExplorerError as error:
            # What is still being worked out was asked for before, and must not stand there as the answer to this.
            self.stop()
            self._fail(error)
            self._mark_stale()
            return
        if wanted is None:
            self.stop()
            return
        self._running = True
        self._show_progress(0, 0)
        self.state.jobs.submit(
            self._job(self.name, wanted),
            on_result=self._guarded_with(self._done),
            on_failure=self._guarded_with(self._failed),
            on_progress=self._show_progress,
        )

    def also(self, part: str, wanted: Experiment, show: Callable[[Any], None]) -> None:
        """Work out something beside the experiment itself, without a progress bar.

        ``part`` tells it from others of this panel, ``show`` is called with the result. It is dropped when the input
        changes, but not when the experiment itself is stopped.
        """
        key = f"{self.name}-{part}"
        self._parts.add(key)

        def done(result: Any) -> None:
            self._parts.discard(key)
            self._quietly(lambda: show(result))

        self.state.jobs.submit(
            self._job(key, wanted),
            on_result=self._guarded_with(done),
            on_failure=self._guarded_with(self._failed_part),
        )

    def _job(self, key: str, wanted: Experiment) -> Job:
        options = (type(self).__name__, wanted.options)
        return Job(key=key, request=self.request, options=options, run=wanted.run, remembered=wanted.remembered)

    def _cancel_parts(self) -> None:
        for key in self._parts:
            self.state.jobs.cancel(key)
        self._parts.clear()

    def stop(self) -> None:
        """Stop what is being worked out; what was shown before stays."""
        self.state.jobs.cancel(self.name)
        self._running = False
        self._hide_progress()

    def reset(self) -> None:
        """Back to the experiment's beginning, and the stages to the model's own run."""
        trace = self.state.trace
        if trace is None:
            return
        self.stop()
        if self._following:
            self._follow(False)
        self._quietly(lambda: self.reset_controls(trace))
        self.changed()

    def _done(self, result: Any) -> None:
        trace = self.state.trace
        self._running = False
        self._hide_progress()
        if trace is None or self.request.key != self._key:
            # Out of view the input has changed; what belongs to it is asked for when the experiment is seen again.
            return
        self._body.remove_class("vx-is-stale")
        self.result = result
        self._quietly(lambda: self.show(trace, result))
        if self._following:
            self.state.intervention = self.intervention() or None
        self._mark_switch()

    def _failed(self, error: BaseException) -> None:
        self._running = False
        self._hide_progress()
        self._mark_stale()
        self._failed_part(error)

    def _failed_part(self, error: BaseException) -> None:
        if isinstance(error, ExplorerError):
            self._fail(error)
        else:
            self.state.report(error)

    def _fail(self, error: ExplorerError | None) -> None:
        self._error = error
        sentence = "" if error is None else escape(error_text(error, self.state.language))
        self._failure.value = f"<div class='vx-message' role='alert'>{sentence}</div>" if sentence else ""

    def _drop(self, trace: Trace) -> None:
        """The result belongs to inputs that are gone."""
        self._cancel_parts()
        self.stop()
        self._fail(None)
        self._mark_stale()
        self.result = self.result if self.automatic else None

    def _mark_stale(self) -> None:
        """What is still shown is not what was asked for: it stays, pale, and the page does not jump."""
        if self.automatic:
            self._body.add_class("vx-is-stale")

    def _show_progress(self, done: int, total: int) -> None:
        if self._running:
            self._running_box.tell(done, total, self.say)

    def _hide_progress(self) -> None:
        self._running_box.rest()

    # -- all stages ------------------------------------------------------------------------------------------------

    def _follow(self, wanted: bool) -> None:
        self._following = wanted
        change = (self.intervention() or None) if wanted else None
        if self.state.intervention != change:
            self.state.intervention = change
        self._mark_switch()

    def _mark_switch(self) -> None:
        """The switch says what is so, whoever made it so (the bar can undo a change, too)."""
        change = self.intervention() if self.result is not None else None
        shown = self.state.intervention is not None and self.state.intervention == change
        if self._following and not self._running and not shown:
            self._following = False
        self._everywhere.layout.display = None if change else "none"
        self._quietly(lambda: setattr(self._everywhere, "value", "changed" if self._following else "own"))

    # -- small things ----------------------------------------------------------------------------------------------

    def _of_read(self, trace: Trace, key: str) -> str:
        """A text about what the head reads: CLS alone, or other tokens, where there is a text for that."""
        pooled, spec = f"{key}-pooled", trace.spec
        known = f"experiment-{self.name}.{pooled}" in catalogue(self.state.language)
        return self.say(pooled if known and (spec.pooling != "token" or spec.distilled) else key)

    def _say(self, trace: Trace) -> None:
        say = self.say
        self._words.value = (
            f"<h3>{escape(say('title'))}</h3>"
            f"<p class='vx-experiment-what'>{escape(self._of_read(trace, 'what'))}</p>"
            f"<p class='vx-experiment-look'><b>{escape(say('look-for'))}</b> "
            f"{escape(self._of_read(trace, 'look'))}</p>"
        )
        for widget, key in ((self._run, "run"), (self._stop, "stop"), (self._reset, "reset")):
            widget.description = say(key)
        self._everywhere.label = say("everywhere")
        options = [{"value": value, "label": say(f"everywhere-{value}")} for value in ("own", "changed")]
        self._quietly(lambda: self._everywhere.show(options, self._everywhere.value))
        self._fail(self._error)

    def _quietly(self, call: Callable[[], object]) -> None:
        """Set controls without taking that for the user's doing."""
        before, self._quiet = self._quiet, True
        try:
            call()
        finally:
            self._quiet = before

    def _guarded(self, call: Callable[[], None]) -> Callable[[Any], None]:
        return self._guarded_with(lambda _: call())

    def _guarded_with(self, call: Callable[[Any], None]) -> Callable[[Any], None]:
        def guarded(argument: Any) -> None:
            try:
                call(argument)
            except Exception as error:  # noqa: BLE001 - told on the page; a comm would only log it
                self.state.report(error)

        return guarded
