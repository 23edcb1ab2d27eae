"""Sinusoidal position embeddings against the slides' formulas, in plain Python loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from explorer.positions import cosine_similarity, sinusoidal_1d, sinusoidal_2d


@pytest.mark.parametrize(("num_positions", "dim"), [(1, 2), (5, 6), (64, 128), (576, 256), (0, 4)])
def test_one_dimensional_table_is_slide_14(num_positions: int, dim: int) -> None:
    table = sinusoidal_1d(num_positions, dim)
    assert table.shape == (num_positions, dim)
    assert table.dtype == np.float32
    expected = [[0.0] * dim for _ in range(num_positions)]
    for x in range(num_positions):
        for i in range(dim // 2):
            wave = x / 10000 ** (2 * i / dim)
            expected[x][2 * i] = math.sin(wave)
            expected[x][2 * i + 1] = math.cos(wave)
    np.testing.assert_allclose(table, np.reshape(expected, table.shape), atol=1e-6)


@pytest.mark.parametrize(("rows", "cols", "dim"), [(1, 1, 4), (2, 3, 8), (5, 4, 12), (24, 24, 64), (0, 3, 4)])
def test_two_dimensional_table_is_slide_16(rows: int, cols: int, dim: int) -> None:
    table = sinusoidal_2d(rows, cols, dim)
    assert table.shape == (rows * cols, dim)
    assert table.dtype == np.float32
    expected = [[0.0] * dim for _ in range(rows * cols)]
    for y in range(rows):
        for x in range(cols):
            position = expected[y * cols + x]
            for i in range(dim // 4):
                scale = 10000 ** (4 * i / dim)
                position[2 * i] = math.sin(x / scale)
                position[2 * i + 1] = math.cos(x / scale)
                position[dim // 2 + 2 * i] = math.sin(y / scale)
                position[dim // 2 + 2 * i + 1] = math.cos(y / scale)
    np.testing.assert_allclose(table, np.reshape(expected, table.shape), atol=1e-6)


@pytest.mark.parametrize("dim", [3, 1, 0, -2])
def test_one_dimensional_table_refuses_a_dim_without_pairs(dim: int) -> None:
    with pytest.raises(ValueError, match="dim"):
        sinusoidal_1d(4, dim)


@pytest.mark.parametrize("dim", [2, 6, 5, 0, -4])
def test_two_dimensional_table_refuses_a_dim_not_divisible_by_four(dim: int) -> None:
    with pytest.raises(ValueError, match="dim"):
        sinusoidal_2d(2, 2, dim)


def test_broken_numbers_are_refused() -> None:
    for make in (lambda: sinusoidal_1d(2.5, 8), lambda: sinusoidal_1d(2, 8.0), lambda: sinusoidal_2d(2, 1.5, 8)):
        with pytest.raises(TypeError):
            make()


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="num_positions"):
        sinusoidal_1d(-1, 4)
    with pytest.raises(ValueError, match="rows"):
        sinusoidal_2d(-1, 2, 4)
    with pytest.raises(ValueError, match="cols"):
        sinusoidal_2d(2, -1, 4)


def test_similarity_of_known_angles() -> None:
    table = np.array([[1, 0], [0, 2], [-3, 0], [1, 1], [0, 0], [1e-30, 0]], dtype=np.float32)
    root = math.sqrt(0.5)
    expected = [1, 0, -1, root, 0, 1]
    np.testing.assert_allclose(cosine_similarity(table, 0), expected, atol=1e-6)
    everything = cosine_similarity(table)
    np.testing.assert_allclose(everything[0], expected, atol=1e-6)
    np.testing.assert_array_equal(everything, everything.T)


def test_similarity_refuses_what_is_no_table() -> None:
    with pytest.raises(ValueError, match="two dimensions"):
        cosine_similarity(np.zeros(3, dtype=np.float32))
    with pytest.raises(IndexError):
        cosine_similarity(np.zeros((2, 3), dtype=np.float32), 2)
