"""Running a model on a picture, and keeping what happens: :func:`trace_image`.

timm's own modules are called one by one, as its ``VisionTransformer.forward`` does, so every number is timm's own.
Nothing is hooked into the modules: several threads can trace the same model at once, and nothing can be left behind.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import scaled_dot_product_attention

from explorer.arrays import ModelArrays
from explorer.images import Cropping, Picture, model_crop, open_picture
from explorer.interventions import Intervention
from explorer.numerics import Array
from explorer.sizes import check_size
from explorer.specs import ModelSpec
from explorer.trace import Trace

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

    from explorer.models import ExplorerModel

__all__ = ["model_input", "normalise", "run_model", "trace_image", "trace_pixels"]


def trace_image(
    model: ExplorerModel,
    picture: Picture | bytes | str | os.PathLike[str],
    *,
    patch_size: int | None = None,
    image_size: int | None = None,
    crop: tuple[float, float] = (0.5, 0.5),
    intervention: Intervention | None = None,
) -> Trace:
    """Run a model on a picture and keep all that is needed to see every array of the run.

    Parameters
    ----------
    model : ExplorerModel
    picture : Picture, bytes, or path
    patch_size, image_size : int, optional
        Sides in pixels, where they are to differ from the model's own.
    crop : (float, float)
        Where the square crop lies on its way across the picture (0 … 1, horizontally and vertically).
    intervention : Intervention, optional
        What is to be changed in the run.

    Returns
    -------
    Trace

    Raises
    ------
    ExplorerError
        If the trace would be too large, the sizes do not fit each other, the picture cannot be opened, or the
        intervention does not fit the model.
    """
    module, arrays, image = model_input(model, picture, patch_size=patch_size, image_size=image_size, crop=crop)
    return trace_pixels(module, arrays, image, intervention)


def model_input(
    model: ExplorerModel,
    picture: Picture | bytes | str | os.PathLike[str],
    *,
    patch_size: int | None = None,
    image_size: int | None = None,
    crop: tuple[float, float] = (0.5, 0.5),
) -> tuple[VisionTransformer, ModelArrays, NDArray[np.uint8]]:
    """What :func:`trace_pixels` and :func:`run_model` work with: the model at a size, and the crop that it sees.

    Parameters
    ----------
    model, picture, patch_size, image_size, crop
        As for :func:`trace_image`; 0 is the model's own size, too.

    Returns
    -------
    VisionTransformer, ModelArrays, (H, W, C) uint8 array
    """
    spec = model.spec
    patch_size, image_size = patch_size or spec.patch_size, image_size or spec.image_size
    check_size(spec, image_size, patch_size)
    if isinstance(picture, bytes):
        picture = open_picture(picture)
    elif not isinstance(picture, Picture):
        path = Path(picture)
        picture = open_picture(path.read_bytes(), path.name)
    cropping = Cropping(image_size, spec.crop_pct, spec.interpolation, spec.crop_mode)
    image = model_crop(picture, cropping, crop)
    module, arrays = model.at(patch_size, image_size)
    return module, arrays, image


def trace_pixels(
    module: VisionTransformer,
    arrays: ModelArrays,
    image: NDArray[np.uint8],
    intervention: Intervention | None = None,
) -> Trace:
    """As :func:`trace_image`, with the crop already made.

    Parameters
    ----------
    module : VisionTransformer
    arrays : ModelArrays
        Of the same module.
    image : (H, W, C) uint8 array
    intervention : Intervention, optional
    """
    change = intervention or Intervention()
    patches, pixels = _prepare(arrays, image, change)
    rows, cols = arrays.grid
    places, patch_index = change.layout(rows * cols)
    spec, block = arrays.spec, arrays.blocks[0]
    tokens = arrays.spec.num_prefix + len(places)
    head_shape = (len(arrays.blocks), block.heads, tokens, spec.head_dim)
    record = _Record(
        tokens=np.empty((tokens, spec.dim), dtype=np.float32),
        z=np.empty((len(arrays.blocks) + 1, tokens, spec.dim), dtype=np.float32),
        qkv=(np.empty(head_shape, np.float32), np.empty(head_shape, np.float32), np.empty(head_shape, np.float32)),
    )
    with torch.inference_mode():
        output = _forward(module, arrays, pixels, change, record)[0].numpy()
    return Trace(
        spec=spec,
        patch_size=arrays.patch_size,
        image_size=arrays.image_size,
        image=image.copy(),
        patches=patches[places],
        tokens=record.tokens,
        z=record.z,
        q=record.qkv[0],
        k=record.qkv[1],
        v=record.qkv[2],
        output=output,
        grid=arrays.grid,
        patch_index=patch_index,
        prefix_names=spec.prefix_names,
        intervention=change,
        weights=arrays,
    )


def run_model(
    module: VisionTransformer,
    arrays: ModelArrays,
    image: NDArray[np.uint8],
    intervention: Intervention | None = None,
) -> Array:
    """The model's answer alone, without a trace: for experiments that run a model many times.

    Parameters
    ----------
    module, arrays, image, intervention
        As for :func:`trace_pixels`.

    Returns
    -------
    (K,) array
    """
    change = intervention or Intervention()
    _, pixels = _prepare(arrays, image, change)
    with torch.inference_mode():
        output: Array = _forward(module, arrays, pixels, change, None)[0].numpy()
    return output


class _Record:
    """Arrays that a run is written into."""

    def __init__(self, tokens: Array, z: Array, qkv: tuple[Array, Array, Array]) -> None:
        self.tokens, self.z, self.qkv = tokens, z, qkv


def normalise(image: NDArray[np.uint8], spec: ModelSpec) -> torch.Tensor:
    """(H, W, C) pixels as the (C, H, W) tensor that the model reads, with the arithmetic of timm's transform."""
    pixels = torch.from_numpy(np.array(image.transpose(2, 0, 1))).to(torch.float32).div_(255)
    mean, std = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (spec.mean, spec.std))
    return pixels.sub_(mean).div_(std)


def _prepare(arrays: ModelArrays, image: NDArray[np.uint8], change: Intervention) -> tuple[Array, torch.Tensor]:
    """The patches (N, P²·C) of the whole grid as the model gets them, and the (C, H, W) pixels that they make."""
    spec, (rows, cols), side = arrays.spec, arrays.grid, arrays.patch_size
    block = arrays.blocks[0]
    change.check(
        depth=len(arrays.blocks),
        heads=block.heads,
        num_prefix=spec.num_prefix,
        num_patches=rows * cols,
        dim=spec.dim,
    )
    pixels = normalise(image, spec)
    # Where the patches do not fill the input (16 at 378 pixels), the convolution passes over the rest.
    filled = pixels[:, : rows * side, : cols * side].numpy()
    grid = filled.reshape(-1, rows, side, cols, side).transpose(1, 3, 2, 4, 0)
    patches = np.array(grid.reshape(rows * cols, -1))
    if change.masked or change.order is not None:
        patches[list(change.masked)] = 0
        if change.order is not None:
            patches = patches[list(change.order)]
        pictures = patches.reshape(rows, cols, side, side, -1).transpose(4, 0, 2, 1, 3)
        filled[...] = pictures.reshape(filled.shape)
    return patches, pixels


def _forward(
    module: VisionTransformer,
    arrays: ModelArrays,
    pixels: torch.Tensor,
    change: Intervention,
    record: _Record | None,
) -> torch.Tensor:
    """The forward pass of timm's ``VisionTransformer``, step by step."""
    spec, (rows, cols) = arrays.spec, arrays.grid
    x = module.patch_embed(pixels[None])
    x = x.reshape(1, rows * cols, -1)
    places, _ = change.layout(rows * cols)
    positions = _tensor(change.positions(arrays.pos_embed))
    prefix = _tensor(arrays.prefix_tokens)[None]
    x = torch.cat([prefix, x], dim=1) + positions
    if len(places) < rows * cols:
        x = torch.cat([x[:, : spec.num_prefix], x[:, spec.num_prefix + torch.from_numpy(places)]], dim=1)
    if record is not None:
        record.tokens[...] = x[0].numpy()
    x = module.norm_pre(x)
    if record is not None:
        record.z[0] = x[0].numpy()
    for layer, block in enumerate(module.blocks):
        x = _block(block, x, layer, change, record)
        if record is not None:
            record.z[layer + 1] = x[0].numpy()
    output: torch.Tensor = module.forward_head(module.norm(x))
    return output


def _block(block: Any, x: torch.Tensor, layer: int, change: Intervention, record: _Record | None) -> torch.Tensor:
    msa = _attention(block.attn, block.norm1(x), layer, change, record)
    if layer not in change.msa_off:
        x = x + block.ls1(msa)
    if layer not in change.mlp_off:
        x = x + block.ls2(block.mlp(block.norm2(x)))
    return x


def _attention(attn: Any, x: torch.Tensor, layer: int, change: Intervention, record: _Record | None) -> torch.Tensor:
    """What timm's ``Attention.forward`` does."""
    batch, tokens, _ = x.shape
    qkv = attn.qkv(x).reshape(batch, tokens, 3, attn.num_heads, attn.head_dim).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    q, k = attn.q_norm(q), attn.k_norm(k)
    if record is not None:
        for store, part in zip(record.qkv, (q, k, v), strict=True):
            store[layer] = part[0].numpy()
    y = scaled_dot_product_attention(q, k, v)
    masked = change.masked_in(layer)
    if masked:
        y[:, list(masked)] = 0
    y = attn.norm(y.transpose(1, 2).reshape(batch, tokens, -1))
    if attn.gate is not None:
        y = y * attn.gate(x).sigmoid()
    projected: torch.Tensor = attn.proj(y)
    return projected


def _tensor(array: Array) -> torch.Tensor:
    # A copy: torch does not know read-only memory.
    return torch.from_numpy(array.copy())
