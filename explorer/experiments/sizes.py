"""Experiment with sizes (slide 2): one picture through many patch and input sizes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from explorer.errors import Cancelled, ExplorerError
from explorer.experiments.results import SizeRow, SizesResult
from explorer.sizes import check_size, multiply_adds, patch_size_choices

if TYPE_CHECKING:
    import torch
    from timm.models.vision_transformer import VisionTransformer

    from explorer.images import Picture
    from explorer.models import ExplorerModel

__all__ = ["compare_sizes"]

#: A forward pass is timed so often at most, and no further once so many seconds have gone by.
_TIMES, _SECONDS = 9, 0.2


def compare_sizes(
    model: ExplorerModel,
    picture: Picture | bytes | str,
    patch_sizes: Iterable[int] | None = None,
    image_sizes: Iterable[int] | None = None,
    *,
    crop: tuple[float, float] = (0.5, 0.5),
    report: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> SizesResult:
    """Run a model at every pair of an input and a patch size, and take the time.

    𝑬 is resampled with FlexiViT's PI-resize and 𝑬_pos interpolated, each time from the original weights. A model that
    was trained at one size alone gets the same, and answers worse.

    Parameters
    ----------
    model : ExplorerModel
    picture : Picture, bytes, or path
    patch_sizes : iterable of int, optional
        Sides of a patch; by default all that fill the model's own input evenly.
    image_sizes : iterable of int, optional
        Sides of the input; by default the model's own.
    crop : (float, float)
        As for :func:`explorer.trace_image`.
    report : callable, optional
        Told how many sizes of how many are done.
    cancelled : callable, optional
        Asked before every size whether the result is still wanted.

    Returns
    -------
    SizesResult
        Of the pairs that make a grid and no trace too large; larger inputs later, larger patches first.

    Raises
    ------
    Cancelled
    ExplorerError
        ``size-…`` or ``trace-too-large…``, if no pair is possible.
    """
    from explorer.engine import model_input, normalise, run_model

    spec = model.spec
    pairs, refused = [], []
    for image_size in sorted(set(image_sizes or (spec.image_size,))):
        offered = {choice.patch_size for choice in patch_size_choices(spec, image_size)}
        for patch_size in sorted(set(patch_sizes or offered), reverse=True):
            try:
                check_size(spec, image_size, patch_size)
                pairs.append((patch_size, image_size))
            except ExplorerError as error:
                refused.append(((patch_size, image_size), error))
    if not pairs:
        raise refused[0][1] if refused else ValueError("no sizes to compare")
    rows = []
    for patch_size, image_size in pairs:
        if cancelled is not None and cancelled():
            raise Cancelled
        module, arrays, image = model_input(model, picture, patch_size=patch_size, image_size=image_size, crop=crop)
        answer = run_model(module, arrays, image)  # also fills caches, so that the first pass is not timed
        rows.append(
            SizeRow(
                patch_size=patch_size,
                image_size=image_size,
                grid=arrays.grid,
                tokens=spec.num_prefix + arrays.grid[0] * arrays.grid[1],
                multiply_adds=multiply_adds(spec, image_size, patch_size),
                milliseconds=_milliseconds(module, normalise(image, spec)),
                output=answer,
                trained=patch_size in spec.trained_patch_sizes and image_size in spec.trained_image_sizes,
                pos_embed=arrays.pos_embed[spec.num_prefix :],
            )
        )
        if report is not None:
            report(len(rows), len(pairs))
    return SizesResult(
        rows=tuple(rows),
        left_out=tuple(pair for pair, _ in refused),
        pos_embed=model.arrays.pos_embed[spec.num_prefix :],
        grid=model.arrays.grid,
        has_classes=spec.has_classes,
    )


def _milliseconds(module: VisionTransformer, pixels: torch.Tensor) -> float:
    """Shortest time of timm's own forward pass, one picture at a time.

    What else the machine does makes passes longer, never shorter: on a busy one the median of a few said that two
    tokens take longer than 65.
    """
    import torch

    times: list[float] = []
    with torch.inference_mode():
        while len(times) < _TIMES and sum(times) < _SECONDS:
            start = time.perf_counter()
            module(pixels[None])
            times.append(time.perf_counter() - start)
    return min(times) * 1000
