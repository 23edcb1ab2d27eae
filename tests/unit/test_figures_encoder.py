"""One layer opened: what is shown is the trace's own slice, and what is worked out agrees with it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from explorer.engine import trace_image
from explorer.figures.encoder import (
    STEPS,
    open_layer,
    step_parts,
    strip_scales,
)
from explorer.figures.encoder_facts import curve_chart, lengths, lengths_chart, sampled_tokens, score_spread
from explorer.figures.encoder_parts import Arrow, Curve, Matrix, Strip
from explorer.figures.encoder_worked import NUMBERS, activation64, count_of, worked_number
from explorer.interventions import Intervention
from explorer.numerics import ACTIVATIONS
from explorer.samples import open_sample
from explorer.trace import Trace
from tests.unit.conftest import MODELS, explorer_model

#: Those whose layers differ; how they pool does not matter here.
LAYERS = ("plain", "qk_norm", "layer_scale", "clip", "swiglu_packed", "swiglu", "scale_norms", "rms", "no_positions")


def traced(kind: str, **changes: object) -> Trace:
    return trace_image(explorer_model(kind), open_sample("chelsea"), **changes)  # type: ignore[arg-type]


def shown(trace: Trace, layer: int, token: int, head: int) -> dict[str, np.ndarray]:
    row = open_layer(trace, layer, token)
    parts = [part for step in STEPS for part in step_parts(step, row, head)]
    return {part.array: part.values for part in parts if isinstance(part, Strip)}


@pytest.mark.parametrize("kind", LAYERS)
def test_every_strip_is_the_traces_slice(kind: str) -> None:
    trace, layer, token, head = traced(kind), 1, 5, 1
    block, strips = trace.blocks[layer], shown(trace, layer, token, head)
    for name in ("z_in", "norm1", "msa", "z_mid", "norm2", "mlp_pre", "mlp_hidden", "mlp", "z_out"):
        np.testing.assert_allclose(strips[name], getattr(block, name)[token], rtol=1e-4, atol=2e-5, err_msg=name)
    for name in ("q", "scores", "attention", "head_outputs"):
        np.testing.assert_allclose(strips[name], getattr(block, name)[head, token], rtol=1e-4, atol=2e-5, err_msg=name)
    for name in ("k", "v"):
        np.testing.assert_allclose(strips[name], getattr(block, name)[head, token], rtol=1e-4, atol=2e-5, err_msg=name)
    # What the run stored is shown as it is, to the last bit.
    np.testing.assert_array_equal(strips["z_in"], trace.z[layer, token])
    np.testing.assert_array_equal(strips["z_out"], trace.z[layer + 1, token])
    np.testing.assert_array_equal(strips["q"], trace.q[layer, head, token])
    if block.mlp_gate is not None:
        np.testing.assert_allclose(strips["mlp_gate"], block.mlp_gate[token], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_worked_out_again_every_number_is_the_same(kind: str) -> None:
    trace = traced(kind)
    for layer, token, head in ((0, 0, 0), (1, 7, 1)):
        row = open_layer(trace, layer, token)
        for kind_of_number in (name for names in NUMBERS.values() for name in names):
            count = count_of(kind_of_number, row)
            for index in (0, count // 3, count - 1):
                work = worked_number(kind_of_number, row, head, index)
                assert work.result == pytest.approx(work.model, rel=1e-4, abs=5e-5), (kind_of_number, index)
                if work.total is not None:
                    assert sum(term.value for term in work.terms) + work.rest == pytest.approx(work.total)


def test_the_models_numbers_are_the_traces() -> None:
    trace, layer, token, head, index = traced("plain"), 0, 3, 2, 11
    block, row = trace.blocks[layer], open_layer(trace, layer, token)

    def model(kind: str) -> float:
        return worked_number(kind, row, head, index).model

    assert model("q") == trace.q[layer, head, token, index]
    assert model("k") == pytest.approx(trace.k[layer, head, token, index], abs=1e-5)
    assert model("v") == pytest.approx(trace.v[layer, head, token, index], abs=1e-5)
    assert model("scores") == pytest.approx(block.scores[head, token, index], abs=1e-5)
    assert model("attention") == pytest.approx(block.attention[head, token, index], abs=1e-6)
    assert model("head_outputs") == pytest.approx(block.head_outputs[head, token, index], abs=1e-5)
    assert model("msa") == pytest.approx(block.msa[token, index], abs=1e-5)
    assert model("z_out") == trace.z[layer + 1, token, index]


def test_a_score_is_a_product_divided_by_the_root() -> None:
    trace = traced("plain")
    work = worked_number("scores", open_layer(trace, 1, 4), 0, 9)
    product = trace.q[1, 0, 4].astype(np.float64) @ trace.k[1, 0, 9].astype(np.float64)
    assert work.total == pytest.approx(product)
    assert work.result == pytest.approx(product / math.sqrt(trace.q.shape[-1]))
    assert [term.index for term in work.terms] == np.argsort(
        -np.abs(trace.q[1, 0, 4].astype(np.float64) * trace.k[1, 0, 9])
    ).tolist()[:4]


def test_dividing_makes_scores_spread_less_by_the_root() -> None:
    trace = traced("plain")
    row = open_layer(trace, 0, 2)
    spread = score_spread(row, 1)
    assert spread.before / spread.after == pytest.approx(math.sqrt(trace.q.shape[-1]))
    assert spread.most_after == pytest.approx(row.attention[1, 0].max(), rel=1e-5)
    assert spread.most_before > spread.most_after


def test_a_number_of_the_joined_heads_is_its_heads() -> None:
    trace = traced("plain")
    row, size = open_layer(trace, 1, 6), trace.q.shape[-1]
    work = worked_number("joined", row, 0, 2 * size + 5)
    assert (work.before[0].value, work.before[0].about) == (3, 5)
    assert work.model == row.head_outputs[2, 0, 5]


def test_arrows_say_what_a_model_does_otherwise() -> None:
    def arrows(kind: str, step: str) -> set[str]:
        parts = step_parts(step, open_layer(traced(kind), 0, 1), 0)
        return {part.key for part in parts if isinstance(part, Arrow)}

    assert {"normalise-layer", "gamma", "beta"} <= arrows("plain", "norm1")
    assert "normalise-rms" in arrows("rms", "norm1")
    assert "times-qkv" in arrows("plain", "qkv")
    assert {"times-qkv-no-bias", "qk-norm-layer"} <= arrows("qk_norm", "qkv")
    assert "layer-scale" in arrows("layer_scale", "residual1")
    assert "layer-scale" not in arrows("plain", "residual1")
    assert "times-msa-no-bias" in arrows("layer_scale", "project")
    assert "attn-norm" in arrows("scale_norms", "project")
    assert "activate-gate" in arrows("swiglu", "mlp")
    assert "mlp-norm" in arrows("scale_norms", "mlp")


def test_what_is_switched_off_is_said_and_zero() -> None:
    off = Intervention(masked_heads=((0, 1),), msa_off=(1,), mlp_off=(1,))
    trace = traced("plain", intervention=off)
    masked = worked_number("head_outputs", open_layer(trace, 0, 2), 1, 3)
    assert (masked.result, masked.model, masked.then[0].key) == (0, 0, "off")
    row = open_layer(trace, 1, 2)
    for kind, step in (("msa", "project"), ("mlp", "mlp")):
        work = worked_number(kind, row, 0, 3)
        assert (work.result, work.model) == (0, 0)
        assert any(isinstance(part, Arrow) and part.key == "off" for part in step_parts(step, row, 0))


def test_weights_are_the_layers() -> None:
    trace = traced("plain")
    row = open_layer(trace, 1, 3)
    found = {p.array: p.values for s in STEPS for p in step_parts(s, row, 2) if isinstance(p, Matrix)}
    weights = trace.arrays.blocks[1]
    np.testing.assert_array_equal(found["qkv"], weights.qkv.weight)
    np.testing.assert_array_equal(found["k"], trace.k[1, 2])
    np.testing.assert_array_equal(found["v"], trace.v[1, 2])
    np.testing.assert_array_equal(found["proj"], weights.proj.weight)
    np.testing.assert_array_equal(found["fc1"], weights.mlp.fc1.weight)
    np.testing.assert_array_equal(found["fc2"], weights.mlp.fc2.weight)


def test_the_dots_lie_on_the_curve() -> None:
    trace = traced("plain")
    row = open_layer(trace, 0, 3)
    (curve,) = (part for part in step_parts("mlp", row, 0) if isinstance(part, Curve))
    np.testing.assert_array_equal(curve.dots[0], row.mlp_pre[0])
    np.testing.assert_allclose(curve.dots[1], row.mlp_hidden[0], atol=1e-6)
    assert curve.curve[0, 0] <= curve.dots[0].min()
    assert curve.curve[0, -1] >= curve.dots[0].max()


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_in_double_precision(name: str) -> None:
    x = np.linspace(-4, 4, 33, dtype=np.float32)
    expected = [activation64(name, float(value)) for value in x]
    np.testing.assert_allclose(ACTIVATIONS[name](x), expected, atol=2e-6)


def test_strips_that_are_compared_share_a_scale() -> None:
    row = open_layer(traced("plain"), 0, 3)
    scales = strip_scales(step_parts("residual1", row, 0))
    assert scales["z_in"] == scales["msa"] == scales["z_mid"]
    scales = strip_scales(step_parts("softmax", row, 0))
    assert (scales["attention"].low, scales["attention"].colormap) == (0.0, "sequential")
    assert scales["scores"].low == -scales["scores"].high


def test_lengths_are_norms_of_what_layers_write() -> None:
    trace, token = traced("layer_scale"), 4
    own, mean = lengths(trace, [token]), lengths(trace, sampled_tokens(trace))
    assert sampled_tokens(trace) == list(range(trace.num_tokens))
    for layer, block in enumerate(trace.blocks):
        for name, values in (
            ("z", block.z_out),
            ("msa", block.scale1 * block.msa),
            ("mlp", block.scale2 * block.mlp),
        ):
            length = np.linalg.norm(values, axis=1)
            assert getattr(own, name)[layer] == pytest.approx(length[token], rel=1e-4)
            assert getattr(mean, name)[layer] == pytest.approx(length.mean(), rel=1e-4)
    names = ("z", "MSA", "MLP")
    chart = lengths_chart(own, mean, names=names, mean_names=names, x="l", y="n", layer=1)
    assert chart["data"][1]["y"] == own.msa.tolist()
    assert chart["data"][5]["y"] == mean.mlp.tolist()


def test_the_ring_is_the_picked_units() -> None:
    row = open_layer(traced("plain"), 0, 3)
    (curve,) = (part for part in step_parts("mlp", row, 0) if isinstance(part, Curve))
    _, dots, ring = curve_chart(curve, x="", y="", picked=7)["data"]
    assert (ring["x"], ring["y"]) == ([dots["x"][7]], [dots["y"][7]])


def test_every_model_of_the_tests_can_be_opened() -> None:
    for kind in MODELS:
        trace = traced(kind)
        row = open_layer(trace, 0, 0)
        for step in STEPS:
            assert step_parts(step, row, 0)
