"""The models that the page offers by name: those that come with the program, then a dozen of timm's.

Pure data: neither torch nor timm is imported, and nothing asks the network. What is said here about timm's models
(sizes, classes, where the weights lie) is checked against timm by a test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from explorer.errors import ExplorerError, MessageValue
from explorer.resources import BUNDLED_NAME, assets_path, named_model
from explorer.texts import catalogue, text
from explorer.weights import CONFIG_NAME, WEIGHTS_NAME, read_config, weights_header

__all__ = ["Head", "KnownModel", "bundled_models", "known_model", "known_models"]

#: What a model's last matrix gives: logits of classes, an embedding to compare with texts, or there is none.
Head = Literal["classes", "projection", "none"]


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """A model of the page's list.

    Attributes
    ----------
    name : str
        What :func:`explorer.load_model` takes: a bundled folder's name or a name of timm's, tag included.
    title : str
        The papers' name for it, the same in every language (``ViT-Ti/16``).
    num_params : int
        Weights and biases, counted.
    image_size, patch_size : int
        Input side and 𝑃, as trained.
    head : {'classes', 'projection', 'none'}
        What the last matrix gives.
    num_classes : int
        𝐾; 0 without a class head.
    download_bytes : int
        Size of the weights' file; 0 for a bundled model.
    bundled : bool
    """

    name: str
    title: str
    num_params: int
    image_size: int
    patch_size: int
    head: Head = "classes"
    num_classes: int = 1000
    download_bytes: int = 0
    bundled: bool = False

    @property
    def has_classes(self) -> bool:
        """Whether the model names classes at all."""
        return self.head == "classes"

    @property
    def repo(self) -> str:
        """Where timm keeps the weights on the Hub."""
        return f"timm/{self.name}"

    def facts(self, language: str) -> str:
        """Parameters, input and patch size (and the download) in a few words."""
        values: dict[str, MessageValue] = {
            "params": _millions(self.num_params),
            "image": self.image_size,
            "patch": self.patch_size,
        }
        if self.bundled:
            return text("models.facts-bundled", language, **values)
        values["megabytes"] = round(self.download_bytes / 1e6)
        return text("models.facts", language, **values)

    def note(self, language: str) -> str:
        """One line on what is special about it; a model without a class head says so here."""
        key = f"models.note.{self.name.replace('.', '-')}"
        if key not in catalogue(language):
            key = "models.note.bundled"
        line = text(key, language)
        if self.has_classes:
            return line
        return text("models.note-and-head", language, note=line, head=text(f"models.head-{self.head}", language))


def _timm(name: str, title: str, params: int, image_size: int, patch_size: int, head: Head = "classes") -> KnownModel:
    return KnownModel(
        name=name,
        title=title,
        num_params=params,
        image_size=image_size,
        patch_size=patch_size,
        head=head,
        num_classes=1000 if head == "classes" else 0,
        download_bytes=4 * params,  # float32; the file's header adds some kilobytes
    )


_TIMM_MODELS: tuple[KnownModel, ...] = (
    _timm("vit_tiny_patch16_224.augreg_in21k_ft_in1k", "ViT-Ti/16", 5_717_416, 224, 16),
    _timm("vit_small_patch16_224.augreg_in21k_ft_in1k", "ViT-S/16", 22_050_664, 224, 16),
    _timm("vit_base_patch16_224.augreg_in21k_ft_in1k", "ViT-B/16", 86_567_656, 224, 16),
    _timm("vit_base_patch32_224.augreg_in21k_ft_in1k", "ViT-B/32", 88_224_232, 224, 32),
    _timm("deit_tiny_patch16_224.fb_in1k", "DeiT-Ti/16", 5_717_416, 224, 16),
    _timm("deit_tiny_distilled_patch16_224.fb_in1k", "DeiT-Ti/16 distilled", 5_910_800, 224, 16),
    _timm("deit3_small_patch16_224.fb_in22k_ft_in1k", "DeiT III-S/16", 22_059_496, 224, 16),
    _timm("flexivit_small.1200ep_in1k", "FlexiViT-S", 22_061_416, 240, 16),
    _timm("flexivit_base.1200ep_in1k", "FlexiViT-B", 86_589_160, 240, 16),
    _timm("vit_small_patch14_reg4_dinov2.lvd142m", "DINOv2-S/14 + registers", 22_057_344, 518, 14, "none"),
    # Of the CLIP towers this one was trained with the GELU that timm gives the plain name (OpenAI's was not).
    _timm("vit_base_patch32_clip_224.laion2b", "CLIP ViT-B/32", 87_849_728, 224, 32, "projection"),
    _timm("vit_base_patch16_siglip_224.webli", "SigLIP ViT-B/16", 92_884_224, 224, 16, "none"),
)


def known_models() -> tuple[KnownModel, ...]:
    """The page's list: bundled models first, then timm's."""
    return bundled_models() + _TIMM_MODELS


def known_model(name: str) -> KnownModel | None:
    """The list's entry of a name, or ``None``; ``bundled`` is the bundled model."""
    wanted = named_model(name)
    return next((model for model in known_models() if model.name == wanted), None)


def bundled_models() -> tuple[KnownModel, ...]:
    """The models that lie in ``assets/models``, the one that the page opens with first.

    Folders without a readable ``config.json`` and ``model.safetensors`` are left out.
    """
    root = assets_path("models")
    folders = [entry for entry in root.iterdir() if entry.is_dir()] if root.is_dir() else []
    found = []
    for folder in sorted(folders, key=lambda entry: (entry.name != BUNDLED_NAME, entry.name)):
        if not (folder / CONFIG_NAME).is_file() or not (folder / WEIGHTS_NAME).is_file():
            continue
        try:
            found.append(_bundled(folder))
        except (ExplorerError, KeyError, TypeError, ValueError, json.JSONDecodeError):
            continue  # a folder that is half copied must not take the list, and with it the page, away
    return tuple(found)


def _bundled(folder: Path) -> KnownModel:
    config = read_config(folder)
    arguments: Mapping[str, object] = _table(config, "model_args")
    pretrained = _table(config, "pretrained_cfg")
    header = weights_header(folder / WEIGHTS_NAME)
    shapes = {name: entry.shape for name, entry in header.items()}
    classes = int(str(config.get("num_classes", pretrained.get("num_classes", 0))))
    size = arguments.get("img_size")
    if size is None:
        size = pretrained["input_size"]
    image_size = int(size[-1]) if isinstance(size, list) else int(str(size))
    return KnownModel(
        name=folder.name,
        title=str(config.get("title", folder.name)),
        num_params=sum(_product(shape) for shape in shapes.values()),
        image_size=image_size,
        patch_size=shapes["patch_embed.proj.weight"][-1],
        head="classes" if classes else "none",
        num_classes=classes,
        bundled=True,
    )


def _table(config: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = config.get(key, {})
    return value if isinstance(value, dict) else {}


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _millions(count: int) -> str:
    """``5.7`` or ``87``: two digits are enough to compare models."""
    millions = count / 1e6
    return f"{millions:.1f}" if millions < 10 else f"{millions:.0f}"
