"""Pictures of the logit lens, from arrays that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.analysis_lens import LensResult
from explorer.figures.experiment_lens import (
    LENS_COLORS,
    OTHER_COLOR,
    chart_classes,
    class_colors,
    favourite_picture,
    lens_chart,
    shown_classes,
)
from explorer.numerics import softmax


def lens(seed: int = 0, layers: int = 5, classes: int = 40, patches: int = 12) -> LensResult:
    rng = np.random.default_rng(seed)
    return LensResult(
        logits=rng.normal(size=(layers, classes)).astype(np.float32) * 3,
        favourites=rng.integers(0, classes, (layers, patches)),
        favourite_probs=rng.random((layers, patches)).astype(np.float32),
    )


def test_the_answer_comes_first_then_what_led_before() -> None:
    logits = np.zeros((5, 8), dtype=np.float32)
    logits[0, 3] = logits[1, 6] = logits[2, 6] = logits[3, 1] = 5
    logits[4] = [0, 9, 1, 2, 3, 4, 0, 0]
    # 6 led twice; 5 and 4 are the answer's runners-up.
    assert chart_classes(logits, 5) == (1, 6, 3, 5, 4)
    assert chart_classes(logits, 2) == (1, 6)


def test_no_more_classes_than_there_are() -> None:
    assert sorted(chart_classes(np.eye(3, 2, dtype=np.float32))) == [0, 1]


def test_colors_are_the_charts_first() -> None:
    result = lens()
    colors = class_colors(result)
    assert list(colors.values()) == list(LENS_COLORS)
    drawn = chart_classes(result.logits)
    assert tuple(colors)[: len(drawn)] == drawn
    assert colors[int(result.logits[-1].argmax())] == LENS_COLORS[0]


def test_the_legend_counts_every_patch() -> None:
    result = lens()
    colors = class_colors(result)
    for favourites in result.favourites:
        rows = shown_classes(favourites, colors)
        assert sum(count for _, count in rows) == len(favourites)
        assert [index for index, _ in rows if index >= 0] == list(colors)


def test_patches_have_their_color_and_dropped_ones_none() -> None:
    pixels = np.full((8, 8, 3), 100, dtype=np.uint8)
    patch_index, favourites = np.array([0, 1, 3]), np.array([5, 9, 5])
    picture = favourite_picture(pixels, (2, 2), patch_index, favourites, {5: "#ff0000"})
    red, other, nothing = picture[0, 0], picture[0, 7], picture[7, 0]
    np.testing.assert_array_equal(picture[:4, :4].reshape(-1, 3), np.tile(red, (16, 1)))
    np.testing.assert_array_equal(picture[7, 7], red)
    assert red[0] > 150 > red[1] == red[2]
    grey = [int(OTHER_COLOR[at : at + 2], 16) for at in (1, 3, 5)]
    np.testing.assert_allclose(other, 0.34 * 100 + 0.66 * np.array(grey), atol=1)
    np.testing.assert_array_equal(nothing, [100, 100, 100])


def test_a_photo_that_the_grid_does_not_divide_evenly() -> None:
    pixels = np.zeros((7, 10, 3), dtype=np.uint8)
    picture = favourite_picture(pixels, (2, 3), np.arange(6), np.arange(6), {5: "#0000ff"})
    assert picture.shape == pixels.shape
    assert picture[6, 9, 2] == round(0.66 * 255)


def test_lines_are_probabilities_and_names_are_text() -> None:
    result = lens(3)
    classes = chart_classes(result.logits)
    names = ["<b>100 %</b>", *(f"class {index}" for index in classes[1:])]
    chart = lens_chart(result.logits, classes, names, class_colors(result), layer=2, x_title="layer", y_title="p")
    for line, index in zip(chart["data"], classes, strict=True):
        assert line["y"] == pytest.approx(softmax(result.logits.astype(np.float64))[:, index].tolist())
    assert "<b>" not in chart["data"][0]["name"]
    assert chart["data"][0]["hovertemplate"].startswith("&lt;b&gt;100 &#37;&lt;/b&gt;")
    assert chart["layout"]["shapes"][0]["x0"] == 2
