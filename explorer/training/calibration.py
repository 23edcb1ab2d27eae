"""Measure the rule that says "probably none of the classes", and keep it beside a model's weights.

``python -m explorer.training.calibration MODEL DATA --outside FOLDER``: MODEL is a bundled model's name or a folder,
DATA what it was trained on (its held-back pictures are used), FOLDER holds photos that show none of its classes
(``tools/outside_pictures.py`` fetches such for the bundled one). To be repeated whenever the weights change.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.errors import ExplorerError
from explorer.images import model_crop, open_picture
from explorer.models import ExplorerModel, load_model
from explorer.novelty import RULES_NAME, NoveltyRule, Rate, calibrate, write_rules
from explorer.specs import ModelSpec
from explorer.training.augment import normalise_batch
from explorer.training.cli import runs_folder
from explorer.training.data import load_pictures, split_pictures

__all__ = ["calibrate_model", "main"]


def calibrate_model(
    model: ExplorerModel,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    outside: NDArray[np.uint8],
    patch_sizes: Sequence[int],
) -> dict[int, NoveltyRule]:
    """The rule at several patch sizes.

    Parameters
    ----------
    model : ExplorerModel
    pixels : (n, S, S, 3) uint8
        Unseen pictures of the model's classes, sorted by class.
    labels : (n,) int
        Their logits' indices.
    outside : (m, S, S, 3) uint8
        Photos of something else, cropped as the page crops them.
    patch_sizes : sequence of int
    """
    rules = {}
    for patch_size in patch_sizes:
        known, strange = (_logits(model, patch_size, pictures) for pictures in (pixels, outside))
        rules[patch_size] = calibrate(known, labels, strange)
    return rules


def photos(folder: Path, spec: ModelSpec | tuple[int, float, str]) -> NDArray[np.uint8]:
    """All pictures of a folder as the page shows them to a model, (m, S, S, 3)."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise ExplorerError("training-data-empty", path=str(folder))
    return np.stack([model_crop(open_picture(file.read_bytes(), file.name), spec) for file in files])


@torch.inference_mode()
def _logits(model: ExplorerModel, patch_size: int, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    module, _ = model.at(patch_size)
    answers = []
    for start in range(0, len(pixels), 250):
        batch = torch.from_numpy(np.array(pixels[start : start + 250]))
        answers.append(module(normalise_batch(batch, model.spec.mean, model.spec.std)).numpy())
    return np.concatenate(answers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    from explorer.training.cli import _model_folder
    from explorer.training.export import SETTINGS_NAME
    from explorer.training.settings import read_settings

    parser = argparse.ArgumentParser(prog="python -m explorer.training.calibration", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("--outside", metavar="FOLDER", type=Path, required=True)
    parser.add_argument("--patch-size", type=int, nargs="+")
    parser.add_argument("--source", default="", help="what the photos in FOLDER are, for readers of novelty.json")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    folder = _model_folder(options.model)
    model = load_model(folder)
    spec = model.spec
    kept = folder / SETTINGS_NAME
    settings = read_settings(kept) if kept.is_file() else None
    per_class = settings.validation_per_class if settings else 50
    pictures = load_pictures(options.data, spec.image_size, runs_folder() / "pictures")
    held = split_pictures(pictures.labels, per_class).validation
    # Every second one sets the threshold: half of each class.
    held = held[np.argsort(pictures.labels[held], kind="stable")]
    rows = [model.labels.ids.index(name.wordnet_id) for name in pictures.classes]
    labels = np.asarray(rows)[pictures.labels[held]]
    outside = photos(options.outside, spec)
    rules: dict[int, NoveltyRule] = {}
    for patch_size in options.patch_size or (settings.patch_sizes if settings else (spec.patch_size,)):
        rules |= calibrate_model(model, pictures.pixels[held], labels, outside, (patch_size,))
        print(f"patch {patch_size:2d}: {_line(rules[patch_size])}", flush=True)
    write_rules(
        folder,
        rules,
        known=f"the last {per_class} pictures of each class of {options.data.name}",
        outside=options.source or f"{len(outside)} photos",
    )
    print(f"written to {folder / RULES_NAME}")
    return 0


def _line(rule: NoveltyRule) -> str:
    def said(rate: Rate) -> str:
        low, high = rate.interval()
        return f"{100 * rate.share:5.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {rate.count}"

    rates = rule.rates
    if rates is None:
        return ""
    verdict = "useful" if rule.useful else "NOT useful: the page will not warn"
    return (
        f"warns below {100 * rule.threshold:.1f} %  outside {said(rates.outside)}  right {said(rates.right)}  "
        f"wrong {said(rates.wrong)}  known {said(rates.known)}  {verdict}"
    )


if __name__ == "__main__":
    sys.exit(main())
