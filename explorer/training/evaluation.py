"""Accuracy with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from explorer.training.augment import normalise_batch
from explorer.training.settings import TrainSettings

__all__ = ["Accuracy", "measure", "wilson_interval"]


@dataclass(frozen=True)
class Accuracy:
    """How often the right class was the first, and among the first five.

    Attributes
    ----------
    count : int
        Pictures looked at.
    top1, top5 : int
        How many were right.
    """

    count: int
    top1: int
    top5: int

    def line(self) -> str:
        """Both numbers in percent with their 95 % intervals."""
        parts = []
        for name, hits in (("top-1", self.top1), ("top-5", self.top5)):
            low, high = wilson_interval(hits, self.count)
            parts.append(f"{name} {100 * hits / self.count:5.2f} % [{100 * low:.2f}, {100 * high:.2f}]")
        return "  ".join(parts)


def wilson_interval(hits: int, count: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval of a share.

    Parameters
    ----------
    hits, count : int
        Successes, and trials.
    z : float
        Quantile of the normal distribution; the default makes 95 %.

    Returns
    -------
    low, high : float
    """
    if count == 0:
        return 0.0, 1.0
    share = hits / count
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    middle = share + z * z / (2 * count)
    scale = 1 + z * z / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


@torch.inference_mode()
def measure(
    logits: Callable[[torch.Tensor], torch.Tensor],
    pixels: np.ndarray | torch.Tensor,
    labels: np.ndarray,
    indices: np.ndarray,
    settings: TrainSettings,
    *,
    device: torch.device,
    batch_size: int = 250,
) -> Accuracy:
    """Count the right answers on some pictures, unaugmented.

    Parameters
    ----------
    logits : callable
        Normalised images (B, C, H, W) to logits (B, K).
    pixels, labels : (M, H, W, C) uint8, (M,) int
    indices : (n,) int
        Which of them.
    settings : TrainSettings
        Of these, the normalisation.
    device : torch.device
    batch_size : int
    """
    top1 = top5 = 0
    for start in range(0, len(indices), batch_size):
        chosen = indices[start : start + batch_size]
        batch = torch.as_tensor(pixels[chosen]).to(device)
        answers = logits(normalise_batch(batch, settings.mean, settings.std)).float()
        best = answers.topk(min(5, answers.shape[1]), dim=1).indices.cpu().numpy()
        right = best == labels[chosen][:, None]
        top1 += int(right[:, 0].sum())
        top5 += int(right.any(axis=1).sum())
    return Accuracy(len(indices), top1, top5)
