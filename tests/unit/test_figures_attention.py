"""The attention stage's figures show the exact slice of the trace."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.engine import trace_image
from explorer.figures.attention import (
    MEAN,
    attention_figure,
    head_attention,
    layer_scale,
)
from explorer.interventions import Intervention
from explorer.models import load_model
from explorer.samples import open_sample
from explorer.trace import Trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    torch.manual_seed(0)
    model = load_model("vit_tiny_patch16_224", pretrained=False)
    return trace_image(model, open_sample("chelsea"), patch_size=32, intervention=Intervention(kept=range(3, 40)))


def test_one_head_is_the_slice_of_the_trace(trace: Trace) -> None:
    np.testing.assert_array_equal(head_attention(trace, 1, 2), trace.blocks[1].attention[2])


def test_the_mean_is_over_the_heads(trace: Trace) -> None:
    np.testing.assert_allclose(head_attention(trace, 0, MEAN), trace.blocks[0].attention.mean(axis=0), atol=1e-7)


def test_all_heads_of_a_layer_share_a_scale(trace: Trace) -> None:
    scale = layer_scale(trace, 1, "weight")
    assert scale.low == 0
    assert scale.high == pytest.approx(np.percentile(trace.blocks[1].attention, 99.5))
    log = layer_scale(trace, 1, "weight", log=True)
    assert (log.log, log.high) == (True, scale.high)
    assert log.low > 0


def test_a_large_layer_is_sampled_by_whole_queries(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.figures.attention._SAMPLED_WEIGHTS", trace.num_tokens * trace.num_tokens)
    sampled = layer_scale(trace, 1, "weight").high
    every_third = trace.blocks[1].attention[:, ::3]
    assert sampled == pytest.approx(np.percentile(every_third, 99.5))


def test_the_figure_names_its_sides_and_marks_the_prefix(trace: Trace) -> None:
    attention = head_attention(trace, 0, 0)
    names = [f"token {n}" for n in range(trace.num_tokens)]
    figure = attention_figure(
        attention, layer_scale(trace, 0, "w"), query="query", key="key", tokens=names, num_prefix=trace.num_prefix
    )
    np.testing.assert_array_equal(figure.values, attention)
    assert (figure.rows.name, figure.cols.name) == ("query", "key")
    assert figure.rows.marks == figure.cols.marks == {0: "token 0"}
    assert figure.rows.label(5) == "token 5"
