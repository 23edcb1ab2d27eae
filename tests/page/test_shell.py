"""The page while its dashboard is not there yet, and what it says when something goes wrong that no dashboard knows of.

Most of these tests wait: for a server that is gone, for a connection, for a widget that never comes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from explorer.serving.shell import STAGES
from explorer.texts import catalogue, text
from tests.page.harness import Guard, Server, eventually, kernel_of, serve_notebook, write_notebook
from tests.page.wire import Wire

#: What is shown in the dashboard's place, by the name that an address asks for: ``?case=slow``.
CASES = {
    # A kernel that takes its time.
    "slow": "import time\ntime.sleep(4)\ndisplay(ipywidgets.HTML('<p class=there>here</p>'))",
    "there": "display(ipywidgets.HTML('<p class=there>here</p>'))",
    "nothing": "pass",
    # A model that no kernel has: Voilà's front end shows "Error displaying widget" in its place.
    "missing": "display({'application/vnd.jupyter.widget-view+json':"
    " {'model_id': 'none', 'version_major': 2}}, raw=True)",
    "error": "raise RuntimeError('<b>the cat is away</b>')",
    "path": "open('/no/such/file/of/mine')",
    "press": "button = ipywidgets.Button(description='press')\nbutton.on_click(lambda _: 1 / 0)\ndisplay(button)",
    "count": "button = ipywidgets.Button(description='0')\n"
    "button.on_click(lambda _: setattr(button, 'description', str(int(button.description) + 1)))\ndisplay(button)",
}

CODE = f"""
import os
from urllib.parse import parse_qs

import ipywidgets

exec({CASES!r}[parse_qs(os.environ["QUERY_STRING"])["case"][0]])
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serves :data:`CASES`, with the dashboard's settings."""
    folder = tmp_path_factory.mktemp("cases")
    with serve_notebook(write_notebook(folder / "cases.ipynb", CODE), folder) as server:
        yield server


@pytest.fixture
def serve_cases(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Serves them once more, for a test that needs a server of its own."""
    with ExitStack() as running:

        def serve(host: str = "127.0.0.1") -> Server:
            notebook = write_notebook(tmp_path / "cases.ipynb", CODE)
            return running.enter_context(serve_notebook(notebook, tmp_path, host))

        yield serve


# -- before the dashboard is there -------------------------------------------------------------------------------------


def test_shell_is_there_before_any_kernel(cases: Server, new_page: Callable[..., Page]) -> None:
    page = new_page(f"{cases.url}/?case=slow")
    shell = page.locator("#vx-shell")
    expect(shell).to_be_visible(timeout=4_000)
    expect(page.locator("#vx-progress-text")).to_have_text(text("shell.starting", "en"))
    for name in STAGES:
        if f"{name}.name" in catalogue("en"):
            expect(shell.locator(f"[data-stage={name}] h2")).to_contain_text(text(f"{name}.name", "en"))
            # The contents are the dashboard's own, in its short words.
            expect(shell.locator(".vx-nav-link", has_text=text(f"page.nav-{name}", "en")).first).to_be_visible()
    assert page.evaluate("performance.getEntriesByType('navigation')[0].responseStart") < 3000
    expect(page.locator(".there")).to_be_visible(timeout=30_000)
    expect(shell).to_have_count(0)


def test_page_that_keeps_one_waiting_says_so(cases: Server, new_page: Callable[..., Page]) -> None:
    page = new_page("about:blank")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/voila.js", hold)
    page.clock.install()
    page.goto(f"{cases.url}/?case=there&lang=ja", wait_until="commit")
    # The kernel is there, the front end is not, and the minute from then on is over at once.
    expect(page.locator("#vx-progress-text")).to_have_text(text("shell.loading", "ja"), timeout=30_000)
    page.clock.fast_forward(60_000)
    alert = page.locator("#vx-alert[data-reason=slow]")
    expect(alert).to_contain_text(text("shell.slow", "ja"))
    expect(alert.get_by_role("button", name=text("shell.reload", "ja"))).to_be_visible()
    expect(page.locator(".there")).to_have_count(0)
    # What comes after all is shown all the same.
    for route in held:
        route.continue_()
    expect(page.locator(".there")).to_be_visible(timeout=30_000)
    expect(page.locator("#vx-alert")).to_be_hidden()


# -- what can go wrong -----------------------------------------------------------------------------------------------


def test_a_page_without_any_output_is_said_to_be_missing(cases: Server, new_page: Callable[..., Page]) -> None:
    page = new_page(f"{cases.url}/?case=nothing")
    expect(page.get_by_role("alert")).to_contain_text(text("shell.not-shown", "en"), timeout=30_000)


def test_a_widget_that_never_comes_is_said_to_be_missing(
    cases: Server, new_page: Callable[..., Page], guard: Callable[[], Guard]
) -> None:
    page = new_page(f"{cases.url}/?case=missing")
    guard().allow("widget model not found")
    # It is waited for, as it may be on its way on a busy machine; then that is said.
    expect(page.get_by_role("alert")).to_contain_text(text("shell.not-shown", "en"), timeout=40_000)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_error_of_a_cell_is_shown(cases: Server, new_page: Callable[..., Page], language: str) -> None:
    page = new_page(f"{cases.url}/?case=error&lang={language}")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(text("shell.cell-error", language), timeout=30_000)
    # What an error says is text, never HTML.
    expect(alert).to_contain_text("RuntimeError: <b>the cat is away</b>")
    expect(alert.get_by_role("button", name=text("shell.reload", language))).to_be_visible()
    alert.locator("summary").click()
    expect(alert.locator("details pre")).to_contain_text("Traceback")


def test_a_room_is_told_of_an_error_without_this_machines_paths(
    serve_cases: Callable[..., Server], new_page: Callable[..., Page]
) -> None:
    page = new_page(f"{serve_cases('0.0.0.0').url}/?case=path")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("FileNotFoundError", timeout=30_000)
    assert "/no/such" not in page.content()


def test_error_after_a_click_is_shown(cases: Server, new_page: Callable[..., Page], guard: Callable[[], Guard]) -> None:
    page = new_page(f"{cases.url}/?case=press")
    guard().allow("ZeroDivisionError")
    page.get_by_role("button", name="press").click(timeout=30_000)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(text("shell.python-error", "en"))
    expect(alert).to_contain_text("ZeroDivisionError: division by zero")
    alert.get_by_role("button", name=text("shell.close", "en")).click()
    expect(alert).to_be_hidden()


def test_a_kernel_that_died_is_said_in_words(cases: Server, new_page: Callable[..., Page]) -> None:
    page = new_page(f"{cases.url}/?case=there&lang=ja")
    expect(page.locator(".there")).to_be_visible(timeout=30_000)
    kernel = cases.kernel(kernel_of(page))
    assert kernel is not None
    kernel.kill()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(text("shell.lost-kernel", "ja"), timeout=30_000)
    alert.get_by_role("button", name=text("shell.reload", "ja")).click()
    expect(page.locator(".there")).to_be_visible(timeout=30_000)
    expect(alert).to_be_hidden()


def test_a_connection_that_breaks_off_is_said_and_comes_back(
    cases: Server, new_page: Callable[..., Page], guard: Callable[[], Guard]
) -> None:
    wire = Wire(int(cases.url.rsplit(":", 1)[1]))
    page = new_page(f"{wire.url}/?case=count")
    guard().allow("console error")
    button = page.locator("#vx-cells button")
    expect(button).to_have_text("0", timeout=30_000)
    wire.cut()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(text("shell.reconnecting", "en"), timeout=10_000)
    wire.mend()
    expect(alert).to_be_hidden(timeout=30_000)
    button.click()
    expect(button).to_have_text("1", timeout=15_000)
    page.goto("about:blank")
    wire.close()


def test_a_server_that_stopped_is_said_in_words(
    serve_cases: Callable[..., Server], new_page: Callable[..., Page], guard: Callable[[], Guard]
) -> None:
    server = serve_cases()
    page = new_page(f"{server.url}/?case=count")
    guard().allow("console error")
    guard().allow("page error: Failed to fetch|page error: NetworkError")
    expect(page.locator("#vx-cells button")).to_be_visible(timeout=30_000)
    server.stop()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(text("shell.lost-server", "en"), timeout=60_000)
    expect(alert.get_by_role("button", name=text("shell.reload", "en"))).to_be_visible()


def test_server_ends_with_its_kernels(serve_cases: Callable[..., Server], new_page: Callable[..., Page]) -> None:
    server = serve_cases()
    page = new_page(f"{server.url}/?case=there")
    expect(page.locator(".there")).to_be_visible(timeout=30_000)
    started = server.kernels()
    page.goto("about:blank")
    os.kill(server.process.pid, signal.SIGTERM)
    assert eventually(lambda: server.process.poll() is not None)
    assert eventually(lambda: not any(kernel.is_running() for kernel in started))
