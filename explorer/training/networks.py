"""The kinds of networks that can be trained: the ViT that all this is about, and what it can learn from."""

from __future__ import annotations

from typing import Any

from explorer.training.convolutional import ConvolutionalForward, build_convolutional
from explorer.training.flexible import FlexibleForward, build_model
from explorer.training.settings import TrainSettings

__all__ = ["build_network", "forward_of"]


def build_network(settings: TrainSettings, classes: int) -> Any:
    """A fresh network of the settings' kind, with random weights drawn from their seed."""
    return (build_convolutional if settings.network == "resnet" else build_model)(settings, classes)


def forward_of(settings: TrainSettings) -> FlexibleForward | ConvolutionalForward:
    """``forward(model, images, patch_size, drop=…)`` of the settings' kind: images (B, C, H, W) to logits (B, K)."""
    return ConvolutionalForward() if settings.network == "resnet" else FlexibleForward(settings)
