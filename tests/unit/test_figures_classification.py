"""From the last layer to the class: the figures' numbers against timm's and against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explorer.engine import trace_image
from explorer.figures.classification import (
    check_score,
    margin,
    pooled_sources,
    strips_figure,
    top_classes,
    vote_of,
)
from explorer.models import ExplorerModel
from explorer.samples import open_sample
from explorer.trace import Trace
from tests.unit.conftest import MODELS, explorer_model

WITH_CLASSES = [kind for kind in MODELS if explorer_model(kind).spec.num_classes]


@pytest.fixture(params=WITH_CLASSES)
def trace(request: pytest.FixtureRequest) -> Trace:
    return trace_image(explorer_model(request.param), open_sample("chelsea"))


def test_top_classes_are_timms(plain_model: ExplorerModel) -> None:
    import torch

    trace = trace_image(plain_model, open_sample("chelsea"))
    mean, std = np.array(trace.spec.mean), np.array(trace.spec.std)
    pixels = ((trace.image / 255 - mean) / std).astype(np.float32).transpose(2, 0, 1)[None]
    with torch.no_grad():
        probs = plain_model.model(torch.from_numpy(pixels)).softmax(-1)[0]
    best = probs.topk(5)
    scores = top_classes(trace, 5)
    assert [score.index for score in scores] == best.indices.tolist()
    np.testing.assert_allclose([score.prob for score in scores], best.values.numpy(), atol=1e-5)
    assert [score.rank for score in scores] == [0, 1, 2, 3, 4]
    assert margin(trace) == pytest.approx(float(best.values[0] - best.values[1]), abs=1e-5)


def test_worked_out_again_it_is_the_same(trace: Trace) -> None:
    for index in (0, 3, trace.spec.num_classes - 1):
        check = check_score(trace, index)
        assert check.logit == pytest.approx(check.model_logit, abs=1e-4)
        assert check.prob == pytest.approx(check.model_prob, abs=1e-5)
        assert np.mean(check.votes) == pytest.approx(check.logit)
    total = sum(check_score(trace, index).prob for index in range(min(trace.spec.num_classes, 7)))
    assert trace.spec.num_classes > 7 or total == pytest.approx(1)


def test_the_terms_add_up_to_the_vote(trace: Trace) -> None:
    check = check_score(trace, 2)
    for head, vote in enumerate(check.votes):
        column, terms, bias = vote_of(trace, 2, head)
        np.testing.assert_array_equal(column, trace.arrays.heads[head].weight[:, 2])
        assert terms.astype(np.float64).sum() + bias == pytest.approx(vote, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("plain", lambda trace: trace.z[-1, :1]),
        ("distilled", lambda trace: trace.z[-1, :2]),
        ("fc_norm", lambda trace: trace.final_tokens[1:].mean(axis=0, keepdims=True)),
        ("maximum", lambda trace: trace.final_tokens[1:].max(axis=0, keepdims=True)),
    ],
)
def test_what_is_taken_out_of_the_last_layer(kind: str, expected: Any) -> None:
    trace = trace_image(explorer_model(kind), open_sample("chelsea"))
    np.testing.assert_allclose(pooled_sources(trace), expected(trace), atol=1e-6)


def test_the_norm_leads_from_cls_to_y(plain_model: ExplorerModel) -> None:
    trace = trace_image(plain_model, open_sample("chelsea"))
    source = pooled_sources(trace)[0].astype(np.float64)
    norm = trace.arrays.norm
    assert norm is not None
    spread = np.sqrt(source.var() + norm.eps)
    np.testing.assert_allclose((source - source.mean()) / spread * norm.weight + norm.bias, trace.y[0], atol=1e-5)


def test_without_a_head_there_are_no_classes() -> None:
    trace = trace_image(explorer_model("no_head"), open_sample("chelsea"))
    assert top_classes(trace) == ()
    assert margin(trace) is None
    with pytest.raises(ValueError, match="no classes"):
        check_score(trace, 0)


def test_each_strip_has_its_own_scale() -> None:
    vectors = [("a", "first", np.array([1.0, -3.0], np.float32)), ("b", "second", np.array([0.5, 0.25], np.float32))]
    figure = strips_figure(vectors, title="t", caption="c", axis="d", stem="s")
    assert figure.reaches == (3.0, 0.5)
    assert (figure.names, figure.titles) == (("a", "b"), ("first", "second"))
    np.testing.assert_array_equal(figure.values, [[1, -3], [0.5, 0.25]])
