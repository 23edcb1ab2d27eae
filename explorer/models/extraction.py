"""From a timm module to what is known of it: its :class:`ModelSpec` and its weights as NumPy arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from explorer.arrays import BlockArrays, LinearArrays, MlpArrays, ModelArrays, NormArrays, PoolArrays
from explorer.errors import ExplorerError
from explorer.numerics import Array
from explorer.specs import ModelSpec
from explorer.torch_compat import import_timm

import_timm()

from timm.layers.attention import Attention  # noqa: E402
from timm.layers.attention_pool import AttentionPoolLatent, AttentionPoolPrr  # noqa: E402
from timm.layers.layer_scale import LayerScale  # noqa: E402
from timm.layers.mlp import GluMlp, Mlp, SwiGLU  # noqa: E402
from timm.layers.norm import RmsNorm, RmsNormFp32  # noqa: E402
from timm.models import deit, vision_transformer  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["check_supported", "model_arrays", "model_spec", "resized_arrays"]

#: A module of timm's: it carries types, but torch's say of any submodule that it may be a tensor.
Timm = Any

_POOLINGS = ("token", "avg", "max", "avgmax", "map", "prr")
#: FlexiViT was trained with these at 240 pixels (Beyer et al. 2023).
_FLEXI_PATCH_SIZES = (8, 10, 12, 15, 16, 20, 24, 30, 40, 48)
#: Heads with as many outputs are classifiers, also in a CLIP architecture.
_CLASS_COUNTS = (1000, 10450, 11221, 11821, 12000, 21841, 21843)


def check_supported(model: Timm, name: str) -> None:
    """Refuse a module that does something which slides 7 to 27 (and our arrays) do not describe.

    Parameters
    ----------
    model : Module
        May be without weights (on torch's ``meta`` device).
    name : str
        What the user called it.

    Raises
    ------
    ExplorerError
        ``model-not-vit`` for another class; ``model-not-supported`` for blocks that are parallel, differential or
        post-norm, for unknown layers, or without pooling; ``model-input-not-supported`` if the input is no square
        of three colours.
    """
    if type(model) not in (vision_transformer.VisionTransformer, deit.VisionTransformerDistilled):
        raise ExplorerError("model-not-vit", name=name)
    try:
        for block in model.blocks:
            if type(block) is not vision_transformer.Block or type(block.attn) is not Attention:
                raise _Unknown
            _describe_mlp(block.mlp)
            if _describe_norm(block.norm1) is None or _describe_norm(block.norm2) is None:
                raise _Unknown
            for norm in (block.attn.q_norm, block.attn.k_norm, block.attn.norm):
                _describe_norm(norm)
            if any(type(scale) not in (LayerScale, nn.Identity) for scale in (block.ls1, block.ls2)):
                raise _Unknown
        for norm in (model.norm_pre, model.norm, model.fc_norm, model.patch_embed.norm):
            _describe_norm(norm)
        if model.global_pool not in _POOLINGS or not len(model.blocks):
            raise _Unknown
        if model.attn_pool is not None:
            _describe_pool(model.attn_pool)
    except _Unknown:
        raise ExplorerError("model-not-supported", name=name) from None
    embed = model.patch_embed
    square = embed.img_size is not None and len({*embed.img_size}) == 1 and len({*embed.patch_size}) == 1
    if not square or model.in_chans != 3 or embed.dynamic_img_pad or embed.img_size[0] < embed.patch_size[0]:
        raise ExplorerError("model-input-not-supported", name=name)


def model_spec(
    model: Timm,
    name: str,
    *,
    random_weights: bool,
    trained_patch_sizes: tuple[int, ...] = (),
    frozen_positions: str = "",
    folder: Path | None = None,
) -> ModelSpec:
    """Facts of a module that :func:`check_supported` accepts.

    Parameters
    ----------
    model : VisionTransformer
    name : str
        What the user called it.
    random_weights : bool
    trained_patch_sizes : tuple of int
        Where more is known than the patch size that it was made with.
    frozen_positions : str
        As in :class:`~explorer.specs.ModelSpec`.
    folder : pathlib.Path, optional
        Where the model comes from; it may name its classes.
    """
    config = model.pretrained_cfg
    block = model.blocks[0]
    architecture = str(config.get("architecture", ""))
    patch_size, image_size = int(model.patch_embed.patch_size[0]), int(model.patch_embed.img_size[0])
    flexi = architecture.startswith("flexivit") and image_size == 240
    outputs = model.num_classes
    projection = "clip" in architecture and _is_projection(model, random_weights, folder)
    return ModelSpec(
        name=name,
        architecture=architecture,
        image_size=image_size,
        patch_size=patch_size,
        depth=len(model.blocks),
        heads=block.attn.num_heads,
        dim=model.embed_dim,
        head_dim=block.attn.head_dim,
        mlp_dim=block.mlp.fc2.in_features,
        num_classes=0 if projection else outputs,
        num_params=sum(parameter.numel() for parameter in model.parameters()),
        prefix_names=_prefix_names(model),
        pooling=model.global_pool,
        trained_patch_sizes=trained_patch_sizes or (_FLEXI_PATCH_SIZES if flexi else (patch_size,)),
        trained_image_sizes=(image_size,),
        random_weights=random_weights,
        mean=_colours(config.get("mean")),
        std=_colours(config.get("std")),
        crop_pct=float(config.get("crop_pct") or 0.875),
        crop_mode=str(config.get("crop_mode") or "center"),
        interpolation=str(config.get("interpolation") or "bicubic"),
        mlp_gated=type(block.mlp) is not Mlp,
        projection_dim=outputs if projection else 0,
        pool_include_prefix=bool(model.pool_include_prefix),
        # A table of sines and cosines of the column and of the row.
        frozen_positions=frozen_positions if not random_weights and model.embed_dim % 4 == 0 else "",
    )


def model_arrays(model: Timm, spec: ModelSpec) -> ModelArrays:
    """The weights of a module as read-only arrays; they share its memory."""
    return ModelArrays(
        spec=spec,
        **_size_dependent(model),
        embed_norm=_norm(model.patch_embed.norm),
        prefix_tokens=_prefix_tokens(model),
        learned_pos_embed=model.pos_embed is not None,
        norm_pre=_norm(model.norm_pre),
        blocks=tuple(_block(block) for block in model.blocks),
        norm=_norm(model.norm),
        pool=None if model.attn_pool is None else _pool(model.attn_pool),
        fc_norm=_norm(model.fc_norm),
        heads=_heads(model),
    )


def resized_arrays(base: ModelArrays, model: Timm) -> ModelArrays:
    """The arrays of the same model at another patch or image size: only 𝑬 and 𝑬_pos differ."""
    return replace(base, **_size_dependent(model))


class _Unknown(Exception):
    """A layer that our arrays do not describe."""


def _is_projection(model: Timm, random_weights: bool, folder: Path | None) -> bool:
    """Whether the head of a CLIP architecture leads to the space that is shared with texts, and not to classes."""
    if model.num_classes <= 0 or model.num_classes in _CLASS_COUNTS or _names_classes(model, folder):
        return False
    # CLIP's projection has no bias, and timm's layer gets zeros for one; that of a head which was trained is none.
    # Random weights tell nothing.
    bias = model.head.bias
    return random_weights or bias is None or not bool(bias.any())


def _names_classes(model: Timm, folder: Path | None) -> bool:
    from explorer.labels import LABELS_NAME, labels_for

    if folder is not None and (folder / LABELS_NAME).is_file():
        return True  # Whether it can be read is found out where the names are wanted.
    return len(labels_for(dict(model.pretrained_cfg) | {"num_classes": model.num_classes}, folder)) > 0


def _colours(values: Sequence[float] | None) -> tuple[float, float, float]:
    red, green, blue = values or (0.5, 0.5, 0.5)
    return float(red), float(green), float(blue)


def _numpy(tensor: torch.Tensor) -> Array:
    """A read-only view of a tensor."""
    array: Array = tensor.detach().numpy().view()
    array.setflags(write=False)
    return array


def _own(array: NDArray[Any]) -> Array:
    copied: Array = np.ascontiguousarray(array, dtype=np.float32)
    copied.setflags(write=False)
    return copied


def _prefix_names(model: Timm) -> tuple[str, ...]:
    names = ["CLS"] if model.cls_token is not None else []
    if isinstance(model, deit.VisionTransformerDistilled):
        names.append("DIST")
    return (*names, *(f"REG{number + 1}" for number in range(model.num_reg_tokens)))


def _prefix_tokens(model: Timm) -> Array:
    tokens = [model.cls_token, getattr(model, "dist_token", None), model.reg_token]
    parts = [token.detach().numpy()[0] for token in tokens if token is not None]
    return _own(np.concatenate(parts) if parts else np.zeros((0, model.embed_dim)))


def _size_dependent(model: Timm) -> dict[str, Any]:
    embed = model.patch_embed
    kernel = embed.proj.weight.detach().numpy()
    table = np.zeros((model.num_prefix_tokens + embed.num_patches, model.embed_dim), dtype=np.float32)
    if model.pos_embed is not None:
        learned = model.pos_embed.detach().numpy()[0]
        table[len(table) - len(learned) :] = learned
    bias = np.zeros(model.embed_dim, dtype=np.float32) if embed.proj.bias is None else embed.proj.bias.detach().numpy()
    return {
        "patch_size": int(embed.patch_size[0]),
        "image_size": int(embed.img_size[0]),
        # (D, C, P, P) to rows in the order of a patch's pixels: line, column, colour.
        "embed_weight": _own(kernel.transpose(2, 3, 1, 0).reshape(-1, model.embed_dim)),
        "embed_bias": _own(bias),
        "pos_embed": _own(table),
    }


def _linear(linear: Timm, part: slice = slice(None)) -> LinearArrays:
    bias = None if linear.bias is None else _numpy(linear.bias[part])
    return LinearArrays(weight=_numpy(linear.weight[part].T), bias=bias)


def _describe_norm(norm: Timm) -> str | None:
    if isinstance(norm, nn.Identity):
        return None
    if isinstance(norm, nn.LayerNorm):
        return "layer"
    if isinstance(norm, (RmsNorm, RmsNormFp32)):
        return "rms"
    raise _Unknown


def _norm(norm: Timm) -> NormArrays | None:
    kind = _describe_norm(norm)
    if kind is None:
        return None
    weight, bias = norm.weight, getattr(norm, "bias", None)
    return NormArrays(
        kind=kind,
        eps=float(norm.eps),
        weight=_numpy(weight) if isinstance(weight, torch.Tensor) else None,
        bias=_numpy(bias) if isinstance(bias, torch.Tensor) else None,
    )


def _always(norm: Timm) -> NormArrays:
    arrays = _norm(norm)
    if arrays is None:
        raise _Unknown
    return arrays


def _describe_activation(activation: Timm) -> str:
    if isinstance(activation, nn.GELU):
        return "gelu" if activation.approximate == "none" else "gelu_tanh"
    name = type(activation).__name__
    known = {"GELUTanh": "gelu_tanh", "QuickGELU": "quick_gelu", "SiLU": "silu", "Swish": "silu", "ReLU": "relu"}
    known |= {"Sigmoid": "sigmoid", "GELU": "gelu"}
    if name not in known:
        raise _Unknown
    return known[name]


def _describe_mlp(mlp: Timm) -> str:
    if type(mlp) not in (Mlp, GluMlp, SwiGLU) or not isinstance(mlp.fc2, nn.Linear):
        raise _Unknown
    _describe_norm(mlp.norm)
    return _describe_activation(mlp.act)


def _mlp(mlp: Timm) -> MlpArrays:
    activation, kind, gate = _describe_mlp(mlp), type(mlp), None
    if kind is SwiGLU:
        fc1, gate = _linear(mlp.fc1_x), _linear(mlp.fc1_g)
    elif kind is GluMlp:
        # One matrix holds both; which half is the gate depends on the model.
        half = mlp.fc1.out_features // 2
        first, second = _linear(mlp.fc1, slice(None, half)), _linear(mlp.fc1, slice(half, None))
        fc1, gate = (first, second) if mlp.gate_last else (second, first)
    else:
        fc1 = _linear(mlp.fc1)
    return MlpArrays(fc1=fc1, fc2=_linear(mlp.fc2), gate=gate, activation=activation, norm=_norm(mlp.norm))


def _block(block: Timm) -> BlockArrays:
    attention = block.attn
    scaled = isinstance(block.ls1, LayerScale)
    ones = _own(np.ones(attention.proj.out_features))
    return BlockArrays(
        norm1=_always(block.norm1),
        norm2=_always(block.norm2),
        qkv=_linear(attention.qkv),
        heads=attention.num_heads,
        q_norm=_norm(attention.q_norm),
        k_norm=_norm(attention.k_norm),
        attn_norm=_norm(attention.norm),
        attn_gate=None if attention.gate is None else _linear(attention.gate),
        proj=_linear(attention.proj),
        mlp=_mlp(block.mlp),
        scale1=_numpy(block.ls1.gamma) if scaled else ones,
        scale2=_numpy(block.ls2.gamma) if scaled else ones,
        layer_scale=scaled,
    )


def _describe_pool(pool: Timm) -> str:
    kind = type(pool)
    if kind is AttentionPoolLatent and pool.pos_embed is None and pool.pool in ("token", "avg"):
        if pool.mlp is not None:
            _describe_mlp(pool.mlp)
        for norm in (pool.q_norm, pool.k_norm, pool.norm):
            _describe_norm(norm)
        return "map"
    if kind is AttentionPoolPrr:
        for norm in (pool.pre_norm, pool.post_norm):
            _describe_norm(norm)
        return "prr"
    raise _Unknown


def _pool(pool: Timm) -> PoolArrays:
    kind = _describe_pool(pool)
    if kind == "prr":
        return PoolArrays(
            kind=kind,
            heads=pool.num_heads,
            pool=pool.pool,
            latent=None,
            kv=None,
            k_norm=None,
            proj=None,
            pre_norm=_norm(pool.pre_norm),
            norm=_norm(pool.post_norm),
            mlp=None,
        )
    with torch.no_grad():
        # The queries are the same for every picture, so they are worked out once.
        latent = pool.q(pool.latent[0]).reshape(pool.latent_len, pool.num_heads, pool.head_dim)
        latent = pool.q_norm(latent).reshape(pool.latent_len, -1)
    return PoolArrays(
        kind=kind,
        heads=pool.num_heads,
        pool=pool.pool,
        latent=_own(latent.numpy()),
        kv=_linear(pool.kv),
        k_norm=_norm(pool.k_norm),
        proj=_linear(pool.proj) if isinstance(pool.proj, nn.Linear) else None,
        pre_norm=None,
        norm=_norm(pool.norm),
        mlp=None if pool.mlp is None else _mlp(pool.mlp),
    )


def _heads(model: Timm) -> tuple[LinearArrays, ...]:
    modules = [model.head, getattr(model, "head_dist", None)]
    return tuple(_linear(head) for head in modules if isinstance(head, nn.Linear))
