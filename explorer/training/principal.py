"""Principal components of patches, as a kernel to start training from."""

from __future__ import annotations

import math

import torch

__all__ = ["principal_kernel"]


def principal_kernel(images: torch.Tensor, patch_size: int, dim: int) -> torch.Tensor:
    """A patch kernel (D, C, P, P) whose outputs are the patches' principal components at equal strength.

    Natural pictures put nearly all their variance into a few smooth components; from random numbers, a short
    training sees little else. Weak components (noise) are damped, and rows beyond P²·C repeat earlier ones with
    the other sign.

    Parameters
    ----------
    images : (B, C, H, W) float
    patch_size : int
    dim : int
    """
    channels = images.shape[1]
    columns = torch.nn.functional.unfold(images, patch_size, stride=patch_size)
    patches = columns.permute(0, 2, 1).reshape(-1, channels * patch_size**2)
    patches = patches - patches.mean(dim=0)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    values, vectors = values.flip(0), vectors.flip(1)
    rows = vectors.T * (0.5 / (values.clamp(min=0) + 0.05).sqrt())[:, None]
    repeats = math.ceil(dim / len(rows))
    signed = torch.cat([rows * (-1.0) ** index for index in range(repeats)])
    return signed[:dim].reshape(dim, channels, patch_size, patch_size)
