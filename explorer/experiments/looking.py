"""Where a model looked, four ways: attention, rollout, gradient-weighted relevance, and the measured effect.

None of the four is the truth: each answers another question. The measured effect says what becomes of the answer
without a patch, the others say how information could have flowed to the tokens that the classifier reads.

- Raw attention: the last layer's, mean over heads (Vaswani et al. 2017 have the weights; reading them as an
  explanation is disputed: Jain and Wallace 2019).
- Rollout: Abnar and Zuidema 2020, *Quantifying Attention Flow in Transformers*.
- Relevance: Chefer, Gur and Wolf 2021, *Generic Attention-model Explainability for Interpreting Bi-Modal and
  Encoder-Decoder Transformers*, the rule for self-attention.
- Effect: :func:`~explorer.experiments.patch_effects`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from explorer.analysis import rank_correlation, rollout
from explorer.arrays import ModelArrays
from explorer.errors import Cancelled, ExplorerError
from explorer.experiments.ablations import OwnRun, own_run, reading_weights
from explorer.experiments.results import FourWays
from explorer.interventions import Intervention
from explorer.numerics import Array

if TYPE_CHECKING:
    import torch
    from timm.models.vision_transformer import VisionTransformer

    from explorer.images import Picture
    from explorer.models import ExplorerModel

__all__ = ["attention_gradients", "four_ways", "relevance"]

#: All 𝑨 of a run are kept for the gradients; more than so many bytes of them are refused.
MAX_ATTENTION_BYTES = 500_000_000


def relevance(model: ExplorerModel, picture: Picture | bytes | str, target: int | None = None, **sizes: Any) -> Array:
    """Gradient-weighted relevance of every patch for a class (Chefer, Gur and Wolf 2021).

    ``R`` starts as the identity. Layer by layer, ``R + Ā R`` takes its place, where ``Ā`` is the mean over heads of
    what is positive of 𝑨 times the gradient of the class's logit by 𝑨. Read are the rows of the tokens that the
    classifier reads (CLS, where the model has one), at the patches.

    Parameters
    ----------
    model : ExplorerModel
    picture : Picture, bytes, or path
    target : int, optional
        The class; by default the model's answer.
    **sizes
        ``patch_size``, ``image_size`` and ``crop``, as for :func:`explorer.trace_image`.

    Returns
    -------
    (N,) array

    Raises
    ------
    ExplorerError
        ``experiment-no-classes``; ``experiment-attention-too-large``, where all 𝑨 of a run do not fit into memory.
    """
    return _relevance(own_run(model, picture, target, **sizes))


def four_ways(
    model: ExplorerModel,
    picture: Picture | bytes | str,
    target: int | None = None,
    *,
    how: Literal["mean", "drop"] = "mean",
    batch: int = 64,
    report: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    **sizes: Any,
) -> FourWays:
    """Where a model looked: attention, rollout, relevance and measured effect, and how far they agree.

    Parameters
    ----------
    model, picture, target, **sizes
        As for :func:`relevance`.
    how, batch, report, cancelled
        As for :func:`~explorer.experiments.patch_effects`, which takes most of the time.

    Returns
    -------
    FourWays

    Raises
    ------
    Cancelled
    ExplorerError
        As :func:`relevance` and :func:`~explorer.experiments.patch_effects`.
    """
    own = own_run(model, picture, target, **sizes)
    relevant = _relevance(own)
    if cancelled is not None and cancelled():
        raise Cancelled
    measured = own.patch_effects(how, batch, report, cancelled)
    trace = own.trace
    flow = rollout(block.attention for block in trace.blocks)
    flowed = (reading_weights(trace) @ flow)[trace.num_prefix :]
    values = np.stack([measured.attention, flowed, relevant, measured.effects]).astype(np.float32)
    agreement = np.array([[rank_correlation(one, other) for other in values] for one in values], dtype=np.float32)
    return FourWays(
        values=values,
        agreement=agreement,
        target=own.target,
        logit=own.logit,
        how=how,
        grid=trace.grid,
    )


def attention_gradients(
    module: VisionTransformer, arrays: ModelArrays, image: NDArray[np.uint8], target: int
) -> tuple[list[Array], list[Array]]:
    """All attention of a run, and the gradients of a class's logit by it.

    Parameters
    ----------
    module, arrays, image
        As for :func:`explorer.engine.trace_pixels`.
    target : int
        The class.

    Returns
    -------
    attention, gradients : lists of (h, T, T) arrays, one a layer
    """
    import torch

    from explorer.engine import model_tokens
    from explorer.forward import Switches, encode

    class Watched(Switches):
        """Makes 𝑨, so that one can differentiate by it."""

        attention: list[torch.Tensor]

        def attend(self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
            scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
            attention = scores.softmax(dim=-1)
            # In the first layer nothing before 𝑨 has a gradient: the graph begins with it.
            if not attention.requires_grad:
                attention.requires_grad_()
            self.attention.append(attention)
            outputs: torch.Tensor = attention @ v
            return outputs

    watched = Watched(arrays, [Intervention()])
    watched.attention = []
    with torch.enable_grad():
        tokens = model_tokens(module, arrays, image)
        logit = encode(module, arrays, tokens, watched)[0, target]
        gradients = torch.autograd.grad(logit, watched.attention)
    return [each[0].detach().numpy() for each in watched.attention], [each[0].numpy() for each in gradients]


def _relevance(own: OwnRun) -> Array:
    trace = own.trace
    depth, heads, tokens = trace.q.shape[:3]
    size = 4 * depth * heads * tokens**2
    if size > MAX_ATTENTION_BYTES:
        raise ExplorerError(
            "experiment-attention-too-large",
            tokens=tokens,
            megabytes=round(size / 1e6),
            limit=round(MAX_ATTENTION_BYTES / 1e6),
        )
    # Only the rows that are read are followed, from the last layer to the first: r (I + Āₗ) … (I + Ā₁).
    read = reading_weights(trace).astype(np.float64)
    for attention, gradient in reversed(
        list(zip(*attention_gradients(own.module, own.arrays, own.image, own.target), strict=True))
    ):
        weighted = np.maximum(attention * gradient, 0).mean(axis=0)
        read = read + read @ weighted
    relevant: Array = read[trace.num_prefix :].astype(np.float32)
    return relevant
