"""One run of a model: what is stored of it, and what is worked out when someone looks.

The names and shapes are those of the project's vocabulary: ``N`` patches, ``R`` prefix tokens, ``T = R + N``
tokens, ``P`` patch side, ``C`` = 3, ``D`` embedding size, ``h`` heads, ``D_h = D / h``, ``L`` layers, ``K`` classes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from explorer.arrays import BlockArrays, ModelArrays, join_heads
from explorer.errors import ExplorerError
from explorer.interventions import Intervention
from explorer.numerics import ACTIVATIONS, Array, log_sum_exp, softmax
from explorer.specs import ModelSpec

__all__ = ["BlockTrace", "Trace"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """Everything that happened to one picture in one run of a model.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    patch_size, image_size : int
        P, and the side of ``image``: what this run used.
    image : (H, W, C) uint8 array
        The crop that the model sees, before normalisation.
    patches : (N, P²·C) array
        Normalised pixels; ``patches[n].reshape(P, P, C)`` is the picture.
    tokens : (T, D) array
        Prefix and patches with 𝑬_pos added.
    z : (L + 1, T, D) array
        The residual stream; ``z[0]`` enters the first layer.
    q, k, v : (L, h, T, D_h) arrays
        As they enter the product.
    output : (K,) array
        What timm's model returns: the logits, or a projection, or the pooled vector where there is no head.
    grid : (rows, cols)
        Of the whole photo.
    patch_index : (N,) int64 array
        For every patch token its patch on the photo, counted row by row.
    prefix_names : tuple of str
        Names of the first R tokens.
    intervention : Intervention
        What was changed in this run.
    weights : ModelArrays or None
        The model's weights; see :meth:`with_arrays`.
    """

    spec: ModelSpec
    patch_size: int
    image_size: int
    image: NDArray[np.uint8]
    patches: Array
    tokens: Array
    z: Array
    q: Array
    k: Array
    v: Array
    output: Array
    grid: tuple[int, int]
    patch_index: NDArray[np.int64]
    prefix_names: tuple[str, ...]
    intervention: Intervention
    weights: ModelArrays | None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __repr__(self) -> str:
        rows, cols = self.grid
        return f"Trace({self.spec.name!r}, {self.num_tokens} tokens, {rows} × {cols} patches of {self.patch_size} px)"

    # -- sizes -----------------------------------------------------------------------------------------------------

    @property
    def num_prefix(self) -> int:
        """R, the number of prefix tokens."""
        return len(self.prefix_names)

    @property
    def num_patches(self) -> int:
        """N, the number of patch tokens (fewer than the grid has where some were dropped)."""
        return len(self.patches)

    @property
    def num_tokens(self) -> int:
        """T = R + N."""
        return self.num_prefix + self.num_patches

    @property
    def nbytes(self) -> int:
        """Memory that the stored arrays take; the model's weights, which traces share, not counted."""
        values = (getattr(self, field.name) for field in fields(self))
        return sum(value.nbytes for value in values if isinstance(value, np.ndarray))

    # -- the model's weights ---------------------------------------------------------------------------------------

    @property
    def arrays(self) -> ModelArrays:
        """The model's weights.

        Raises
        ------
        ExplorerError
            ``trace-without-weights``, if the trace was saved without them.
        """
        if self.weights is None:
            raise ExplorerError("trace-without-weights", name=self.spec.name)
        return self.weights

    def with_arrays(self, arrays: ModelArrays | None) -> Trace:
        """The same trace with these weights, or with none (small enough to send)."""
        return replace(self, weights=arrays)

    # -- from patches to tokens ------------------------------------------------------------------------------------

    @property
    def patch_embeddings(self) -> Array:
        """(N, D): ``patches @ embed_weight + embed_bias``."""
        embeddings: Array = self.patches @ self.arrays.embed_weight + self.arrays.embed_bias
        return embeddings

    @property
    def prefix_tokens(self) -> Array:
        """(R, D), before 𝑬_pos is added."""
        return self.arrays.prefix_tokens

    @property
    def pos_embed(self) -> Array:
        """(T, D): the row of 𝑬_pos that was added to each token of this run."""
        arrays, num_prefix = self.arrays, self.num_prefix
        places, _ = self.intervention.layout(self.grid[0] * self.grid[1])
        table = self.intervention.positions(arrays.pos_embed)
        rows: Array = table[np.concatenate([np.arange(num_prefix), num_prefix + places])]
        return rows

    # -- the layers ------------------------------------------------------------------------------------------------

    @property
    def blocks(self) -> Sequence[BlockTrace]:
        """One :class:`BlockTrace` a layer; ``blocks[0]`` leads from ``z[0]`` to ``z[1]``."""
        return tuple(BlockTrace(self, layer) for layer in range(len(self.q)))

    # -- from the last layer to the answer -------------------------------------------------------------------------

    @property
    def final_tokens(self) -> Array:
        """(T, D): ``z[L]`` after the encoder's closing norm, where the model has one before pooling."""
        return self.arrays.final_tokens(self.z[-1])

    @property
    def y(self) -> Array:
        """(heads, D): the vectors that the classifiers read."""
        return self.arrays.read(self.z[-1])

    @property
    def pool_weights(self) -> Array | None:
        """How much of each token 𝒚 is made of.

        Returns
        -------
        (n, T) array whose rows sum to 1, or None where no weights say it (maximum, refinement)
            One row for CLS (1 at its place) and for the average, two for a distilled model, one a head for
            attention pooling.
        """
        spec, tokens = self.spec, self.num_tokens
        if spec.distilled:
            return np.eye(2, tokens, dtype=np.float32)
        if spec.pooling == "token":
            return np.eye(1, tokens, dtype=np.float32)
        start = 0 if spec.pool_include_prefix else self.num_prefix
        if spec.pooling == "avg":
            weights = np.zeros((1, tokens), dtype=np.float32)
            weights[0, start:] = 1.0 / (tokens - start)
            return weights
        pool = self.arrays.pool
        if spec.pooling == "map" and pool is not None:
            attention, _ = pool.attention(self.final_tokens[start:])
            weights = np.zeros((len(attention), tokens), dtype=np.float32)
            weights[:, start:] = attention.mean(axis=1) if pool.pool == "avg" else attention[:, 0]
            return weights
        return None

    @property
    def logits(self) -> Array | None:
        """(K,), or None for a model without a class head."""
        return self.output if self.spec.has_classes else None

    @property
    def probs(self) -> Array | None:
        """(K,): softmax of the logits, or None for a model without a class head."""
        return None if self.logits is None else softmax(self.logits)

    # -- files -----------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, weights: bool = True) -> None:
        """Write to an ``.npz`` file, without pickle.

        Parameters
        ----------
        path : str or path
        weights : bool
            Whether the model's weights go along. Without them the file is small, and what is worked out needs
            :meth:`with_arrays` after loading.
        """
        from explorer.trace_file import save_trace

        save_trace(self, path, weights=weights)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Trace:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ExplorerError
            ``file-unreadable``, if there is no such file or it may not be read; ``trace-unreadable``, if it is none
            of ours, or damaged.
        """
        from explorer.trace_file import load_trace

        return load_trace(path)


@dataclass(frozen=True, eq=False)
class BlockTrace:
    """What happened in one layer; all worked out when it is asked for.

    Parameters
    ----------
    trace : Trace
    layer : int
        Counted from 0: from ``trace.z[layer]`` to ``trace.z[layer + 1]``.
    """

    trace: Trace
    layer: int

    @property
    def arrays(self) -> BlockArrays:
        """The layer's weights."""
        return self.trace.arrays.blocks[self.layer]

    @property
    def z_in(self) -> Array:
        """(T, D): 𝒛ₗ₋₁."""
        values: Array = self.trace.z[self.layer]
        return values

    @property
    def z_out(self) -> Array:
        """(T, D): 𝒛ₗ."""
        values: Array = self.trace.z[self.layer + 1]
        return values

    @property
    def norm1(self) -> Array:
        """(T, D): LN(𝒛ₗ₋₁)."""
        return self.arrays.norm1(self.z_in)

    @property
    def q(self) -> Array:
        """(h, T, D_h): queries, after any q/k norm."""
        values: Array = self.trace.q[self.layer]
        return values

    @property
    def k(self) -> Array:
        """(h, T, D_h): keys, after any q/k norm."""
        values: Array = self.trace.k[self.layer]
        return values

    @property
    def v(self) -> Array:
        """(h, T, D_h): values."""
        values: Array = self.trace.v[self.layer]
        return values

    @property
    def scores(self) -> Array:
        """(h, T, T): 𝒒𝒌ᵀ/√D_h."""
        return _scores(self.q, self.k)

    @property
    def attention(self) -> Array:
        """(h, query, key): 𝑨; row = who looks, column = who is looked at, rows sum to 1."""
        return softmax(self.scores)

    def attention_head(self, head: int) -> Array:
        """(query, key): 𝑨 of one head alone."""
        return softmax(_scores(self.q[head], self.k[head]))

    def attention_rows(self, query: int) -> Array:
        """(h, T): what one token looks at, in every head."""
        return softmax(_scores(self.q[:, [query]], self.k))[:, 0]

    def attention_columns(self, key: int) -> Array:
        """(h, T): how much every token looks at one, in every head."""
        scores = np.einsum("htd,hd->ht", self.q, self.k[:, key]) * _scale(self.q)
        columns: Array = np.exp(scores - self.log_sum_exp)
        return columns

    @property
    def log_sum_exp(self) -> Array:
        """(h, T): each query's log-sum-exp of its scores; ``attention = exp(scores - log_sum_exp)``."""
        # Head by head: all scores of a model with small patches can be larger than the trace itself.
        return np.stack([log_sum_exp(_scores(q, k)) for q, k in zip(self.q, self.k, strict=True)])

    @property
    def head_outputs(self) -> Array:
        """(h, T, D_h): 𝑨𝒗; zero for a head that is switched off."""
        outputs: Array = np.stack(
            [softmax(_scores(q, k)) @ v for q, k, v in zip(self.q, self.k, self.v, strict=True)], dtype=np.float32
        )
        outputs[list(self.trace.intervention.masked_in(self.layer))] = 0
        return outputs

    @property
    def msa(self) -> Array:
        """(T, D): MSA(LN(𝒛ₗ₋₁)), after 𝑼_msa, before LayerScale; zero where it is switched off."""
        if self.layer in self.trace.intervention.msa_off:
            return np.zeros_like(self.z_in)
        weights = self.arrays
        joined = join_heads(self.head_outputs)
        if weights.attn_norm is not None:
            joined = weights.attn_norm(joined)
        if weights.attn_gate is not None:
            joined = joined * ACTIVATIONS["sigmoid"](weights.attn_gate(self.norm1))
        return weights.proj(joined)

    @property
    def scale1(self) -> Array:
        """(D,): LayerScale of the attention; ones where the model has none."""
        return self.arrays.scale1

    @property
    def z_mid(self) -> Array:
        """(T, D): 𝒛′ₗ = ``z_in + scale1 * msa``."""
        middle: Array = self.z_in + self.scale1 * self.msa
        return middle

    @property
    def norm2(self) -> Array:
        """(T, D): LN(𝒛′ₗ)."""
        return self.arrays.norm2(self.z_mid)

    @property
    def mlp_pre(self) -> Array:
        """(T, D_mlp): the hidden layer before the activation (in a gated MLP: what is gated)."""
        return self.arrays.mlp.fc1(self.norm2)

    @property
    def mlp_gate(self) -> Array | None:
        """(T, D_mlp): in a gated MLP, what the activation makes the gate of; None elsewhere."""
        gate = self.arrays.mlp.gate
        return None if gate is None else gate(self.norm2)

    @property
    def mlp_hidden(self) -> Array:
        """(T, D_mlp): ``activation(mlp_pre)``; in a gated MLP ``activation(mlp_gate) * mlp_pre``."""
        return self.arrays.mlp.hidden(self.norm2)

    @property
    def mlp(self) -> Array:
        """(T, D): MLP(LN(𝒛′ₗ)), before LayerScale; zero where it is switched off."""
        if self.layer in self.trace.intervention.mlp_off:
            return np.zeros_like(self.z_in)
        return self.arrays.mlp.output(self.mlp_hidden)

    @property
    def scale2(self) -> Array:
        """(D,): LayerScale of the MLP; ones where the model has none."""
        return self.arrays.scale2


def _scale(q: Array) -> np.float32:
    return np.float32(q.shape[-1] ** -0.5)


def _scores(q: Array, k: Array) -> Array:
    scores: Array = np.matmul(q * _scale(q), np.swapaxes(k, -1, -2))
    return scores
