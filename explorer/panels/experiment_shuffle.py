"""Experiment 1: the patches in another order, with and without position embeddings (slide 12)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

import ipywidgets as W
import numpy as np
from numpy.typing import NDArray

from explorer.experiments import shuffle_patches
from explorer.figures.experiments import answer_rows, rearranged, token_changes
from explorer.figures.matrix import Axis, MatrixFigure, Scale
from explorer.images import encode_image
from explorer.interventions import OWN, Intervention
from explorer.jobs import Report
from explorer.panels.base import box, html
from explorer.panels.experiment_answers import answer_html
from explorer.panels.experiment_base import Experiment, ExperimentPanel, button
from explorer.panels.numbers import difference
from explorer.panels.photo import sharp_photo
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets import MatrixView, PatchView
from explorer.widgets.choice import Choice

if TYPE_CHECKING:
    from explorer.experiments import ShuffleResult
    from explorer.models import ExplorerModel

__all__ = ["ShufflePanel"]

#: Longest side of the photos on the page.
_SIDE = 290


class ShufflePanel(ExperimentPanel):
    """Four runs: the photo and its shuffled patches, each with 𝑬_pos and without."""

    name = "shuffle"

    def __init__(self, state: ExplorerState) -> None:
        self._order: tuple[int, ...] = ()
        self._seed = 0
        super().__init__(state)

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """Two photos, one above the other; beside each its answer with 𝑬_pos, and without."""
        self._again = button(self._guarded(self._shuffle), "vx-shuffle-again")
        self._mirror = button(self._guarded(self._reflect), "vx-shuffle-mirror")
        self._photos = {key: PatchView(max_size=_SIDE, interactive=key == "after") for key in ("before", "after")}
        shuffled = self._photos["after"]
        shuffled.pressable = True
        shuffled.on_press(self._guarded_with(self._press))
        self._answers = {
            (row, col): html("vx-answer-cell", f"vx-shuffle-{row}-{col}")
            for row in ("with", "without")
            for col in ("before", "after")
        }
        self._titles = {row: html("vx-compare-title", f"vx-shuffle-{row}-title") for row in ("with", "without")}
        self._tokens = {row: MatrixView(max_size=260) for row in self._titles}
        for row, view in self._tokens.items():
            view.add_class(f"vx-shuffle-{row}-tokens")
        self._verdicts = {row: html("vx-fact", "vx-verdict", f"vx-shuffle-verdict-{row}") for row in self._titles}
        self._tokens_words = html("vx-fact", "vx-compare-photo", "vx-shuffle-words")
        # Of the changed runs, the one that all stages may show.
        self._which = Choice(kind="segments", options=[{"value": "with", "label": ""}], value="with")
        self.listen(self._which, "value", lambda _: self._choose_run())
        cells: list[W.Widget] = [html("vx-compare-photo", "vx-shuffle-corner"), *self._titles.values()]
        for col, photo in self._photos.items():
            for css in ("vx-compare-photo", f"vx-shuffle-photo-{col}"):
                photo.add_class(css)
            cells.append(photo)
            for row in self._titles:
                said = [self._verdicts[row]] if col == "after" else []
                place = f"vx-shuffle-cell-{row}-{col}"
                cells.append(box(self._answers[row, col], *said, classes=["vx-compare-cell", place]))
        cells += [self._tokens_words, *self._tokens.values()]
        return (
            self.controls(self._again, self._mirror),
            box(*cells, classes=["vx-compare"]),
            box(self.switch, self._which, classes=["vx-row", "vx-experiment-below"]),
        )

    def fit(self, trace: Trace) -> None:
        """Another grid gets another order."""
        if len(self._order) != trace.grid[0] * trace.grid[1]:
            self._order = _random_order(trace, self._seed)
        self._photos["after"].marked = []

    def words(self, trace: Trace) -> None:
        """Labels."""
        say = self.say
        self._again.description, self._mirror.description = say("again"), say("mirror")
        for key, photo in self._photos.items():
            photo.language, photo.title = self.state.language, say(f"photo-{key}")
        self._photos["after"].hint = say("hint")
        for row, title in self._titles.items():
            title.value = f"<h4>{escape(say(row))}</h4>"
        self._tokens_words.value = f"<h4>{escape(say('tokens-title'))}</h4><p>{escape(say('tokens'))}</p>"
        for view in self._tokens.values():
            view.language = self.state.language
        self._which.label = say("which")
        self._which.show([{"value": row, "label": say(row)} for row in self._titles], self._which.value)

    def experiment(self, trace: Trace) -> Experiment:
        """The four runs."""
        picture, order, sizes = self.request.picture, self._order, self.sizes

        def run(model: ExplorerModel, _report: Report, _cancelled: Callable[[], bool]) -> ShuffleResult:
            return shuffle_patches(model, picture, order, **sizes)

        return Experiment(run=run, options=order)

    def show(self, trace: Trace, result: ShuffleResult) -> None:
        """Photos, answers, and how far they differ."""
        labels, language = self.state.labels, self.state.language
        self._show_photos(result)
        runs = {
            ("with", "before"): result.original,
            ("with", "after"): result.shuffled,
            ("without", "before"): result.original_without,
            ("without", "after"): result.shuffled_without,
        }
        own = result.original.logits
        top = -1 if own is None else int(own.argmax())
        for (row, col), run in runs.items():
            before = runs[row, "before"].logits
            against = before if col == "after" else None
            rows = answer_rows(run.logits, against=against, keep=[top] if top >= 0 else [])
            # In a low window both tables of a column stand below each other, and the photos beside them.
            of = self.say(f"photo-{col}")
            self._answers[row, col].value = answer_html(rows, labels, language, own=top, of=of)
        moved = not _in_order(result.order)
        if not moved:
            verdict = self.say("nothing-moved")
        elif not result.original.pos_embed.any():
            verdict = self.say("verdict-none")
        else:
            verdict = self.verdict(result.original, result.shuffled)
        self._verdicts["with"].value = f"<p>{escape(verdict)}</p>"
        largest = {"tokens": difference(result.largest_difference)}
        if not moved:
            said = self.say("nothing-moved")
        elif own is None:
            said = self.say("verdict-without-no-classes", **largest)
        else:
            said = self.say("verdict-without", **largest, logits=difference(result.largest_logit_difference))
        self._verdicts["without"].value = f"<p>{escape(said)}</p>"
        self._show_tokens(runs, result)

    def reset_controls(self, trace: Trace) -> None:
        """The photo as it is, for a permutation of one's own."""
        self._seed = 0
        self._order = tuple(range(trace.grid[0] * trace.grid[1]))
        self._photos["after"].marked = []
        self._which.value = "with"

    def intervention(self) -> Intervention | None:
        """The shuffled run, with 𝑬_pos or without."""
        positions = OWN if self._which.value == "with" else None
        return Intervention(permutation=None if _in_order(self._order) else self._order, pos_embed=positions)

    # -- what the reader does --------------------------------------------------------------------------------------

    def _use(self, order: Sequence[int] | NDArray[np.int64]) -> None:
        self._order = tuple(int(patch) for patch in order)
        self._photos["after"].marked = []
        self.changed()

    def _shuffle(self) -> None:
        if self.state.trace is not None:
            self._seed += 1
            self._use(_random_order(self.state.trace, self._seed))

    def _reflect(self) -> None:
        """Mirror the photo patch by patch: each row the other way round."""
        if self.state.trace is not None:
            rows, cols = self.state.trace.grid
            self._use(np.arange(rows * cols).reshape(rows, cols)[:, ::-1].ravel())

    def _press(self, place: int) -> None:
        """The first press holds a patch, the second puts it in the place of another."""
        photo = self._photos["after"]
        if not photo.marked:
            photo.marked = [place]
            return
        order, held = list(self._order), photo.marked[0]
        order[held], order[place] = order[place], order[held]
        self._use(order)

    def _choose_run(self) -> None:
        if self._following:
            self.state.intervention = self.intervention()
        self._mark_switch()

    # -- parts -----------------------------------------------------------------------------------------------------

    def _show_tokens(self, runs: dict[tuple[str, str], Trace], result: ShuffleResult) -> None:
        """By how much each patch's token has changed: both pictures on one scale."""
        changes = {row: token_changes(runs[row, "before"], runs[row, "after"], result.order) for row in self._titles}
        most = max(float(values.max()) for values in changes.values())
        # Where nothing was moved there is no change, and no scale of its own.
        scale = Scale(low=0.0, high=most if most > 0 else 1.0, label=self.say("change-of-token"))
        for row, values in changes.items():
            figure = MatrixFigure(
                values=values.reshape(result.original.grid),
                rows=Axis(name=self.say("row")),
                cols=Axis(name=self.say("col")),
                scale=scale,
                title=self.say(row),
                stem=self.stem("tokens", row),
            )
            self._tokens[row].show(figure)

    def _show_photos(self, result: ShuffleResult) -> None:
        trace = result.original
        sharp = sharp_photo(self.state, trace)
        for key, order in (("before", None), ("after", result.order)):
            shown = sharp if order is None else rearranged(sharp, trace.grid, order)
            self._photos[key].show_image(encode_image(shown, "jpeg"), "image/jpeg", grid=trace.grid)
            self._photos[key].stem = self.stem(key)


def _in_order(order: Sequence[int] | NDArray[np.int64]) -> bool:
    return bool(np.array_equal(order, np.arange(len(order))))


def _random_order(trace: Trace, seed: int) -> tuple[int, ...]:
    count = trace.grid[0] * trace.grid[1]
    return tuple(int(patch) for patch in np.random.default_rng(seed).permutation(count))
