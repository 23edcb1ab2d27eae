"""A patch's pixels, channels and vector are those of the trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from explorer.engine import trace_image
from explorer.figures.patches import (
    channel_figure,
    entry_of,
    normalised_value,
    patch_figure,
    patch_pixels,
    pixel_of,
    under_grid,
    vector_figure,
)
from explorer.interventions import Intervention
from explorer.samples import open_sample
from explorer.trace import Trace

WORDS = {"row": "row", "col": "column", "title": "title", "label": "label", "stem": "stem"}


@pytest.fixture
def trace(model_of: Callable[[str], Any]) -> Trace:
    return trace_image(model_of("plain"), open_sample("chelsea"))


@pytest.mark.parametrize("kind", ["plain", "average", "clip", "registers", "uneven"])
def test_every_pixel_comes_back_from_the_normalised_patches(kind: str, model_of: Callable[[str], Any]) -> None:
    trace = trace_image(model_of(kind), open_sample("coffee"))
    side, cols = trace.patch_size, trace.grid[1]
    for patch in range(trace.num_patches):
        row, col = divmod(patch, cols)
        expected = trace.image[row * side : (row + 1) * side, col * side : (col + 1) * side]
        np.testing.assert_array_equal(patch_pixels(trace, trace.num_prefix + patch), expected)


def test_channels_and_tile_are_the_patch(trace: Trace) -> None:
    pixels = trace.image[16:32, 32:48]  # row 1, column 2 of a grid of four
    token = trace.num_prefix + 6
    for channel in range(3):
        figure = channel_figure(trace, token, channel, **WORDS)
        np.testing.assert_array_equal(figure.values, pixels[:, :, channel])
        assert (figure.scale.low, figure.scale.high) == (0, 255)
    tile = patch_figure(trace, token, title="", caption="", stem="x")
    np.testing.assert_array_equal(tile.values[0], pixels)


def test_the_wrapped_vector_reads_line_by_line(trace: Trace) -> None:
    figure = vector_figure(trace, 5, channels="RGB", caption="", **WORDS)
    np.testing.assert_array_equal(figure.values.ravel(), trace.patches[4])
    assert [figure.cols.label(place) for place in (0, 1, 2, 3, 47)] == ["0 R", "0 G", "0 B", "1 R", "15 B"]


def test_all_patches_share_a_scale(trace: Trace) -> None:
    scales = {vector_figure(trace, token, channels="RGB", caption="", **WORDS).scale for token in (1, 7, 16)}
    assert len(scales) == 1
    [scale] = scales
    assert scale.high == -scale.low == pytest.approx(np.abs(trace.patches).max())


def test_an_entry_and_its_pixel(trace: Trace) -> None:
    assert entry_of(trace, 0, 0, 1) == 1
    assert entry_of(trace, 0, 1, 0) == 3
    assert entry_of(trace, 1, 0, 0) == 48
    assert all(entry_of(trace, *pixel_of(trace, entry)) == entry for entry in range(768))


@pytest.mark.parametrize("entry", [0, 1, 2, 100, 767])
def test_a_number_worked_out(trace: Trace, entry: int) -> None:
    number = normalised_value(trace, 7, entry)
    assert number.pixel == trace.image[16 + number.row, 32 + number.col, number.channel]
    assert number.expected == (number.pixel / 255 - trace.spec.mean[number.channel]) / trace.spec.std[number.channel]
    assert number.value == trace.patches[6, entry]
    assert number.value == pytest.approx(number.expected, abs=1e-6)


def test_a_blanked_patch_is_the_mean_colour(model_of: Callable[[str], Any]) -> None:
    trace = trace_image(model_of("plain"), open_sample("chelsea"), intervention=Intervention(masked=[3]))
    expected = np.broadcast_to(np.array(trace.spec.mean) * 255, (16, 16, 3))
    np.testing.assert_allclose(patch_pixels(trace, trace.num_prefix + 3), expected, atol=1e-4)
    assert normalised_value(trace, trace.num_prefix + 3, 5).value == 0


def test_the_grid_covers_what_it_covers(model_of: Callable[[str], Any]) -> None:
    trace = trace_image(model_of("uneven"), open_sample("chelsea"))  # 70 pixels, four patches of 16
    assert under_grid(trace.image, trace).shape == (64, 64, 3)
    assert under_grid(np.zeros((700, 700, 3), np.uint8), trace).shape == (640, 640, 3)
