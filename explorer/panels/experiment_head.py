"""Experiment 7: the head is taken off, and a new one trained on a few pictures of one's own (slide 27)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, ClassVar

import ipywidgets as W
import numpy as np

from explorer.errors import ExplorerError
from explorer.experiments import NewHead, train_head
from explorer.figures.experiment_head import head_shares, left_out_notes, loss_chart
from explorer.images import Picture
from explorer.jobs import Report
from explorer.numerics import Array
from explorer.panels.base import box, html
from explorer.panels.experiment_answers import percent, shares_html
from explorer.panels.experiment_base import Experiment, ExperimentPanel, button
from explorer.samples import open_sample
from explorer.state import ExplorerState
from explorer.texts import LANGUAGES, text
from explorer.trace import Trace
from explorer.tracer import TraceRequest
from explorer.widgets import ChartView
from explorer.widgets.class_pictures import CardPicture, ClassPictures, PictureClass

if TYPE_CHECKING:
    from explorer.models import ExplorerModel

__all__ = ["HeadPanel"]

_STEPS = 200
#: The curve is drawn anew at most so often while it grows.
_REDRAW_SECONDS = 0.15
#: Samples of the example's classes.
_EXAMPLE = {"animals": ("goldfish", "raccoon", "moose", "chelsea"), "things": ("coffee", "rocket")}


class HeadPanel(ExperimentPanel):
    """Classes of one's own, a linear head for them, and what it says of other pictures."""

    name = "head"
    automatic: ClassVar[bool] = False

    def __init__(self, state: ExplorerState) -> None:
        self._losses: list[float] = []
        self._drawn = 0.0
        self._vectors: Array | None = None
        super().__init__(state)

    @property
    def request(self) -> TraceRequest:
        """What training starts from: the model and its sizes; the page's picture has nothing to do with it."""
        return replace(super().request, picture=_nothing(), crop=(0.5, 0.5))

    # -- the frame's questions -------------------------------------------------------------------------------------

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """Cards of the classes; beside them, where one sees it grow, the curve, and what the head says."""
        self._example = button(self._guarded(self._use_example), "vx-head-example")
        self._empty = button(self._guarded(self._use_none), "vx-head-empty")
        self._pictures = ClassPictures()
        self._pictures.on_current(lambda: self.state.picture)
        self._pictures.on_classes(lambda: self._guarded(self.changed)(None))
        self._pictures.on_new(lambda: self._guarded(self._ask)(None))
        self._pictures.on_error(self._fail)
        self._pictures.on_file(lambda content, name: self._guarded(lambda: self._load(content, name))(None))
        self._pictures.on_save(self._save)
        self._curve = ChartView(height=260)
        self._verdict = html("vx-fact", "vx-verdict", "vx-head-verdict")
        self._answer = html("vx-answer-cell", "vx-head-answer")
        self._result_box = box(
            self._curve,
            box(self._verdict, self._answer, classes=["vx-experiment-part"]),
            classes=["vx-experiment-part", "vx-head-result"],
        )
        self._waiting = html("vx-quiet", "vx-head-waiting")
        self._quietly(self._fill_example)
        return (
            self.controls(self._example, self._empty),
            box(
                self._pictures,
                box(self._waiting, self._result_box, classes=["vx-experiment-part"]),
                classes=["vx-head-main"],
            ),
        )

    def words(self, trace: Trace) -> None:
        """Labels."""
        self._example.description, self._empty.description = self.say("example"), self.say("empty")
        self._pictures.language = self._curve.language = self.state.language
        if self.result is None:
            self._name_example()
        self._pictures.can_add = self.state.picture is not None
        self._waiting.value = f"<p>{escape(self.say('before-run'))}</p>"

    def follow(self, trace: Trace, changes: frozenset[str]) -> None:
        """Another picture on the page is one more to be classified."""
        if "trace" in changes:
            self._show_answer(trace, self.result)

    def experiment(self, trace: Trace) -> Experiment:
        """The head, trained on the pictures of the cards."""
        classes = [(each.name, tuple(each.pictures)) for each in self._pictures.classes]
        contents = {name: [each.content for each in own] for name, own in classes}
        names = [name for name, _ in classes]
        if "" in names or len(set(names)) < len(names):
            raise ExplorerError("head-class-name")
        sizes = {key: size for key, size in self.sizes.items() if key != "crop"}
        self._losses = losses = []
        self._drawn = 0.0

        def run(model: ExplorerModel, report: Report, cancelled: Callable[[], bool]) -> NewHead:
            return train_head(
                model,
                contents,
                steps=_STEPS,
                report=report,
                watch=lambda _step, loss: losses.append(loss),
                cancelled=cancelled,
                **sizes,
            )

        return Experiment(run=run, options=tuple((name, *(each.digest for each in own)) for name, own in classes))

    def clear(self, trace: Trace) -> None:
        """No head yet."""
        self._pictures.takes_new = self._pictures.can_save = False
        self._pictures.notes, self._pictures.answers = [], []
        self._pictures.refresh()
        # The next curve grows in the same place, and these words would be of another head.
        self._verdict.value = self._answer.value = ""
        self._show_result(False)

    def show(self, trace: Trace, result: NewHead) -> None:
        """The curve, how good the head is, and what it says."""
        self._show_head(trace, result)
        self._ask()

    def _show_head(self, trace: Trace, result: NewHead) -> None:
        self._pictures.takes_new = self._pictures.can_save = True
        self._show_result(True)
        self._draw(list(map(float, result.losses)))
        if [each.name for each in self._pictures.classes] == list(result.classes) and len(result.targets) == sum(
            len(each.pictures) for each in self._pictures.classes
        ):
            notes = left_out_notes(result.targets, result.left_out_answers, result.classes)
            self._pictures.notes = [[self.say("left-out", name=each) if each else "" for each in own] for own in notes]
            self._pictures.refresh()
        rate = result.leave_one_out
        low, high = rate.interval()
        said = self.say(
            "verdict",
            right=rate.hits,
            total=rate.count,
            percent=f"{rate.share:.0%}",
            low=f"{low:.0%}",
            high=f"{high:.0%}",
            first=f"{result.losses[0]:.3f}",
            last=f"{result.losses[-1]:.3f}",
            dim=len(result.weight),
            classes=len(result.classes),
        )
        self._verdict.value = f"<p>{escape(said)}</p>"
        self._show_answer(trace, result)

    def reset_controls(self, trace: Trace) -> None:
        """The example again."""
        self._fill_example()

    def stop(self) -> None:
        """Stop the training; its curve goes unless there is a head."""
        super().stop()
        self._show_no_other()

    # -- what the reader does --------------------------------------------------------------------------------------

    def _use_example(self) -> None:
        self._fill_example()
        self.changed()

    def _fill_example(self) -> None:
        self._pictures.use(
            [
                PictureClass(self.say(f"example-{name}"), [CardPicture.of(open_sample(sample)) for sample in own])
                for name, own in _EXAMPLE.items()
            ]
        )

    def _name_example(self) -> None:
        """Give the example's classes, where they still bear our names, those of the page's language."""
        for name in _EXAMPLE:
            known = {text(f"experiment-{self.name}.example-{name}", language) for language in LANGUAGES}
            for each in self._pictures.classes:
                each.name = self.say(f"example-{name}") if each.name in known else each.name
        self._pictures.refresh()

    def _use_none(self) -> None:
        self._pictures.use([PictureClass(""), PictureClass("")])
        self.changed()

    def _save(self) -> None:
        if self.result is not None:
            self._pictures.download(self.result.to_bytes(), "vit-explorer-head.safetensors")

    def _load(self, content: bytes, name: str) -> None:
        trace = self.state.trace
        if trace is None:
            return
        self.stop()
        try:
            head = NewHead.from_bytes(content, name)
            head.check_model(trace.arrays, trace.spec.name)
            if (head.patch_size, head.image_size) != (trace.patch_size, trace.image.shape[0]):
                raise ExplorerError("head-other-size", patch=head.patch_size, image=head.image_size)
        except ExplorerError as error:
            self._fail(error)
            return
        self._fail(None)
        # Shown first: a head that cannot be would fail again with every other picture of the page.
        self._quietly(lambda: self._show_head(trace, head))
        self.result = head
        self._pictures.use([PictureClass(each) for each in head.classes], self._pictures.new_pictures)
        self._ask()

    def _ask(self) -> None:
        """Have the new pictures classified."""
        head, pictures = self.result, tuple(self._pictures.new_pictures)
        if head is None or not pictures:
            return

        def run(model: ExplorerModel, _report: Report, _cancelled: Callable[[], bool]) -> Array:
            from explorer.experiments.new_head import picture_vectors

            contents = [each.content for each in pictures]
            return picture_vectors(model, contents, patch_size=head.patch_size, image_size=head.image_size)

        wanted = Experiment(run=run, options=tuple(each.digest for each in pictures))
        self.also("new", wanted, lambda vectors: self._answered(head, vectors))

    def _answered(self, head: NewHead, vectors: Array) -> None:
        if head is not self.result or len(vectors) != len(self._pictures.new_pictures):
            return
        best = (head_shares(head(vector), head.classes)[0] for vector in vectors)
        self._pictures.answers = [f"{name} {percent(share)}" for name, share in best]
        self._pictures.refresh()

    # -- parts -----------------------------------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        super()._failed(error)
        self._show_no_other()

    def _show_no_other(self) -> None:
        """The curve of a training that was stopped, or failed, leads to no head."""
        if self._built and self.result is None:
            self._show_result(False)

    def _show_result(self, there: bool) -> None:
        """The curve and what the head says, or what will be in their place."""
        self._result_box.layout.display = None if there else "none"
        self._waiting.layout.display = "none" if there else None

    def _show_progress(self, done: int, total: int) -> None:
        super()._show_progress(done, total)
        if self._running and self._losses and time.monotonic() - self._drawn > _REDRAW_SECONDS:
            self._show_result(True)
            self._draw(list(self._losses))
            self._drawn = time.monotonic()

    def _draw(self, losses: list[float]) -> None:
        say = self.say
        chart = loss_chart(losses, _STEPS, x_title=say("step"), y_title=say("loss"), title=say("curve-title"))
        self._curve.show(chart, say("curve-alt", loss=f"{losses[-1]:.3f}"), stem=self.stem("loss"))

    def _show_answer(self, trace: Trace, head: NewHead) -> None:
        """What the head says of the run that the page shows."""
        shares = head_shares(head(trace.y.mean(axis=0)), head.classes)
        self._answer.value = shares_html(shares, title=self.say("answer-title"))


def _nothing() -> Picture:
    """Stands where a picture has to stand and none matters."""
    return Picture(pixels=np.zeros((1, 1, 3), dtype=np.uint8), name="", digest="")
