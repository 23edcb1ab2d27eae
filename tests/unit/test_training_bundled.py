"""The weights that the project carries."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from explorer import load_model
from explorer.experiments.positions import SIBLINGS
from explorer.positions import sinusoidal_table
from explorer.resources import assets_path
from explorer.training.augment import normalise_batch
from explorer.training.data import _square
from explorer.training.export import LoadedModel, load_folder
from explorer.training.settings import read_settings
from explorer.training.siblings import sibling_table

FLEXI = assets_path("models", "flexi")
FOUR = [assets_path("models", name) for name in SIBLINGS]


@pytest.fixture(scope="module")
def flexi() -> LoadedModel:
    return load_folder(FLEXI)


@pytest.mark.parametrize("folder", [FLEXI, *FOUR], ids=lambda folder: folder.name)
def test_the_folder_holds_what_its_files_promise(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    loaded = load_folder(folder)
    assert config["label_names"] == [name.wordnet_id for name in loaded.classes]
    assert len(loaded.classes) == config["num_classes"] == loaded.model.num_classes
    assert all(name.name_en and name.name_ja for name in loaded.classes)
    settings = read_settings(folder / "settings.json")
    assert (settings.image_size, settings.patch_size) == (64, 8)
    with safe_open(folder / "model.safetensors", framework="pt") as stream:
        assert {stream.get_tensor(name).dtype for name in stream.keys()} == {torch.float16}  # noqa: SIM118
    # What programs read of its accuracy is what the card says.
    card = (folder / "README.md").read_text("utf-8")
    for entry in json.loads((folder / "training.json").read_text("utf-8"))["evaluated"]:
        size, top1, top5 = entry["patch_size"], entry["top1"] / entry["count"], entry["top5"] / entry["count"]
        row = rf"^\| {size} × {size} \| {100 * top1:.1f} % \| .* \| {100 * top5:.1f} % \|"
        assert re.search(row, card, re.MULTILINE)
    assert "95 % interval" in card


def test_the_four_siblings_stand_in_one_table_and_say_what_they_are() -> None:
    table = sibling_table(FOUR)
    assert len(table.splitlines()) == 2 + len(FOUR)
    for folder, position in zip(FOUR, ("learned", "sin1d", "sin2d", "none"), strict=True):
        assert table in (folder / "README.md").read_text("utf-8")
        model = load_model(folder.name)
        own = model.arrays.pos_embed[1:]
        if position in ("sin1d", "sin2d"):
            assert model.spec.frozen_positions == position
            # Stored in half precision.
            np.testing.assert_allclose(own, sinusoidal_table(position, 8, 8, 128), atol=5e-4)
        else:
            assert model.spec.frozen_positions == ""
            assert bool(own.any()) == (position == "learned")


def test_all_bundled_models_together_are_small() -> None:
    assert sum(path.stat().st_size for path in assets_path("models").rglob("*") if path.is_file()) <= 40_000_000


@pytest.mark.parametrize(
    ("photo", "names"),
    [
        ("chelsea.jpg", {"tabby cat", "Persian cat", "Egyptian cat"}),
        ("coffee.jpg", {"espresso"}),
        ("goldfish.jpg", {"goldfish"}),
    ],
)
def test_sample_photos_are_recognised_at_patch_8(flexi: LoadedModel, photo: str, names: set[str]) -> None:
    pixels = torch.tensor(_square(photo, assets_path("samples", photo).read_bytes(), 64))[None]
    with torch.no_grad():
        best = int(flexi.model(normalise_batch(pixels, flexi.settings.mean, flexi.settings.std)).argmax())
    assert flexi.classes[best].name_en in names
