"""Stage 6 on the page: the answer, how it comes about, and what models without CLS or head show instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from explorer.labels import Labels
from explorer.panels import classification
from explorer.panels.classification import ClassificationPanel
from explorer.panels.numbers import signed
from explorer.state import ExplorerState
from tests.widgets.random_model import random_state, shown

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


def test_the_answer_and_the_bars_are_the_models(state: ExplorerState) -> None:
    panel = ClassificationPanel(state)
    probs = state.trace.probs
    order = np.argsort(-probs)
    assert [row["index"] for row in panel._bars.rows] == order.tolist()
    np.testing.assert_allclose([row["prob"] for row in panel._bars.rows], probs[order], rtol=1e-6)
    assert f"{probs.max():.1%}" in panel._answer.value
    assert f"{100 * (probs[order[0]] - probs[order[1]]):.1f} percentage points" in panel._answer.value
    assert "K = 5 classes" in panel._answer.value
    assert panel._bars.selected == order[0]


def test_the_strips_are_the_way_to_the_logit(state: ExplorerState) -> None:
    panel, trace = ClassificationPanel(state), state.trace
    winner = int(trace.probs.argmax())
    source, y, column, terms = panel._strips.figure.values
    np.testing.assert_array_equal(source, trace.z[-1][0])
    np.testing.assert_array_equal(y, trace.y[0])
    np.testing.assert_array_equal(column, trace.arrays.head_weight[:, winner])
    assert terms.sum() + trace.arrays.head_bias[winner] == pytest.approx(trace.logits[winner], abs=1e-5)
    assert f"= logit {signed(float(trace.logits[winner]), 4)}" in panel._sum.value


def test_another_class_is_worked_out(state: ExplorerState) -> None:
    panel = ClassificationPanel(state)
    answer, other = panel._answer.value, panel._bars.rows[-1]["index"]
    panel._bars.selected = other
    np.testing.assert_array_equal(panel._strips.figure.values[2], state.trace.arrays.head_weight[:, other])
    assert signed(float(state.trace.logits[other]), 6) in panel._check.value
    assert panel._answer.value == answer


def test_a_class_that_is_none_is_not_believed(state: ExplorerState) -> None:
    panel = ClassificationPanel(state)
    before = panel._strips.figure
    panel._bars.selected = 99
    assert panel._strips.figure is before


def test_a_dimension_is_picked_everywhere(state: ExplorerState) -> None:
    panel = ClassificationPanel(state)
    panel._strips.selected = 17
    assert state.dimension == 17
    figure = panel._strips.figure
    state.dimension = 5
    assert panel._strips.selected == 5
    assert panel._strips.figure is figure


def test_names_are_text(state: ExplorerState) -> None:
    state.labels = Labels(ids=tuple("abcde"), en=(HOSTILE,) * 5, ja=("",) * 5)
    panel = ClassificationPanel(state)
    assert HOSTILE not in panel._answer.value
    assert HOSTILE in unescape(panel._answer.value)
    assert "<img" not in panel._answer.value + panel._sum.value + panel._check.value


def test_the_list_is_sent_when_it_is_opened(state: ExplorerState) -> None:
    state.labels = Labels(ids=tuple("abcde"), en=("ant", "bee", "cat", "dog", "elk"), ja=("蟻", "", "猫", "犬", ""))
    panel = ClassificationPanel(state)
    assert panel._list.names == []
    panel._list.opened = True
    assert panel._list.names == ["ant", "bee", "cat", "dog", "elk"]
    state.language = "ja"
    assert panel._list.names == ["蟻", "bee", "猫", "犬", "elk"]


def test_random_weights_are_said_across_the_answer(state: ExplorerState) -> None:
    state.trace = replace(state.trace, spec=replace(state.trace.spec, random_weights=True))
    panel = ClassificationPanel(state)
    assert "random weights: this answer means nothing" in panel._answer.value
    assert panel._reliability.value == ""


def test_a_name_too_long_for_a_folder_is_no_bundled_models(state: ExplorerState) -> None:
    """A trace from a file says of its model what it likes."""
    assert state.trace is not None
    spec = replace(state.trace.spec, name="x" * 300, random_weights=False)
    rule = classification._rule(replace(state.trace, spec=spec))
    assert rule is not None
    assert rule == classification.rule_for(None, spec.num_classes, state.trace.patch_size)


def test_a_photo_of_none_of_the_classes_is_warned_of(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = ClassificationPanel(state)
    assert "vx-warning" not in panel._answer.value
    monkeypatch.setattr(classification, "probably_none", lambda logits, rule: True)
    panel.refresh(state.trace, frozenset({"trace"}))
    assert "probably shows none of the 5 classes" in panel._answer.value
    assert panel._reliability.value != ""


@pytest.mark.parametrize(
    ("arguments", "sentence", "formula", "title"),
    [
        ({}, "only CLS is read", "classification", "CLS after layer 2"),
        (
            {"global_pool": "avg", "class_token": False},
            "the mean of the patch tokens",
            "classification-mean",
            "mean of the patch tokens after layer 2",
        ),
        (
            {"global_pool": "avg", "pool_include_prefix": True},
            "the mean of all tokens",
            "classification-mean-all",
            "mean of all tokens after layer 2",
        ),
        (
            {"global_pool": "map", "class_token": False},
            "a learned query looks at the tokens",
            "classification-pool",
            "y: what attention pooling gathers after layer 2",
        ),
    ],
)
def test_what_is_read_is_said_and_shown(arguments: dict[str, object], sentence: str, formula: str, title: str) -> None:
    state = random_state(**arguments)
    panel = ClassificationPanel(state)
    assert sentence in panel._heading.value
    assert panel.formulas[0] == formula
    assert panel._strips.figure.titles[0] == title
    state.language = "ja"
    assert sentence not in panel._heading.value
    state.close()


@pytest.mark.parametrize(
    ("arguments", "formula", "normed"),
    [
        ({"final_norm": False}, "classification-plain", False),
        ({"global_pool": "avg", "fc_norm": False}, "classification-norm-mean", True),
        ({"global_pool": "avg", "final_norm": False}, "classification-mean-plain", False),
        ({"global_pool": "max"}, "classification-pool-norm", True),
        ({"global_pool": "avgmax", "fc_norm": False}, "classification-pool", True),
        ({"global_pool": "max", "final_norm": False}, "classification-pool-plain", False),
    ],
)
def test_the_formula_has_the_norm_where_the_model_has_it(
    arguments: dict[str, object], formula: str, normed: bool
) -> None:
    state = random_state(**arguments)
    panel = ClassificationPanel(state)
    assert panel.formulas[0] == formula
    trace = state.trace
    assert trace is not None
    read = {"avg": np.mean, "max": np.max}.get(trace.spec.pooling)
    last = trace.z[-1][trace.num_prefix :] if read else trace.z[-1][:1]
    if not normed:
        np.testing.assert_allclose(trace.y[0], (read or np.mean)(last, axis=0), atol=1e-6)
    assert ("foot-epsilon" in panel.footnotes) == normed
    if arguments == {"final_norm": False}:
        assert "only CLS is read, as it is" in panel._heading.value
    state.close()


def test_without_a_head_y_is_all_there_is() -> None:
    state = random_state(num_classes=0)
    panel = ClassificationPanel(state)
    assert "no class head" in panel._answer.value
    assert "trained to describe" in panel._answer.value
    assert panel._strips.figure.names == ("z", "y")
    np.testing.assert_array_equal(panel._strips.figure.values[1], state.trace.y[0])
    assert not any(shown(part) for part in (panel._bars, panel._sum, panel._check, panel._list))
    assert "names no class" in panel._heading.value
    assert "softmax" not in panel._heading.value
    assert len(panel.formulas) == 1
    assert "D × K" not in panel._notes.value
    state.close()


def test_random_weights_without_a_head_describe_nothing() -> None:
    state = random_state(num_classes=0)
    trace = state.trace
    state.trace = replace(trace, spec=replace(trace.spec, random_weights=True))
    panel = ClassificationPanel(state)
    assert "trained to describe" not in panel._answer.value
    assert "random weights: its 24 numbers, shown below, mean nothing" in panel._answer.value
    state.close()


def test_a_distilled_model_has_two_votes() -> None:
    state = random_state(architecture="deit_tiny_distilled_patch16_224")
    panel, trace = ClassificationPanel(state), state.trace
    assert shown(panel._heads)
    assert "the distillation token" in panel._heading.value
    assert panel.formulas == ("classification-distilled", "head-distilled", "softmax")
    assert [name for _, name, _ in panel.shapes(trace)][2:4] == ["head_weight", "heads[1].weight"]
    panel._heads.value = 1
    np.testing.assert_array_equal(panel._strips.figure.values[0], trace.z[-1][1])
    np.testing.assert_array_equal(panel._strips.figure.values[1], trace.y[1])
    index = panel._bars.selected
    votes = [float(head(y)[index]) for head, y in zip(trace.arrays.heads, trace.y, strict=True)]
    assert f"CLS says {signed(votes[0], 4)}" in panel._sum.value
    assert signed(votes[1], 4) in panel._sum.value
    assert signed(float(trace.logits[index]), 6) in panel._check.value
    assert "<br>CLS says" in panel._sum.value  # a line of its own: what stands before it has no full stop
    state.close()


def test_what_is_not_changed_on_the_way_to_y_is_drawn_once() -> None:
    state = random_state(global_pool="map", class_token=False)
    panel = ClassificationPanel(state)
    figure = panel._strips.figure
    assert figure.names == ("y", "w", "y · w")
    np.testing.assert_array_equal(figure.values[0], state.trace.y[0])
    state.close()
