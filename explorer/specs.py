"""What is known about a model without its weights."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelSpec"]


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Facts of a model, at the input and patch size that it was loaded with.

    Parameters
    ----------
    name : str
        What the user asked for: ``bundled``, a timm name, a folder's name.
    architecture : str
        timm's name of the architecture (``vit_base_patch16_224``).
    image_size, patch_size : int
        Sides of the square input and of a patch, in pixels.
    depth, heads, dim, head_dim, mlp_dim : int
        L, h, D, D_h and D_mlp.
    num_classes : int
        K; 0 for a model without a class head.
    num_params : int
        Parameters in all.
    prefix_names : tuple of str
        The prefix tokens in their order: ``CLS``, ``DIST``, ``REG1`` …
    pooling : str
        What the head reads: ``token`` (CLS), ``avg``, ``max``, ``avgmax``, ``map`` (attention pooling), ``prr``.
    trained_patch_sizes, trained_image_sizes : tuple of int
        What the model saw in training; other sizes work, but the answers get worse.
    random_weights : bool
        Whether the weights are random: the architecture alone.
    mean, std : (float, float, float)
        What the pixels (0 … 1) are normalised with.
    crop_pct : float
        The centred crop's share of the picture's shorter side.
    crop_mode : str
        ``center``, or ``squash`` where the whole picture is squeezed into the square.
    interpolation : str
        ``bicubic`` or ``bilinear``.
    mlp_gated : bool
        Whether the MLP's hidden layer is gated (SwiGLU).
    projection_dim : int
        Size of the vector that a head without classes gives (CLIP's projection to the space shared with text);
        0 without one.
    pool_include_prefix : bool
        Whether average and attention pooling read the prefix tokens, too.
    frozen_positions : str
        ``sin1d`` or ``sin2d`` where 𝑬_pos is the table of slide 14 or 16 and was never trained: at another size it is
        worked out anew, not interpolated. Empty for all other models.
    """

    name: str
    architecture: str
    image_size: int
    patch_size: int
    depth: int
    heads: int
    dim: int
    head_dim: int
    mlp_dim: int
    num_classes: int
    num_params: int
    prefix_names: tuple[str, ...]
    pooling: str
    trained_patch_sizes: tuple[int, ...]
    trained_image_sizes: tuple[int, ...]
    random_weights: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    crop_pct: float
    interpolation: str
    crop_mode: str = "center"
    mlp_gated: bool = False
    projection_dim: int = 0
    pool_include_prefix: bool = False
    frozen_positions: str = ""

    @property
    def num_prefix(self) -> int:
        """R, the number of prefix tokens."""
        return len(self.prefix_names)

    @property
    def distilled(self) -> bool:
        """Whether two heads vote: one reads CLS, one the distillation token."""
        return "DIST" in self.prefix_names

    @property
    def has_classes(self) -> bool:
        """Whether the model answers with a class."""
        return self.num_classes > 0
