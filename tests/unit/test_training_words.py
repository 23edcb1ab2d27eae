"""What ``train`` and ``evaluate`` say, in the user's language."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.resources import assets_path
from explorer.texts import error_text
from explorer.training import cli
from explorer.training.data import load_pictures
from explorer.training.export import start_of
from explorer.training.lines import report_line
from explorer.training.settings import POSITIONS, TrainSettings, load_preset, preset_names
from explorer.training.trainer import Trainer
from tests.training_pictures import TINY, write_packed

#: What stays as it is in a Japanese sentence: names of settings and of what they can be, files, devices, top-k.
NAMES = {item.name for item in fields(TrainSettings)} | set(POSITIONS) | set(preset_names())
NAMES |= {"classes.tsv", "train.npz", "offsets", "labels", "cpu", "cuda", "top-1", "top-5"}


def english(words: str, *given: object) -> set[str]:
    """English words of a Japanese text, without the names that it may hold and what the user gave."""
    for name in sorted(map(str, given), key=len, reverse=True):
        words = words.replace(name, "")
    return {word for word in re.findall(r"[A-Za-z][\w.-]*[A-Za-z0-9]", words, re.ASCII) if word not in NAMES}


PROBLEMS: list[tuple[dict[str, Any], str]] = [
    ({"stages": []}, "stages names no patch size"),
    ({"patch_size": 7}, "every patch size must divide image_size = 64"),
    ({"stages": [{"until": 1.0, "patches": {"2": 1.0}}]}, "batch_sizes has no entry for patch size 2"),
    ({"batch_sizes": {"8": 7}}, "batch_sizes must be even"),
    ({"patch_drop": {"8": 1.0}}, "patch_drop must be at least 0 and below 1"),
    ({"jpeg_probability": 1.5}, "jpeg_probability must be between 0 and 1"),
    ({"num_heads": 5}, "embed_dim must be a multiple of num_heads"),
    ({"position": "none such"}, "position must be one of learned, sin1d, sin2d, none"),
    ({"epochs": 0}, "epochs or budget_minutes must be above 0"),
    ({"depht": 3}, "unknown setting depht"),
    ({"epochs": "many"}, "epochs cannot be many"),
    ({"depth": 2.5}, "depth cannot be 2.5"),
    ({"compile": 1}, "compile cannot be 1"),
    ({"seed": True}, "seed cannot be True"),
    ({"stages": [{"patches": {"8": 1.0}}]}, "stages cannot be [{'patches': {'8': 1.0}}]"),
]


@pytest.mark.parametrize(("values", "problem"), PROBLEMS)
def test_problems_of_settings_are_said_in_both_languages(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ExplorerError) as caught:
        TrainSettings.from_values(values)
    assert str(caught.value) == f"These training settings cannot be used: {problem}."
    assert english(error_text(caught.value, "ja"), *values, *values.values()) == set()


def test_an_unknown_preset_is_said_in_both_languages() -> None:
    with pytest.raises(ExplorerError) as caught:
        load_preset("huge")
    assert f"no preset huge; there are {', '.join(preset_names())}." in str(caught.value)
    assert english(error_text(caught.value, "ja"), "huge") == set()


def test_pictures_and_models_that_do_not_fit_are_said_in_both_languages(tmp_path: Path) -> None:
    source = write_packed(tmp_path / "packed")
    pictures = load_pictures(source, 16, tmp_path / "cache")
    bundled = assets_path("models", "flexi"), assets_path("models", "pos-none")
    start, _ = start_of(bundled[:1])
    with np.load(source / "train.npz") as content:
        np.savez(source / "train.npz", **{**content, "labels": content["labels"] + 1})
    failures = {
        "offsets, labels and classes.tsv do not fit together": lambda: load_pictures(source, 16, tmp_path / "other"),
        "models of different shapes have no mean": lambda: start_of(bundled),
        "its sizes are not those of these settings": lambda: Trainer(
            TINY, pictures, tmp_path / "run", torch.device("cpu"), start
        ),
    }
    for problem, failing in failures.items():
        with pytest.raises(ExplorerError) as caught:
            failing()
        assert f"({problem})" in str(caught.value)
        assert english(error_text(caught.value, "ja"), source, *bundled, "--start-from") == set()


def test_training_and_evaluation_speak_japanese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "runs_folder", lambda: tmp_path / "user")
    data, run, model = str(write_packed(tmp_path / "packed")), str(tmp_path / "run"), str(tmp_path / "tiny")
    (tmp_path / "own.json").write_text(TINY.to_json(), "utf-8")
    own = str(tmp_path / "own.json")
    commands = (
        ["train", own, data, "--run", run, "--epochs", "1"],
        ["train", own, data, "--run", run, "--export", model],
        ["evaluate", model, data, "--all"],
    )
    said = []
    for command in commands:
        assert main([*command, "--lang", "ja"]) == 0
        said.append(capsys.readouterr().out)
        assert english(said[-1], run, model) == set()
    assert said[0].startswith(f"学習のフォルダー：{run}\nデバイス：")
    assert "検証、パッチサイズ 8：top-1 " in said[0]
    assert f"の重みを書き出しました：{model}\nパッチサイズ  4：top-1 " in said[1]
    assert said[2].count("（36枚）") == 3


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["train", "huge", "data"], ["huge"]),
        (["train", "flexi", "data", "--set", "depth"], ["depth"]),
        (["train", "flexi", "data", "--set", "epochs=many"], ["many"]),
        (["train", "missing.toml", "data"], ["missing.toml"]),
        (["train", "flexi", "--export", "out", "--threads", "-1"], ["--threads", "-1"]),
    ],
)
def test_a_command_line_that_cannot_be_is_refused_in_japanese(
    arguments: list[str], given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--lang", "ja"]) == 2
    said = capsys.readouterr().err
    assert given[0] in said
    assert english(said, *given) == set()


def test_the_course_of_a_run_is_told_in_both_languages() -> None:
    entry = {"step": 7, "seen": 896, "minutes": 3.0, "rate": 0.005, "loss": {4: 4.25, 8: 3.5}}
    assert report_line(entry, 0.25, "en") == (
        " 25.0 %  step 7  pictures 896  rate 5.00e-03  loss 4:4.250 8:3.500  9 min left"
    )
    assert "left" not in report_line(entry, 1.0, "en")
    assert report_line(entry, 0.25, "ja").endswith("残り9分")
    assert english(report_line(entry, 0.25, "ja"), "5.00e-03") == set()
