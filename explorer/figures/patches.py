"""Stage 1: one patch, as pixels, as channels, and as the vector that the model is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.figures.matrix import Axis, MatrixFigure, Scale, TilesFigure, symmetric_scale
from explorer.trace import Trace

__all__ = [
    "NormalisedValue",
    "channel_figure",
    "entry_of",
    "normalised_value",
    "patch_figure",
    "patch_pixels",
    "pixel_of",
    "under_grid",
    "vector_figure",
]


@dataclass(frozen=True, kw_only=True)
class NormalisedValue:
    """One entry of a patch's vector, worked out.

    Parameters
    ----------
    entry : int
        Its place in the vector.
    row, col, channel : int
        The pixel that it comes from, and the colour.
    pixel : float
        0 … 255.
    mean, std : float
        Of the channel, as the model was trained.
    expected : float
        ``(pixel / 255 − mean) / std`` in float64.
    value : float
        What entered the model.
    """

    entry: int
    row: int
    col: int
    channel: int
    pixel: float
    mean: float
    std: float
    expected: float
    value: float


def under_grid(pixels: NDArray[np.uint8], trace: Trace) -> NDArray[np.uint8]:
    """The part of a photo that the grid covers: where P does not divide the input, a rim is in no patch.

    Parameters
    ----------
    pixels : (S, S, 3) uint8 array
        The model's crop, at any sharpness.
    trace : Trace

    Returns
    -------
    (S', S', 3) uint8 array
    """
    covered = trace.grid[0] * trace.patch_size / trace.image_size
    side = round(pixels.shape[0] * covered)
    return pixels[:side, :side]


def patch_pixels(trace: Trace, token: int) -> NDArray[np.float32]:
    """The pixels of a patch token as they entered the model.

    Parameters
    ----------
    trace : Trace
    token : int
        A patch token.

    Returns
    -------
    (P, P, C) float32 array
        0 … 255: whole numbers, but for a blanked patch, which holds the mean colour.
    """
    side = trace.patch_size
    patch = trace.patches[token - trace.num_prefix].reshape(side, side, -1).astype(np.float64)
    values = (patch * np.array(trace.spec.std) + np.array(trace.spec.mean)) * 255.0
    whole = np.rint(values)
    # Float32 leaves the pixels about 1e-5 beside the whole numbers that they were.
    pixels: NDArray[np.float32] = np.where(np.abs(values - whole) < 1e-3, whole, values).astype(np.float32)
    return pixels


def patch_figure(trace: Trace, token: int, *, title: str, caption: str, stem: str) -> TilesFigure:
    """A patch as the picture that the model sees.

    Parameters
    ----------
    trace : Trace
    token : int
        A patch token.
    title, caption, stem : str
        Of the figure.

    Returns
    -------
    TilesFigure
        One tile of (P, P, 3).
    """
    pixels = np.clip(np.rint(patch_pixels(trace, token)), 0, 255).astype(np.uint8)
    return TilesFigure(values=pixels[None], captions=("",), columns=1, title=title, caption=caption, stem=stem)


def channel_figure(
    trace: Trace, token: int, channel: int, *, row: str, col: str, title: str, label: str, stem: str
) -> MatrixFigure:
    """One colour of a patch as a matrix of values 0 … 255.

    Parameters
    ----------
    trace : Trace
    token : int
        A patch token.
    channel : int
        0 red, 1 green, 2 blue.
    row, col : str
        Names of the axes.
    title, label, stem : str
        Of the figure, of the colour bar, of the file.

    Returns
    -------
    MatrixFigure
        (P, P).
    """
    return MatrixFigure(
        values=patch_pixels(trace, token)[:, :, channel],
        rows=Axis(name=row),
        cols=Axis(name=col),
        scale=Scale(low=0.0, high=255.0, label=label),
        title=title,
        stem=stem,
    )


def vector_figure(
    trace: Trace,
    token: int,
    *,
    row: str,
    col: str,
    channels: Sequence[str],
    title: str,
    caption: str,
    label: str,
    stem: str,
) -> MatrixFigure:
    """The vector of a patch, written in lines: one line a row of pixels.

    Parameters
    ----------
    trace : Trace
    token : int
        A patch token.
    row, col : str
        Names of the axes.
    channels : sequence of str
        What the three colours are called.
    title, caption, label, stem : str
        Of the figure, of the colour bar, of the file.

    Returns
    -------
    MatrixFigure
        (P, P·C): read line by line it is ``patches[token - R]``.
    """
    side = trace.patch_size
    vector = trace.patches[token - trace.num_prefix]
    count = vector.size // (side * side)
    # One scale for all patches of a picture: moving from patch to patch, colours keep their meaning.
    return MatrixFigure(
        values=vector.reshape(side, side * count),
        rows=Axis(name=row),
        cols=Axis(name=col, labels=[f"{place // count} {channels[place % count]}" for place in range(side * count)]),
        scale=symmetric_scale(trace.patches, label),
        title=title,
        caption=caption,
        stem=stem,
        aspect="fill",
    )


def entry_of(trace: Trace, row: int, col: int, channel: int) -> int:
    """Where a pixel's colour stands in the vector: row by row, the colours of each pixel together."""
    return (row * trace.patch_size + col) * _channels(trace) + channel


def pixel_of(trace: Trace, entry: int) -> tuple[int, int, int]:
    """Row, column and channel of an entry of the vector; the inverse of :func:`entry_of`."""
    place, channel = divmod(entry, _channels(trace))
    row, col = divmod(place, trace.patch_size)
    return row, col, channel


def normalised_value(trace: Trace, token: int, entry: int) -> NormalisedValue:
    """Work out one entry of a patch's vector.

    Parameters
    ----------
    trace : Trace
    token : int
        A patch token.
    entry : int
        0 … P²C − 1.

    Returns
    -------
    NormalisedValue
    """
    row, col, channel = pixel_of(trace, entry)
    pixel = float(patch_pixels(trace, token)[row, col, channel])
    mean, std = trace.spec.mean[channel], trace.spec.std[channel]
    return NormalisedValue(
        entry=entry,
        row=row,
        col=col,
        channel=channel,
        pixel=pixel,
        mean=mean,
        std=std,
        expected=(pixel / 255.0 - mean) / std,
        value=float(trace.patches[token - trace.num_prefix, entry]),
    )


def _channels(trace: Trace) -> int:
    return int(trace.patches.shape[1]) // trace.patch_size**2
