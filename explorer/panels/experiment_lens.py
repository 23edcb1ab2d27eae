"""Experiment 5: how the answer forms, layer by layer (the logit lens)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import ipywidgets as W

from explorer.analysis_lens import LensResult, logit_lens, token_lens
from explorer.figures.experiment_lens import (
    OTHER_COLOR,
    chart_classes,
    class_colors,
    favourite_picture,
    lens_chart,
    shown_classes,
)
from explorer.figures.experiments import answer_rows
from explorer.images import encode_image
from explorer.interventions import Intervention
from explorer.numerics import Array
from explorer.panels.base import box, html
from explorer.panels.experiment_answers import answer_html, percent
from explorer.panels.experiment_base import Experiment, ExperimentPanel
from explorer.panels.photo import patch_of, sharp_photo, token_of
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets import ChartView, PatchView
from explorer.widgets.choice import Choice

__all__ = ["LensPanel"]


class LensPanel(ExperimentPanel):
    """The head reads every layer: the answer's way as lines, and each patch's favourite class as a map."""

    name = "lens"

    def __init__(self, state: ExplorerState) -> None:
        #: How many layers have been passed where the map and the list look; −1 before anything was shown.
        self._depth = -1
        self._asked: Intervention | None = None
        super().__init__(state)

    # -- the frame's questions -------------------------------------------------------------------------------------

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """The map on the left; the lines, and the classes after one layer, on the right."""
        self._layers = Choice(kind="slider")
        self._layers.add_class("vx-lens-layer")
        self.listen(self._layers, "value", self._choose_layer)
        self._whose = Choice(kind="segments", options=[{"value": "answer", "label": ""}], value="answer")
        self._whose.add_class("vx-lens-whose")
        self.listen(self._whose, "value", lambda _: self._show_lines())
        self._map = PatchView(max_size=460)
        self._map.add_class("vx-lens-map")
        self.listen(self._map, "selected", self._pick)
        self._legend = html("vx-lens-legend")
        self._lines = ChartView(height=300)
        self.listen(self._lines, "clicked", lambda click: self._choose_layer(click.get("point", -1)))
        self._answer = html("vx-answer-cell", "vx-lens-answer")
        self._verdict = html("vx-fact", "vx-verdict", "vx-lens-verdict")
        return (
            self.controls(self._layers, self._whose),
            box(
                box(self._map, self._legend, classes=["vx-experiment-part"]),
                box(self._lines, self._answer, classes=["vx-experiment-part", "vx-lens-side"]),
                classes=["vx-columns", "vx-lens-main", "vx-fades"],
            ),
            self._verdict,
        )

    def update(self, trace: Trace, changes: frozenset[str]) -> None:
        """Follow the run that is shown (a changed one, too), and the picked token."""
        super().update(trace, changes)
        if self._asked != trace.intervention:
            # Also while another run's lens is being worked out, which nobody wants any more.
            self.start()
        elif self.result is not None and "token" in changes:
            self._quietly(lambda: self._follow_token(trace))

    def words(self, trace: Trace) -> None:
        """Labels, and a slider of as many layers as the model has."""
        for view in (self._map, self._lines):
            view.language = self.state.language
        depth = trace.spec.depth
        self._layers.label = self.say("layer")
        self._layers.show(
            [
                {"value": layer, "label": self.say("after-layer", layer=layer, layers=depth)}
                for layer in range(depth + 1)
            ],
            self._depth,
        )
        self._map.hint = self.say("hint")
        self._name_tokens(trace)

    def fit(self, trace: Trace) -> None:
        """Another model has other layers: the last one is where to begin."""
        if len(self._layers.options) != trace.spec.depth + 1:
            self._depth = trace.spec.depth

    def experiment(self, trace: Trace) -> Experiment:
        """The lens of the run that is shown."""
        self._asked = trace.intervention
        # All that it needs is in the trace: the model is not run again.
        return Experiment(run=lambda _model, _report, _cancelled: logit_lens(trace), options=trace.intervention)

    def show(self, trace: Trace, result: LensResult) -> None:
        """Lines, map and list."""
        if len(result.logits) != trace.spec.depth + 1 or result.favourites.shape[1] != trace.num_patches:
            return  # of a run that is no longer shown; its successor is on its way
        self._verdict.value = f"<p>{escape(self._said(result))}</p>"
        self._name_tokens(trace)
        self._show_map(trace, result)
        self._show_lines()

    def reset_controls(self, trace: Trace) -> None:
        """The last layer, and the answer."""
        self._depth = trace.spec.depth
        self._layers.value = self._depth
        self._whose.value = "answer"

    # -- what the reader does --------------------------------------------------------------------------------------

    def _choose_layer(self, layer: object) -> None:
        trace = self.state.trace
        if trace is None or not isinstance(layer, int) or not 0 <= layer <= trace.spec.depth or layer == self._depth:
            return
        self._depth = layer
        self._quietly(lambda: setattr(self._layers, "value", layer))
        if self.result is not None:
            self._show_map(trace, self.result)
            self._show_lines()

    def _pick(self, patch: int) -> None:
        trace = self.state.trace
        token = None if trace is None or patch < 0 else token_of(trace, patch)
        if token is None:
            return
        self._quietly(lambda: setattr(self._whose, "value", "token"))
        if token == self.state.token:
            self._show_lines()
        else:
            self.state.token = token

    def _follow_token(self, trace: Trace) -> None:
        self._map.selected = patch_of(trace, self.state.token)
        self._name_tokens(trace)
        if self._whose.value == "token":
            self._show_lines()

    # -- parts -----------------------------------------------------------------------------------------------------

    def _name_tokens(self, trace: Trace) -> None:
        answer = self.say("reads-distilled" if trace.spec.distilled else f"reads-{trace.spec.pooling}")
        options = [
            {"value": "answer", "label": answer},
            {"value": "token", "label": self.token_name(self.state.token)},
        ]
        self._whose.label = self.say("whose")
        self._quietly(lambda: self._whose.show(options, self._whose.value))

    def _logits(self, trace: Trace, result: LensResult) -> tuple[Array, str]:
        """What is drawn as lines, and whose it is."""
        if self._whose.value == "token":
            return token_lens(trace, self.state.token), self.token_name(self.state.token)
        return result.logits, str(self._whose.options[0]["label"])

    def _show_lines(self) -> None:
        trace, result = self.state.trace, self.result
        if trace is None or result is None:
            return
        say = self.say
        logits, whose = self._logits(trace, result)
        classes, own = chart_classes(logits), int(result.logits[-1].argmax())
        names = [self.class_name(index) for index in classes]
        chart = lens_chart(
            logits,
            classes,
            names,
            class_colors(result),
            layer=self._depth,
            x_title=say("axis-layer"),
            y_title=say("probability"),
            title=say("lines-title", whose=whose),
        )
        alt = say("lines-alt", whose=whose, names=say("list-separator").join(names))
        self._lines.show(chart, alt, stem=self.stem("lines", str(self._whose.value), layer=self._depth - 1))
        rows = answer_rows(logits[self._depth], keep=[own])
        heading = say("answer-title", whose=whose, layer=self._depth)
        self._answer.value = answer_html(rows, self.state.labels, self.state.language, title=heading, own=own)

    def _show_map(self, trace: Trace, result: LensResult) -> None:
        say, colors = self.say, class_colors(result)
        favourites, probs = result.favourites[self._depth], result.favourite_probs[self._depth]
        rows, cols = trace.grid
        picture = favourite_picture(sharp_photo(self.state, trace), trace.grid, trace.patch_index, favourites, colors)
        kept = None if trace.num_patches == rows * cols else [int(patch) for patch in trace.patch_index]
        readouts = [""] * (rows * cols)
        for patch, favourite, prob in zip(trace.patch_index, favourites, probs, strict=True):
            readouts[patch] = f"{self.class_name(int(favourite))} {percent(float(prob))}"
        with self._map.hold_sync():
            self._map.show_image(encode_image(picture, "jpeg"), "image/jpeg", grid=trace.grid, kept=kept)
            self._map.title = say("map-title", layer=self._depth)
            # Depth 0, before any layer, is layer0.
            self._map.stem = self.stem("map", layer=self._depth - 1)
            self._map.readouts = readouts
            self._quietly(lambda: setattr(self._map, "selected", patch_of(trace, self.state.token)))
        own = int(result.logits[-1].argmax())
        items = ""
        for index, count in shown_classes(favourites, colors):
            css = "vx-lens-own" if index == own else ""
            name = self.class_name(index) if index >= 0 else say("other")
            swatch = f"<i style='background:{colors.get(index, OTHER_COLOR)}'></i>"
            items += f"<li class='{css}'>{swatch}<span>{escape(name)}</span> <b>{count}</b></li>"
        self._legend.value = f"<p class='vx-quiet'>{escape(say('legend'))}</p><ul>{items}</ul>"

    def _said(self, result: LensResult) -> str:
        """From which layer on the answer leads to the end."""
        last = len(result.logits) - 1
        own = int(result.logits[-1].argmax())
        since = last
        while since > 0 and int(result.logits[since - 1].argmax()) == own:
            since -= 1
        prob = float(answer_rows(result.logits[since], keep=[own])[0].prob)
        key = "verdict-start" if since == 0 else "verdict-last" if since == last else "verdict"
        return self.say(key, name=self.class_name(own), layer=since, layers=last, prob=percent(prob))
