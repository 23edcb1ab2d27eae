"""Experiments 4 to 7 on the page: what they show is what their functions return."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import unescape
from typing import Any

import numpy as np
import pytest

from explorer.analysis_lens import logit_lens, token_lens
from explorer.figures.experiment_lens import chart_classes
from explorer.interventions import Intervention
from explorer.labels import Labels
from explorer.numerics import softmax
from explorer.panels.experiments import ExperimentsPanel
from explorer.samples import open_sample
from explorer.state import ExplorerState
from tests.widgets.random_model import random_state

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


def settled(state: ExplorerState) -> None:
    assert state.wait(60)
    assert state.jobs.wait(60)
    assert state.wait(60)
    assert state.error is None, state.error


def opened(state: ExplorerState, name: str) -> Any:
    state.experiment = name
    stage = ExperimentsPanel(state)
    settled(state)
    return stage.experiments[name]


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
