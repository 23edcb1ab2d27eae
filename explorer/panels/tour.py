"""The guided tour: a question in every stage, about the run that is shown, in the page's language.

Questions are made when the browser asks for them, so a page that is never toured pays nothing. They follow the page:
another picture, model or size makes them anew. An answer holds as long as its question is the same with the same
numbers (how long a patch's vector is does not depend on the photo; how far a head looks does).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError, MessageValue
from explorer.experiments import shuffle_patches
from explorer.jobs import Job, Report
from explorer.numerics import Array
from explorer.panels.base import token_name
from explorer.panels.numbers import difference
from explorer.state import ExplorerState
from explorer.texts import catalogue, text
from explorer.tour import QUESTIONS, Question, ask, shuffle_question
from explorer.trace import Trace
from explorer.tracer import TraceRequest
from explorer.widgets.tour import TourGuide

if TYPE_CHECKING:
    from explorer.models import ExplorerModel

__all__ = ["GuidedTour"]

#: Words of the cards that belong to no question.
_WORDS = (
    *("button", "hint", "region", "place", "progress", "back", "next", "finish", "leave", "show", "cover", "promise"),
    *("waiting", "working", "failed", "right", "wrong", "shown", "answer", "why", "look", "again"),
    *("summary", "summary-region", "summary-hint", "mark-right", "mark-wrong", "mark-shown", "mark-open"),
)
#: The stage whose answer takes a run of its own.
_RUN = "experiments"
_JOB = "tour"
_EQUALS = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"


class GuidedTour:
    """Keeps the tour's cards in step with the page.

    Parameters
    ----------
    state : ExplorerState
    stages : list of (str, int)
        Ids and numbers of the stages on the page.

    Attributes
    ----------
    guide : TourGuide
        The button, and the cards.
    close : callable
        Stops listening to the state.
    """

    def __init__(self, state: ExplorerState, stages: list[tuple[str, int]]) -> None:
        self.state = state
        self.guide = TourGuide()
        self.guide.add_class("vx-tour")
        self._stages = stages
        #: The run that the questions are about.
        self._about: Trace | None = None
        self._questions: dict[str, Question] = {}
        self._failed = False
        self.guide.observe(lambda _change: self._guarded(), names=["running", "wanted"])
        self.close = state.subscribe(self._changed)
        self._say()

    def start(self) -> None:
        """Begin the tour, as its button does."""
        self.guide.running = True

    # -- keeping up ------------------------------------------------------------------------------------------------

    def _changed(self, changes: frozenset[str]) -> None:
        if "language" in changes:
            self._say()
        if not changes.isdisjoint({"trace", "language"}):
            self._tell()

    def _guarded(self) -> None:
        try:
            self._tell()
        except Exception as error:  # noqa: BLE001 - told on the page; a comm would only log it
            self.state.report(error)

    def _say(self) -> None:
        language = self.state.language
        with self.guide.hold_sync():
            # Filled in by the browser, where the numbers are.
            self.guide.texts = {key: catalogue(language)[f"tour.{key}"] for key in _WORDS}
            self.guide.stages = [
                {"id": stage, "number": number, "name": text(f"page.nav-{stage}", language)}
                for stage, number in self._stages
            ]

    def _tell(self) -> None:
        """Write the cards that are wanted."""
        trace = self.state.trace
        if trace is None or not self.guide.running:
            return
        if trace is not self._about:
            self._about, self._questions, self._failed = trace, {}, False
        for stage in self.guide.wanted:
            if stage in QUESTIONS and stage not in self._questions:
                self._questions[stage] = ask(stage, trace)
                if stage == _RUN:
                    self._run(trace)
        self.guide.cards = {stage: self._card(trace, question) for stage, question in self._questions.items()}

    # -- the answer that takes a run -------------------------------------------------------------------------------

    def _run(self, trace: Trace) -> None:
        request = self.state.untouched
        if request is None:
            return

        def work(model: ExplorerModel, _report: Report, _cancelled: Callable[[], bool]) -> tuple[Array, Array]:
            return without_positions(model, request)

        def answered(outputs: tuple[Array, Array]) -> None:
            if self._about is trace:
                self._questions[_RUN] = shuffle_question(trace, *outputs)
                self._guarded()

        def failed(error: BaseException) -> None:
            if self._about is trace:
                self._failed = True
                self._guarded()
                # An expected failure is said in the card; another one belongs into the log as well.
                if not isinstance(error, ExplorerError):
                    self.state.report(error)

        self.state.jobs.submit(Job(key=_JOB, request=request, run=work), answered, failed)

    # -- words -----------------------------------------------------------------------------------------------------

    def _card(self, trace: Trace, question: Question) -> dict[str, Any]:
        language = self.state.language
        values: dict[str, MessageValue] = {
            name: _printed(name, value) for name, value in {**question.values, **question.found}.items()
        }
        if isinstance(token := question.values.get("token"), int):
            values["token"] = token_name(trace, token, language)

        def say(entry: str) -> str:
            # A symbol and its number stay on one line.
            return text(f"tour.{question.kind}.{entry}", language, **values).replace(" = ", _EQUALS)

        choices = [say(one) if isinstance(one, str) else f"{one:,}" for one in question.choices]
        why = "why"
        if question.kind.startswith("shuffle"):
            why = "why-same" if question.answer == "same" else "why-other"
        return {
            "id": question.id,
            "question": say("question"),
            "choices": choices,
            "right": question.right,
            "failed": self._failed and question.right < 0,
            "why": say(why) if question.right >= 0 else "",
            "look": say("look"),
        }


def without_positions(model: ExplorerModel, request: TraceRequest) -> tuple[Array, Array]:
    """What a model answers without 𝑬_pos to a picture in order, and to its patches shuffled."""
    result = shuffle_patches(
        model, request.picture, patch_size=request.patch_size, image_size=request.image_size, crop=request.crop
    )
    return result.original_without.output, result.shuffled_without.output


def _printed(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    if name == "change":
        return difference(value)
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}").replace("-", "−")
