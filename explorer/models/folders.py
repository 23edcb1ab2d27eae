"""Models in folders: ``config.json`` and ``model.safetensors``, as timm writes them; nothing is ever unpickled.

A folder may come from a stranger. Its configuration is read as JSON, only arguments that shape a model are taken
from it, and names and shapes of the weights are compared before they are used.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from explorer import weights
from explorer.errors import ExplorerError
from explorer.images import CROP_MODES, INTERPOLATIONS
from explorer.models.extraction import check_supported
from explorer.positions import SinusoidalKind
from explorer.torch_compat import import_timm

import_timm()

from timm import create_model, is_model, list_models  # noqa: E402
from timm.models import (  # noqa: E402
    PretrainedCfg,
    get_pretrained_cfg,
    is_model_in_modules,
    list_pretrained,
    split_model_name_tag,
    vision_transformer,
)

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

__all__ = ["ModelConfig", "build_empty", "build_random", "build_with_weights", "folder_config", "timm_config"]

_MODULES = ("vision_transformer", "deit")

#: Arguments of timm's ``VisionTransformer`` that say what the model is. Anything else that a file asks for (a
#: ``checkpoint_path``, say, which timm would unpickle) is refused.
_ARGUMENTS = frozenset(
    {
        *("img_size", "patch_size", "in_chans", "num_classes", "global_pool", "embed_dim", "depth", "num_heads"),
        *("mlp_ratio", "qkv_bias", "qk_norm", "scale_attn_norm", "scale_mlp_norm", "proj_bias", "init_values"),
        *("class_token", "pos_embed", "no_embed_class", "reg_tokens", "pre_norm", "final_norm", "fc_norm"),
        *("pool_include_prefix", "dynamic_img_size", "embed_norm_layer", "norm_layer", "act_layer"),
    }
)
#: Arguments that matter in training alone.
_IGNORED = frozenset(
    {
        *("drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate"),
        *("weight_init", "fix_init"),
    }
)
#: What a configuration may say of its weights: all that timm knows, but for where to get them.
_DESCRIPTIONS = frozenset(field.name for field in fields(PretrainedCfg)) - {
    *("url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "custom_load"),
}

#: More layers than any ViT has (timm's deepest has 48): building more would take minutes, with nobody to stop it.
_MAX_DEPTH = 256
#: What a picture is normalised with lies between 0 and 1, and in between nothing leaves float32.
_MAX_COLOUR = 1000.0
_MIN_STD = 1e-6
#: The least share of a picture's side that a crop may keep (timm's: 0.875 and more): what is resized for it grows with
#: the square of the inverse.
_MIN_CROP_PCT = 0.5


@dataclass(frozen=True)
class ModelConfig:
    """What is needed to build a model.

    Parameters
    ----------
    architecture : str
        timm's name of it, without a tag.
    arguments : dict
        For :func:`timm.create_model`.
    pretrained_cfg : dict
        How pictures are prepared, names of classes and the like.
    trained_patch_sizes : tuple of int
        What our own training was set to; empty where it is not known.
    frozen_positions : {'sin1d', 'sin2d', ''}
        The table that our own training froze 𝑬_pos to.
    """

    architecture: str
    arguments: dict[str, Any]
    pretrained_cfg: dict[str, Any]
    trained_patch_sizes: tuple[int, ...] = ()
    frozen_positions: str = ""


def folder_config(folder: Path) -> ModelConfig:
    """What a folder's ``config.json`` says.

    Raises
    ------
    ExplorerError
        ``model-folder-…``, ``model-unknown`` or ``model-not-vit``.
    """
    broken = ExplorerError("model-folder-bad-config", folder=str(folder))
    config: dict[str, Any] = dict(weights.read_config(folder))
    try:
        # Early versions of timm wrote one flat table.
        pretrained_cfg = dict(config.get("pretrained_cfg", config))
        arguments = dict(config.get("model_args") or {})
        for key in ("num_classes", "global_pool"):
            if isinstance(config.get(key), int | str):
                arguments.setdefault(key, config[key])
        _check_arguments(arguments)
        _check_preparation(pretrained_cfg)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise broken from error
    _check_architecture(config["architecture"])
    architecture, tag = split_model_name_tag(config["architecture"])
    described = {key: value for key, value in pretrained_cfg.items() if key in _DESCRIPTIONS}
    described |= {"architecture": architecture, "tag": described.get("tag") or tag}
    if isinstance(arguments.get("num_classes"), int):
        described["num_classes"] = arguments["num_classes"]
    arguments = {key: value for key, value in arguments.items() if key in _ARGUMENTS}
    frozen = next((kind for kind in get_args(SinusoidalKind) if kind == config.get("position")), "")
    return ModelConfig(architecture, arguments, described, _trained_patch_sizes(folder), frozen)


def _trained_patch_sizes(folder: Path) -> tuple[int, ...]:
    """The patch sizes in the ``settings.json`` that our training leaves beside the weights."""
    try:
        settings = json.loads((folder / "settings.json").read_text("utf-8"))
        sizes = {int(size) for stage in settings["stages"] for size in stage["patches"]}
    except (OSError, ArithmeticError, ValueError, LookupError, TypeError, RecursionError):
        return ()
    return tuple(sorted(size for size in sizes if size > 0))


def timm_config(name: str) -> tuple[str, ModelConfig]:
    """What timm knows of a name that a user typed.

    Returns
    -------
    str, ModelConfig
        timm's own spelling of the name, and the configuration.

    Raises
    ------
    ExplorerError
        ``model-unknown`` (with names that are like it) or ``model-not-vit``.
    """
    plain = name.strip().removeprefix("hf-hub:").removeprefix("hf_hub:").removeprefix("timm/")
    _check_architecture(plain)
    architecture = split_model_name_tag(plain)[0]
    try:
        config = get_pretrained_cfg(plain)
    except RuntimeError as error:
        # The architecture is there, the tag is not.
        near = difflib.get_close_matches(plain, list_pretrained(f"{architecture}.*"), n=3, cutoff=0)
        raise ExplorerError("model-unknown", name=plain, suggestions=", ".join(near) or architecture) from error
    described: dict[str, Any] = {} if config is None else config.to_dict()  # type: ignore[no-untyped-call]
    return plain, ModelConfig(architecture, {}, described)


def build_empty(config: ModelConfig, name: str) -> VisionTransformer:
    """The modules without memory for weights: enough to see whether they can be explored.

    Raises
    ------
    ExplorerError
        ``model-arguments``, if timm cannot build it; else as :func:`check_supported`.
    """
    _check_sizes(config.arguments, name)
    model = _create(config, name, "meta")
    check_supported(model, name)
    return model


def build_random(config: ModelConfig, name: str) -> VisionTransformer:
    """A model with random weights, the same ones each time."""
    build_empty(config, name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _create(config, name, "cpu")


def build_with_weights(config: ModelConfig, folder: Path, name: str) -> VisionTransformer:
    """A model with the weights of a folder, in float32.

    Raises
    ------
    ExplorerError
        ``model-…``, if the weights are missing, pickled, damaged, or those of another model.
    """
    weights.check_model_folder(folder)
    file = folder / weights.WEIGHTS_NAME
    _check_sizes(config.arguments, name)
    if _too_deep(config.arguments, weights.weights_header(file)):
        # Before the layers are built, of which there may be hundreds.
        raise ExplorerError("model-weights-unfit", name=name)
    model = build_empty(config, name)
    try:
        state = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise ExplorerError("model-corrupt", file=file.name) from error
    expected = _shapes(model.state_dict())
    try:
        if _shapes(state) != expected:
            # Other names or sizes: what timm does to checkpoints of other projects and of other input sizes.
            state = vision_transformer.checkpoint_filter_fn(state, model, adapt_layer_scale=True)
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ExplorerError("model-weights-unfit", name=name) from error
    if _shapes(state) != expected:
        raise ExplorerError("model-weights-unfit", name=name)
    # Half precision is read, float32 is what everything is worked out in.
    state = {key: tensor.to(torch.float32).contiguous() for key, tensor in state.items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise ExplorerError("model-corrupt", file=file.name)
    model.load_state_dict(state, strict=True, assign=True)
    return model


def _check_architecture(name: str) -> None:
    """Refuse what is no ``VisionTransformer`` of timm's, before anything is built or downloaded."""
    plain = split_model_name_tag(name)[0]
    if not is_model(plain):
        names = [entry for module in _MODULES for entry in list_models(module=module)]
        near = difflib.get_close_matches(plain, names, n=3, cutoff=0.5) or ["vit_tiny_patch16_224"]
        raise ExplorerError("model-unknown", name=name, suggestions=", ".join(near))
    if not is_model_in_modules(plain, _MODULES):
        raise ExplorerError("model-not-vit", name=name)


def _create(config: ModelConfig, name: str, device: str) -> VisionTransformer:
    # Where there is no memory, there is nothing to draw weights for; to go through the motions has torch import its
    # compiler.
    arguments = {**config.arguments, "weight_init": "skip"} if device == "meta" else config.arguments
    try:
        with torch.device(device):
            model: Any = create_model(
                config.architecture, pretrained=False, pretrained_cfg=config.pretrained_cfg, **arguments
            )
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # timm checks its arguments with assertions, and its layers stumble over whatever they stumble over.
        raise ExplorerError("model-arguments", name=name) from error
    created: VisionTransformer = model.requires_grad_(False).eval()
    return created


def _shapes(state: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


def _check_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise a ValueError unless a file may ask for these arguments."""
    for key, value in arguments.items():
        if key not in _ARGUMENTS | _IGNORED:
            raise ValueError(key)
        sizes = value if isinstance(value, list) and key in ("img_size", "patch_size") else [value]
        if not all(part is None or isinstance(part, str | int | float) for part in sizes):
            raise ValueError(key)


def _check_preparation(config: Mapping[str, Any]) -> None:
    """Raise a ValueError, TypeError or ArithmeticError unless pictures can be prepared with these values."""
    for key in ("mean", "std"):
        if key in config:
            values = [float(value) for value in config[key]]
            # Said so that it is not true of NaN, either.
            if len(values) != 3 or not all(abs(value) <= _MAX_COLOUR for value in values):
                raise ValueError(key)
            if key == "std" and min(values) < _MIN_STD:
                raise ValueError(key)
    crop_pct = config.get("crop_pct")
    if crop_pct is not None and not _MIN_CROP_PCT <= float(crop_pct) <= 1:
        raise ValueError("crop_pct")
    if config.get("interpolation") not in (None, *INTERPOLATIONS):
        raise ValueError("interpolation")
    # timm's third, "border", pads what is too narrow, which our crop does not do.
    if config.get("crop_mode") not in (None, *CROP_MODES):
        raise ValueError("crop_mode")


def _check_sizes(arguments: Mapping[str, Any], name: str) -> None:
    """Raise an ExplorerError unless layers, heads and dimensions are positive whole numbers, and layers not too many.

    timm takes -6 heads for 6 at first, and torch takes True for 1.
    """
    for key in ("depth", "num_heads", "embed_dim"):
        if key in arguments and (type(arguments[key]) is not int or arguments[key] < 1):
            raise ExplorerError("model-arguments", name=name)
    if arguments.get("depth", 1) > _MAX_DEPTH:
        raise ExplorerError("model-arguments", name=name)


def _too_deep(arguments: Mapping[str, Any], header: Mapping[str, weights.TensorEntry]) -> bool:
    """Whether there are fewer layers in the weights than the configuration asks for."""
    found = [re.search(r"(?:^|\.)blocks\.(\d{1,9})\.", name) for name in header]
    layers = [int(match[1]) for match in found if match]
    # Checkpoints of other projects call their layers otherwise.
    return bool(layers) and arguments.get("depth", 0) > 1 + max(layers)
