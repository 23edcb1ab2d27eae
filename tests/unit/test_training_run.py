"""Training runs: stopped, killed and continued; refused where they cannot go well."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.errors import ExplorerError
from explorer.training.checkpoint import CHECKPOINT
from explorer.training.data import PictureSet, load_pictures
from explorer.training.trainer import Trainer
from tests.training_pictures import TINY, new_trainer, write_packed


def assert_equal_weights(one: Trainer, other: Trainer) -> None:
    for a, b in ((one.model, other.model), (one.average.module, other.average.module)):
        for name, value in a.state_dict().items():
            assert torch.equal(value, b.state_dict()[name]), name


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_resumed_run_repeats_the_one_that_was_not_stopped(tmp_path: Path, loaded: PictureSet, optimizer: str) -> None:
    settings = replace(
        TINY, optimizer=optimizer, drop_path=0.2, erase_probability=0.5, mix_probability=1.0, rotation=20.0
    ).with_changes(patch_drop={4: 0.5, 8: 0.25}, patch_drop_until=0.7)
    whole = new_trainer(tmp_path / "whole", loaded, settings)
    whole.run(until_step=8)
    assert not new_trainer(tmp_path / "cut", loaded, settings).run(until_step=4)
    torch.rand(7)  # whatever another program draws in between
    resumed = new_trainer(tmp_path / "cut", loaded, settings)
    assert resumed.step == 4
    resumed.run(until_step=8)
    assert (resumed.step, resumed.seen) == (whole.step, whole.seen)
    assert_equal_weights(whole, resumed)


def test_a_kill_while_saving_leaves_the_last_checkpoint(
    tmp_path: Path, loaded: PictureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_trainer(tmp_path, loaded)
    first.run(until_step=2)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        first.run(until_step=3)
    monkeypatch.undo()
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert new_trainer(tmp_path, loaded).step == 2


def test_a_signal_ends_the_run_with_a_checkpoint(
    tmp_path: Path, loaded: PictureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = new_trainer(tmp_path, loaded)
    step = running.train_step

    def step_and_signal() -> tuple[int, float]:
        if running.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step()

    monkeypatch.setattr(running, "train_step", step_and_signal)
    assert not running.run()
    assert new_trainer(tmp_path, loaded).step == 3


def test_held_back_pictures_are_never_drawn(tmp_path: Path, loaded: PictureSet) -> None:
    running = new_trainer(tmp_path, loaded)
    drawn: set[int] = set()
    for _ in range(20):
        chosen = running._next_indices(8)
        running.seen += len(chosen)
        drawn |= set(chosen.tolist())
    assert drawn == set(running.split.train.tolist())
    assert not drawn & set(running.split.validation.tolist())


def test_progress_follows_the_clock_where_there_is_a_budget(tmp_path: Path, loaded: PictureSet) -> None:
    running = new_trainer(tmp_path, loaded, replace(TINY, budget_minutes=2.0))
    running.elapsed = 30.0
    assert running.progress == 0.25
    running.elapsed = 500.0
    assert running.progress == 1.0
    assert running.run()


def test_rates_rise_and_fall_to_zero(tmp_path: Path, loaded: PictureSet) -> None:
    settings = replace(TINY, budget_minutes=100.0, warmup=0.1)
    running = new_trainer(tmp_path, loaded, settings)
    rates = []
    for minutes in (5, 10, 55, 99.99):
        running.elapsed = 60.0 * minutes
        running.train_step()
        rates.append([group["lr"] for group in running.optimizer.param_groups])
    assert rates[0] == pytest.approx([2.5e-3, 1e-3, 1e-3])
    assert rates[1] == pytest.approx([5e-3, 2e-3, 2e-3])
    assert rates[2] == pytest.approx([2.5e-3, 1e-3, 1e-3])
    assert max(rates[3]) < 1e-5


def test_another_models_checkpoint_is_refused(tmp_path: Path, loaded: PictureSet) -> None:
    new_trainer(tmp_path, loaded).run(until_step=1)
    with pytest.raises(ExplorerError) as caught:
        new_trainer(tmp_path, loaded, replace(TINY, depth=2))
    assert caught.value.code == "training-checkpoint"
    (tmp_path / CHECKPOINT).write_bytes(b"damaged")
    with pytest.raises(ExplorerError) as caught:
        new_trainer(tmp_path, loaded)
    assert caught.value.code == "training-checkpoint"


def test_a_run_does_not_go_on_with_pictures_of_other_classes(tmp_path: Path, loaded: PictureSet) -> None:
    new_trainer(tmp_path, loaded).run(until_step=1)
    kept = (tmp_path / "labels.tsv").read_text("utf-8")
    renamed = tuple(replace(name, wordnet_id=f"{name.wordnet_id}x") for name in loaded.classes)
    with pytest.raises(ExplorerError) as caught:
        new_trainer(tmp_path, replace(loaded, classes=renamed))
    assert caught.value.code == "training-checkpoint"
    assert "other classes" in str(caught.value)
    assert (tmp_path / "labels.tsv").read_text("utf-8") == kept


def test_a_folder_that_cannot_be_written_to_is_named_before_training(tmp_path: Path, loaded: PictureSet) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    with pytest.raises(ExplorerError) as caught:
        new_trainer(tmp_path / "file" / "run", loaded)
    assert caught.value.code == "training-folder"


def test_too_few_pictures(tmp_path: Path) -> None:
    few = PictureSet(np.zeros((1, 16, 16, 3), np.uint8), np.zeros(1, np.int64), ())
    with pytest.raises(ExplorerError) as caught:
        new_trainer(tmp_path, few)
    assert caught.value.code == "training-data-few"


def test_one_picture_a_class_cannot_be_held_back(tmp_path: Path) -> None:
    source = write_packed(tmp_path / "single", each=1)
    with pytest.raises(ExplorerError) as caught:
        new_trainer(tmp_path / "run", load_pictures(source, 16, tmp_path / "cache"))
    assert caught.value.code == "training-data-few"


def test_divergence_is_told(tmp_path: Path, loaded: PictureSet) -> None:
    running = new_trainer(tmp_path, loaded)
    with torch.no_grad():
        running.model.head.bias.fill_(float("nan"))
    with pytest.raises(ExplorerError) as caught:
        running.train_step()
    assert caught.value.code == "training-diverged"
