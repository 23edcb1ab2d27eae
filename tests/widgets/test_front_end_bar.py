"""The bar's own front ends in a browser: the button that copies a link, the menu of samples."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from explorer.panels.page_link import PageLink
from explorer.state import ExplorerState
from explorer.widgets.picture_input import PictureInput
from tests.widgets.front_end import FrontEnd

pytestmark = pytest.mark.xdist_group("front-end")


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
    front_end: FrontEnd, state: ExplorerState, own_picture: bool, own_model: bool, said: str
) -> None:
    button = PageLink(state).button
    button.own_picture, button.own_model = own_picture, own_model
    widget = front_end.mount("link", button)
    widget.get_by_role("button", name="Copy link").click()
    expect(widget.get_by_role("status")).to_have_text(said)


def test_the_keyboard_stays_on_the_button_where_only_the_older_clipboard_is(
    front_end: FrontEnd, state: ExplorerState
) -> None:
    page = front_end.page
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as over plain http
    page.evaluate("addEventListener('copy', () => { window.copied = String(document.activeElement.value); })")
    link = PageLink(state)
    widget = front_end.mount("link", link.button)
    button = widget.get_by_role("button", name="Copy link")
    button.focus()
    page.keyboard.press("Enter")
    expect(widget.get_by_role("status")).to_have_text("A line of Python is copied that opens the same page.")
    assert page.evaluate("copied") == f'Dashboard(link="?{link.button.query}")'
    expect(button).to_be_focused()
    expect(widget.locator("textarea")).to_have_count(0)


def test_two_pages_of_a_notebook_have_their_own_samples(front_end: FrontEnd) -> None:
    first, second = (front_end.mount(name, PictureInput()) for name in ("first", "second"))
    for mine, other in ((second, first), (first, second)):
        mine.locator(".vx-sample > button").click()
        expect(mine.locator(".vx-picture-menu")).to_be_visible()
        expect(other.locator(".vx-picture-menu")).to_be_hidden()
        front_end.page.keyboard.press("Escape")
        expect(mine.locator(".vx-picture-menu")).to_be_hidden()
        expect(mine.locator(".vx-sample > button")).to_be_focused()
