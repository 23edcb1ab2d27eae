"""Accuracy with its interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from explorer.novelty import Rate
from explorer.training.augment import normalise_batch
from explorer.training.settings import TrainSettings

__all__ = ["Accuracy", "measure"]


@dataclass(frozen=True)
class Accuracy:
    """How often the right class was the first, and among the first five.

    Attributes
    ----------
    count : int
        Pictures looked at.
    top1, top5 : int
        How many were right.
    by_class : tuple of (int, int)
        Of each class, how often it was the first answer to its own pictures, and how many there are.
    """

    count: int
    top1: int
    top5: int
    by_class: tuple[tuple[int, int], ...] = ()

    def line(self) -> str:
        """Both numbers in percent with their 95 % intervals."""
        parts = []
        for name, hits in (("top-1", self.top1), ("top-5", self.top5)):
            low, high = Rate(hits, self.count).interval()
            parts.append(f"{name} {100 * hits / self.count:5.2f} % [{100 * low:.2f}, {100 * high:.2f}]")
        return "  ".join(parts)


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
    top5 = 0
    first = np.zeros(len(indices), dtype=bool)
    for start in range(0, len(indices), batch_size):
        chosen = indices[start : start + batch_size]
        batch = torch.as_tensor(pixels[chosen]).to(device)
        answers = logits(normalise_batch(batch, settings.mean, settings.std)).float()
        best = answers.topk(min(5, answers.shape[1]), dim=1).indices.cpu().numpy()
        right = best == labels[chosen][:, None]
        first[start : start + batch_size] = right[:, 0]
        top5 += int(right.any(axis=1).sum())
    known, counts = np.bincount(labels[indices], first).astype(int), np.bincount(labels[indices])
    by_class = tuple(zip(known.tolist(), counts.tolist(), strict=True))
    return Accuracy(len(indices), int(first.sum()), top5, by_class)
