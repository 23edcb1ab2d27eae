"""The logit lens against the model's own answer, on every kind of model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

import explorer.analysis_lens
from explorer.analysis_lens import logit_lens, token_lens
from explorer.engine import trace_pixels
from explorer.errors import ExplorerError
from explorer.numerics import softmax
from explorer.trace import Trace

if TYPE_CHECKING:
    from explorer.models import ExplorerModel

    Image = Callable[..., NDArray[np.uint8]]


def run(model: ExplorerModel, image: Image) -> Trace:
    return trace_pixels(model.model, model.arrays, image(model.arrays.image_size))


def test_last_layer_is_the_answer(any_model: ExplorerModel, image: Image) -> None:
    trace = run(any_model, image)
    if trace.logits is None:
        with pytest.raises(ExplorerError) as failure:
            logit_lens(trace)
        assert failure.value.code == "experiment-no-classes"
        return
    lens = logit_lens(trace)
    depth, classes = trace.spec.depth, trace.spec.num_classes
    assert lens.logits.shape == (depth + 1, classes)
    np.testing.assert_allclose(lens.logits[-1], trace.logits, atol=1e-4, rtol=1e-4)
    # Two layers change much of what random weights make of a picture.
    assert np.abs(lens.logits[0] - lens.logits[-1]).max() > 1e-2


def test_a_token_alone_is_what_the_head_makes_of_it(any_model: ExplorerModel, image: Image) -> None:
    trace = run(any_model, image)
    if trace.logits is None:
        pytest.skip("no classes")
    arrays, spec = trace.arrays, trace.spec
    lens = logit_lens(trace)
    for token in (trace.num_prefix, trace.num_tokens - 1):
        alone = token_lens(trace, token)
        assert alone.shape == lens.logits.shape
        for layer in range(len(trace.z)):
            # The model's own way of reading, given a sequence in which every token is the same.
            same = np.repeat(trace.z[layer, token][None, :], trace.num_tokens, axis=0)
            np.testing.assert_allclose(alone[layer], arrays.classify(arrays.read(same)), atol=2e-4, rtol=1e-3)
            best = int(alone[layer].argmax())
            assert lens.favourites[layer, token - trace.num_prefix] == best
            expected = softmax(alone[layer])[best]
            assert lens.favourite_probs[layer, token - trace.num_prefix] == pytest.approx(expected, abs=1e-5)
    if spec.pooling == "token" and not spec.distilled:
        np.testing.assert_allclose(token_lens(trace, 0), lens.logits, atol=1e-5)


def test_a_few_tokens_at_a_time_say_the_same(
    plain_model: ExplorerModel, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = run(plain_model, image)
    whole = logit_lens(trace)
    monkeypatch.setattr(explorer.analysis_lens, "_CHUNK", 3 * trace.spec.num_classes)
    parts = logit_lens(trace)
    np.testing.assert_array_equal(parts.favourites, whole.favourites)
    np.testing.assert_allclose(parts.favourite_probs, whole.favourite_probs, atol=1e-6)
