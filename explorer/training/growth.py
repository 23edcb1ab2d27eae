"""More layers for a model that is trained already, without changing what it answers."""

from __future__ import annotations

import re

import torch

__all__ = ["deepened", "layers_of"]

#: What a block adds to the residual stream leaves it through these; zero, they make it pass on what it is given.
_LAST = ("attn.proj.", "mlp.fc2.")


def layers_of(weights: dict[str, torch.Tensor]) -> int:
    """How many blocks a state dict holds: 𝐿.

    Parameters
    ----------
    weights : dict of str to Tensor
        Of a timm ``VisionTransformer``.
    """
    return len({name.split(".")[1] for name in weights if name.startswith("blocks.")})


def deepened(weights: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """A state dict with more blocks that gives the same logits.

    The new blocks stand evenly between the old ones, each a copy of the one before it whose last matrices and biases
    (of attention and of the MLP) are zero. Both residual sums pass on what they are given, and training has somewhere
    to start (Wu et al., 2024, "LLaMA Pro: Progressive LLaMA with Block Expansion", section 3).

    Parameters
    ----------
    weights : dict of str to Tensor
        Of a timm ``VisionTransformer`` without layer scale.
    layers : int
        𝐿 of the result; not fewer than there are.

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    ValueError
        For fewer layers than there are, or more than twice as many.
    """
    before = layers_of(weights)
    added = layers - before
    if not 0 <= added <= before:
        raise ValueError(f"{before} layers cannot become {layers}")
    # The old blocks after which a new one stands: the last of each of equal parts.
    copied = {round((part + 1) * before / added) - 1 for part in range(added)}
    order = [(layer, new) for layer in range(before) for new in ((False, True) if layer in copied else (False,))]
    result = {name: value for name, value in weights.items() if not name.startswith("blocks.")}
    for place, (layer, new) in enumerate(order):
        for name, value in weights.items():
            if match := re.fullmatch(rf"blocks\.{layer}\.(.+)", name):
                silent = new and match[1].startswith(_LAST)
                result[f"blocks.{place}.{match[1]}"] = torch.zeros_like(value) if silent else value.clone()
    return result
