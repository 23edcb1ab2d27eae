"""The square over the picture is the crop that the model gets, and stays on the picture."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from explorer.images import Picture, crop_box
from explorer.texts import LANGUAGES
from explorer.widgets.crop_picker import CropPicker

SPEC = (64, 0.875, "bicubic")


def picture(width: int, height: int) -> Picture:
    return Picture(np.full((height, width, 3), 120, np.uint8), "", "")


@pytest.mark.parametrize("size", [(900, 300), (300, 900), (451, 300)])
@pytest.mark.parametrize("center", [(0.0, 0.0), (0.5, 0.5), (0.2, 1.0)])
def test_the_square_lies_where_the_crop_lies(size: tuple[int, int], center: tuple[float, float]) -> None:
    picker = CropPicker()
    picker.show(picture(*size), SPEC)
    assert picker.shown
    picker.center_x, picker.center_y = center
    # As js/square.js draws it.
    left = picker.center_x * (1 - picker.box_width) * size[0]
    top = picker.center_y * (1 - picker.box_height) * size[1]
    box = crop_box(*size, SPEC, center)
    one_model_pixel = min(size) / 73
    assert left == pytest.approx(box.left, abs=one_model_pixel)
    assert top == pytest.approx(box.top, abs=one_model_pixel)
    assert picker.box_width * size[0] == pytest.approx(box.right - box.left, abs=1e-6)
    assert picker.box_height * size[1] == pytest.approx(box.bottom - box.top, abs=1e-6)


def test_shown_for_pictures_that_are_not_square() -> None:
    picker = CropPicker()
    assert not picker.shown
    picker.show(picture(400, 300), SPEC)
    assert picker.shown
    picker.show(picture(300, 300), SPEC)
    assert not picker.shown
    picker.show(picture(300, 400), SPEC)
    assert picker.shown
    picker.show(None, SPEC)
    assert not picker.shown
    assert picker.photo == ""


def test_the_preview_is_small_and_made_once_a_picture() -> None:
    picker = CropPicker()
    large = picture(3000, 2000)
    picker.show(large, SPEC)
    image = Image.open(io.BytesIO(base64.b64decode(picker.photo.split(",", 1)[1])))
    assert image.size == (720, 480)
    assert (picker.width, picker.height) == (3000, 2000)
    photos = []
    picker.observe(lambda change: photos.append(change.new), "photo")
    picker.show(large, (64, 1.0, "bicubic"))
    assert picker.box_height == 1.0
    assert photos == []


@pytest.mark.parametrize(
    ("given", "kept"), [(-3, 0.0), (0.25, 0.25), (9e9, 1.0), (float("nan"), 0.5), (float("inf"), 0.5)]
)
def test_a_front_end_cannot_move_it_off_the_picture(given: float, kept: float) -> None:
    picker = CropPicker()
    picker.set_state({"center_x": given, "center_y": given})
    assert (picker.center_x, picker.center_y) == (kept, kept)


def test_words_follow_the_language() -> None:
    picker = CropPicker()
    words = set()
    for language in LANGUAGES:
        picker.language = language
        words.add(picker.labels["crop"])
    assert len(words) == len(LANGUAGES)
