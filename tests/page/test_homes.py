"""Both homes: the page under Voilà with its kernels, and the same dashboard in JupyterLab."""

from __future__ import annotations

import re
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from explorer.serving.shell import STAGES
from explorer.texts import catalogue, text
from tests.page.harness import Guard, Server, eventually, kernel_of, start_server, wait_ready, wait_shown
from tests.page.standing import renew_in_lab
from tests.page.test_choices import choose_language, choose_patch_size, stage

# -- the page's own home ---------------------------------------------------------------------------------------------


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
