"""The bar's own front ends in a browser: the button that copies a link, the menu of samples."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from explorer.panels.page_link import PageLink
from explorer.state import ExplorerState
from explorer.widgets.link_button import LinkButton
from explorer.widgets.picture_input import PictureInput
from tests.widgets.front_end import FrontEnd


class _Asked:
    """Gives the questions of a link's button to the button in Python, and its answers to the browser."""

    def __init__(self, front_end: FrontEnd, button: LinkButton, monkeypatch: pytest.MonkeyPatch) -> None:
        self.front_end, self.button, self.done = front_end, button, 0
        monkeypatch.setattr(button, "send", lambda content: front_end.answer("link", content))

    def answer(self) -> None:
        """Wait for the next question, and answer it."""
        self.done += 1
        self.front_end.page.wait_for_function("count => models.link.sent.length === count", arg=self.done)
        question: Any = self.front_end.sent("link")[-1]
        self.button._handle_custom_msg(question, [])


def hear_the_older_clipboard(page: Page) -> None:
    """Leave a page only the clipboard that there is over plain http; what is copied is ``copied`` there."""
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate("addEventListener('copy', () => { window.copied = String(document.activeElement.value); })")


@pytest.mark.parametrize(
    ("own_picture", "own_model", "said"),
    [
        (False, False, "A line of Python is copied that opens the same page."),
        (True, False, "The link is copied. Your own picture is not in it."),
        (False, True, "The link is copied. The model that is shown is not in it."),
        (True, True, "The link is copied. Your own picture and the model that is shown are not in it."),
    ],
)
def test_the_button_says_what_is_not_in_the_link(
    front_end: FrontEnd,
    state: ExplorerState,
    monkeypatch: pytest.MonkeyPatch,
    own_picture: bool,
    own_model: bool,
    said: str,
) -> None:
    button = PageLink(state).button
    asked = _Asked(front_end, button, monkeypatch)
    widget = front_end.mount("link", button)
    button.own_picture, button.own_model = own_picture, own_model
    widget.get_by_role("button", name="Copy link").click()
    asked.answer()
    asked.answer()
    expect(widget.get_by_role("status")).to_have_text(said)


def test_the_keyboard_stays_on_the_button_where_only_the_older_clipboard_is(
    front_end: FrontEnd, state: ExplorerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = front_end.page
    hear_the_older_clipboard(page)
    link = PageLink(state)
    asked = _Asked(front_end, link.button, monkeypatch)
    widget = front_end.mount("link", link.button)
    button = widget.get_by_role("button", name="Copy link")
    button.focus()
    page.keyboard.press("Enter")
    asked.answer()
    asked.answer()
    expect(widget.get_by_role("status")).to_have_text("A line of Python is copied that opens the same page.")
    assert page.evaluate("copied") == f'Dashboard(link="?{link.button.query}")'
    expect(button).to_be_focused()
    expect(widget.locator("textarea")).to_have_count(0)


def test_a_link_says_what_was_chosen_while_the_kernel_was_busy(
    front_end: FrontEnd, state: ExplorerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = front_end.page
    hear_the_older_clipboard(page)
    link = PageLink(state)
    asked = _Asked(front_end, link.button, monkeypatch)
    widget = front_end.mount("link", link.button)
    button = widget.get_by_role("button", name="Copy link")
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    # The layer reaches the kernel before the question, the head, held back by its control, only after the answer.
    state.layer = 4
    asked.answer()
    state.head = 2
    asked.answer()
    expect(widget.get_by_role("status")).to_have_text("A line of Python is copied that opens the same page.")
    assert page.evaluate("copied") == f'Dashboard(link="?{link.button.query}")'
    assert "&layer=5&head=3&" in link.button.query
    expect(button).not_to_have_attribute("aria-busy", "true")


def test_without_a_kernel_the_link_that_the_browser_knows_is_copied(front_end: FrontEnd, state: ExplorerState) -> None:
    page = front_end.page
    link = PageLink(state)
    widget = front_end.mount("link", link.button)
    hear_the_older_clipboard(page)
    page.evaluate("() => { models.link.send = () => { throw new Error('no comm'); }; }")
    widget.get_by_role("button", name="Copy link").click()
    expect(widget.get_by_role("status")).to_have_text("A line of Python is copied that opens the same page.")
    assert page.evaluate("copied") == f'Dashboard(link="?{link.button.query}")'


def test_two_pages_of_a_notebook_have_their_own_samples(front_end: FrontEnd) -> None:
    first, second = (front_end.mount(name, PictureInput()) for name in ("first", "second"))
    for mine, other in ((second, first), (first, second)):
        mine.locator(".vx-sample > button").click()
        expect(mine.locator(".vx-picture-menu")).to_be_visible()
        expect(other.locator(".vx-picture-menu")).to_be_hidden()
        front_end.page.keyboard.press("Escape")
        expect(mine.locator(".vx-picture-menu")).to_be_hidden()
        expect(mine.locator(".vx-sample > button")).to_be_focused()
