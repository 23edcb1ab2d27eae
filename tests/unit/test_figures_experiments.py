"""Stage 7's answers and photos: the classes that lead, and patches in another order."""

from __future__ import annotations

from html import unescape

import numpy as np
import pytest

from explorer.figures.experiment_positions import rms, similarity_map, strength_scale, strengths
from explorer.figures.experiments import answer_rows, rearranged
from explorer.labels import Labels
from explorer.numerics import softmax
from explorer.panels.experiment_answers import answer_html
from explorer.positions import cosine_similarity

BEFORE = np.array([1.0, 4.0, -2.0, 0.5, 3.0, 2.0], dtype=np.float32)
AFTER = np.array([2.0, -1.0, 5.0, 0.5, 3.0, 2.5], dtype=np.float32)


def test_the_leading_classes_come_with_their_probabilities() -> None:
    rows = answer_rows(BEFORE, count=3)
    assert [row.index for row in rows] == [1, 4, 5]
    np.testing.assert_allclose([row.prob for row in rows], softmax(BEFORE)[[1, 4, 5]], rtol=1e-5)
    assert all(row.change is None and row.rank == 0 for row in rows)


def test_a_class_that_fell_back_is_shown_with_its_rank() -> None:
    rows = answer_rows(AFTER, against=BEFORE, keep=[1], count=3)
    assert [row.index for row in rows] == [2, 4, 5, 1]
    assert [row.rank for row in rows] == [0, 0, 0, 6]
    assert [row.change for row in rows] == pytest.approx([7.0, 0.0, 0.5, -5.0])


def test_a_class_that_leads_is_not_shown_twice() -> None:
    assert [row.index for row in answer_rows(BEFORE, keep=[1, 1, 4], count=2)] == [1, 4]
    assert answer_rows(None, keep=[0]) == ()


def test_patches_change_places() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 8, 3), dtype=np.uint8)
    order = [3, 1, 0, 2]
    shown = rearranged(pixels, (2, 2), order)
    assert shown.shape == (8, 8, 3)  # the ninth row fills no patch
    np.testing.assert_array_equal(shown[:4, :4], pixels[4:8, 4:8])
    np.testing.assert_array_equal(shown[4:, :4], pixels[:4, :4])
    np.testing.assert_array_equal(rearranged(shown, (2, 2), np.argsort(order)), pixels[:8])


def test_a_tables_names_are_text_and_its_numbers_those_of_the_rows() -> None:
    names = ("a", "b", "<img src=x onerror=alert(1)>'", "d", "e", "f")
    labels = Labels(ids=names, en=names, ja=("",) * 6)
    table = answer_html(answer_rows(AFTER, against=BEFORE, keep=[1], count=2), labels, "en", own=1)
    assert "<img" not in table
    assert "<img src=x" in unescape(table)
    assert "+7.00" in table
    assert "−5.00" in table
    assert "place 6" in table
    assert f"{softmax(AFTER)[2]:.1%}" in table
    assert table.count("vx-own") == 1
    assert "Δ logit" not in answer_html(answer_rows(BEFORE), labels, "en")


def test_a_model_without_classes_says_so() -> None:
    assert "no class head" in answer_html((), None, "en")
    assert "識別ヘッドがない" in answer_html((), None, "ja")


def test_sizes_of_a_table_are_multiples_of_the_models_own() -> None:
    assert [value for value, _ in strengths("own", 1.0)] == ["0", "0.25", "0.5", "1", "2", "4", "8"]
    values = [value for value, _ in strengths("sin2d", 0.24)]
    assert values.index("slides") == values.index("4") + 1  # 1 / 0.24 lies between 4 and 8
    assert strength_scale("slides", 0.24) == 1.0
    assert strength_scale("2", 0.24) == pytest.approx(0.48)


def test_positions_of_zeros_have_no_map() -> None:
    words = {"title": "", "label": "", "stem": "map"}
    assert similarity_map(np.zeros((4, 6), np.float32), (2, 2), **words) is None
    table = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    figure = similarity_map(table, (2, 2), **words)
    assert figure is not None
    np.testing.assert_allclose(figure.values[:, 0, 0], cosine_similarity(table, 0), atol=1e-6)
    assert rms(np.array([[3.0, -4.0]], np.float32)) == pytest.approx(12.5**0.5)
