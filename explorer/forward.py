"""The forward pass of timm's ``VisionTransformer`` from its tokens on, for runs that are changed each its way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from explorer.arrays import ModelArrays
from explorer.interventions import Intervention
from explorer.numerics import Array

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

__all__ = ["Record", "Switches", "encode", "tensor"]


class Record:
    """Arrays that a run is written into."""

    def __init__(self, tokens: Array, z: Array, qkv: tuple[Array, Array, Array]) -> None:
        self.tokens, self.z, self.qkv = tokens, z, qkv


def encode(
    module: VisionTransformer,
    arrays: ModelArrays,
    x: torch.Tensor,
    switches: Switches,
    record: Record | None = None,
    *,
    answer_alone: bool = False,
) -> torch.Tensor:
    """From tokens with positions to the answers.

    Parameters
    ----------
    module : VisionTransformer
    arrays : ModelArrays
        Of the same module.
    x : (B, T, D) tensor
    switches : Switches
        Of B runs.
    record : Record, optional
        What the first of the runs is written into.
    answer_alone : bool
        Leave out what no answer depends on: where the head reads prefix tokens alone, the last MLP of the patches.

    Returns
    -------
    (B, K) tensor
    """
    spec = arrays.spec
    read = spec.num_prefix if answer_alone and spec.pooling == "token" else None
    x = module.norm_pre(x)
    if record is not None:
        record.z[0] = x[0].numpy()
    for layer, block in enumerate(module.blocks):
        x = _block(block, x, layer, switches, record, read if layer == len(module.blocks) - 1 else None)
        if record is not None:
            record.z[layer + 1] = x[0].numpy()
    output: torch.Tensor = module.forward_head(module.norm(x))
    return output


class Switches:
    """Which parts are on in which of several runs: for every layer a factor of 0s and 1s, or None if all are on."""

    def __init__(self, arrays: ModelArrays, changes: Sequence[Intervention]) -> None:
        depth, heads = len(arrays.blocks), arrays.blocks[0].heads
        self.heads = self._factors(depth, [change.masked_heads for change in changes], heads)
        self.msa = self._factors(depth, [[(layer, 0) for layer in change.msa_off] for change in changes], 1)
        self.mlp = self._factors(depth, [[(layer, 0) for layer in change.mlp_off] for change in changes], 1)

    def attend(self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """𝑨𝒗, without making 𝑨."""
        return scaled_dot_product_attention(q, k, v)

    @staticmethod
    def _factors(depth: int, off: Sequence[Iterable[tuple[int, int]]], parts: int) -> list[torch.Tensor | None]:
        factors: list[torch.Tensor | None] = [None] * depth
        for run, pairs in enumerate(off):
            for layer, part in pairs:
                factor = factors[layer]
                if factor is None:
                    factor = factors[layer] = torch.ones(len(off), parts, 1, 1)
                factor[run, part] = 0
        return factors


def _block(
    block: Any, x: torch.Tensor, layer: int, switches: Switches, record: Record | None, read: int | None
) -> torch.Tensor:
    """One layer; what comes out are the first ``read`` tokens, or all."""
    msa, mlp = switches.msa[layer], switches.mlp[layer]
    # What is off in every run need not be worked out, unless someone wants to see q, k and v.
    if record is not None or msa is None or msa.any():
        added = block.ls1(_attention(block.attn, block.norm1(x), layer, switches, record))
        x = x + (added if msa is None else added * msa[:, 0])
    x = x[:, :read]
    if mlp is None or mlp.any():
        added = block.ls2(block.mlp(block.norm2(x)))
        x = x + (added if mlp is None else added * mlp[:, 0])
    return x


def _attention(attn: Any, x: torch.Tensor, layer: int, switches: Switches, record: Record | None) -> torch.Tensor:
    """What timm's ``Attention.forward`` does."""
    batch, tokens, _ = x.shape
    qkv = attn.qkv(x).reshape(batch, tokens, 3, attn.num_heads, attn.head_dim).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    q, k = attn.q_norm(q), attn.k_norm(k)
    if record is not None:
        for store, part in zip(record.qkv, (q, k, v), strict=True):
            store[layer] = part[0].numpy()
    y = switches.attend(layer, q, k, v)
    heads = switches.heads[layer]
    if heads is not None:
        y = y * heads
    y = attn.norm(y.transpose(1, 2).reshape(batch, tokens, -1))
    if attn.gate is not None:
        y = y * attn.gate(x).sigmoid()
    projected: torch.Tensor = attn.proj(y)
    return projected


def tensor(array: Array) -> torch.Tensor:
    """A copy as a tensor: torch does not know read-only memory."""
    return torch.from_numpy(array.copy())
