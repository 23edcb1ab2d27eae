"""Learning from other networks: a convolutional one that the same loop trains, and what a teacher's answers do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from explorer.errors import ExplorerError
from explorer.training.augment import normalise_batch
from explorer.training.card import model_card
from explorer.training.checkpoint import read_facts
from explorer.training.data import PictureSet, load_pictures
from explorer.training.export import course_of, evaluate_model, export_model, load_folder
from explorer.training.optimize import build_optimizer
from explorer.training.settings import Stage, TrainSettings
from explorer.training.teachers import Teachers
from explorer.training.trainer import Trainer
from tests.training_pictures import TINY, write_packed

CPU = torch.device("cpu")

#: As :data:`TINY`, of the other kind.
CONVOLUTIONAL = replace(
    TINY,
    network="resnet",
    channels=(4, 4, 8, 8),
    patch_size=16,
    stages=(Stage(0.5, {12: 1.0}), Stage(1.0, {14: 1.0, 16: 1.0})),
    batch_sizes={12: 8, 14: 8, 16: 8},
    epochs=30.0,
    learning_rate=0.02,
    other_learning_rate=0.02,
    ema_decay=0.8,
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PictureSet:
    packed = write_packed(tmp_path_factory.mktemp("packed"))
    return load_pictures(packed, 16, packed / "cache")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, pictures: PictureSet) -> Path:
    """The folder of a convolutional network's run."""
    folder = tmp_path_factory.mktemp("teacher")
    assert Trainer(CONVOLUTIONAL, pictures, folder, CPU).run()
    return folder


def images(pictures: PictureSet, count: int = 6) -> torch.Tensor:
    return normalise_batch(torch.as_tensor(np.array(pictures.pixels[:count])), TINY.mean, TINY.std)


def test_a_convolutional_network_learns_colours_at_every_side(taught: Path, pictures: PictureSet) -> None:
    trained = Trainer(CONVOLUTIONAL, pictures, taught, CPU)
    assert trained.progress == 1.0
    assert trained.evaluate(16).top1 == len(trained.split.validation)
    shown = images(pictures)
    network = trained.average.module
    with torch.no_grad():
        assert torch.equal(trained.forward(network, shown, 16), network(shown))
        smaller = interpolate(shown, size=(12, 12), mode="bilinear", antialias=True, align_corners=False)
        assert torch.equal(trained.forward(network, shown, 12), network(smaller))


def test_its_lines_tell_of_the_sides_of_pictures(
    tmp_path: Path, pictures: PictureSet, capsys: pytest.CaptureFixture[str]
) -> None:
    Trainer(CONVOLUTIONAL, pictures, tmp_path, CPU).run()
    said = capsys.readouterr().out
    assert "validation, pictures of 16 px: top-1 " in said
    assert "patch" not in said


def test_its_run_can_be_cut_and_resumed(tmp_path: Path, pictures: PictureSet) -> None:
    whole = Trainer(CONVOLUTIONAL, pictures, tmp_path / "whole", CPU)
    whole.run(until_step=8)
    Trainer(CONVOLUTIONAL, pictures, tmp_path / "cut", CPU).run(until_step=4)
    resumed = Trainer(CONVOLUTIONAL, pictures, tmp_path / "cut", CPU)
    resumed.run(until_step=8)
    for a, b in ((whole.model, resumed.model), (whole.average.module, resumed.average.module)):
        for name, value in a.state_dict().items():
            assert torch.equal(value, b.state_dict()[name]), name


def test_every_kernel_but_the_first_is_turned_by_muon(pictures: PictureSet, tmp_path: Path) -> None:
    network = Trainer(CONVOLUTIONAL, pictures, tmp_path, CPU).model
    inner, outer, plain = build_optimizer(network, CONVOLUTIONAL).param_groups
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {names[id(parameter)] for parameter in outer["params"]} == {"conv1.0.weight", "fc.weight"}
    assert all(parameter.ndim == 4 for parameter in inner["params"])
    assert all(parameter.ndim == 1 for parameter in plain["params"])
    assert inner["use_muon"]
    assert sum(len(group["params"]) for group in (inner, outer, plain)) == len(names)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_teacher_says_what_its_averaged_weights_say(taught: Path, pictures: PictureSet, temperature: float) -> None:
    shown = images(pictures)
    settings = replace(TINY, teacher_temperature=temperature)
    network = Trainer(CONVOLUTIONAL, pictures, taught, CPU).average.module
    with torch.no_grad():
        expected = (network(shown) / temperature).softmax(dim=1)
    one = Teachers([taught], pictures.classes, settings, CPU)
    assert torch.equal(one(shown), expected)
    assert torch.allclose(Teachers([taught, taught], pictures.classes, settings, CPU)(shown), expected)

    # Hinton's soft targets: the gradient is (p - q) T / B at any temperature.
    logits = torch.randn(len(shown), expected.shape[1], requires_grad=True)
    one.loss(logits, expected).backward()
    gradient = ((logits / temperature).softmax(dim=1) - expected) * temperature / len(shown)
    assert logits.grad is not None
    assert torch.allclose(logits.grad, gradient, atol=1e-6)


def test_a_pupil_learns_what_no_label_says(taught: Path, pictures: PictureSet, tmp_path: Path) -> None:
    """Of the labels it hears nothing, and gets them right all the same."""
    settings = replace(TINY, teacher_share=1.0, epochs=30.0, learning_rate=0.02, ema_decay=0.8)
    wrong = PictureSet(pictures.pixels, np.roll(pictures.labels, 1), pictures.classes)
    pupil = Trainer(settings, wrong, tmp_path, CPU, teachers=[taught])
    pupil.run()
    chosen = torch.as_tensor(np.array(pictures.pixels))
    with torch.no_grad():
        answers = pupil.forward(pupil.average.module, normalise_batch(chosen, TINY.mean, TINY.std), 8).argmax(dim=1)
    assert (answers.numpy() == pictures.labels).mean() > 0.9


def test_what_it_learned_from_is_kept_and_asked_for_again(taught: Path, pictures: PictureSet, tmp_path: Path) -> None:
    run, exported = tmp_path / "run", tmp_path / "exported"
    Trainer(TINY, pictures, run, CPU, teachers=[taught]).run(until_step=3)
    with pytest.raises(ExplorerError, match="--teacher"):
        Trainer(TINY, pictures, run, CPU)
    assert Trainer(TINY, pictures, run, CPU, teachers=[taught]).step == 3

    facts = export_model(run, exported)
    results = evaluate_model(load_folder(exported), pictures, (8,), device=CPU)
    card = model_card(facts, results, parameters=1, classes=pictures.classes, where="a test")
    told = " ".join(card.split())
    facts = read_facts(taught)
    assert (
        "a small convolutional network (after the preset `teacher`) that had seen "
        f"{facts['seen']:,} pictures in {facts['elapsed'] / 3600:.2f} hours, trained on the same pictures" in told
    )
    assert "`vit-explorer train settings.json DATA --teacher TEACHER`" in told
    assert max(map(len, card.splitlines())) <= 120
    course = course_of(exported)
    assert course is not None
    assert course["runs"][-1]["teachers"] == 1


def test_a_finished_model_teaches_like_its_run(pictures: PictureSet, tmp_path: Path) -> None:
    run, exported = tmp_path / "run", tmp_path / "exported"
    Trainer(TINY, pictures, run, CPU).run(until_step=6)
    export_model(run, exported)
    shown = images(pictures)
    of_run, of_model = (Teachers([folder], pictures.classes, TINY, CPU) for folder in (run, exported))
    # The exported weights are in half precision.
    assert torch.allclose(of_model(shown), of_run(shown), atol=2e-3)
    network = load_folder(exported).model
    with torch.no_grad():
        assert torch.allclose(of_model(shown), network(shown).softmax(dim=1), atol=1e-5)
    assert of_model.facts[0]["settings"]["network"] == "vit"
    assert of_model.facts[0]["seen"] == of_run.facts[0]["seen"]


def test_a_teacher_of_other_pictures_is_refused(taught: Path, pictures: PictureSet, tmp_path: Path) -> None:
    others = (
        (pictures.classes[::-1], TINY),
        (pictures.classes, replace(TINY, image_size=32)),
        (pictures.classes, replace(TINY, mean=(0.5, 0.5, 0.5))),
    )
    for classes, settings in others:
        with pytest.raises(ExplorerError) as caught:
            Teachers([taught], classes, settings, CPU)
        assert caught.value.code == "training-model"
    with pytest.raises(ExplorerError) as caught:
        Teachers([tmp_path], pictures.classes, TINY, CPU)
    assert caught.value.code == "training-no-checkpoint"


def test_only_a_vit_is_exported(taught: Path, tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="only a vit can be exported"):
        export_model(taught, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "swin", "stages": (Stage(1.0, {16: 1.0}),)}, "network must be one of vit, resnet"),
        ({"channels": [4, 8, 8]}, "channels must be four even numbers"),
        ({"channels": [3, 4, 8, 8]}, "channels must be four even numbers"),
        ({"patch_size": 32}, "between 12 and image_size = 16"),
        ({"patch_size": 8}, "between 12 and image_size = 16"),
        ({"teacher_temperature": 0.0}, "teacher_temperature must be above 0"),
        ({"teacher_share": 1.5}, "teacher_share must be between 0 and 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ExplorerError, match=words):
        replace(CONVOLUTIONAL, **changes)  # type: ignore[arg-type]
    assert isinstance(CONVOLUTIONAL, TrainSettings)
