"""Models: bundled, downloaded or in a folder, at any patch and input size."""

from __future__ import annotations

import copy
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from explorer.arrays import ModelArrays
from explorer.errors import ExplorerError
from explorer.models.extraction import check_supported, model_arrays, model_spec, resized_arrays
from explorer.models.folders import build_empty, build_random, build_with_weights, folder_config, timm_config
from explorer.positions import sinusoidal_table
from explorer.resources import assets_path, named_model
from explorer.sizes import MAX_TRACE_BYTES, check_size, trace_bytes
from explorer.specs import ModelSpec

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

    from explorer.labels import Labels

__all__ = ["ExplorerModel", "FoundWeights", "find_weights", "load_model", "wrap_model"]

#: Patch and input sizes of one model that are kept; each costs an embedding and a table of positions.
_VARIANTS = 8


class ExplorerModel:
    """A model with all that is known of it.

    Parameters
    ----------
    name : str
        What the user asked for.
    spec : ModelSpec
    model : VisionTransformer
        The timm module, in float32.
    folder : Path, optional
        Where it was loaded from.
    """

    def __init__(self, name: str, spec: ModelSpec, model: VisionTransformer, folder: Path | None = None) -> None:
        self.name = name
        self.spec = spec
        self.model = model
        self.arrays = model_arrays(model, spec)
        self.folder = folder
        self._lock = threading.Lock()
        self._variants: OrderedDict[tuple[int, int], tuple[VisionTransformer, ModelArrays]] = OrderedDict()

    def __repr__(self) -> str:
        return f"ExplorerModel({self.name!r}, {self.spec.num_params / 1e6:.1f} M parameters)"

    @property
    def pretrained_cfg(self) -> dict[str, Any]:
        """What timm knows of the weights: how pictures are prepared, licence, origin."""
        config: Any = self.model.pretrained_cfg
        return dict(config)

    @cached_property
    def labels(self) -> Labels:
        """Names of the classes."""
        from explorer.labels import labels_for

        # What the weights once were trained for need not be what this head answers.
        config: dict[str, object] = dict(self.pretrained_cfg) | {"num_classes": self.spec.num_classes}
        return labels_for(config, self.folder)

    def at(self, patch_size: int | None = None, image_size: int | None = None) -> tuple[VisionTransformer, ModelArrays]:
        """The model at another patch or input size.

        𝑬 is resampled with FlexiViT's PI-resize and 𝑬_pos interpolated by timm's own functions, always from the
        original weights: resizing twice would lose twice. A sinusoidal table that was never trained is worked out
        anew.

        Parameters
        ----------
        patch_size, image_size : int, optional
            Sides in pixels, where they are to differ from the model's own.

        Returns
        -------
        VisionTransformer, ModelArrays
            All layers are shared with the original.

        Raises
        ------
        ExplorerError
            If the sizes do not fit each other, or a trace would be too large.
        """
        spec = self.spec
        patch_size, image_size = patch_size or spec.patch_size, image_size or spec.image_size
        if (patch_size, image_size) == (spec.patch_size, spec.image_size):
            return self.model, self.arrays
        check_size(spec, image_size, patch_size)
        key = (patch_size, image_size)
        with self._lock:
            if key not in self._variants:
                module = _resized(self.model, patch_size, image_size, spec.frozen_positions)
                self._variants[key] = module, resized_arrays(self.arrays, module)
                if len(self._variants) > _VARIANTS:
                    self._variants.popitem(last=False)
            self._variants.move_to_end(key)
            return self._variants[key]


def load_model(
    name: str | os.PathLike[str] = "bundled",
    *,
    pretrained: bool = True,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExplorerModel:
    """Load a model.

    Parameters
    ----------
    name : str or path
        ``bundled``, another folder of ``assets/models``, a ``VisionTransformer`` of timm by name
        (``vit_base_patch16_224.augreg_in21k_ft_in1k``), or a folder with ``config.json`` and ``model.safetensors``.
    pretrained : bool
        False for random weights: the architecture alone, without any download.
    progress : callable, optional
        Told how many bytes of how many are there, during a download.
    cancelled : callable, optional
        Asked during a download whether it is still wanted.

    Returns
    -------
    ExplorerModel

    Raises
    ------
    ExplorerError
        ``model-…`` if there is no such model, or it is none that can be explored; ``download-…`` if it cannot be
        downloaded.
    """
    asked = os.fspath(name)
    folder = _folder(asked)
    if folder is not None:
        return _load_folder(folder, asked, pretrained)
    if not pretrained:
        timm_name, config = timm_config(asked)
        return wrap_model(build_random(config, timm_name), timm_name, random_weights=True)
    found = find_weights(asked, progress=progress, cancelled=cancelled)
    return _load_folder(found.folder, found.name, pretrained)


class FoundWeights(NamedTuple):
    """Weights of a model of timm's on this machine.

    Attributes
    ----------
    name : str
        The name that the Hub has for it.
    folder : Path
    downloaded : bool
        Whether they came just now.
    """

    name: str
    folder: Path
    downloaded: bool


def find_weights(
    name: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> FoundWeights:
    """The pretrained weights of a model of timm's, downloaded if they are not there; of one that can be explored.

    Parameters
    ----------
    name : str
        timm's.
    progress, cancelled : callable, optional
        As for :func:`load_model`.

    Returns
    -------
    FoundWeights

    Raises
    ------
    ExplorerError
        As :func:`load_model`; whatever cannot be explored is refused before anything is downloaded.
    """
    timm_name, config = timm_config(name)
    empty = build_empty(config, timm_name)
    described: Any = empty.pretrained_cfg
    if described.get("architecture") not in (None, config.architecture):
        # An old name, which timm still understands but the Hub does not.
        timm_name = f"{described['architecture']}.{described['tag']}"
    from explorer import hub

    try:
        found = hub.cached(timm_name)
    except ExplorerError as error:
        if error.code == "model-no-weights":
            _check_untrained(empty, timm_name)
        raise
    if found is not None:
        return FoundWeights(timm_name, found, downloaded=False)
    found = hub.fetch(timm_name, progress or (lambda done, total: None), cancelled or (lambda: False))
    return FoundWeights(timm_name, found, downloaded=True)


def wrap_model(model: VisionTransformer, name: str = "", *, random_weights: bool = False) -> ExplorerModel:
    """A timm module that was made elsewhere, for exploring.

    Parameters
    ----------
    model : VisionTransformer
        Set to evaluation, without gradients; in float32.
    name : str
        What to call it.
    random_weights : bool
        Whether it is untrained.

    Raises
    ------
    ExplorerError
        If it is none that can be explored.
    """
    check_supported(model, name)
    model = model.requires_grad_(False).eval().float()
    return ExplorerModel(name, model_spec(model, name, random_weights=random_weights), model)


def _folder(name: str) -> Path | None:
    """The folder that a name means; None if it is a name of timm's."""
    # os.path says no to what cannot be a folder (300 letters, a NUL, the home of nobody), where Path's methods raise.
    bundled = assets_path("models", named_model(name))
    if name and name == Path(name).name and os.path.isdir(bundled):
        return bundled
    if name == "bundled":
        raise ExplorerError("model-bundled-missing")
    path = Path(os.path.expanduser(name))
    if name and os.path.isdir(path):
        return path
    if path.is_absolute() or name.startswith((".", "~")) or "\\" in name:
        raise ExplorerError("model-folder-missing", folder=name)
    return None


def _check_untrained(empty: VisionTransformer, name: str) -> None:
    """Refuse an architecture whose trace would be too large, where nothing but the architecture could be shown."""
    spec = model_spec(empty, name, random_weights=True)
    size = trace_bytes(spec, spec.image_size, spec.patch_size)
    if size > MAX_TRACE_BYTES:
        megabytes, limit = round(size / 1e6), round(MAX_TRACE_BYTES / 1e6)
        raise ExplorerError("model-no-weights-too-large", name=name, megabytes=megabytes, limit=limit)


def _load_folder(folder: Path, name: str, pretrained: bool) -> ExplorerModel:
    config = folder_config(folder)
    model = build_with_weights(config, folder, name) if pretrained else build_random(config, name)
    spec = model_spec(
        model,
        name,
        random_weights=not pretrained,
        trained_patch_sizes=config.trained_patch_sizes,
        frozen_positions=config.frozen_positions,
        folder=folder,
    )
    return ExplorerModel(name, spec, model, folder)


def _resized(model: VisionTransformer, patch_size: int, image_size: int, frozen_positions: str) -> VisionTransformer:
    """A model of another patch and input size that shares all layers but the embedding with the original."""
    twin = copy.copy(model)
    # copy.copy shares these tables, and set_input_size writes into them.
    twin._modules = dict(model._modules)
    twin._parameters = dict(model._parameters)
    twin.patch_embed = copy.deepcopy(model.patch_embed)
    # Also where someone asks for it in inference mode: the tensors are kept, and gradients may be wanted later.
    with torch.inference_mode(mode=False), torch.no_grad():
        twin.set_input_size(img_size=(image_size, image_size), patch_size=(patch_size, patch_size))
        if frozen_positions and twin.pos_embed is not None:
            rows, cols = twin.patch_embed.grid_size
            table = sinusoidal_table(frozen_positions, rows, cols, twin.embed_dim)
            # One row for each patch: what comes before them is left as it is. A table of the same grid is shared.
            positions = twin.pos_embed.clone()
            positions[0, -len(table) :] = torch.from_numpy(table)
            twin.pos_embed = torch.nn.Parameter(positions)
    return twin.requires_grad_(False).eval()
