"""The crop that a model sees, and the ones that the page shows: the same region, pixel for pixel."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from PIL import Image

from explorer import images
from explorer.images import Cropping, Picture, encode_image, open_picture
from tests.unit.sample_images import corners, noise, quarters, saved


@pytest.fixture(scope="module")
def timm_transform():
    from explorer.torch_compat import import_timm

    import_timm()
    from timm.data import create_transform

    return create_transform


CROP_SIZES = [(640, 427), (427, 640), (300, 300), (33, 21), (1500, 90), (64, 64), (257, 256), (999, 1000)]


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("crop_pct", [0.875, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("image_size", [64, 224, 240])
@pytest.mark.parametrize("crop_mode", ["center", "squash"])
def test_the_crop_equals_timms_pixel_for_pixel(
    timm_transform, interpolation: str, crop_pct: float, image_size: int, crop_mode: str
) -> None:
    transform = timm_transform(
        input_size=(3, image_size, image_size),
        is_training=False,
        interpolation=interpolation,
        crop_pct=crop_pct,
        crop_mode=crop_mode,
        normalize=False,
    )
    for seed, size in enumerate(CROP_SIZES):
        array = noise(*size, seed)
        expected = transform(Image.fromarray(array)).numpy().transpose(1, 2, 0)
        picture = Picture(array, "", "")
        ours = images.model_crop(picture, Cropping(image_size, crop_pct, interpolation, crop_mode))
        np.testing.assert_array_equal(ours, expected, err_msg=str(size))


def gradient(width: int, height: int) -> Picture:
    """Red is the column and green the row, so that a pixel tells where it came from."""
    rows, cols = np.mgrid[0:height, 0:width]
    return Picture(np.dstack([cols / width * 255, rows / height * 255, cols * 0]).astype(np.uint8), "", "")


@pytest.mark.parametrize("center", [(0.0, 0.5), (0.5, 0.5), (1.0, 0.5), (0.25, 0.0), (-3.0, 9.0)])
@pytest.mark.parametrize("size", [(900, 300), (300, 900), (500, 500)])
def test_all_three_crops_show_the_same_region(size: tuple[int, int], center: tuple[float, float]) -> None:
    picture = gradient(*size)
    spec = Cropping(64, 0.875, "bilinear")
    box = images.crop_box(*size, spec, center)
    assert 0 <= box.left < box.right <= size[0] + 1e-9
    assert 0 <= box.top < box.bottom <= size[1] + 1e-9
    assert box.right - box.left == pytest.approx(min(size) * 64 / 73, rel=0.02)
    small = images.model_crop(picture, spec, center)
    sharp = images.display_crop(picture, spec, center)
    assert small.shape == (64, 64, 3)
    assert sharp.shape == (round(box.right - box.left), round(box.right - box.left), 3)
    for array in (small, sharp):
        middle = array[array.shape[0] // 2, array.shape[1] // 2]
        assert middle[0] == pytest.approx((box.left + box.right) / 2 / size[0] * 255, abs=3)
        assert middle[1] == pytest.approx((box.top + box.bottom) / 2 / size[1] * 255, abs=3)


def test_the_crop_reaches_every_edge() -> None:
    spec = (64, 1.0, "bicubic")
    assert images.crop_box(900, 300, spec, (0, 0)) == pytest.approx((0, 0, 300, 300))
    assert images.crop_box(900, 300, spec, (1, 1)) == pytest.approx((600, 0, 900, 300))


def test_the_display_crop_is_bounded_and_invents_nothing() -> None:
    assert images.display_crop(gradient(3000, 2500), (64, 1.0, "bicubic")).shape == (1024, 1024, 3)
    assert images.display_crop(gradient(3000, 2500), (64, 1.0, "bicubic"), max_side=300).shape == (300, 300, 3)
    assert images.display_crop(gradient(40, 30), (64, 1.0, "bicubic")).shape == (30, 30, 3)
    picture = Picture(noise(60, 30), "", "")
    np.testing.assert_array_equal(
        images.display_crop(picture, (64, 1.0, "bicubic"), (0, 0)), picture.pixels[:, :30], err_msg="not the own pixels"
    )


def test_what_is_remembered_is_right_bounded_and_private() -> None:
    picture = Picture(noise(500, 300), "", "")
    for size in (32, 48, 64, 96, 128, 32):
        for center in ((0.0, 0.5), (1.0, 0.5)):
            fresh = Picture(picture.pixels, "", "")
            first = images.model_crop(picture, (size, 0.9, "bicubic"), center)
            np.testing.assert_array_equal(first, images.model_crop(fresh, (size, 0.9, "bicubic"), center))
            first[:] = 0
            again = images.model_crop(picture, (size, 0.9, "bicubic"), center)
            assert again.any()
            sharp = images.display_crop(picture, (size, 0.9, "bicubic"), center, max_side=100)
            sharp[:] = 0
            assert images.display_crop(picture, (size, 0.9, "bicubic"), center, max_side=100).any()
    assert len(picture._resized) <= 4


def test_pictures_can_be_pickled_and_are_equal_to_themselves_only() -> None:
    picture = open_picture(saved(corners(), "PNG"), "a.png")
    images.model_crop(picture, (32, 0.9, "bicubic"))
    copy = pickle.loads(pickle.dumps(picture))  # noqa: S301 - our own, a moment ago
    np.testing.assert_array_equal(copy.pixels, picture.pixels)
    assert (copy.name, copy.digest) == (picture.name, picture.digest)
    assert picture == picture  # noqa: PLR0124
    assert copy != picture


def test_a_model_spec_serves_as_well_as_a_tuple() -> None:
    class Spec:
        image_size, crop_pct, interpolation = 32, 0.9, "bicubic"

    picture = gradient(80, 60)
    np.testing.assert_array_equal(images.model_crop(picture, Spec()), images.model_crop(picture, (32, 0.9, "bicubic")))


def test_unknown_interpolations_and_modes_are_errors() -> None:
    with pytest.raises(ValueError, match="interpolation"):
        images.model_crop(gradient(80, 60), (32, 0.9, "magic"))
    with pytest.raises(ValueError, match="crop_mode"):
        images.model_crop(gradient(80, 60), Cropping(32, 0.9, "bicubic", "border"))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_encoded_images_come_back(kind: str) -> None:
    array = corners()
    data = encode_image(array, kind)
    assert Image.open(io.BytesIO(data)).format == kind.upper()
    result = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.abs(quarters(result) - quarters(array)).max() <= (0 if kind == "png" else 8)
    if kind == "png":
        np.testing.assert_array_equal(result, array)
