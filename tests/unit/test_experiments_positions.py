"""Shuffled patches and other position embeddings, on random models and on the bundled one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from explorer import experiments
from explorer.errors import ExplorerError
from explorer.experiments import (
    matching_scale,
    position_intervention,
    shuffle_patches,
    sibling_answers,
    swap_positions,
)
from explorer.images import encode_image, open_picture
from explorer.interventions import Intervention
from explorer.positions import sinusoidal_1d, sinusoidal_2d
from explorer.resources import assets_path
from explorer.samples import open_sample

if TYPE_CHECKING:
    from explorer.models import ExplorerModel

#: Every kind of token, position and pooling that does not itself pick a place of the grid.
PERMUTABLE = ("plain", "distilled", "registers", "average", "attention_pool", "maximum", "qk_norm", "clip", "no_head")


@pytest.fixture
def picture(image: Any) -> Any:
    return open_picture(encode_image(image(96), "png"))


@pytest.mark.parametrize("kind", PERMUTABLE)
def test_without_positions_tokens_come_out_in_the_order_they_went_in(kind: str, model_of: Any, picture: Any) -> None:
    model = model_of(kind)
    result = shuffle_patches(model, picture, seed=3)
    size = float(np.abs(result.original_without.z[-1]).max())
    assert result.largest_difference <= 1e-5 * max(size, 1.0)
    assert result.largest_logit_difference <= 1e-4
    assert sorted(result.order) == list(range(16))
    assert tuple(result.shuffled_without.patch_index) == tuple(result.order)


def test_with_positions_they_do_not(plain_model: ExplorerModel, picture: Any) -> None:
    result = shuffle_patches(plain_model, picture, seed=3)
    assert result.largest_difference_with > 0.1
    assert np.abs(result.shuffled.output - result.original.output).max() > 0.01
    assert not result.original.intervention


def test_a_hand_made_order_is_kept_and_one_that_changes_nothing_changes_nothing(
    plain_model: ExplorerModel, picture: Any
) -> None:
    order = [1, 0, *range(2, 16)]
    result = shuffle_patches(plain_model, picture, order)
    np.testing.assert_array_equal(result.shuffled.patches[0], result.original.patches[1])
    same = shuffle_patches(plain_model, picture, np.arange(16))
    assert same.largest_difference == same.largest_difference_with == 0


def test_an_order_must_fit(plain_model: ExplorerModel, picture: Any) -> None:
    with pytest.raises(ExplorerError) as caught:
        shuffle_patches(plain_model, picture, range(9))
    assert caught.value.code == "intervention-permutation"
    with pytest.raises(ValueError, match="once"):
        shuffle_patches(plain_model, picture, [0] * 16)


@pytest.mark.parametrize("patch_size", [4, 8, 16, 32])
def test_the_bundled_model_keeps_its_answer_without_positions(bundled: ExplorerModel, patch_size: int) -> None:
    for name in ("chelsea", "coffee", "moose"):
        result = shuffle_patches(bundled, open_sample(name), patch_size=patch_size)
        assert result.largest_difference <= 1e-4
        assert result.largest_logit_difference <= 1e-4
        assert result.original_without.output.argmax() == result.shuffled_without.output.argmax()
        assert np.abs(result.shuffled.output - result.original.output).max() > 0.05


def test_kinds_of_positions(plain_model: ExplorerModel, picture: Any) -> None:
    arrays = plain_model.arrays
    own, dim = arrays.pos_embed, arrays.spec.dim
    assert not position_intervention(arrays, "own")
    np.testing.assert_array_equal(position_intervention(arrays, "own", 2).table, own * 2)
    assert position_intervention(arrays, "none", 3) == Intervention(pos_embed=None)
    np.testing.assert_array_equal(position_intervention(arrays, "sin1d").table, sinusoidal_1d(16, dim))
    np.testing.assert_array_equal(position_intervention(arrays, "sin2d", 0.5).table, sinusoidal_2d(4, 4, dim) / 2)
    shuffled = position_intervention(arrays, "shuffled", seed=5).table
    assert shuffled is not None
    np.testing.assert_array_equal(shuffled[0], own[0])  # CLS keeps its own
    assert not np.array_equal(shuffled, own)
    np.testing.assert_array_equal(np.sort(shuffled[1:], axis=0), np.sort(own[1:], axis=0))
    with pytest.raises(ValueError, match="kind"):
        position_intervention(arrays, "other")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["sin1d", "sin2d"])
def test_a_matching_scale_makes_a_table_as_large_as_the_models_own(plain_model: ExplorerModel, kind: Any) -> None:
    scale = matching_scale(plain_model.arrays, kind)
    table = position_intervention(plain_model.arrays, kind, scale).table
    assert table is not None
    own = plain_model.arrays.pos_embed[1:]
    assert np.sqrt((table**2).mean()) == pytest.approx(np.sqrt((own**2).mean()), rel=1e-5)


def test_nothing_is_matched_where_a_model_has_no_positions(model_of: Any) -> None:
    assert matching_scale(model_of("no_positions").arrays, "sin2d") == 1.0
    assert matching_scale(model_of("plain").arrays, "none") == 1.0


def test_swapped_positions_are_what_the_changed_run_adds(plain_model: ExplorerModel, picture: Any) -> None:
    result = swap_positions(plain_model, picture, "sin2d", scale=0.25)
    dim = plain_model.spec.dim
    added = result.after.tokens[1:] - result.after.patch_embeddings
    np.testing.assert_allclose(added, sinusoidal_2d(4, 4, dim) / 4, atol=1e-4)
    np.testing.assert_allclose(result.logit_changes, result.after.output - result.before.output)
    own = swap_positions(plain_model, picture, "own")
    np.testing.assert_array_equal(own.after.output, own.before.output)


def test_siblings_are_asked_where_they_are_bundled(
    plain_model: ExplorerModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flexi = assets_path("models", "flexi")
    for name in ("pos-sin2d", "pos-learned", "other"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        for part in ("config.json", "model.safetensors", "labels.tsv"):
            shutil.copy(flexi / part, folder / part)
    evaluated = [
        {"patch_size": 4, "count": 5000, "top1": 1},
        {"patch_size": 8, "count": 5000, "top1": 2100},
        {"patch_size": 16, "count": 5000, "top1": 5},
    ]
    (tmp_path / "models" / "pos-sin2d" / "training.json").write_text(json.dumps({"evaluated": evaluated}))
    monkeypatch.setattr("explorer.catalog.assets_path", tmp_path.joinpath)
    monkeypatch.setattr("explorer.models.assets_path", tmp_path.joinpath)
    answers = sibling_answers(open_sample("chelsea"))
    assert [answer.name for answer in answers] == ["pos-learned", "pos-sin2d"]
    learned, sine = answers
    assert learned.accuracy is None
    assert sine.accuracy is not None
    assert sine.accuracy.share == pytest.approx(0.42)
    np.testing.assert_array_equal(learned.trace.output, sine.trace.output)
    assert len(sine.labels) == 100


def test_no_sibling_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.catalog.assets_path", tmp_path.joinpath)
    assert sibling_answers(open_sample("chelsea")) == []


def test_the_package_is_there_before_torch() -> None:
    code = (
        "import sys; from explorer import experiments; [getattr(experiments, name) for name in experiments.__all__]; "
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert set(experiments.__all__) <= set(dir(experiments))
    with pytest.raises(AttributeError):
        experiments.nothing  # noqa: B018
