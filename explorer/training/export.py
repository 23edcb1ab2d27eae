"""From a run to a folder that timm loads: configuration, half-precision weights, labels and model card."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from explorer.errors import ExplorerError, Phrase
from explorer.training.card import model_card
from explorer.training.checkpoint import CHECKPOINT, load_checkpoint, make_folder, read_facts
from explorer.training.data import ClassName, PictureSet, read_labels, split_pictures, write_labels
from explorer.training.evaluation import Accuracy, measure
from explorer.training.flexible import ARCHITECTURE, VisionTransformer, build_model, model_arguments, position_table
from explorer.training.growth import deepened, layers_of
from explorer.training.settings import POSITIONS, TrainSettings, read_settings
from explorer.training.timm_parts import create_model

__all__ = [
    "COURSE_NAME",
    "SETTINGS_NAME",
    "LoadedModel",
    "course_of",
    "evaluate_model",
    "evaluated",
    "export_model",
    "load_folder",
    "start_of",
    "write_card",
]

#: The recipe's numbers, and what became of them, beside the weights.
SETTINGS_NAME = "settings.json"
COURSE_NAME = "training.json"


@dataclass(frozen=True)
class LoadedModel:
    """A model's folder, opened.

    Attributes
    ----------
    model : VisionTransformer
        In float32 at its native patch size.
    settings : TrainSettings
        As far as an evaluation needs them: sizes, normalisation, position.
    classes : tuple of ClassName
    """

    model: VisionTransformer
    settings: TrainSettings
    classes: tuple[ClassName, ...]

    def at_patch_size(self, patch_size: int) -> VisionTransformer:
        """A copy of the model at another patch size, made from the native weights as the page makes it."""
        changed = create_model(
            ARCHITECTURE, **model_arguments(self.settings, len(self.classes)), pretrained=False
        ).eval()
        changed.load_state_dict(self.model.state_dict())
        if patch_size != self.settings.patch_size:
            changed.set_input_size(patch_size=(patch_size, patch_size))
            if self.settings.position in ("sin1d", "sin2d"):
                rows, columns = changed.patch_embed.grid_size
                table = position_table(self.settings.position, rows, columns, self.settings.embed_dim)
                with torch.no_grad():
                    changed.pos_embed.copy_(table)
        return changed


def export_model(run: Path, folder: Path, mean_with: Sequence[Path] = ()) -> dict[str, Any]:
    """Write a run's averaged weights as a timm ``local-dir:`` folder.

    It may be called at any time, also while the run goes on. The model card is written apart, by
    :func:`write_card`, because its numbers are those of the exported weights.

    Parameters
    ----------
    run : Path
        The run's folder.
    folder : Path
        Is created where it is missing; files of an earlier export are replaced.
    mean_with : sequence of Path
        Exported models, such as those that the run started from: what is written is the mean of the run's weights
        and theirs (see :func:`start_of`). One that is named twice counts twice; one with fewer layers is taken as the
        run would start from it.

    Returns
    -------
    dict
        The run's facts: settings, steps, seconds, history.

    Raises
    ------
    ExplorerError
        ``training-no-checkpoint`` where nothing was trained yet; ``training-folder`` where ``folder`` cannot be written
        to; ``training-model`` for a model to take the mean with that is none, or of another shape.
    """
    settings = TrainSettings.from_values(read_facts(run)["settings"])
    classes = read_labels(run / "labels.tsv")
    if settings.network != "vit":
        raise ExplorerError("training-settings", problem=Phrase("training.problem.no-vit", name=settings.network))
    model, average = build_model(settings, len(classes)), build_model(settings, len(classes))
    facts = load_checkpoint(run / CHECKPOINT, model, average)
    weights = average.state_dict()
    if mean_with:
        others = [_as_deep(load_folder(other).model.state_dict(), settings.depth) for other in mean_with]
        weights = _mean([weights, *others], mean_with[-1])
        facts["mean_with_earlier"] = len(mean_with)
    weights = {name: tensor.half().contiguous() for name, tensor in weights.items()}
    make_folder(folder)
    unfinished = folder / "model.safetensors.part"
    save_file(weights, unfinished, metadata={"format": "pt"})
    write_labels(folder / "labels.tsv", classes)
    _write_json(folder / "config.json", _config(settings, classes))
    (folder / SETTINGS_NAME).write_text(settings.to_json() + "\n", "utf-8")
    _write_json(folder / COURSE_NAME, {name: value for name, value in facts.items() if name != "settings"})
    unfinished.chmod(0o644)  # safetensors makes files that only their owner can read
    os.replace(unfinished, folder / "model.safetensors")
    return facts


def write_card(folder: Path, facts: dict[str, Any], results: dict[int, Accuracy], where: str) -> None:
    """Write an exported model's card, and its numbers for programs beside it.

    Parameters
    ----------
    folder : Path
    facts : dict
        What :func:`export_model` returned.
    results : dict of int to Accuracy
        Patch size to what :func:`evaluate_model` counted.
    where : str
        The machine, in words.
    """
    loaded = load_folder(folder)
    parameters = sum(tensor.numel() for tensor in loaded.model.parameters())
    card = model_card(facts, results, parameters=parameters, classes=loaded.classes, where=where)
    (folder / "README.md").write_text(card, "utf-8")
    course = json.loads((folder / COURSE_NAME).read_text("utf-8"))
    _write_json(folder / COURSE_NAME, course | {"evaluated": evaluated(results)})


def evaluated(results: dict[int, Accuracy]) -> list[dict[str, int]]:
    """What an evaluation counted, as ``training.json`` keeps it.

    Parameters
    ----------
    results : dict of int to Accuracy
        By patch size.
    """
    return [
        {"patch_size": size, "count": found.count, "top1": found.top1, "top5": found.top5}
        for size, found in sorted(results.items())
    ]


def load_folder(folder: Path) -> LoadedModel:
    """Open an exported model's folder with timm.

    Raises
    ------
    ExplorerError
        ``training-model`` if it is none.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        if not (folder / "model.safetensors").is_file():
            raise FileNotFoundError(folder / "model.safetensors")  # timm would unpickle a .bin instead
        model = create_model(f"local-dir:{folder}", pretrained=True).eval()
        arguments, pretrained = config["model_args"], config["pretrained_cfg"]
        position = str(config.get("position", "learned"))
        settings = TrainSettings(
            image_size=int(arguments["img_size"]),
            patch_size=int(arguments["patch_size"]),
            embed_dim=int(arguments["embed_dim"]),
            depth=int(arguments["depth"]),
            num_heads=int(arguments["num_heads"]),
            mlp_ratio=float(arguments.get("mlp_ratio", 4.0)),
            position=position if position in POSITIONS else "learned",
            mean=tuple(pretrained["mean"]),
            std=tuple(pretrained["std"]),
            validation_per_class=_held_back(folder),
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ExplorerError("training-model", path=str(folder), problem=str(error)) from error
    return LoadedModel(model, settings, read_labels(folder / "labels.tsv"))


def _held_back(folder: Path) -> int:
    """How many pictures of each class a model was never trained on; where nobody wrote it down, as many as usual."""
    kept = folder / SETTINGS_NAME
    return read_settings(kept).validation_per_class if kept.is_file() else TrainSettings().validation_per_class


def course_of(folder: Path) -> dict[str, Any] | None:
    """How much training an exported model has had, its own run and those before it; None where nobody wrote it down.

    Returns
    -------
    dict or None
        ``step``, ``seen`` and ``elapsed``: steps, pictures and seconds, summed over all runs. ``runs``: for each run,
        the first one first, the same for it alone, its ``settings``, and ``start``, how many models' mean it started
        from (0 for random weights).
    """
    try:
        facts = json.loads((folder / COURSE_NAME).read_text("utf-8"))
        own = {name: facts[name] for name in ("step", "seen", "elapsed")}
        settings = json.loads((folder / SETTINGS_NAME).read_text("utf-8"))
    except (OSError, ValueError, KeyError):
        return None
    before = facts.get("earlier") or {}
    run = {"settings": settings, "start": before.get("averaged", 1) if before else 0, **own}
    if facts.get("teachers"):
        run["teachers"] = len(facts["teachers"])
    total: dict[str, Any] = {name: value + before.get(name, 0) for name, value in own.items()}
    return total | {"runs": [*before.get("runs", []), run]}


def start_of(folders: Sequence[Path]) -> tuple[VisionTransformer | None, dict[str, Any] | None]:
    """The weights that a run goes on from, and what they have been through.

    The mean of the weights of runs that went on from one another is often better than each of them, and a good place
    to go on from (Wortsman et al., 2022, "Model soups").

    Parameters
    ----------
    folders : sequence of Path
        Exported models alike in all but their weights, the latest last; none for a run from nothing.

    Returns
    -------
    (VisionTransformer or None, dict or None)
        The mean of the models' weights, and :func:`course_of` the last folder; with ``averaged``, how many there are,
        where there is more than one.

    Raises
    ------
    ExplorerError
        ``training-model`` for a folder that is no model, or one of another shape.
    """
    if not folders:
        return None, None
    model, course = load_folder(folders[-1]).model, course_of(folders[-1])
    others = [load_folder(folder).model.state_dict() for folder in folders[:-1]]
    model.load_state_dict(_mean([model.state_dict(), *others], folders[-1]))
    if course is not None and len(folders) > 1:
        course["averaged"] = len(folders)
    return model, course


def _as_deep(weights: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """Weights with as many layers as others, where they can be grown; else as they are, to be refused."""
    return deepened(weights, layers) if layers_of(weights) <= layers <= 2 * layers_of(weights) else weights


def _mean(weights: Sequence[dict[str, torch.Tensor]], path: Path) -> dict[str, torch.Tensor]:
    shapes = [{name: value.shape for name, value in each.items()} for each in weights]
    if any(each != shapes[0] for each in shapes[1:]):
        raise ExplorerError("training-model", path=str(path), problem=Phrase("training.problem.no-mean"))
    return {name: torch.stack([each[name] for each in weights]).mean(0) for name in weights[0]}


def evaluate_model(
    loaded: LoadedModel,
    pictures: PictureSet,
    patch_sizes: Sequence[int],
    *,
    device: torch.device,
    indices: np.ndarray | None = None,
) -> dict[int, Accuracy]:
    """Count a model's right answers at several patch sizes.

    Parameters
    ----------
    loaded : LoadedModel
    pictures : PictureSet
        Its classes must be the model's, in any order.
    patch_sizes : sequence of int
    device : torch.device
    indices : (n,) int, optional
        Which pictures; the held-back ones of each class if left out.
    """
    if indices is None:
        indices = split_pictures(pictures.labels, loaded.settings.validation_per_class).validation
    rows = {name.wordnet_id: row for row, name in enumerate(loaded.classes)}
    if missing := [name.wordnet_id for name in pictures.classes if name.wordnet_id not in rows]:
        raise ExplorerError("training-classes", name=missing[0])
    labels = np.asarray([rows[name.wordnet_id] for name in pictures.classes])[pictures.labels]
    results = {}
    for patch_size in patch_sizes:
        if patch_size < 1 or loaded.settings.image_size % patch_size:
            raise ExplorerError("training-patch-size", patch=patch_size, image=loaded.settings.image_size)
        model = loaded.at_patch_size(patch_size).to(device)
        results[patch_size] = measure(model, pictures.pixels, labels, indices, loaded.settings, device=device)
    return results


def _config(settings: TrainSettings, classes: Sequence[ClassName]) -> dict[str, Any]:
    size = [3, settings.image_size, settings.image_size]
    return {
        "architecture": ARCHITECTURE,
        "num_classes": len(classes),
        "num_features": settings.embed_dim,
        "title": settings.name,
        "position": settings.position,
        "label_names": [name.wordnet_id for name in classes],
        "label_descriptions": {name.wordnet_id: name.name_en for name in classes},
        "model_args": model_arguments(settings, len(classes)),
        "pretrained_cfg": {
            "tag": settings.name,
            "num_classes": len(classes),
            "input_size": size,
            "fixed_input_size": True,
            "crop_pct": 1.0,
            "crop_mode": "center",
            "interpolation": "bicubic",
            "mean": list(settings.mean),
            "std": list(settings.std),
            "pool_size": None,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
            "custom_load": False,
        },
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
