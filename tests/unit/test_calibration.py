"""Measuring the rule with a model: the logits are the page's own, and the file is written where the page reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.errors import ExplorerError
from explorer.novelty import read_rules
from tests.hub_standin import small_vit

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from explorer.engine import trace_image  # noqa: E402
from explorer.models import load_model  # noqa: E402
from explorer.training import calibration  # noqa: E402
from explorer.training.data import ClassName, PictureSet, Split  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "model"
    target.mkdir()
    for name, content in small_vit().items():
        (target / name).write_bytes(content)
    rows = ["wordnet_id\tname_en\tname_ja", *(f"kind {index}\tkind {index}\t" for index in range(3))]
    (target / "labels.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    return target


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    target = tmp_path / "outside"
    target.mkdir()
    random = np.random.default_rng(1)
    for index in range(4):
        Image.fromarray(random.integers(0, 256, (40, 70, 3), np.uint8)).save(target / f"{index}.png")
    return target


def test_logits_are_those_of_a_trace(folder: Path, outside: Path) -> None:
    model = load_model(folder)
    answers = calibration._logits(model, 8, calibration.photos(outside, model.spec))
    expected = [trace_image(model, file, patch_size=8).logits for file in sorted(outside.iterdir())]
    np.testing.assert_allclose(answers, expected, atol=1e-4)


def test_command_writes_the_rules(folder: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(folder)
    pixels = np.random.default_rng(2).integers(0, 256, (60, 32, 32, 3), np.uint8)
    # The data's classes come in another order than the model's.
    named = 2 - calibration._logits(model, 16, pixels).argmax(axis=1)
    classes = tuple(ClassName(f"kind {index}", "", "") for index in (2, 1, 0))
    monkeypatch.setattr(calibration, "load_pictures", lambda *_: PictureSet(pixels, named, classes))
    monkeypatch.setattr(calibration, "split_pictures", lambda *_: Split(np.arange(0), np.arange(60)))
    status = calibration.main([str(folder), "data", "--outside", str(outside), "--patch-size", "16", "--threads", "1"])
    assert status == 0
    (rule,) = read_rules(folder).values()
    assert rule.rates is not None
    assert (rule.rates.right.count, rule.rates.wrong.count, rule.rates.outside.count) == (30, 0, 4)


def test_folder_without_photos(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError):
        calibration.photos(tmp_path, (32, 1.0, "bicubic"))
