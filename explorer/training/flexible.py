"""One ViT at any patch size: what training differentiates through is what the page does."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import conv2d

from explorer.positions import sinusoidal_table
from explorer.training.settings import TrainSettings
from explorer.training.timm_parts import (
    PatchDropout,
    PatchEmbedResamplerFixedOrigSize,
    create_model,
    resample_abs_pos_embed,
)

__all__ = ["ARCHITECTURE", "FlexibleForward", "VisionTransformer", "build_model", "model_arguments", "position_table"]

#: timm's class, whose annotations (``Tensor | Module`` for every part) do not help.
VisionTransformer = Any

#: timm's name of the class that is built; every number of it is overridden.
ARCHITECTURE = "vit_tiny_patch16_224"


def model_arguments(settings: TrainSettings, classes: int) -> dict[str, Any]:
    """The arguments of :func:`timm.create_model` (and of ``model_args`` in ``config.json``).

    Parameters
    ----------
    settings : TrainSettings
    classes : int
        𝐾.
    """
    return {
        "img_size": settings.image_size,
        "patch_size": settings.patch_size,
        "embed_dim": settings.embed_dim,
        "depth": settings.depth,
        "num_heads": settings.num_heads,
        "mlp_ratio": settings.mlp_ratio,
        "num_classes": classes,
        "no_embed_class": True,
        **({"pos_embed": "none"} if settings.position == "none" else {}),
    }


def position_table(position: str, rows: int, columns: int, dim: int) -> torch.Tensor:
    """A frozen 𝑬_pos of the slides, (1, N, D).

    Parameters
    ----------
    position : {'sin1d', 'sin2d'}
    rows, columns : int
        The grid.
    dim : int
        𝐷.
    """
    return torch.as_tensor(sinusoidal_table(position, rows, columns, dim)).reshape(1, rows * columns, dim)


def build_model(settings: TrainSettings, classes: int) -> VisionTransformer:
    """A fresh model with random weights drawn from the settings' seed."""
    torch.manual_seed(settings.seed)
    model = create_model(ARCHITECTURE, drop_path_rate=settings.drop_path, **model_arguments(settings, classes))
    if settings.position in ("sin1d", "sin2d"):
        rows, columns = model.patch_embed.grid_size
        with torch.no_grad():
            model.pos_embed.copy_(position_table(settings.position, rows, columns, settings.embed_dim))
        model.pos_embed.requires_grad_(False)
    return model


class FlexibleForward:
    """The forward pass at any patch size, differentiable in the native kernel and 𝑬_pos.

    The arithmetic is that of ``VisionTransformer.set_input_size`` followed by ``forward``, which throws the
    native weights away and can therefore not be used in training.

    Parameters
    ----------
    settings : TrainSettings
    """

    def __init__(self, settings: TrainSettings) -> None:
        self.position = settings.position
        self.resample = PatchEmbedResamplerFixedOrigSize((settings.patch_size, settings.patch_size))
        self._tables: dict[tuple[int, int], torch.Tensor] = {}

    def __call__(
        self, model: VisionTransformer, images: torch.Tensor, patch_size: int, *, drop: float = 0.0
    ) -> torch.Tensor:
        """Logits (B, K) of normalised images (B, C, H, W), without a share ``drop`` of their patches."""
        # The bicubic kernels and their pseudo-inverse lose too much in bfloat16.
        with torch.autocast(images.device.type, enabled=False):
            kernel = self.resample(model.patch_embed.proj.weight, [patch_size, patch_size])
            positions = self._positions(model, images.shape[-2] // patch_size, images.shape[-1] // patch_size)
        x = conv2d(images, kernel, model.patch_embed.proj.bias, stride=patch_size)
        x = model.patch_embed.norm(x.flatten(2).transpose(1, 2))
        if positions is not None:
            x = x + positions
        if drop > 0.0:
            # Before CLS joins, which is never dropped.
            x = PatchDropout(drop, num_prefix_tokens=0)(x)
        x = torch.cat([model.cls_token.expand(len(x), -1, -1), x], dim=1)
        x = model.norm_pre(model.pos_drop(x))
        for block in model.blocks:
            x = block(x)
        logits: torch.Tensor = model.forward_head(model.norm(x))
        return logits

    def _positions(self, model: VisionTransformer, rows: int, columns: int) -> torch.Tensor | None:
        if model.pos_embed is None:
            return None
        if self.position == "learned" or (rows, columns) == model.patch_embed.grid_size:
            resampled: torch.Tensor = resample_abs_pos_embed(
                model.pos_embed, [rows, columns], old_size=list(model.patch_embed.grid_size), num_prefix_tokens=0
            )
            return resampled
        if (rows, columns) not in self._tables:
            table = position_table(self.position, rows, columns, model.embed_dim)
            self._tables[rows, columns] = table.to(model.pos_embed.device)
        return self._tables[rows, columns]
