"""One step of stage 4: its sentences, its drawing, and one of its numbers worked out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as W
import numpy as np

from explorer.errors import MessageValue
from explorer.figures.encoder import step_parts, strip_scales
from explorer.figures.encoder_facts import curve_chart
from explorer.figures.encoder_parts import Arrow, Curve, Matrix, Part, Strip
from explorer.figures.encoder_worked import NUMBERS, count_of, worked_number
from explorer.figures.matrix import Axis, MatrixFigure, symmetric_scale
from explorer.formulas import formula
from explorer.panels.base import box, html
from explorer.panels.encoder_words import (
    ACTIVATION_NAMES,
    AXIS_LETTERS,
    array_symbol,
    step_facts,
    step_formulas,
    step_sentences,
    subscripts,
    worked_table,
)
from explorer.panels.equations import norm_kind
from explorer.panels.numbers import figures
from explorer.trace import BlockTrace
from explorer.widgets import ChartView, MatrixView
from explorer.widgets.choice import Choice
from explorer.widgets.encoder_flow import FlowArrow, FlowStrip, FlowView

if TYPE_CHECKING:
    from explorer.panels.encoder import EncoderPanel

__all__ = ["KIND_AXES", "StepView"]

#: What the numbers of each kind are counted by.
KIND_AXES = {
    "q": "place",
    "k": "place",
    "v": "place",
    "scores": "token",
    "attention": "token",
    "head_outputs": "place",
    "joined": "joined",
    "mlp_hidden": "hidden",
}

#: Steps that each head goes through by itself.
_HEADED = {"qkv", "scores", "softmax", "weighted", "concat"}
#: Matrices that belong to a layer; the others, to a head.
_WEIGHTS = {"qkv", "proj", "fc1", "gate", "fc2"}


@dataclass
class _Flow:
    """Strips and arrows that stand in one drawing."""

    parts: list[Strip | Arrow]


class StepView:
    """One step of the open layer; its widgets are made when it is first shown.

    Parameters
    ----------
    panel : EncoderPanel
        Whose words, state and picked entries it uses.
    step, number : str, int
        One of :data:`explorer.figures.encoder.STEPS`, and its number on the page.
    """

    def __init__(self, panel: EncoderPanel, step: str, number: int) -> None:
        self.panel, self.step, self.number = panel, step, number
        self.kind = NUMBERS[step][0]
        self.head = html("vx-encoder-head")
        self.facts = html("vx-fact", "vx-encoder-facts")
        self.drawing = box(classes=["vx-encoder-drawing"])
        self.one_title = html("vx-encoder-one-title")
        self.which = Choice(kind="segments")
        self.index = Choice(kind="slider")
        self.index.add_class("vx-encoder-index")
        self.table = html("vx-worked-sum", "vx-encoder-table")
        one = box(self.one_title, self.which, self.index, self.table, classes=["vx-encoder-one"])
        # Why scores are divided by √D_h is asked more often than what one of them is.
        side = (self.facts, one) if step == "scores" else (one, self.facts)
        self.box = box(
            self.head,
            box(self.drawing, box(*side, classes=["vx-encoder-side"]), classes=["vx-encoder-columns"]),
            classes=["vx-encoder-step", f"vx-encoder-step-{step}"],
        )
        self.views: list[Any] = []
        self._layout: tuple[str, ...] = ()
        #: What every matrix that is shown is of.
        self._matrices: dict[str, tuple[object, ...]] = {}
        self._segments: list[_Flow | Matrix | Curve] = []
        self._offered: tuple[object, ...] = ()
        self._row: BlockTrace | None = None
        self._follow = 0
        self.which.observe(lambda change: self._choose_kind(change["new"]), names="value")
        self.index.observe(lambda change: self._choose_index(change["new"]), names="value")

    # -- showing ---------------------------------------------------------------------------------------------------

    def show(self, row: BlockTrace, head: int) -> None:
        """Everything anew: another token, layer, head, model or language."""
        self._row = row
        panel = self.panel
        parts = step_parts(self.step, row, head)
        self._segments = _segments(parts)
        layout = tuple(type(segment).__name__ for segment in self._segments)
        if layout != self._layout:
            self._layout, self.views = layout, [self._view(segment) for segment in self._segments]
            self._matrices.clear()
            self.drawing.children = tuple(self.views)
        self.head.value = self._head_html(row, head)
        scales, index = strip_scales(parts), self._picked(row)
        place = {"layer": row.layer, "head": head if self.step in _HEADED else None}
        for number, (view, segment) in enumerate(zip(self.views, self._segments, strict=True), start=1):
            view.language = panel.state.language
            if isinstance(segment, _Flow):
                alt = panel.say("alt", name=panel.say(f"{self.step}.name"), token=panel.token_name(panel.state.token))
                items = [self._item(part, scales, row, index) for part in segment.parts]
                view.show(items, alt=alt, stem=panel.stem(self.step, number, **place))
            elif isinstance(segment, Matrix):
                self._show_matrix(view, segment, row, head)
        self.mark()

    def mark(self) -> None:
        """Another number was picked: frame it, and work it out."""
        row, panel = self._row, self.panel
        if row is None:
            return
        head = panel.head
        index = self._picked(row)
        self._follow += 1
        try:
            self._offer(row, index)
            for view, segment in zip(self.views, self._segments, strict=True):
                if isinstance(segment, _Flow):
                    strips = [part for part in segment.parts if isinstance(part, Strip)]
                    view.marks = [self._marked(strip.number, index, row, head) for strip in strips]
                elif isinstance(segment, Matrix):
                    marked = self._marked(segment.number, index, row, head)
                    with view.hold_sync():
                        view.selected_row = marked if segment.across == "rows" else -1
                        view.selected_col = marked if segment.across == "cols" else -1
                else:
                    picked = index if self.kind == "mlp_hidden" else panel.place_of("hidden")
                    self._show_curve(view, segment, row.layer, picked)
        finally:
            self._follow -= 1
        work = worked_number(self.kind, row, head, index)
        self.table.value = worked_table(panel, work)
        self.facts.value = step_facts(panel, self.step, row, head)

    @property
    def _axis(self) -> str:
        return KIND_AXES.get(self.kind, "dimension")

    def _picked(self, row: BlockTrace) -> int:
        return min(self.panel.place_of(self._axis), count_of(self.kind, row) - 1)

    def _head_html(self, row: BlockTrace, head: int) -> str:
        panel, say = self.panel, self.panel.say
        trace = panel.state.trace
        layers, heads = (row.trace.spec.depth, row.trace.spec.heads)
        where: dict[str, MessageValue] = {
            "layer": row.layer + 1,
            "layers": layers,
            "token": panel.token_name(panel.state.token),
        }
        if trace is not None and self.step in _HEADED:
            position = say("position-head", head=head + 1, heads=heads, **where)
        else:
            position = say("position", **where)
        plain, precise = step_sentences(panel, self.step, row)
        norm = norm_kind(trace)
        formulas = "".join(
            f"<div class='vx-formula'>{formula(name, norm=norm)}</div>" for name in step_formulas(self.step, row)
        )
        title = say("step-title", number=self.number, name=say(f"{self.step}.name"))
        return (
            f"<h3><span>{subscripts(title)}</span><span class='vx-encoder-where'>{escape(position)}</span></h3>"
            f"<div class='vx-encoder-words'><div><p class='vx-encoder-plain'>{subscripts(plain)}</p>"
            f"<p class='vx-encoder-precise'>{subscripts(precise)}</p></div>"
            f"<div class='vx-encoder-formulas'>{formulas}</div></div>"
        )

    def _view(self, segment: _Flow | Matrix | Curve) -> W.Widget:
        if isinstance(segment, _Flow):
            flow = FlowView()
            flow.observe(lambda change, view=flow: self._clicked(view), names="chosen")
            return flow
        if isinstance(segment, Matrix):
            matrix = MatrixView(max_size=300)
            matrix.observe(self._matrix_listener(matrix), names=["selected_row", "selected_col"])
            return matrix
        return ChartView(height=260)

    def _item(self, part: Strip | Arrow, scales: dict[str, Any], row: BlockTrace, index: int) -> FlowStrip | FlowArrow:
        panel, say = self.panel, self.panel.say
        if isinstance(part, Arrow):
            values = {
                name: value if not isinstance(value, float) else figures(value) for name, value in part.values.items()
            }
            if "activation" in values:
                values["activation"] = ACTIVATION_NAMES[str(values["activation"])]
            return FlowArrow(text=say(f"arrow.{part.key}", **values))
        picked: Sequence[int] = ()
        if part.pieces:
            heads = row.arrays.heads
            picked = [part.picked + third * heads for third in range(len(part.pieces) // heads)]
        return FlowStrip(
            symbol=array_symbol(part.array, row, panel.head),
            title=say(f"array.{part.array}"),
            shape=f"{len(part.values)}" if part.array.endswith(("-weight", "-bias")) else f"1 × {len(part.values)}",
            values=part.values,
            scale=scales[part.array],
            prefix=AXIS_LETTERS[part.axis],
            labels=panel.token_names() if part.axis == "token" else (),
            pieces=part.pieces,
            picked=picked,
            marked=self._marked(part.number, index, row, panel.head),
        )

    def _show_matrix(self, view: MatrixView, part: Matrix, row: BlockTrace, head: int) -> None:
        """No token changes a matrix, up to millions of numbers: one that is shown already is not sent again."""
        state = self.panel.state
        shown = (row.layer, None if part.array in _WEIGHTS else head, state.language, state.trace)
        if self._matrices.get(part.array) != shown:
            self._matrices[part.array] = shown
            view.show(self._matrix(part, row, head))

    def _matrix(self, part: Matrix, row: BlockTrace, head: int) -> MatrixFigure:
        say, panel = self.panel.say, self.panel
        rows, cols = part.values.shape

        def axis(name: str, arrow: str, marks: dict[int, str]) -> Axis:
            labels = panel.token_names() if name == "token" else ()
            return Axis(name=f"{say(f'axis.{name}')} {arrow}", labels=labels, marks=marks)

        marks: dict[int, str] = {}
        if part.pieces:
            each = cols // len(part.pieces)
            marks = {third * row.arrays.heads * each: "qkv"[third] for third in range(3)}
        caption = say("matrix-caption", rows=rows, cols=cols)
        if part.array == "qkv":
            caption = say("qkv-caption", rows=rows, cols=cols, heads=row.arrays.heads)
        scale = symmetric_scale(part.values, say("matrix.weight" if part.array in _WEIGHTS else "matrix.value"))
        reach = float(np.percentile(np.abs(part.values), 99.5)) or scale.high
        return MatrixFigure(
            values=part.values,
            rows=axis(part.rows, "↓", {}),
            cols=axis(part.cols, "→", marks),
            # A few weights are far from 0; the colour bar says that there are values beyond it.
            scale=replace(scale, low=-reach, high=reach),
            title=f"{say(f'matrix.{part.array}')}: {rows} × {cols}",
            caption=caption,
            stem=panel.stem(
                self.step, "matrix", part.array, layer=row.layer, head=None if part.array in _WEIGHTS else head
            ),
            aspect="fill",
            binning="max",
        )

    def _show_curve(self, view: ChartView, curve: Curve, layer: int, picked: int) -> None:
        say, name = self.panel.say, ACTIVATION_NAMES[curve.activation]
        count = curve.dots.shape[1]
        chart = curve_chart(curve, x=say("curve-x"), y=say("curve-y", activation=name), picked=min(picked, count - 1))
        token = self.panel.token_name(self.panel.state.token)
        alt = say("curve-alt", activation=name, count=count, token=token)
        view.show(chart, alt, stem=self.panel.stem("activation", layer=layer))

    def _offer(self, row: BlockTrace, index: int) -> None:
        say, panel = self.panel.say, self.panel
        kinds, count = NUMBERS[self.step], count_of(self.kind, row)
        offered = (self.kind, count, panel.state.language, panel.state.trace)
        if offered != self._offered:
            self._offered = offered
            self.one_title.value = (
                f"<h4>{escape(say('worked-title'))}</h4><p class='vx-quiet'>{escape(say('worked-hint'))}</p>"
            )
            self.which.label = say("which")
            self.which.show([{"value": kind, "label": say(f"number.{kind}")} for kind in kinds], self.kind)
            self.which.layout.display = None if len(kinds) > 1 else "none"
            axis = self._axis
            self.index.label = say(f"axis.{axis}")
            names = panel.token_names() if axis == "token" else [f"{AXIS_LETTERS[axis]} = {n}" for n in range(count)]
            self.index.show([{"value": n, "label": name} for n, name in enumerate(names)], index)
        self.index.value = index

    def _marked(self, number: str, index: int, row: BlockTrace, head: int) -> int:
        """The entry of a strip or matrix that is the picked number, or that it belongs to."""
        if number == "column" and self.kind in {"q", "k", "v"}:
            return ("qkv".index(self.kind) * row.arrays.heads + head) * int(row.q.shape[-1]) + index
        return index if number == self.kind else -1

    # -- what the reader does --------------------------------------------------------------------------------------

    def _choose_kind(self, kind: object) -> None:
        if not self._follow and kind in NUMBERS[self.step] and kind != self.kind:
            self.kind = str(kind)
            self.panel.guarded(self.mark)

    def _choose_index(self, index: object) -> None:
        if not self._follow and isinstance(index, int):
            self.panel.pick(self._axis, index)

    def _take(self, number: str, index: int) -> None:
        """A cell was clicked: the number that it stands for is worked out."""
        row = self._row
        if row is None or not number or index < 0:
            return
        if number == "column":
            piece, index = divmod(index, int(row.q.shape[-1]))
            third, head = divmod(piece, row.arrays.heads)
            self.kind = "qkv"[min(third, 2)]
            self.panel.pick(self._axis, index, head=head)
            return
        if number in NUMBERS[self.step]:
            self.kind = number
        self.panel.pick(KIND_AXES.get(number, "dimension"), index)

    def _clicked(self, view: FlowView) -> None:
        flow = self._segments[self.views.index(view)]
        place, index = view.chosen[:2] if len(view.chosen) >= 2 else (-1, -1)
        if not isinstance(flow, _Flow):
            return
        strips = [part for part in flow.parts if isinstance(part, Strip)]
        if 0 <= place < len(strips) and 0 <= index < len(strips[place].values):
            self._take(strips[place].number, index)

    def _matrix_listener(self, view: MatrixView) -> Callable[[Any], None]:
        def listen(_change: Any) -> None:
            if self._follow:
                return
            part = self._segments[self.views.index(view)]
            if isinstance(part, Matrix):
                self._take(part.number, view.selected_row if part.across == "rows" else view.selected_col)

        return listen


def _segments(parts: Sequence[Part]) -> list[_Flow | Matrix | Curve]:
    segments: list[_Flow | Matrix | Curve] = []
    for part in parts:
        if isinstance(part, Matrix | Curve):
            segments.append(part)
        elif segments and isinstance(segments[-1], _Flow):
            segments[-1].parts.append(part)
        else:
            segments.append(_Flow([part]))
    return segments
