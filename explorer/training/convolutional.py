"""A small convolutional network that a ViT can learn from.

A ViT has to find out from its pictures that what is near belongs together; a convolution knows. On few pictures such a
teacher is of much use to it (Touvron et al., 2021, "Training data-efficient image transformers & distillation through
attention"), even one that is no better itself (Li et al., 2022, "Locality guidance for improving vision transformers on
tiny datasets").
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import interpolate

from explorer.training.settings import TrainSettings
from explorer.training.timm_parts import create_model

__all__ = ["ConvolutionalForward", "build_convolutional"]

#: timm's name of the class that is built: two basic blocks at each of four sizes.
_ARCHITECTURE = "resnet18"


def build_convolutional(settings: TrainSettings, classes: int) -> Any:
    """A fresh ResNet with random weights drawn from the settings' seed.

    Parameters
    ----------
    settings : TrainSettings
        Of these, ``channels`` and ``seed``.
    classes : int
        𝐾.
    """
    torch.manual_seed(settings.seed)
    first, *_ = settings.channels
    model = create_model(
        _ARCHITECTURE,
        num_classes=classes,
        channels=tuple(settings.channels),
        stem_type="deep",
        stem_width=first // 2,
        avg_down=True,
    )
    # Made for pictures of 224 pixels; of one with 64 the first pooling would leave too little.
    model.maxpool = torch.nn.Identity()
    return model.to(memory_format=torch.channels_last)


class ConvolutionalForward:
    """The forward pass for pictures of any side; what is a patch size to a ViT is a side in pixels here."""

    def __call__(
        self,
        model: torch.nn.Module,
        images: torch.Tensor,
        side: int,
        *,
        drop: float = 0.0,  # noqa: ARG002 - it has no patches that could be left out
    ) -> torch.Tensor:
        """Logits (B, K) of normalised images (B, C, H, W), shown at ``side`` × ``side`` pixels."""
        if images.shape[-1] != side:
            images = interpolate(images, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
        logits: torch.Tensor = model(images.contiguous(memory_format=torch.channels_last))
        return logits
