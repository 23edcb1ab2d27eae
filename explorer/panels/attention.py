"""Stage 5: attention in the hand, and at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import ipywidgets as W

from explorer.figures.attention_layers import MAX_ROLLOUT_TOKENS
from explorer.figures.patches import under_grid
from explorer.images import Cropping, display_crop, encode_image
from explorer.panels.base import Shape, StagePanel, box
from explorer.state import MEAN_OF_HEADS, ExplorerState
from explorer.trace import Trace
from explorer.widgets.attention_view import ROLLOUT, AttentionView
from explorer.widgets.choice import Choice

__all__ = ["AttentionPanel"]


class AttentionPanel(StagePanel):
    """Where every token looks, in every head: on the photo, as a matrix, and all layers together."""

    stage = "attention"
    number = 5
    watches: ClassVar[frozenset[str]] = frozenset({"trace", "layer", "head", "token"})
    formulas = ("attention",)

    def __init__(self, state: ExplorerState, **options: Any) -> None:
        #: Rollout is a matter of this stage alone: everywhere else a head is a head.
        self._rollout = False
        #: While controls are being set from the state they have nothing to tell it.
        self._following = False
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
        """Controls above, everything else in one view."""
        self._layer = Choice(kind="slider")
        self._head = Choice(kind="slider")
        self._query = Choice(kind="slider")
        for control, name in ((self._layer, "layer"), (self._head, "head"), (self._query, "query")):
            control.add_class(f"vx-{name}")
        self._view = AttentionView()
        for control, trait in (
            (self._layer, "layer"),
            (self._head, "head"),
            (self._query, "token"),
        ):
            control.observe(lambda change, trait=trait: self._write({trait: change["new"]}), names="value")
        self._view.observe(lambda _change: self._take(), names=["layer", "head", "token"])
        self._view.observe(lambda _change: self._show_controls(), names="direction")
        return (
            box(self._layer, self._head, self._query, classes=["vx-row", "vx-attention-controls"]),
            self._view,
        )

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Bring controls and view to what the state says."""
        if "head" in changes and not self._following:
            self._rollout = False
        if self._rollout and trace.num_tokens > MAX_ROLLOUT_TOKENS:
            self._rollout = False
        self._following = True
        try:
            if not changes.isdisjoint({"trace", "language"}):
                self._view.language = self.state.language
                self._offer(trace)
            if "trace" in changes:
                self._show_trace(trace)
            self._show_controls()
        finally:
            self._following = False

    # -- parts -----------------------------------------------------------------------------------------------------

    def _offer(self, trace: Trace) -> None:
        say, spec = self.say, trace.spec
        heads = [{"value": MEAN_OF_HEADS, "label": say("head-mean")}, *(_numbered(n) for n in range(spec.heads))]
        if trace.num_tokens <= MAX_ROLLOUT_TOKENS:
            heads.append({"value": ROLLOUT, "label": say("head-rollout")})
        tokens = [{"value": n, "label": self.token_name(n)} for n in range(trace.num_tokens)]
        self._layer.show([_numbered(n) for n in range(spec.depth)], self.state.layer)
        self._head.show(heads, self._open_head)
        self._query.show(tokens, self.state.token)
        self._layer.label, self._head.label = say("layer"), say("head")

    @property
    def _open_head(self) -> int:
        return ROLLOUT if self._rollout else self.state.head

    def _show_trace(self, trace: Trace) -> None:
        state = self.state
        if state.picture is None:
            return
        spec = trace.spec
        cropping = Cropping(trace.image_size, spec.crop_pct, spec.interpolation, spec.crop_mode)
        photo = under_grid(display_crop(state.picture, cropping, state.crop), trace)
        self._view.show(trace, encode_image(photo, "jpeg"), layer=state.layer, head=self._open_head, token=state.token)

    def _show_controls(self) -> None:
        state, view = self.state, self._view
        self._query.label = self.say("query" if view.direction == "looks" else "key")
        self._layer.value, self._head.value, self._query.value = state.layer, self._open_head, state.token
        with view.hold_sync():
            view.layer, view.head, view.token = state.layer, self._open_head, state.token
            view.stem = self.stem()

    # -- what the user does ----------------------------------------------------------------------------------------

    def _take(self) -> None:
        """What the view says; all of it, since a click on the wall opens a layer and a head together."""
        view = self._view
        self._write({"layer": view.layer, "head": view.head, "token": view.token})

    def _write(self, values: dict[str, int]) -> None:
        """Bring a choice to the state; it comes back by :meth:`refresh`."""
        if self._following or self.state.trace is None:
            return
        rollout = values.get("head") == ROLLOUT
        if "head" in values and rollout != self._rollout:
            self._rollout = rollout
            self.refresh(self.state.trace, frozenset())
        if rollout:
            del values["head"]
        with self.state.batch():
            for name, value in values.items():
                setattr(self.state, name, value)


def _numbered(index: int) -> dict[str, Any]:
    return {"value": index, "label": str(index + 1)}
