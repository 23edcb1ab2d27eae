"""More layers for a model that is trained already, which goes on answering nearly as before."""

from __future__ import annotations

import re

import torch

__all__ = ["deepened", "layers_of"]

#: What a block adds to the residual stream comes out of these.
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
    """A state dict with more blocks, some of the old ones taken in two steps.

    A block that is to become two is there twice, and adds half as much each time (the last matrices of attention and of
    the MLP are halved): the residual stream goes the same way in smaller steps (Chang et al., 2018, "Multi-level
    Residual Networks from Dynamical Systems View", section 4). The logits change a little, and every layer has its
    share from the start. The blocks that are taken so are spread evenly.

    Parameters
    ----------
    weights : dict of str to Tensor
        Of a timm ``VisionTransformer``.
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
    halved = {(part + 1) * before // (added + 1) for part in range(added)}
    result = {name: value for name, value in weights.items() if not name.startswith("blocks.")}
    order = [layer for layer in range(before) for _ in range(2 if layer in halved else 1)]
    for place, layer in enumerate(order):
        for name, value in weights.items():
            if match := re.fullmatch(rf"blocks\.{layer}\.(.+)", name):
                step = 0.5 if layer in halved and match[1].startswith(_LAST) else 1.0
                result[f"blocks.{place}.{match[1]}"] = value * step
    return result
