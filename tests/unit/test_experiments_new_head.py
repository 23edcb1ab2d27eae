"""A new head: learns what can be told apart, is honest about what cannot, and comes back whole from its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from explorer.engine import trace_image
from explorer.errors import Cancelled, ExplorerError
from explorer.experiments import NewHead, classify, train_head
from explorer.experiments.head_file import fingerprint
from explorer.experiments.new_head import picture_vectors
from explorer.images import Picture, encode_image, open_picture
from explorer.weights import read_tensors

if TYPE_CHECKING:
    from explorer.models import ExplorerModel


def coloured(colour: tuple[int, int, int], seed: int) -> Picture:
    """A picture of mostly one colour."""
    noise = np.random.default_rng(seed).integers(-40, 41, (64, 64, 3))
    return open_picture(encode_image(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8), "png"))


RED, BLUE, GREEN = (200, 40, 40), (40, 40, 200), (40, 200, 40)


def sets(count: int = 4) -> dict[str, list[Picture]]:
    return {
        " warm ": [coloured(RED, seed) for seed in range(count)],
        "冷たい": [coloured(BLUE, 100 + seed) for seed in range(count + 1)],
    }


@pytest.fixture(scope="module")
def head(bundled: ExplorerModel) -> NewHead:
    return train_head(bundled, sets())


def test_two_sets_that_can_be_told_apart_are(head: NewHead, bundled: ExplorerModel) -> None:
    assert head.classes == ("warm", "冷たい")
    assert head.weight.shape == (192, 2)
    # A zero-initialised head gives every class the same probability.
    assert head.losses[0] == pytest.approx(np.log(2), abs=1e-6)
    assert head.losses[-1] < 0.1
    assert len(head.losses) == 201
    assert np.diff(head.losses).max() < 1e-3
    assert head.leave_one_out.hits == head.leave_one_out.count == 9
    assert list(head.targets) == [0] * 4 + [1] * 5
    for seed in range(5):
        assert classify(head, bundled, coloured(RED, 1000 + seed)).argmax() == 0
        assert classify(head, bundled, coloured(BLUE, 2000 + seed)).argmax() == 1


@pytest.mark.parametrize("kind", ["plain", "no_head", "average", "distilled"])
def test_three_sets_on_every_kind_of_model(kind: str, model_of: Any) -> None:
    model = model_of(kind)
    head = train_head(model, {**sets(3), "grün": [coloured(GREEN, 300 + seed) for seed in range(3)]}, patch_size=8)
    assert head.leave_one_out.share > 0.8
    assert head.losses[0] == pytest.approx(np.log(3), abs=1e-6)
    assert (head.patch_size, head.weight.shape) == (8, (model.spec.dim, 3))
    assert classify(head, model, coloured(GREEN, 999)).argmax() == 2


def test_what_cannot_be_told_apart_is_not(plain_model: ExplorerModel) -> None:
    """The same pictures in both classes: each, left out, is what the others say it is, the other class."""
    pictures = [coloured(RED, 1), coloured(BLUE, 2)]
    head = train_head(plain_model, {"a": pictures, "b": pictures})
    assert head.losses[-1] == pytest.approx(np.log(2), abs=1e-3)
    assert head.leave_one_out.hits == 0
    assert list(head.left_out_answers) == [1, 1, 0, 0]


def test_vectors_are_what_the_models_own_head_reads(any_model: ExplorerModel) -> None:
    pictures = [coloured(RED, 1), coloured(BLUE, 2)]
    vectors = picture_vectors(any_model, pictures, crop=(0.5, 0.5))
    for picture, vector in zip(pictures, vectors, strict=True):
        read = trace_image(any_model, picture).y.mean(axis=0)
        np.testing.assert_allclose(vector, read, rtol=1e-3, atol=2e-4 * max(1.0, float(np.abs(read).max())))


def test_the_loss_is_that_of_the_logits_and_at_its_least(bundled: ExplorerModel) -> None:
    pictures = sets()
    head = train_head(bundled, pictures, steps=3000)
    vectors = picture_vectors(bundled, [picture for given in pictures.values() for picture in given]).astype(float)
    logits = vectors @ head.weight + head.bias
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert head.losses[-1] == pytest.approx(-np.log(shares[np.arange(9), head.targets]).mean(), abs=1e-4)
    # Where the loss is least, no shift of all logits of a class helps: its probabilities sum to its pictures.
    np.testing.assert_allclose(shares.sum(axis=0), [4, 5], atol=1e-3)


def test_it_says_how_far_it_is(plain_model: ExplorerModel) -> None:
    told: list[tuple[int, int]] = []
    losses: list[tuple[int, float]] = []
    head = train_head(
        plain_model,
        sets(),
        steps=10,
        report=lambda done, total: told.append((done, total)),
        watch=lambda step, loss: losses.append((step, loss)),
    )
    assert told[-1] == (28, 28)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert [step for step, _ in losses] == list(range(11))
    np.testing.assert_allclose([loss for _, loss in losses], head.losses, rtol=1e-6)


@pytest.mark.parametrize("after", [0, 10, 22])
def test_it_can_be_stopped_at_any_point(plain_model: ExplorerModel, after: int) -> None:
    told = [0]
    with pytest.raises(Cancelled):
        train_head(
            plain_model,
            sets(),
            steps=10,
            report=lambda done, total: told.append(done),
            cancelled=lambda: told[-1] >= after,
        )
    assert told[-1] <= max(after, 0) + 8


@pytest.mark.parametrize(
    ("pictures", "code"),
    [
        ({}, "head-class-count"),
        ({"a": [1, 2]}, "head-class-count"),
        ({str(name): [1, 2] for name in range(11)}, "head-class-count"),
        ({"a": [1, 2], " a": [3, 4]}, "head-class-name"),
        ({"a": [1, 2], " ": [3, 4]}, "head-class-name"),
        ({"a": [1, 2], "b": [3]}, "head-few-pictures"),
        ({"a": [], "b": [3, 4]}, "head-few-pictures"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_words(
    plain_model: ExplorerModel, pictures: dict[str, Any], code: str
) -> None:
    with pytest.raises(ExplorerError) as caught:
        train_head(plain_model, pictures)
    assert caught.value.code == code


def test_a_head_comes_back_whole(head: NewHead, bundled: ExplorerModel, tmp_path: Path) -> None:
    head.save(tmp_path / "head.safetensors")
    with pytest.raises(ExplorerError) as refused:
        head.save(tmp_path / "nowhere" / "head.safetensors")
    assert refused.value.code == "file-not-writable"
    back = NewHead.load(tmp_path / "head.safetensors")
    for name in ("weight", "bias", "losses", "targets", "left_out_answers"):
        np.testing.assert_array_equal(getattr(back, name), getattr(head, name))
    for name in ("classes", "leave_one_out", "model", "fingerprint", "patch_size", "image_size"):
        assert getattr(back, name) == getattr(head, name)
    picture = coloured(RED, 7)
    np.testing.assert_array_equal(classify(back, bundled, picture), classify(head, bundled, picture))


def test_a_head_fits_its_own_model_alone(head: NewHead, bundled: ExplorerModel, plain_model: ExplorerModel) -> None:
    assert fingerprint(bundled.at(16)[1]) == head.fingerprint
    with pytest.raises(ExplorerError) as caught:
        classify(head, plain_model, coloured(RED, 1))
    assert caught.value.code == "head-other-model"
    assert "bundled" in str(caught.value)


def rewritten(change: Callable[[dict[str, Any], dict[str, np.ndarray]], None]) -> Callable[[NewHead], bytes]:
    """A file in which the description or the numbers were changed."""

    def rewrite(head: NewHead) -> bytes:
        from safetensors.numpy import save

        tensors, metadata = read_tensors(head.to_bytes())
        said, numbers = json.loads(metadata["head"]), {name: np.array(tensor) for name, tensor in tensors.items()}
        change(said, numbers)
        return save(numbers, metadata={"format": metadata["format"], "head": json.dumps(said)})

    return rewrite


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  my \n cats ", "my cats"),
        ("a\u202eb\u200f\x00 \ud800c", "ab c"),
        (" \u202e x", "x"),
        ("k" * 39 + " tail", "k" * 39),
        ("冷たい", "冷たい"),
    ],
)
def test_a_name_is_what_can_be_shown_on_a_line(plain_model: ExplorerModel, given: str, kept: str) -> None:
    head = train_head(plain_model, {given: [coloured(RED, 1)] * 2, "other": [coloured(BLUE, 2)] * 2}, steps=2)
    assert head.classes == (kept, "other")
    assert NewHead.from_bytes(head.to_bytes()).classes == (kept, "other")


def test_a_head_of_other_vectors_does_not_fit(head: NewHead, bundled: ExplorerModel) -> None:
    """The model is right by what the file says, and the weights are not."""
    cut = NewHead.from_bytes(rewritten(lambda said, numbers: numbers.update(weight=numbers["weight"][:5]))(head))
    with pytest.raises(ExplorerError) as caught:
        cut.check_model(bundled.arrays, bundled.name)
    assert caught.value.code == "head-other-model"


def test_an_endless_name_of_a_model_is_cut(head: NewHead) -> None:
    content = rewritten(lambda said, numbers: said.update(model="M\u202e" * 100_000))(head)
    assert NewHead.from_bytes(content).model == "M" * 120


def many(said: dict[str, Any], numbers: dict[str, np.ndarray]) -> None:
    said.update(classes=[f"c{index}" for index in range(11)])
    numbers.update(weight=np.zeros((192, 11), np.float32), bias=np.zeros(11, np.float32))


def poison(said: dict[str, Any], numbers: dict[str, np.ndarray]) -> None:
    numbers["weight"][3, 0] = np.nan


DAMAGED: dict[str, Callable[[NewHead], bytes]] = {
    "empty": lambda head: b"",
    "no safetensors": lambda head: b"PK\x03\x04" + bytes(400),
    "cut off": lambda head: head.to_bytes()[:-1],
    "longer": lambda head: head.to_bytes() + b"x",
    "half a header": lambda head: head.to_bytes()[:100],
    "too large": lambda head: head.to_bytes() + bytes(5_000_000),
    "another format": lambda head: head.to_bytes().replace(b"vit-explorer-head-1", b"vit-explorer-head-9"),
    "too few names": rewritten(lambda said, numbers: said["classes"].pop()),
    "the same name twice": rewritten(lambda said, numbers: said.update(classes=["a", "a"])),
    "names that are numbers": rewritten(lambda said, numbers: said.update(classes=[1, 2])),
    "an answer too few": rewritten(lambda said, numbers: said["targets"].pop()),
    "a class that there is not": rewritten(lambda said, numbers: said.update(targets=[9] * 9)),
    "a huge class": rewritten(lambda said, numbers: said.update(targets=[10**30] * 9)),
    "a size of text": rewritten(lambda said, numbers: said.update(patch_size="8")),
    "no table": rewritten(lambda said, numbers: said.clear()),
    "no weight": rewritten(lambda said, numbers: numbers.pop("weight")),
    "a bias too long": rewritten(lambda said, numbers: numbers.update(bias=np.zeros(5, np.float32))),
    "double precision": rewritten(lambda said, numbers: numbers.update(bias=np.zeros(2))),
    "not a number": rewritten(poison),
    "too many classes": rewritten(many),
    "no losses": rewritten(lambda said, numbers: numbers.update(losses=np.zeros(0, np.float32))),
    "a loss below zero": rewritten(lambda said, numbers: numbers.update(losses=-numbers["losses"])),
    "weights without measure": rewritten(lambda said, numbers: numbers.update(weight=numbers["weight"] * 0 + 3e38)),
    "no pictures": rewritten(lambda said, numbers: said.update(targets=[], left_out_answers=[])),
    "half a class": rewritten(lambda said, numbers: said.update(targets=[0.9] * 9)),
    "a class that is true": rewritten(lambda said, numbers: said.update(targets=[True] * 9)),
    "a class that is text": rewritten(lambda said, numbers: said.update(targets=["1"] * 9)),
    "a size that is true": rewritten(lambda said, numbers: said.update(patch_size=True)),
    "an endless name": rewritten(lambda said, numbers: said.update(classes=["k" * 41, "b"])),
    "a name that turns the line": rewritten(lambda said, numbers: said.update(classes=["a\u202eb", "b"])),
    "a name with a zero": rewritten(lambda said, numbers: said.update(classes=["a\x00", "b"])),
    "half a character": rewritten(lambda said, numbers: said.update(classes=["\ud800", "b"])),
    "a model that is a number": rewritten(lambda said, numbers: said.update(model=3)),
    "a fingerprint that is none": rewritten(lambda said, numbers: said.update(fingerprint=None)),
}


def test_an_unchanged_rewrite_is_read(head: NewHead) -> None:
    content = rewritten(lambda said, numbers: None)(head)
    assert NewHead.from_bytes(content).classes == head.classes


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_refused(head: NewHead, damage: str, tmp_path: Path) -> None:
    path = tmp_path / "<b>head.safetensors"
    path.write_bytes(DAMAGED[damage](head))
    with pytest.raises(ExplorerError) as caught:
        NewHead.load(path)
    assert caught.value.code == "head-unreadable"
    assert path.name in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError) as caught:
        NewHead.load(tmp_path / "none")
    assert caught.value.code == "head-unreadable"
