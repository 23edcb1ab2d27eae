"""Stage 4: one layer of the encoder, opened step by step for one token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, ClassVar

import ipywidgets as W
import numpy as np

from explorer.drawing import Column, Node, Part, Row, Words
from explorer.figures.encoder import STEPS, open_layer
from explorer.figures.encoder_facts import Lengths, lengths, lengths_chart, sampled_tokens
from explorer.figures.patches import under_grid
from explorer.images import Cropping, display_crop, encode_image
from explorer.panels.base import Shape, StagePanel, box, html, token_name
from explorer.panels.encoder_steps import StepView
from explorer.panels.encoder_whole import layer_flows
from explorer.panels.equations import layer_equations
from explorer.state import MEAN_OF_HEADS, ExplorerState
from explorer.trace import Trace
from explorer.widgets import ChartView, PatchView
from explorer.widgets.cell import close_all
from explorer.widgets.choice import Choice
from explorer.widgets.encoder_map import EncoderMap

__all__ = ["EncoderPanel"]

#: Side of the photo that a token is picked on, at twice the size that it is shown.
_PHOTO = 480


class EncoderPanel(StagePanel):
    """From 𝒛ₗ₋₁ to 𝒛ₗ in eleven steps: every array, every operation, and any number of them worked out."""

    stage = "encoder"
    number = 4
    # "step" and "place" are the panel's own: the open step, and the picked entry of a head, a row of scores, the MLP.
    watches: ClassVar[frozenset[str]] = frozenset({"trace", "layer", "head", "token", "dimension", "step", "place"})
    footnotes = ("foot-slide-21", "foot-slide-25")

    def __init__(self, state: ExplorerState, **options: Any) -> None:
        self._step = 0
        self._places = {"place": 0, "joined": 0, "token": 0, "hidden": 0}
        self._following = 0
        self._photo_shown: object = None
        self._mean: tuple[Trace, Lengths] | None = None
        self._own_lengths: tuple[Trace, int, Lengths] | None = None
        self._names: tuple[object, list[str]] = (None, [])
        self._steps: dict[str, StepView] = {}
        #: The steps that show what is chosen now.
        self._fresh: set[str] = set()
        super().__init__(state, **options)

    # -- what stands above the body --------------------------------------------------------------------------------

    @property
    def formulas(self) -> Sequence[str]:  # type: ignore[override]
        """The layer's two equations, with LayerScale where the model has it."""
        return layer_equations(self.state.trace)

    def shapes(self, trace: Trace) -> Sequence[Shape]:
        """The layer's input and output, and its weights."""
        spec = trace.spec
        weights = trace.arrays.blocks[0]
        return (
            (r"\boldsymbol{z}_{l-1}, \boldsymbol{z}'_l, \boldsymbol{z}_l", "z", (trace.num_tokens, spec.dim)),
            (r"\boldsymbol{U}_{qkv}", "qkv", weights.qkv.weight.shape),
            (r"\boldsymbol{q}, \boldsymbol{k}, \boldsymbol{v}", "q, k, v", trace.q.shape[1:]),
            (r"\boldsymbol{A}", "attention", (spec.heads, trace.num_tokens, trace.num_tokens)),
            (r"\boldsymbol{U}_{msa}", "proj", weights.proj.weight.shape),
            (r"\boldsymbol{W}_1", "mlp.fc1", weights.mlp.fc1.weight.shape),
        )

    # -- the body --------------------------------------------------------------------------------------------------

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """Controls, the photo beside the map, the open step, and the lengths of what layers write."""
        self._layer, self._head = Choice(kind="slider"), Choice(kind="slider")
        self._layer.add_class("vx-encoder-layer")
        self._head.add_class("vx-encoder-head-choice")
        self._mode = Choice(kind="segments", options=[{"value": "steps", "label": ""}], value="steps")
        self._mode.add_class("vx-encoder-mode")
        self._photo = PatchView(max_size=210)
        self._map, self._stepper = EncoderMap(), EncoderMap(part="stepper")
        self._stepper.add_class("vx-encoder-stepper")
        self._open = box(classes=["vx-encoder-open"])
        self._lengths_title = html("vx-section-title")
        self._lengths_words = html("vx-fact")
        self._lengths = ChartView(height=380)

        self._layer.observe(lambda change: self._write("layer", change["new"]), names="value")
        self._head.observe(lambda change: self._write("head", change["new"]), names="value")
        self._mode.observe(lambda _: self._own("step"), names="value")
        self._photo.observe(lambda change: self._pick_token(change["new"]), names="selected")
        self._map.observe(lambda change: self._write("layer", change["new"]), names="layer")
        for view in (self._map, self._stepper):
            view.observe(lambda change: self._go(change["new"]), names="step")
        return (
            box(
                self._photo,
                box(
                    box(self._layer, self._head, self._mode, classes=["vx-row", "vx-encoder-controls"]),
                    self._map,
                    classes=["vx-encoder-guide"],
                ),
                classes=["vx-encoder-top"],
            ),
            box(self._stepper, self._open, classes=["vx-encoder-walk"]),
            self._lengths_title,
            self._lengths_words,
            self._lengths,
        )

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Bring up to date what changed; of the steps only those that are seen."""
        self._following += 1
        try:
            anew = not changes.isdisjoint({"trace", "language"})
            if anew:
                self._show_words(trace)
            if "trace" in changes:
                self._show_photo(trace)
            self._show_choices(trace)
            other = anew or "token" in changes
            if "layer" in changes and not other:
                # Nothing has to be worked out for it: it need not wait for the steps.
                self._show_lengths(trace)
            if anew or not changes.isdisjoint({"layer", "head", "token"}):
                self._fresh.clear()
            self._show_steps(trace, marks=not changes.isdisjoint({"dimension", "place"}))
            if other:
                self._show_lengths(trace)
        finally:
            self._following -= 1

    def picture(self) -> Node:
        """What the layer does to the picked token: its attention half, then its MLP half."""
        trace = self.state.trace
        if trace is None:
            raise ValueError("nothing is shown yet")
        row = open_layer(trace, self.state.layer, self.state.token)
        attention, mlp = (Part(view, width=490) for view in layer_flows(self, row, self.head))
        # Below the shorter half: letters are the larger, the less high it all is.
        words = Words(text=self.say("whole-words"), width=490, quiet=True)
        return Row([Column([attention, words], gap=14), mlp], gap=48)

    def close(self) -> None:
        """Close the steps, too, of which those that are not open stand nowhere on the page."""
        for step in self._steps.values():
            close_all(step.box)
            step.box.close()
        super().close()

    # -- for the steps ---------------------------------------------------------------------------------------------

    @property
    def head(self) -> int:
        """The head that is followed."""
        return max(self.state.head, 0)

    @property
    def mean_is_chosen(self) -> bool:
        """Whether stage 5 shows the mean of the heads, which has no steps of its own."""
        return self.state.head == MEAN_OF_HEADS

    def place_of(self, axis: str) -> int:
        """The picked entry along an axis."""
        return self.state.dimension if axis == "dimension" else self._places[axis]

    def pick(self, axis: str, index: int, *, head: int | None = None) -> None:
        """Pick an entry, and a head with it."""
        if self._following:
            return
        if axis != "dimension" and self._places[axis] != index:
            self._places[axis] = index
        if axis == "dimension" and index != self.state.dimension:
            self.state.dimension = index
        elif head is not None and head != self.head:
            self.state.head = head
        else:
            self._own("place")

    def token_names(self) -> list[str]:
        """What every token is called."""
        trace, language = self.state.trace, self.state.language
        if trace is None:
            return []
        if self._names[0] != (id(trace), language):
            names = [token_name(trace, token, language) for token in range(trace.num_tokens)]
            self._names = ((id(trace), language), names)
        return self._names[1]

    def guarded(self, work: Callable[[], None]) -> None:
        """Do what a message from the browser asked for; a failure is told on the page, a comm would only log it."""
        try:
            work()
        except Exception as error:  # noqa: BLE001
            self.state.report(error)

    # -- what the reader does --------------------------------------------------------------------------------------

    def _write(self, name: str, value: object) -> None:
        if not self._following and isinstance(value, int):
            setattr(self.state, name, value)

    def _own(self, name: str) -> None:
        if not self._following:
            self.guarded(lambda: self._update(frozenset({name})))

    def _go(self, step: int) -> None:
        if not self._following and step != self._step:
            self._step = min(max(step, 0), len(STEPS) - 1)
            self._own("step")

    def _pick_token(self, place: int) -> None:
        """A place on the photo was picked: it counts the whole grid, also where patches are dropped."""
        trace = self.state.trace
        if trace is None or self._following or place < 0:
            return
        found = np.flatnonzero(trace.patch_index == place - trace.num_prefix)
        if place < trace.num_prefix:
            self.state.token = place
        elif found.size:
            self.state.token = trace.num_prefix + int(found[0])

    # -- parts -----------------------------------------------------------------------------------------------------

    def _show_words(self, trace: Trace) -> None:
        say, spec, language = self.say, trace.spec, self.state.language
        for view in (self._photo, self._map, self._stepper, self._lengths):
            view.language = language
        self._layer.label, self._head.label, self._mode.label = say("layer"), say("head"), say("mode")
        self._layer.show([_numbered(n) for n in range(spec.depth)], self.state.layer)
        self._head.show([_numbered(n) for n in range(spec.heads)], self.head)
        modes = [{"value": mode, "label": say(f"mode-{mode}")} for mode in ("steps", "all")]
        self._mode.show(modes, self._mode.value)
        steps: list[Mapping[str, str]] = [
            {"symbol": say(f"{step}.symbol"), "name": say(f"{step}.name")} for step in STEPS
        ]
        words = {
            "input": say("map-input"),
            "output": say("map-output"),
            "layers": say("map-layers"),
            "layer": say("map-layer"),
            "steps": say("map-steps"),
            "every": say("map-every"),
            "back": say("back"),
            "next": say("next"),
            "zIn": "z_l−1",
            "zMid": "z′_l",
            "zOut": "z_l",
            "msa": "MSA",
            "mlp": "",
        }
        for part in (self._map, self._stepper):
            part.show(layers=spec.depth, steps=steps, words=words)

    def _show_choices(self, trace: Trace) -> None:
        state = self.state
        self._layer.value, self._head.value = state.layer, self.head
        for view in (self._map, self._stepper):
            with view.hold_sync():
                view.layer, view.step, view.every = state.layer, self._step, self._mode.value == "all"
        prefix, token = trace.num_prefix, state.token
        self._photo.selected = token if token < prefix else prefix + int(trace.patch_index[token - prefix])
        self._photo.title = self.say("picker", token=self.token_name(token))

    def _show_photo(self, trace: Trace) -> None:
        picture, crop, spec = self.state.shown_picture, self.state.shown_crop, trace.spec
        cropping = Cropping(trace.image_size, spec.crop_pct, spec.interpolation, spec.crop_mode)
        digest = None if picture is None else picture.digest
        shown = (digest, crop, cropping, trace.grid, trace.prefix_names, trace.patch_index.tobytes())
        # Another model may see the same photo.
        self._photo.stem = self.stem("photo")
        if shown == self._photo_shown:
            return
        self._photo_shown = shown
        pixels = trace.image if picture is None else display_crop(picture, cropping, crop, _PHOTO)
        whole = trace.num_patches == trace.grid[0] * trace.grid[1]
        kept = None if whole else [int(place) for place in trace.patch_index]
        data = encode_image(under_grid(pixels, trace), "jpeg")
        self._photo.show_image(data, "image/jpeg", grid=trace.grid, prefix_names=trace.prefix_names, kept=kept)

    def _show_steps(self, trace: Trace, *, marks: bool) -> None:
        wanted = STEPS if self._mode.value == "all" else (STEPS[self._step],)
        for step in wanted:
            if step not in self._steps:
                self._steps[step] = StepView(self, step, STEPS.index(step) + 1)
        row = open_layer(trace, self.state.layer, self.state.token)
        for step in wanted:
            if step not in self._fresh:
                self._steps[step].show(row, self.head)
                self._fresh.add(step)
            elif marks:
                self._steps[step].mark()
        if marks:
            # What is not seen now frames another number when it is.
            self._fresh.intersection_update(wanted)
        children = tuple(self._steps[step].box for step in wanted)
        if self._open.children != children:
            self._open.children = children

    def _show_lengths(self, trace: Trace) -> None:
        say, tokens, picked = self.say, sampled_tokens(trace), self.state.token
        if self._mean is None or self._mean[0] is not trace:
            self._mean = (trace, lengths(trace, tokens))
        if self._own_lengths is None or self._own_lengths[0] is not trace or self._own_lengths[1] != picked:
            self._own_lengths = (trace, picked, lengths(trace, [picked]))
        token = self.token_name(picked)
        self._lengths_title.value = f"<h3>{escape(say('lengths-title'))}</h3>"
        key = "lengths-sentence-all" if len(tokens) == trace.num_tokens else "lengths-sentence"
        self._lengths_words.value = f"<p>{escape(say(key, token=token, count=len(tokens)))}</p>"
        names = ("zₗ", "MSA", "MLP")
        chart = lengths_chart(
            self._own_lengths[2],
            self._mean[1],
            names=names,
            mean_names=tuple(say("lengths-mean", name=name) for name in names),  # type: ignore[arg-type]
            x=say("lengths-x"),
            y=say("lengths-y"),
            layer=self.state.layer,
        )
        self._lengths.show(chart, say("lengths-alt"), stem=self.stem("lengths", layer=self.state.layer))


def _numbered(index: int) -> dict[str, Any]:
    return {"value": index, "label": str(index + 1)}
