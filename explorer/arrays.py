"""A model's weights as read-only NumPy arrays: all that a trace needs to work out every array of a run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from explorer.numerics import ACTIVATIONS, Array, softmax
from explorer.specs import ModelSpec

__all__ = [
    "BlockArrays",
    "LinearArrays",
    "MlpArrays",
    "ModelArrays",
    "NormArrays",
    "PoolArrays",
    "join_heads",
    "split_heads",
]


def split_heads(values: Array, heads: int) -> Array:
    """(T, h · D_h) as (h, T, D_h)."""
    return values.reshape(len(values), heads, -1).transpose(1, 0, 2)


def join_heads(values: Array) -> Array:
    """(h, T, D_h) as (T, h · D_h)."""
    return values.transpose(1, 0, 2).reshape(values.shape[1], -1)


@dataclass(frozen=True, eq=False)
class LinearArrays:
    """``x @ weight + bias``.

    Parameters
    ----------
    weight : (inputs, outputs) array
    bias : (outputs,) array, or None
    """

    weight: Array
    bias: Array | None

    def __call__(self, x: Array) -> Array:
        """Apply to (…, inputs); returns (…, outputs)."""
        y: Array = x @ self.weight
        if self.bias is not None:
            y += self.bias
        return y


@dataclass(frozen=True, eq=False)
class NormArrays:
    """LayerNorm, or RMSNorm, over the last axis.

    Parameters
    ----------
    kind : str
        ``layer`` (subtracts the mean) or ``rms``.
    eps : float
        ε below the root.
    weight, bias : (D,) arrays, or None
        γ and β.
    """

    kind: str
    eps: float
    weight: Array | None
    bias: Array | None

    def __call__(self, x: Array) -> Array:
        """Normalise (…, D)."""
        if self.kind == "layer":
            x = x - x.mean(axis=-1, keepdims=True)
        y: Array = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(self.eps))
        if self.weight is not None:
            y *= self.weight
        if self.bias is not None:
            y += self.bias
        return y


@dataclass(frozen=True, eq=False)
class MlpArrays:
    """The MLP of slide 25, or a gated one.

    Plain: ``fc2(activation(fc1(x)))``. Gated: ``fc2(activation(gate(x)) * fc1(x))``. Some models normalise the
    hidden layer before ``fc2``.

    Parameters
    ----------
    fc1, fc2 : LinearArrays
        D to D_mlp, and back.
    gate : LinearArrays or None
        D to D_mlp, in gated models.
    activation : str
        Key of :data:`explorer.numerics.ACTIVATIONS`.
    norm : NormArrays or None
        Of the hidden layer.
    """

    fc1: LinearArrays
    fc2: LinearArrays
    gate: LinearArrays | None
    activation: str
    norm: NormArrays | None

    def hidden(self, x: Array) -> Array:
        """The hidden layer after the activation (and gate): (T, D) to (T, D_mlp)."""
        activation = ACTIVATIONS[self.activation]
        if self.gate is None:
            return activation(self.fc1(x))
        return activation(self.gate(x)) * self.fc1(x)

    def output(self, hidden: Array) -> Array:
        """From the hidden layer back to (T, D)."""
        return self.fc2(hidden if self.norm is None else self.norm(hidden))

    def __call__(self, x: Array) -> Array:
        """(T, D) to (T, D)."""
        return self.output(self.hidden(x))


@dataclass(frozen=True, eq=False)
class BlockArrays:
    """Weights of one layer of the encoder.

    Parameters
    ----------
    norm1, norm2 : NormArrays
    qkv : LinearArrays
        D to 3 · h · D_h: 𝑼_qkv of slide 22, first all queries, then keys, then values.
    heads : int
    q_norm, k_norm : NormArrays or None
        Over D_h.
    attn_norm : NormArrays or None
        Over the joined heads, before ``proj``.
    attn_gate : LinearArrays or None
        Its sigmoid scales the joined heads.
    proj : LinearArrays
        𝑼_msa: h · D_h to D.
    mlp : MlpArrays
    scale1, scale2 : (D,) arrays
        LayerScale; ones where the model has none.
    layer_scale : bool
        Whether it has.
    """

    norm1: NormArrays
    norm2: NormArrays
    qkv: LinearArrays
    heads: int
    q_norm: NormArrays | None
    k_norm: NormArrays | None
    attn_norm: NormArrays | None
    attn_gate: LinearArrays | None
    proj: LinearArrays
    mlp: MlpArrays
    scale1: Array
    scale2: Array
    layer_scale: bool


@dataclass(frozen=True, eq=False)
class PoolArrays:
    """Attention pooling: learned queries look at all tokens (``map``), or tokens look at each other (``prr``).

    Parameters
    ----------
    kind : str
        ``map`` or ``prr``.
    heads : int
    pool : str
        What is read of the result: ``token`` (its first vector) or ``avg``.
    latent : (n, D) array, or None
        The learned queries of ``map``, projected and normalised.
    kv : LinearArrays or None
        D to 2 · D, keys then values.
    k_norm : NormArrays or None
    proj : LinearArrays or None
    pre_norm, norm : NormArrays or None
        Of what comes in; of what goes on (into ``mlp``, or out).
    mlp : MlpArrays or None
    """

    kind: str
    heads: int
    pool: str
    latent: Array | None
    kv: LinearArrays | None
    k_norm: NormArrays | None
    proj: LinearArrays | None
    pre_norm: NormArrays | None
    norm: NormArrays | None
    mlp: MlpArrays | None

    def attention(self, tokens: Array) -> tuple[Array, Array]:
        """What the pooling looks at.

        Parameters
        ----------
        tokens : (T, D) array

        Returns
        -------
        (h, n, T) and (h, T, D_h) arrays
            Attention (rows sum to 1) and values.
        """
        if self.pre_norm is not None:
            tokens = self.pre_norm(tokens)
        if self.kv is None or self.latent is None:
            q = k = v = split_heads(tokens, self.heads)
        else:
            k, v = (split_heads(part, self.heads) for part in np.split(self.kv(tokens), 2, axis=-1))
            k = k if self.k_norm is None else self.k_norm(k)
            q = split_heads(self.latent, self.heads)
        scores = q @ k.transpose(0, 2, 1) * np.float32(q.shape[-1] ** -0.5)
        return softmax(scores), v

    def __call__(self, tokens: Array) -> Array:
        """(T, D) to the one vector (D,) that the head reads."""
        attention, v = self.attention(tokens)
        x = join_heads(attention @ v)
        if self.proj is not None:
            x = self.proj(x)
        if self.mlp is not None:
            x = x + self.mlp(x if self.norm is None else self.norm(x))
        elif self.norm is not None:
            x = self.norm(x)
        pooled: Array = x[0] if self.pool == "token" else x.mean(axis=0)
        return pooled


@dataclass(frozen=True, eq=False)
class ModelArrays:
    """All weights of a model at one patch and image size; shared by its traces.

    Parameters
    ----------
    spec : ModelSpec
        Of the model as it was loaded; ``patch_size`` and ``image_size`` here may differ.
    patch_size, image_size : int
    embed_weight : (P²·C, D) array
        𝑬: the convolution's kernel as the matrix of slide 9, rows in the order of ``patches[n].reshape(P, P, C)``.
    embed_bias : (D,) array
        Zeros where there is none.
    embed_norm : NormArrays or None
        Over each patch embedding, before 𝑬_pos (AIMv2).
    prefix_tokens : (R, D) array
    pos_embed : (R + N, D) array
        𝑬_pos; zero rows where a model adds none.
    learned_pos_embed : bool
        Whether the model has position embeddings at all.
    norm_pre : NormArrays or None
        From ``tokens`` to ``z[0]``.
    blocks : tuple of BlockArrays
    norm : NormArrays or None
        Over every token of ``z[L]``.
    pool : PoolArrays or None
    fc_norm : NormArrays or None
        Over the pooled vector.
    heads : tuple of LinearArrays
        D to K: one, two for a distilled model, none without a head.
    """

    spec: ModelSpec
    patch_size: int
    image_size: int
    embed_weight: Array
    embed_bias: Array
    embed_norm: NormArrays | None
    prefix_tokens: Array
    pos_embed: Array
    learned_pos_embed: bool
    norm_pre: NormArrays | None
    blocks: tuple[BlockArrays, ...]
    norm: NormArrays | None
    pool: PoolArrays | None
    fc_norm: NormArrays | None
    heads: tuple[LinearArrays, ...]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        side = self.image_size // self.patch_size
        return side, side

    @property
    def head_weight(self) -> Array | None:
        """(D, K) array of the (first) head; None without one."""
        return self.heads[0].weight if self.heads else None

    @property
    def head_bias(self) -> Array | None:
        """(K,) array of the (first) head; None without one."""
        return self.heads[0].bias if self.heads else None

    @cached_property
    def filters(self) -> Array:
        """(D, P, P, C): the columns of 𝑬 as pictures."""
        side = self.patch_size
        return self.embed_weight.T.reshape(-1, side, side, self.embed_weight.shape[0] // (side * side))

    def final_tokens(self, z: Array) -> Array:
        """The last layer's tokens (T, D) after the norm that closes the encoder, where there is one."""
        return z if self.norm is None else self.norm(z)

    def pool_tokens(self, tokens: Array) -> Array:
        """What the heads read: (T, D) to (1, D), or (2, D) for a distilled model; before ``fc_norm``."""
        spec = self.spec
        if spec.distilled:
            return tokens[:2]
        read = tokens if spec.pool_include_prefix else tokens[spec.num_prefix :]
        if self.pool is not None:
            pooled = self.pool(read)
        elif spec.pooling == "token":
            pooled = tokens[0]
        elif spec.pooling == "avg":
            pooled = read.mean(axis=0)
        elif spec.pooling == "max":
            pooled = read.max(axis=0)
        else:
            pooled = np.float32(0.5) * (read.max(axis=0) + read.mean(axis=0))
        return pooled[None, :]

    def read(self, z: Array) -> Array:
        """𝒚, the vectors that the heads read, (heads, D), from ``z[L]`` (T, D)."""
        pooled = self.pool_tokens(self.final_tokens(z))
        return pooled if self.fc_norm is None else self.fc_norm(pooled)

    def classify(self, y: Array) -> Array:
        """What the model answers to 𝒚 (heads, D): (K,), the mean of its heads; 𝒚 itself without a head."""
        votes = y if not self.heads else np.stack([head(x) for head, x in zip(self.heads, y, strict=True)])
        return np.asarray(votes.mean(axis=0))
