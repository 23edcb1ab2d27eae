"""What a choice of patch and input size costs: tokens, multiply-adds, memory."""

from __future__ import annotations

from dataclasses import dataclass

from explorer.errors import ExplorerError
from explorer.specs import ModelSpec

__all__ = [
    "MAX_TRACE_BYTES",
    "MIN_PATCH_SIZE",
    "SizeChoice",
    "check_size",
    "grid_size",
    "image_size_choices",
    "multiply_adds",
    "num_patches",
    "num_tokens",
    "patch_size_choices",
    "trace_bytes",
]

#: Larger traces are refused.
MAX_TRACE_BYTES = 200_000_000
#: Smaller patches are not offered: 4 × 4 pixels are the least that a picture of a patch can show.
MIN_PATCH_SIZE = 4
#: Input sizes that are offered, as shares of the model's own.
_IMAGE_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


@dataclass(frozen=True, kw_only=True)
class SizeChoice:
    """One patch and input size, with what follows from it.

    Parameters
    ----------
    patch_size, image_size : int
        Sides in pixels.
    patches, tokens : int
        N and T.
    multiply_adds : int
        Of one run.
    trace_bytes : int
        Memory of a trace.
    fits : bool
        Whether a trace may be that large.
    trained : bool
        Whether the model was trained for it.
    """

    patch_size: int
    image_size: int
    patches: int
    tokens: int
    multiply_adds: int
    trace_bytes: int
    fits: bool
    trained: bool


def grid_size(image_size: int, patch_size: int) -> tuple[int, int]:
    """Rows and columns of whole patches in a square input."""
    side = image_size // patch_size
    return side, side


def num_patches(image_size: int, patch_size: int) -> int:
    """N."""
    rows, cols = grid_size(image_size, patch_size)
    return rows * cols


def num_tokens(spec: ModelSpec, image_size: int, patch_size: int) -> int:
    """T = R + N."""
    return spec.num_prefix + num_patches(image_size, patch_size)


def multiply_adds(spec: ModelSpec, image_size: int, patch_size: int) -> int:
    """Multiplications (each with its addition) of one run's matrix products.

    Parameters
    ----------
    spec : ModelSpec
    image_size, patch_size : int
        Sides in pixels.

    Returns
    -------
    int
        Of the embedding, all layers (𝒒𝒌𝒗, scores, 𝑨𝒗, 𝑼_msa, MLP), the pooling and the head. What is not a
        matrix product (norms, softmax, activations: some percent of the time) is not counted.
    """
    patches, tokens, dim = num_patches(image_size, patch_size), num_tokens(spec, image_size, patch_size), spec.dim
    joined = spec.heads * spec.head_dim
    attention = tokens * dim * 3 * joined + 2 * tokens * tokens * joined + tokens * joined * dim
    mlp = tokens * dim * spec.mlp_dim * (3 if spec.mlp_gated else 2)
    total = patches * patch_size * patch_size * 3 * dim + spec.depth * (attention + mlp)
    read = tokens if spec.pool_include_prefix else patches
    if spec.pooling == "map":
        # One learned query, projected, looks at all tokens; then an MLP of four times the width.
        total += dim * dim + read * dim * 2 * dim + 2 * read * dim + dim * dim + 2 * dim * spec.mlp_dim
    elif spec.pooling == "prr":
        total += 2 * read * read * dim
    return total + (2 if spec.distilled else 1) * dim * (spec.num_classes or spec.projection_dim)


def trace_bytes(spec: ModelSpec, image_size: int, patch_size: int) -> int:
    """Memory of the arrays that a trace stores.

    Parameters
    ----------
    spec : ModelSpec
    image_size, patch_size : int
        Sides in pixels.
    """
    patches, tokens = num_patches(image_size, patch_size), num_tokens(spec, image_size, patch_size)
    stream = (spec.depth + 2) * tokens * spec.dim
    heads = 3 * spec.depth * tokens * spec.heads * spec.head_dim
    output = spec.num_classes or spec.projection_dim or spec.dim
    return 3 * image_size**2 + 8 * patches + 4 * (patches * patch_size**2 * 3 + stream + heads + output)


def check_size(spec: ModelSpec, image_size: int, patch_size: int) -> None:
    """Refuse sizes that make no grid of patches, or a trace that is too large.

    Raises
    ------
    ExplorerError
        ``size-not-even`` or ``trace-too-large``, naming what to choose instead.
    """
    own = (image_size, patch_size) == (spec.image_size, spec.patch_size)
    if patch_size < 1 or image_size < patch_size or (image_size % patch_size and not own):
        raise ExplorerError("size-not-even", image_size=image_size, patch_size=patch_size)
    size = trace_bytes(spec, image_size, patch_size)
    if size <= MAX_TRACE_BYTES:
        return
    values = {"megabytes": round(size / 1e6), "limit": round(MAX_TRACE_BYTES / 1e6), "patch_size": patch_size}
    fitting = [choice.patch_size for choice in patch_size_choices(spec, image_size) if choice.fits]
    larger = [size for size in fitting if size > patch_size]
    if larger:
        raise ExplorerError("trace-too-large", **values, image_size=image_size, instead=min(larger))
    raise ExplorerError("trace-too-large-model", **values, image_size=image_size)


def patch_size_choices(spec: ModelSpec, image_size: int, shown: int = 0) -> tuple[SizeChoice, ...]:
    """Patch sizes that can be chosen at an input size.

    Parameters
    ----------
    spec : ModelSpec
    image_size : int
        Side of the input.
    shown : int
        The size that is shown; a link or Python may have asked for one that is not offered.

    Returns
    -------
    tuple of SizeChoice
        Those of 4 pixels and more that fill the input evenly, the model's own at its own input size, and the one that
        is shown; smallest first, those whose trace would be too large with ``fits=False``.
    """
    sizes = {size for size in range(MIN_PATCH_SIZE, image_size + 1) if image_size % size == 0}
    if image_size == spec.image_size:
        sizes.add(spec.patch_size)
    sizes.add(shown)
    return tuple(_choice(spec, image_size, size) for size in sorted(sizes) if size > 0)


def image_size_choices(spec: ModelSpec, patch_size: int, shown: int = 0) -> tuple[SizeChoice, ...]:
    """Input sizes that can be chosen with a patch size.

    Parameters
    ----------
    spec : ModelSpec
    patch_size : int
        Side of a patch.
    shown : int
        The size that is shown. It may have been offered with larger patches, which are rounded to further away, or
        asked for by a link or Python.

    Returns
    -------
    tuple of SizeChoice
        Whole numbers of patches from half to twice the model's own size, the sizes that it was trained at, and the one
        that is shown; smallest first.
    """
    sizes = {round(spec.image_size * scale / patch_size) * patch_size for scale in _IMAGE_SCALES}
    sizes |= {size for size in spec.trained_image_sizes if size % patch_size == 0}
    if patch_size == spec.patch_size:
        sizes.add(spec.image_size)
    sizes.add(shown)
    return tuple(_choice(spec, size, patch_size) for size in sorted(sizes) if size >= patch_size)


def _choice(spec: ModelSpec, image_size: int, patch_size: int) -> SizeChoice:
    size = trace_bytes(spec, image_size, patch_size)
    return SizeChoice(
        patch_size=patch_size,
        image_size=image_size,
        patches=num_patches(image_size, patch_size),
        tokens=num_tokens(spec, image_size, patch_size),
        multiply_adds=multiply_adds(spec, image_size, patch_size),
        trace_bytes=size,
        fits=size <= MAX_TRACE_BYTES,
        trained=patch_size in spec.trained_patch_sizes and image_size in spec.trained_image_sizes,
    )
