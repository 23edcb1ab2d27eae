"""Blanked photos, effects and ranks, from arrays that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.figures.experiment_effects import agreement, blanked, head_figure
from explorer.figures.matrix import Axis


def test_blanked_patches_have_the_mean_colour_and_no_others_change() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (60, 60, 3)).astype(np.uint8)
    out = blanked(pixels, (3, 3), {0, 5}, "mean", (0.2, 0.4, 1.0))
    np.testing.assert_array_equal(out[:20, :20].reshape(-1, 3), np.tile([51, 102, 255], (400, 1)))
    np.testing.assert_array_equal(out[20:40, 40:].reshape(-1, 3), np.tile([51, 102, 255], (400, 1)))
    kept = np.ones((60, 60), dtype=bool)
    kept[:20, :20] = kept[20:40, 40:] = False
    np.testing.assert_array_equal(out[kept], pixels[kept])


def test_dropped_patches_are_hatched() -> None:
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    out = blanked(pixels, (2, 2), [3], "drop")
    assert set(np.unique(out[32:, 32:])) == {150, 236}
    assert not out[:32].any()
    np.testing.assert_array_equal(blanked(pixels, (2, 2), [], "drop"), pixels)


def test_effects_are_centred_on_zero_and_amounts_are_not() -> None:
    values = np.array([[0.5, -2.0], [1.0, 0.0]], dtype=np.float32)
    axes = {"rows": Axis(name="layer", first=1), "cols": Axis(name="head", first=1)}
    signed = head_figure(values, **axes, signed=True, label="d", title="t", stem="s")
    assert (signed.scale.low, signed.scale.high, signed.scale.colormap) == (-2, 2, "diverging")
    amounts = head_figure(np.abs(values), **axes, signed=False, label="d", title="t", stem="s")
    assert (amounts.scale.low, amounts.scale.high) == (0, 2)
    np.testing.assert_array_equal(signed.values, values)


@pytest.mark.parametrize(
    ("correlation", "word"),
    [(float("nan"), "none"), (-0.9, "against"), (-0.1, "weak"), (0.45, "middling"), (0.95, "strong")],
)
def test_a_correlation_has_a_word(correlation: float, word: str) -> None:
    assert agreement(correlation) == word
