"""Running a model on a picture, and keeping what happens: :func:`trace_image`.

timm's own modules are called one by one, as its ``VisionTransformer.forward`` does, so every number is timm's own.
Nothing is hooked into the modules: several threads can trace the same model at once, and nothing can be left behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.arrays import ModelArrays
from explorer.errors import Cancelled
from explorer.forward import Record, Switches, encode, tensor
from explorer.images import Cropping, Picture, model_crop, open_picture, read_picture
from explorer.interventions import OWN, Intervention
from explorer.numerics import Array
from explorer.sizes import check_size
from explorer.specs import ModelSpec
from explorer.trace import Trace

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

    from explorer.models import ExplorerModel

__all__ = ["model_input", "model_tokens", "normalise", "run_batch", "run_model", "trace_image", "trace_pixels"]


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
        If the trace would be too large, the sizes do not fit each other, the picture is not there or cannot be opened,
        or the intervention does not fit the model.
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

    Raises
    ------
    ExplorerError
        If the trace would be too large, the sizes do not fit each other, or the picture is not there or cannot be
        opened.
    """
    spec = model.spec
    patch_size = spec.patch_size if patch_size is None else patch_size
    image_size = spec.image_size if image_size is None else image_size
    check_size(spec, image_size, patch_size)
    if isinstance(picture, bytes):
        picture = open_picture(picture)
    elif not isinstance(picture, Picture):
        picture = read_picture(picture)
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
    record = Record(
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


def run_batch(
    module: VisionTransformer,
    arrays: ModelArrays,
    image: NDArray[np.uint8],
    interventions: Sequence[Intervention],
    *,
    batch: int = 64,
    report: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Array:
    """The answers of many changed runs of one model on one picture, several at a time.

    Parameters
    ----------
    module, arrays, image
        As for :func:`trace_pixels`.
    interventions : sequence of Intervention
        One a run, of any kind; those that leave equally many tokens go through the model together.
    batch : int
        How many runs go through the model together at most.
    report : callable, optional
        Told after every batch how many runs of how many are done.
    cancelled : callable, optional
        Asked before every batch whether the answers are still wanted.

    Returns
    -------
    (B, K) array
        The same as of :func:`run_model` one by one, to rounding.

    Raises
    ------
    Cancelled
    ExplorerError
        ``intervention-…``, if one does not fit the model.
    """
    for change in interventions:
        _check(arrays, change)
    # A patch is embedded by itself, so that blank and shuffled ones need not be embedded again for every run.
    pixels = normalise(image, arrays.spec)
    rows, cols = arrays.grid
    with torch.inference_mode():
        embedded, blank = module.patch_embed(torch.stack([pixels, torch.zeros_like(pixels)])).reshape(
            2, rows * cols, -1
        )
    groups: dict[int, list[int]] = {}
    for run, change in enumerate(interventions):
        groups.setdefault(len(change.layout(rows * cols)[0]), []).append(run)
    answers: list[Array | None] = [None] * len(interventions)
    done = 0
    for group in groups.values():
        for start in range(0, len(group), batch):
            if cancelled is not None and cancelled():
                raise Cancelled
            runs = group[start : start + batch]
            changes = [interventions[run] for run in runs]
            with torch.inference_mode():
                tokens = _batch_tokens(arrays, embedded, blank, changes)
                output = encode(module, arrays, tokens, Switches(arrays, changes), answer_alone=True).numpy()
            for run, answer in zip(runs, output, strict=True):
                answers[run] = answer
            done += len(runs)
            if report is not None:
                report(done, len(interventions))
    return np.stack([answer for answer in answers if answer is not None])


def _batch_tokens(
    arrays: ModelArrays, embedded: torch.Tensor, blank: torch.Tensor, changes: Sequence[Intervention]
) -> torch.Tensor:
    """Tokens (B, T, D) with positions: from the embeddings (N, D) of the photo's patches, and those of blank ones."""
    start, count = arrays.spec.num_prefix, len(embedded)
    prefix, own = tensor(arrays.prefix_tokens), tensor(arrays.pos_embed)
    rows = []
    for change in changes:
        places, shown = (torch.from_numpy(index) for index in change.layout(count))
        patches = embedded
        if change.masked:
            patches = embedded.clone()
            patches[list(change.masked)] = blank[list(change.masked)]
        table = own if change.pos_embed is OWN else tensor(change.positions(arrays.pos_embed))
        rows.append(torch.cat([prefix + table[:start], patches[shown] + table[start + places]]))
    return torch.stack(rows)


def normalise(image: NDArray[np.uint8], spec: ModelSpec) -> torch.Tensor:
    """(H, W, C) pixels as the (C, H, W) tensor that the model reads, with the arithmetic of timm's transform."""
    pixels = torch.from_numpy(np.array(image.transpose(2, 0, 1))).to(torch.float32).div_(255)
    mean, std = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (spec.mean, spec.std))
    return pixels.sub_(mean).div_(std)


def _check(arrays: ModelArrays, change: Intervention) -> None:
    rows, cols = arrays.grid
    change.check(
        depth=len(arrays.blocks),
        heads=arrays.blocks[0].heads,
        num_prefix=arrays.spec.num_prefix,
        num_patches=rows * cols,
        dim=arrays.spec.dim,
    )


def _prepare(arrays: ModelArrays, image: NDArray[np.uint8], change: Intervention) -> tuple[Array, torch.Tensor]:
    """The patches (N, P²·C) of the whole grid as the model gets them, and the (C, H, W) pixels that they make."""
    spec, (rows, cols), side = arrays.spec, arrays.grid, arrays.patch_size
    _check(arrays, change)
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


def model_tokens(module: VisionTransformer, arrays: ModelArrays, image: NDArray[np.uint8]) -> torch.Tensor:
    """The tokens (1, T, D) of the model's own run, with 𝑬_pos: what :func:`explorer.forward.encode` starts from."""
    _, pixels = _prepare(arrays, image, Intervention())
    return _tokens(module, arrays, pixels, Intervention())


def _tokens(module: VisionTransformer, arrays: ModelArrays, pixels: torch.Tensor, change: Intervention) -> torch.Tensor:
    spec, (rows, cols) = arrays.spec, arrays.grid
    x = module.patch_embed(pixels[None])
    x = x.reshape(1, rows * cols, -1)
    places, _ = change.layout(rows * cols)
    positions = tensor(change.positions(arrays.pos_embed))
    prefix = tensor(arrays.prefix_tokens)[None]
    x = torch.cat([prefix, x], dim=1) + positions
    if len(places) < rows * cols:
        x = torch.cat([x[:, : spec.num_prefix], x[:, spec.num_prefix + torch.from_numpy(places)]], dim=1)
    return x


def _forward(
    module: VisionTransformer,
    arrays: ModelArrays,
    pixels: torch.Tensor,
    change: Intervention,
    record: Record | None,
) -> torch.Tensor:
    """The forward pass of timm's ``VisionTransformer``, step by step."""
    x = _tokens(module, arrays, pixels, change)
    if record is not None:
        record.tokens[...] = x[0].numpy()
    return encode(module, arrays, x, Switches(arrays, [change]), record)
