"""Stage 4 on the real page: by mouse and by keyboard, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect


def stage(page: Page) -> Locator:
    """The stage, brought into view so that it is built."""
    section = page.locator(".vx-stage-encoder")
    section.scroll_into_view_if_needed()
    expect(section.locator(".vx-encmap-step")).to_have_count(11)
    return section


def number(section: Locator, row: str) -> float:
    """A number of the calculation."""
    text = section.locator(f".vx-encoder-table .{row} td").last.text_content() or ""
    return float(text.replace("−", "-"))


def test_a_layer_is_walked_through_by_mouse(each_shared_home: Page) -> None:
    section = stage(each_shared_home)
    title = section.locator(".vx-encoder-step h3")
    section.locator(".vx-encmap-step").first.click()
    expect(title).to_contain_text("1. Layer normalization")
    for step, name in enumerate(("Query, key and value", "Scores", "Softmax"), start=2):
        section.locator(".vx-encoder-next").click()
        expect(title).to_contain_text(f"{step}. {name}")
        expect(section.locator(".vx-sum-model")).to_be_visible()
        assert abs(number(section, "vx-sum-result") - number(section, "vx-sum-model")) < 1e-5
    section.locator(".vx-encoder-back").click()
    expect(title).to_contain_text("3. Scores")
    expect(section).to_contain_text("Why √")
    section.locator(".vx-encmap-step").last.click()
    expect(title).to_contain_text("11. ")
    expect(section.locator(".vx-encoder-next")).to_be_disabled()


def test_steps_layers_and_numbers_by_keyboard(shared_page: Page) -> None:
    page = shared_page
    section = stage(page)
    rail = section.locator(".vx-encmap-rail")
    section.locator(".vx-encmap-step").first.click()
    expect(section.locator(".vx-encoder-step h3")).to_contain_text("1. ")
    rail.focus()
    for _ in range(4):
        rail.press("ArrowRight")
    rail.press("ArrowLeft")
    expect(section.locator(".vx-encoder-step h3")).to_contain_text("4. Softmax")
    layer = section.locator(".vx-encoder-layer input")
    layer.focus()
    layer.press("End")
    expect(section.locator(".vx-encoder-step h3")).to_contain_text("layer 8 of 8")
    expect(section.locator(".vx-encmap-layer").last).to_have_attribute("aria-current", "true")
    flow = section.locator(".vxw-flow .vxw-stage").first
    flow.focus()
    flow.press("Home")
    expect(section.locator(".vx-encoder-index output")).to_have_text("CLS")
    flow.press("ArrowRight")
    expect(section.locator(".vx-encoder-index output")).to_have_text(re.compile("^patch 0"))
    # Stage 5 shows the same layer.
    attention = page.locator(".vx-stage-attention")
    attention.scroll_into_view_if_needed()
    expect(attention.locator(".vx-layer output")).to_have_text("8")


def test_a_token_is_picked_on_the_photo(shared_page: Page) -> None:
    section = stage(shared_page)
    title, photo = section.locator(".vx-encoder-step h3"), section.locator(".vxw-patches .vxw-stage")
    photo.focus()
    photo.press("Home")
    expect(title).to_contain_text("CLS")
    photo.press("ArrowRight")
    expect(title).to_contain_text("patch 0 (row 0, column 0)")
    photo.press("ArrowDown")
    expect(title).to_contain_text("patch 8 (row 1, column 0)")


def test_stepping_moves_nothing_above(shared_page: Page) -> None:
    section = stage(shared_page)
    section.locator(".vx-encmap-step").first.click()
    expect(section.locator(".vx-encoder-step h3")).to_contain_text("1. ")
    button = section.locator(".vx-encoder-next")

    def step_to(step: int) -> float:
        """Where the button lies in the stage: a click that had to be tried again has scrolled the window."""
        button.click()
        expect(section.locator(".vx-encoder-step h3")).to_contain_text(f"{step}. ")
        place: float = button.evaluate(
            "(button) => button.getBoundingClientRect().top"
            " - button.closest('.vx-stage-encoder').getBoundingClientRect().top"
        )
        return place

    before = step_to(2)
    for step in range(3, 6):
        after = step_to(step)
    assert abs(after - before) < 1


def test_all_steps_at_once_and_their_charts(shared_page: Page) -> None:
    section = stage(shared_page)
    section.locator(".vx-encoder-mode").get_by_role("radio", name="all at once").check(force=True)
    expect(section.locator(".vx-encoder-step")).to_have_count(11)
    chart = section.locator(".vx-encoder-step-mlp .vxw-chart")
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".main-svg").first).to_be_visible(timeout=60_000)
    section.locator(".vx-encoder-mode").get_by_role("radio", name="step by step").check(force=True)
    expect(section.locator(".vx-encoder-step")).to_have_count(1)


@pytest.mark.parametrize(("query", "word"), [("", "Scores"), ("?lang=ja", "スコア")])
def test_both_languages(shared_page_at: Callable[..., Page], query: str, word: str) -> None:
    section = stage(shared_page_at(query))
    section.locator(".vx-encmap-step").nth(2).click()
    expect(section.locator(".vx-encoder-step h3")).to_contain_text(f"3. {word}")
    flow = section.locator(".vxw-flow .vxw-stage").last
    flow.hover(position={"x": 30, "y": 85})
    expect(section.locator(".vxw-flow .vxw-readout").last).to_contain_text("s")
