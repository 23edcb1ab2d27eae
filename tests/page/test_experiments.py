"""Stage 7 on the real page: what an experiment shows is what its function returns."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import explorer
from explorer import experiments
from explorer.numerics import softmax
from explorer.samples import open_sample, samples
from explorer.texts import text
from tests.page.harness import wait_ready


@cache
def model() -> Any:
    return explorer.load_model()


def picture(place: int = 0) -> Any:
    return open_sample(samples()[place].id)


def stage(page: Page, experiment: str, language: str = "en") -> Locator:
    """The experiment, chosen in stage 7 as a reader does."""
    page.locator(".vx-nav-link").last.click()
    section = page.locator(".vx-stage-experiments")
    choice = section.locator(".vx-experiment-choice")
    choice.get_by_text(text(f"experiment-{experiment}.name", language)).click()
    return section.locator(f".vx-experiment-{experiment}")


def leading(logits: Any) -> re.Pattern[str]:
    """The probability of the leading class, as it is written."""
    return re.compile(re.escape(f"{softmax(logits).max():.1%}"))


def first_row(place: Locator) -> Locator:
    return place.locator(".vx-answer-row").first


# -- 1 Shuffle --------------------------------------------------------------------------------------------------------


def shows_shuffle(section: Locator, result: Any) -> None:
    for name, run in (
        ("with-before", result.original),
        ("with-after", result.shuffled),
        ("without-before", result.original_without),
        ("without-after", result.shuffled_without),
    ):
        expect(first_row(section.locator(f".vx-shuffle-{name}"))).to_have_text(leading(run.logits))


def test_patches_are_shuffled_swapped_by_keys_and_shown_everywhere(each_home: Page) -> None:
    section = stage(each_home, "shuffle")
    order = [int(patch) for patch in np.random.default_rng(0).permutation(64)]
    result = experiments.shuffle_patches(model(), picture(), order)
    assert result.largest_difference < 1e-4
    shows_shuffle(section, result)
    expect(section.locator(".vx-shuffle-verdict-without")).to_contain_text("rounding")
    # Two patches change places by keyboard.
    photo = section.locator(".vxw-patches .vxw-stage").nth(1)
    photo.focus()
    for key in ("ArrowRight", "Enter", "ArrowDown", "ArrowRight", "Enter"):
        photo.press(key)
    order[0], order[9] = order[9], order[0]
    swapped = experiments.shuffle_patches(model(), picture(), order)
    assert not np.array_equal(swapped.shuffled.logits, result.shuffled.logits)
    change = float((swapped.shuffled.logits - swapped.original.logits)[swapped.shuffled.logits.argmax()])
    row = first_row(section.locator(".vx-shuffle-with-after"))
    expect(row.locator(".vx-answer-change")).to_have_text(re.compile(rf"^[+−]?{abs(change):.2f}$"))
    shows_shuffle(section, swapped)
    # All stages show it, until the bar's button takes it back.
    section.locator(".vx-experiment-everywhere").get_by_text("this changed run").click()
    bar = each_home.locator(".vx-changed-run")
    expect(bar).to_contain_text(f"{sum(at != patch for at, patch in enumerate(order))} of 64 patches moved")
    wait_ready(each_home)
    classification = each_home.locator(".vx-stage-classification")
    classification.scroll_into_view_if_needed()
    expect(classification.locator(".vx-bar-percent").first).to_have_text(leading(swapped.shuffled.logits))
    bar.get_by_role("button").click()
    expect(bar).to_be_hidden()
    section.scroll_into_view_if_needed()
    expect(section.get_by_role("radio", name="the model's own run")).to_be_checked()


def test_another_picture_is_shuffled_at_once(page: Page) -> None:
    section = stage(page, "shuffle")
    shows_shuffle(section, experiments.shuffle_patches(model(), picture(), seed=0))
    section.locator(".vx-shuffle-again").click()
    shows_shuffle(section, experiments.shuffle_patches(model(), picture(), seed=1))
    page.locator(".vx-patch-size").get_by_text("16", exact=True).click()
    wait_ready(page)
    shows_shuffle(section, experiments.shuffle_patches(model(), picture(), seed=1, patch_size=16))


# -- 2 Swap E_pos -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), [("none", "none"), ("sin1d", "1-D sinusoidal"), ("shuffled", "shuffled")])
def test_positions_are_swapped(shared_page: Page, kind: Any, name: str) -> None:
    section = stage(shared_page, "swap")
    section.locator(".vx-swap-kind").get_by_text(name).click()
    scale = experiments.matching_scale(model().arrays, kind)
    result = experiments.swap_positions(model(), picture(), kind, scale=scale)
    expect(first_row(section.locator(".vx-swap-before"))).to_have_text(leading(result.before.logits))
    expect(first_row(section.locator(".vx-swap-after"))).to_have_text(leading(result.after.logits))
    assert f"{np.abs(result.logit_changes).max():.2f}" in (section.locator(".vx-swap-verdict").text_content() or "")
    expect(section.locator(".vx-swap-paper")).to_contain_text("61.4%")


def test_a_larger_table_is_another_run(shared_page: Page) -> None:
    section = stage(shared_page, "swap")
    section.locator(".vx-swap-kind").get_by_text("2-D sinusoidal").click()
    slider = section.locator(".vx-swap-strength input")
    slider.focus()
    slider.press("End")
    scale = 8 * experiments.matching_scale(model().arrays, "sin2d")
    result = experiments.swap_positions(model(), picture(), "sin2d", scale=scale)
    expect(section.locator(".vx-swap-strength output")).to_have_text("× 8")
    expect(first_row(section.locator(".vx-swap-after"))).to_have_text(leading(result.after.logits))


# -- 3 Sizes ----------------------------------------------------------------------------------------------------------


def test_all_sizes_are_run(shared_page: Page) -> None:
    section = stage(shared_page, "sizes")
    inputs = [32, 48, 64, 80, 96, 128]
    for vary, patches, images in (("patch size P", [4, 8, 16, 32, 64], [64]), ("input size", [8], inputs)):
        section.locator(".vx-sizes-vary").get_by_text(vary).click()
        result = experiments.compare_sizes(model(), picture(), patches, images)
        shown = section.locator(".vx-sizes-percent")
        expect(shown).to_have_count(len(result.rows))
        for place, row in enumerate(result.rows):
            expect(section.locator("table.vx-sizes tbody tr").nth(place)).to_have_attribute(
                "data-size", f"{row.patch_size}/{row.image_size}"
            )
            expect(shown.nth(place)).to_have_text(leading(row.output))
    expect(section.locator(".vx-here")).to_have_attribute("data-size", "8/64")


# -- 8 Two models -----------------------------------------------------------------------------------------------------


def test_an_untrained_twin_stands_beside(shared_page: Page) -> None:
    section = stage(shared_page, "models")
    result = experiments.compare_models(model(), explorer.load_model(pretrained=False), picture())
    expect(first_row(section.locator(".vx-models-one"))).to_have_text(leading(result.one.logits))
    expect(first_row(section.locator(".vx-models-other"))).to_have_text(leading(result.other.logits))
    expect(section.locator(".vx-models-verdict")).to_contain_text("same" if result.same_class else "different")
    layer = section.locator(".vx-models-place-other input").first
    layer.focus()
    layer.press("End")
    expect(section.locator(".vxw-patches .vxw-title").nth(1)).to_contain_text("Layer 8")


# -- the frame --------------------------------------------------------------------------------------------------------


#: What has to be on a projector's screen at once: what was changed, what came of it, and both answers.
SEEN = {
    "shuffle": (".vx-shuffle-photo-after canvas", ".vx-shuffle-with-after table", ".vx-shuffle-verdict-with"),
    "swap": (".vx-swap-before table", ".vx-swap-after table", ".vx-swap-verdict"),
    "sizes": ("table.vx-sizes",),
    "mask": (".vx-mask-photo canvas", ".vx-mask-verdict", ".vx-mask-before table", ".vx-mask-after table"),
    "lens": (".vx-lens-map canvas", ".vx-lens-verdict", ".vx-lens-answer table"),
    "ways": (".vx-ways-maps canvas", ".vx-effects-verdict"),
    "head": (".vx-class-name", ".vxw-chart", ".vx-head-verdict"),
    "models": (".vx-models-one table", ".vx-models-other table", ".vx-models-verdict"),
}


def fits(section: Locator, name: str) -> bool:
    """Whether it is on a screen of 800 pixels, when the choice of experiments stands below the bar."""
    for css in SEEN[name]:
        expect(section.locator(css).first).to_be_visible()
    bottom = section.locator(", ".join(SEEN[name])).evaluate_all(
        """(places) => {
            const top = document.querySelector(".vx-experiment-choice").getBoundingClientRect().top;
            const bar = document.querySelector(".vx-bar").getBoundingClientRect().height;
            return Math.max(...places.map((one) => one.getBoundingClientRect().bottom)) - top + bar;
        }"""
    )
    return float(bottom) <= 800


def test_each_fits_a_projector(shared_page_at: Callable[..., Page]) -> None:
    page = shared_page_at("", (1280, 800))
    for name in SEEN:
        section = stage(page, name)
        if name in {"ways", "head"}:
            section.locator(".vx-experiment-run").click()
        assert fits(section, name), name
        if name == "shuffle":
            # What says so lies over the page below the bar: a single line, with its button.
            section.locator(".vx-experiment-everywhere input").last.check(force=True)
            note = page.locator(".vx-changed-run")
            expect(note.get_by_role("button")).to_be_visible()
            assert note.evaluate("(one) => one.getBoundingClientRect().height") <= 40
            note.get_by_role("button").click()


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080)])
def test_both_languages_without_a_cut_label(shared_page_at: Callable[..., Page], width: int, height: int) -> None:
    page = shared_page_at("?lang=ja", (width, height))
    for name in SEEN:
        section = stage(page, name, "ja")
        expect(section.locator("h3").first).to_have_text(text(f"experiment-{name}.title", "ja"))
        if name in {"ways", "head"}:
            section.locator(".vx-experiment-run").click()
        assert fits(section, name) or width > 1280, name
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut = section.evaluate(
            "(root) => [...root.querySelectorAll('button, .vx-segment, th, h3, h4')]"
            ".filter((one) => one.offsetParent && one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)"
        )
        assert cut == [], name
