"""What is chosen on the page is what it shows: sizes, models, layer, head, query, language."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.harness import wait_ready


def stage(page: Page, name: str) -> Locator:
    """A stage, brought into view so that it is built."""
    section = page.locator(f".vx-stage-{name}")
    section.scroll_into_view_if_needed()
    return section


def choose_patch_size(page: Page, size: int) -> None:
    page.locator(".vx-patch-size").get_by_role("radio", name=str(size), exact=True).check(force=True)


def choose_language(page: Page, name: str) -> None:
    page.locator(".vx-language").get_by_role("radio", name=name).check(force=True)


def test_the_bar_stays_in_sight(each_shared_home: Page) -> None:
    link = each_shared_home.locator(".vx-nav [data-stage=classification]")
    link.click()
    expect(each_shared_home.locator(".vx-stage-classification h2")).to_be_in_viewport()
    expect(link).to_have_attribute("aria-current", "true")
    expect(each_shared_home.locator(".vx-status")).to_be_in_viewport()
    expect(each_shared_home.locator(".vx-upload")).to_be_in_viewport()


def test_layer_head_and_query_by_keyboard(each_shared_home: Page) -> None:
    page = each_shared_home
    section = stage(page, "attention")
    layer = section.locator(".vx-layer input")
    layer.focus()
    layer.press("Home")
    expect(section).to_contain_text(re.compile("layer 1\\b"))
    layer.press("ArrowRight")
    layer.press("ArrowRight")
    expect(section).to_contain_text(re.compile("layer 3\\b"))
    head = section.locator(".vx-head input")
    head.focus()
    head.press("Home")
    expect(section.locator(".vx-head output")).to_have_text("mean")
    head.press("ArrowRight")
    head.press("ArrowRight")
    expect(section).to_contain_text(re.compile("head 2\\b"))
    query = section.locator(".vx-query input")
    query.focus()
    query.press("Home")
    expect(section.locator(".vx-query output")).to_have_text("CLS")
    # The same token is picked in the other stages.
    expect(stage(page, "embedding")).to_contain_text("CLS")


def test_patch_size_changes_every_count(each_shared_home: Page) -> None:
    page = each_shared_home
    choose_patch_size(page, 16)
    expect(page.locator(".vx-facts")).to_contain_text("N = 16")
    wait_ready(page)
    expect(page.locator(".vx-facts")).to_contain_text("T = 17")
    expect(stage(page, "patches").locator(".vx-shapes")).to_contain_text("16 × 768")
    expect(stage(page, "attention").locator(".vx-shapes")).to_contain_text("× 17 × 17")


def test_of_two_changes_in_quick_succession_the_later_wins(each_shared_home: Page) -> None:
    page = each_shared_home
    choose_patch_size(page, 32)
    choose_patch_size(page, 4)
    expect(page.locator(".vx-facts")).to_contain_text("N = 256")
    wait_ready(page)
    expect(page.locator(".vx-patch-size").get_by_role("radio", name="4", exact=True)).to_be_checked()
    expect(page.locator(".vx-facts")).to_contain_text("N = 256")


def test_language_is_switched_live_and_nothing_is_lost(each_shared_home: Page) -> None:
    page = each_shared_home
    choose_patch_size(page, 16)
    expect(page.locator(".vx-facts")).to_contain_text("N = 16")
    choose_language(page, "日本語")
    expect(page.locator(".vx-status")).to_contain_text("準備完了")
    expect(page.locator(".vx-stage-overview h2")).to_contain_text("概要")
    expect(stage(page, "classification").locator("h2")).to_contain_text("識別")
    expect(page.locator(".vx-facts")).to_contain_text("N = 16")
    expect(page.locator(".vx-patch-size").get_by_role("radio", name="16", exact=True)).to_be_checked()
    choose_language(page, "English")
    expect(page.locator(".vx-stage-overview h2")).to_contain_text("Overview")


def test_another_bundled_model_is_chosen_from_the_list(each_home: Page) -> None:
    page = each_home
    expect(stage(page, "attention").locator(".vx-shapes")).to_contain_text("6 × 65 × 65")
    menu = page.locator(".vx-model select")
    menu.select_option(menu.locator("option", has_text="pos-none").get_attribute("value"))
    expect(stage(page, "attention").locator(".vx-shapes")).to_contain_text("4 × 65 × 65")
    wait_ready(page)
    expect(stage(page, "embedding").locator(".vx-shapes")).to_contain_text("64 × 128")


@pytest.mark.parametrize(("width", "names"), [(1600, 8), (1366, 1), (1280, 1)])
def test_in_lab_beside_the_file_browser_the_contents_are_whole(shared_lab_page: Page, width: int, names: int) -> None:
    lab_page = shared_lab_page
    lab_page.set_viewport_size({"width": width, "height": 900})
    nav = lab_page.locator(".vx-nav")
    seen = nav.locator(".vx-nav-link > :last-child")
    expect(seen).to_have_count(8)
    # Those that have no room keep their name for who listens or points.
    shown = "(labels) => labels.filter((one) => one.offsetWidth > 1).length"
    lab_page.wait_for_function(
        f"(count) => ({shown})([...document.querySelectorAll('.vx-nav-link > :last-child')]) === count", arg=names
    )
    assert nav.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    drawing = lab_page.locator(".vx-pipe-scroll")
    drawing.locator("svg text").first.wait_for()
    assert drawing.evaluate("(one) => one.scrollWidth <= one.clientWidth") == (width >= 1366)
    nav.get_by_role("button", name="Class").click()
    expect(nav.locator("[aria-current]")).to_have_text("6Class")
    expect(lab_page.locator(".vx-stage-classification h2")).to_be_in_viewport()


def test_an_untrained_patch_size_is_said_to_be_one(shared_page: Page) -> None:
    page = shared_page
    choose_patch_size(page, 64)
    expect(page.locator(".vx-notice")).to_contain_text("64 lies outside")
    choose_patch_size(page, 8)
    expect(page.locator(".vx-notice")).to_be_empty()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("resnet18", "not a plain Vision Transformer"), ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>")],
)
def test_a_model_that_cannot_be_shown_is_refused_in_words(shared_page: Page, name: str, sentence: str) -> None:
    page = shared_page
    shown = page.locator(".vx-facts").inner_text()
    page.locator(".vx-model select").select_option(label="Other model …")
    field = page.locator(".vx-other-model input")
    field.fill(name)
    field.press("Enter")
    expect(page.locator(".vx-error")).to_contain_text(sentence)
    wait_ready(page)
    assert page.locator(".vx-facts").inner_text() == shown
    page.locator(".vx-error").get_by_role("button", name="Close").click()
    expect(page.locator(".vx-error")).to_be_hidden()


def test_the_contents_lead_to_a_stage_and_mark_it(shared_page: Page) -> None:
    page = shared_page
    # For once with all that moves: the way to the next stage is glided over.
    page.emulate_media(reduced_motion="no-preference")
    contents = page.get_by_role("navigation", name="Stages")
    contents.get_by_role("button", name="6 Class").click()
    section = page.locator(".vx-stage-classification")
    expect(section.locator("h2")).to_be_in_viewport()
    expect(contents.locator("[aria-current]")).to_contain_text("Class")
    expect(section.locator(".vx-answer")).not_to_be_empty()
    contents.get_by_role("button", name="Attention").click()
    expect(page.locator(".vx-stage-attention h2")).to_be_in_viewport()
    expect(contents.locator("[aria-current]")).to_contain_text("Attention")
    contents.get_by_role("button", name="Overview").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".vx-stage-overview h2")).to_be_in_viewport()


@pytest.mark.parametrize(("query", "name"), [("", "Attention"), ("?lang=ja", "Attention")])
def test_teaching_mode_shows_one_stage_a_screen(shared_page_at: Callable[..., Page], query: str, name: str) -> None:
    page = shared_page_at(query)
    page.keyboard.press("t")
    stages = page.locator(".vx-stages > .vx-stage:visible")
    expect(stages).to_have_count(1)
    expect(stages.first).to_have_class(re.compile("vx-stage-overview"))
    expect(page.locator(".vx-controls")).to_be_hidden()
    # The contents and the keys lead to a stage, and it is built.
    page.keyboard.press("ArrowRight")
    # Larger as it is, the pointer still finds what lies under it.
    photo = page.locator(".vx-stage-patches .vxw-stage").first
    photo.hover()
    box = photo.bounding_box()
    assert box is not None
    photo.hover(position={"x": box["width"] - 12, "y": box["height"] - 12})
    expect(page.locator(".vx-stage-patches .vxw-readout").first).to_contain_text("63")
    # A picture that has been clicked keeps the arrows; a presenter's remote goes on to the next stage all the same.
    photo.click()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".vx-stage-patches")).to_be_visible()
    page.keyboard.press("End")
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    page.keyboard.press("PageDown")
    expect(page.locator(".vx-stage-embedding")).to_be_visible()
    # So does a matrix, whose own these keys are elsewhere.
    page.locator(".vx-stage-embedding .vxw-matrix .vxw-stage").first.click()
    page.evaluate("window.scrollTo(0, 0)")
    page.keyboard.press("PageUp")
    expect(page.locator(".vx-stage-patches")).to_be_visible()
    # What lies over the stage goes when nobody moves the pointer, and comes back.
    steps = page.locator(".vx-teach-place")
    expect(steps).to_have_css("opacity", "0")
    page.mouse.move(300, 300)
    expect(steps).to_have_css("opacity", "1")
    page.locator(".vx-nav").get_by_role("button", name=name).click()
    expect(page.locator(".vx-nav [aria-current]")).to_contain_text(name)
    expect(stages).to_have_count(1)
    expect(page.locator(".vx-stage-attention")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".vx-stage-classification")).to_be_visible()
    expect(stages).to_have_count(1)
    page.keyboard.press("Escape")
    expect(stages).to_have_count(8)
    expect(page.locator(".vx-stage-classification h2")).to_be_in_viewport()
    expect(page.locator(".vx-controls")).to_be_visible()


def test_the_address_opens_the_page_in_japanese(shared_page_at: Callable[..., Page]) -> None:
    page = shared_page_at("?lang=ja")
    wait_ready(page)
    expect(page.locator(".vx-status")).to_contain_text("準備完了")
    expect(page.locator(".vx-stage-patches h2")).to_contain_text("パッチ")
    expect(page.locator("html")).to_have_attribute("lang", "ja")


def test_without_network_a_model_can_be_seen_with_random_weights(page: Page) -> None:
    place = "() => document.querySelector('.vx-stage-overview').getBoundingClientRect().top"
    before = page.evaluate(place)
    page.locator(".vx-model select").select_option(label="Other model …")
    field = page.locator(".vx-other-model input")
    field.fill("vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    field.press("Enter")
    expect(page.locator(".vx-error")).to_contain_text("HF_HUB_OFFLINE")
    # Neither the field nor what is said pushes the page down.
    assert page.evaluate(place) == before
    page.get_by_role("button", name="Show its architecture with random weights").click()
    expect(page.locator(".vx-facts")).to_contain_text("N = 196")
    expect(page.locator(".vx-notice")).to_contain_text("random weights")
    assert page.evaluate(place) == before
    expect(stage(page, "attention").locator(".vx-shapes")).to_contain_text("3 × 197 × 197")


def test_a_hostile_link_opens_the_page_and_is_not_repeated(page_at: Callable[..., Page]) -> None:
    page = page_at("?model=/etc&layer=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&patch-size=16&more=1")
    expect(page.locator(".vx-facts")).to_contain_text("N = 16")
    expect(page.locator(".vx-notice")).to_contain_text("ignored: model, layer")
    expect(page.locator(".vx-notice")).not_to_contain_text("onerror")
