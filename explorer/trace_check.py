"""Whether a trace from a file holds together: types, shapes and ranges, before anyone works with it."""

from __future__ import annotations

import math
import re
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from explorer.arrays import BlockArrays, LinearArrays, MlpArrays, ModelArrays, NormArrays, PoolArrays
from explorer.images import CROP_MODES, INTERPOLATIONS
from explorer.interventions import Intervention
from explorer.numerics import ACTIVATIONS
from explorer.positions import SinusoidalKind
from explorer.specs import ModelSpec
from explorer.trace import Trace

__all__ = ["check_trace"]

_POOLINGS = ("token", "avg", "max", "avgmax", "map", "prr")
_PREFIX_NAME = re.compile(r"CLS|DIST|REG[1-9]\d{0,3}")
#: A smaller share would make the picture that the crop is cut from larger than any number.
_MIN_CROP_PCT = 1e-3


def check_trace(trace: Trace) -> None:
    """Make sure that whatever is worked out of a trace can be worked out.

    Raises
    ------
    ValueError or ExplorerError
        If parts have another type, a shape that does not fit the others, or a value that means nothing.
    """
    _typed(trace)
    _check_spec(trace.spec)
    _check_run(trace)
    if trace.weights is not None:
        _check_weights(trace, trace.weights)


def _require(fits: bool, what: str) -> None:
    if not fits:
        raise ValueError(what)


def _typed(value: Any) -> None:
    """Raise a ValueError unless every field of a dataclass, and of those in it, is what its annotation says."""
    for name, kind in get_type_hints(type(value)).items():
        # An intervention makes sure of its own parts when it is made.
        if kind is not Intervention:
            _require(_is(getattr(value, name), kind), name)


def _is(value: Any, kind: Any) -> bool:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return any(_is(value, part) for part in parts)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return len(value) == len(kinds) and all(map(_is, value, kinds))
    if origin is np.ndarray:
        (scalar,) = get_args(parts[1])
        return isinstance(value, np.ndarray) and value.dtype == scalar
    if is_dataclass(kind):
        if type(value) is kind:
            _typed(value)
        return type(value) is kind
    # Nothing that is counted here goes below zero; True is no 1.
    if kind is int:
        return type(value) is int and value >= 0
    if kind is float:
        return type(value) is float and math.isfinite(value)
    return type(value) is (NoneType if kind is None else kind)


def _check_spec(spec: ModelSpec) -> None:
    _require(min(spec.depth, spec.heads, spec.dim, spec.head_dim, spec.mlp_dim) > 0, "sizes")
    _require(0 < spec.patch_size <= spec.image_size, "patch_size")
    _require(min((*spec.trained_patch_sizes, *spec.trained_image_sizes), default=1) > 0, "trained sizes")
    names = spec.prefix_names
    _require(len({*names}) == len(names) and all(map(_PREFIX_NAME.fullmatch, names)), "prefix_names")
    _require(not spec.distilled or names[:2] == ("CLS", "DIST"), "prefix_names")
    _require(spec.pooling in _POOLINGS and (spec.pooling != "token" or bool(names)), "pooling")
    _require(min(spec.std) > 0 and _MIN_CROP_PCT <= spec.crop_pct <= 1, "std, crop_pct")
    _require(spec.interpolation in INTERPOLATIONS and spec.crop_mode in CROP_MODES, "interpolation, crop_mode")
    _require(spec.frozen_positions in ("", *get_args(SinusoidalKind)), "frozen_positions")


def _check_run(trace: Trace) -> None:
    spec, tokens = trace.spec, trace.num_tokens
    _require(0 < trace.patch_size <= trace.image_size, "patch_size")
    side = trace.image_size // trace.patch_size
    _require(trace.grid == (side, side) and trace.prefix_names == spec.prefix_names, "grid, prefix_names")
    heads = (spec.depth, spec.heads, tokens, spec.head_dim)
    expected: dict[str, tuple[int, ...]] = {
        "image": (trace.image_size, trace.image_size, 3),
        "patches": (trace.num_patches, trace.patch_size**2 * 3),
        "tokens": (tokens, spec.dim),
        "z": (spec.depth + 1, tokens, spec.dim),
        "q": heads,
        "k": heads,
        "v": heads,
        "output": (_outputs(spec) or spec.dim,),
        "patch_index": (trace.num_patches,),
    }
    for name, shape in expected.items():
        _require(getattr(trace, name).shape == shape, name)
    change, patches = trace.intervention, side * side
    change.check(depth=spec.depth, heads=spec.heads, num_prefix=spec.num_prefix, num_patches=patches, dim=spec.dim)
    _require(np.array_equal(trace.patch_index, change.layout(patches)[1]), "patch_index")


def _outputs(spec: ModelSpec) -> int:
    return spec.num_classes or spec.projection_dim


def _check_weights(trace: Trace, weights: ModelArrays) -> None:
    spec, dim = trace.spec, trace.spec.dim
    patches = trace.grid[0] * trace.grid[1]
    _require((weights.patch_size, weights.image_size) == (trace.patch_size, trace.image_size), "weights: sizes")
    _require(weights.embed_weight.shape == (trace.patch_size**2 * 3, dim), "embed_weight")
    _require(weights.embed_bias.shape == (dim,), "embed_bias")
    _require(weights.prefix_tokens.shape == (spec.num_prefix, dim), "prefix_tokens")
    _require(weights.pos_embed.shape == (spec.num_prefix + patches, dim), "pos_embed")
    for norm in (weights.embed_norm, weights.norm_pre, weights.norm, weights.fc_norm):
        _check_norm(norm, dim)
    _require(len(weights.blocks) == spec.depth, "blocks")
    for block in weights.blocks:
        _check_block(block, spec)
    _require((weights.pool is not None) == (spec.pooling in ("map", "prr")), "pool")
    if weights.pool is not None:
        _check_pool(weights.pool, spec)
    outputs = _outputs(spec)
    _require(len(weights.heads) == (0 if not outputs else 2 if spec.distilled else 1), "heads")
    for head in weights.heads:
        _check_linear(head, dim, outputs)


def _check_linear(linear: LinearArrays | None, inputs: int, outputs: int) -> None:
    if linear is not None:
        _require(linear.weight.shape == (inputs, outputs), "weight")
        _require(linear.bias is None or linear.bias.shape == (outputs,), "bias")


def _check_norm(norm: NormArrays | None, dim: int) -> None:
    if norm is not None:
        _require(norm.kind in ("layer", "rms") and norm.eps >= 0, "norm")
        _require(all(part is None or part.shape == (dim,) for part in (norm.weight, norm.bias)), "norm")


def _check_mlp(mlp: MlpArrays, dim: int, hidden: int) -> None:
    _require(mlp.activation in ACTIVATIONS, "activation")
    _check_linear(mlp.fc1, dim, hidden)
    _check_linear(mlp.gate, dim, hidden)
    _check_norm(mlp.norm, hidden)
    _check_linear(mlp.fc2, hidden, dim)


def _check_block(block: BlockArrays, spec: ModelSpec) -> None:
    dim, joined = spec.dim, spec.heads * spec.head_dim
    _require(block.heads == spec.heads and (block.mlp.gate is not None) == spec.mlp_gated, "block")
    _require(block.scale1.shape == block.scale2.shape == (dim,), "scale")
    for norm, size in (
        (block.norm1, dim),
        (block.norm2, dim),
        (block.q_norm, spec.head_dim),
        (block.k_norm, spec.head_dim),
        (block.attn_norm, joined),
    ):
        _check_norm(norm, size)
    _check_linear(block.qkv, dim, 3 * joined)
    _check_linear(block.attn_gate, dim, joined)
    _check_linear(block.proj, joined, dim)
    _check_mlp(block.mlp, dim, spec.mlp_dim)


def _check_pool(pool: PoolArrays, spec: ModelSpec) -> None:
    dim = spec.dim
    _require(pool.kind == spec.pooling and pool.pool in ("token", "avg"), "pool")
    _require(pool.heads > 0 and dim % pool.heads == 0, "pool")
    learned = pool.kind == "map"
    _require((pool.latent is not None) == (pool.kv is not None) == learned, "pool")
    _require(pool.latent is None or (len(pool.latent) > 0 and pool.latent.shape[1:] == (dim,)), "latent")
    _check_linear(pool.kv, dim, 2 * dim)
    _check_norm(pool.k_norm, dim // pool.heads)
    _check_linear(pool.proj, dim, dim)
    for norm in (pool.pre_norm, pool.norm):
        _check_norm(norm, dim)
    if pool.mlp is not None:
        _require(pool.mlp.fc2.weight.ndim == 2, "pool")
        _check_mlp(pool.mlp, dim, len(pool.mlp.fc2.weight))
