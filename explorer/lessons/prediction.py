"""A question with a few answers, as a widget: what is true is shown only after one was chosen."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import ipywidgets as W

from explorer.lessons.verdict import Verdict, marked_up
from explorer.texts import text
from explorer.widgets.main_shell import Button

if TYPE_CHECKING:
    from explorer.lessons.questions import Question
    from explorer.lessons.session import Lesson

__all__ = ["Prediction"]

_WORDS = "font-size:16px;line-height:1.6;max-width:60em;white-space:normal"


class Prediction(W.VBox):
    """A question to be answered before one goes on.

    Parameters
    ----------
    question : Question
    lesson : Lesson
        What the truth is worked out from, and the language.

    Attributes
    ----------
    options : tuple of str
        The answers to choose from.
    verdict : Verdict or None
        What was said to the choice; None before it.
    """

    def __init__(self, question: Question, lesson: Lesson) -> None:
        self._question, self._lesson = question, lesson
        self.verdict: Verdict | None = None
        self.options = question.options(lesson)
        self._buttons = tuple(
            Button(
                description=f"{chr(ord('a') + place)})  {option}",
                layout=W.Layout(width="auto", min_width="22em", height="auto", padding="0.2em 1em", margin="0.15em 0"),
                style={"font_size": "16px"},
            )
            for place, option in enumerate(self.options)
        )
        for place, button in enumerate(self._buttons):
            button.on_click(partial(self._clicked, place))
        self._answer = W.HTML()
        words = marked_up(text(f"lessons-questions.{question.name}.question", lesson.language))
        label = marked_up(lesson.say("predict"))
        super().__init__(
            [
                W.HTML(f'<div style="{_WORDS}"><strong>{label}</strong> {words}</div>'),
                W.VBox(self._buttons, layout=W.Layout(align_items="flex-start", overflow="visible")),
                self._answer,
            ]
        )
        self.add_class("vx-prediction")

    def _clicked(self, place: int, _button: Button) -> None:
        self.choose(place)

    def choose(self, place: int) -> Verdict:
        """Choose an answer, as a click on it does; the first choice stays.

        Parameters
        ----------
        place : int
            Counted from 0.

        Returns
        -------
        Verdict
        """
        if self.verdict is not None:
            return self.verdict
        lesson, question = self._lesson, self._question
        right, values = question.truth(lesson)
        explanation = text(f"lessons-questions.{question.name}.explanation", lesson.language, **values)
        hit = place == right
        headline = lesson.say("predict-right" if hit else "predict-wrong", answer=self.options[right])
        self.verdict = Verdict(hit, "right" if hit else "wrong", headline, explanation)
        for index, button in enumerate(self._buttons):
            # What was chosen and what is true stay easy to read, and the keyboard stays where it was.
            button.disabled = index not in (place, right)
            if not button.disabled:
                button.description = f"{'✓' if index == right else '✗'}  {self.options[index]}"
                button.style.font_weight = "bold"
        self._answer.value = self.verdict._repr_html_()
        return self.verdict
