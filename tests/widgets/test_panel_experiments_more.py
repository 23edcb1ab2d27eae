"""Experiments 4 to 7 on the page: what they show is what their functions return."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from threading import Event
from typing import Any

import numpy as np
import pytest

from explorer.analysis import ranks
from explorer.analysis_lens import LensResult, logit_lens, token_lens
from explorer.experiments import WAYS, ablate, four_ways, head_effects, patch_effects
from explorer.figures.experiment_lens import chart_classes
from explorer.interventions import Intervention
from explorer.jobs import Job, JobRunner
from explorer.labels import Labels
from explorer.numerics import softmax
from explorer.panels.experiment_answers import change as written
from explorer.panels.numbers import signed
from explorer.panels.photo import sharp_photo
from explorer.samples import open_sample
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets.switch_grid import SwitchGrid
from tests.widgets.random_model import opened, random_state, settled

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state(scale=6.0)
    yield state
    state.close()


# -- 5 How the answer forms --------------------------------------------------------------------------------------------


def lines(panel: Any) -> list[list[float]]:
    return [line["y"] for line in json.loads(panel._lines.figure_json)["data"]]


def test_lines_and_map_are_the_lens(state: ExplorerState) -> None:
    panel = opened(state, "lens")
    lens = logit_lens(state.trace)
    probs = softmax(lens.logits.astype(np.float64))
    assert lines(panel) == [pytest.approx(probs[:, index].tolist()) for index in chart_classes(lens.logits)]
    assert lines(panel)[0][-1] == pytest.approx(state.trace.probs.max(), abs=1e-5)
    for layer in (2, 0):
        panel._layers.value = layer
        best = lens.favourites[layer]
        assert panel._map.readouts == [
            f"class {index} {prob:.1%}" for index, prob in zip(best, lens.favourite_probs[layer], strict=True)
        ]
        assert f"{probs[layer].max():.1%}" in panel._answer.value
    panel._lines.clicked = {"curve": 0, "point": 1, "n": 1}
    assert panel._layers.value == 1


def test_a_picked_patch_has_its_own_lens(state: ExplorerState) -> None:
    panel = opened(state, "lens")
    panel._map.selected = 7
    assert state.token == 1 + 7
    assert panel._whose.value == "token"
    own = softmax(token_lens(state.trace, 8).astype(np.float64))
    assert lines(panel)[0] == pytest.approx(own[:, own[-1].argmax()].tolist())
    state.token = 3
    assert panel._map.selected == 2
    assert lines(panel)[0] == pytest.approx(
        softmax(token_lens(state.trace, 3).astype(np.float64))[:, token_lens(state.trace, 3)[-1].argmax()].tolist()
    )
    panel.reset()
    settled(state)
    assert panel._whose.value == "answer"


def test_the_lens_follows_a_changed_run_and_another_picture(state: ExplorerState) -> None:
    panel = opened(state, "lens")
    for change in (Intervention(kept=range(5)), None):
        state.intervention = change
        settled(state)
        assert len(panel.result.favourites[0]) == state.trace.num_patches
        np.testing.assert_allclose(panel.result.logits[-1], state.trace.logits, atol=1e-4)
        assert sum(bool(said) for said in panel._map.readouts) == state.trace.num_patches
    state.picture = open_sample("coffee")
    settled(state)
    np.testing.assert_allclose(panel.result.logits[-1], state.trace.logits, atol=1e-4)


def test_the_lens_is_of_the_shown_run_when_a_change_is_undone_meanwhile(
    state: ExplorerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = opened(state, "lens")
    change, undone, asked = Intervention(kept=range(5)), Event(), []

    def slowly(trace: Trace) -> LensResult:
        assert undone.wait(60)
        return logit_lens(trace)

    def submit(job: Job, **calls: Any) -> None:
        asked.append(job.options[1])
        JobRunner.submit(state.jobs, job, **calls)

    monkeypatch.setattr("explorer.panels.experiment_lens.logit_lens", slowly)
    monkeypatch.setattr(state.jobs, "submit", submit)
    for wanted in (change, None):
        state.intervention = wanted
        while state.trace.intervention != (wanted or Intervention()):
            state.wait(0.01)
    undone.set()
    settled(state)
    assert len(panel.result.favourites[0]) == state.trace.num_patches == 16
    assert asked == [change, Intervention()]
    state.picture = open_sample("coffee")
    settled(state)
    assert asked == [change, Intervention(), Intervention()]


def test_class_names_are_text_everywhere(state: ExplorerState) -> None:
    state.labels = Labels(ids=tuple("abcde"), en=(HOSTILE,) * 5, ja=("",) * 5)
    panel = opened(state, "lens")
    for said in (panel._legend.value, panel._answer.value, panel._verdict.value):
        assert "<img" not in said
        assert HOSTILE in unescape(said)
    assert "<img" not in json.loads(panel._lines.figure_json)["data"][0]["name"]


def test_a_model_without_classes_is_told_in_a_sentence() -> None:
    state = random_state(num_classes=0)
    panel = opened(state, "lens")
    assert "no class head" in panel._failure.value
    state.language = "ja"
    assert "識別ヘッドがない" in panel._failure.value
    state.close()


# -- 4 Mask and ablate -------------------------------------------------------------------------------------------------


def answer_of(panel: Any, key: str) -> str:
    return str(panel._answers[key].value)


def logit_change(panel: Any, index: int) -> str:
    """What the table *after* prints as the change of a class."""
    row = answer_of(panel, "after").split(f"data-class='{index}'")[1].split("</tr>")[0]
    return row.split("vx-answer-change'>")[1].split("<")[0]


@pytest.mark.parametrize("how", ["mean", "drop"])
def test_pressed_patches_are_blanked_and_the_answer_is_that_run(state: ExplorerState, how: str) -> None:
    panel = opened(state, "mask")
    before = state.trace.logits
    assert "Nothing is switched off" in panel._verdict.value
    assert panel.switch.layout.display == "none"
    panel._how.value = how
    for patch in (3, *range(4, 16), 3, 9):
        panel._press(patch)
    settled(state)
    blank = set(range(4, 16)) - {9}
    change = Intervention(masked=blank) if how == "mean" else Intervention(kept=set(range(16)) - blank)
    assert panel.intervention() == change
    after = ablate(panel.state.jobs.models.get("bundled"), state.picture, change, **panel.sizes).after
    top = int(before.argmax())
    assert logit_change(panel, top) == written(float(after.logits[top] - before[top]))
    assert abs(after.logits[top] - before[top]) > 0.01
    assert [bool(said) for said in panel._photo.readouts] == [patch in blank for patch in range(16)]
    panel._turn_over()
    settled(state)
    assert sum(bool(said) for said in panel._photo.readouts) == 16 - len(blank)


def test_what_is_said_of_a_blanked_patch_follows_the_language(state: ExplorerState) -> None:
    panel = opened(state, "mask")
    panel._press(3)
    settled(state)
    english = panel._photo.readouts[3]
    state.language = "ja"
    assert panel._photo.readouts[3] == panel.say("said-mean") != english


def test_switches_are_heads_and_halves_of_layers(state: ExplorerState) -> None:
    panel = opened(state, "mask")
    panel._switches.off = [[0, 1], [1, 2], [1, 3], [7, 0]]
    settled(state)
    assert panel.intervention() == Intervention(masked_heads=[(0, 1)], msa_off=[1], mlp_off=[1])
    panel.switch.value = "changed"
    settled(state)
    assert state.trace.intervention == panel.intervention()
    top = int(panel.result.before.logits.argmax())
    change = panel.result.after.logits[top] - panel.result.before.logits[top]
    assert logit_change(panel, top) == written(float(change))
    np.testing.assert_allclose(state.trace.logits, panel.result.after.logits, atol=1e-5)
    panel.reset()
    settled(state)
    assert not state.trace.intervention
    assert panel._switches.off == []


@pytest.mark.parametrize("how", ["mean", "drop"])
def test_nothing_left_to_see_is_told_in_a_sentence(state: ExplorerState, how: str) -> None:
    panel = opened(state, "mask")
    panel._how.value = how
    panel._turn_over()
    settled(state)
    assert "All patches are blanked" in panel._failure.value
    # The answers that are still shown are pale: they are not those of what is blanked now.
    assert "vx-is-stale" in panel._body._dom_classes
    panel._press(3)
    settled(state)
    assert panel._failure.value == ""
    assert "vx-is-stale" not in panel._body._dom_classes


def test_no_head_left_to_look_with_is_told_in_a_sentence(state: ExplorerState) -> None:
    panel = opened(state, "mask")
    panel._switches.off = [[layer, head] for layer in range(2) for head in range(2)]
    settled(state)
    assert "All heads of all layers are off" in panel._failure.value
    assert "vx-is-stale" in panel._body._dom_classes


def test_another_grid_forgets_what_was_blanked(state: ExplorerState) -> None:
    panel = opened(state, "mask")
    panel._press(15)
    settled(state)
    state.patch_size = 16
    settled(state)
    assert not panel.intervention()
    assert panel._photo.readouts == [""] * 4


def test_the_map_of_effects_is_measured(state: ExplorerState) -> None:
    mask = opened(state, "mask")
    mask._part.value = "patches"
    panel = mask._measures["patches"]
    assert "16 patches" in panel._verdict.value
    assert panel.result is None
    panel.start()
    settled(state)
    model = state.jobs.models.get("bundled")
    expected = patch_effects(model, state.picture, **panel.sizes)
    np.testing.assert_allclose(values_of(panel._maps["effects"]), expected.effects, atol=1e-4)
    np.testing.assert_allclose(values_of(panel._maps["attention"]), expected.attention, atol=1e-5)
    assert signed(expected.correlation, 2) in panel._verdict.value
    other = int(np.argsort(state.trace.logits)[0])
    panel._target.value = other
    assert panel.result is None
    assert panel._maps["effects"].values == b""
    panel.start()
    settled(state)
    assert panel.result.target == other
    panel._maps["effects"].selected = 5
    assert state.token == 6


def test_the_verdict_names_the_patch_without_which_the_logit_falls_most(state: ExplorerState) -> None:
    mask = opened(state, "mask")
    mask._part.value = "patches"
    panel = mask._measures["patches"]
    panel.start()
    settled(state)

    def verdict(effects: Any, language: str) -> str:
        state.language = language
        panel.show(state.trace, replace(panel.result, effects=np.array(effects, np.float32)))
        return panel._verdict.value

    # The largest change is a rise; what is named is the largest fall.
    mixed = [-0.9, 0.5, 0.25] + [0.0] * 13
    place = panel.place_name(1)
    assert f"Without {place} the logit of" in verdict(mixed, "en")
    assert "falls most (−0.50). Of the 16 patches, 1 make it rise" in panel._verdict.value
    said = verdict(mixed, "ja")
    assert f"最も下がるのは{panel.place_name(1)}を隠したときです（−0.50）" in said
    rises = [-0.9, -0.25] + [-0.5] * 14
    assert "falls most" not in verdict(rises, "en")
    assert f"without {place} it rises least (0.25). Of the 16 patches, 16 make it rise" in panel._verdict.value
    assert "最も下がる" not in verdict(rises, "ja")
    assert f"上がり方が最も小さいのは{panel.place_name(1)}を隠したときです（0.25）" in panel._verdict.value
    assert "it rises least (0.00). Of the 16 patches, 0 make it rise" in verdict([0.0] * 16, "en")


def test_effects_of_heads_are_measured(state: ExplorerState) -> None:
    mask = opened(state, "mask")
    mask._part.value = "heads"
    panel = mask._measures["heads"]
    panel.start()
    settled(state)
    expected = head_effects(state.jobs.models.get("bundled"), state.picture, **panel.sizes)
    np.testing.assert_allclose(panel._views["effects"].figure.values, expected.effects, atol=1e-4)
    np.testing.assert_allclose(panel._views["beside"].figure.values, expected.beside, atol=1e-5)
    panel._views["effects"].selected_row, panel._views["effects"].selected_col = 1, 0
    assert (state.layer, state.head) == (1, 0)
    state.picture = open_sample("coffee")
    settled(state)
    assert panel.result is None
    assert panel._matrices.layout.display == "none"


def values_of(view: Any) -> Any:
    """What lies over the patches of a photo."""
    return np.frombuffer(view.values, dtype=np.float32)[len(view.prefix_names) :]


def test_switches_take_only_what_is_there() -> None:
    grid = SwitchGrid()
    grid.show([("1", "layer 1"), ("2", "layer 2")], [("1", "head 1"), ("MSA", "the whole MSA")], lead=1, cuts=1)
    grid.off = [[0, 0], [1, 1], [2, 0], [0, -1], [1]]
    assert grid.places == {(0, 0), (1, 1)}
    grid.show([("1", "layer 1")], [("1", "head 1")], lead=1)
    assert grid.places == {(0, 0)}


# -- 6 Where it looked, four ways --------------------------------------------------------------------------------------


def test_four_ways_are_ranks_of_what_was_worked_out(state: ExplorerState) -> None:
    panel = opened(state, "ways")
    assert "16 patches" in panel._verdict.value
    panel._how.value = "drop"
    panel.start()
    settled(state)
    expected = four_ways(state.jobs.models.get("bundled"), state.picture, how="drop", **panel.sizes)
    for place, (way, view) in enumerate(panel._maps.items()):
        assert way == WAYS[place]
        # Ranks of three decimals: more digits would say nothing.
        np.testing.assert_allclose(values_of(view), expected.ranks[place], atol=5.1e-4)
        np.testing.assert_allclose(values_of(view), (ranks(expected[way]) / 15).round(3), atol=1e-6)
        assert view.readouts[3] == f"value {expected[way][3]:.3g}".replace("-", "−")
    for row in range(4):
        for col in range(row):
            assert f">{signed(float(expected.agreement[row, col]), 2)}<" in panel._agreement.value
    best = max(expected.agreement[row, col] for row in range(4) for col in range(row))
    assert f"ρ = {signed(float(best), 2)}" in panel._verdict.value.replace("\N{NO-BREAK SPACE}", " ")
    panel._maps["rollout"].selected = 2
    assert state.token == 3
    assert all(view.selected == 2 for view in panel._maps.values())
    state.language = "ja"
    assert "順位相関" in panel._agreement.value
    state.crop = (0.1, 0.5)
    settled(state)
    assert panel.result is None
    assert panel._agreement.value == ""


def test_photos_are_of_the_shown_run_while_another_is_computed(state: ExplorerState) -> None:
    before = sharp_photo(state, state.trace)
    state.picture, state.crop = open_sample("coffee"), (0.1, 0.5)
    assert state.busy
    np.testing.assert_array_equal(sharp_photo(state, state.trace), before)
    settled(state)
    assert not np.array_equal(sharp_photo(state, state.trace), before)
