"""The way in for pictures: pieces are put together, and nothing that a front end sends does harm."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer.images import MAX_BYTES, Picture
from explorer.texts import LANGUAGES
from explorer.widgets import picture_input
from explorer.widgets.picture_input import PIECE_BYTES, PictureInput


class Bench:
    """A widget whose messages and callbacks are recorded, and a front end that may behave badly."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.widget = PictureInput()
        self.answers: list[dict[str, Any]] = []
        self.pictures: list[tuple[bytes, str]] = []
        self.samples: list[str] = []
        self.errors: list[str] = []
        self.blamed: list[str] = []
        monkeypatch.setattr(self.widget, "send", lambda content, buffers=None: self.answers.append(content))
        self.widget.on_picture(lambda data, name: self.pictures.append((data, name)))
        self.widget.on_sample(self.samples.append)
        self.widget.on_error(lambda error: self.errors.append(error.code))
        self.widget.on_error(lambda error: self.blamed.append(error.file))

    def say(self, content: Any, buffers: Any = None) -> None:
        # Not through ipywidgets, which would turn an exception into a line in a log.
        self.widget._receive(self.widget, content, buffers)

    def begin(self, size: int, upload: int = 1, name: Any = "cat.jpg") -> None:
        self.say({"kind": "begin", "upload": upload, "name": name, "size": size})

    def piece(self, data: bytes, offset: int, upload: int = 1) -> None:
        self.say({"kind": "piece", "upload": upload, "offset": offset}, [memoryview(data)])

    @property
    def at_rest(self) -> bool:
        widget = self.widget
        return not widget.busy and widget.progress == 0 and widget.file_name == "" and widget._upload is None


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_file_is_asked_for_piece_by_piece_and_put_together(bench: Bench) -> None:
    data = np.random.default_rng(0).bytes(2 * PIECE_BYTES + 1234)
    progress = []
    bench.widget.observe(lambda change: progress.append(change.new), "progress")
    bench.begin(len(data))
    assert bench.widget.busy
    assert bench.widget.file_name == "cat.jpg"
    for number in range(3):
        offset = number * PIECE_BYTES
        assert bench.answers[-1] == {"kind": "next", "upload": 1, "received": offset}
        bench.piece(data[offset : offset + PIECE_BYTES], offset)
    assert bench.pictures == [(data, "cat.jpg")]
    assert bench.answers[-1] == {"kind": "stop", "upload": 1}
    assert progress == [*sorted(progress[:-1]), 0.0]
    assert progress[-2] == 1.0
    assert bench.at_rest
    assert bench.errors == []


def test_busy_lasts_until_the_picture_has_been_opened_and_ends_even_if_that_fails(bench: Bench) -> None:
    seen = []

    def fail(data: bytes, name: str) -> None:
        seen.append((bench.widget.busy, bench.widget.progress))
        raise RuntimeError("broken page")

    bench.widget.on_picture(fail)
    bench.begin(3)
    with pytest.raises(RuntimeError, match="broken page"):
        bench.piece(b"abc", 0)
    assert seen == [(True, 1.0)]
    assert bench.at_rest


def test_an_empty_file_is_handed_over_for_the_page_to_say_so(bench: Bench) -> None:
    bench.begin(0)
    assert bench.pictures == [(b"", "cat.jpg")]
    assert bench.at_rest


def test_too_large_a_file_is_refused_before_any_of_it_is_sent(bench: Bench) -> None:
    bench.begin(MAX_BYTES + 1)
    assert (bench.errors, bench.blamed) == (["picture-too-many-bytes"], ["cat.jpg"])
    assert bench.answers == [{"kind": "stop", "upload": 1}]
    assert bench.at_rest
    bench.begin(MAX_BYTES, upload=2)
    assert bench.answers[-1]["kind"] == "next"


def test_a_new_file_takes_the_place_of_the_one_under_way(bench: Bench) -> None:
    bench.begin(10, upload=1)
    bench.piece(b"12345", 0, upload=1)
    bench.begin(4, upload=2, name="second.png")
    assert {"kind": "stop", "upload": 1} in bench.answers
    bench.piece(b"67890", 5, upload=1)
    assert bench.answers[-1] == {"kind": "stop", "upload": 1}
    bench.piece(b"abcd", 0, upload=2)
    assert bench.pictures == [(b"abcd", "second.png")]
    assert bench.errors == []


def test_cancelling(bench: Bench) -> None:
    bench.begin(10)
    bench.say({"kind": "cancel", "upload": 99})
    assert bench.widget.busy
    bench.say({"kind": "cancel", "upload": 1})
    assert bench.at_rest
    assert bench.errors == []
    bench.begin(10)
    bench.say({"kind": "cancel", "upload": 1, "failed": True})
    assert (bench.errors, bench.blamed) == (["picture-upload-broken"], ["cat.jpg"])
    assert bench.pictures == []


@pytest.mark.parametrize(
    ("offset", "buffers"),
    [
        (5, [b"x"]),  # out of order
        (-1, [b"x"]),
        ("0", [b"x"]),
        (0.0, [b"x"]),
        (None, [b"x"]),
        (False, [b"x"]),
        (0, []),
        (0, None),
        (0, [b""]),
        (0, [b"x", b"y"]),
        (0, ["text"]),
        (0, [{"a": 1}]),
        (0, [[1, 2, 3]]),
        (0, [b"x" * 11]),  # more than announced
    ],
)
def test_a_wrong_piece_ends_the_upload_and_nothing_else(bench: Bench, offset: Any, buffers: Any) -> None:
    bench.begin(10)
    bench.say({"kind": "piece", "upload": 1, "offset": offset}, buffers)
    assert bench.errors == ["picture-upload-broken"]
    assert bench.pictures == []
    assert bench.at_rest
    bench.begin(1, upload=2)
    bench.piece(b"x", 0, upload=2)
    assert bench.pictures == [(b"x", "cat.jpg")]


def test_a_piece_above_the_limit_is_refused(bench: Bench) -> None:
    bench.begin(PIECE_BYTES + 1)
    bench.piece(bytes(PIECE_BYTES + 1), 0)
    assert bench.errors == ["picture-upload-broken"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "begin",
        7,
        {},
        {"kind": None},
        {"kind": ["begin"]},
        {"kind": "begin"},
        {"kind": "begin", "upload": "1", "size": 5},
        {"kind": "begin", "upload": 1, "size": -5},
        {"kind": "begin", "upload": 1, "size": 1e9},
        {"kind": "begin", "upload": 1, "size": True},
        {"kind": "begin", "upload": 10**30, "size": 5},
        {"kind": "piece"},
        {"kind": "piece", "upload": 3, "offset": 0},
        {"kind": "piece", "upload": {"a": 1}, "offset": 0},
        {"kind": "cancel", "upload": [1]},
        {"kind": "sample"},
        {"kind": "sample", "id": "../../etc/passwd"},
        {"kind": "sample", "id": ["chelsea"]},
        {"kind": "explode"},
    ],
)
def test_hostile_messages_are_passed_over(bench: Bench, content: Any) -> None:
    bench.say(content, [b"bytes"])
    assert bench.at_rest
    assert (bench.pictures, bench.samples, bench.errors) == ([], [], [])


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("<img src=x onerror=alert(1)>.jpg", "<img src=x onerror=alert(1)>.jpg"),
        ("../../evil\x00.png", "evil.png"),
        (None, ""),
        (["a"], ""),
        (7, ""),
    ],
)
def test_names_are_text_or_left_out(bench: Bench, name: Any, kept: str) -> None:
    bench.begin(1, name=name)
    assert bench.widget.file_name == kept
    bench.piece(b"x", 0)
    assert bench.pictures == [(b"x", kept)]


def test_choosing_a_sample(bench: Bench) -> None:
    bench.begin(10)
    bench.say({"kind": "sample", "id": "chelsea"})
    assert bench.samples == ["chelsea"]
    assert bench.widget.selected_sample == "chelsea"
    assert bench.at_rest, "the file under way is given up for the sample"
    bench.begin(1, upload=2)
    bench.piece(b"x", 0, upload=2)
    assert bench.widget.selected_sample == ""


def test_words_follow_the_language_and_thumbnails_are_small_jpegs(bench: Bench) -> None:
    titles = {}
    for language in LANGUAGES:
        bench.widget.language = language
        titles[language] = [entry["title"] for entry in bench.widget.samples]
        assert bench.widget.labels == picture_input.picture_labels(language)
        assert bench.widget.labels["drop"]
    assert titles["en"] != titles["ja"]
    for entry in bench.widget.samples:
        head, data = entry["thumbnail"].split(",", 1)
        assert head == "data:image/jpeg;base64"
        assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) <= 96
    assert len(str(bench.widget.samples)) < 60_000


def test_the_picture_that_is_shown_appears_small(bench: Bench) -> None:
    pixels = np.zeros((300, 900, 3), np.uint8)
    pixels[:, 300:600] = (250, 10, 10)
    bench.widget.show_current(Picture(pixels, "<b>.jpg", ""))
    data = base64.b64decode(bench.widget.current["thumbnail"].split(",", 1)[1])
    image = np.asarray(Image.open(io.BytesIO(data))).astype(int)
    assert image.shape == (96, 96, 3)
    assert np.abs(image - (250, 10, 10)).max() < 12, "the middle is shown"
    assert bench.widget.current["name"] == "<b>.jpg"
    bench.widget.show_current(None)
    assert bench.widget.current == {}


def test_messages_reach_the_widget_through_ipywidgets() -> None:
    widget = PictureInput()
    chosen: list[str] = []
    widget.on_sample(chosen.append)
    widget._handle_custom_msg({"kind": "sample", "id": "coffee"}, [])
    assert chosen == ["coffee"]
