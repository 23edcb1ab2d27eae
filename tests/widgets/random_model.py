"""A state whose traces come from a small random model, without files and without a network."""

from __future__ import annotations

from typing import Any

import torch

from explorer.engine import trace_image
from explorer.labels import Labels
from explorer.models import wrap_model
from explorer.panels.experiments import ExperimentsPanel
from explorer.samples import open_sample
from explorer.state import ExplorerState
from explorer.torch_compat import import_timm
from explorer.tracer import Answerer, TraceAnswer
from tests.widgets.turns import Turns

SMALL = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 5}


def random_answerer(architecture: str = "vit_tiny_patch16_224", scale: float = 1.0, **arguments: Any) -> Answerer:
    """Answers of a model whose layers are so many times stronger than timm's fresh ones, which hardly do anything."""
    torch.manual_seed(2)
    torch.set_num_threads(1)
    module = import_timm().create_model(architecture, pretrained=False, **(SMALL | arguments))
    with torch.no_grad():
        if module.patch_embed.proj.bias is not None:
            module.patch_embed.proj.bias.normal_()
        for parameter in module.blocks.parameters():
            if parameter.ndim == 2:
                parameter.mul_(scale)
        if scale != 1.0 and module.num_classes:
            module.head.weight.normal_(std=0.3)
    model = wrap_model(module, "random")
    labels = Labels(ids=(), en=(), ja=())

    def answer(request: Any, report: Any, cancelled: Any) -> TraceAnswer:
        trace = trace_image(
            model,
            request.picture,
            patch_size=request.patch_size or None,
            image_size=request.image_size or None,
            crop=request.crop,
            intervention=request.intervention,
        )
        return TraceAnswer(request=request, trace=trace, labels=labels)

    answer.model = model  # type: ignore[attr-defined]
    return answer


def random_state(intervention: Any = None, **arguments: Any) -> ExplorerState:
    """A state that has its first trace; experiments run the same model."""
    answerer = random_answerer(**arguments)
    turns = Turns()
    state = turns.take(
        ExplorerState(picture=open_sample("chelsea"), answerer=answerer, deliver=turns, intervention=intervention)
    )
    state.jobs.models.add("bundled", answerer.model)  # type: ignore[attr-defined]
    assert state.wait(60)
    assert state.error is None, state.error
    return state


def settled(state: ExplorerState) -> None:
    """Wait until the run and the experiments are there, and hear of no failure."""
    assert state.wait(60)
    assert state.error is None, state.error


def opened(state: ExplorerState, name: str) -> Any:
    """An experiment of stage 7, with its result."""
    state.experiment = name
    stage = ExperimentsPanel(state)
    settled(state)
    return stage.experiments[name]


def shown(widget: Any) -> bool:
    """Whether a widget takes part in the page."""
    return widget.layout.display != "none" and widget.layout.visibility != "hidden"
