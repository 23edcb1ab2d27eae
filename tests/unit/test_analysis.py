"""Questions to arrays, on cases that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from explorer.analysis import (
    attention_distance,
    attention_entropy,
    rollout,
    softmax,
    top_k,
)
from explorer.numerics import ACTIVATIONS, erf, log_sum_exp


def test_softmax_and_its_logarithm() -> None:
    values = np.array([[0.0, math.log(3.0)], [1000.0, 1000.0], [-1000.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(softmax(values), [[0.25, 0.75], [0.5, 0.5], [0, 1]], atol=1e-6)
    np.testing.assert_allclose(log_sum_exp(values), [math.log(4), 1000 + math.log(2), 0], rtol=1e-6)
    np.testing.assert_allclose(softmax(values, axis=0).sum(axis=0), [1, 1], atol=1e-6)


def test_error_function() -> None:
    values = np.linspace(-6, 6, 2001, dtype=np.float32)
    np.testing.assert_allclose(erf(values), [math.erf(value) for value in values], atol=3e-7)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("gelu", torch.nn.GELU()),
        ("gelu_tanh", torch.nn.GELU(approximate="tanh")),
        ("silu", torch.nn.SiLU()),
        ("relu", torch.nn.ReLU()),
        ("sigmoid", torch.nn.Sigmoid()),
        ("quick_gelu", lambda x: x * torch.sigmoid(1.702 * x)),
    ],
)
def test_activations_are_torchs(name: str, theirs: torch.nn.Module) -> None:
    values = np.concatenate([np.linspace(-8, 8, 1001), [-200, 200]]).astype(np.float32)
    ours = ACTIVATIONS[name](values)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs(torch.from_numpy(values)).numpy(), atol=2e-6, rtol=1e-6)


def test_rollout_of_two_layers() -> None:
    first = np.array([[1.0, 0.0], [1.0, 0.0]])
    second = np.array([[0.0, 1.0], [0.0, 1.0]])
    # Half of each token goes past the attention: ((0.5 I + 0.5 second) @ (0.5 I + 0.5 first)).
    expected = [[0.75, 0.25], [0.5, 0.5]]
    np.testing.assert_allclose(rollout([first, second]), expected, atol=1e-6)
    heads = np.stack([first, np.eye(2)])
    np.testing.assert_allclose(rollout([heads]), 0.5 * np.eye(2) + 0.5 * heads.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(rollout([first, second], residual=1.0), np.eye(2))
    with pytest.raises(ValueError, match="at least one"):
        rollout([])


def test_attention_distance_in_patches() -> None:
    grid = (2, 3)
    itself = np.eye(7)
    uniform = np.full((7, 7), 1 / 7)
    beside = np.zeros((7, 7))
    for patch, other in enumerate([1, 0, 1, 4, 3, 4]):
        beside[1 + patch, 1 + other] = 0.4
        beside[1 + patch, 0] = 0.6  # CLS has no place and does not count
    places = [(y, x) for y in range(2) for x in range(3)]
    mean = np.mean([math.dist(a, b) for a in places for b in places])
    distances = attention_distance(np.stack([itself, uniform, beside]), grid)
    np.testing.assert_allclose(distances, [0, mean, 1], atol=1e-6)
    # Of a dropped patch nothing is left: two patches at the ends of the first row.
    far = np.array([[[0.5, 0.5], [0.5, 0.5]]])
    np.testing.assert_allclose(attention_distance(far, grid, [0, 2]), [1.0], atol=1e-6)
    # Who looks at prefix tokens alone looks at no distance.
    only_cls = np.zeros((1, 7, 7))
    only_cls[..., 0] = 1
    np.testing.assert_allclose(attention_distance(only_cls, grid), [0.0])


def test_entropy_counts_tokens() -> None:
    rows = np.array([[1, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0]], dtype=np.float32)
    np.testing.assert_allclose(attention_entropy(rows), [1, 4, 2], atol=1e-5)


def test_top_k() -> None:
    values = np.array([1, 5, 3, 5, -2], dtype=np.float32)
    indices, best = top_k(values, 3)
    np.testing.assert_array_equal(indices, [1, 3, 2])
    np.testing.assert_array_equal(best, [5, 5, 3])
    assert len(top_k(values, 9)[0]) == 5
    assert len(top_k(values, 0)[0]) == 0
