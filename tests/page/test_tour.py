"""The guided tour on the real page, by keyboard: predict, then look."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.page.harness import wait_ready


def test_two_stages_of_the_tour_by_keyboard(each_home: Page) -> None:
    page = each_home
    page.locator(".vx-tour-open").focus()
    page.keyboard.press("Enter")
    overview, patches = page.locator(".vx-stage-overview"), page.locator(".vx-stage-patches")
    card = overview.locator(".vx-tour-card")
    expect(card).to_be_focused()
    expect(card).to_contain_text("patches of 16 pixels instead of 8")
    drawing = overview.locator(".vx-stage-body svg").first
    expect(overview.locator(".vx-stage-body")).to_have_attribute("inert", "")
    place = "(item) => item.getBoundingClientRect().top - item.closest('.vx-stage').getBoundingClientRect().top"
    before = drawing.evaluate(place)

    # (64 / 16)² patches and CLS: 17² weights, the first of the choices.
    page.keyboard.press("1")
    expect(card.get_by_role("status")).to_contain_text("Right")
    expect(card.locator("[data-mark=right]")).to_contain_text("289")
    expect(overview.locator(".vx-stage-body")).not_to_have_attribute("inert", "")
    assert abs(drawing.evaluate(place) - before) < 1

    # On to the next: covered, answered wrongly, uncovered.
    page.keyboard.press("Enter")
    card = patches.locator(".vx-tour-card")
    expect(card).to_be_focused()
    expect(card).to_be_in_viewport()
    expect(card).to_contain_text("8 × 8 pixels")
    expect(patches.locator(".vx-stage-body")).to_have_attribute("inert", "")
    page.keyboard.press("1")
    expect(card.get_by_role("status")).to_contain_text("192")
    expect(card.locator("[data-mark=wrong]")).to_contain_text("24")
    expect(patches.locator(".vxw-stage").first).to_be_visible()

    # Back: the first is as it was left. A question that is another now is asked again, one that is the same is not.
    page.keyboard.press("ArrowLeft")
    expect(overview.locator(".vx-tour-card")).to_be_focused()
    expect(overview.locator("[data-mark=right]")).to_contain_text("289")
    page.locator(".vx-language").get_by_role("radio", name="日本語").check(force=True)
    expect(overview.locator("[data-mark=right]")).to_contain_text("正解")
    page.locator(".vx-patch-size").get_by_role("radio", name="16", exact=True).check(force=True)
    expect(overview.locator(".vx-tour-card")).to_contain_text("16から32")
    expect(overview.locator(".vx-stage-body")).to_have_attribute("inert", "")
    wait_ready(page)

    overview.get_by_role("button", name="ツアーを終了").press("Enter")
    expect(page.locator(".vx-tour-card, [inert]")).to_have_count(0)
    expect(page.locator(".vx-tour-open")).to_be_focused()
