"""Small labelled pictures for the training tests."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from explorer.training.data import PictureSet
from explorer.training.settings import Stage, TrainSettings
from explorer.training.trainer import Trainer

CPU = torch.device("cpu")

TINY = TrainSettings(
    name="tiny",
    image_size=16,
    patch_size=8,
    embed_dim=16,
    depth=1,
    num_heads=2,
    stages=(Stage(0.5, {8: 1.0, 16: 1.0}), Stage(1.0, {4: 1.0, 8: 1.0})),
    batch_sizes={4: 8, 8: 8, 16: 8},
    epochs=3.0,
    validation_per_class=2,
    evaluate_minutes=1000.0,
    compile=False,
)


def pictures(classes: int = 3, each: int = 12, size: int = 16) -> list[tuple[Image.Image, int]]:
    """Pictures whose class is their main colour, in random order of classes as in the real set."""
    rng = np.random.default_rng(0)
    found = []
    for index in range(classes * each):
        label = index % classes
        pixels = rng.integers(0, 80, (size, size, 3), dtype=np.uint8)
        pixels[..., label % 3] += 150
        found.append((Image.fromarray(pixels), label))
    return found


def new_trainer(folder: Path, loaded: PictureSet, settings: TrainSettings = TINY) -> Trainer:
    """A run in a folder, or what was stopped there."""
    return Trainer(settings, loaded, folder, CPU)


def write_packed(folder: Path, classes: int = 3, each: int = 12) -> Path:
    """The packed format, as its README describes it."""
    folder.mkdir(parents=True, exist_ok=True)
    blobs, labels = [], []
    for picture, label in pictures(classes, each):
        stream = io.BytesIO()
        picture.save(stream, "WEBP", lossless=True)
        blobs.append(stream.getvalue())
        labels.append(label)
    offsets = np.concatenate([[0], np.cumsum([len(blob) for blob in blobs])]).astype(np.int64)
    np.savez(
        folder / "train.npz",
        webp=np.frombuffer(b"".join(blobs), np.uint8),
        offsets=offsets,
        labels=np.asarray(labels, np.int16),
    )
    rows = ["wordnet_id\tname_en\tname_ja", *(f"n0000000{c}\tcolour {c}\t色{c}" for c in range(classes))]
    (folder / "classes.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


def write_folders(folder: Path, classes: int = 3, each: int = 12) -> Path:
    """One folder of PNG files per class."""
    for index, (picture, label) in enumerate(pictures(classes, each)):
        target = folder / f"colour{label}"
        target.mkdir(parents=True, exist_ok=True)
        picture.save(target / f"{index:03d}.png")
    return folder
