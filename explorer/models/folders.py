"""Models in folders: ``config.json`` and ``model.safetensors``, as timm writes them; nothing is ever unpickled.

A folder may come from a stranger. Its configuration is read as JSON, only arguments that shape a model are taken
from it, and the weights' names and shapes are compared before memory is spent on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from explorer.errors import ExplorerError
from explorer.models.extraction import check_supported
from explorer.torch_compat import import_timm

import_timm()

from timm import create_model  # noqa: E402
from timm.models import deit, is_model, model_entrypoint, split_model_name_tag, vision_transformer  # noqa: E402

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

__all__ = ["FolderConfig", "build_from_folder", "build_random", "check_architecture", "read_config"]

#: The one file that weights are read from.
WEIGHTS = "model.safetensors"
#: Files that hold weights as Python pickles, or as something else that is not opened.
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".pth.tar")
#: Arguments of timm's ``VisionTransformer`` that say what the model is. Anything else that a file asks for (a
#: ``checkpoint_path``, say, which timm would unpickle) is refused.
_ARGUMENTS = frozenset(
    "img_size patch_size in_chans num_classes global_pool embed_dim depth num_heads mlp_ratio qkv_bias qk_norm "
    "scale_attn_norm scale_mlp_norm proj_bias init_values class_token pos_embed no_embed_class reg_tokens pre_norm "
    "final_norm fc_norm pool_include_prefix dynamic_img_size embed_norm_layer norm_layer act_layer".split()
)
#: Arguments that matter in training alone.
_IGNORED = frozenset(
    "drop_rate pos_drop_rate patch_drop_rate proj_drop_rate attn_drop_rate drop_path_rate weight_init fix_init".split()
)


@dataclass(frozen=True)
class FolderConfig:
    """What ``config.json`` says.

    Parameters
    ----------
    architecture : str
        A name that timm knows.
    arguments : dict
        For :func:`timm.create_model`.
    pretrained_cfg : dict
        How pictures are prepared, names of classes and the like.
    facts : dict
        What our own training adds below the key ``explorer``: ``trained_patch_sizes``, ``trained_image_sizes``.
    """

    architecture: str
    arguments: dict[str, Any]
    pretrained_cfg: dict[str, Any]
    facts: dict[str, Any]


def read_config(folder: Path) -> FolderConfig:
    """Read a model folder's ``config.json``.

    Raises
    ------
    ExplorerError
        ``model-folder-missing``, ``model-folder-no-config``, ``model-config-broken`` or
        ``model-wrong-architecture``.
    """
    name = folder.name
    if not folder.is_dir():
        raise ExplorerError("model-folder-missing", name=name)
    file = folder / "config.json"
    if not file.is_file():
        raise ExplorerError("model-folder-no-config", name=name)
    try:
        config = json.loads(file.read_text("utf-8"))
        if "pretrained_cfg" not in config:
            # As early versions of timm wrote it: one flat table.
            config = {"architecture": config["architecture"], "pretrained_cfg": config}
        architecture, pretrained_cfg = config["architecture"], dict(config["pretrained_cfg"])
        arguments = dict(config.get("model_args") or {})
        facts = dict(config.get("explorer") or {})
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ExplorerError("model-config-broken", name=name) from error
    if not isinstance(architecture, str) or not arguments.keys() <= _ARGUMENTS | _IGNORED:
        raise ExplorerError("model-config-broken", name=name)
    if any(
        isinstance(value, (list, dict)) for key, value in arguments.items() if key not in ("img_size", "patch_size")
    ):
        raise ExplorerError("model-config-broken", name=name)
    check_architecture(architecture, name)
    pretrained_cfg["architecture"] = split_model_name_tag(architecture)[0]
    for key in ("num_classes", "global_pool"):
        if isinstance(config.get(key), (int, str)):
            pretrained_cfg[key] = config[key]
            arguments.setdefault(key, config[key])
    _check_preparation(pretrained_cfg, name)
    # Nothing in the file may point timm to other weights.
    for key in ("url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "custom_load"):
        pretrained_cfg.pop(key, None)
    arguments = {key: value for key, value in arguments.items() if key in _ARGUMENTS}
    return FolderConfig(pretrained_cfg["architecture"], arguments, pretrained_cfg, facts)


def check_architecture(architecture: str, name: str) -> None:
    """Refuse what is no ``VisionTransformer`` of timm's, before anything is built or downloaded.

    Parameters
    ----------
    architecture : str
        Perhaps with a tag (``vit_base_patch16_224.augreg_in21k``).
    name : str
        What the user called it.

    Raises
    ------
    ExplorerError
        ``model-unknown`` or ``model-wrong-architecture``.
    """
    plain = split_model_name_tag(architecture)[0]
    if not is_model(plain):
        raise ExplorerError("model-unknown", name=name)
    if model_entrypoint(plain).__module__ not in (vision_transformer.__name__, deit.__name__):
        raise ExplorerError("model-wrong-architecture", name=name)


def build_random(config: FolderConfig, name: str) -> VisionTransformer:
    """A model with random weights, the same ones each time."""
    check_supported(_create(config, name, "meta"), name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _create(config, name, "cpu").eval()


def build_from_folder(config: FolderConfig, folder: Path, name: str) -> VisionTransformer:
    """A model with the weights of a folder, in float32.

    Raises
    ------
    ExplorerError
        ``model-…``, if the weights are missing, pickled, damaged, or those of another model.
    """
    model = _create(config, name, "meta")
    check_supported(model, name)
    file = folder / WEIGHTS
    if not file.is_file():
        if folder.is_dir() and any(entry.name.endswith(_PICKLES) for entry in folder.iterdir()):
            raise ExplorerError("model-only-pickle", name=name)
        raise ExplorerError("model-folder-no-weights", name=name)
    try:
        state = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise ExplorerError("model-weights-broken", name=name) from error
    expected = model.state_dict()
    try:
        if _shapes(state) != _shapes(expected):
            # Other names or sizes: what timm does to checkpoints of other projects and of other input sizes.
            state = vision_transformer.checkpoint_filter_fn(state, model, adapt_layer_scale=True)
        if _shapes(state) != _shapes(expected):
            raise ExplorerError("model-weights-unfit", name=name)
    except (RuntimeError, KeyError, IndexError, AttributeError, ValueError, TypeError) as error:
        raise ExplorerError("model-weights-unfit", name=name) from error
    # Half precision is read, float32 is what everything is worked out in.
    state = {key: tensor.to(torch.float32).contiguous() for key, tensor in state.items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise ExplorerError("model-weights-broken", name=name)
    model.load_state_dict(state, strict=True, assign=True)
    return model.requires_grad_(False).eval()


def _create(config: FolderConfig, name: str, device: str) -> VisionTransformer:
    try:
        with torch.device(device):
            model = create_model(
                config.architecture, pretrained=False, pretrained_cfg=config.pretrained_cfg, **config.arguments
            )
    except (AssertionError, RuntimeError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        # timm checks its arguments with assertions and whatever its layers stumble over.
        raise ExplorerError("model-config-broken", name=name) from error
    checked: VisionTransformer = model.requires_grad_(False)
    return checked


def _shapes(state: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


def _check_preparation(config: dict[str, Any], name: str) -> None:
    """The values that pictures are prepared with: numbers, in the ranges that make sense."""
    try:
        for key in ("mean", "std"):
            if key in config:
                values = [float(value) for value in config[key]]
                if len(values) != 3 or (key == "std" and min(values) <= 0):
                    raise ValueError(key)
        if not 0 < float(config.get("crop_pct") or 0.875) <= 1:
            raise ValueError("crop_pct")
        if config.get("interpolation") not in (None, "bicubic", "bilinear", "lanczos", "nearest", "box", "hamming"):
            raise ValueError("interpolation")
    except (TypeError, ValueError) as error:
        raise ExplorerError("model-config-broken", name=name) from error
