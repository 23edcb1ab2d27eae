"""The parts of timm that training uses, imported in one place after the way for timm has been cleared.

They are ``Any`` to the type checker: timm's annotations are partial, and its public names are re-exports that strict
checking does not accept.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from explorer.torch_compat import import_timm

__all__ = [
    "CosineLRScheduler",
    "Mixup",
    "ModelEmaV3",
    "Muon",
    "PatchDropout",
    "PatchEmbedResamplerFixedOrigSize",
    "PolyLRScheduler",
    "RandomErasing",
    "SoftTargetCrossEntropy",
    "create_model",
    "muon_module",
    "resample_abs_pos_embed",
]

create_model: Any = import_timm().create_model

Mixup: Any = import_module("timm.data").Mixup
RandomErasing: Any = import_module("timm.data.random_erasing").RandomErasing
PatchDropout: Any = import_module("timm.layers").PatchDropout
PatchEmbedResamplerFixedOrigSize: Any = import_module("timm.layers.patch_embed").PatchEmbedResamplerFixedOrigSize
resample_abs_pos_embed: Any = import_module("timm.layers").resample_abs_pos_embed
SoftTargetCrossEntropy: Any = import_module("timm.loss").SoftTargetCrossEntropy
muon_module: Any = import_module("timm.optim.muon")
Muon: Any = muon_module.Muon
CosineLRScheduler: Any = import_module("timm.scheduler").CosineLRScheduler
PolyLRScheduler: Any = import_module("timm.scheduler").PolyLRScheduler
ModelEmaV3: Any = import_module("timm.utils").ModelEmaV3
