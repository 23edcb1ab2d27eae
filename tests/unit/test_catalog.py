"""What the page's list says about models, against timm, and the header of safetensors files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from explorer import catalog, weights
from explorer.catalog import KnownModel, bundled_models, known_model, known_models
from explorer.errors import ExplorerError
from explorer.texts import LANGUAGES, catalogue
from tests.hub_standin import small_vit

TIMM_MODELS = [model for model in known_models() if not model.bundled]


@pytest.mark.parametrize("model", TIMM_MODELS, ids=lambda model: model.name)
def test_facts_are_timms(model: KnownModel) -> None:
    """Built without memory for weights, every model of the list has the sizes that the list says."""
    from explorer.torch_compat import import_timm

    timm = import_timm()
    import torch
    from timm.models import get_pretrained_cfg, is_model_in_modules

    config = get_pretrained_cfg(model.name, allow_unregistered=False)
    assert config.hf_hub_id == model.repo
    assert config.hf_hub_filename is None
    assert config.license == "apache-2.0"
    assert is_model_in_modules(config.architecture, ("vision_transformer", "deit"))
    with torch.device("meta"):
        module = timm.create_model(model.name, pretrained=False)
    assert sum(parameter.numel() for parameter in module.parameters()) == model.num_params
    assert config.input_size == (3, model.image_size, model.image_size)
    assert module.patch_embed.patch_size == (model.patch_size, model.patch_size)
    classes = {"classes": model.num_classes, "projection": 512, "none": 0}[model.head]
    assert module.num_classes == classes
    assert model.has_classes == (classes == 1000)
    assert model.download_bytes == 4 * sum(tensor.numel() for tensor in module.state_dict().values())


def test_list() -> None:
    models = known_models()
    assert len({model.name for model in models}) == len(models)
    bundled = [model.bundled for model in models]
    assert bundled == sorted(bundled, reverse=True)
    assert len(TIMM_MODELS) == 12
    assert known_model("vit_no_such") is None
    assert known_model(TIMM_MODELS[0].name) == TIMM_MODELS[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_model_has_its_line(language: str) -> None:
    notes = set()
    for model in TIMM_MODELS:
        assert f"models.note.{model.name.replace('.', '-')}" in catalogue(language)
        notes.add(model.note(language))
        said = "No class head" in model.note(language) or "ヘッドはありません" in model.note(language)
        assert said == (not model.has_classes)
        assert f"{model.image_size} px" in model.facts(language)
    assert len(notes) == len(TIMM_MODELS)


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(catalog, "assets_path", tmp_path.joinpath)
    return tmp_path / "models"


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_bundled_models_are_read_from_their_folders(assets: Path) -> None:
    assert bundled_models() == ()
    write(assets / "another", small_vit(classes=5))
    write(assets / "flexi", small_vit())
    write(assets / "half", {"config.json": b"{}"})
    write(assets / "broken", {**small_vit(), "config.json": b"[]"})
    flexi, another = bundled_models()
    assert (flexi.name, another.name) == ("flexi", "another")
    assert known_model("bundled") == flexi
    assert (flexi.image_size, flexi.patch_size, flexi.num_classes, another.num_classes) == (32, 16, 3, 5)
    expected = 16 * (1 + 5 + 768 + 1 + 2 + 48 + 3 + 16 + 1 + 2 + 64 + 4 + 64 + 1 + 2 + 3) + 3
    assert flexi.num_params == expected
    assert flexi.download_bytes == 0
    assert "MB" not in flexi.facts("en")
    assert flexi.note("en") != another.note("en")


def raises(code: str, path: Path) -> None:
    with pytest.raises(ExplorerError) as caught:
        weights.check_model_folder(path)
    assert caught.value.code == code
    assert str(caught.value)


def test_folders_that_are_no_model(tmp_path: Path) -> None:
    good = small_vit()
    weights.check_model_folder(write(tmp_path / "good", good))
    raises("model-folder-missing", tmp_path / "nowhere")
    raises("model-folder-no-config", write(tmp_path / "a", {}))
    raises("model-folder-bad-config", write(tmp_path / "b", {**good, "config.json": b"{"}))
    raises("model-folder-bad-config", write(tmp_path / "c", {**good, "config.json": b'{"architecture": 3}'}))
    raises("model-folder-bad-config", write(tmp_path / "d", {**good, "config.json": b"[" * 100_000}))
    raises("model-folder-no-weights", write(tmp_path / "e", {"config.json": good["config.json"]}))
    unsafe = {"config.json": good["config.json"], "pytorch_model.bin": b"\x80\x04."}
    raises("model-folder-unsafe", write(tmp_path / "f", unsafe))


def header(table: object, length: int | None = None) -> bytes:
    content = json.dumps(table).encode()
    return struct.pack("<Q", len(content) if length is None else length) + content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 7,
        small_vit()["model.safetensors"][:-1],
        small_vit()["model.safetensors"] + b"\x00",
        header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}) + b"\x00" * 4,
        header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}) + b"\x00" * 8,
        header({"a": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}) + b"\x00" * 4,
        header({"a": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}) + b"\x00" * 4,
        header({"a": 3}),
        header([1, 2]),
        header({}, length=2**63),
        b"<!DOCTYPE html><html>sign in</html>",
    ],
)
def test_damaged_weights(tmp_path: Path, content: bytes) -> None:
    raises("model-corrupt", write(tmp_path / "m", {**small_vit(), "model.safetensors": content}))


def test_header(tmp_path: Path) -> None:
    table = weights.weights_header(write(tmp_path / "m", small_vit()) / "model.safetensors")
    assert table["head.weight"] == weights.TensorEntry("F32", (3, 16))
    assert len(table) == 20
