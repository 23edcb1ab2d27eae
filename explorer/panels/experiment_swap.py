"""Experiment 2: another 𝑬_pos than the model's own (slides 13–17), and models that were trained with another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as W

from explorer.experiments import matching_scale, sibling_answers, swap_positions
from explorer.figures.experiment_positions import OWN_SIZE, PAPER, rms, similarity_map, strength_scale, strengths
from explorer.figures.experiments import answer_rows
from explorer.interventions import Intervention
from explorer.jobs import Report
from explorer.panels.base import box, html
from explorer.panels.experiment_answers import answer_html, shares_html
from explorer.panels.experiment_base import Experiment, ExperimentPanel
from explorer.panels.numbers import size
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets import TilesView
from explorer.widgets.choice import Choice

if TYPE_CHECKING:
    from explorer.experiments import PairResult, PositionKind, SiblingAnswer
    from explorer.models import ExplorerModel

__all__ = ["SwapPanel"]

_KINDS: tuple[PositionKind, ...] = ("own", "none", "sin1d", "sin2d", "shuffled")
_SIBLINGS = 4


class SwapPanel(ExperimentPanel):
    """The model with another table, then models that were trained with one, beside what the paper measured."""

    name = "swap"

    def __init__(self, state: ExplorerState) -> None:
        self._siblings: Sequence[SiblingAnswer] = ()
        super().__init__(state)

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """The choice of a table; before and after; the fairer comparison below."""
        self._kind = Choice(kind="segments", options=[{"value": kind, "label": ""} for kind in _KINDS], value="sin2d")
        self._kind.add_class("vx-swap-kind")
        self._strength = Choice(kind="slider", options=[{"value": OWN_SIZE, "label": ""}], value=OWN_SIZE)
        self._strength.add_class("vx-swap-strength")
        self.listen(self._kind, "value", lambda _: self._choose_kind())
        self.listen(self._strength, "value", lambda _: self.changed())
        self._columns = {key: _Column(f"vx-swap-{key}") for key in ("before", "after")}
        self._verdict = html("vx-verdict", "vx-swap-verdict")
        self._fair = html("vx-section-title")
        self._paper = html("vx-swap-paper")
        self._trained = [_Column(f"vx-sibling-{place}") for place in range(_SIBLINGS)]
        self._trained_row = box(
            *(box(column.answer, column.words, column.map, classes=["vx-cell"]) for column in self._trained),
            classes=["vx-columns", "vx-swap-siblings"],
        )
        return (
            self.controls(self._kind, self._strength),
            box(
                *(column.answer for column in self._columns.values()),
                classes=["vx-columns", "vx-columns-2", "vx-fades"],
            ),
            self._verdict,
            box(
                *(box(column.words, column.map, classes=["vx-cell"]) for column in self._columns.values()),
                classes=["vx-columns", "vx-columns-2", "vx-fades", "vx-swap-maps"],
            ),
            box(self.switch, classes=["vx-row", "vx-experiment-below"]),
            self._fair,
            self._paper,
            self._trained_row,
        )

    def fit(self, trace: Trace) -> None:
        """Not every size has sines and cosines; and the siblings are asked about the new picture."""
        dim = trace.spec.dim
        if self._kind.value in self._impossible(dim):
            self._kind.value = "none"
        picture, crop, load = self.request.picture, self.request.crop, self.state.jobs.models.get

        def run(_model: ExplorerModel, _report: Report, _cancelled: Callable[[], bool]) -> list[SiblingAnswer]:
            return sibling_answers(picture, load=load, crop=crop)

        self.also("siblings", Experiment(run=run), self._show_siblings)

    def words(self, trace: Trace) -> None:
        """Labels."""
        say = self.say
        impossible = self._impossible(trace.spec.dim)
        self._kind.label = say("kind")
        kinds = [{"value": kind, "label": say(kind), "disabled": kind in impossible} for kind in _KINDS]
        self._kind.show(kinds, self._kind.value)
        self._show_strengths(trace)
        for column in (*self._columns.values(), *self._trained):
            column.map.language = self.state.language
        self._show_siblings(self._siblings)

    def experiment(self, trace: Trace) -> Experiment:
        """One run with the chosen table."""
        picture, sizes, kind = self.request.picture, self.sizes, self._chosen()
        scale = strength_scale(self._strength.value, matching_scale(trace, kind))

        def run(model: ExplorerModel, _report: Report, _cancelled: Callable[[], bool]) -> PairResult:
            return swap_positions(model, picture, kind, scale=scale, **sizes)

        return Experiment(run=run, options=(kind, scale))

    def show(self, trace: Trace, result: PairResult) -> None:
        """Both answers, and how alike the positions of both tables are."""
        own = result.before.logits
        top = -1 if own is None else int(own.argmax())
        for key, run in (("before", result.before), ("after", result.after)):
            against = own if key == "after" else None
            rows = answer_rows(run.logits, against=against, keep=[top] if top >= 0 else [])
            table = run.pos_embed[run.num_prefix :]
            what = (key,) if key == "before" else (key, self._chosen())
            title = self.say("title-own") if key == "before" else self.say(f"title-{self._chosen()}")
            self._columns[key].show(
                answer_html(rows, self.state.labels, self.state.language, title=title, own=top),
                self.say("numbers", size=size(rms(table))) if table.any() else self.say("zero"),
                similarity_map(
                    table,
                    run.grid,
                    title=self.say("map-title"),
                    label=self.say("similarity"),
                    stem=self.stem(*what),
                ),
            )
        said = self.verdict(result.before, result.after) if result.after.intervention else self.say("nothing-changed")
        self._verdict.value = f"<p>{escape(said)}</p>"

    def reset_controls(self, trace: Trace) -> None:
        """The model's own table."""
        self._kind.value = "own"
        self._strength.value = OWN_SIZE
        self._show_strengths(trace)

    def intervention(self) -> Intervention | None:
        """The run with the other table."""
        return None if self.result is None else self.result.after.intervention

    # -- parts -----------------------------------------------------------------------------------------------------

    def _chosen(self) -> PositionKind:
        return next(kind for kind in _KINDS if kind == self._kind.value)

    @staticmethod
    def _impossible(dim: int) -> set[str]:
        return {kind for kind, divisor in (("sin1d", 2), ("sin2d", 4)) if dim % divisor}

    def _choose_kind(self) -> None:
        trace = self.state.trace
        if trace is not None:
            self._quietly(lambda: self._show_strengths(trace))
            self.changed()

    def _show_strengths(self, trace: Trace) -> None:
        """Sizes of the table, as multiples of the model's own; of the sinusoidal ones also the slides'."""
        kind = self._chosen()
        options = [
            {"value": value, "label": self.say("strength-slides") if value == "slides" else f"× {label}"}
            for value, label in strengths(kind, matching_scale(trace, kind))
        ]
        value = self._strength.value
        # A model without one has no size of its own to compare with.
        has_own = bool(trace.arrays.pos_embed[trace.num_prefix :].any())
        self._strength.label = self.say("strength" if has_own else "strength-unmatched")
        self._strength.disabled = kind == "none"
        self._strength.show(options, value if value in {option["value"] for option in options} else OWN_SIZE)

    def _show_siblings(self, siblings: Sequence[SiblingAnswer]) -> None:
        say = self.say
        self._siblings = siblings
        self._fair.value = f"<h3>{escape(say('fair-title'))}</h3><p>{escape(say('fair'))}</p>"
        bars = [(say(f"paper-{key}"), accuracy) for key, accuracy in PAPER]
        table = shares_html(bars, title=say("paper-title"))
        measured = [
            (say(f"sibling-{answer.name}"), answer.accuracy.share) for answer in siblings if answer.accuracy is not None
        ]
        notes = [say("paper")]
        if measured:
            table += shares_html(measured, title=say("siblings-title"))
            notes.append(self._how_sure(siblings))
        below = "".join(f"<p class='vx-quiet'>{escape(note)}</p>" for note in notes)
        self._paper.value = f"<div class='vx-columns vx-columns-2'>{table}</div>{below}"
        self._trained_row.layout.display = None if siblings else "none"
        for column, answer in zip(self._trained, siblings, strict=False):
            self._show_sibling(column, answer)

    def _how_sure(self, siblings: Sequence[SiblingAnswer]) -> str:
        """How far chance alone may have moved the accuracies: the widest of their intervals."""
        rates = [answer.accuracy for answer in siblings if answer.accuracy is not None]
        half = max((high - low) / 2 for low, high in (rate.interval() for rate in rates))
        return self.say("siblings-interval", count=f"{min(rate.count for rate in rates):,}", half=f"{100 * half:.1f}")

    def _show_sibling(self, column: _Column, answer: SiblingAnswer) -> None:
        rows = answer_rows(answer.trace.logits, count=3)
        table = answer.trace.pos_embed[answer.trace.num_prefix :]
        column.show(
            answer_html(rows, answer.labels, self.state.language, title=self.say(f"sibling-{answer.name}")),
            self.say("numbers", size=size(rms(table))) if table.any() else self.say("zero"),
            similarity_map(
                table,
                answer.trace.grid,
                title=self.say("map-title"),
                label=self.say("similarity"),
                stem=self.stem("trained", run=answer.trace),
            ),
        )


class _Column:
    """An answer, a word on the table behind it, and the table's similarities."""

    def __init__(self, css: str) -> None:
        self.answer = html("vx-answer-cell", css)
        self.words = html("vx-fact")
        self.map = TilesView(max_tile=44)

    def show(self, answer: str, words: str, figure: Any) -> None:
        """Show a run."""
        self.answer.value = answer
        self.words.value = f"<p>{escape(words)}</p>"
        self.map.layout.display = "none" if figure is None else None
        if figure is not None:
            self.map.show(figure)
