"""Touch the model, watch the answer: what stage 7 of the page shows, as functions for a notebook.

>>> from explorer import load_model
>>> from explorer.experiments import shuffle_patches
>>> result = shuffle_patches(load_model(), "cat.jpg")
>>> result.largest_difference < 1e-4
True

Each function takes a model and a picture, runs the model (often many times) and returns a frozen result of traces and
arrays. Importing this package imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explorer.experiments.ablations import ablate, head_effects, patch_effects
    from explorer.experiments.changes import PositionKind, matching_scale, position_intervention
    from explorer.experiments.head_file import NewHead
    from explorer.experiments.looking import four_ways, relevance
    from explorer.experiments.models import ModelsResult, compare_models
    from explorer.experiments.new_head import classify, train_head
    from explorer.experiments.positions import shuffle_patches, sibling_answers, swap_positions
    from explorer.experiments.results import (
        WAYS,
        EffectMap,
        FourWays,
        HeadEffects,
        PairResult,
        ShuffleResult,
        SiblingAnswer,
        SizeRow,
        SizesResult,
    )
    from explorer.experiments.sizes import compare_sizes

__all__ = [
    "WAYS",
    "EffectMap",
    "FourWays",
    "HeadEffects",
    "ModelsResult",
    "NewHead",
    "PairResult",
    "PositionKind",
    "ShuffleResult",
    "SiblingAnswer",
    "SizeRow",
    "SizesResult",
    "ablate",
    "classify",
    "compare_models",
    "compare_sizes",
    "four_ways",
    "head_effects",
    "matching_scale",
    "patch_effects",
    "position_intervention",
    "relevance",
    "shuffle_patches",
    "sibling_answers",
    "swap_positions",
    "train_head",
]

#: Where each public name lives.
_HOMES = {
    "NewHead": "head_file",
    "classify": "new_head",
    "train_head": "new_head",
    "ModelsResult": "models",
    "compare_models": "models",
    "EffectMap": "results",
    "FourWays": "results",
    "HeadEffects": "results",
    "SizeRow": "results",
    "SizesResult": "results",
    "WAYS": "results",
    "compare_sizes": "sizes",
    "four_ways": "looking",
    "relevance": "looking",
    "PairResult": "results",
    "PositionKind": "changes",
    "ShuffleResult": "results",
    "SiblingAnswer": "results",
    "ablate": "ablations",
    "head_effects": "ablations",
    "matching_scale": "changes",
    "patch_effects": "ablations",
    "position_intervention": "changes",
    "shuffle_patches": "positions",
    "sibling_answers": "positions",
    "swap_positions": "positions",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'explorer.experiments' has no attribute {name!r}")
    value = getattr(import_module(f"explorer.experiments.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
