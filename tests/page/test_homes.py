"""Both homes, and what the page says when something goes wrong that no dashboard can know of."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from explorer.serving.shell import STAGES
from explorer.texts import catalogue, text
from tests.page.harness import (
    Guard,
    Server,
    serve_notebook,
    start_server,
    wait_ready,
    wait_shown,
    write_notebook,
)
from tests.page.standing import renew_in_lab
from tests.page.test_choices import choose_language, choose_patch_size, stage
from tests.page.wire import Wire


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether a condition comes true; looked at again and again, so that no test waits longer than it must."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


#: What is shown in the dashboard's place, by the name that an address asks for: ``?case=slow``.
CASES = {
    # A kernel that takes its time.
    "slow": "import time\ntime.sleep(4)\ndisplay(ipywidgets.HTML('<p class=there>here</p>'))",
    "there": "display(ipywidgets.HTML('<p class=there>here</p>'))",
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


def kernel_of(page: Page) -> str:
    """The id of the kernel behind a page."""
    return str(page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId"))


# -- the page's own home ---------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("language", ["en", "ja"])
def test_dashboard_takes_the_shells_place_without_a_jump(
    voila: Server, new_page: Callable[..., Page], language: str
) -> None:
    page = new_page(f"{voila.url}/?lang={language}")
    # Where things of the shell lie, noted in the browser: it may be gone before a message from here arrives.
    places = """(root) => Object.fromEntries(
        [".vx-bar", ".vx-nav", ".vx-stage", ".vx-stage h2", ".vx-stage .vx-sentence", ".vx-stage + .vx-stage"]
        .map((part) => [part, document.querySelector(`${root} ${part}`).getBoundingClientRect()])
        .map(([part, box]) => [part, [box.left, box.top]]))"""
    page.locator("#vx-shell").wait_for()
    before = page.evaluate(places, "#vx-shell")
    wait_shown(page)
    taken = page.evaluate(places, "#vx-cells")
    # Nor does the overview's drawing, when it comes, push away what lies below it.
    page.locator(".vx-stage-overview svg text").first.wait_for()
    drawn = page.evaluate(places, "#vx-cells")
    for part, place in before.items():
        assert taken[part] == pytest.approx(place, abs=3), part
        assert drawn[part] == pytest.approx(place, abs=3), part


def test_shell_speaks_the_language_that_is_asked_for(voila: Server) -> None:
    def fetch(query: str, accepted: str) -> str:
        request = urllib.request.Request(voila.url + "/" + query, headers={"Accept-Language": accepted})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read(400_000).decode())

    assert text("shell.starting", "ja") in fetch("?lang=ja", "en").split("</html>")[0]
    assert '<html lang="ja"' in fetch("", "ja-JP,ja;q=0.9")


def test_page_brings_no_code_no_paths_and_nothing_from_elsewhere(
    open_page: Callable[..., Page], guard: Callable[[], Guard]
) -> None:
    page = open_page()
    source = page.content()
    assert "import Dashboard" not in source
    assert str(Path(__file__).resolve().parents[2]) not in source
    assert sys.prefix not in source
    hosts = {re.sub(r"^(\w+:(//[^/:]*)?).*", r"\1", url) for url in guard().requests}
    assert hosts <= {"http://localhost", "http://127.0.0.1", "data:", "blob:http:", "blob:"}, hosts


def test_front_end_comes_in_one_file(open_page: Callable[..., Page], guard: Callable[[], Guard]) -> None:
    open_page()
    scripts = [url for url in guard().requests if re.search(r"/voila/(static|labextensions)/.*\.js", url)]
    alone = [url for url in scripts if not re.search(r"/voila/static/voila\.js|remoteEntry", url)]
    assert not alone, "python tools/record_frontend.py has to be run again"


def test_no_icon_needs_a_font_that_may_be_missing(page: Page) -> None:
    fonts = page.evaluate(
        """() => [...document.querySelectorAll("body *")].flatMap((element) => ["::before", "::after", null]
            .filter((part) => part === null || !["none", "normal"].includes(getComputedStyle(element, part).content))
            .map((part) => getComputedStyle(element, part).fontFamily))
            .filter((family) => /awesome|icon/i.test(family))"""
    )
    assert fonts == []


def test_a_copied_link_opens_the_page_as_it_was(page: Page, open_page: Callable[..., Page]) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose_patch_size(page, 16)
    choose_language(page, "日本語")
    expect(page.locator(".vx-facts")).to_contain_text("N = 16")
    section = stage(page, "attention")
    section.locator(".vx-layer input").press("End")
    section.locator(".vx-head input").press("ArrowRight")
    section.locator(".vx-query input").press("Home")
    expect(section.locator(".vx-query output")).to_have_text("CLS")
    page.get_by_role("navigation").get_by_role("button", name="Attention").click()
    expect(page.locator(".vx-nav [aria-current]")).to_contain_text("Attention")
    page.get_by_role("button", name="リンクをコピー").click()
    expect(page.locator(".vx-link-said")).to_contain_text("コピーしました")
    link = page.evaluate("navigator.clipboard.readText()")

    again = open_page(link.partition("/?")[2].join(("?", "")))
    expect(again.locator(".vx-facts")).to_contain_text("N = 16")
    expect(again.locator(".vx-status")).to_contain_text("準備完了")
    section = again.locator(".vx-stage-attention")
    expect(section.locator("h2")).to_be_in_viewport()
    expect(section.locator(".vx-layer output")).to_have_text("8")
    expect(section.locator(".vx-head output")).to_have_text("2")
    expect(section.locator(".vx-query output")).to_have_text("CLS")


def test_leaving_the_page_ends_its_kernel(voila: Server, open_page: Callable[..., Page]) -> None:
    page = open_page()
    mine = voila.kernel(kernel_of(page))
    assert mine is not None
    page.goto("about:blank")
    assert eventually(lambda: not mine.is_running() or mine.status() == psutil.STATUS_ZOMBIE)


def test_kernels_that_nobody_looks_at_are_given_up_but_not_those_kept_ready(tmp_path: Path) -> None:
    arguments = ["serve", "--port", "0", "--no-browser", "--ready-kernels", "1", "--idle-minutes", "0.05"]
    with start_server(arguments, tmp_path) as server:
        # As long as a server may take to start: the first kernel imports all that others share.
        assert eventually(lambda: len(server.kernels()) == 1, 60)
        # A reader who asks for the page and never connects: a phone that was put away.
        with urllib.request.urlopen(server.url, timeout=60) as answer:
            kernel_id = re.search(r'"kernelId": "([\w-]+)"', answer.read().decode())
        assert kernel_id is not None

        assert eventually(lambda: server.kernel(kernel_id[1]) is not None)

        def only_the_other_runs() -> bool:
            return len(server.kernels()) == 1 and server.kernel(kernel_id[1]) is None

        # Three seconds of rest later it is gone; the one that was started in its place is there, and stays.
        assert eventually(only_the_other_runs, 60)
        time.sleep(5)
        assert only_the_other_runs()


# -- what can go wrong -----------------------------------------------------------------------------------------------


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


# -- both homes ------------------------------------------------------------------------------------------------------


def test_dashboard_is_there_and_ready(each_home: Page) -> None:
    wait_shown(each_home)
    wait_ready(each_home)
    for name in STAGES:
        if f"{name}.name" in catalogue("en"):
            expect(each_home.locator(f".vx-stage-{name}")).to_have_count(1)
    expect(each_home.locator(".vx-error .vx-message")).to_have_count(0)


def test_in_lab_a_kernel_that_restarts_under_the_page_is_said_in_words(lab_page: Page) -> None:
    said = lab_page.locator(".vx-lost-kernel .vx-message")
    height = lab_page.locator(".vx-bar").evaluate("(bar) => bar.offsetHeight")
    lab_page.locator(".lm-MenuBar-itemLabel", has_text="Kernel").click()
    lab_page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Restart Kernel…$")).click()
    lab_page.locator(".jp-Dialog button.jp-mod-accept").click()
    expect(said).to_have_text(text("page.lost-kernel", "en"))
    # What is seen stays as it was: no marks of ipywidgets' in every part of it.
    assert lab_page.locator(".vx-bar").evaluate("(bar) => bar.offsetHeight") == height
    lab_page.get_by_text("Python 3 (ipykernel) | Idle").first.wait_for(timeout=60_000)
    renew_in_lab(lab_page)
    expect(said).to_have_count(0, timeout=60_000)
    wait_ready(lab_page)


def test_page_speaks_the_browsers_language_unless_told_otherwise(open_page: Callable[..., Page]) -> None:
    page = open_page(locale="ja-JP")
    expect(page.locator(".vx-stage-patches h2")).to_contain_text(text("patches.name", "ja"))
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    page = open_page("?lang=en", locale="ja-JP")
    expect(page.locator(".vx-stage-patches h2")).to_contain_text(text("patches.name", "en"))
