"""Where a model looked: gradients against finite differences, readings against the functions they come from."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from explorer.analysis import rank_correlation, rollout
from explorer.engine import model_input, model_tokens, trace_pixels
from explorer.errors import Cancelled, ExplorerError
from explorer.experiments import WAYS, four_ways, patch_effects, relevance
from explorer.experiments import looking as looking_module
from explorer.experiments.looking import attention_gradients
from explorer.images import encode_image, open_picture
from explorer.models import wrap_model
from explorer.samples import open_sample

if TYPE_CHECKING:
    from explorer.models import ExplorerModel


@pytest.fixture
def picture(image: Any) -> Any:
    return open_picture(encode_image(image(96), "png"))


def logit64(module: Any, tokens: torch.Tensor, nudges: torch.Tensor, target: int) -> float:
    """timm's blocks in float64, with something added to all attention: nothing of ours but the order of the steps."""
    x = tokens
    for layer, block in enumerate(module.blocks):
        attn, inner = block.attn, block.norm1(x)
        q, k, v = attn.qkv(inner).reshape(1, len(inner[0]), 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k = attn.q_norm(q), attn.k_norm(k)
        attention = (q * attn.scale @ k.transpose(-2, -1)).softmax(-1) + nudges[layer]
        x = x + block.ls1(attn.proj((attention @ v).transpose(1, 2).reshape(inner.shape)))
        x = x + block.ls2(block.mlp(block.norm2(x)))
    return float(module.forward_head(module.norm(x))[0, target])


@pytest.mark.parametrize("kind", ["plain", "qk_norm", "layer_scale", "average"])
def test_relevance_is_what_finite_differences_give(kind: str, model_of: Any, picture: Any) -> None:
    model, target, step = model_of(kind), 3, 1e-5
    module, arrays, image = model_input(model, picture, patch_size=32)
    double = copy.deepcopy(module).double()
    tokens = model_tokens(module, arrays, image).double()
    depth, heads, count = model.spec.depth, model.spec.heads, tokens.shape[1]
    gradients = np.empty((depth, heads, count, count))
    with torch.inference_mode():
        for place in np.ndindex(gradients.shape):
            nudges = torch.zeros(gradients.shape, dtype=torch.float64)
            nudges[place] = step
            change = logit64(double, tokens, nudges, target) - logit64(double, tokens, -nudges, target)
            gradients[place] = change / (2 * step)
    attention, found = attention_gradients(module, arrays, image, target)
    measured = relevance(model, picture, target, patch_size=32)
    np.testing.assert_allclose(np.stack(found), gradients, rtol=1e-3, atol=1e-4 * np.abs(gradients).max())
    trace = trace_pixels(module, arrays, image)
    np.testing.assert_allclose(attention[1], trace.blocks[1].attention, atol=1e-5)
    # The paper's rule to the letter, with whole matrices.
    flow = np.eye(count)
    for layer in range(depth):
        flow = flow + np.maximum(gradients[layer] * trace.blocks[layer].attention, 0).mean(axis=0) @ flow
    expected = flow[0, 1:] if model.spec.num_prefix else flow.mean(axis=0)
    np.testing.assert_allclose(measured, expected, rtol=2e-3, atol=1e-4 * np.abs(expected).max())


def test_a_size_that_was_made_in_inference_mode_still_has_gradients(model_of: Any, picture: Any) -> None:
    model = wrap_model(copy.deepcopy(model_of("plain").model))
    with torch.inference_mode():
        model.at(patch_size=16)
    expected = relevance(model_of("plain"), picture, 3, patch_size=16)
    np.testing.assert_array_equal(relevance(model, picture, 3, patch_size=16), expected)


def test_relevance_is_of_a_class(plain_model: ExplorerModel, picture: Any) -> None:
    trace = trace_pixels(*model_input(plain_model, picture))
    own = int(trace.output.argmax())
    np.testing.assert_array_equal(relevance(plain_model, picture), relevance(plain_model, picture, own))
    assert np.abs(relevance(plain_model, picture) - relevance(plain_model, picture, (own + 1) % 1000)).max() > 1e-4


def test_four_readings_are_those_of_their_functions(plain_model: ExplorerModel, picture: Any) -> None:
    told: list[tuple[int, int]] = []
    result = four_ways(plain_model, picture, 5, report=lambda done, total: told.append((done, total)), batch=8)
    trace = trace_pixels(*model_input(plain_model, picture))
    effects = patch_effects(plain_model, picture, target=5)
    np.testing.assert_allclose(result["attention"], trace.blocks[-1].attention.mean(axis=0)[0, 1:], rtol=1e-5)
    np.testing.assert_allclose(result["rollout"], rollout(b.attention for b in trace.blocks)[0, 1:], rtol=1e-5)
    np.testing.assert_array_equal(result["relevance"], relevance(plain_model, picture, 5))
    np.testing.assert_allclose(result["effect"], effects.effects, atol=1e-5)
    assert WAYS[-1] == "effect"
    assert told == [(8, 16), (16, 16)]
    np.testing.assert_allclose(np.diag(result.agreement), 1, rtol=1e-6)
    assert result.agreement[0, 3] == pytest.approx(effects.correlation, abs=0.02)
    assert result.agreement[1, 2] == pytest.approx(rank_correlation(result.values[1], result.values[2]), abs=1e-6)
    assert result.ranks.min() == 0
    assert result.ranks.max() == 1
    assert list(result.ranks[2].argsort()) == list(result["relevance"].argsort())


@pytest.mark.parametrize("kind", ["distilled", "attention_pool", "clip", "maximum", "swiglu", "registers"])
def test_every_kind_of_model_is_read(kind: str, model_of: Any, picture: Any) -> None:
    model = model_of(kind)
    if not model.spec.has_classes:
        with pytest.raises(ExplorerError) as caught:
            four_ways(model, picture)
        assert caught.value.code == "experiment-no-classes"
        return
    result = four_ways(model, picture)
    assert np.isfinite(result.values).all()
    assert result.values.shape == (4, result.grid[0] * result.grid[1])


def test_the_bundled_model_is_read_at_every_size(bundled: ExplorerModel) -> None:
    for patch_size in (8, 16, 32):
        result = four_ways(bundled, open_sample("goldfish"), patch_size=patch_size)
        assert (result["relevance"] >= 0).all()
        assert np.isfinite(result.agreement).all()


def test_what_does_not_fit_into_memory_is_refused(
    plain_model: ExplorerModel, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking_module, "MAX_ATTENTION_BYTES", 1000)
    with pytest.raises(ExplorerError) as caught:
        relevance(plain_model, picture)
    assert caught.value.code == "experiment-attention-too-large"
    assert "17" in str(caught.value)


def test_it_can_be_stopped(plain_model: ExplorerModel, picture: Any) -> None:
    with pytest.raises(Cancelled):
        four_ways(plain_model, picture, cancelled=lambda: True)
