"""Traces against timm: every array of every block on models that differ in all ways, and every architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from explorer.engine import normalise, run_model, trace_image, trace_pixels
from explorer.errors import ExplorerError
from explorer.images import open_picture
from explorer.models import wrap_model
from explorer.numerics import softmax
from explorer.torch_compat import import_timm
from explorer.trace import Trace
from explorer.trace_check import check_trace

from .conftest import MODELS, explorer_model, random_image, randomised, timm_model

if TYPE_CHECKING:
    from explorer.models import ExplorerModel

timm = import_timm()

#: What the project promises.
CLOSE = {"atol": 1e-4, "rtol": 1e-4}

#: Their blocks are parallel, differential or post-norm: slides 19 to 25 do not describe them.
REFUSED = {
    "vit_base_patch16_18x2_224",
    "vit_base_patch16_rpn_224",
    "vit_base_patch16_xp_224",
    "vit_dlittle_patch16_reg1_gap_256",
    "vit_dpwee_patch16_reg1_gap_256",
    "vit_dwee_patch16_reg1_gap_256",
    "vit_huge_patch14_xp_224",
    "vit_large_patch14_xp_224",
    "vit_pwee_patch16_reg1_gap_256",
    "vit_small_patch16_18x2_224",
}
ARCHITECTURES = sorted({name for module in ("vision_transformer", "deit") for name in timm.list_models(module=module)})


def traced(model: ExplorerModel, seed: int = 0) -> Trace:
    return trace_pixels(model.model, model.arrays, random_image(model.spec.image_size, seed))


@torch.inference_mode()
def timm_output(model: ExplorerModel, trace: Trace) -> NDArray[np.float32]:
    module: Any = model.model
    output: NDArray[np.float32] = module(normalise(trace.image, model.spec)[None])[0].numpy()
    return output


@contextmanager
def watched(module: Any) -> Iterator[dict[str, torch.Tensor]]:
    """What goes in and out of every module of timm's, with attention that is not fused."""
    seen: dict[str, torch.Tensor] = {}
    hooks = []
    for name, part in module.named_modules():
        if hasattr(part, "fused_attn"):
            part.fused_attn = False

        def note(_: Any, inputs: tuple[Any, ...], output: Any, name: str = name) -> None:
            seen[name] = output
            seen[f"{name}:in"] = inputs[0]

        hooks.append(part.register_forward_hook(note))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
        for part in module.modules():
            if hasattr(part, "fused_attn"):
                part.fused_attn = True


@pytest.mark.parametrize("kind", MODELS)
def test_every_array_equals_timms_own(kind: str) -> None:
    model = explorer_model(kind)
    spec = model.spec
    trace = traced(model)
    with watched(model.model) as seen, torch.inference_mode():
        output = model.model(normalise(trace.image, spec)[None])[0].numpy()

    def close(ours: NDArray[Any], name: str) -> None:
        theirs = seen[name][0].numpy()
        np.testing.assert_allclose(ours, theirs.reshape(ours.shape), **CLOSE, err_msg=name)

    rows, cols = trace.grid
    side, tokens = trace.patch_size, trace.num_tokens
    assert trace.patches.shape == (rows * cols, side * side * 3)
    assert tokens == spec.num_prefix + rows * cols
    # The embedding: a convolution for timm, the matrix product of slide 9 here.
    convolved = seen["patch_embed.proj"][0].flatten(1).T.numpy()
    np.testing.assert_allclose(trace.patch_embeddings, convolved, **CLOSE)
    close(trace.tokens, "norm_pre:in")
    normed = model.arrays.embed_norm
    embedded = trace.patch_embeddings if normed is None else normed(trace.patch_embeddings)
    np.testing.assert_allclose(np.concatenate([trace.prefix_tokens, embedded]) + trace.pos_embed, trace.tokens, **CLOSE)
    close(trace.z[0], "norm_pre")
    assert len(trace.blocks) == spec.depth == 2
    for number, block in enumerate(trace.blocks):
        at = f"blocks.{number}"
        close(block.z_in, f"{at}:in")
        close(block.norm1, f"{at}.norm1")
        close(block.q, f"{at}.attn.q_norm")
        close(block.k, f"{at}.attn.k_norm")
        qkv = seen[f"{at}.attn.qkv"][0].reshape(tokens, 3, spec.heads, spec.head_dim)
        np.testing.assert_allclose(block.v, qkv[:, 2].permute(1, 0, 2), **CLOSE)
        np.testing.assert_allclose(
            block.arrays.qkv(block.norm1), qkv.reshape(tokens, -1), **CLOSE, err_msg="norm1 @ U_qkv"
        )
        close(block.attention, f"{at}.attn.attn_drop")
        np.testing.assert_allclose(softmax(block.scores), block.attention, atol=1e-5)
        close(block.head_outputs.transpose(1, 0, 2).reshape(tokens, -1), f"{at}.attn.norm:in")
        close(block.msa, f"{at}.attn.proj")
        close(block.scale1 * block.msa, f"{at}.ls1")
        close(block.z_mid, f"{at}.norm2:in")
        close(block.norm2, f"{at}.norm2")
        close(block.mlp_hidden, f"{at}.mlp.drop1")
        close(block.mlp, f"{at}.mlp.fc2")
        close(block.scale2 * block.mlp, f"{at}.ls2")
        close(block.z_out, at)
        np.testing.assert_allclose(block.z_in + block.scale1 * block.msa, block.z_mid, **CLOSE)
        np.testing.assert_allclose(block.z_mid + block.scale2 * block.mlp, block.z_out, **CLOSE)
        if block.mlp_gate is None:
            close(block.mlp_pre, f"{at}.mlp.fc1")
        else:
            assert block.mlp_gate.shape == block.mlp_pre.shape == (tokens, spec.mlp_dim)
    close(trace.final_tokens, "norm")
    np.testing.assert_allclose(trace.output, output, **CLOSE)
    np.testing.assert_allclose(model.arrays.classify(trace.y), output, **CLOSE)
    if spec.distilled:
        np.testing.assert_allclose(trace.y, seen["norm"][0, :2], **CLOSE)
    else:
        close(trace.y, "head:in")


def test_shapes_and_types_are_those_of_the_vocabulary(any_model: ExplorerModel) -> None:
    trace = traced(any_model)
    spec = any_model.spec
    tokens, dim, heads, mlp = trace.num_tokens, spec.dim, spec.heads, spec.mlp_dim
    square, wide = (heads, tokens, tokens), (tokens, mlp)
    expected: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(("norm1", "msa", "z_mid", "norm2", "mlp", "z_in", "z_out"), (tokens, dim)),
        **dict.fromkeys(("q", "k", "v", "head_outputs"), (heads, tokens, dim // heads)),
        **dict.fromkeys(("scores", "attention"), square),
        **dict.fromkeys(("mlp_pre", "mlp_hidden"), wide),
        "log_sum_exp": (heads, tokens),
        "scale1": (dim,),
        "scale2": (dim,),
    }
    for block in trace.blocks:
        for name, shape in expected.items():
            value = getattr(block, name)
            assert value.shape == shape, name
            assert value.dtype == np.float32, name
    outer: dict[str, tuple[int, ...]] = {
        "patch_embeddings": (trace.num_patches, dim),
        "prefix_tokens": (trace.num_prefix, dim),
        "pos_embed": (tokens, dim),
        "final_tokens": (tokens, dim),
        "y": (2 if spec.distilled else 1, dim),
    }
    for name, shape in outer.items():
        value = getattr(trace, name)
        assert value.shape == shape, name
        assert value.dtype == np.float32, name
    assert trace.image.dtype == np.uint8
    if spec.has_classes:
        assert trace.logits is not None
        assert trace.probs is not None
        assert trace.logits.shape == trace.probs.shape == (spec.num_classes,)
        assert trace.probs.sum() == pytest.approx(1, abs=1e-5)
    else:
        assert trace.logits is None
        assert trace.probs is None


def test_parts_of_the_attention_are_parts_of_the_whole(plain_model: ExplorerModel) -> None:
    block = traced(plain_model).blocks[1]
    attention = block.attention
    np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-5)
    for token in (0, 5, -1):
        np.testing.assert_allclose(block.attention_rows(token), attention[:, token], atol=1e-5)
        np.testing.assert_allclose(block.attention_columns(token), attention[:, :, token], atol=1e-5)
    np.testing.assert_allclose(block.attention_head(2), attention[2], atol=1e-5)
    np.testing.assert_allclose(np.exp(block.scores - block.log_sum_exp[..., None]), attention, atol=1e-5)


def test_pool_weights_say_what_the_head_reads(any_model: ExplorerModel) -> None:
    trace = traced(any_model)
    weights = trace.pool_weights
    if any_model.spec.pooling in ("max", "avgmax", "prr"):
        assert weights is None
        return
    assert weights is not None
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    if any_model.spec.pooling != "map":
        pooled = weights @ trace.final_tokens
        norm = any_model.arrays.fc_norm
        np.testing.assert_allclose(pooled if norm is None else norm(pooled), trace.y, **CLOSE)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_of_timm_is_traced_or_refused(architecture: str) -> None:
    with torch.device("meta"):
        full = timm.create_model(architecture, depth=2)
    heads = getattr(getattr(full.blocks[0], "attn", None), "num_heads", 2)
    # Small, but otherwise as it is: an even number of channels a head, few patches, and the head's own size.
    patch = full.patch_embed.patch_size[0]
    heads = 2 if heads % 2 == 0 else 3
    size = {"img_size": 2 * patch, "embed_dim": 16 * heads, "num_heads": heads, "depth": 2}
    module = timm.create_model(architecture, **size, **({"num_classes": 9} if full.num_classes == 1000 else {}))
    if architecture in REFUSED:
        with pytest.raises(ExplorerError) as refusal:
            wrap_model(module, architecture)
        assert refusal.value.code == "model-not-supported"
        assert architecture in str(refusal.value)
        return
    model = wrap_model(randomised(module), architecture)
    assert model.spec.architecture == architecture
    trace = traced(model)
    # What is asked of a trace from a file is true of every run.
    check_trace(trace)
    output = timm_output(model, trace)
    np.testing.assert_allclose(trace.output, output, **CLOSE)
    np.testing.assert_allclose(model.arrays.classify(trace.y), output, **CLOSE)
    np.testing.assert_allclose(
        trace.blocks[1].z_mid + trace.blocks[1].scale2 * trace.blocks[1].mlp, trace.z[2], **CLOSE
    )


def test_only_ten_architectures_are_refused() -> None:
    assert len(ARCHITECTURES) > 150
    assert set(ARCHITECTURES) >= REFUSED
    assert len(REFUSED) == 10


@pytest.mark.parametrize("size", [(90, 137), (200, 81), (64, 64), (40, 40)])
@pytest.mark.parametrize(
    "architecture",
    ["vit_tiny_patch16_224", "vit_base_patch16_224_miil", "vit_base_patch16_clip_384", "deit3_small_patch16_224"],
)
def test_pixels_are_those_of_timms_evaluation_transform(
    tmp_path: Path, architecture: str, size: tuple[int, int]
) -> None:
    model = wrap_model(timm_model(architecture, embed_dim=64, num_heads=2))
    picture = Image.fromarray(np.random.default_rng(4).integers(0, 256, (*size, 3), dtype=np.uint8))
    file = tmp_path / "picture.png"
    picture.save(file)
    config = timm.data.resolve_data_config({"input_size": (3, 64, 64)}, model=model.model)
    theirs = timm.data.create_transform(**config)(picture)
    trace = trace_image(model, open_picture(file.read_bytes()))
    np.testing.assert_allclose(normalise(trace.image, model.spec), theirs, atol=1e-6)
    rebuilt = trace.patches.reshape(4, 4, 16, 16, 3).transpose(4, 0, 2, 1, 3).reshape(3, 64, 64)
    np.testing.assert_allclose(rebuilt, theirs, atol=1e-6)


def test_a_picture_may_be_a_path_or_bytes(tmp_path: Path, plain_model: ExplorerModel) -> None:
    file = tmp_path / "picture.png"
    Image.fromarray(random_image(80)).save(file)
    expected = trace_image(plain_model, open_picture(file.read_bytes())).output
    for picture in (file, str(file), file.read_bytes()):
        np.testing.assert_array_equal(trace_image(plain_model, picture).output, expected)
    moved = trace_image(plain_model, file, crop=(0.0, 0.0))
    assert moved.image.shape == (64, 64, 3)


def test_a_picture_that_is_not_there_is_said(tmp_path: Path, plain_model: ExplorerModel) -> None:
    for path in (tmp_path / "nowhere.jpg", str(tmp_path / "nowhere.jpg"), tmp_path, "nul\0.jpg"):
        with pytest.raises(ExplorerError) as failure:
            trace_image(plain_model, path)
        assert failure.value.code == "file-unreadable"
        assert str(path) in str(failure.value)


def test_running_without_a_trace_gives_the_same_answer(any_model: ExplorerModel) -> None:
    trace = traced(any_model)
    np.testing.assert_array_equal(run_model(any_model.model, any_model.arrays, trace.image), trace.output)


def test_a_traced_model_is_left_as_it_was(plain_model: ExplorerModel) -> None:
    before = {name: value.clone() for name, value in plain_model.model.state_dict().items()}
    traced(plain_model)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in plain_model.model.modules())
    assert all(torch.equal(value, before[name]) for name, value in plain_model.model.state_dict().items())


def test_two_threads_trace_the_same_model(plain_model: ExplorerModel) -> None:
    from concurrent.futures import ThreadPoolExecutor

    alone = [traced(plain_model, seed).output for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda seed: traced(plain_model, seed).output, range(6)))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("field", ["image", "patches", "tokens", "z", "q", "output"])
def test_what_is_stored_cannot_be_written_to(plain_model: ExplorerModel, field: str) -> None:
    trace = traced(plain_model)
    with pytest.raises(ValueError, match="read-only"):
        getattr(trace, field)[...] = 0


def test_weights_cannot_be_written_to(any_model: ExplorerModel, image: Callable[..., Any]) -> None:
    arrays = any_model.arrays
    for array in (arrays.embed_weight, arrays.pos_embed, arrays.blocks[0].qkv.weight, arrays.blocks[1].mlp.fc2.weight):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
