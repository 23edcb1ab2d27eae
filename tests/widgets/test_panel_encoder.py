"""Stage 4 on the page: the open step shows this token's arrays, and its number is worked out."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import numpy as np
import pytest

from explorer.figures.encoder import STEPS
from explorer.interventions import Intervention
from explorer.panels import encoder
from explorer.panels.encoder import EncoderPanel
from explorer.panels.encoder_steps import StepView
from explorer.panels.encoder_words import step_formulas, step_sentences
from explorer.panels.numbers import signed
from explorer.state import MEAN_OF_HEADS, ExplorerState
from explorer.widgets import ChartView, MatrixView
from explorer.widgets.encoder_flow import FlowView
from tests.widgets.random_model import random_state, shown


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


def go(panel: EncoderPanel, step: str) -> StepView:
    panel._map.step = STEPS.index(step)
    assert panel.state.error is None, panel.state.error
    return panel._steps[step]


def flows(view: StepView) -> list[FlowView]:
    return [part for part in view.views if isinstance(part, FlowView)]


def test_it_opens_at_the_first_step_of_the_layer(state: ExplorerState) -> None:
    state.layer, state.token = 1, 3
    panel = EncoderPanel(state)
    assert list(panel._steps) == ["norm1"]
    assert panel._open.children == (panel._steps["norm1"].box,)
    first, *_, last = flows(panel._steps["norm1"])[0].strips
    np.testing.assert_array_equal(first.values, state.trace.z[1, 3])
    np.testing.assert_allclose(last.values, state.trace.blocks[1].norm1[3], atol=1e-6)
    assert "layer 2 of 2" in panel._steps["norm1"].head.value
    assert (panel._map.layer, panel._map.layers, panel._map.step) == (1, 2, 0)


def test_steps_are_built_when_they_are_first_seen_and_kept(state: ExplorerState) -> None:
    panel = EncoderPanel(state)
    view = go(panel, "scores")
    assert list(panel._steps) == ["norm1", "scores"]
    widgets = view.views
    go(panel, "norm1")
    assert panel._open.children == (panel._steps["norm1"].box,)
    assert go(panel, "scores") is view
    assert view.views is widgets


def test_only_the_open_step_is_redrawn(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = EncoderPanel(state)
    for step in STEPS:
        go(panel, step)
    drawn: list[str] = []
    show = StepView.show
    monkeypatch.setattr(StepView, "show", lambda view, *given: (drawn.append(view.step), show(view, *given)))
    state.token = 5
    assert drawn == ["residual2"]
    state.dimension = 7
    assert drawn == ["residual2"]
    go(panel, "norm1")
    assert drawn == ["residual2", "norm1"]
    assert "d = 7" in panel._steps["norm1"].index.options[panel._steps["norm1"].index.value]["label"]


def test_weights_are_sent_once_a_layer(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    state.layer = 0
    panel = EncoderPanel(state)
    for step in ("mlp", "scores"):
        go(panel, step)
    sent: list[str] = []
    show = MatrixView.show
    monkeypatch.setattr(MatrixView, "show", lambda view, figure: (sent.append(figure.title), show(view, figure)))
    state.token = 5
    go(panel, "mlp")
    assert sent == []
    state.head = 1
    assert sent == []
    # The keys are another head's.
    go(panel, "scores")
    assert len(sent) == 1
    state.layer = 1
    matrices = [part for part in go(panel, "mlp").views if isinstance(part, MatrixView)]
    mlp = state.trace.arrays.blocks[1].mlp
    for view, weights in zip(matrices, (mlp.fc1, mlp.fc2), strict=True):
        np.testing.assert_array_equal(view.figure.values, weights.weight)
    sent.clear()
    state.language = "ja"
    assert len(sent) == len(matrices)


def test_a_step_comes_with_its_mark(state: ExplorerState) -> None:
    panel = EncoderPanel(state)
    (flow,) = flows(panel._steps["norm1"])
    marks: list[list[int]] = []
    flow.observe(lambda change: marks.append(change["new"]), names="marks")
    state.dimension = 3
    state.layer = 1
    # The other layer's vectors are not drawn a second time for it.
    assert marks == [flow.marks]
    assert set(flow.marks) == {3}


def test_every_step_shows_the_traces_arrays(state: ExplorerState) -> None:
    state.layer, state.token, state.head = 1, 6, 1
    panel, block = EncoderPanel(state), state.trace.blocks[1]
    last = {
        "qkv": block.v[1, 6],
        "scores": block.scores[1, 6],
        "softmax": block.attention[1, 6],
        "weighted": block.head_outputs[1, 6],
        "project": block.msa[6],
        "residual1": block.z_mid[6],
        "norm2": block.norm2[6],
        "mlp": block.mlp[6],
        "residual2": block.z_out[6],
    }
    for step, values in last.items():
        view = go(panel, step)
        np.testing.assert_allclose(flows(view)[-1].strips[-1].values, values, rtol=1e-4, atol=1e-6, err_msg=step)
    (matrix,) = (part for part in panel._steps["scores"].views if isinstance(part, MatrixView))
    np.testing.assert_array_equal(matrix.figure.values, block.k[1])
    assert any(isinstance(part, ChartView) for part in panel._steps["mlp"].views)


def test_all_at_once(state: ExplorerState) -> None:
    panel = EncoderPanel(state)
    panel._mode.value = "all"
    assert panel._open.children == tuple(panel._steps[step].box for step in STEPS)
    assert panel._map.every
    state.language = "ja"
    assert "スコア" in panel._steps["scores"].head.value
    panel._mode.value = "steps"
    assert len(panel._open.children) == 1


def test_a_clicked_cell_is_worked_out(state: ExplorerState) -> None:
    state.token, state.head = 4, 1
    panel = EncoderPanel(state)
    view = go(panel, "scores")
    view.views[-1].chosen = [0, 9, 1]
    score = float(state.trace.blocks[0].scores[1, 4, 9])
    assert signed(score, 6)[:-1] in view.table.value
    assert view.views[-1].marks == [9]
    assert view.index.value == 9
    (matrix,) = (part for part in view.views if isinstance(part, MatrixView))
    assert matrix.selected_row == 9
    matrix.selected_row = 2
    assert view.views[-1].marks == [2]
    # The next step goes on with the same key.
    assert go(panel, "softmax").index.value == 2


def test_a_column_of_u_qkv_picks_letter_head_and_place(state: ExplorerState) -> None:
    panel = EncoderPanel(state)
    view = go(panel, "qkv")
    size, heads = state.trace.q.shape[-1], state.spec.heads
    (matrix,) = (part for part in view.views if isinstance(part, MatrixView))
    matrix.selected_col = (2 * heads + 1) * size + 5
    assert (view.kind, state.head, view.index.value) == ("v", 1, 5)
    assert signed(float(state.trace.v[0, 1, state.token, 5]), 6)[:-1] in view.table.value
    assert matrix.selected_col == (2 * heads + 1) * size + 5


def test_dimensions_layers_and_tokens_are_the_pages(state: ExplorerState) -> None:
    panel = EncoderPanel(state)
    panel._steps["norm1"].index.value = 11
    assert state.dimension == 11
    panel._layer.value = 1
    assert state.layer == 1
    panel._map.layer = 0
    assert (state.layer, panel._layer.value) == (0, 0)
    panel._photo.selected = 0
    assert state.token == 0
    assert "CLS" in panel._photo.title
    panel._head.value = 1
    assert state.head == 1


def test_the_mean_of_heads_is_said_to_be_head_one(state: ExplorerState) -> None:
    state.head = MEAN_OF_HEADS
    panel = EncoderPanel(state)
    view = go(panel, "scores")
    assert "shown for head 1" in view.facts.value
    np.testing.assert_allclose(
        flows(view)[-1].strips[-1].values, state.trace.blocks[0].scores[0, state.token], atol=1e-6
    )
    assert state.head == MEAN_OF_HEADS


def test_why_root_has_true_numbers(state: ExplorerState) -> None:
    panel = EncoderPanel(state)
    words = unescape(go(panel, "scores").facts.value)
    scores = state.trace.blocks[0].scores[0, state.token].astype(np.float64)
    width = state.trace.q.shape[-1]
    assert f"by {scores.std():.3g}" in words
    assert f"{scores.std() * width**0.5:.3g} (standard deviation)" in words


def test_the_browser_may_ask_for_nonsense(state: ExplorerState) -> None:
    panel = EncoderPanel(state)
    panel._map.step = 99
    assert panel._map.step == len(STEPS) - 1
    panel._map.layer = 99
    assert state.layer == 1
    flow = panel._steps["residual2"].views[0]
    for nonsense in ([], [7, 0, 1], [0, 10**6, 2], [-3, -3, 3]):
        flow.chosen = nonsense
    assert state.error is None


def test_another_model_with_other_parts() -> None:
    state = random_state(qk_norm=True, init_values=0.1, qkv_bias=False)
    panel = EncoderPanel(state)
    texts = [item["text"] for flow in flows(go(panel, "qkv")) for item in flow.items if item["kind"] == "arrow"]
    assert any("q/k norm" in words for words in texts)
    assert any("no bias" in words for words in texts)
    texts = [item["text"] for flow in flows(go(panel, "residual1")) for item in flow.items if item["kind"] == "arrow"]
    assert any("LayerScale" in words for words in texts)
    assert panel.formulas == ("encoder-msa-scale", "encoder-mlp-scale")
    formulas = [step_formulas(step, state.trace.blocks[0])[0] for step in ("qkv", "project", "mlp")]
    assert formulas == ["encoder-qkv-no-bias", "encoder-project", "encoder-hidden"]
    for step, words in (("residual1", "zₗ₋₁ + λ₁ ⊙ MSA"), ("residual2", "z′ₗ + λ₂ ⊙ MLP")):
        assert words in step_sentences(panel, step, state.trace.blocks[0])[1]
    state.close()


def test_a_head_that_is_switched_off_is_said_to_be() -> None:
    state = random_state(intervention=Intervention(masked_heads=((0, 0),)))
    panel = EncoderPanel(state)
    view = go(panel, "weighted")
    assert "switched off" in view.facts.value
    assert not flows(view)[-1].strips[-1].values.any()
    state.close()


def test_lengths_are_worked_out_once_a_trace(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    original = encoder.lengths
    monkeypatch.setattr(
        encoder, "lengths", lambda trace, tokens: (counted.append(len(tokens)), original(trace, tokens))[1]
    )
    panel = EncoderPanel(state)
    state.token = 2
    state.layer = 1
    assert counted.count(state.trace.num_tokens) == 1
    assert shown(panel._lengths)
