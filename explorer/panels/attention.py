"""Stage 5: attention, a layer and a head at a time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

import ipywidgets as W
import numpy as np

from explorer.figures.attention import attention_figure, head_attention, layer_scale, strongest_keys
from explorer.figures.matrix import Scale
from explorer.images import display_crop, encode_image
from explorer.panels.base import Shape, StagePanel, box, html
from explorer.state import MEAN_OF_HEADS, ExplorerState
from explorer.trace import Trace
from explorer.widgets.choice import Choice
from explorer.widgets.matrix_view import MatrixView
from explorer.widgets.patch_view import PatchView

__all__ = ["AttentionPanel"]

_STRONGEST = 3


class AttentionPanel(StagePanel):
    """Where every token looks: on the photo, and as the whole T × T matrix."""

    stage = "attention"
    number = 5
    watches: ClassVar[frozenset[str]] = frozenset({"trace", "layer", "head", "token"})
    formulas = ("attention",)

    def __init__(self, state: ExplorerState, **options: Any) -> None:
        self._log = False
        self._attention: tuple[object, np.ndarray] | None = None
        self._scale: tuple[object, Scale] | None = None
        super().__init__(state, **options)

    def shapes(self, trace: Trace) -> Sequence[Shape]:
        """A, q and k of one layer."""
        spec, tokens = trace.spec, trace.num_tokens
        heads = (spec.heads, tokens, spec.head_dim)
        return (
            (r"\boldsymbol{q}", "q", heads),
            (r"\boldsymbol{k}", "k", heads),
            (r"\boldsymbol{A}", "attention", (spec.heads, tokens, tokens)),
        )

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """Controls above, photo and matrix side by side."""
        self._layer = Choice(kind="slider")
        self._head = Choice(kind="slider")
        self._query = Choice(kind="slider")
        self._scales = Choice(kind="segments")
        for control, name in ((self._layer, "layer"), (self._head, "head"), (self._query, "query")):
            control.add_class(f"vx-{name}")
        self._layer.observe(lambda change: self._write("layer", change["new"]), names="value")
        self._head.observe(lambda change: self._write("head", change["new"]), names="value")
        self._query.observe(lambda change: self._write("token", change["new"]), names="value")
        self._scales.observe(lambda change: self._set_log(change["new"] == "log"), names="value")
        self._photo = PatchView()
        self._photo.observe(lambda change: self._write("token", change["new"]), names="selected")
        self._strongest = html("vx-fact")
        self._matrix = MatrixView()
        self._matrix.observe(lambda change: self._write("token", change["new"]), names="selected_row")
        self._note = html("vx-fact")
        return (
            box(self._layer, self._head, self._query, self._scales, classes=["vx-row", "vx-attention-controls"]),
            box(
                box(self._photo, self._strongest, classes=["vx-attention-photo"]),
                box(self._matrix, classes=["vx-attention-matrix"]),
                classes=["vx-columns", "vx-columns-2"],
            ),
            self._note,
        )

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Redraw what changed."""
        if not changes.isdisjoint({"trace", "language"}):
            self._show_controls(trace)
        if "trace" in changes:
            self._show_photo(trace)
        state = self.state
        self._layer.value, self._head.value, self._query.value = state.layer, state.head, state.token
        if not changes.isdisjoint({"trace", "language", "layer", "head"}):
            self._show_matrix(trace)
        self._show_query(trace)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _show_controls(self, trace: Trace) -> None:
        say, spec, state = self.say, trace.spec, self.state
        for control, key in (
            (self._layer, "layer"),
            (self._head, "head"),
            (self._query, "query"),
            (self._scales, "scale"),
        ):
            control.label = say(key)
        self._layer.show([_numbered(index) for index in range(spec.depth)], state.layer)
        mean = {"value": MEAN_OF_HEADS, "label": say("head-mean")}
        self._head.show([mean, *(_numbered(index) for index in range(spec.heads))], state.head)
        tokens = [{"value": n, "label": self.token_name(n)} for n in range(trace.num_tokens)]
        self._query.show(tokens, state.token)
        scales = [{"value": "linear", "label": say("scale-linear")}, {"value": "log", "label": say("scale-log")}]
        self._scales.show(scales, "log" if self._log else "linear")
        self._photo.language = self._matrix.language = state.language

    def _show_photo(self, trace: Trace) -> None:
        picture = self.state.picture
        if picture is None:
            return
        photo = display_crop(picture, trace.spec, center=self.state.crop)
        self._photo.show_image(
            encode_image(photo, "jpeg"), "image/jpeg", grid=trace.grid, prefix_names=trace.prefix_names
        )

    def _show_matrix(self, trace: Trace) -> None:
        say, layer, head = self.say, self.state.layer, self.state.head
        attention, scale = self._values(trace), self._layer_scale(trace)
        if head == MEAN_OF_HEADS:
            title = say("matrix-title-mean", layer=layer + 1, heads=trace.spec.heads)
        else:
            title = say("matrix-title", layer=layer + 1, head=head + 1)
        figure = attention_figure(
            attention,
            scale,
            query=say("axis-query"),
            key=say("axis-key"),
            tokens=[self.token_name(n) for n in range(trace.num_tokens)],
            num_prefix=trace.num_prefix,
            title=title,
            caption=say("matrix-caption"),
            stem=self._stem(),
        )
        self._matrix.show(figure)
        note = say(
            "scale-note-log" if self._log else "scale-note",
            high=f"{scale.high:.3g}",
            uniform=f"{1 / trace.num_tokens:.2g}",
        )
        self._note.value = escape(note)

    def _stem(self, *parts: str) -> str:
        head = self.state.head
        return self.stem(f"layer{self.state.layer + 1}", "mean" if head == MEAN_OF_HEADS else f"head{head + 1}", *parts)

    def _show_query(self, trace: Trace) -> None:
        token, attention = self.state.token, self._values(trace)
        name = self.token_name(token)
        self._photo.title = self.say("photo-title", token=name)
        self._photo.stem = self._stem("photo", f"token{token}")
        self._photo.selected = token
        self._photo.show_values(attention[token], self._layer_scale(trace))
        self._matrix.selected_row = token
        items = [
            self.say("strongest-item", token=self.token_name(key), weight=f"{weight:.3f}")
            for key, weight in strongest_keys(attention, token, _STRONGEST)
        ]
        comma = "、" if self.state.language == "ja" else ", "
        self._strongest.value = escape(self.say("strongest", token=name, list=comma.join(items)))

    # -- values, remembered while layer and head stay --------------------------------------------------------------

    def _values(self, trace: Trace) -> np.ndarray:
        key = (trace, self.state.layer, self.state.head)
        if self._attention is None or self._attention[0] != key:
            self._attention = (key, head_attention(trace, self.state.layer, self.state.head))
        return self._attention[1]

    def _layer_scale(self, trace: Trace) -> Scale:
        key = (trace, self.state.layer, self.state.language, self._log)
        if self._scale is None or self._scale[0] != key:
            self._scale = (key, layer_scale(trace, self.state.layer, self.say("scale-label"), log=self._log))
        return self._scale[1]

    # -- what the user does ----------------------------------------------------------------------------------------

    def _write(self, name: str, value: int) -> None:
        if value >= 0 or (name == "head" and value == MEAN_OF_HEADS):
            setattr(self.state, name, value)

    def _set_log(self, log: bool) -> None:
        if log != self._log and self.state.trace is not None:
            self._log = log
            self.refresh(self.state.trace, frozenset({"layer"}))


def _numbered(index: int) -> dict[str, Any]:
    return {"value": index, "label": str(index + 1)}
