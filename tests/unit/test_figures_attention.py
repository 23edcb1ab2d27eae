"""The attention stage's figures show the exact slice of the trace."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.engine import trace_image
from explorer.figures.attention import MEAN, head_attention
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
