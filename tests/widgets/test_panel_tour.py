"""The guided tour: cards that follow the page, and in the browser what they cover and uncover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from explorer.dashboard import Dashboard
from explorer.errors import ExplorerError
from explorer.jobs import Job
from explorer.panels.tour import GuidedTour
from explorer.samples import open_sample
from explorer.state import ExplorerState
from explorer.tour import QUESTIONS
from tests.page.browser import launch_browser
from tests.widgets.front_end import FrontEnd
from tests.widgets.random_model import random_state

STAGES = [(stage, number) for number, stage in enumerate(QUESTIONS)]


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state(scale=3.0)
    yield state
    state.close()


def toured(state: ExplorerState, *stages: str) -> GuidedTour:
    tour = GuidedTour(state, STAGES)
    tour.start()
    tour.guide.wanted = list(stages)
    return tour


def test_nothing_is_worked_out_before_the_tour_begins(state: ExplorerState) -> None:
    tour = GuidedTour(state, STAGES)
    tour.guide.wanted = ["patches"]
    assert tour.guide.cards == {}
    tour.start()
    assert list(tour.guide.cards) == ["patches"]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    ("architecture", "arguments"),
    [
        ("vit_tiny_patch16_224", {}),
        ("vit_tiny_patch16_224", {"num_classes": 0}),
        ("vit_tiny_patch16_224", {"depth": 1}),
        ("deit_tiny_distilled_patch16_224", {}),
        ("vit_base_patch16_siglip_gap_224", {}),
    ],
)
def test_every_card_is_whole(architecture: str, arguments: dict[str, Any], language: str) -> None:
    state = random_state(architecture=architecture, **arguments)
    state.language = language
    tour = toured(state, *QUESTIONS)
    assert state.jobs.wait(60)
    assert list(tour.guide.cards) == list(QUESTIONS)
    for stage, card in tour.guide.cards.items():
        assert 0 <= card["right"] < len(card["choices"]), stage
        assert len(set(card["choices"])) == len(card["choices"]), stage
        for part in ("question", "why", "look"):
            assert card[part], stage
            assert "{" not in card[part], stage
    state.close()


def test_the_numbers_are_todays(state: ExplorerState) -> None:
    tour = toured(state, "patches")
    card = tour.guide.cards["patches"]
    assert "8 × 8 pixels" in card["question"]
    assert card["choices"][card["right"]] == "192"
    assert "8 × 8 × 3\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}192" in card["why"]
    state.patch_size = 16
    assert state.wait(60)
    after = tour.guide.cards["patches"]
    assert after["id"] != card["id"]
    assert after["choices"][after["right"]] == "768"


def test_another_language_is_the_same_question(state: ExplorerState) -> None:
    tour = toured(state, "encoder", "position")
    before = tour.guide.cards
    state.language = "ja"
    after = tour.guide.cards
    assert {stage: card["id"] for stage, card in after.items()} == {stage: card["id"] for stage, card in before.items()}
    assert "最も長い" in after["encoder"]["question"]
    assert tour.guide.texts["next"] == "次へ"
    assert tour.guide.stages[0]["name"] == "概要"


def test_the_shuffled_run_is_worked_out_beside_the_page(state: ExplorerState) -> None:
    asked: list[Job] = []
    submit = state.jobs.submit
    state.jobs.submit = lambda job, *calls: asked.append(job) or submit(job, *calls)  # type: ignore[method-assign]
    tour = toured(state, "experiments")
    assert state.jobs.wait(60)
    card = tour.guide.cards["experiments"]
    assert card["choices"][card["right"]] == "it stays exactly the same"
    assert "rounding" in card["why"]
    # Another card does not have it run again; another photo does.
    tour.guide.wanted = ["experiments", "patches"]
    assert len(asked) == 1
    state.picture = open_sample("coffee")
    assert state.wait(60)
    assert len(asked) == 2
    assert state.jobs.wait(60)
    assert tour.guide.cards["experiments"]["right"] == 0


def test_a_run_that_fails_is_said_in_its_card(state: ExplorerState, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ExplorerError("model-not-vit", name="x")

    monkeypatch.setattr("explorer.panels.tour.without_positions", fail)
    tour = toured(state, "experiments", "patches")
    assert state.jobs.wait(60)
    assert tour.guide.cards["experiments"]["failed"]
    assert tour.guide.cards["experiments"]["right"] == -1
    assert not tour.guide.cards["patches"]["failed"]
    assert state.error is None


def test_what_the_browser_asks_for_is_checked(state: ExplorerState) -> None:
    tour = toured(state, "<script>", "patches")
    assert list(tour.guide.cards) == ["patches"]


def test_a_link_opens_the_tour(state: ExplorerState) -> None:
    dashboard = Dashboard(state, link="?tour=1")
    assert dashboard.tour.guide.running
    assert not Dashboard(state, link="?tour=yes").tour.guide.running


# -- in the browser ----------------------------------------------------------------------------------------------------

STAGE = """
<div class="vx-stage vx-stage-{stage}"><div class="vx-stage-head"><h2>{stage}</h2></div><div class="vx-theory"></div>
<div class="vx-stage-body"><button style="height: 400px">the picture of {stage}</button></div></div>
"""


@pytest.fixture
def front_end() -> Iterator[FrontEnd]:
    with sync_playwright() as playwright:
        browser = launch_browser(playwright, args=["--host-resolver-rules=MAP * ~NOTFOUND"])
        yield FrontEnd(browser.new_page(viewport={"width": 1200, "height": 800}))
        browser.close()


def mounted(front_end: FrontEnd, tour: GuidedTour) -> Page:
    """A page of two stages with the tour's button in its bar."""
    tour.guide.stages = tour.guide.stages[1:3]
    page = front_end.page
    front_end.mount("tour", tour.guide)
    stages = "".join(STAGE.format(stage=stage["id"]) for stage in tour.guide.stages)
    page.evaluate(
        """(stages) => {
          const root = document.createElement("div");
          root.className = "vx";
          root.innerHTML = `<div class="vx-bar"></div><div class="vx-stages">${stages}</div>`;
          document.body.append(root);
          root.firstChild.append(document.querySelector("#tour"));
        }""",
        stages,
    )
    return page


def exchange(front_end: FrontEnd, tour: GuidedTour) -> None:
    """What a kernel's connection does: the browser's traits to Python, then Python's to the browser."""
    for trait in ("running", "wanted", "answers"):
        setattr(tour.guide, trait, front_end.get("tour", trait))
    front_end.update("tour", tour.guide)


def test_a_picture_is_covered_until_its_question_is_answered(state: ExplorerState, front_end: FrontEnd) -> None:
    tour = GuidedTour(state, STAGES)
    page = mounted(front_end, tour)
    untouched = page.evaluate("document.querySelector('.vx-stages').outerHTML")
    page.get_by_role("button", name="Guided tour").click()
    assert front_end.get("tour", "running") is True
    # The kernel hears which stages are looked at, and answers with their cards.
    expect(page.locator(".vx-tour-card").first).to_be_focused()
    assert set(front_end.get("tour", "wanted")) == {"patches", "embedding"}
    exchange(front_end, tour)

    first = page.get_by_role("region", name="question on stage 1")
    expect(first).to_contain_text("8 × 8 pixels")
    picture = page.get_by_text("the picture of patches")
    # Neither to be clicked nor to be read out, and its place is kept.
    expect(page.locator(".vx-stage-patches .vx-stage-body")).to_have_attribute("inert", "")
    picture.focus()
    expect(picture).not_to_be_focused()
    assert (
        picture.evaluate(
            """(item) => {
          const box = item.getBoundingClientRect();
          return document.elementFromPoint(box.left + 20, box.top + 20) === item;
        }"""
        )
        is False
    )
    top = picture.evaluate("(item) => item.getBoundingClientRect().top")
    right = tour.guide.cards["patches"]["right"]
    first.get_by_role("button").nth(right).click()
    assert front_end.get("tour", "answers")["patches"] == {"id": tour.guide.cards["patches"]["id"], "choice": right}
    expect(first.get_by_role("status")).to_contain_text("Right")
    picture.focus()
    expect(picture).to_be_focused()
    assert picture.evaluate("(item) => item.getBoundingClientRect().top") == pytest.approx(top, abs=1)

    # An answer is lost with its question, not with its words.
    exchange(front_end, tour)
    state.language = "ja"
    exchange(front_end, tour)
    expect(page.locator(".vx-stage-patches .vx-tour-card")).to_contain_text("正解")
    expect(page.locator(".vx-stage-patches .vx-stage-body")).not_to_have_attribute("inert", "")
    state.language, state.patch_size = "en", 16
    assert state.wait(60)
    exchange(front_end, tour)
    expect(page.locator(".vx-stage-patches .vx-stage-body")).to_have_attribute("inert", "")

    # To the end: one wrong, one that was shown.
    page.keyboard.press("ArrowLeft")
    page.locator(".vx-stage-patches .vx-tour-card").focus()
    page.keyboard.press("1" if tour.guide.cards["patches"]["right"] else "2")
    expect(first.get_by_role("status")).to_contain_text("Not quite")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="question on stage 2")).to_be_focused()
    page.get_by_role("button", name="Show me").last.click()
    page.get_by_role("button", name="Result").click()
    summary = page.get_by_role("region", name="how it went")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("heading")).to_have_text("0 of 2 predicted right")
    expect(summary).to_contain_text("not quite")
    summary.get_by_role("button", name="Patches").click()
    expect(first).to_be_focused()

    # Ended, the page is what it was.
    page.get_by_role("button", name="End the tour").first.click()
    assert page.get_by_role("button", name="Guided tour").evaluate("(item) => item === document.activeElement")
    assert front_end.get("tour", "running") is False
    page.evaluate("document.querySelectorAll('.vx-stage').forEach((stage) => stage.removeAttribute('style'))")
    assert page.evaluate("document.querySelector('.vx-stages').outerHTML") == untouched
