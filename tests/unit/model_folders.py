"""A model's folder, and what is said where one cannot be loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from explorer.errors import ExplorerError
from explorer.texts import LANGUAGES, error_text

ARGUMENTS = {"img_size": 64, "patch_size": 8, "embed_dim": 48, "num_heads": 3, "depth": 2, "num_classes": 5}


def write_folder(folder: Path, module: Any, *, dtype: torch.dtype = torch.float32, **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    described: dict[str, Any] = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 5,
        "model_args": ARGUMENTS,
        "pretrained_cfg": {
            "input_size": [3, 64, 64],
            "mean": [0.4, 0.5, 0.6],
            "std": [0.2, 0.25, 0.3],
            "crop_pct": 1.0,
            "interpolation": "bilinear",
            "num_classes": 5,
        },
    } | config
    (folder / "config.json").write_text(json.dumps(described))
    state = {name: value.to(dtype).contiguous() for name, value in module.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    return folder


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ExplorerError) as failure:
        call()
    for language in LANGUAGES:
        assert error_text(failure.value, language)
    return failure.value.code
