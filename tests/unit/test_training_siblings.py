from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from explorer.errors import ExplorerError
from explorer.training.data import PictureSet, load_pictures
from explorer.training.evaluation import Accuracy
from explorer.training.export import export_model, write_card
from explorer.training.settings import Stage
from explorer.training.siblings import sibling_table, write_sibling_tables
from explorer.training.trainer import Trainer
from tests.training_pictures import TINY, write_packed


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> PictureSet:
    packed = write_packed(tmp_path_factory.mktemp("packed"))
    return load_pictures(packed, 16, packed / "cache")


@pytest.fixture
def sibling(tmp_path: Path, loaded: PictureSet) -> Callable[..., Path]:
    """A model that saw two steps of training, exported under its name, with a card."""

    def make(position: str, top1: int, seed: int = 0) -> Path:
        settings = replace(TINY, name=f"pos-{position}", position=position, seed=seed, stages=(Stage(1.0, {8: 1.0}),))
        run, folder = tmp_path / f"run-{position}", tmp_path / settings.name
        Trainer(settings, loaded, run, torch.device("cpu")).run(until_step=2)
        write_card(folder, export_model(run, folder), {8: Accuracy(100, top1, 80)}, "two cores")
        return folder

    return make


def test_each_card_has_the_table_of_all(sibling: Callable[..., Path]) -> None:
    folders = [sibling("learned", 50), sibling("sin1d", 49), sibling("none", 30)]
    write_sibling_tables(folders)
    write_sibling_tables(folders)  # in place of the older one
    for folder in folders:
        card = (folder / "README.md").read_text("utf-8")
        assert "Trained at patch size 8 alone" in card
        assert card.count("## Beside its siblings") == 1
        assert card.index("## Accuracy") < card.index("## Beside its siblings") < card.index("## Where it fails")
        assert "the same 16 pictures" in " ".join(card.split())
        assert "| `pos-learned` | learned | 50.0 % | 40.4 – 59.6 % | 80.0 % |" in card
        assert "| `pos-none` | none | 30.0 % |" in card


def test_models_that_were_not_trained_alike_are_no_siblings(sibling: Callable[..., Path]) -> None:
    folders = [sibling("learned", 50), sibling("none", 30, seed=1)]
    with pytest.raises(ExplorerError) as caught:
        sibling_table(folders)
    assert caught.value.code == "training-siblings"


def test_a_card_without_an_accuracy_is_told(sibling: Callable[..., Path]) -> None:
    folder = sibling("learned", 50)
    (folder / "README.md").write_text("# A model\n", "utf-8")
    with pytest.raises(ExplorerError) as caught:
        sibling_table([folder])
    assert caught.value.code == "training-card"


def test_a_continued_sibling_counts_what_it_saw_before(sibling: Callable[..., Path]) -> None:
    folders = [sibling("learned", 50), sibling("none", 30)]
    for folder in folders:
        course = json.loads((folder / "training.json").read_text("utf-8"))
        (folder / "training.json").write_text(
            json.dumps(course | {"earlier": {"step": 3, "seen": 24, "elapsed": 1.0}}), "utf-8"
        )
    write_sibling_tables(folders)
    assert "the same 40 pictures" in " ".join((folders[0] / "README.md").read_text("utf-8").split())
