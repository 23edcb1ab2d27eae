"""The button that saves a handout: what it hands over, and what it says where that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from explorer.export import HandoutButton, handout, handout_html
from explorer.state import ExplorerState
from explorer.texts import text
from tests.page.browser import launch_browser
from tests.widgets.front_end import FrontEnd
from tests.widgets.random_model import random_state

pytestmark = pytest.mark.xdist_group("front-end")


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


def pressed(button: HandoutButton) -> tuple[Any, list[bytes]]:
    """What is sent when the button is pressed."""
    sent: list[tuple[Any, list[bytes]]] = []
    button.send = lambda content, buffers=(): sent.append((content, list(buffers)))
    button._handle_custom_msg({"kind": "make"}, [])
    assert len(sent) == 1
    return sent[0]


def test_it_hands_over_what_the_page_shows(state: ExplorerState) -> None:
    state.layer, state.head, state.token = 1, 1, 3
    content, buffers = pressed(HandoutButton(state))
    assert (content["kind"], content["stem"], content["ending"]) == ("file", "chelsea-handout", "html")
    expected = handout_html(state.trace, state.labels, state.picture, layer=1, head=1, token=3)
    assert buffers == [expected.encode("utf-8")]
    # The page stays as it was.
    assert (state.language, state.token) == ("en", 3)


def test_a_failure_is_told_on_the_page(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handout, "MAX_BYTES", 10)
    content, _ = pressed(HandoutButton(state))
    assert content == {"kind": "failed"}
    assert state.error.code == "handout-too-large"  # type: ignore[union-attr]


def test_the_browser_asks_once_and_saves_the_file(state: ExplorerState) -> None:
    button = HandoutButton(state)
    button._css = ""
    with sync_playwright() as playwright:
        browser = launch_browser(playwright)
        front_end = FrontEnd(browser.new_page())
        element = front_end.mount("button", button)
        element.get_by_role("button").click()
        # Once more while it is being made: Playwright's own click would wait until it is no longer.
        element.get_by_role("button").dispatch_event("click")
        assert front_end.sent("button") == [{"kind": "make"}]
        assert element.inner_text().endswith(text("handout.making", "en"))
        with front_end.page.expect_download() as download:
            answer = {"kind": "file", "stem": "cat: 1-handout", "ending": "html", "mime": "text/html"}
            front_end.answer("button", answer, b"<!doctype html>x")
        assert download.value.suggested_filename == "cat- 1-handout.html"
        assert download.value.path().read_bytes() == b"<!doctype html>x"
        assert element.inner_text().endswith(text("handout.hint", "en"))
        browser.close()
