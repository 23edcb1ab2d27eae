"""Hue, grey, sharpness and JPEG: what cameras and files do to a photo without changing what it shows.

Tiny ImageNet's pictures were all made in the same way, small, sharp and with the traces of one JPEG encoder; photos
that people bring are not. A model that has only seen the former takes those traces for part of what it sees.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

__all__ = ["jpeg_round_trip", "vary_appearance"]

# ITU-T T.871 (JFIF): Y, Cb and Cr of R, G and B, all between 0 and 1, Cb and Cr around 0.
_TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_TO_RGB = torch.linalg.inv(_TO_YCC)

# ITU-T T.81, Annex K.1: quantisation of luminance and of chrominance at quality 50.
_LUMINANCE = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
).float()
_CHROMINANCE = torch.full((8, 8), 99.0)
_CHROMINANCE[:4, :4] = torch.tensor([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]).float()

#: JPEG qualities that are drawn: from a picture sent through many hands to one straight from a camera.
_QUALITIES = (25.0, 95.0)


def vary_appearance(
    images: torch.Tensor,
    *,
    hue_jitter: float,
    grey_probability: float,
    sharpness_jitter: float,
    jpeg_probability: float,
) -> torch.Tensor:
    """Each picture with another hue, sharpness and JPEG quality, some in grey.

    Draws from torch's global generator on the CPU, so that CPU and GPU runs see the same pictures.

    Parameters
    ----------
    images : (B, 3, H, W) float32
        RGB between 0 and 1.
    hue_jitter : float
        Largest turn of the hue, in parts of the whole circle.
    grey_probability : float
        Part of the pictures that lose their colours.
    sharpness_jitter : float
        Largest change of the finest detail: at 1 it is between removed and doubled.
    jpeg_probability : float
        Part of the pictures that are stored as JPEG, at a quality between 25 and 95.

    Returns
    -------
    (B, 3, H, W) float32
    """
    draws = torch.rand(5, len(images)).to(images.device).view(5, -1, 1, 1, 1)
    ycc = _mix_channels(images, _TO_YCC)
    turn = (draws[0, :, 0] * 2.0 - 1.0) * hue_jitter * math.tau
    colour = (draws[1, :, 0] >= grey_probability).float()
    cos, sin = turn.cos() * colour, turn.sin() * colour
    luma, blue, red = ycc.unbind(1)
    ycc = torch.stack([luma, cos * blue - sin * red, sin * blue + cos * red], dim=1)
    if sharpness_jitter > 0.0:
        soft = _soften(ycc)
        ycc = soft + (1.0 + (draws[2] * 2.0 - 1.0) * sharpness_jitter) * (ycc - soft)
    images = _mix_channels(ycc, _TO_RGB).clamp(0.0, 1.0)
    if jpeg_probability > 0.0:
        low, high = _QUALITIES
        stored = jpeg_round_trip(images, low + (high - low) * draws[3].flatten())
        images = torch.where(draws[4] < jpeg_probability, stored, images)
    return images


def jpeg_round_trip(images: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """What is left of pictures after storing them as JPEG with half the resolution for colour.

    Everything in JPEG that loses something, as tensor operations for a whole batch: colour space, halved colour
    planes, the cosine transform of 8×8 blocks and its quantisation (ITU-T T.81, Annexes A.3 and K.1; the quality
    scale is libjpeg's).

    Parameters
    ----------
    images : (B, 3, H, W) float32
        RGB between 0 and 1; H and W of any size.
    quality : (B,) float32
        1 to 100.

    Returns
    -------
    (B, 3, H, W) float32
    """
    height, width = images.shape[2:]
    whole = pad(images, (0, -width % 16, 0, -height % 16), mode="replicate")
    ycc = _mix_channels(whole, _TO_YCC)
    luma = _quantise(ycc[:, :1] - 0.5, quality, _LUMINANCE) + 0.5
    chroma = _quantise(avg_pool2d(ycc[:, 1:], 2), quality, _CHROMINANCE)
    chroma = interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    rgb = _mix_channels(torch.cat([luma, chroma], dim=1), _TO_RGB)
    return rgb[:, :, :height, :width].clamp(0.0, 1.0)


def _mix_channels(images: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return torch.einsum("oc,bchw->bohw", matrix.to(images), images)


def _soften(images: torch.Tensor) -> torch.Tensor:
    """A binomial blur of 3×3 pixels."""
    row = images.new_tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(row, row).expand(images.shape[1], 1, 3, 3)
    return conv2d(pad(images, (1, 1, 1, 1), mode="replicate"), kernel, groups=images.shape[1])


def _quantise(planes: torch.Tensor, quality: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Round the cosine transform of each 8×8 block of (B, C, H, W) planes."""
    count, channels, height, width = planes.shape
    scale = torch.where(quality < 50.0, 5000.0 / quality, 200.0 - 2.0 * quality).view(-1, 1, 1, 1, 1, 1)
    steps = ((table.to(planes).view(1, 1, 1, 8, 1, 8) * scale + 50.0) / 100.0).floor().clamp(1.0, 255.0) / 255.0
    basis = _cosines().to(planes)
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8)
    waves = torch.einsum("ui,bcyixj,vj->bcyuxv", basis, blocks, basis)
    waves = (waves / steps).round() * steps
    return torch.einsum("ui,bcyuxv,vj->bcyixj", basis, waves, basis).reshape(planes.shape)


def _cosines() -> torch.Tensor:
    """The orthonormal 8-point cosine transform, one wave a row (T.81, A.3.3)."""
    wave, place = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    basis = torch.cos((2.0 * place + 1.0) * wave * math.pi / 16.0) / 2.0
    basis[0] /= math.sqrt(2.0)
    return basis
