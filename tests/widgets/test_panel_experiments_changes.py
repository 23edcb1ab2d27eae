"""Stage 7: the patches shuffled, another position embedding, other sizes, another model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from explorer.errors import ExplorerError
from explorer.experiments import (
    SiblingAnswer,
    compare_models,
    compare_sizes,
    matching_scale,
    positions,
    shuffle_patches,
    swap_positions,
)
from explorer.interventions import Intervention
from explorer.novelty import Rate
from explorer.numerics import softmax
from explorer.panels.experiment_shuffle import ShufflePanel
from explorer.panels.experiments import ExperimentsPanel
from explorer.panels.position import PositionPanel
from explorer.positions import cosine_similarity, sinusoidal_2d
from explorer.samples import open_sample
from explorer.state import ExplorerState
from tests.widgets.random_model import opened, random_answerer, random_state, settled, shown
from tests.widgets.turns import Turns


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


# -- 1 Shuffle --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shuffle(state: ExplorerState) -> Any:
    stage = ExperimentsPanel(state)
    settled(state)
    panel = stage.experiments["shuffle"]
    assert isinstance(panel, ShufflePanel)
    return panel


def test_shuffle_shows_what_its_function_returns(shuffle: Any, state: ExplorerState) -> None:
    model = state.jobs.models.get("bundled")
    order = shuffle.result.order
    expected = shuffle_patches(model, state.picture, order, patch_size=8, image_size=32)
    np.testing.assert_allclose(shuffle.result.shuffled.logits, expected.shuffled.logits, atol=1e-6)
    assert sorted(order) == list(range(16))
    assert f"{expected.shuffled.probs.max():.1%}" in shuffle._answers["with", "after"].value
    # Each table says of which of the two photos it is.
    for (_, col), answer in shuffle._answers.items():
        assert f">{shuffle._photos[col].title}</th>" in answer.value
    assert shuffle.result.largest_difference < 1e-4
    assert "rounding" in shuffle._verdicts["without"].value


def test_a_model_without_positions_is_said_to_have_none() -> None:
    state = random_state(pos_embed="none")
    panel = opened(state, "shuffle")
    panel._shuffle()
    settled(state)
    assert "the order makes no difference" in panel._verdicts["with"].value
    assert "the order matters" not in panel._verdicts["with"].value
    state.close()


def test_two_presses_swap_two_patches(shuffle: Any, state: ExplorerState) -> None:
    before = list(shuffle._order)
    shuffle._press(3)
    assert shuffle._photos["after"].marked == [3]
    assert list(shuffle._order) == before
    shuffle._press(10)
    settled(state)
    before[3], before[10] = before[10], before[3]
    assert list(shuffle.result.order) == before
    assert shuffle._photos["after"].marked == []


def test_mirror_again_and_reset(shuffle: Any, state: ExplorerState) -> None:
    first = shuffle._order
    shuffle._which.value = "without"
    shuffle._mirror.click()
    settled(state)
    assert shuffle.result.order[:4].tolist() == [3, 2, 1, 0]
    shuffle._again.click()
    assert shuffle._order != first
    shuffle._reset.click()
    settled(state)
    assert shuffle.result.order.tolist() == list(range(16))
    for row in ("with", "without"):
        assert "No patch has moved" in shuffle._verdicts[row].value
    assert not shown(shuffle.switch)  # with E_pos and in order, it is the model's own run
    shuffle._press(0)
    shuffle._press(15)
    settled(state)
    assert shuffle.intervention() == Intervention(permutation=[15, *range(1, 15), 0])


def test_tokens_are_the_same_without_positions_alone(shuffle: Any) -> None:
    result = shuffle.result
    moved = {row: view.figure for row, view in shuffle._tokens.items()}
    assert moved["without"].values.max() < 1e-5
    assert moved["with"].scale == moved["without"].scale
    place = int(np.flatnonzero(result.order == 6)[0])
    one, other = result.original.z[-1][1 + 6], result.shuffled.z[-1][1 + place]
    expected = np.linalg.norm(other - one) / np.linalg.norm(one)
    assert expected > 1e-3
    assert moved["with"].values.ravel()[6] == pytest.approx(expected, rel=1e-4)


def test_a_result_for_what_is_gone_is_not_shown(shuffle: Any, state: ExplorerState) -> None:
    before = shuffle._answers["with", "after"].value
    shuffle._key = "of another picture"
    shuffle._done(None)
    assert shuffle._answers["with", "after"].value == before
    assert shuffle.result is not None


def test_the_shuffled_run_without_positions_reaches_all_stages(shuffle: Any, state: ExplorerState) -> None:
    shuffle._which.value = "without"
    assert state.intervention is None
    shuffle.switch.value = "changed"
    settled(state)
    assert state.trace.intervention == Intervention(permutation=shuffle._order, pos_embed=None)
    shuffle._which.value = "with"
    settled(state)
    assert state.trace.intervention == Intervention(permutation=shuffle._order)
    assert shuffle.switch.value == "changed"


def test_another_grid_gets_another_order(shuffle: Any, state: ExplorerState) -> None:
    state.patch_size = 4
    settled(state)
    assert sorted(shuffle.result.order) == list(range(64))
    assert shuffle._photos["after"].grid == (8, 8)


# -- 2 Swap -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "strength"), [("none", "1"), ("sin1d", "slides"), ("sin2d", "2"), ("shuffled", "1")])
def test_swap_shows_what_its_function_returns(state: ExplorerState, kind: Any, strength: str) -> None:
    swap = opened(state, "swap")
    swap._kind.value = kind
    swap._strength.value = strength
    settled(state)
    matching = matching_scale(state.trace, kind)
    scale = 1.0 if strength == "slides" else float(strength) * matching
    model = state.jobs.models.get("bundled")
    expected = swap_positions(model, state.picture, kind, scale=scale, patch_size=8, image_size=32)
    np.testing.assert_allclose(swap.result.after.logits, expected.after.logits, atol=1e-6)
    assert f"{expected.after.probs.max():.1%}" in swap._columns["after"].answer.value
    assert f"{expected.before.probs.max():.1%}" in swap._columns["before"].answer.value
    figure = swap._columns["after"].map.figure
    if kind == "none":
        assert not shown(swap._columns["after"].map)
        assert "zero" in swap._columns["after"].words.value
    else:
        table = expected.after.pos_embed[1:]
        np.testing.assert_allclose(figure.values.reshape(16, 16), cosine_similarity(table), atol=1e-5)


def test_the_models_own_table_changes_nothing(state: ExplorerState) -> None:
    swap = opened(state, "swap")
    swap._reset.click()
    settled(state)
    assert swap._kind.value == "own"
    assert "nothing is changed" in swap._verdict.value
    assert not shown(swap.switch)
    swap._strength.value = "0.5"
    settled(state)
    assert shown(swap.switch)
    np.testing.assert_allclose(swap.result.after.pos_embed, 0.5 * swap.result.before.pos_embed, rtol=1e-6)


def test_a_size_without_a_two_dimensional_table_offers_none() -> None:
    state = random_state(embed_dim=26)
    swap = opened(state, "swap")
    assert {option["value"] for option in swap._kind.options if option["disabled"]} == {"sin2d"}
    assert swap._kind.value == "none"
    state.close()


def test_siblings_stand_beside_the_paper_where_they_are_bundled(state: ExplorerState, monkeypatch: Any) -> None:
    monkeypatch.setattr(positions, "bundled_models", tuple)
    swap = opened(state, "swap")
    assert "61.4%" in swap._paper.value
    assert not shown(swap._trained_row)
    trace = state.trace
    answers = [
        SiblingAnswer(name="pos-none", trace=trace, labels=state.labels, accuracy=Rate(412, 1000)),
        SiblingAnswer(name="pos-sin2d", trace=trace, labels=state.labels, accuracy=None),
    ]
    swap._show_siblings(answers)
    assert shown(swap._trained_row)
    assert "41.2%" in swap._paper.value
    assert "counted on 1,000 pictures: give or take 3.0 points" in swap._paper.value
    assert f"{trace.probs.max():.1%}" in swap._trained[1].answer.value
    similarity = swap._trained[0].map.figure.values.reshape(16, 16)
    np.testing.assert_allclose(similarity, cosine_similarity(trace.pos_embed[1:]), atol=1e-6)


# -- 8 Two models -----------------------------------------------------------------------------------------------------


@pytest.fixture
def two(state: ExplorerState) -> Any:
    """The shown model beside one of another size."""
    untrained = random_answerer(img_size=48, depth=3, num_heads=3, num_classes=4, class_token=False, global_pool="avg")
    state.jobs.models.add("bundled", untrained.model, random_weights=True)  # type: ignore[attr-defined]
    return opened(state, "models")


def test_two_models_show_what_their_function_returns(two: Any, state: ExplorerState) -> None:
    models = state.jobs.models
    model, other = models.get("bundled"), models.get("bundled", random_weights=True)
    expected = compare_models(model, other, state.picture, patch_size=8, image_size=32)
    for key, run in (("one", expected.one), ("other", expected.other)):
        side = two._sides[key]
        assert f"{run.probs.max():.1%}" in side.answer.value
        assert side.photo.grid == run.grid
        table = run.pos_embed[run.num_prefix :]
        count = len(table)
        np.testing.assert_allclose(side.map.figure.values.reshape(count, count), cosine_similarity(table), atol=1e-5)
    assert two._sides["other"].photo.grid == (6, 6)
    assert "K\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}4" in two._sides["other"].answer.value


def test_each_model_has_its_own_layers_and_heads(two: Any, state: ExplorerState) -> None:
    one, other = two._sides["one"], two._sides["other"]
    assert (len(one.layer.options), len(other.layer.options)) == (2, 3)
    other.layer.value, other.head.value = 2, 2
    assert (state.layer, state.head) == (0, 0)
    one.layer.value = 1
    assert state.layer == 1
    state.head = -1
    assert one.head.value == -1
    run = two.result.one
    expected = run.blocks[1].attention.mean(axis=0)[0, 1:] * run.num_tokens
    np.testing.assert_allclose(np.frombuffer(one.photo.values, np.float32), expected, rtol=1e-5)
    run = two.result.other  # without CLS: what all patches look at on average
    expected = run.blocks[2].attention[2].mean(axis=0) * run.num_tokens
    np.testing.assert_allclose(np.frombuffer(other.photo.values, np.float32), expected, rtol=1e-5)
    assert one.photo.scale == other.photo.scale
    assert "all" not in one.photo.caption
    assert one.photo.caption.endswith("where CLS looks")
    assert other.photo.caption.endswith("where the tokens that are read look, on average")
    assert "<h3>Where the tokens that are read look</h3>" in two._attention_title.value


def test_registers_alone_are_no_cls() -> None:
    registers = {"reg_tokens": 1, "class_token": False, "global_pool": "avg", "no_embed_class": True}
    state = random_state(**registers)
    state.jobs.models.add("bundled", random_answerer(**registers).model, random_weights=True)  # type: ignore[attr-defined]
    two = opened(state, "models")
    assert "<h3>Where the tokens that are read look</h3>" in two._attention_title.value
    for key, run in (("one", two.result.one), ("other", two.result.other)):
        photo = two._sides[key].photo
        expected = run.blocks[0].attention[0, 1:, 1:].mean(axis=0) * run.num_tokens
        np.testing.assert_allclose(np.frombuffer(photo.values, np.float32), expected, rtol=1e-5)
        assert "REG" not in photo.caption
    state.language = "ja"
    assert "<h3>識別に使うトークンはどこを見ているか</h3>" in two._attention_title.value
    state.close()


def test_the_models_that_are_here_come_first(two: Any) -> None:
    groups = [option.get("group", "") for option in two._other.options]
    assert groups[0] == ""
    assert two._other.options[0]["value"] == "untrained"
    assert "To download (once)" in groups
    assert "flexi" not in {option["value"] for option in two._other.options}  # it is the one that is shown


def test_an_unknown_model_is_told_in_words(two: Any, state: ExplorerState, monkeypatch: Any) -> None:
    def missing(name: str, **_: Any) -> Any:
        raise ExplorerError("download-offline", name=name)

    name = next(option["value"] for option in two._other.options if option.get("group"))
    known = state.jobs.models.get
    monkeypatch.setattr(
        state.jobs.models, "get", lambda asked, **given: missing(asked) if asked == name else known(asked, **given)
    )
    two._other.value = name
    settled(state)
    assert "role='alert'" in two._failure.value
    assert state.error is None


# -- 3 Sizes ----------------------------------------------------------------------------------------------------------


def cells(panel: Any, css: str) -> list[str]:
    found = re.findall(rf"<t[dh][^>]*class='{css}[^']*'[^>]*>(.*?)</t[dh]>", panel._tables.value)
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in found]


def test_sizes_show_what_their_function_returns(state: ExplorerState) -> None:
    sizes = opened(state, "sizes")
    model = state.jobs.models.get("bundled")
    expected = compare_sizes(model, state.picture, [4, 8, 16, 32], [32])
    assert [int(cell.split()[0]) for cell in cells(sizes, "vx-sizes-patch")[1:]] == [32, 16, 8, 4]
    assert cells(sizes, "vx-sizes-tokens")[1:] == ["1 × 1 → 2", "2 × 2 → 5", "4 × 4 → 17", "8 × 8 → 65"]
    probs = [softmax(row.output).max() for row in expected.rows]
    assert cells(sizes, "vx-sizes-percent") == [f"{prob:.1%}" for prob in probs]
    assert len(cells(sizes, "vx-sizes-ms")) == 4
    assert sizes._tables.value.count("vx-here") == 1
    assert sizes._tables.value.count("vx-untrained") == 3  # all but the size that it was made for
    state.patch_size = 16
    settled(state)
    assert "data-size='16/32'" in sizes._tables.value.split("vx-here")[1].split("<td")[0]


def test_input_sizes_vary_too(state: ExplorerState) -> None:
    sizes = opened(state, "sizes")
    sizes._vary.value = "image"
    settled(state)
    images = [int(cell.split()[0]) for cell in cells(sizes, "vx-sizes-image")[1:]]
    assert images == sorted(images)
    assert {16, 32, 64} <= set(images)
    assert set(cells(sizes, "vx-sizes-patch")[1:]) == {"8"}


def test_positions_are_shown_before_and_after_interpolation(state: ExplorerState) -> None:
    sizes = opened(state, "sizes")
    own, rows = state.trace.arrays.pos_embed[1:], sizes.result[0].result.rows
    assert sizes._opened == "4/32"  # the grid that is furthest from 4 × 4
    state.dimension = 5
    before, after = sizes._grids["before"].figure, sizes._grids["after"].figure
    np.testing.assert_allclose(before.values.ravel(), own[:, 5])
    np.testing.assert_allclose(after.values.ravel(), rows[-1].pos_embed[:, 5])
    assert after.values.shape == (8, 8)
    assert before.scale == after.scale
    sizes._rows.value = "8/32"
    np.testing.assert_array_equal(sizes._grids["after"].figure.values, before.values)
    assert "nothing is interpolated" in sizes._position_words.value
    sizes._dimension.value = 7
    assert state.dimension == 7


def test_another_model_has_a_table_of_its_own(state: ExplorerState, monkeypatch: Any) -> None:
    other = random_answerer(img_size=48, depth=1, num_heads=2, num_classes=0).model  # type: ignore[attr-defined]
    sizes = opened(state, "sizes")
    name = next(option["value"] for option in sizes._beside.options if option["value"])
    state.jobs.models.add(name, other)
    sizes._beside.value = name
    settled(state)
    assert sizes._tables.value.count("<table") == 2
    assert cells(sizes, "vx-sizes-tokens")[-1] == "12 × 12 → 145"
    assert len(cells(sizes, "vx-sizes-percent")) == 4  # the second names no classes
    sizes._reset.click()
    settled(state)
    assert sizes._tables.value.count("<table") == 1


def test_a_table_that_is_a_formula_is_worked_out_anew_and_said_to_be_so() -> None:
    turns = Turns()
    state = turns.take(ExplorerState(picture=open_sample("coffee"), model="pos-sin2d", deliver=turns))
    settled(state)
    sizes = opened(state, "sizes")
    sizes._rows.value = "4/64"
    after = sizes._grids["after"].figure
    assert after.title.startswith("Worked out anew: 16 × 16")
    assert "never trained" in sizes._title.value
    np.testing.assert_array_equal(after.values.ravel(), sinusoidal_2d(16, 16, 128)[:, int(sizes._dimension.value)])
    panel = PositionPanel(state)
    state.patch_size = 16
    settled(state)
    assert "worked out anew for this grid of 4 × 4" in panel._sum_words.value
    state.close()


def test_a_model_without_positions_has_none_to_interpolate() -> None:
    state = random_state(pos_embed="none")
    sizes = opened(state, "sizes")
    assert "nothing to interpolate" in sizes._position_words.value
    assert not shown(sizes._grids["after"])
    state.close()
