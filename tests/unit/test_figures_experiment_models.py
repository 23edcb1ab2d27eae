"""Where two models look: CLS, or the tokens that the classifier reads instead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explorer.engine import trace_image
from explorer.figures.experiment_models import gaze, has_cls
from explorer.samples import open_sample

# Of each kind: the tokens whose rows of 𝑨 are averaged. "fc_norm" has a register and no CLS.
LOOKING = {"plain": [0], "distilled": [0], "registers": [0], "average": range(16), "fc_norm": range(1, 17)}


@pytest.mark.parametrize("head", [-1, 1])
@pytest.mark.parametrize("kind", LOOKING)
def test_the_gaze_is_that_of_cls_or_of_what_is_read(kind: str, head: int, model_of: Any) -> None:
    trace = trace_image(model_of(kind), open_sample("chelsea"))
    attention = trace.blocks[1].attention
    of_head = attention.mean(axis=0) if head < 0 else attention[head]
    expected = of_head[list(LOOKING[kind])].mean(axis=0)[trace.num_prefix :] * trace.num_tokens
    np.testing.assert_allclose(gaze(trace, 1, head), expected, rtol=1e-4)
    assert has_cls(trace) == (kind not in {"average", "fc_norm"})


def test_the_gaze_weighs_tokens_as_attention_pooling_does(model_of: Any) -> None:
    trace = trace_image(model_of("attention_pool"), open_sample("chelsea"))
    weights = trace.pool_weights
    assert weights is not None
    expected = weights.mean(axis=0) @ trace.blocks[0].attention[2] * trace.num_tokens
    np.testing.assert_allclose(gaze(trace, 0, 2), expected, rtol=1e-4)
