"""Fixtures for tests of the real page.

``page``: a dashboard under Voilà, ready, in a page that stays open from test to test; ``page_at``: the same for an
address and a window of one's own (``page_at("?lang=ja", (1280, 800))``). ``lab_page``: a dashboard in JupyterLab.
``each_home``: a test that takes it runs in both homes. ``shared_page``, ``shared_page_at`` and ``each_shared_home``:
the same, for tests that set all that they look at; those of a file that follow one another at one address go on with
one dashboard. ``open_page``: a page that is opened anew, for what opening does. After each test the guard fails it on a
request that leaves the machine, a page error, a console error or a kernel error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from xdist.scheduler import LoadFileScheduling

from tests.page.browser import launch_browser
from tests.page.harness import LAB_NOISE, Guard, Server, free_port, serve_notebook, start_server, wait_ready
from tests.page.standing import SIZE, Standing, dashboard_notebook, renew_in_lab, renew_in_voila

# Two busy cores take their time; what is there sooner is seen sooner.
expect.set_options(timeout=30_000)

#: What a page is opened in, where a test asks for nothing else. Its reader wants no motion: a dot that pulses while
#: something is computed has a browser without a graphics card paint the window sixty times a second.
WINDOW = {"viewport": {"width": SIZE[0], "height": SIZE[1]}, "locale": "en-US", "reduced_motion": "reduce"}

#: Whether a test has failed.
FAILED = pytest.StashKey[bool]()

#: Names cannot be looked up: what wants to leave fails at once, and the guard names it.
OFFLINE = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"]


#: Tests that only JupyterLab is opened for, by their names.
IN_LAB = re.compile(r"\[lab\b|::test_in_lab_")


class OneLab(LoadFileScheduling):  # type: ignore[misc]
    """Hands a file's tests to one process, and all that are in JupyterLab: to open it takes as long as ten of them."""

    def _split_scope(self, nodeid: str) -> str:
        return "lab" if IN_LAB.search(nodeid) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneLab | None:
    """Our order in place of ``--dist loadfile``."""
    return OneLab(config, log) if config.getoption("dist") == "loadfile" else None


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
        page = browser.new_context(**{**WINDOW, **options}).new_page()  # type: ignore[arg-type]
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


@pytest.fixture(scope="session")
def standing_voila(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """The page under Voilà that stays open."""
    folder = tmp_path_factory.mktemp("standing")

    with serve_notebook(dashboard_notebook(folder / "again.ipynb"), folder) as server:

        def open_standing(query: str) -> tuple[Page, Guard]:
            page = browser.new_context(**WINDOW).new_page()  # type: ignore[arg-type]
            page.set_default_timeout(30_000)
            guard = Guard(page)
            page.goto(f"{server.url}/{query}", wait_until="commit")
            wait_ready(page)
            return page, guard

        standing = Standing(open_standing, renew_in_voila)
        yield standing
        standing.drop()


@pytest.fixture(scope="session")
def standing_lab(browser: Browser, lab: Server) -> Iterator[Standing]:
    """The notebook that stays open in JupyterLab."""

    def open_standing(_query: str) -> tuple[Page, Guard]:
        page = browser.new_context(**WINDOW).new_page()  # type: ignore[arg-type]
        page.set_default_timeout(30_000)
        guard = Guard(page, LAB_NOISE)
        # "reset" gives it a workspace without the tabs and kernels of one that was dropped.
        address, _, query = lab.url.partition("?")
        page.goto(f"{address.split('/lab')[0]}/lab/tree/explorer.ipynb?reset&{query}", wait_until="commit")
        page.locator(".jp-NotebookPanel:visible .jp-Notebook .jp-CodeCell").first.wait_for(timeout=90_000)
        # Nothing runs before the kernel is there: JupyterLab would ask for one.
        page.get_by_text("Python 3 (ipykernel) | Idle").first.wait_for(timeout=60_000)
        renew_in_lab(page)
        wait_ready(page)
        return page, guard

    standing = Standing(open_standing, renew_in_lab)
    yield standing
    standing.drop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep whether a test has failed, for the fixtures that end after it."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@contextmanager
def lent(
    standing: Standing, guards: list[Guard], request: pytest.FixtureRequest, *, shared: bool = False
) -> Iterator[Callable[..., Page]]:
    """A standing page for one test; after one that failed it is not used again."""

    def take(query: str = "", size: tuple[int, int] = SIZE) -> Page:
        for guard in guards:
            guard.check()
        page, guard = standing.take(query, size, request.node.path.name if shared else None)
        if guard not in guards:
            guards.append(guard)
        return page

    try:
        yield take
    except BaseException:
        standing.drop()
        raise
    if request.node.stash.get(FAILED, False) or any(guard.problems for guard in guards):
        standing.drop()


@pytest.fixture
def page_at(
    standing_voila: Standing, guards: list[Guard], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """Dashboards under Voilà, ready: ``page_at("?lang=ja", (1280, 800))``."""
    with lent(standing_voila, guards, request) as take:
        yield take


@pytest.fixture
def page(page_at: Callable[..., Page]) -> Page:
    """A dashboard under Voilà, ready."""
    return page_at()


@pytest.fixture
def shared_page_at(
    standing_voila: Standing, guards: list[Guard], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """As ``page_at``, for a test that sets all that it looks at: it may go on where another of its file stopped."""
    with lent(standing_voila, guards, request, shared=True) as take:
        yield take


@pytest.fixture
def shared_page(shared_page_at: Callable[..., Page]) -> Page:
    """As ``page``, for a test that sets all that it looks at."""
    return shared_page_at()


@pytest.fixture
def lab_page(standing_lab: Standing, guards: list[Guard], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A dashboard in JupyterLab, ready."""
    with lent(standing_lab, guards, request) as take:
        yield take()


@pytest.fixture(params=["voila", "lab"])
def each_home(request: pytest.FixtureRequest) -> Page:
    """A dashboard, ready, once in each home."""
    opened: Page = request.getfixturevalue("page" if request.param == "voila" else "lab_page")
    return opened


@pytest.fixture
def shared_lab_page(standing_lab: Standing, guards: list[Guard], request: pytest.FixtureRequest) -> Iterator[Page]:
    """As ``lab_page``, for a test that sets all that it looks at."""
    with lent(standing_lab, guards, request, shared=True) as take:
        yield take()


@pytest.fixture(params=["voila", "lab"])
def each_shared_home(request: pytest.FixtureRequest) -> Page:
    """As ``each_home``, for a test that sets all that it looks at."""
    opened: Page = request.getfixturevalue("shared_page" if request.param == "voila" else "shared_lab_page")
    return opened
