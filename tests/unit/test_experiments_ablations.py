"""Parts taken away: many runs at once are the same as one by one, heads are timm's columns, effects are differences."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from explorer.analysis import rank_correlation, ranks
from explorer.engine import model_input, normalise, run_batch, run_model
from explorer.errors import Cancelled, ExplorerError
from explorer.experiments import ablate, head_effects, patch_effects
from explorer.experiments.ablations import _sharpness, batch_for, last_attention, reading_weights
from explorer.images import encode_image, open_picture
from explorer.interventions import Intervention
from explorer.samples import open_sample

if TYPE_CHECKING:
    from explorer.models import ExplorerModel


@pytest.fixture
def picture(image: Any) -> Any:
    return open_picture(encode_image(image(96), "png"))


def all_kinds(patches: int, dim: int, heads: int) -> list[Intervention]:
    """Changes of every kind, which leave three different numbers of tokens."""
    rng = np.random.default_rng(0)
    order = [int(place) for place in rng.permutation(patches)]
    table = rng.normal(size=(patches, dim)).astype(np.float32)
    return [
        Intervention(),
        Intervention(masked=[0, patches - 1]),
        Intervention(kept=range(1, patches)),
        Intervention(permutation=order),
        Intervention(permutation=order, masked=[2], pos_embed=None),
        Intervention(kept=[0, 2], permutation=order, masked_heads=[(1, 0)]),
        Intervention(pos_embed=table, msa_off=[1]),
        Intervention(masked_heads=[(0, 0), (1, heads - 1)]),
        Intervention(masked_heads=[(1, head) for head in range(heads)], mlp_off=[0]),
        Intervention(mlp_off=[0, 1], msa_off=[0]),
        Intervention(kept=range(patches - 1), mlp_off=[1]),
    ]


def test_runs_in_batches_are_runs_one_by_one(any_model: ExplorerModel, picture: Any) -> None:
    module, arrays, image = model_input(any_model, picture)
    changes = all_kinds(arrays.grid[0] * arrays.grid[1], arrays.spec.dim, arrays.blocks[0].heads)
    single = np.stack([run_model(module, arrays, image, change) for change in changes])
    told: list[tuple[int, int]] = []
    for batch in (2, 64):
        together = run_batch(
            module, arrays, image, changes, batch=batch, report=lambda done, total: told.append((done, total))
        )
        np.testing.assert_allclose(together, single, rtol=1e-4, atol=1e-4)
    assert told[-1] == (len(changes), len(changes))
    assert len(told) > 7
    # The changes change something, else the comparison would say little.
    assert (np.abs(single[1:] - single[0]).max(axis=1) > 1e-3).sum() >= 8


@pytest.mark.parametrize("patch_size", [4, 8, 16, 32])
def test_batches_of_the_bundled_model(bundled: ExplorerModel, patch_size: int) -> None:
    module, arrays, image = model_input(bundled, open_sample("chelsea"), patch_size=patch_size)
    changes = all_kinds(arrays.grid[0] * arrays.grid[1], arrays.spec.dim, arrays.blocks[0].heads)
    single = np.stack([run_model(module, arrays, image, change) for change in changes])
    np.testing.assert_allclose(run_batch(module, arrays, image, changes), single, atol=1e-4)


def test_a_batch_that_does_not_fit_or_is_not_wanted(plain_model: ExplorerModel, picture: Any) -> None:
    module, arrays, image = model_input(plain_model, picture)
    with pytest.raises(ExplorerError) as caught:
        run_batch(module, arrays, image, [Intervention(), Intervention(masked=[16])])
    assert caught.value.code == "intervention-patch"
    told: list[int] = []
    with pytest.raises(Cancelled):
        run_batch(
            module,
            arrays,
            image,
            [Intervention()] * 5,
            batch=2,
            report=lambda done, total: told.append(done),
            cancelled=lambda: bool(told),
        )
    assert told == [2]


@pytest.mark.parametrize("kind", ["plain", "qk_norm", "layer_scale", "average"])
def test_a_head_that_is_off_is_one_whose_columns_of_timms_projection_are_zero(
    kind: str, model_of: Any, picture: Any
) -> None:
    model = model_of(kind)
    image = model_input(model, picture)[2]
    result = head_effects(model, picture, target=3)
    size = model.spec.head_dim
    with torch.inference_mode():
        own = model.model(normalise(image, model.spec)[None])[0, 3]
        for layer in range(model.spec.depth):
            for head in range(model.spec.heads):
                twin = copy.deepcopy(model.model)
                twin.blocks[layer].attn.proj.weight[:, head * size : (head + 1) * size] = 0
                without = twin(normalise(image, model.spec)[None])[0, 3]
                assert result.effects[layer, head] == pytest.approx(float(own - without), abs=1e-4)
    assert np.ptp(result.effects) > 1e-3
    assert result.logit == pytest.approx(float(own), abs=1e-4)


@pytest.mark.parametrize("how", ["mean", "drop"])
@pytest.mark.parametrize("kind", ["plain", "average", "attention_pool", "distilled"])
def test_effects_are_differences_of_single_runs(kind: str, how: Any, model_of: Any, picture: Any) -> None:
    model = model_of(kind)
    result = patch_effects(model, picture, how=how)
    own = ablate(model, picture, Intervention()).before
    assert result.target == int(own.output.argmax())
    for patch in (0, 7, 15):
        change = Intervention(masked=[patch]) if how == "mean" else Intervention(kept=set(range(16)) - {patch})
        changed = ablate(model, picture, change)
        expected = -float(changed.logit_changes[result.target])
        assert result.effects[patch] == pytest.approx(expected, abs=1e-4)
    assert result.correlation == pytest.approx(rank_correlation(result.effects, result.attention))
    assert result.effects.shape == result.attention.shape == (16,)


def test_the_attention_beside_is_that_of_what_the_head_reads(model_of: Any, picture: Any) -> None:
    for kind, reads in (("plain", [0]), ("distilled", [0, 1]), ("average", range(16))):
        trace = ablate(model_of(kind), picture, Intervention()).before
        weights = reading_weights(trace)
        assert list(np.flatnonzero(weights)) == list(reads)
        assert weights.sum() == pytest.approx(1)
        rows = trace.blocks[-1].attention.mean(axis=0)[list(reads)].mean(axis=0)
        np.testing.assert_allclose(last_attention(trace), rows[trace.num_prefix :], rtol=1e-5)
    assert reading_weights(ablate(model_of("maximum"), picture, Intervention()).before)[1:].sum() == pytest.approx(1)


def test_how_sharply_a_head_looks(plain_model: ExplorerModel, picture: Any) -> None:
    result = head_effects(plain_model, picture)
    trace = ablate(plain_model, picture, Intervention()).before
    row = trace.blocks[1].attention[2, 0].astype(np.float64)
    entropy = -(row * np.log(row)).sum()
    assert result.beside[1, 2] == pytest.approx(1 - entropy / np.log(17), abs=1e-4)
    assert ((result.beside >= 0) & (result.beside <= 1)).all()


@pytest.mark.parametrize("kind", ["plain", "distilled", "average"])
def test_sharpness_is_the_mean_of_the_tokens_that_are_read(kind: str, model_of: Any, picture: Any) -> None:
    trace = ablate(model_of(kind), picture, Intervention()).before
    weights, expected = reading_weights(trace), np.zeros(trace.q.shape[:2])
    for layer, block in enumerate(trace.blocks):
        for row, weight in zip(block.attention.astype(np.float64).swapaxes(0, 1), weights, strict=True):
            expected[layer] += weight * (1 + (row * np.log(row)).sum(axis=-1) / np.log(trace.num_tokens))
    np.testing.assert_allclose(_sharpness(trace), expected, atol=1e-5)


def test_tokens_that_each_look_at_one_token_of_their_own_look_sharply(model_of: Any, picture: Any) -> None:
    trace = ablate(model_of("average"), picture, Intervention()).before
    # 𝑸 = 𝑲 = a large multiple of the identity: 𝑨 is the identity, though its mean row is even.
    same = np.zeros_like(trace.q)
    same[..., : trace.num_tokens] = 100 * np.eye(trace.num_tokens)
    np.testing.assert_allclose(_sharpness(replace(trace, q=same, k=same)), 1, atol=1e-6)
    np.testing.assert_allclose(_sharpness(replace(trace, q=0 * same, k=same)), 0, atol=1e-6)


def test_a_map_says_how_far_it_is_and_can_be_stopped(plain_model: ExplorerModel, picture: Any) -> None:
    told: list[tuple[int, int]] = []
    patch_effects(plain_model, picture, batch=5, report=lambda done, total: told.append((done, total)))
    assert told == [(5, 16), (10, 16), (15, 16), (16, 16)]
    with pytest.raises(Cancelled):
        head_effects(plain_model, picture, cancelled=lambda: True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"masked": range(16)}, "experiment-all-patches"),
        ({"masked": [1, 2], "kept": [1, 2]}, "experiment-all-patches"),
        ({"masked_heads": [(layer, head) for layer in range(2) for head in range(3)]}, "experiment-all-heads"),
        ({"msa_off": [0], "masked_heads": [(1, head) for head in range(3)]}, "experiment-all-heads"),
        ({"masked_heads": [(0, 3)]}, "intervention-head"),
    ],
)
def test_what_leaves_nothing_is_refused_in_words(
    change: dict[str, Any], code: str, plain_model: ExplorerModel, picture: Any
) -> None:
    with pytest.raises(ExplorerError) as caught:
        ablate(plain_model, picture, Intervention(**change))
    assert caught.value.code == code


def test_what_cannot_be_measured_is_refused(model_of: Any, picture: Any) -> None:
    for call in (patch_effects, head_effects):
        with pytest.raises(ExplorerError) as caught:
            call(model_of("no_head"), picture)
        assert caught.value.code == "experiment-no-classes"
    with pytest.raises(ExplorerError) as caught:
        patch_effects(model_of("plain"), picture, how="drop", patch_size=64)
    assert caught.value.code == "experiment-one-patch"
    with pytest.raises(ValueError, match="class"):
        patch_effects(model_of("plain"), picture, target=1000)
    with pytest.raises(ValueError, match="mean"):
        patch_effects(model_of("plain"), picture, how="grey")  # type: ignore[arg-type]


def test_the_larger_a_model_the_smaller_its_batches(bundled: ExplorerModel) -> None:
    sizes = [batch_for(bundled.at(patch)[1]) for patch in (4, 8, 16)]
    assert sizes[0] < sizes[1] == sizes[2] == 64


def test_ranks_and_their_correlation() -> None:
    np.testing.assert_array_equal(ranks(np.array([3.0, 1.0, 3.0, 7.0])), [1.5, 0, 1.5, 3])
    values = np.random.default_rng(0).normal(size=40)
    assert rank_correlation(values, np.exp(values)) == pytest.approx(1)
    assert rank_correlation(values, -values) == pytest.approx(-1)
    assert abs(rank_correlation(values, np.random.default_rng(1).normal(size=40))) < 0.5
    # Worked out by hand: d² = 1 + 1 + 0 + 1 + 1, ρ = 1 - 6 · 4 / (5 · 24).
    assert rank_correlation(np.array([1, 2, 3, 4, 5]), np.array([2, 1, 3, 5, 4])) == pytest.approx(0.8)
    assert np.isnan(rank_correlation(np.ones(3), np.arange(3)))
