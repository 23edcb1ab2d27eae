"""Stand-ins for what takes long: an answerer without a model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from explorer.errors import ExplorerError
from explorer.interventions import Intervention
from explorer.specs import ModelSpec
from explorer.tracer import TraceAnswer, TraceRequest

#: Depth, heads and native patch size of models that exist in tests only; of the deep one, large traces are too large.
MODELS = {"bundled": (6, 6, 8), "shallow": (2, 3, 16), "tall": (12, 12, 8), "deep": (72, 6, 8), "pooled": (6, 6, 8)}


class Answerer:
    """Answers with what the state reads of a trace: sizes, grid, names."""

    def __init__(self) -> None:
        self.requests: list[TraceRequest] = []

    def __call__(self, request: TraceRequest, _report: Any, _cancelled: Any) -> TraceAnswer:
        self.requests.append(request)
        if request.model not in MODELS:
            raise ExplorerError("model-not-vit", name=request.model)
        depth, heads, native = MODELS[request.model]
        patch_size, image_size = request.patch_size or native, request.image_size or 64
        side = image_size // patch_size
        prefix = 0 if request.model == "pooled" else 1
        kept = getattr(request.intervention, "kept_patches", None)
        patch_index = np.arange(side * side) if kept is None else np.array(sorted(kept))
        trace = SimpleNamespace(
            spec=spec(request.model, native, depth, heads, random_weights=request.random_weights),
            grid=(side, side),
            patch_index=patch_index,
            num_prefix=prefix,
            num_patches=len(patch_index),
            image_size=image_size,
            num_tokens=prefix + len(patch_index),
            patch_size=patch_size,
            intervention=request.intervention or Intervention(),
            image=np.zeros((image_size, image_size, 3), np.uint8),
        )
        return TraceAnswer(request=request, trace=trace, labels=None)  # type: ignore[arg-type]


def spec(name: str, patch_size: int, depth: int, heads: int, *, random_weights: bool = False) -> ModelSpec:
    """Facts of a model that exists in tests only."""
    return ModelSpec(
        name=name,
        architecture="vit_tiny_patch16_224",
        image_size=64,
        patch_size=patch_size,
        depth=depth,
        heads=heads,
        dim=192,
        head_dim=192 // heads,
        mlp_dim=768,
        num_classes=100,
        num_params=2_700_000,
        prefix_names=("CLS",),
        pooling="token",
        trained_patch_sizes=(4, 8, 16, 32),
        trained_image_sizes=(64,),
        random_weights=random_weights,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        crop_pct=1.0,
        interpolation="bicubic",
    )
