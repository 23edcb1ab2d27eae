"""Fixtures for tests of the real page.

``page``: the dashboard under Voilà, open and ready. ``lab_page``: the same in JupyterLab. ``any_page``: a test that
takes it runs in both homes. ``open_page``: for addresses of one's own (``open_page("?lang=ja")``). After each test the
guard fails it on a request that leaves the machine, a page
error, a console error or a kernel error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.page.browser import launch_browser
from tests.page.harness import LAB_NOISE, Guard, Server, free_port, start_server, wait_ready

HERE = Path(__file__).parent

# Two busy cores take their time; what is there sooner is seen sooner.
expect.set_options(timeout=30_000)

#: Names cannot be looked up: what wants to leave fails at once, and the guard names it.
OFFLINE = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All page tests in one process of pytest-xdist: two cores bear one browser and one server of each kind."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.xdist_group("page"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch_browser(playwright, args=OFFLINE)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page's own home, started from an empty folder, with one kernel kept ready as for a user."""
    folder = tmp_path_factory.mktemp("voila")
    with start_server(["serve", "--port", "0", "--no-browser", "--ready-kernels", "1"], folder) as server:
        yield server


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on a folder with our notebooks, as ``vit-explorer lab`` makes it."""
    folder = tmp_path_factory.mktemp("lab")
    arguments = ["lab", "notebooks", "--port", str(free_port()), "--no-browser", "--"]
    # The address with its token is the first that is printed.
    with start_server([*arguments, "--allow-root"], folder, r"(http://127\.0\.0\.1:\d+/lab\S*)") as server:
        yield server


@pytest.fixture
def guards() -> Iterator[list[Guard]]:
    watching: list[Guard] = []
    yield watching
    for guard in watching:
        guard.check()


@pytest.fixture
def new_page(browser: Browser, guards: list[Guard]) -> Iterator[Callable[..., Page]]:
    """Opens an address in a window of its own, under guard, without waiting for anything."""
    opened: list[Page] = []

    def open_address(url: str, *, lab: bool = False, wait_until: str = "commit", **options: object) -> Page:
        settings = {"viewport": {"width": 1600, "height": 1000}, "locale": "en-US", **options}
        page = browser.new_context(**settings).new_page()  # type: ignore[arg-type]
        page.set_default_timeout(30_000)
        guards.append(Guard(page, LAB_NOISE if lab else ()))
        opened.append(page)
        page.goto(url, wait_until=wait_until)  # type: ignore[arg-type]
        return page

    yield open_address
    for page in opened:
        if not page.is_closed():
            # Left like a user leaves it, so that its kernel ends with it.
            page.goto("about:blank")
        page.context.close()


@pytest.fixture
def guard(guards: list[Guard]) -> Callable[[], Guard]:
    """The guard of the page that was opened last: ``guard().allow("...")``."""
    return lambda: guards[-1]


@pytest.fixture
def open_page(voila: Server, new_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the dashboard under Voilà with a query of one's own, and waits until it is ready."""

    def open_dashboard(query: str = "", **options: object) -> Page:
        page = new_page(voila.url + "/" + query, **options)
        wait_ready(page)
        return page

    return open_dashboard


@pytest.fixture
def open_lab(lab: Server, new_page: Callable[..., Page]) -> Iterator[Callable[..., Page]]:
    """Opens the notebook in JupyterLab, runs it, and waits until the dashboard is ready."""

    def open_notebook(**options: object) -> Page:
        # "reset" gives each test a workspace without the tabs and kernels of the one before.
        address, _, query = lab.url.partition("?")
        page = new_page(f"{address.split('/lab')[0]}/lab/tree/explorer.ipynb?reset&{query}", lab=True, **options)
        page.locator(".jp-NotebookPanel:visible .jp-Notebook .jp-CodeCell").first.wait_for(timeout=90_000)
        # Nothing runs before the kernel is there: JupyterLab would ask for one.
        page.get_by_text("Python 3 (ipykernel) | Idle").first.wait_for(timeout=60_000)
        page.locator(".jp-NotebookPanel:visible .jp-CodeCell .jp-InputArea-editor").first.click()
        page.keyboard.press("Shift+Enter")
        wait_ready(page)
        return page

    yield open_notebook
    # The next test gets a kernel of its own, as a reader who opens the notebook for the first time does.
    address = lab.url.partition("/lab")[0]
    token = {"Authorization": f"token {parse_qs(urlsplit(lab.url).query)['token'][0]}"}
    with urlopen(Request(f"{address}/api/sessions", headers=token), timeout=30) as answer:
        sessions = [entry["id"] for entry in json.load(answer)]
    for session in sessions:
        urlopen(Request(f"{address}/api/sessions/{session}", headers=token, method="DELETE"), timeout=30).close()


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The dashboard under Voilà, ready."""
    return open_page()


@pytest.fixture
def lab_page(open_lab: Callable[..., Page]) -> Page:
    """The dashboard in JupyterLab, ready."""
    return open_lab()


@pytest.fixture(params=["voila", "lab"])
def each_home(request: pytest.FixtureRequest) -> Page:
    """The dashboard, ready, once in each home, in every run of the tests."""
    opened: Page = request.getfixturevalue("page" if request.param == "voila" else "lab_page")
    return opened


@pytest.fixture(params=["voila", pytest.param("lab", marks=pytest.mark.thorough)])
def any_page(request: pytest.FixtureRequest) -> Page:
    """The dashboard, ready, once in each home; JupyterLab, which takes long to open, in the thorough run."""
    opened: Page = request.getfixturevalue("page" if request.param == "voila" else "lab_page")
    return opened
