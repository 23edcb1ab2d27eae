"""What is changed in a run is changed truthfully: compared with timm models that were changed in the same way."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from explorer.engine import normalise, trace_pixels
from explorer.errors import ExplorerError
from explorer.interventions import OWN, Intervention
from explorer.positions import sinusoidal_2d

from .conftest import explorer_model, random_image

if TYPE_CHECKING:
    from explorer.models import ExplorerModel
    from explorer.trace import Trace

CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def traced(model: ExplorerModel, **changes: Any) -> Trace:
    image = random_image(model.spec.image_size)
    return trace_pixels(model.model, model.arrays, image, Intervention(**changes))


@torch.inference_mode()
def answer(module: Any, model: ExplorerModel, image: Any = None) -> Any:
    image = random_image(model.spec.image_size) if image is None else image
    return module(normalise(image, model.spec)[None])[0].numpy()


def check_sums(trace: Trace) -> None:
    """What is worked out fits what was stored, also where something was switched off."""
    for block in trace.blocks:
        np.testing.assert_allclose(block.z_mid, block.z_in + block.scale1 * block.msa, **CLOSE)
        np.testing.assert_allclose(block.z_out, block.z_mid + block.scale2 * block.mlp, **CLOSE)
    np.testing.assert_allclose(trace.arrays.classify(trace.y), trace.output, **CLOSE)


def test_nothing_changed_is_the_models_own_run(any_model: ExplorerModel) -> None:
    np.testing.assert_allclose(traced(any_model).output, answer(any_model.model, any_model), **CLOSE)


@pytest.mark.parametrize("kind", ["plain", "qk_norm", "layer_scale", "clip"])
def test_a_masked_head_is_a_head_without_columns_in_the_projection(kind: str) -> None:
    model = explorer_model(kind)
    twin = copy.deepcopy(model.model)
    size = model.spec.head_dim
    with torch.no_grad():
        twin.blocks[1].attn.proj.weight[:, 2 * size : 3 * size] = 0
        twin.blocks[0].attn.proj.weight[:, :size] = 0
    trace = traced(model, masked_heads=[(1, 2), (0, 0)])
    np.testing.assert_allclose(trace.output, answer(twin, model), **CLOSE)
    assert not trace.blocks[1].head_outputs[2].any()
    assert trace.blocks[1].head_outputs[1].any()
    check_sums(trace)
    assert np.abs(trace.output - traced(model).output).max() > 1e-3


def test_a_masked_head_is_silent_where_its_outputs_are_normalised() -> None:
    model = explorer_model("scale_norms")
    trace = traced(model, masked_heads=[(0, 1)])
    check_sums(trace)


@pytest.mark.parametrize(("part", "changes"), [("attn.proj", {"msa_off": [1]}), ("mlp.fc2", {"mlp_off": [1]})])
def test_a_part_that_is_off_adds_nothing(plain_model: ExplorerModel, part: str, changes: dict[str, Any]) -> None:
    twin = copy.deepcopy(plain_model.model)
    with torch.no_grad():
        twin.get_submodule(f"blocks.1.{part}").weight.zero_()
        twin.get_submodule(f"blocks.1.{part}").bias.zero_()
    trace = traced(plain_model, **changes)
    np.testing.assert_allclose(trace.output, answer(twin, plain_model), **CLOSE)
    block = trace.blocks[1]
    assert not (block.msa if "msa_off" in changes else block.mlp).any()
    check_sums(trace)


@pytest.mark.parametrize("kind", ["plain", "no_embed_class", "registers", "distilled", "clip", "average"])
@pytest.mark.parametrize("position", ["none", "table", "patch_table"])
def test_other_position_embeddings_are_those_of_a_model_that_has_them(kind: str, position: str) -> None:
    model = explorer_model(kind)
    spec, patches = model.spec, model.arrays.grid[0] * model.arrays.grid[1]
    patch_rows = sinusoidal_2d(*model.arrays.grid, spec.dim)
    table = np.zeros((spec.num_prefix + patches, spec.dim), dtype=np.float32)
    given: Any = None
    if position != "none":
        table[spec.num_prefix :] = patch_rows
        given = table if position == "table" else patch_rows
    trace = traced(model, pos_embed=given)
    twin = copy.deepcopy(model.model)
    with torch.no_grad():
        assert isinstance(twin.pos_embed, torch.Tensor)
        twin.pos_embed.copy_(torch.from_numpy(table[len(table) - twin.pos_embed.shape[1] :]))
    np.testing.assert_allclose(trace.output, answer(twin, model), **CLOSE)
    np.testing.assert_array_equal(trace.pos_embed, table)


def test_without_positions_the_order_of_patches_is_nothing_to_the_model(plain_model: ExplorerModel) -> None:
    order = np.random.default_rng(2).permutation(16)
    straight = traced(plain_model, pos_embed=None)
    shuffled = traced(plain_model, pos_embed=None, permutation=order)
    np.testing.assert_allclose(shuffled.output, straight.output, atol=1e-4)
    np.testing.assert_array_equal(shuffled.patches, straight.patches[order])
    np.testing.assert_array_equal(shuffled.patch_index, order)
    with_positions = traced(plain_model, permutation=order)
    assert np.abs(with_positions.output - traced(plain_model).output).max() > 1e-3


@pytest.mark.parametrize("kind", ["plain", "uneven"])
def test_a_shuffle_is_a_shuffled_photo(kind: str) -> None:
    model = explorer_model(kind)
    side, image = model.spec.patch_size, random_image(model.spec.image_size)
    order = np.random.default_rng(2).permutation(16)
    shuffled = image.copy()
    for place, patch in enumerate(order):
        (to_row, to_col), (row, col) = divmod(place, 4), divmod(int(patch), 4)
        shuffled[to_row * side : (to_row + 1) * side, to_col * side : (to_col + 1) * side] = image[
            row * side : (row + 1) * side, col * side : (col + 1) * side
        ]
    trace = traced(model, permutation=order)
    np.testing.assert_allclose(trace.output, answer(model.model, model, shuffled), **CLOSE)
    np.testing.assert_array_equal(trace.image, image)
    check_sums(trace)


def test_a_masked_patch_has_the_mean_colour() -> None:
    model = explorer_model("registers")
    trace = traced(model, masked=[3, 5])
    assert not trace.patches[[3, 5]].any()
    assert trace.patches[4].any()
    np.testing.assert_allclose(
        trace.patch_embeddings[3], model.arrays.embed_bias, atol=1e-6, err_msg="a patch of zeros leaves the bias"
    )
    check_sums(trace)
    # The blanked patch is one of the photo: shuffled, it lies where it was moved to.
    order = np.random.default_rng(2).permutation(16)
    moved = traced(model, masked=[3], permutation=order)
    assert not moved.patches[list(order).index(3)].any()


def test_dropped_patches_leave_the_others_with_their_own_positions(plain_model: ExplorerModel) -> None:
    kept = [1, 2, 7, 11, 12]
    trace = traced(plain_model, kept=kept)
    whole = traced(plain_model)
    assert trace.num_patches == 5
    assert trace.num_tokens == 6
    assert trace.grid == (4, 4)
    np.testing.assert_array_equal(trace.patch_index, kept)
    rows = [0, *(1 + patch for patch in kept)]
    np.testing.assert_allclose(trace.tokens, whole.tokens[rows], atol=1e-6)
    np.testing.assert_array_equal(trace.pos_embed, whole.pos_embed[rows])
    np.testing.assert_array_equal(trace.patches, whole.patches[kept])
    module: Any = plain_model.model
    with torch.inference_mode():
        tokens = torch.from_numpy(whole.tokens[rows].copy())[None]
        expected = module.forward_head(module.norm(module.blocks(tokens)))[0].numpy()
    np.testing.assert_allclose(trace.output, expected, **CLOSE)
    check_sums(trace)


def test_shuffled_and_dropped_together(plain_model: ExplorerModel) -> None:
    order = np.random.default_rng(3).permutation(16)
    trace = traced(plain_model, permutation=order, kept=[0, 4, 9])
    whole = traced(plain_model, permutation=order)
    places = [place for place in range(16) if order[place] in (0, 4, 9)]
    np.testing.assert_array_equal(trace.patch_index, order[places])
    np.testing.assert_allclose(trace.tokens, whole.tokens[[0, *(1 + place for place in places)]], atol=1e-6)
    check_sums(trace)


def test_interventions_are_values() -> None:
    table = np.ones((4, 8), dtype=np.float32)
    one = Intervention(pos_embed=table, permutation=[1, 0], kept=[1, 0, 1], masked_heads=[(1, 0), (0, 2)])
    other = Intervention(pos_embed=table.copy(), permutation=(1, 0), kept=(0, 1), masked_heads=[(0, 2), (1, 0)])
    assert one == other
    assert hash(one) == hash(other)
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - our own bytes
    assert one.kept == (0, 1)
    table[0, 0] = 5
    assert one == other, "the array was copied"
    assert one != Intervention(pos_embed=table, permutation=[1, 0], kept=[0, 1], masked_heads=[(1, 0), (0, 2)])
    assert Intervention(pos_embed=None) != Intervention()
    assert pickle.loads(pickle.dumps(OWN)) is OWN  # noqa: S301 - our own bytes
    assert not Intervention()
    assert Intervention(masked=[0])


def test_tuples_are_sorted_but_for_the_order_that_was_asked_for() -> None:
    change = Intervention(
        permutation=[2, 0, 1], kept=[2, 0, 2], masked=[3, 1], masked_heads=[(1, 0), (0, 2), (1, 0)], msa_off=[1, 0]
    )
    assert change.permutation == (2, 0, 1)
    assert (change.kept, change.masked, change.msa_off) == ((0, 2), (1, 3), (0, 1))
    assert change.masked_heads == ((0, 2), (1, 0))


@pytest.mark.parametrize(
    "changes",
    [
        {"permutation": [0, 0, 1]},
        {"permutation": [1, 2, 3]},
        {"kept": []},
        {"kept": [-1]},
        {"masked": [-2]},
        {"msa_off": [-1]},
        {"masked_heads": [(0, -1)]},
        {"pos_embed": [1.0, 2.0]},
    ],
)
def test_what_makes_no_sense_anywhere_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        Intervention(**changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mlp_off": [2]}, "intervention-layer"),
        ({"masked_heads": [(2, 0)]}, "intervention-layer"),
        ({"masked_heads": [(0, 3)]}, "intervention-head"),
        ({"masked": [16]}, "intervention-patch"),
        ({"kept": [0, 16]}, "intervention-patch"),
        ({"permutation": range(9)}, "intervention-permutation"),
        ({"pos_embed": np.zeros((9, 192))}, "intervention-positions"),
        ({"pos_embed": np.zeros((17, 96))}, "intervention-positions"),
    ],
)
def test_what_does_not_fit_the_model_is_said_in_words(
    plain_model: ExplorerModel, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ExplorerError) as failure:
        traced(plain_model, **changes)
    assert failure.value.code == code
    assert str(failure.value)
