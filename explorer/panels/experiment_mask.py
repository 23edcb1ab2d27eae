"""Experiment 4: blank patches and switch off heads by hand; and measure what each of them does to the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Literal

import ipywidgets as W

from explorer.errors import ExplorerError
from explorer.experiments import ablate
from explorer.figures.experiment_effects import blanked
from explorer.figures.experiments import answer_rows
from explorer.images import encode_image
from explorer.interventions import Intervention
from explorer.jobs import Report
from explorer.panels.base import box, html
from explorer.panels.experiment_answers import answer_html, percent
from explorer.panels.experiment_base import Experiment, ExperimentPanel, button
from explorer.panels.experiment_effects import HeadEffectsPanel, PatchEffectsPanel
from explorer.panels.numbers import signed
from explorer.panels.photo import sharp_photo
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets import PatchView
from explorer.widgets.choice import Choice
from explorer.widgets.switch_grid import SwitchGrid

if TYPE_CHECKING:
    from explorer.experiments import PairResult
    from explorer.models import ExplorerModel

__all__ = ["MaskPanel"]

#: What can be done with blanked patches, and what one can do here at all.
_HOWS, _PARTS = ("mean", "drop"), ("hand", "patches", "heads")


class MaskPanel(ExperimentPanel):
    """Press patches and switches; or have every patch, every head switched off in turn."""

    name = "mask"

    def __init__(self, state: ExplorerState) -> None:
        self._blank: frozenset[int] = frozenset()
        #: What the blanked patches were counted on.
        self._grid = (0, 0)
        self._measures: dict[str, ExperimentPanel] = {}
        super().__init__(state)

    # -- the frame's questions -------------------------------------------------------------------------------------

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """What to do; then the photo beside the switches, and the answers below; or one of the measurements."""
        self._part = Choice(kind="segments", options=[{"value": part, "label": ""} for part in _PARTS], value="hand")
        self._part.add_class("vx-mask-part")
        self._part.observe(lambda _: self._choose_part(), names="value")
        self._how = Choice(kind="segments", options=[{"value": how, "label": ""} for how in _HOWS], value="mean")
        self._how.add_class("vx-mask-how")
        self.listen(self._how, "value", lambda _: self._change())
        self._invert = button(self._guarded(self._turn_over), "vx-mask-invert")
        self._photo = PatchView(max_size=400, pressable=True)
        self._photo.add_class("vx-mask-photo")
        self._photo.on_press(self._guarded_with(self._press))
        self._switches = SwitchGrid()
        self._switches.add_class("vx-mask-switches")
        self.listen(self._switches, "off", lambda _: self.changed())
        self._answers = {key: html("vx-answer-cell", f"vx-mask-{key}") for key in ("before", "after")}
        self._verdict = html("vx-fact", "vx-verdict", "vx-mask-verdict", "vx-fades")
        self._hand = box(
            self.controls(self._how, self._invert),
            box(
                self._photo,
                box(self._switches, self._verdict, classes=["vx-experiment-part", "vx-mask-side"]),
                classes=["vx-columns", "vx-mask-main"],
            ),
            box(*self._answers.values(), classes=["vx-columns", "vx-columns-2", "vx-mask-answers", "vx-fades"]),
            box(self.switch, classes=["vx-row", "vx-experiment-below"]),
            classes=["vx-experiment-part", "vx-mask-hand"],
        )
        self._measures = {"patches": PatchEffectsPanel(self.state), "heads": HeadEffectsPanel(self.state)}
        self._room = box(self._hand, classes=["vx-experiment-part"])
        return (self._part, self._room)

    def update(self, trace: Trace, changes: frozenset[str]) -> None:
        """Keep up, and let the measurement that is in view keep up."""
        super().update(trace, changes)
        measure = self._measures.get(str(self._part.value))
        if measure is not None:
            measure.update(trace, changes)

    def leave(self) -> None:
        """Nothing is worked out for what is not in view."""
        super().leave()
        for measure in self._measures.values():
            measure.leave()

    def fit(self, trace: Trace) -> None:
        """Another grid has other patches, another model other heads."""
        if self._grid != trace.grid:
            self._blank, self._grid = frozenset(), trace.grid
        self._show_switches(trace)
        self._show_photo(trace)

    def words(self, trace: Trace) -> None:
        """Labels."""
        say, language = self.say, self.state.language
        self._part.label = say("part")
        self._part.show([{"value": part, "label": say(f"part-{part}")} for part in _PARTS], str(self._part.value))
        self._how.label = say("how")
        self._how.show([{"value": how, "label": say(f"how-{how}")} for how in _HOWS], str(self._how.value))
        self._invert.description = say("invert")
        self._photo.language = self._switches.language = language
        self._photo.title, self._photo.hint = say("photo-title"), say("hint")
        self._switches.title, self._switches.row_hint = say("switches"), say("row-hint", row="{row}")
        self._say_blanks(trace)
        self._show_switches(trace)

    def experiment(self, trace: Trace) -> Experiment:
        """One run with the changes as they are."""
        change, request, sizes = self._change_of(trace), self.request, self.sizes
        picture = request.picture

        def run(model: ExplorerModel, _report: Report, _cancelled: Callable[[], bool]) -> PairResult:
            return ablate(model, picture, change, **sizes)

        return Experiment(run=run, options=change)

    def show(self, trace: Trace, result: PairResult) -> None:
        """The answers side by side."""
        before, after = result.before.logits, result.after.logits
        own = -1 if before is None else int(before.argmax())
        keep, labels, language = [own] if own >= 0 else [], self.state.labels, self.state.language
        rows = {
            "before": answer_rows(before, keep=keep),
            "after": answer_rows(after, against=before, keep=keep),
        }
        for key, cell in self._answers.items():
            cell.value = answer_html(rows[key], labels, language, title=self.say(key), own=own)
        self._verdict.value = f"<p>{escape(self._said(result))}</p>"

    def reset_controls(self, trace: Trace) -> None:
        """Everything on, nothing blanked."""
        self._blank = frozenset()
        self._switches.turn_off([])
        self._how.value = "mean"
        self._show_photo(trace)

    def intervention(self) -> Intervention | None:
        """What was changed in the run that is shown as *after*."""
        return None if self.result is None else self.result.after.intervention

    # -- what the reader does --------------------------------------------------------------------------------------

    def _press(self, patch: int) -> None:
        self._blank = self._blank ^ {patch}
        self._change()

    def _turn_over(self) -> None:
        rows, cols = self._grid
        self._blank = frozenset(range(rows * cols)) - self._blank
        self._change()

    def _change(self) -> None:
        if self.state.trace is not None:
            self._show_photo(self.state.trace)
        self.changed()

    def _choose_part(self) -> None:
        trace, part = self.state.trace, str(self._part.value)
        for each in self._measures.values():
            each.leave()
        measure = self._measures.get(part)
        self._room.children = (self._hand if measure is None else measure,)
        if measure is None:
            self.remove_class("vx-mask-measures")
        else:
            self.add_class("vx-mask-measures")
            if trace is not None:
                # What changed while it was out of view, it has not seen.
                measure.update(trace, frozenset(self.state.trait_names()))

    # -- parts -----------------------------------------------------------------------------------------------------

    def _change_of(self, trace: Trace) -> Intervention:
        """The controls as a change of a run."""
        rows, cols = trace.grid
        heads, off = trace.spec.heads, self._switches.places
        if len(self._blank) == rows * cols:
            raise ExplorerError("experiment-all-patches")
        masked, kept = self._blank, None
        if self._how.value == "drop" and self._blank:
            masked, kept = frozenset(), frozenset(range(rows * cols)) - self._blank
        return Intervention(
            masked=masked,
            kept=kept,
            masked_heads=[place for place in off if place[1] < heads],
            msa_off=[layer for layer, col in off if col == heads],
            mlp_off=[layer for layer, col in off if col == heads + 1],
        )

    def _show_photo(self, trace: Trace) -> None:
        how: Literal["mean", "drop"] = "drop" if self._how.value == "drop" else "mean"
        picture = blanked(sharp_photo(self.state, trace), trace.grid, self._blank, how, trace.spec.mean)
        self._photo.show_image(encode_image(picture, "jpeg"), "image/jpeg", grid=trace.grid)
        self._photo.stem = self.stem()
        self._say_blanks(trace)

    def _say_blanks(self, trace: Trace) -> None:
        said = self.say("said-drop" if self._how.value == "drop" else "said-mean")
        self._photo.readouts = [said if patch in self._blank else "" for patch in range(trace.grid[0] * trace.grid[1])]

    def _show_switches(self, trace: Trace) -> None:
        say, spec = self.say, trace.spec
        rows = [(say("layer-short", layer=layer), say("layer-long", layer=layer)) for layer in range(1, spec.depth + 1)]
        cols = [(str(head), say("head-long", head=head)) for head in range(1, spec.heads + 1)]
        self._switches.show(
            rows, [*cols, ("MSA", say("msa-long")), ("MLP", say("mlp-long"))], lead=spec.heads, cuts=spec.heads
        )

    def _said(self, result: PairResult) -> str:
        before, after = result.before, result.after
        if before.probs is None or after.probs is None or before.logits is None or after.logits is None:
            return self.say("no-classes")
        if not after.intervention:
            return self.say("verdict-nothing")
        own, now = int(before.logits.argmax()), int(after.logits.argmax())
        return self.say(
            "verdict-same" if own == now else "verdict",
            name=self.class_name(own),
            now=self.class_name(now),
            before=percent(float(before.probs[own])),
            after=percent(float(after.probs[own])),
            change=signed(float(after.logits[own] - before.logits[own]), 2),
        )
