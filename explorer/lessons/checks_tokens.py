"""Checks of lessons 1 to 3: patches, embedding, CLS and position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.lessons.check import Check
from explorer.positions import BASE, cosine_similarity, sinusoidal_1d

if TYPE_CHECKING:
    from explorer.lessons.session import Lesson

__all__ = ["DIMENSION", "PATCH", "POSITION", "TOKEN_CHECKS", "WAVE"]

#: The patch that is cut out and embedded: off the diagonal, so that row and column cannot be taken for each other.
PATCH = 21
#: The dimension of its embedding that is worked out.
DIMENSION = 5
#: The patch whose position is compared.
POSITION = 27
#: The column 2i of the sinusoidal table whose wavelength is asked for.
WAVE = 64


# -- lesson 1 ------------------------------------------------------------------------------------------------------


def _scaled(lesson: Lesson) -> Any:
    """(H, W, C): the image, 0 … 1."""
    return lesson.trace.image / 255.0


def _mean_std(lesson: Lesson) -> tuple[Any, Any]:
    spec = lesson.trace.spec
    return np.array(spec.mean), np.array(spec.std)


def _pixels(lesson: Lesson) -> Any:
    """(H, W, C): what the model gets, put together from the patches of the run."""
    trace = lesson.trace
    (rows, cols), side = trace.grid, trace.patch_size
    return (
        trace.patches.reshape(rows, cols, side, side, 3).transpose(0, 2, 1, 3, 4).reshape(rows * side, cols * side, 3)
    )


def _square(lesson: Lesson, patch: int = PATCH) -> Any:
    """(P, P, C): one patch."""
    side = lesson.trace.patch_size
    return lesson.trace.patches[patch].reshape(side, side, 3)


def _other_patch(lesson: Lesson) -> int:
    """The patch with row and column exchanged."""
    row, col = divmod(PATCH, lesson.trace.grid[1])
    return col * lesson.trace.grid[1] + row


def _cut_at_its_row_and_column(lesson: Lesson) -> Any:
    """(P²·C,): what lies at the patch's row and column, taken for pixels."""
    row, col = divmod(PATCH, lesson.trace.grid[1])
    side = lesson.trace.patch_size
    return _pixels(lesson)[row : row + side, col : col + side].reshape(-1)


def _raw_patches(lesson: Lesson) -> Any:
    """(N, P²·C): cut from the image that is not normalised."""
    trace = lesson.trace
    (rows, cols), side = trace.grid, trace.patch_size
    return trace.image.reshape(rows, side, cols, side, 3).swapaxes(1, 2).reshape(trace.patches.shape)


def _columns_first(lesson: Lesson) -> Any:
    """(N, P²·C): the patches counted column by column."""
    trace = lesson.trace
    return trace.patches.reshape(*trace.grid, -1).transpose(1, 0, 2).reshape(trace.patches.shape)


def _channels_first(lesson: Lesson) -> Any:
    """(N, P²·C): all red values of a patch, then all green ones, then all blue ones."""
    trace = lesson.trace
    side = trace.patch_size
    return trace.patches.reshape(-1, side, side, 3).transpose(0, 3, 1, 2).reshape(trace.patches.shape)


def _assembled_by_columns(lesson: Lesson) -> Any:
    """(H, W, C): the picture whose patches change places, row for column."""
    trace = lesson.trace
    (rows, cols), side = trace.grid, trace.patch_size
    squares = trace.patches.reshape(rows, cols, side, side, 3)
    return squares.transpose(1, 2, 0, 3, 4).reshape(cols * side, rows * side, 3)


_PATCHES = {
    "patches.count": Check(
        "number",
        lambda lesson: lesson.trace.num_patches,
        {
            "counts-cls": lambda lesson: lesson.trace.num_tokens,
            "one-side": lambda lesson: lesson.trace.grid[0],
            "pixels": lambda lesson: lesson.trace.image_size**2,
            "caret": lambda lesson: (lesson.trace.image_size**2 // lesson.trace.patch_size) ^ 2,
        },
    ),
    "patches.length": Check(
        "number",
        lambda lesson: lesson.trace.patches.shape[1],
        {"no-channels": lambda lesson: lesson.trace.patch_size**2},
    ),
    "patches.pixels": Check(
        "array",
        lambda lesson: (_scaled(lesson) - _mean_std(lesson)[0]) / _mean_std(lesson)[1],
        {
            "no-255": lambda lesson: (lesson.trace.image - _mean_std(lesson)[0]) / _mean_std(lesson)[1],
            "no-mean-std": _scaled,
            "no-std": lambda lesson: _scaled(lesson) - _mean_std(lesson)[0],
            "raw-pixels": lambda lesson: lesson.trace.image,
            "order-of-operations": lambda lesson: _scaled(lesson) - _mean_std(lesson)[0] / _mean_std(lesson)[1],
        },
    ),
    "patches.vector": Check(
        "array",
        lambda lesson: lesson.trace.patches[PATCH],
        {
            "not-flat": _square,
            "row-and-column": lambda lesson: lesson.trace.patches[_other_patch(lesson)],
            "row-and-column-not-flat": lambda lesson: _square(lesson, _other_patch(lesson)),
            "from-one": lambda lesson: lesson.trace.patches[PATCH - 1],
            "channels-first": lambda lesson: _channels_first(lesson)[PATCH],
            "columns-of-pixels": lambda lesson: _square(lesson).transpose(1, 0, 2).reshape(-1),
            "place-in-patches": _cut_at_its_row_and_column,
            "raw-patches": lambda lesson: _raw_patches(lesson)[PATCH],
        },
    ),
    "patches.all": Check(
        "array",
        lambda lesson: lesson.trace.patches,
        {
            "no-transpose": lambda lesson: _pixels(lesson).reshape(lesson.trace.patches.shape),
            "columns-first": _columns_first,
            "channels-first": _channels_first,
            "raw-patches": _raw_patches,
            "patches-not-flat": lambda lesson: lesson.trace.patches.reshape(
                *lesson.trace.grid, lesson.trace.patch_size, lesson.trace.patch_size, 3
            ),
        },
    ),
    "patches.sixteen": Check(
        "shape",
        lambda lesson: lesson.run(patch_size=16).patches.shape,
        {
            "unchanged": lambda lesson: lesson.trace.patches.shape,
            "with-cls": lambda lesson: (
                lesson.run(patch_size=16).num_tokens,
                lesson.run(patch_size=16).patches.shape[1],
            ),
            "length-unchanged": lambda lesson: (lesson.run(patch_size=16).num_patches, lesson.trace.patches.shape[1]),
            "no-channels": lambda lesson: (lesson.run(patch_size=16).num_patches, 16 * 16),
        },
    ),
    "patches.picture": Check(
        "array",
        _pixels,
        {
            "no-transpose": lambda lesson: lesson.trace.patches.reshape(lesson.trace.image.shape),
            "columns-first": _assembled_by_columns,
        },
    ),
}


# -- lesson 2 ------------------------------------------------------------------------------------------------------


def _product(lesson: Lesson) -> Any:
    """(N, D): 𝒙ₚ𝑬, without the bias."""
    return lesson.trace.patches @ lesson.trace.arrays.embed_weight


def _other_way(lesson: Lesson) -> Any:
    """(N, D): with 𝑬 turned on its side, which fits where P²C = D."""
    arrays = lesson.trace.arrays
    return lesson.trace.patches @ arrays.embed_weight.T + arrays.embed_bias


_EMBEDDING = {
    "embedding.number": Check(
        "number",
        lambda lesson: lesson.trace.patch_embeddings[PATCH, DIMENSION],
        {
            "no-bias": lambda lesson: _product(lesson)[PATCH, DIMENSION],
            "row-of-e": lambda lesson: _other_way(lesson)[PATCH, DIMENSION],
            "row-of-e-no-bias": lambda lesson: (
                lesson.trace.patches[PATCH] @ lesson.trace.arrays.embed_weight[DIMENSION]
            ),
        },
    ),
    "embedding.one": Check(
        "array",
        lambda lesson: lesson.trace.patch_embeddings[PATCH],
        {
            "no-bias": lambda lesson: _product(lesson)[PATCH],
            "e-transposed": lambda lesson: _other_way(lesson)[PATCH],
            "elementwise": lambda lesson: lesson.trace.patches[PATCH][:, None] * lesson.trace.arrays.embed_weight,
        },
    ),
    "embedding.all": Check(
        "array",
        lambda lesson: lesson.trace.patch_embeddings,
        {"no-bias": _product, "e-transposed": _other_way},
    ),
    "embedding.blank": Check(
        "array",
        lambda lesson: lesson.trace.arrays.embed_bias,
        {
            "zeros": lambda lesson: np.zeros_like(lesson.trace.arrays.embed_bias),
            "black": lambda lesson: _constant_patch(lesson, 0.0),
        },
    ),
    "embedding.sixteen": Check(
        "shape",
        lambda lesson: lesson.run(patch_size=16).arrays.embed_weight.shape,
        {
            "unchanged": lambda lesson: lesson.trace.arrays.embed_weight.shape,
            "both-changed": lambda lesson: (lesson.run(patch_size=16).patches.shape[1],) * 2,
            "no-channels": lambda lesson: (16 * 16, lesson.trace.spec.dim),
        },
    ),
}


def _constant_patch(lesson: Lesson, value: float) -> Any:
    """(D,): the embedding of a patch that is one colour."""
    mean, std = _mean_std(lesson)
    arrays = lesson.trace.arrays
    patch = np.tile((value - mean) / std, lesson.trace.patch_size**2)
    return patch @ arrays.embed_weight + arrays.embed_bias


# -- lesson 3 ------------------------------------------------------------------------------------------------------


def _stack(lesson: Lesson) -> Any:
    """(T, D): CLS on top of the embeddings."""
    return np.concatenate([lesson.trace.prefix_tokens, lesson.trace.patch_embeddings])


def _cls_last(lesson: Lesson) -> Any:
    """(T, D): CLS below them."""
    return np.concatenate([lesson.trace.patch_embeddings, lesson.trace.prefix_tokens])


def _angles(lesson: Lesson, factor: float = 1.0, first: int = 0) -> Any:
    """(N, D/2): what slide 14 takes the sine and the cosine of."""
    trace = lesson.trace
    exponent = np.arange(0, trace.spec.dim, 2) / trace.spec.dim
    return (np.arange(trace.num_patches) + first)[:, None] / BASE ** (factor * exponent)


def _interleaved(even: Any, odd: Any) -> Any:
    return np.stack([even, odd], axis=-1).reshape(len(even), -1)


def _likeness(lesson: Lesson) -> Any:
    """(N,): how alike the position of :data:`POSITION` is to every other one; itself left out."""
    trace = lesson.trace
    similarity = cosine_similarity(trace.pos_embed[trace.num_prefix :], POSITION).copy()
    similarity[POSITION] = -np.inf
    return similarity


_POSITION = {
    "position.stack": Check(
        "array",
        _stack,
        {
            "cls-last": _cls_last,
            "no-cls": lambda lesson: lesson.trace.patch_embeddings,
            "already-added": lambda lesson: lesson.trace.tokens,
        },
    ),
    "position.z0": Check(
        "array",
        lambda lesson: lesson.trace.tokens,
        {
            "no-position": _stack,
            "cls-last": lambda lesson: _cls_last(lesson) + lesson.trace.pos_embed,
            "multiplied": lambda lesson: _stack(lesson) * lesson.trace.pos_embed,
            "no-cls": lambda lesson: lesson.trace.tokens[lesson.trace.num_prefix :],
        },
    ),
    "position.waves": Check(
        "array",
        lambda lesson: sinusoidal_1d(lesson.trace.num_patches, lesson.trace.spec.dim),
        {
            "halves": lambda lesson: np.concatenate([np.sin(_angles(lesson)), np.cos(_angles(lesson))], axis=1),
            "cosine-first": lambda lesson: _interleaved(np.cos(_angles(lesson)), np.sin(_angles(lesson))),
            "half-exponent": lambda lesson: _interleaved(np.sin(_angles(lesson, 0.5)), np.cos(_angles(lesson, 0.5))),
            "double-exponent": lambda lesson: _interleaved(np.sin(_angles(lesson, 2)), np.cos(_angles(lesson, 2))),
            "positions-from-one": lambda lesson: _interleaved(
                np.sin(_angles(lesson, 1, 1)), np.cos(_angles(lesson, 1, 1))
            ),
        },
    ),
    "position.nearest": Check(
        "index",
        lambda lesson: int(_likeness(lesson).argmax()),
        {
            "itself": lambda lesson: POSITION,
            "token-number": lambda lesson: int(_likeness(lesson).argmax()) + lesson.trace.num_prefix,
        },
    ),
    "position.wavelength": Check(
        "number",
        lambda lesson: 2 * np.pi * BASE ** (WAVE / lesson.trace.spec.dim),
        {
            "no-two-pi": lambda lesson: BASE ** (WAVE / lesson.trace.spec.dim),
            "double-exponent": lambda lesson: 2 * np.pi * BASE ** (2 * WAVE / lesson.trace.spec.dim),
        },
        tolerance=1e-3,
    ),
}

TOKEN_CHECKS: Mapping[str, Check] = {**_PATCHES, **_EMBEDDING, **_POSITION}
