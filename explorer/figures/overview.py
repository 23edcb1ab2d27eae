"""Stage 0: what the drawing of the whole pipeline shows of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.trace import Trace

__all__ = ["DRAWN_DIMENSIONS", "PipelineDrawing", "drawn_tokens", "exploded_patches", "pipeline_drawing", "read_tokens"]

#: So many numbers of each token's vector are drawn: cells that are seen from the back row.
DRAWN_DIMENSIONS = 24
#: Values beyond this percentile take the end colour: a few dimensions of a trained ViT are a hundred times the others.
_PERCENTILE = 98.0


@dataclass(frozen=True, eq=False, kw_only=True)
class PipelineDrawing:
    """Numbers and pictures of one run, as the drawing of the pipeline needs them.

    Parameters
    ----------
    pieces : (H', W', 4) uint8 array
        The image that the model sees, cut along the grid, with transparent gaps.
    rows : tuple of (int or None)
        The tokens that are drawn, in their order; ``None`` where some are left out.
    thumbnails : (rows, P, P, 3) uint8 array
        What each drawn patch token holds; black for the others.
    prefix : tuple of str
        Names of the drawn tokens that are no patches, "" for the others.
    grid : (rows, cols)
    place : int
        The patch of the photo that is picked, row by row; −1 for a token that is none.
    gap : float
        How wide a gap between two pieces is, in patches.
    strips : (4, rows, dims) float32 array
        The first numbers of each drawn token before 𝑬_pos is added, of 𝑬_pos, of the sum and of 𝒛_L; NaN where
        tokens are left out.
    reaches : (4,) float32 array
        The magnitude that takes the end colour in each of the four.
    picked : int
        The row of the picked token.
    read : tuple of int
        The rows that the head reads.
    """

    pieces: NDArray[np.uint8]
    rows: tuple[int | None, ...]
    thumbnails: NDArray[np.uint8]
    prefix: tuple[str, ...]
    grid: tuple[int, int]
    place: int
    gap: float
    strips: NDArray[np.float32]
    reaches: NDArray[np.float32]
    picked: int
    read: tuple[int, ...]


def drawn_tokens(num_prefix: int, num_patches: int, picked: int) -> tuple[int | None, ...]:
    """Which tokens stand for all of them: the first, the picked and the last ones.

    Parameters
    ----------
    num_prefix, num_patches : int
        R and N.
    picked : int
        A token, prefix first.

    Returns
    -------
    tuple of (int or None)
        Tokens in rising order, ``None`` where some are left out between two.
    """
    total = num_prefix + num_patches
    wanted = {picked, total - 1, *range(min(num_prefix, 2)), *range(num_prefix, min(num_prefix + 2, total))}
    rows: list[int | None] = []
    before = -1
    for token in sorted(token for token in wanted if 0 <= token < total):
        if token - before == 2:
            rows.append(token - 1)
        elif token - before > 2:
            rows.append(None)
        rows.append(token)
        before = token
    return tuple(rows)


def read_tokens(trace: Trace) -> tuple[int, ...]:
    """The tokens that the head reads: CLS (and the distillation token), or all that are pooled."""
    spec = trace.spec
    if spec.distilled:
        return (0, 1)
    if spec.pooling == "token":
        return (0,)
    return tuple(range(0 if spec.pool_include_prefix else trace.num_prefix, trace.num_tokens))


def exploded_patches(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """An image cut into patches that are pulled apart.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
    side : int
        P. What is left over at the lower and the right edge is no patch.

    Returns
    -------
    (rows · (P + gap) - gap, cols · (P + gap) - gap, 4) uint8 array
        Every pixel of every patch, with transparent gaps a fifth of a patch wide.
    """
    rows, cols = image.shape[0] // side, image.shape[1] // side
    gap = _gap(side)
    pieces = np.zeros((rows, side + gap, cols, side + gap, 4), dtype=np.uint8)
    pieces[:, :side, :, :side, :3] = image[: rows * side, : cols * side].reshape(rows, side, cols, side, 3)
    pieces[:, :side, :, :side, 3] = 255
    return pieces.reshape(rows * (side + gap), cols * (side + gap), 4)[:-gap, :-gap]


def pipeline_drawing(trace: Trace, picked: int) -> PipelineDrawing:
    """What the drawing shows of a run.

    Parameters
    ----------
    trace : Trace
    picked : int
        The picked token.

    Returns
    -------
    PipelineDrawing
    """
    rows = drawn_tokens(trace.num_prefix, trace.num_patches, picked)
    shown = [token for token in rows if token is not None]
    dims = min(DRAWN_DIMENSIONS, trace.spec.dim)
    strips = np.full((4, len(rows), dims), np.nan, dtype=np.float32)
    places = [place for place, token in enumerate(rows) if token is not None]
    strips[0, places] = _before_positions(trace, shown)[:, :dims]
    for strip, stack in zip(strips[1:], (trace.pos_embed, trace.tokens, trace.z[-1]), strict=True):
        strip[places] = stack[shown, :dims]
    reach = [float(np.percentile(np.abs(strip[places]), _PERCENTILE)) or 1.0 for strip in strips]
    read = frozenset(read_tokens(trace))
    return PipelineDrawing(
        pieces=exploded_patches(trace.image, trace.patch_size),
        rows=rows,
        thumbnails=_thumbnails(trace, rows),
        prefix=tuple("" if t is None or t >= trace.num_prefix else trace.prefix_names[t] for t in rows),
        grid=trace.grid,
        place=int(trace.patch_index[picked - trace.num_prefix]) if picked >= trace.num_prefix else -1,
        gap=_gap(trace.patch_size) / trace.patch_size,
        strips=strips,
        reaches=np.array(reach, dtype=np.float32),
        picked=rows.index(picked) if picked in rows else -1,
        read=tuple(place for place, token in enumerate(rows) if token in read),
    )


def _before_positions(trace: Trace, tokens: Sequence[int]) -> NDArray[np.float32]:
    """The tokens, in rising order, before 𝑬_pos is added: :func:`~explorer.figures.position.tokens_before` of a few."""
    arrays = trace.arrays
    # Only the drawn tokens are embedded again: all of them take a while where patches are many and large.
    patches = [token - trace.num_prefix for token in tokens if token >= trace.num_prefix]
    embedded = trace.patches[patches] @ arrays.embed_weight + arrays.embed_bias
    if arrays.embed_norm is not None:
        # A norm needs all of a token's numbers, also those that are not drawn.
        embedded = arrays.embed_norm(embedded)
    prefix = [token for token in tokens if token < trace.num_prefix]
    return np.concatenate([trace.prefix_tokens[prefix], embedded]).astype(np.float32, copy=False)


def _gap(side: int) -> int:
    return max(1, round(side / 5))


def _thumbnails(trace: Trace, rows: Sequence[int | None]) -> NDArray[np.uint8]:
    side = trace.patch_size
    mean, std = np.array(trace.spec.mean), np.array(trace.spec.std)
    tiles = np.zeros((len(rows), side, side, 3), dtype=np.uint8)
    for tile, token in zip(tiles, rows, strict=True):
        if token is not None and token >= trace.num_prefix:
            # From the patch as it entered the model, so that a blanked one is shown blank.
            patch = trace.patches[token - trace.num_prefix].reshape(side, side, 3)
            tile[:] = np.clip(np.rint((patch * std + mean) * 255.0), 0, 255)
    return tiles
