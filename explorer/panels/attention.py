"""Stage 5: attention in the hand, and at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import ipywidgets as W

from explorer.drawing import Node, Part, Row
from explorer.figures.attention_layers import MAX_ROLLOUT_TOKENS
from explorer.images import encode_image
from explorer.panels.base import Shape, StagePanel
from explorer.panels.photo import sharp_photo
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets.attention_view import ROLLOUT, AttentionView

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
        #: While the view is being set.
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
        """One view; its controls stand in it, so that what they change is drawn before the kernel hears of it."""
        self._view = AttentionView()
        self._view.observe(lambda _change: self._take(), names=["layer", "head", "token"])
        return (self._view,)

    @property
    def view(self) -> AttentionView:
        """All of the stage."""
        return self._view

    def picture(self) -> Node:
        """The open head on the photo and as a matrix; all layers and heads."""
        view = self._view

        def part(name: str, width: int) -> Part:
            return Part(view, width=width, select=f".vxw-attention-{name}", state=view.still())

        # The matrix decides how high all is: larger, it would make every letter smaller.
        # A wall of many layers and few heads would be so high that all else became small.
        wall = max(200, min(320, 60 + 380 * view.run["heads"] // view.run["layers"]))
        return Row([part("photo", 350), part("matrix", 330), part("wall", wall)], gap=32)

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Bring the view to what the state says."""
        if "head" in changes and not self._following:
            self._rollout = False
        if self._rollout and trace.num_tokens > MAX_ROLLOUT_TOKENS:
            self._rollout = False
        self._following = True
        try:
            self._view.language = self.state.language
            if "trace" in changes:
                self._show_trace(trace)
            self._show_choices()
        finally:
            self._following = False

    # -- parts -----------------------------------------------------------------------------------------------------

    @property
    def open_head(self) -> int:
        """What is open: a head, their mean, or the rollout."""
        return ROLLOUT if self._rollout else self.state.head

    def _show_trace(self, trace: Trace) -> None:
        state = self.state
        photo = encode_image(sharp_photo(state, trace), "jpeg")
        self._view.show(trace, photo, layer=state.layer, head=self.open_head, token=state.token)

    def _show_choices(self) -> None:
        state, view = self.state, self._view
        with view.hold_sync():
            view.layer, view.head, view.token = state.layer, self.open_head, state.token
            view.stem = self.stem()

    # -- what the user does ----------------------------------------------------------------------------------------

    def _take(self) -> None:
        """What the view says; all of it, since a click on the wall opens a layer and a head together."""
        view, state = self._view, self.state
        # While the view is being set from the state it has nothing to tell it.
        if self._following or state.trace is None:
            return
        self._rollout = view.head == ROLLOUT
        with state.batch():
            state.layer, state.token = view.layer, view.token
            if not self._rollout:
                state.head = view.head
