"""Random crops, flips and colours for a whole batch at once.

timm's own transforms work on one Pillow picture at a time: at 64×64 pixels and with large patches they take more
of two cores than they can spare. The same draws as a few tensor operations cost about a hundredth of a step, and
on a GPU the pictures never leave it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn.functional import affine_grid, grid_sample

from explorer.training.appearance import vary_appearance

__all__ = ["augment_batch", "normalise_batch"]


def normalise_batch(pixels: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """uint8 (B, H, W, C) to normalised float32 (B, C, H, W)."""
    images = pixels.permute(0, 3, 1, 2).float().div_(255.0)
    shape = (1, -1, 1, 1)
    return images.sub_(images.new_tensor(mean).view(shape)).div_(images.new_tensor(std).view(shape))


def augment_batch(
    pixels: torch.Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    crop_scale: float,
    color_jitter: float,
    rotation: float = 0.0,
    hue_jitter: float = 0.0,
    grey_probability: float = 0.0,
    sharpness_jitter: float = 0.0,
    jpeg_probability: float = 0.0,
) -> torch.Tensor:
    """Random resized crop, horizontal flip, and colours and appearance, each picture its own.

    Draws from torch's global generator on the CPU, so that CPU and GPU runs see the same crops.

    Parameters
    ----------
    pixels : (B, H, W, C) uint8
    mean, std : sequence of float
        Normalisation.
    crop_scale : float
        Smallest part of the area that a crop keeps; its aspect ratio is between 3:4 and 4:3.
    color_jitter : float
        Largest relative change of brightness, contrast and saturation; 0 for none.
    rotation : float
        Largest turn of the crop around its own centre, in degrees; corners that leave the picture are mirrored.
    hue_jitter, grey_probability, sharpness_jitter, jpeg_probability : float
        As in :func:`~explorer.training.appearance.vary_appearance`; 0 for none.

    Returns
    -------
    (B, C, H, W) float32, normalised
    """
    count = len(pixels)
    images = normalise_batch(pixels, mean, std)
    draws = torch.rand(8, count)
    area = crop_scale + (1.0 - crop_scale) * draws[0]
    ratio = torch.exp((draws[1] * 2.0 - 1.0) * math.log(4.0 / 3.0))
    width = (area * ratio).sqrt().clamp(max=1.0)
    height = (area / ratio).sqrt().clamp(max=1.0)
    flipped = torch.where(draws[4] < 0.5, -width, width)
    turn = torch.zeros(count)
    if rotation > 0.0:
        turn = torch.deg2rad((torch.rand(count) * 2.0 - 1.0) * rotation)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = flipped * turn.cos(), -height * turn.sin()
    theta[:, 1, 0], theta[:, 1, 1] = flipped * turn.sin(), height * turn.cos()
    theta[:, 0, 2] = (draws[2] * 2.0 - 1.0) * (1.0 - width)
    theta[:, 1, 2] = (draws[3] * 2.0 - 1.0) * (1.0 - height)
    grid = affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    # Crops only ever enlarge, so that plain bilinear reading makes no aliases.
    images = grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if color_jitter > 0.0:
        factors = (1.0 + (draws[5:8] * 2.0 - 1.0) * color_jitter).to(images.device)
        # Around the normalised grey, a change of brightness is a shift: black is not zero here.
        dark = images.new_tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(1, -1, 1, 1)
        brightness, contrast, saturation = (factor.view(-1, 1, 1, 1) for factor in factors)
        images = (images - dark) * brightness + dark
        centre = images.mean(dim=(1, 2, 3), keepdim=True)
        images = (images - centre) * contrast + centre
        grey = images.mean(dim=1, keepdim=True)
        images = (images - grey) * saturation + grey
    if max(hue_jitter, grey_probability, sharpness_jitter, jpeg_probability) > 0.0:
        shift, scale = (images.new_tensor(values).view(1, -1, 1, 1) for values in (mean, std))
        images = vary_appearance(
            (images * scale + shift).clamp(0.0, 1.0),
            hue_jitter=hue_jitter,
            grey_probability=grey_probability,
            sharpness_jitter=sharpness_jitter,
            jpeg_probability=jpeg_probability,
        )
        images = (images - shift) / scale
    return images
