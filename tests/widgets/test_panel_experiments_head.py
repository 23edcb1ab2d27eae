"""Stage 7, a new head: classes of one's own, their pictures, the training, the file; no message is believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pytest

from explorer.errors import ExplorerError
from explorer.experiments import train_head
from explorer.experiments.new_head import picture_vectors
from explorer.images import encode_image, open_picture
from explorer.numerics import softmax
from explorer.panels.experiments import ExperimentsPanel
from explorer.samples import open_sample
from explorer.state import ExplorerState
from tests.widgets.random_model import opened, random_state, settled, shown


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state(scale=6.0)
    yield state
    state.close()


def trained(state: ExplorerState) -> Any:
    panel = opened(state, "head")
    panel.start()
    settled(state)
    assert panel._failure.value == ""
    return panel


def send(widget: Any, *buffers: bytes, place: int | None = None, **content: Any) -> None:
    """A message as the browser sends it; of the class at a place, by its id."""
    if place is not None:
        content["class"] = widget.cards[place]["id"] if place >= 0 else place
    widget._handle_custom_msg(content, list(buffers))


def give(widget: Any, place: int, data: bytes, name: str = "photo.jpg", number: int = 7) -> None:
    """A file, as the browser sends it."""
    send(widget, kind="begin", upload=number, size=len(data), name=name, place=place)
    if widget.busy:
        send(widget, data, kind="piece", upload=number, offset=0, place=place)


def answers_of(widget: Any) -> list[dict[str, Any]]:
    """What the browser is told from here on."""
    told: list[dict[str, Any]] = []
    widget.send = lambda content, buffers=None: told.append(content)
    return told


def photo(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    return encode_image(pixels, "png")


def test_the_example_speaks_the_pages_language_until_it_is_ones_own(state: ExplorerState) -> None:
    panel = opened(state, "head")
    names = lambda: [card["name"] for card in panel._pictures.cards]  # noqa: E731
    assert names() == ["animals", "things"]
    state.language = "ja"
    assert names() == ["動物", "もの"]
    panel._pictures._receive(None, {"kind": "name", "class": panel._pictures.classes[1].id, "name": "my things"}, [])
    state.language = "en"
    assert names() == ["animals", "my things"]
    # A trained head keeps the names that it was trained with.
    panel.start()
    settled(state)
    state.language = "ja"
    assert names() == ["animals", "my things"]


def test_the_example_can_be_trained_at_once(state: ExplorerState) -> None:
    panel = opened(state, "head")
    assert panel._result_box.layout.display == "none"
    assert not panel._pictures.takes_new
    panel.start()
    settled(state)
    classes = {each.name: [own.content for own in each.pictures] for each in panel._pictures.classes}
    assert list(classes) == ["animals", "things"]
    sizes = {key: size for key, size in panel.sizes.items() if key != "crop"}
    expected = train_head(state.jobs.models.get("bundled"), classes, steps=200, **sizes)
    curve = json.loads(panel._curve.figure_json)["data"][0]["y"]
    assert curve == pytest.approx(expected.losses.tolist(), abs=1e-5)
    assert curve[0] == pytest.approx(np.log(2), abs=1e-5)
    rate = expected.leave_one_out
    assert f"{rate.hits} of {rate.count} are right" in panel._verdict.value
    wrong = expected.targets != expected.left_out_answers
    notes = [picture["note"] for card in panel._pictures.cards for picture in card["pictures"]]
    assert [bool(note) for note in notes] == wrong.tolist()


def test_the_pages_picture_is_classified_and_does_not_undo_the_training(state: ExplorerState) -> None:
    panel = trained(state)
    head = panel.result
    for sample in ("goldfish", "coffee"):
        state.picture = open_sample(sample)
        settled(state)
        assert panel.result is head
        best = softmax(head(state.trace.y.mean(axis=0))).max()
        assert f"{best:.1%}" in panel._answer.value
    state.patch_size = 16
    settled(state)
    assert panel.result is None


def test_new_pictures_get_an_answer(state: ExplorerState) -> None:
    panel = trained(state)
    widget = panel._pictures
    send(widget, kind="current", place=-1)
    give(widget, -1, photo(3))
    settled(state)
    contents = [picture.content for picture in widget.new_pictures]
    vectors = picture_vectors(state.jobs.models.get("bundled"), contents, patch_size=8, image_size=32)
    for picture, vector in zip(widget.new, vectors, strict=True):
        probs = softmax(panel.result(vector))
        assert picture["note"] == f"{panel.result.classes[probs.argmax()]} {probs.max():.1%}"
    send(widget, kind="remove", picture=widget.new[0]["id"], place=-1)
    settled(state)
    assert [left["note"] for left in widget.new] == [picture["note"]]


def test_a_head_outlives_a_look_at_another_experiment(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    state.experiment = "head"
    stage = ExperimentsPanel(state)
    settled(state)
    panel = stage.experiments["head"]
    panel.start()
    settled(state)
    head, widget = panel.result, panel._pictures
    left = Event()

    def slowly(*given: Any, **sizes: Any) -> Any:
        assert left.wait(60)
        return picture_vectors(*given, **sizes)

    monkeypatch.setattr("explorer.experiments.new_head.picture_vectors", slowly)
    give(widget, -1, photo(3))
    state.experiment = "shuffle"  # while the new picture is being asked about
    left.set()
    settled(state)
    assert widget.new[0]["note"] == ""
    state.experiment = "head"
    settled(state)
    assert panel.result is head
    assert "%" in widget.new[0]["note"]
    assert panel._result_box.layout.display is None


def test_a_change_of_the_classes_needs_another_training(state: ExplorerState) -> None:
    panel = trained(state)
    widget = panel._pictures
    send(widget, kind="name", name="  my   <b>cats</b> ", place=0)
    assert widget.classes[0].name == "my <b>cats</b>"
    assert panel.result is None
    assert panel._result_box.layout.display == "none"
    assert not widget.takes_new
    send(widget, kind="add-class")
    send(widget, kind="name", name="noise", place=2)
    for seed in (1, 2):
        give(widget, 2, photo(seed))
    give(widget, 2, photo(2))  # the same again is not taken twice
    assert [len(card["pictures"]) for card in widget.cards] == [4, 2, 2]
    panel.start()
    settled(state)
    assert panel.result.classes == ("my <b>cats</b>", "things", "noise")
    assert "<b>cats" not in panel._answer.value


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"kind": "name", "name": "things", "place": 0}, "name of its own"),
        ({"kind": "name", "name": " ", "place": 0}, "name of its own"),
        ({"kind": "remove", "place": 1}, "too few pictures"),
        ({"kind": "remove-class", "place": 1}, "2 to 10 classes"),
    ],
)
def test_what_cannot_be_trained_is_told_in_a_sentence(state: ExplorerState, message: dict[str, Any], said: str) -> None:
    panel = opened(state, "head")
    send(panel._pictures, **{"picture": panel._pictures.cards[1]["pictures"][0]["id"], **message})
    panel.start()
    settled(state)
    assert said in panel._failure.value
    assert panel.result is None


@pytest.mark.parametrize("end", ["stopped", "failed"])
def test_a_curve_without_a_head_has_no_numbers_and_does_not_stay(
    state: ExplorerState, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    panel = trained(state)
    assert panel._verdict.value
    assert panel._answer.value
    go = Event()

    def slowly(*given: Any, watch: Any, report: Any, **others: Any) -> None:
        watch(1, 0.625)
        report(1, 200)
        assert go.wait(60)
        raise ExplorerError("head-class-name")

    monkeypatch.setattr("explorer.panels.experiment_head.train_head", slowly)
    send(panel._pictures, kind="name", name="cats", place=0)
    panel.start()
    while not shown(panel._result_box):
        state.wait(0.01)
    assert json.loads(panel._curve.figure_json)["data"][0]["y"] == [0.625]
    assert panel._verdict.value == panel._answer.value == ""
    if end == "stopped":
        panel.stop()
    go.set()
    settled(state)
    assert bool(panel._failure.value) == (end == "failed")
    assert not shown(panel._result_box)
    assert shown(panel._waiting)


def test_a_head_is_saved_and_loaded(state: ExplorerState) -> None:
    panel = trained(state)
    widget, head = panel._pictures, panel.result
    files: list[bytes] = []
    widget.send = lambda content, buffers=None: files.extend(buffers) if content["kind"] == "file" else None
    send(widget, kind="save")
    panel._use_none()
    assert panel.result is None
    give(widget, -2, files[0], "my.safetensors")
    np.testing.assert_array_equal(panel.result.weight, head.weight)
    assert [card["name"] for card in widget.cards] == ["animals", "things"]
    assert widget.takes_new
    give(widget, -2, files[0][:-3], "broken.safetensors")
    assert "broken.safetensors" in panel._failure.value
    np.testing.assert_array_equal(panel.result.weight, head.weight)
    state.patch_size = 16
    settled(state)
    give(widget, -2, files[0], "my.safetensors")
    assert "patch size 8" in panel._failure.value
    assert panel.result is None


def test_cards_keep_files_and_the_head_is_the_same(state: ExplorerState) -> None:
    """Decoded, ten classes of forty photos of a phone would take 15 GB."""
    panel = opened(state, "head")
    widget = panel._pictures
    panel._use_none()
    files = {name: [photo(seed) for seed in seeds] for name, seeds in (("a", (1, 2)), ("b", (3, 4, 5)))}
    for place, (name, own) in enumerate(files.items()):
        send(widget, kind="name", name=name, place=place)
        for data in own:
            give(widget, place, data)
    assert {each.name: [own.content for own in each.pictures] for each in widget.classes} == files
    panel.start()
    settled(state)
    pictures = {name: [open_picture(data) for data in own] for name, own in files.items()}
    expected = train_head(state.jobs.models.get("bundled"), pictures, steps=200, patch_size=8, image_size=32)
    np.testing.assert_array_equal(panel.result.weight, expected.weight)
    np.testing.assert_array_equal(panel.result.bias, expected.bias)


def test_all_cards_together_have_a_limit(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = trained(state)
    widget = panel._pictures
    kept = sum(picture.nbytes for each in widget.classes for picture in each.pictures)
    data = photo(1)
    monkeypatch.setattr("explorer.widgets.class_pictures.MAX_TOTAL", kept + 2 * len(data) - 1)
    give(widget, -1, data)
    settled(state)
    assert panel._failure.value == ""
    for place in (-1, 0):
        give(widget, place, photo(2))
        assert "MB together" in panel._failure.value
        assert not widget.busy
    assert (len(widget.new), len(widget.cards[0]["pictures"])) == (1, 4)
    send(widget, kind="remove", picture=widget.new[0]["id"], place=-1)
    give(widget, 0, photo(2))
    assert len(widget.cards[0]["pictures"]) == 5


def test_a_head_that_cannot_be_shown_is_not_taken(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = trained(state)
    head, cards = panel.result, panel._pictures.cards
    content = head.to_bytes()

    def broken(*given: Any, **named: Any) -> None:
        raise FloatingPointError

    with monkeypatch.context() as patched:
        patched.setattr("explorer.panels.experiment_head.loss_chart", broken)
        give(panel._pictures, -2, content, "my.safetensors")
    assert state.error is not None
    assert panel.result is head
    assert panel._pictures.cards == cards
    narrow = replace(head, weight=head.weight[:3])
    give(panel._pictures, -2, narrow.to_bytes(), "narrow.safetensors")
    assert "other weights" in panel._failure.value
    assert panel.result is head


def test_a_typed_name_is_what_can_be_shown(state: ExplorerState) -> None:
    widget = opened(state, "head")._pictures
    send(widget, kind="name", name="a\u202eb\x00 \ud800c" + "x" * 99, place=0)
    assert widget.cards[0]["name"] == "ab c" + "x" * 36


def test_two_quick_presses_remove_two_times_what_was_pressed(state: ExplorerState) -> None:
    widget = opened(state, "head")._pictures
    first, *others = [picture["id"] for picture in widget.cards[0]["pictures"]]
    for _ in range(2):
        send(widget, kind="remove", picture=first, place=0)
    assert [picture["id"] for picture in widget.cards[0]["pictures"]] == others


def test_messages_are_not_believed(state: ExplorerState) -> None:
    widget = opened(state, "head")._pictures
    before = widget.cards
    first = before[0]["id"]
    told: list[str] = []
    widget.on_error(lambda error: told.append(error.code))
    for content in (
        {"kind": "name", "name": 3, "class": first},
        {"kind": "name", "name": "x", "class": first + 99},
        {"kind": "name", "name": "x", "class": True},
        {"kind": "remove", "picture": before[1]["pictures"][0]["id"], "class": first},
        {"kind": "remove", "picture": 0, "class": first},
        {"kind": "remove", "picture": None, "class": first},
        {"kind": "current", "class": -1},
        {"kind": "begin", "upload": 1, "size": 10, "class": -1},
        {"kind": "begin", "upload": -1, "size": 10, "class": first},
        {"kind": "begin", "upload": 1, "size": "10", "class": first},
        {"kind": "cancel", "upload": 1, "failed": True},
        {"kind": "save"},
        {"kind": "piece", "upload": 4, "offset": 0},
        "nonsense",
    ):
        widget._handle_custom_msg(content, [])
    assert widget.cards == before
    assert not widget.busy
    give(widget, 0, b"no picture at all")
    send(widget, kind="begin", upload=2, size=60 * 1024 * 1024, name="huge.jpg", place=0)
    send(widget, kind="begin", upload=3, size=6_000_000, name="huge.safetensors", place=-2)
    send(widget, kind="begin", upload=5, size=10, name="a.jpg", place=0)
    send(widget, b"12345678901", kind="piece", upload=5, offset=0, place=0)
    assert told == ["picture-not-an-image", "picture-too-many-bytes", "head-unreadable", "picture-upload-broken"]
    for _ in range(12):
        send(widget, kind="add-class")
    assert len(widget.cards) == 10


def test_a_file_on_the_way_stays_with_its_class(state: ExplorerState) -> None:
    widget = opened(state, "head")._pictures
    send(widget, kind="add-class")
    second, third = widget.classes[1:]
    data, wanted = photo(1), widget.cards[1]["id"]
    send(widget, kind="begin", upload=1, size=len(data), name="photo.png", place=1)
    send(widget, kind="remove-class", place=0)
    send(widget, data, kind="piece", upload=1, offset=0, **{"class": wanted})
    assert widget.classes == [second, third]
    assert second.pictures[-1].name == "photo.png"
    assert not third.pictures


def test_a_file_whose_class_is_removed_is_given_up(state: ExplorerState) -> None:
    widget = opened(state, "head")._pictures
    told = answers_of(widget)
    data, gone = photo(1), widget.cards[0]["id"]
    send(widget, kind="begin", upload=1, size=len(data), name="photo.png", place=0)
    send(widget, kind="remove-class", place=0)
    send(widget, data, kind="piece", upload=1, offset=0, **{"class": gone})
    # The browser waits for an answer to every file that it announces; and for as long, all others wait with it.
    send(widget, kind="begin", upload=2, size=len(data), name="late.png", **{"class": gone})
    send(widget, kind="begin", upload=3, size=len(data), name="new.png", **{"class": -1})
    send(widget, kind="begin", upload=4, size="many", name="odd.png", place=0)
    assert told == [
        {"kind": "next", "upload": 1, "received": 0},
        *({"kind": "stop", "upload": number} for number in (1, 2, 3, 4)),
    ]
    assert not widget.busy
    assert [len(card["pictures"]) for card in widget.cards] == [2]


def test_a_file_that_cannot_be_sent_is_told(state: ExplorerState) -> None:
    panel = opened(state, "head")
    send(panel._pictures, kind="begin", upload=1, size=10, name="a folder", place=0)
    send(panel._pictures, kind="cancel", upload=1, failed=False)
    assert panel._failure.value == ""
    send(panel._pictures, kind="begin", upload=2, size=10, name="a folder", place=0)
    send(panel._pictures, kind="cancel", upload=2, failed=True)
    assert "did not arrive completely" in panel._failure.value
    assert not panel._pictures.busy
