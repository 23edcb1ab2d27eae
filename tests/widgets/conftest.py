"""Fixtures for tests of widgets and panels: a state without a kernel, a browser without a server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from explorer.samples import open_sample
from explorer.state import ExplorerState
from tests.page.browser import launch_browser
from tests.standins import Answerer
from tests.widgets.front_end import FrontEnd


@pytest.fixture
def answerer() -> Answerer:
    return Answerer()


@pytest.fixture
def state(answerer: Answerer) -> Iterator[ExplorerState]:
    """A state that was answered once, by a stand-in."""
    state = ExplorerState(answerer=answerer, deliver=lambda call: call(), picture=open_sample("chelsea"))
    assert state.wait(10)
    yield state
    state.close()


# A module's, not the session's: while it is open, its event loop runs in this thread, and other tests want their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that reaches nobody."""
    with sync_playwright() as playwright:
        browser = launch_browser(playwright, args=["--host-resolver-rules=MAP * ~NOTFOUND"])
        yield browser
        browser.close()


@pytest.fixture
def front_end(request: pytest.FixtureRequest, browser: Browser) -> Iterator[FrontEnd]:
    """An empty page for front ends; fails on any error and any dialog. Its parameter is the screen's pixel ratio."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, device_scale_factor=getattr(request, "param", 1), accept_downloads=True
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    yield FrontEnd(page)
    context.close()
    assert faults == []
