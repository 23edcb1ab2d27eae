"""The lesson that a notebook is in: its run, its language, and what is asked in it.

A notebook is one lesson, and a kernel runs one notebook: so there is one current lesson, and a reader need not carry
it from call to call.
"""

from __future__ import annotations

from functools import cache, cached_property
from operator import index
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError, MessageValue
from explorer.interventions import Intervention
from explorer.lessons.checks import CHECKS, Check
from explorer.lessons.judge import judge
from explorer.lessons.prediction import Prediction
from explorer.lessons.questions import QUESTIONS
from explorer.lessons.verdict import Verdict
from explorer.samples import open_sample
from explorer.texts import LANGUAGES, error_text, text

if TYPE_CHECKING:
    from explorer.models import ExplorerModel
    from explorer.panels.base import StagePanel
    from explorer.state import ExplorerState
    from explorer.trace import Trace

__all__ = ["LESSONS", "Lesson", "begin", "check", "class_names", "predict", "rerun", "stage"]

#: The lessons in their order, and the stage of the page that each shows unless told otherwise.
LESSONS = {
    "patches": "patches",
    "embedding": "embedding",
    "position": "position",
    "attention": "encoder",
    "heads": "attention",
    "mlp": "encoder",
    "classification": "classification",
}
#: The photo of all lessons.
SAMPLE = "coffee"


@cache
def _model() -> ExplorerModel:
    from explorer.models import load_model

    return load_model("bundled")


@cache
def _run(sample: str, patch_size: int | None, change: Intervention) -> Trace:
    from explorer.engine import trace_image

    return trace_image(_model(), open_sample(sample), patch_size=patch_size, intervention=change)


class LessonError(ExplorerError):
    """A failure whose sentence a reader finds below their cell, and so in the lesson's language.

    Parameters
    ----------
    code, **values
        See :class:`explorer.errors.ExplorerError`.
    language : str
    """

    def __init__(self, code: str, language: str, /, **values: MessageValue) -> None:
        super().__init__(code, **values)
        self.language = language

    def __str__(self) -> str:
        return error_text(self, self.language)


class Lesson:
    """One lesson in one language.

    Parameters
    ----------
    name : str
        A key of :data:`LESSONS`.
    language : str
    """

    def __init__(self, name: str, language: str) -> None:
        self.name = name
        self.language = language if language in LANGUAGES else "en"
        if name not in LESSONS:
            raise LessonError("lesson-unknown", self.language, name=str(name), names=", ".join(LESSONS))

    @property
    def trace(self) -> Trace:
        """The run that the lesson is about."""
        return self.run()

    @property
    def model(self) -> ExplorerModel:
        """The bundled model, loaded once."""
        return _model()

    def run(self, *, sample: str = SAMPLE, patch_size: int | None = None, **changes: Any) -> Trace:
        """The lesson's model, run once more; see :func:`rerun`."""
        return _run(sample, patch_size, Intervention(**changes))

    def say(self, key: str, /, **values: Any) -> str:
        """A text of the lessons, in the reader's language."""
        return text(f"lessons.{key}", self.language, **values)

    def check(self, name: str, answer: object) -> Verdict:
        """See :func:`check`."""
        known: Check | None = CHECKS.get(name) if isinstance(name, str) else None
        if known is None:
            names = ", ".join(key for key in CHECKS if key.startswith(f"{self.name}."))
            return Verdict(None, "unknown", self.say("unknown", name=str(name), names=names))
        mistakes = {key: wrong(self) for key, wrong in known.mistakes.items()}
        found = judge(known.kind, answer, known.truth(self), mistakes, tolerance=known.tolerance)
        hint = "" if found.right else text(f"lessons-hints.{name}", self.language)
        if found.right is None:
            return Verdict(None, "open", self.say("open"), hint=hint)
        headline = self.say("right.word" if found.right else "wrong.word")
        return Verdict(found.right, found.key, headline, self.say(found.key, **found.values), hint)

    @cached_property
    def state(self) -> ExplorerState:
        """What the lesson's stages show: one for all of them, so that a patch picked in one is picked in all."""
        from explorer.model_store import ModelStore
        from explorer.state import ExplorerState
        from explorer.tracer import ModelAnswerer

        models = ModelStore()
        models.add("bundled", _model())
        return ExplorerState(answerer=ModelAnswerer(models), picture=open_sample(SAMPLE), language=self.language)

    def stage(self, name: str | None = None, **chosen: int) -> StagePanel:
        """See :func:`stage`."""
        from explorer.panels.stages import STAGES
        from explorer.widgets.cell import replace_earlier

        panels = {panel.stage: panel for panel in STAGES}
        wanted = LESSONS[self.name] if name is None else name
        if wanted not in panels:
            raise LessonError("lesson-stage-unknown", self.language, name=str(wanted), names=", ".join(panels))
        for trait in chosen:
            if trait not in _CHOSEN:
                raise LessonError("lesson-stage-setting", self.language, name=trait, names=", ".join(_CHOSEN))
        self._choose({trait: self._place(trait, value) for trait, value in chosen.items()})
        panel = panels[wanted](self.state)
        replace_earlier(panel)
        return panel

    def _place(self, name: str, value: Any) -> int:
        """A number that a reader gave for a stage; one that is not there is refused, not clamped."""
        from explorer.state import place_ranges

        # The first run of the stages has the same sizes as the lesson's own.
        least, most = place_ranges(self.state.trace or self.trace)[name]
        try:
            place = index(value)
        except TypeError:
            place = least - 1
        if not least <= place <= most:
            code = "lesson-head-range" if name == "head" else "lesson-place-range"
            raise LessonError(code, self.language, name=name, value=str(value), most=most)
        return place

    def _choose(self, chosen: dict[str, int]) -> None:
        """Write to the state what a stage is to show; before the first run is there, as soon as it is."""
        state = self.state

        def write() -> None:
            with state.batch():
                for trait, value in chosen.items():
                    setattr(state, trait, value)

        def arrived(changes: frozenset[str]) -> None:
            if "trace" in changes:
                end()
                write()

        if state.trace is None and chosen:
            # The first run picks a token of its own, in the middle of the photo.
            end = state.subscribe(arrived)
        else:
            write()


#: What may be chosen for a stage.
_CHOSEN = ("layer", "head", "token", "dimension")

_current: list[Lesson] = []


def begin(lesson: str, language: str = "en") -> Trace:
    """Begin a lesson: all that is checked, asked and shown from now on is about it.

    Parameters
    ----------
    lesson : str
        ``patches``, ``embedding``, ``position``, ``attention``, ``heads``, ``mlp`` or ``classification``.
    language : str
        ``en`` or ``ja``.

    Returns
    -------
    Trace
        A run of the bundled model, with every array of slides 7 to 27.

    Raises
    ------
    ExplorerError
        ``lesson-unknown``.
    """
    _current[:] = [Lesson(lesson, language)]
    return _current[0].trace


def current() -> Lesson:
    """The lesson that was begun last; the first one, in English, where none was."""
    if not _current:
        _current.append(Lesson(next(iter(LESSONS)), "en"))
    return _current[0]


def check(name: str, answer: object) -> Verdict:
    """Compare an answer with what follows from the trace and the model's weights.

    Parameters
    ----------
    name : str
        Which answer it is (``patches.count``).
    answer : object
        A number, a shape or an array; anything else is told what it should have been.

    Returns
    -------
    Verdict
        Right, or what is wrong and a hint. Never an exception.
    """
    return current().check(name, answer)


def predict(name: str) -> Prediction:
    """A question to be answered before one goes on; what is true is worked out and shown after the choice.

    Parameters
    ----------
    name : str
        Which question (``patches.weights``).

    Returns
    -------
    Prediction
        A widget.

    Raises
    ------
    ExplorerError
        ``lesson-question-unknown``.
    """
    if name not in QUESTIONS:
        raise LessonError("lesson-question-unknown", current().language, name=str(name), names=", ".join(QUESTIONS))
    return Prediction(QUESTIONS[name], current())


def rerun(*, sample: str = SAMPLE, patch_size: int | None = None, **changes: Any) -> Trace:
    """Run the lesson's model once more.

    Parameters
    ----------
    sample : str
        Another sample photo: ``coffee``, ``chelsea``, ``goldfish``, ``raccoon``, ``moose`` or ``rocket``.
    patch_size : int, optional
        Another P.
    **changes
        What is to be changed in the run, as for :class:`explorer.Intervention`: ``pos_embed=None`` leaves out 𝑬_pos,
        ``permutation=order`` shuffles the patches.

    Returns
    -------
    Trace
    """
    return current().run(sample=sample, patch_size=patch_size, **changes)


def stage(name: str | None = None, **chosen: int) -> StagePanel:
    """A stage of the page, alone in a cell; the stages of a notebook are linked.

    Parameters
    ----------
    name : str, optional
        ``overview``, ``patches``, ``embedding``, ``position``, ``encoder``, ``attention``, ``classification`` or
        ``experiments``; by default the lesson's own.
    **chosen : int
        ``layer``, ``head``, ``token`` or ``dimension``, counted from 0; ``head=-1`` is the mean of the heads.

    Returns
    -------
    StagePanel
        A widget.

    Raises
    ------
    ExplorerError
        ``lesson-stage-unknown``, ``lesson-stage-setting``, ``lesson-place-range``, ``lesson-head-range``.
    """
    return current().stage(name, **chosen)


def class_names() -> tuple[str, ...]:
    """The names of the classes, in the order of the logits and in the lesson's language."""
    lesson = current()
    return lesson.model.labels.names(lesson.language)
