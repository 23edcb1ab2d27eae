"""What training does to a photo's look: JPEG against Pillow's own, colours and sharpness against formulas."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.samples import open_sample
from explorer.training.appearance import jpeg_round_trip, vary_appearance
from explorer.training.augment import augment_batch, normalise_batch

NOTHING = {"hue_jitter": 0.0, "grey_probability": 0.0, "sharpness_jitter": 0.0, "jpeg_probability": 0.0}


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(open_sample("coffee").pixels).resize((60, 44), Image.Resampling.BICUBIC)


def _images(photo: Image.Image, count: int = 1) -> torch.Tensor:
    pixels = torch.as_tensor(np.array(photo)).permute(2, 0, 1).float() / 255.0
    return pixels.expand(count, -1, -1, -1).contiguous()


@pytest.mark.parametrize("quality", [20, 50, 75, 95])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_is_the_one_that_pillow_writes(photo: Image.Image, quality: int, mode: str) -> None:
    picture = photo.convert(mode)
    stored = BytesIO()
    picture.save(stored, "JPEG", quality=quality, subsampling="4:2:0")
    theirs = np.asarray(Image.open(stored).convert("RGB"), dtype=float)
    ours = 255.0 * jpeg_round_trip(_images(picture.convert("RGB")), torch.tensor([float(quality)]))[0]
    lost = np.abs(theirs - np.asarray(picture.convert("RGB"), dtype=float)).mean()
    # libjpeg works in whole numbers, and rounds and widens the colour planes a little differently.
    assert np.abs(ours.permute(1, 2, 0).numpy() - theirs).mean() < lost / 2.9


def test_without_strength_nothing_changes(photo: Image.Image) -> None:
    images = _images(photo, 3)
    assert torch.allclose(vary_appearance(images, **NOTHING), images, atol=1e-5)


def test_grey_keeps_the_brightness_alone(photo: Image.Image) -> None:
    images = _images(photo, 2)
    grey = vary_appearance(images, **{**NOTHING, "grey_probability": 1.0})
    luma = (images * images.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert torch.allclose(grey, luma.expand_as(grey), atol=1e-4)


def test_hue_turns_colour_and_keeps_brightness() -> None:
    torch.manual_seed(0)
    images = torch.tensor([0.5, 0.45, 0.4]).view(1, 3, 1, 1).expand(16, 3, 16, 16)
    turned = vary_appearance(images, **{**NOTHING, "hue_jitter": 0.5})
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    assert torch.allclose((turned * weights).sum(1), (images * weights).sum(1), atol=1e-4)
    assert turned.std(dim=0).mean() > 0.02


def test_sharpness_reaches_from_blurred_to_doubled() -> None:
    torch.manual_seed(0)
    # Stripes of one pixel are what the binomial filter removes entirely.
    stripes = 0.5 + 0.2 * torch.tensor([1.0, -1.0]).repeat(8).expand(200, 3, 16, 16)
    inside = vary_appearance(stripes, **{**NOTHING, "sharpness_jitter": 1.0})[:, :, 4:12, 4:12]
    contrast = (inside.amax((1, 2, 3)) - inside.amin((1, 2, 3))) / 0.4
    assert contrast.min() < 0.05
    assert contrast.max() > 1.95
    assert abs(float(contrast.mean()) - 1.0) < 0.1


def test_a_part_of_the_pictures_is_stored_as_jpeg(photo: Image.Image) -> None:
    torch.manual_seed(0)
    images = _images(photo, 200)
    stored = vary_appearance(images, **{**NOTHING, "jpeg_probability": 0.25})
    changed = ((stored - images).abs().amax((1, 2, 3)) > 1e-3).float().mean()
    assert 0.15 < float(changed) < 0.35


def test_the_batch_goes_through_it_and_stays_normalised() -> None:
    torch.manual_seed(0)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    pixels = torch.randint(0, 256, (8, 16, 16, 3), dtype=torch.uint8)
    grey = augment_batch(pixels, mean, std, crop_scale=0.5, color_jitter=0.3, grey_probability=1.0)
    low, high = (normalise_batch(torch.full((1, 1, 1, 3), value), mean, std) for value in (0, 255))
    shares = (grey - low) / (high - low)
    assert shares.min() >= -1e-4
    assert shares.max() <= 1.0001
    assert torch.allclose(shares[:, 0], shares[:, 2], atol=1e-3)
