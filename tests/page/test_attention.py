"""Stage 5 on the real page: the questions that a student is asked, answered by mouse and by keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

WORDS = {
    "en": {"cls": "Layer 8, head 1: where CLS looks", "most": "looks most at", "far": "In layer 3, head"},
    "ja": {"cls": "層 8・ヘッド 1：CLSが見る先", "most": "最も強く見る先", "far": "層 3 で最も遠くを見るのはヘッド"},
}


def attention(page: Page) -> Locator:
    """The stage, scrolled to and drawn."""
    stage = page.locator(".vx-stage-attention")
    stage.scroll_into_view_if_needed()
    stage.locator(".vxa-photo .vxw-stage[data-photo]").wait_for(timeout=60_000)
    return stage


def at_patch(stage: Locator, row: int, col: int) -> dict[str, float]:
    """The middle of a patch in the pane of the photo (8 × 8 patches)."""
    box = json.loads(stage.locator(".vxa-photo .vxw-stage").get_attribute("data-photo") or "")
    return {"x": box["x"] + (col + 0.5) / 8 * box["width"], "y": box["y"] + (row + 0.5) / 8 * box["height"]}


@pytest.fixture(scope="module", params=["en", "ja"])
def language(request: pytest.FixtureRequest) -> str:
    """One after the other: what is asked in one language is asked of one dashboard."""
    return str(request.param)


def test_what_does_cls_read_in_the_last_layer(shared_page_at: Callable[..., Page], language: str) -> None:
    """By the keyboard alone."""
    page, words = shared_page_at(f"?lang={language}"), WORDS[language]
    stage = attention(page)
    stage.locator(".vx-layer input[type=range]").focus()
    page.keyboard.press("End")
    stage.locator(".vx-query input[type=range]").focus()
    page.keyboard.press("Home")
    expect(stage.locator(".vxa-photo .vxw-title")).to_have_text(words["cls"], timeout=30_000)
    expect(stage.locator(".vxa-photo .vxw-readout")).to_contain_text(words["most"])


def test_which_head_of_layer_3_looks_furthest(shared_page_at: Callable[..., Page], language: str) -> None:
    page = shared_page_at(f"?lang={language}")
    stage = attention(page)
    stage.locator(".vx-layer input[type=range]").focus()
    page.keyboard.press("Home")
    for layer in (2, 3):
        page.keyboard.press("ArrowRight")
        expect(stage.locator(".vxa-photo .vxw-title")).to_contain_text(re.compile(f"(Layer|層) {layer}"))
    expect(stage.locator(".vxa-distance .vxw-notes")).to_contain_text(WORDS[language]["far"], timeout=30_000)


def test_the_mouse_asks_without_the_kernel_and_a_click_is_told_to_the_page(page_at: Callable[..., Page]) -> None:
    page = page_at("?lang=en")
    # A websocket that is open already is heard of only by what the page itself sends.
    page.evaluate(
        """() => {
            const send = WebSocket.prototype.send;
            window.messages = 0;
            WebSocket.prototype.send = function (...given) { window.messages += 1; return send.apply(this, given); };
        }"""
    )
    stage = attention(page)
    photo = stage.locator(".vxa-photo .vxw-stage")
    title = stage.locator(".vxa-photo .vxw-title")
    photo.hover(position=at_patch(stage, 0, 0))
    expect(title).to_contain_text("patch 0 (row 0, column 0)")
    # The page has other things to say, too (layers and rollouts are asked for ahead). A hover that asked the kernel
    # would do so each time, at patches that were never pointed at before: one round without a word shows that none
    # does.
    for patches in (((1, 1), (3, 6), (7, 7)), ((0, 2), (4, 5), (6, 1)), ((2, 3), (5, 7), (7, 0))):
        page.wait_for_function(
            """() => {
                const now = performance.now();
                if (window.seen !== window.messages) [window.seen, window.since] = [window.messages, now];
                return now - window.since > 1500;
            }"""
        )
        before = page.evaluate("window.messages")
        for row, col in patches:
            photo.hover(position=at_patch(stage, row, col))
            expect(title).to_contain_text(f"patch {row * 8 + col} (row {row}, column {col})")
        said = page.evaluate("window.messages") - before
        if not said:
            break
    assert said == 0
    photo.click(position=at_patch(stage, 2, 5))
    expect(stage.locator(".vx-query .vx-slider-value")).to_have_text(re.compile(r"patch 21\b"))
