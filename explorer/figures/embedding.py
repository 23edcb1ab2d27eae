"""Stage 2: the product of slide 9 as three matrices, one of its numbers worked out, and the filters of 𝑬.

Here a *patch token* ``n`` counts the rows of ``trace.patches``, without the prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.arrays import ModelArrays
from explorer.figures.matrix import Axis, MatrixFigure, TilesFigure, symmetric_scale
from explorer.trace import Trace

__all__ = [
    "ProductTerm",
    "WorkedProduct",
    "component_tiles",
    "embeddings_figure",
    "filter_reach",
    "filter_tiles",
    "model_number",
    "own_rgb",
    "patch_and_filter_tiles",
    "patches_figure",
    "pixel_of",
    "principal_components",
    "signed_rgb",
    "terms_figure",
    "values_reach",
    "weights_figure",
    "worked_product",
]

#: Share of 𝑬's weights that lie within the colours of its tiles; the few beyond take the end's colour.
FILTER_PERCENTILE = 99.5


@dataclass(frozen=True, kw_only=True)
class ProductTerm:
    """One term ``x_i · E_i,d`` of the sum.

    Parameters
    ----------
    index : int
        i, the place in the patch's vector.
    row, col, channel : int
        The pixel of the patch and its colour (0 red, 1 green, 2 blue) that place i holds.
    x, weight, value : float
        ``x_i``, ``E_i,d`` and their product, in float64.
    """

    index: int
    row: int
    col: int
    channel: int
    x: float
    weight: float
    value: float


@dataclass(frozen=True, kw_only=True)
class WorkedProduct:
    """One number of ``x_p E + b``, worked out in float64.

    Parameters
    ----------
    shown : tuple of ProductTerm
        The terms that are furthest from 0, the largest first, and the picked one.
    num_rest : int
        How many terms are not among them.
    rest : float
        Their sum.
    total : float
        The sum of all P²·C terms.
    bias : float
    result : float
        ``total + bias``.
    """

    shown: tuple[ProductTerm, ...]
    num_rest: int
    rest: float
    total: float
    bias: float

    @property
    def num_terms(self) -> int:
        """P²·C."""
        return len(self.shown) + self.num_rest

    @property
    def result(self) -> float:
        """The sum of all terms, and the bias."""
        return self.total + self.bias


def pixel_of(index: int, patch_size: int, channels: int = 3) -> tuple[int, int, int]:
    """Row, column and channel of the pixel that place ``index`` of a patch's vector holds."""
    pixel, channel = divmod(index, channels)
    row, col = divmod(pixel, patch_size)
    return row, col, channel


def worked_product(
    trace: Trace, patch: int, dimension: int, *, largest: int = 4, picked: int | None = None
) -> WorkedProduct:
    """Work out ``(x_p E + b)[patch, dimension]`` in float64.

    Parameters
    ----------
    trace : Trace
    patch : int
        Patch token, 0 … N - 1.
    dimension : int
        d, 0 … D - 1.
    largest : int
        How many of the terms are given one by one.
    picked : int, optional
        Place i of a term that is given as well, should it not be among the largest.

    Returns
    -------
    WorkedProduct
    """
    arrays = trace.arrays
    x = trace.patches[patch].astype(np.float64)
    weight = arrays.embed_weight[:, dimension].astype(np.float64)
    values = x * weight
    # A stable sort, so that of equal terms the one that comes first in the vector is shown.
    order = np.argsort(-np.abs(values), kind="stable")[:largest]
    if picked is not None and picked not in order:
        order = np.append(order, picked)
    channels = len(x) // trace.patch_size**2
    terms = []
    for index in order.tolist():
        row, col, channel = pixel_of(index, trace.patch_size, channels)
        terms.append(
            ProductTerm(
                index=index,
                row=row,
                col=col,
                channel=channel,
                x=float(x[index]),
                weight=float(weight[index]),
                value=float(values[index]),
            )
        )
    others = np.ones(len(values), dtype=bool)
    others[order] = False
    return WorkedProduct(
        shown=tuple(terms),
        num_rest=int(others.sum()),
        rest=float(values[others].sum()),
        total=float(values.sum()),
        bias=float(arrays.embed_bias[dimension]),
    )


def model_number(trace: Trace, patch: int, dimension: int) -> float:
    """The same number in the model's own run.

    Parameters
    ----------
    trace : Trace
    patch, dimension : int

    Returns
    -------
    float
        What the model's convolution gave: its token (float32) without the 𝑬_pos that was added to it. Where a
        model normalises patch embeddings before that, their product in float32 instead.
    """
    if trace.arrays.embed_norm is not None:
        return float(trace.patch_embeddings[patch, dimension])
    token = trace.num_prefix + patch
    return float(trace.tokens[token, dimension]) - float(trace.pos_embed[token, dimension])


# -- the product as three matrices -------------------------------------------------------------------------------------


def patches_figure(
    trace: Trace, *, rows: Axis, cols: Axis, title: str = "", label: str = "", stem: str = "embedding"
) -> MatrixFigure:
    """``x_p``: (N, P²·C), on a symmetric scale."""
    return _matrix(trace.patches, rows, cols, title, label, stem)


def weights_figure(
    arrays: ModelArrays, *, rows: Axis, cols: Axis, title: str = "", label: str = "", stem: str = "embedding"
) -> MatrixFigure:
    """``E``: (P²·C, D), on a symmetric scale."""
    return _matrix(arrays.embed_weight, rows, cols, title, label, stem)


def embeddings_figure(
    trace: Trace, *, rows: Axis, cols: Axis, title: str = "", label: str = "", stem: str = "embedding"
) -> MatrixFigure:
    """``x_p E + b``: (N, D), on a symmetric scale."""
    return _matrix(trace.patch_embeddings, rows, cols, title, label, stem)


def _matrix(values: NDArray[np.float32], rows: Axis, cols: Axis, title: str, label: str, stem: str) -> MatrixFigure:
    return MatrixFigure(
        values=values,
        rows=rows,
        cols=cols,
        scale=symmetric_scale(values, label),
        title=title,
        stem=stem,
        # Of a patch of 32 × 32 pixels many weights share a cell: their mean would be next to nothing.
        binning="max",
        # A matrix that is far longer than wide would be a hair line with square cells.
        aspect="equal" if 1 / 6 <= values.shape[0] / values.shape[1] <= 3 else "fill",
    )


# -- one number of it --------------------------------------------------------------------------------------------------


def patch_and_filter_tiles(
    trace: Trace,
    patch: int,
    dimension: int,
    *,
    captions: Sequence[str],
    title: str = "",
    note: str = "",
    stem: str = "embedding",
) -> TilesFigure:
    """The patch and the filter that it is multiplied with, as two RGB tiles.

    Parameters
    ----------
    trace : Trace
    patch, dimension : int
    captions : sequence of str
        Of the patch, and of the filter.
    title, note, stem : str

    Returns
    -------
    TilesFigure
        Of shape (2, P, P, 3): the patch as the pixels that the model saw, the filter's weights around mid-grey up to
        the largest of them.
    """
    spec, side = trace.spec, trace.patch_size
    picture = trace.patches[patch].reshape(side, side, 3).astype(np.float64)
    pixels = picture * np.asarray(spec.std) + np.asarray(spec.mean)
    colours = np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8)
    return TilesFigure(
        values=np.stack([colours, *own_rgb(trace.arrays.filters[dimension][None])]),
        captions=captions,
        columns=2,
        title=title,
        note=note,
        stem=stem,
    )


def terms_figure(
    trace: Trace,
    patch: int,
    dimension: int,
    *,
    rows: str,
    cols: str,
    title: str = "",
    label: str = "",
    stem: str = "embedding",
) -> MatrixFigure:
    """Where in the patch the sum comes from: ``x_i E_i,d``, the three channels of a pixel added up; (P, P)."""
    side = trace.patch_size
    terms = trace.patches[patch].astype(np.float64) * trace.arrays.embed_weight[:, dimension]
    values = terms.reshape(side, side, -1).sum(axis=2)
    return MatrixFigure(
        values=values,
        rows=Axis(name=rows),
        cols=Axis(name=cols),
        scale=symmetric_scale(values, label),
        title=title,
        stem=stem,
    )


# -- the filters of E --------------------------------------------------------------------------------------------------


def signed_rgb(values: NDArray[np.floating], reach: float) -> NDArray[np.uint8]:
    """Signed values as colours: 0 is mid-grey, ``±reach`` and beyond are 255 and 0.

    Parameters
    ----------
    values : (..., 3) array
    reach : float
        Positive.

    Returns
    -------
    (..., 3) uint8 array
    """
    return np.clip(np.rint(127.5 + 127.5 * values.astype(np.float64) / reach), 0, 255).astype(np.uint8)


def filter_reach(arrays: ModelArrays) -> float:
    """The weight whose colour is the brightest: the 99.5th percentile of the magnitudes in 𝑬, for all filters."""
    return values_reach(arrays.embed_weight)


def values_reach(values: NDArray[np.floating]) -> float:
    """The 99.5th percentile of the magnitudes; 1 for zeros."""
    return float(np.percentile(np.abs(values), FILTER_PERCENTILE)) or 1.0


def own_rgb(pictures: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Signed pictures (n, P, P, 3) as colours around grey, each up to its own largest magnitude."""
    return np.stack([signed_rgb(picture, float(np.abs(picture).max()) or 1.0) for picture in pictures])


def filter_tiles(
    arrays: ModelArrays,
    start: int,
    stop: int,
    *,
    shared: bool = True,
    captions: Sequence[str],
    title: str = "",
    note: str = "",
    stem: str = "embedding",
) -> TilesFigure:
    """Columns ``start … stop - 1`` of 𝑬 as RGB tiles (P, P, 3), on the scale that all share or each its own."""
    filters = arrays.filters[start:stop]
    return TilesFigure(
        values=signed_rgb(filters, filter_reach(arrays)) if shared else own_rgb(filters),
        captions=captions,
        columns=16,
        title=title,
        note=note,
        stem=stem,
    )


def principal_components(arrays: ModelArrays, count: int = 28) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Principal components of the filters of 𝑬 (ViT paper, Fig. 7 left).

    Parameters
    ----------
    arrays : ModelArrays
    count : int
        At most so many; there are no more than P²·C, nor than D - 1 directions in which D filters differ.

    Returns
    -------
    components : (count, P, P, C) float32 array
        Of length 1, the one that explains most first. Their sign means nothing; it is chosen so that the entry
        furthest from 0 is positive.
    shares : (count,) float64 array
        Each one's share of the filters' variance.
    """
    filters = arrays.embed_weight.T.astype(np.float64)
    filters = filters - filters.mean(axis=0)
    _, lengths, directions = np.linalg.svd(filters, full_matrices=False)
    count = max(1, min(count, len(filters) - 1, filters.shape[1]))
    components = directions[:count]
    furthest = components[np.arange(count), np.abs(components).argmax(axis=1)]
    components = components * np.where(furthest < 0, -1.0, 1.0)[:, None]
    variance = lengths**2
    shares = variance[:count] / (variance.sum() or 1.0)
    return components.reshape(count, *arrays.filters.shape[1:]).astype(np.float32), shares


def component_tiles(
    components: NDArray[np.float32],
    *,
    shared: bool = True,
    captions: Sequence[str],
    title: str = "",
    note: str = "",
    stem: str = "embedding",
) -> TilesFigure:
    """Principal components (count, P, P, 3) as RGB tiles, on one scale (all have length 1) or each its own."""
    return TilesFigure(
        values=signed_rgb(components, values_reach(components)) if shared else own_rgb(components),
        captions=captions,
        columns=14,
        title=title,
        note=note,
        stem=stem,
    )
