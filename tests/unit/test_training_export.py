"""What a finished run gives: a folder with the model and its card, and a start for further runs."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from explorer.errors import ExplorerError
from explorer.resources import assets_path
from explorer.training import cli
from explorer.training.card import model_card
from explorer.training.data import ClassName, PictureSet
from explorer.training.evaluation import Accuracy
from explorer.training.export import course_of, evaluate_model, export_model, load_folder, start_of, write_card
from explorer.training.trainer import Trainer
from tests.training_pictures import CPU, TINY, new_trainer


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, loaded: PictureSet) -> Trainer:
    running = new_trainer(tmp_path_factory.mktemp("run"), loaded, replace(TINY, epochs=60.0, ema_decay=0.9))
    assert running.run()
    return running


def test_training_learns_colours(finished: Trainer) -> None:
    assert finished.evaluate(8).top1 == finished.evaluate(8).count == 6


def test_what_is_exported_is_what_was_trained(finished: Trainer, loaded: PictureSet, tmp_path: Path) -> None:
    facts = export_model(finished.folder, tmp_path / "tiny")
    model = load_folder(tmp_path / "tiny")
    assert model.classes == loaded.classes
    assert model.settings.mean == tuple(TINY.mean)
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        for patch_size in (4, 8, 16):
            ours = finished.forward(finished.average.module, images, patch_size)
            assert torch.allclose(model.at_patch_size(patch_size)(images), ours, atol=2e-2)
    results = evaluate_model(model, loaded, (8, 16), device=CPU)
    assert results[8] == finished.evaluate(8)
    assert results[8].by_class == ((2, 2),) * 3
    write_card(tmp_path / "tiny", facts, results, "a test machine")
    card = (tmp_path / "tiny" / "README.md").read_text("utf-8")
    assert "100.0 %" in card
    assert "a test machine" in card
    assert "not finished" not in card
    course = json.loads((tmp_path / "tiny" / "training.json").read_text("utf-8"))
    assert [(entry["patch_size"], entry["count"]) for entry in course["evaluated"]] == [(8, 6), (16, 6)]
    assert course["evaluated"][0]["top1"] == results[8].top1


def test_an_exported_model_is_measured_on_what_it_was_not_trained_on(
    finished: Trainer, loaded: PictureSet, tmp_path: Path
) -> None:
    export_model(finished.folder, tmp_path)
    model = load_folder(tmp_path)
    assert model.settings.validation_per_class == TINY.validation_per_class
    (found,) = evaluate_model(model, loaded, [8], device=CPU).values()
    assert found.count == len(finished.split.validation)


def test_the_card_tells_how_far_the_last_tenth_moved(finished: Trainer, loaded: PictureSet, tmp_path: Path) -> None:
    facts = export_model(finished.folder, tmp_path)
    looks = [entry for entry in facts["history"] if entry["patch_size"] == 8]
    assert [entry["count"] for entry in looks] == [len(finished.split.validation)] * 2
    assert 0.9 <= looks[0]["progress"] < looks[1]["progress"] == 1.0
    looks[0]["top1"], looks[1]["top1"] = 3, 6
    write_card(tmp_path, facts, {8: Accuracy(6, 6, 6)}, "a test machine")
    assert "top-1 at patch 8 moved from 50.0 to 100.0 %." in (tmp_path / "README.md").read_text("utf-8")
    # A run that went on from an older program's checkpoint, which kept no progress.
    for entry in facts["history"]:
        del entry["progress"]
    write_card(tmp_path, facts, {8: Accuracy(6, 6, 6)}, "a test machine")
    assert "moved" not in (tmp_path / "README.md").read_text("utf-8")


def test_the_card_tells_what_was_dropped_and_turned(finished: Trainer, tmp_path: Path) -> None:
    facts = export_model(finished.folder, tmp_path)
    write_card(tmp_path, facts, {8: Accuracy(6, 6, 6)}, "a test machine")
    assert "left out" not in (tmp_path / "README.md").read_text("utf-8")
    facts["settings"] |= {"rotation": 12.0, "patch_drop": {"4": 0.5, "8": 0.375}, "patch_drop_until": 0.8}
    write_card(tmp_path, facts, {8: Accuracy(6, 6, 6)}, "a test machine")
    card = " ".join((tmp_path / "README.md").read_text("utf-8").split())
    assert "turns of up to 12°" in card
    assert (
        "50 % of the patches at size 4 and 38 % of the patches at size 8 are left out at random until 80 % of the run."
        in card
    )


def test_the_card_names_the_classes_known_least_and_best() -> None:
    classes = [ClassName(f"n{number:08d}", f"thing {number}", f"物{number}") for number in range(30)]
    counted = Accuracy(1500, 0, 0, tuple((number, 50) for number in range(30)))
    facts = {"settings": json.loads(TINY.to_json()), "seen": 1, "step": 1, "elapsed": 1.0, "history": []}
    facts |= {"complete": True}

    def card(names: list[ClassName]) -> str:
        return " ".join(model_card(facts, {8: counted}, parameters=1, classes=names, where="here").split())

    assert "recognises least, of the held-back pictures: thing 0 (0 of 50), thing 1 (1 of 50)," in card(classes)
    assert "best: thing 29 (29 of 50), thing 28 (28 of 50)," in card(classes)
    # With a few classes there is no choosing.
    assert "recognises least" not in card(classes[:8])


def test_export_and_evaluation_from_the_command_line(
    finished: Trainer, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "runs_folder", lambda: tmp_path / "user")
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    for command in ("train", "evaluate"):
        cli.add_arguments(commands.add_parser(command), command)
    settings = str(finished.folder / "settings.json")
    arguments = ["train", settings, str(packed), "--run", str(finished.folder), "--export", str(tmp_path / "tiny")]
    assert cli.run(parser.parse_args(arguments)) == 0
    capsys.readouterr()
    assert cli.run(parser.parse_args(["evaluate", str(tmp_path / "tiny"), str(packed)])) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["patch  4", "patch  8", "patch 16"]
    assert lines[1].startswith("patch  8: top-1 100.00 % [60.97, 100.00]")
    assert (
        cli.run(parser.parse_args(["evaluate", str(tmp_path / "tiny"), str(packed), "--patch-size", "8", "--all"])) == 0
    )
    assert "(36 pictures)" in capsys.readouterr().out
    with pytest.raises(ExplorerError) as caught:
        cli.run(parser.parse_args(["evaluate", str(tmp_path / "tiny"), str(packed), "--patch-size", "5"]))
    assert caught.value.code == "training-patch-size"


def test_settings_can_be_changed_on_the_command_line(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text(TINY.to_json(), "utf-8")
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    arguments = [str(tmp_path / "own.json"), str(packed), "--run", str(tmp_path / "run"), "--set", "embed_dim=32"]
    _, settings = cli._run_and_settings(parser.parse_args([*arguments, "--set", "position=none", "--epochs", "1"]))
    assert settings == replace(TINY, embed_dim=32, position="none", epochs=1.0)
    with pytest.raises(ExplorerError):
        cli._run_and_settings(parser.parse_args([*arguments, "--set", "embed_dim"]))
    for option in ("--mean-with", "--machine"):
        with pytest.raises(ExplorerError) as caught:
            cli.run(parser.parse_args([*arguments, option, str(tmp_path)]))
        assert caught.value.code == "training-no-export"
        assert option in str(caught.value)


def test_a_warm_start_begins_with_the_given_weights(finished: Trainer, loaded: PictureSet, tmp_path: Path) -> None:
    export_model(finished.folder, tmp_path / "tiny")
    start = load_folder(tmp_path / "tiny").model
    running = Trainer(TINY, loaded, tmp_path / "again", CPU, start)
    assert running.evaluate(8).top1 == 6
    # More layers are grown, up to twice as many; anything else is another model.
    for other in (replace(TINY, embed_dim=32), replace(TINY, depth=3)):
        with pytest.raises(ExplorerError) as caught:
            Trainer(other, loaded, tmp_path / "other", CPU, start)
        assert caught.value.code == "training-model"


def test_a_card_tells_of_the_runs_before(finished: Trainer, loaded: PictureSet, tmp_path: Path) -> None:
    first, second, third = tmp_path / "first", tmp_path / "second", tmp_path / "third"
    facts = export_model(finished.folder, first)
    write_card(first, facts, {8: Accuracy(100, 50, 70)}, "two cores")
    assert "started from" not in (first / "README.md").read_text("utf-8")
    seen = [finished.seen]
    for before, after in ((first, second), (second, third)):
        earlier = course_of(before)
        assert earlier is not None
        assert earlier["seen"] == sum(seen)
        run, settings = tmp_path / f"run-{after.name}", replace(TINY, learning_rate=0.01 * len(seen))
        trainer = Trainer(settings, loaded, run, CPU, load_folder(before).model, earlier)
        trainer.run(until_step=2)
        # What a run was started from is not forgotten when it is resumed by other hands.
        Trainer(settings, loaded, run, CPU).run(until_step=3)
        facts = export_model(run, after)
        seen.append(facts["seen"])
    write_card(third, facts, {8: Accuracy(100, 50, 70)}, "two cores")
    text = (third / "README.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| \d+ \| ", line)]
    assert [row[1] for row in rows] == ["random weights", "the run before", "the run before"]
    assert [row[2] for row in rows] == ["0", "0", "0"]
    assert [row[3] for row in rows] == [f"{each:,}" for each in seen]
    assert [row[5] for row in rows] == [f"{TINY.learning_rate:g}", "0.01", "0.02"]
    card = " ".join(text.split())
    assert f" hours and {sum(seen):,} pictures." in card
    assert "--start-from" in card
    # TINY's mixup is off.
    assert "; CutMix in 50 % of the steps until 85 % of the run." in card
    assert [row[-1] for row in rows] == ["50 % until 85 %"] * 3
    assert "in the place of some layers" not in card
    facts["settings"]["mixup"] = 0.2
    write_card(third, facts, {8: Accuracy(100, 50, 70)}, "two cores")
    assert "; CutMix or mixup in 50 %" in " ".join((third / "README.md").read_text("utf-8").split())
    facts["settings"]["mix_until"] = 0.0
    write_card(third, facts, {8: Accuracy(100, 50, 70)}, "two cores")
    assert "pictures are not mixed." in " ".join((third / "README.md").read_text("utf-8").split())
    assert course_of(tmp_path) is None


def test_a_run_may_go_on_from_the_mean_of_several(finished: Trainer, loaded: PictureSet, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    export_model(finished.folder, first)
    further = Trainer(TINY, loaded, tmp_path / "further", CPU, *start_of([first]))
    further.run(until_step=4)
    export_model(further.folder, second)
    one, two = (load_folder(folder).model.state_dict() for folder in (first, second))
    mean, course = start_of([first, second])
    assert mean is not None
    assert any(not torch.equal(one[name], two[name]) for name in one)
    for name, value in mean.state_dict().items():
        assert torch.allclose(value, (one[name] + two[name]) / 2, atol=1e-6)
    assert course == course_of(second) | {"averaged": 2}  # type: ignore[operator]
    third = Trainer(TINY, loaded, tmp_path / "third", CPU, mean, course)
    third.run(until_step=2)
    facts = export_model(third.folder, tmp_path / "third-model")
    write_card(tmp_path / "third-model", facts, {8: Accuracy(100, 50, 70)}, "two cores")
    card = " ".join((tmp_path / "third-model" / "README.md").read_text("utf-8").split())
    assert "What is shipped is the moving average of the weights." in card
    assert "| the mean of the last 2 models |" in card
    facts = export_model(third.folder, tmp_path / "mean", [first, second])
    write_card(tmp_path / "mean", facts, {8: Accuracy(100, 50, 70)}, "two cores")
    card = " ".join((tmp_path / "mean" / "README.md").read_text("utf-8").split())
    assert "What is shipped is the mean of 3 sets of weights" in card
    # One that is named twice counts twice.
    export_model(third.folder, tmp_path / "twice", [first, first])
    alone, shipped, twice = (
        load_folder(tmp_path / name).model.state_dict() for name in ("third-model", "mean", "twice")
    )
    for name, value in alone.items():
        assert torch.allclose(shipped[name], (value + one[name] + two[name]) / 3, atol=2e-3)
        assert torch.allclose(twice[name], (value + 2 * one[name]) / 3, atol=2e-3)
    facts = export_model(third.folder, tmp_path / "mean", [first])
    write_card(tmp_path / "mean", facts, {8: Accuracy(100, 50, 70)}, "two cores")
    assert "mean of two sets of weights" in " ".join((tmp_path / "mean" / "README.md").read_text("utf-8").split())
    for wrong in (lambda path: start_of([first, path]), lambda path: export_model(third.folder, second, [path])):
        with pytest.raises(ExplorerError) as caught:
            wrong(assets_path("models", "pos-none"))
        assert caught.value.code == "training-model"
    # What was there before a mean that cannot be taken is still there.
    assert load_folder(second).model.state_dict()["cls_token"].equal(two["cls_token"])


def test_a_deeper_run_goes_on_from_a_shallower_model(finished: Trainer, loaded: PictureSet, tmp_path: Path) -> None:
    export_model(finished.folder, tmp_path / "before")
    start, course = start_of([tmp_path / "before"])
    assert start is not None
    deeper = Trainer(replace(TINY, depth=2), loaded, tmp_path / "run", CPU, start, course)
    was = load_folder(tmp_path / "before").model.blocks[0]
    before = was.mlp.fc2.weight
    assert all(block.mlp.fc2.weight.equal(before / 2) for block in deeper.model.blocks)
    deeper.run(until_step=4)
    facts = export_model(deeper.folder, tmp_path / "after")
    # The two go apart.
    one, two = load_folder(tmp_path / "after").model.blocks
    assert not one.mlp.fc2.weight.equal(two.mlp.fc2.weight)
    # The mean with what it started from is taken layer by layer.
    export_model(deeper.folder, tmp_path / "mean", [tmp_path / "before"])
    middle = load_folder(tmp_path / "mean").model
    assert torch.allclose(middle.blocks[1].mlp.fc2.weight, (two.mlp.fc2.weight + before / 2) / 2, atol=1e-3)
    assert torch.allclose(middle.blocks[1].mlp.fc1.weight, (two.mlp.fc1.weight + was.mlp.fc1.weight) / 2, atol=1e-3)
    write_card(tmp_path / "after", facts, {8: Accuracy(100, 50, 70)}, "two cores")
    text = (tmp_path / "after" / "README.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| \d+ \| ", line)]
    assert [row[7] for row in rows] == ["1", "2"]
    assert "has two in the place of some layers" in " ".join(text.split())
    with pytest.raises(ExplorerError) as caught:
        Trainer(TINY, loaded, tmp_path / "shallow", CPU, load_folder(tmp_path / "after").model)
    assert caught.value.code == "training-model"


def test_a_folder_with_a_pickle_is_never_opened(finished: Trainer, tmp_path: Path) -> None:
    export_model(finished.folder, tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ExplorerError) as caught:
        load_folder(tmp_path)
    assert caught.value.code == "training-model"


def test_a_run_without_a_checkpoint_cannot_be_exported(finished: Trainer, tmp_path: Path) -> None:
    for labels in (False, True):
        if labels:
            (tmp_path / "labels.tsv").write_text((finished.folder / "labels.tsv").read_text("utf-8"), "utf-8")
        with pytest.raises(ExplorerError) as caught:
            export_model(tmp_path, tmp_path / "out")
        assert caught.value.code == "training-no-checkpoint"


def test_the_log_tells_the_course(finished: Trainer) -> None:
    entries = [json.loads(line) for line in (finished.folder / "log.jsonl").read_text("utf-8").splitlines()]
    assert {entry["patch_size"] for entry in entries if "top1" in entry} == {4, 8, 16}
