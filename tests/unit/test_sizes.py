"""Tokens, multiply-adds and memory: counted by torch and by the trace itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from explorer.engine import normalise, trace_image, trace_pixels
from explorer.errors import ExplorerError
from explorer.images import Picture
from explorer.sizes import (
    MAX_TRACE_BYTES,
    check_size,
    grid_size,
    image_size_choices,
    multiply_adds,
    num_tokens,
    patch_size_choices,
    trace_bytes,
)
from explorer.specs import ModelSpec

from .conftest import explorer_model, random_image

if TYPE_CHECKING:
    from explorer.models import ExplorerModel

VIT_B = ModelSpec(
    name="ViT-B/16",
    architecture="vit_base_patch16_224",
    image_size=224,
    patch_size=16,
    depth=12,
    heads=12,
    dim=768,
    head_dim=64,
    mlp_dim=3072,
    num_classes=1000,
    num_params=86_567_656,
    prefix_names=("CLS",),
    pooling="token",
    trained_patch_sizes=(16,),
    trained_image_sizes=(224,),
    random_weights=False,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    crop_pct=0.9,
    interpolation="bicubic",
)


def test_numbers_that_everyone_knows() -> None:
    assert grid_size(224, 16) == (14, 14)
    assert num_tokens(VIT_B, 224, 16) == 197
    assert multiply_adds(VIT_B, 224, 16) == pytest.approx(17.56e9, rel=1e-3)
    assert trace_bytes(VIT_B, 224, 16) == pytest.approx(30e6, rel=0.1)


def test_multiply_adds_are_what_torch_counts(any_model: ExplorerModel) -> None:
    spec = any_model.spec
    pixels = normalise(random_image(spec.image_size), spec)[None]
    module: Any = any_model.model
    # Fused attention on a CPU is one operator that torch's counter does not know.
    parts = [part for part in module.modules() if hasattr(part, "fused_attn")]
    try:
        for part in parts:
            part.fused_attn = False
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(pixels)
    finally:
        for part in parts:
            part.fused_attn = True
    assert multiply_adds(spec, spec.image_size, spec.patch_size) == counter.get_total_flops() // 2


def test_trace_bytes_are_those_of_a_trace(any_model: ExplorerModel) -> None:
    spec = any_model.spec
    trace = trace_pixels(any_model.model, any_model.arrays, random_image(spec.image_size))
    assert trace.nbytes == trace_bytes(spec, spec.image_size, spec.patch_size)


def test_patch_sizes_fill_the_input() -> None:
    choices = patch_size_choices(VIT_B, 224)
    assert [choice.patch_size for choice in choices] == [4, 7, 8, 14, 16, 28, 32, 56, 112, 224]
    assert [choice.patch_size for choice in choices if choice.trained] == [16]
    assert [choice.patch_size for choice in choices if not choice.fits] == [4]
    four = choices[0]
    assert (four.patches, four.tokens, four.image_size) == (3136, 3137, 224)
    assert four.trace_bytes > MAX_TRACE_BYTES
    own = next(choice for choice in choices if choice.patch_size == 16)
    assert own.multiply_adds == multiply_adds(VIT_B, 224, 16)


def test_a_models_own_size_is_always_a_choice() -> None:
    spec = replace(VIT_B, image_size=378, patch_size=16)
    sizes = [choice.patch_size for choice in patch_size_choices(spec, 378)]
    assert 16 in sizes
    assert 378 in [choice.image_size for choice in image_size_choices(spec, 16)]
    check_size(spec, 378, 16)


def test_image_sizes_are_whole_numbers_of_patches() -> None:
    choices = image_size_choices(VIT_B, 32)
    sizes = [choice.image_size for choice in choices]
    assert sizes == sorted(set(sizes))
    assert all(size % 32 == 0 for size in sizes)
    assert {128, 224, 448} <= set(sizes)
    assert all(choice.patch_size == 32 for choice in choices)
    trained = replace(VIT_B, trained_image_sizes=(96, 160, 224))
    assert {96, 160, 224} <= {choice.image_size for choice in image_size_choices(trained, 32)}


def test_too_large_a_trace_is_refused_with_the_number_and_a_way_out() -> None:
    with pytest.raises(ExplorerError) as failure:
        check_size(VIT_B, 224, 4)
    error = failure.value
    assert error.code == "trace-too-large"
    assert error.values["megabytes"] == round(trace_bytes(VIT_B, 224, 4) / 1e6)
    assert error.values["instead"] == 7
    check_size(VIT_B, 224, 7)
    with pytest.raises(ExplorerError) as failure:
        check_size(VIT_B, 8192, 32)
    assert failure.value.code == "trace-too-large-model"


@pytest.mark.parametrize(("image_size", "patch_size"), [(224, 15), (224, 225), (224, -1), (378, 16)])
def test_uneven_sizes_are_refused(image_size: int, patch_size: int) -> None:
    with pytest.raises(ExplorerError) as failure:
        check_size(VIT_B, image_size, patch_size)
    assert failure.value.code == "size-not-even"


def test_a_trace_that_is_too_large_is_never_begun() -> None:
    model = explorer_model("plain")
    picture = Picture(random_image(64), "noise", "0")
    with pytest.raises(ExplorerError) as failure:
        trace_image(model, picture, image_size=1024, patch_size=4)
    assert failure.value.code == "trace-too-large"
