"""The page for those who do not see it: no serious finding of axe-core, on any stage, in either language."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from explorer.links import PAGE_STAGES

SERIOUS = {"serious", "critical"}


def findings(page: Page, within: str = "html") -> list[str]:
    """What axe-core finds seriously wrong in the parts that a selector names, a line each."""
    # Of what is right axe would list every element, which takes as long as to look for what is not.
    violations = Axe().run(page, within, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{found['id']} ({found['impact']}): {node['target']} {node['html'][:120]}"
        for found in violations
        if found["impact"] in SERIOUS
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("query", ["?lang=ja", ""])
def test_axe_finds_nothing_serious(shared_page_at: Callable[..., Page], query: str) -> None:
    page = shared_page_at(query)
    for stage in PAGE_STAGES:
        section = page.locator(f".vx-stage-{stage}")
        section.scroll_into_view_if_needed()
        expect(section.locator(".vx-stage-body > *").first).to_be_attached()
    assert findings(page) == []
    page.keyboard.press("t")
    expect(page.locator(".vx-stages > .vx-stage:visible")).to_have_count(1)
    assert findings(page) == []
    # The guided tour: a card that is answered, and those that are not, over pictures that are covered.
    page.keyboard.press("t")
    page.locator(".vx-tour-open").click()
    expect(page.locator(".vx-stage-overview .vx-tour-choice")).to_have_count(4)
    # A number answers what is in view, wherever the focus was left.
    page.locator(".vx-brand").click()
    page.keyboard.press("2")
    expect(page.locator(".vx-stage-overview [data-mark]").first).to_be_visible()
    expect(page.locator(".vx-stage-patches .vx-tour-choice")).to_have_count(4)
    # With it, what opens over the page.
    for menu in (".vx-export-open", ".vx-stage-patches .vx-picture-open"):
        page.locator(menu).dispatch_event("click")
    expect(page.locator(".vx-export-choices:visible, .vx-picture-choices:visible")).to_have_count(2)
    # The other stages are as they were.
    assert findings(page, ".vx-bar, .vx-stage-overview, .vx-stage-patches") == []


def test_axe_is_able_to_find_something(shared_page_at: Callable[..., Page]) -> None:
    page = shared_page_at()
    page.evaluate("document.querySelector('.vx-link-button').removeAttribute('aria-label')")
    page.evaluate("document.querySelector('.vx-link-button').removeAttribute('title')")
    assert any("button-name" in line for line in findings(page, ".vx-bar"))
