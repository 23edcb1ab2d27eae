"""The attention view's real front end on a page of its own, with Python answering as a kernel would."""

from __future__ import annotations

import io
from typing import Any

import torch
from PIL import Image

from explorer.engine import trace_image
from explorer.interventions import Intervention
from explorer.models import wrap_model
from explorer.samples import open_sample
from explorer.torch_compat import import_timm
from explorer.trace import Trace
from explorer.widgets import attention_view
from explorer.widgets.attention_view import AttentionView
from tests.widgets.front_end import FrontEnd

__all__ = ["AttentionPage", "opinionated_trace"]


def opinionated_trace(
    architecture: str = "vit_tiny_patch16_224", intervention: Intervention | None = None, **sizes: Any
) -> Trace:
    """A run of a random model whose attention is far from uniform."""
    torch.manual_seed(2)
    torch.set_num_threads(1)
    module = import_timm().create_model(architecture, pretrained=False, **sizes)
    with torch.no_grad():
        for block in module.blocks:
            block.attn.qkv.weight.mul_(12)
    return trace_image(wrap_model(module.eval(), "random"), open_sample("chelsea"), intervention=intervention)


class AttentionPage:
    """One attention view, shown.

    Parameters
    ----------
    front_end : FrontEnd
    trace : Trace
    **traits
        Of the view.
    """

    def __init__(self, front_end: FrontEnd, trace: Trace, width: int = 1168, **traits: Any) -> None:
        self.front_end = front_end
        self.trace = trace
        self.view = AttentionView(**traits)
        # Playwright works on an event loop of its own: nothing may be left to it, or to another thread.
        attention_view._AT_ONCE = 10**12
        self.view.send = self._answer  # type: ignore[method-assign]
        photo = io.BytesIO()
        Image.fromarray(trace.image).save(photo, "PNG")
        token = trace.num_prefix
        self.view.show(trace, photo.getvalue(), "image/png", layer=0, head=0, token=token)
        self.view.wait()
        self.element = front_end.mount("attention", self.view, width=width)
        self.answered = 0
        self.answer()

    @property
    def page(self) -> Any:
        return self.front_end.page

    def answer(self) -> int:
        """Answer the questions that the front end asked; how many there have been in all."""
        questions = self.front_end.sent("attention")
        for question in questions[self.answered :]:
            self.answered += 1
            self.view._handle_custom_msg(question, [])
        return self.answered

    def settle(self) -> None:
        """Answer until two pictures of the screen have passed without a question: nothing moves any more."""
        before = -1
        while before != self.answered:
            before = self.answered
            self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            self.answer()

    def layers_asked(self) -> list[int]:
        """The layers that the front end asked for, in order."""
        return [question["layer"] for question in self.front_end.sent("attention") if question["kind"] == "layer"]

    def _answer(self, content: Any, buffers: Any = None) -> None:
        self.front_end.answer("attention", content, *(buffers or []))

    def take(self) -> None:
        """Bring what the front end saved to Python, and what Python makes of it back."""
        state = self.page.evaluate("models.attention.state")
        for name in ("layer", "head", "token", "direction", "log", "per_head", "wall_kind", "wall_order"):
            setattr(self.view, name, state[name])
        self.front_end.update("attention", self.view)

    def saves(self) -> int:
        """How often something was written to the kernel."""
        count: int = self.page.evaluate("models.attention.saved.length")
        return count

    def pane(self, name: str) -> Any:
        """The part of the view that takes the pointer and the keys: photo, strip, matrix, wall or distance."""
        return self.element.locator(f".vxa-{name} .vxw-stage")

    def readout(self, name: str) -> str:
        found: str = self.element.locator(f".vxa-{name} .vxw-readout").inner_text()
        return " ".join(found.split())

    def title(self, name: str) -> str:
        found: str = self.element.locator(f".vxa-{name} .vxw-title").inner_text()
        return found
