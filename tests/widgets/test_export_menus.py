"""Files from the page itself: a stage's picture, the handout and the deck, with the page's part played by the test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import ipywidgets as W
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from explorer.export import FilesMenu, StageMenu, handout, handout_html, save_stages
from explorer.export.deck import SLIDE_SHEET
from explorer.export.showing import Showing
from explorer.interventions import Intervention
from explorer.panels.stages import PICTURED
from explorer.samples import open_sample
from explorer.state import ExplorerState
from explorer.texts import text
from explorer.widgets.attention_view import ROLLOUT
from tests.page.browser import launch_browser
from tests.widgets.front_end import FrontEnd
from tests.widgets.random_model import random_state

Sent = list[tuple[dict[str, Any], list[bytes]]]


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


def heard(widget: Any, answer: Callable[[dict[str, Any]], None] = lambda content: None) -> Sent:
    """What a widget sends from now on; ``answer`` plays the page."""
    sent: Sent = []

    def send(content: dict[str, Any], buffers: Any = ()) -> None:
        sent.append((content, list(buffers)))
        answer(content)

    widget.send = send
    return sent


def say(widget: Any, content: dict[str, Any], *buffers: bytes) -> None:
    """What the browser says to a widget."""
    widget._handle_custom_msg(content, list(buffers))


def drawing() -> bytes:
    data = BytesIO()
    Image.new("RGB", (SLIDE_SHEET["width"], SLIDE_SHEET["height"]), "white").save(data, "PNG")
    return data.getvalue()


# -- a stage's picture -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", PICTURED)
def test_a_stage_is_handed_to_the_page_with_its_name_and_leaves_nothing_behind(
    state: ExplorerState, stage: str
) -> None:
    state.layer, state.head, state.language = 1, 1, "ja"
    panel = PICTURED[stage](state)
    menu = StageMenu(panel)
    sent = heard(menu)
    widgets = set(W.widget._instances)
    say(menu, {"kind": "draw", "format": "svg", "caption": True})
    say(menu, {"kind": "draw", "format": "png", "caption": False})
    say(menu, {"kind": "draw", "format": "exe"})
    assert set(W.widget._instances) == widgets
    assert state.error is None
    (first, _), (second, _) = sent
    assert re.fullmatch(rf"{panel.number}-{stage}-random-patch8(-layer2)?(-head2)?-ja", first["stem"])
    assert ("-layer2" in first["stem"]) == (stage in {"encoder", "attention"})
    # The caption is written in the picture, or left out of it.
    caption = '"caption": ' + json.dumps(f"{panel.number} {panel.say('name')}").rstrip('"')
    assert caption in first["script"]
    assert caption not in second["script"]


@pytest.mark.parametrize("stage", PICTURED)
def test_a_picture_is_all_of_one_run_while_another_photo_is_computed(state: ExplorerState, stage: str) -> None:
    def drawn() -> str:
        panel = PICTURED[stage](state)
        sent = heard(menu := StageMenu(panel))
        say(menu, {"kind": "draw", "format": "svg", "caption": True})
        assert state.error is None
        return str(sent[0][0]["script"])

    before = drawn()
    state.picture, state.crop = open_sample("coffee"), (0.25, 0.5)
    assert state.busy
    assert drawn() == before
    assert state.wait(60)
    assert drawn() != before


class Recorder:
    """In place of the command line's browser: keeps what it is told to draw, so that one browser can draw both."""

    script = ""

    def __init__(self, **_options: Any) -> None: ...

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_error: object) -> None: ...

    def evaluate(self, script: str, _seconds: float) -> list[dict[str, str]]:
        Recorder.script = script
        return [{"svg": "<svg/>"}]


def test_what_the_page_draws_is_what_the_command_line_draws(
    state: ExplorerState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two browsers may hint letters differently, and what stands beside them gives way: one draws both.
    monkeypatch.setattr("explorer.drawing.sheets.Browser", Recorder)
    assert state.trace is not None
    assert state.picture is not None
    shown = {"stages": ["attention"], "layer": 1, "head": 1, "token": 3, "formats": ("svg",)}
    (file,) = save_stages(state.trace, state.labels, state.picture, tmp_path, **shown)
    state.layer, state.head, state.token = 1, 1, 3
    menu = StageMenu(PICTURED["attention"](state))
    menu._css = ""
    sent = heard(menu)
    with sync_playwright() as playwright:
        browser = launch_browser(playwright)
        front_end = FrontEnd(browser.new_page())
        element = front_end.mount("menu", menu)
        opens = element.get_by_role("button", name="Stage 5 Attention as a picture", exact=True)
        opens.press("Enter")
        assert opens.get_attribute("aria-expanded") == "true"
        element.get_by_role("button", name="SVG").press("Enter")
        (asked,) = front_end.sent("menu")
        assert asked == {"kind": "draw", "format": "svg", "caption": True}
        say(menu, asked)
        with front_end.page.expect_download() as download:
            front_end.answer("menu", sent[0][0])
        assert download.value.suggested_filename == file.name
        command_line = browser.new_page().evaluate(f"async () => (await {Recorder.script})[0].svg")
        assert len(command_line) > 10_000
        assert download.value.path().read_text("utf-8") == command_line
        assert opens.get_attribute("aria-expanded") == "false"
        # A page that cannot draw says so to the kernel.
        opens.press("Enter")
        element.get_by_role("button", name="PNG").press("Enter")
        front_end.answer("menu", {"kind": "draw", "stem": "x", "script": "Promise.reject(new Error('no <canvas>'))"})
        front_end.page.wait_for_function("models.menu.sent.length === 3")
        say(menu, front_end.sent("menu")[-1])
        browser.close()
    assert state.error.code == "page-undrawn"  # type: ignore[union-attr]
    assert state.error.values["detail"] == "no <canvas>"  # type: ignore[union-attr]


def test_an_open_rollout_is_drawn_and_named(state: ExplorerState) -> None:
    panel = PICTURED["attention"](state)
    panel.view.head = ROLLOUT
    menu = StageMenu(panel)
    sent = heard(menu)
    say(menu, {"kind": "draw", "format": "svg", "caption": True})
    assert state.error is None
    drawn = sent[0][0]
    assert drawn["stem"] == "5-attention-random-patch8-layer1-rollout-en"
    with sync_playwright() as playwright:
        browser = launch_browser(playwright)
        page = browser.new_page()
        svg = page.evaluate(f"async () => (await {drawn['script']})[0].svg")
        # The same picture of the head: the rollout is another.
        panel.view.head = 0
        say(menu, {"kind": "draw", "format": "svg", "caption": True})
        other = page.evaluate(f"async () => (await {sent[1][0]['script']})[0].svg")
        browser.close()
    words, others = (set(re.findall(r">([^<>]+)</text>", one)) for one in (svg, other))
    assert panel.view.labels["loading"] not in words
    assert any("attention rollout" in line for line in words)
    assert not any("rollout" in line for line in others)
    pictures, other_pictures = (set(re.findall(r'href="(data:[^"]+)"', one)) for one in (svg, other))
    # Photo and matrix; the wall is the same.
    assert len(pictures - other_pictures) >= 2


def test_a_changed_run_is_called_one_in_a_picture(state: ExplorerState) -> None:
    panel = PICTURED["classification"](state)
    menu = StageMenu(panel)
    sent = heard(menu)
    state.intervention = Intervention(msa_off=[1])
    assert state.wait(10)
    say(menu, {"kind": "draw", "format": "svg", "caption": True})
    assert sent[0][0]["stem"] == "6-classification-random-patch8-changed-en"
    assert "All stages show a changed run: MSA off in layer 2." in sent[0][0]["script"]


# -- the bar's menu ----------------------------------------------------------------------------------------------------


def test_the_handout_is_what_the_page_shows(state: ExplorerState) -> None:
    state.layer, state.head, state.token = 1, 1, 3
    menu = FilesMenu(state)
    sent = heard(menu)
    say(menu, {"kind": "make", "file": "handout"})
    assert menu.making["words"] == text("handout.making", "en")
    assert menu.wait(60)
    ((content, buffers),) = sent
    assert (content["kind"], content["stem"], content["ending"]) == ("file", "chelsea-handout", "html")
    expected = handout_html(state.trace, state.labels, state.picture, layer=1, head=1, token=3)
    assert buffers == [expected.encode("utf-8")]
    # The page stays as it was.
    assert (state.language, state.token, menu.making) == ("en", 3, {})
    menu.close()


def test_a_second_click_takes_nothing_from_the_first(state: ExplorerState) -> None:
    """It may have been sent before the page knew that a file is being made."""
    menu = FilesMenu(state)
    sent = heard(menu)
    say(menu, {"kind": "make", "file": "handout"})
    say(menu, {"kind": "make", "file": "handout"})
    say(menu, {"kind": "make", "file": "deck"})
    assert menu.making["file"] == "handout"
    assert menu.wait(60)
    assert [content["kind"] for content, _ in sent] == ["file"]
    menu.close()


def test_asking_while_nothing_is_shown_is_answered(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Showing, "on_page", lambda _state: None)
    menu = FilesMenu(state)
    sent = heard(menu)
    say(menu, {"kind": "make", "file": "handout"})
    assert (sent, menu.making) == ([({"kind": "end"}, [])], {})
    menu.close()


def test_a_failure_is_told_on_the_page(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handout, "MAX_BYTES", 10)
    menu = FilesMenu(state)
    sent = heard(menu)
    say(menu, {"kind": "make", "file": "handout"})
    assert menu.wait(60)
    assert [content["kind"] for content, _ in sent] == ["end"]
    assert menu.making == {}
    assert state.error.code == "handout-too-large"  # type: ignore[union-attr]
    menu.close()


def test_the_deck_is_made_of_what_the_page_draws(state: ExplorerState) -> None:
    pptx = pytest.importorskip("pptx")
    state.language = "ja"
    menu = FilesMenu(state)
    png, words = drawing(), []

    def page(content: dict[str, Any]) -> None:
        if content["kind"] != "draw":
            return
        words.append(menu.making["words"])
        assert json.dumps("パッチ").strip('"') in content["script"]
        answer = {"kind": "drawn", "number": content["number"]}
        # In pieces; what does not belong to it, or comes twice, is not taken.
        say(menu, answer | {"offset": 0, "last": False}, png[:100])
        say(menu, answer | {"number": content["number"] - 1, "offset": 100, "last": True}, b"x")
        say(menu, answer | {"offset": 0, "last": True}, png)
        say(menu, answer | {"offset": 100, "last": True}, png[100:])
        say(menu, answer | {"offset": len(png), "last": True}, b"x")

    sent = heard(menu, page)
    say(menu, {"kind": "make", "file": "deck"})
    assert menu.wait(120)
    content, (data,) = sent[-1]
    assert (content["kind"], content["stem"], content["ending"]) == ("file", "chelsea-slides-ja", "pptx")
    slides = list(pptx.Presentation(BytesIO(data)).slides)
    assert len(slides) == 1 + len(PICTURED)
    pictures = [shape.image.blob for slide in slides[1:] for shape in slide.shapes if shape.shape_type == 13]
    assert pictures == [png] * len(PICTURED)
    total = len(PICTURED)
    assert words == [text("export.deck-drawing", "ja", done=n + 1, total=total) for n in range(total)]
    menu.close()


def test_a_deck_can_be_stopped_and_a_page_that_cannot_draw_is_heard(state: ExplorerState) -> None:
    menu = FilesMenu(state)
    answers: list[dict[str, Any]] = [{"kind": "stop"}, {"kind": "undrawn", "problem": "no canvas"}]

    def page(content: dict[str, Any]) -> None:
        if content["kind"] == "draw":
            say(menu, answers.pop(0) | {"number": content["number"]})

    sent = heard(menu, page)
    say(menu, {"kind": "make", "file": "deck"})
    assert menu.wait(60)
    assert [content["kind"] for content, _ in sent] == ["draw", "end"]
    assert (menu.making, state.error) == ({}, None)
    say(menu, {"kind": "make", "file": "deck"})
    assert menu.wait(60)
    assert [content["kind"] for content, _ in sent] == ["draw", "end", "draw", "end"]
    assert menu.making == {}
    assert state.error.values["detail"] == "no canvas"  # type: ignore[union-attr]
    menu.close()


def test_the_browser_asks_once_draws_and_saves_the_file(state: ExplorerState) -> None:
    menu = FilesMenu(state)
    menu._css = ""
    with sync_playwright() as playwright:
        browser = launch_browser(playwright)
        front_end = FrontEnd(browser.new_page())
        element = front_end.mount("menu", menu)
        opens = element.get_by_role("button", name=text("export.menu-button", "en"))
        opens.click()
        element.get_by_role("button", name=text("export.deck-button", "en")).dblclick()
        assert front_end.sent("menu") == [{"kind": "make", "file": "deck"}]
        menu.making = {"file": "deck", "words": "1 of 7"}
        front_end.update("menu", menu)
        # Once more while it is being made: Playwright's own click would wait until it is no longer.
        element.get_by_role("button", name=text("handout.button", "en")).dispatch_event("click")
        assert front_end.sent("menu") == [{"kind": "make", "file": "deck"}]
        assert element.get_by_text("1 of 7").is_visible()
        five = "Promise.resolve([{png: btoa('x'.repeat(5 * 1024 * 1024))}])"
        front_end.answer("menu", {"kind": "draw", "number": 4, "script": five})
        front_end.page.wait_for_function("models.menu.sent.length === 3")
        piece = 4 * 1024 * 1024
        assert front_end.sent("menu")[1:] == [
            {"kind": "drawn", "number": 4, "offset": 0, "last": False},
            {"kind": "drawn", "number": 4, "offset": piece, "last": True},
        ]
        assert front_end.page.locator("iframe").count() == 0
        element.get_by_role("button", name="Stop").press("Enter")
        assert front_end.sent("menu")[-1] == {"kind": "stop"}
        menu.making = {}
        with front_end.page.expect_download() as download:
            answer = {"kind": "file", "stem": "cat: 1-slides", "ending": "pptx", "mime": "application/zip"}
            front_end.answer("menu", answer, b"PK")
        assert download.value.suggested_filename == "cat- 1-slides.pptx"
        assert download.value.path().read_bytes() == b"PK"
        front_end.update("menu", menu)
        assert element.get_by_role("button", name="Stop").count() == 0
        # Escape closes it, and goes back to its button.
        opens.click()
        front_end.page.keyboard.press("Tab")
        front_end.page.keyboard.press("Escape")
        assert opens.get_attribute("aria-expanded") == "false"
        assert opens.evaluate("(button) => button === document.activeElement")
        browser.close()
    menu.close()
