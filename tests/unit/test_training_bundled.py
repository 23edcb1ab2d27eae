"""The weights that the project carries."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open

from explorer.resources import assets_path
from explorer.training.augment import normalise_batch
from explorer.training.data import _square
from explorer.training.export import LoadedModel, load_folder
from explorer.training.settings import read_settings

FLEXI = assets_path("models", "flexi")


@pytest.fixture(scope="module")
def flexi() -> LoadedModel:
    return load_folder(FLEXI)


def test_the_folder_holds_what_its_files_promise(flexi: LoadedModel) -> None:
    config = json.loads((FLEXI / "config.json").read_text("utf-8"))
    assert config["label_names"] == [name.wordnet_id for name in flexi.classes]
    assert len(flexi.classes) == config["num_classes"] == flexi.model.num_classes
    assert all(name.name_en and name.name_ja for name in flexi.classes)
    settings = read_settings(FLEXI / "settings.json")
    assert (settings.image_size, settings.patch_size) == (64, 8)
    with safe_open(FLEXI / "model.safetensors", framework="pt") as stream:
        assert {stream.get_tensor(name).dtype for name in stream.keys()} == {torch.float16}  # noqa: SIM118
    assert "95 % interval" in (FLEXI / "README.md").read_text("utf-8")


def test_all_bundled_models_together_are_small() -> None:
    assert sum(path.stat().st_size for path in assets_path("models").rglob("*") if path.is_file()) <= 40_000_000


@pytest.mark.parametrize(("photo", "name"), [("coffee.jpg", "espresso"), ("goldfish.jpg", "goldfish")])
def test_sample_photos_are_recognised_at_patch_8(flexi: LoadedModel, photo: str, name: str) -> None:
    pixels = torch.tensor(_square(photo, assets_path("samples", photo).read_bytes(), 64))[None]
    with torch.no_grad():
        best = int(flexi.model(normalise_batch(pixels, flexi.settings.mean, flexi.settings.std)).argmax())
    assert flexi.classes[best].name_en == name
