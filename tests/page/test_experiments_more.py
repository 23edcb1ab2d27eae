"""Experiments 4 to 7 on the real page: what they show is what their functions return."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from playwright.sync_api import Locator, Page, expect

import explorer
from explorer import experiments
from explorer.analysis_lens import logit_lens
from explorer.figures.experiments import answer_rows
from explorer.images import encode_image
from explorer.interventions import Intervention
from explorer.numerics import softmax
from explorer.panels.numbers import signed
from explorer.samples import open_sample
from tests.page.harness import wait_ready
from tests.page.test_experiments import first_row, leading, model, picture, stage


def press(photo: Locator, *keys: str) -> None:
    photo.focus()
    for key in keys:
        photo.press(key)


# -- 4 Mask and ablate -------------------------------------------------------------------------------------------------


def test_patches_are_blanked_and_heads_switched_off(each_home: Page) -> None:
    section = stage(each_home, "mask")
    own = experiments.ablate(model(), picture(), Intervention()).before
    top = int(own.logits.argmax())
    expect(section.locator(".vx-mask-verdict")).to_contain_text("Nothing is switched off yet")
    photo = section.locator(".vx-mask-photo .vxw-stage")
    photo.click(position={"x": 20, "y": 20})
    press(photo, "ArrowRight", "ArrowDown", "Enter", "ArrowLeft", "Enter", "Enter")
    shows_ablation(
        section, experiments.ablate(model(), picture(), Intervention(masked=[0, 9])).after.logits, own.logits, top
    )
    section.locator(".vx-mask-how").get_by_text("dropped").click()
    kept = set(range(64)) - {0, 9}
    shows_ablation(
        section, experiments.ablate(model(), picture(), Intervention(kept=kept)).after.logits, own.logits, top
    )
    switches = section.get_by_role("switch")
    expect(switches).to_have_count(8 * 8)
    switches.first.press("ArrowDown")
    each_home.keyboard.press("ArrowRight")
    each_home.keyboard.press("Space")
    section.get_by_role("switch", name="layer 5, the MLP").click()
    change = Intervention(kept=kept, masked_heads=[(1, 1)], mlp_off=[4])
    after = experiments.ablate(model(), picture(), change).after
    shows_ablation(section, after.logits, own.logits, top)
    section.locator(".vx-experiment-everywhere").get_by_text("this changed run").click()
    expect(each_home.locator(".vx-changed-run")).to_contain_text("2 of 64 patches dropped")
    section.locator(".vx-experiment-reset").first.click()
    expect(each_home.locator(".vx-changed-run")).to_be_hidden()
    expect(section.locator(".vx-mask-verdict")).to_contain_text("Nothing is switched off yet")


def shows_ablation(section: Locator, after: np.ndarray, before: np.ndarray, top: int) -> None:
    """Wait until the table says this of the class that the model names when nothing is changed."""
    row = next(row for row in answer_rows(after, against=before, keep=[top]) if row.index == top)
    shown = section.locator(f".vx-mask-after [data-class='{top}']")
    expect(shown.locator(".vx-answer-percent")).to_have_text(f"{row.prob:.1%}")
    # Less than half of the last digit has no sign.
    change = "0.00" if abs(row.change) < 0.005 else signed(row.change, 2) if row.change < 0 else f"+{row.change:.2f}"
    expect(shown.locator(".vx-answer-change")).to_have_text(change)
    expect(first_row(section.locator(".vx-mask-after"))).to_have_text(leading(after))


def test_everything_blanked_is_told_in_a_sentence(shared_page: Page) -> None:
    section = stage(shared_page, "mask")
    section.locator(".vx-mask-invert").click()
    expect(section.get_by_role("alert")).to_contain_text("All patches are blanked")
    section.locator(".vx-mask-photo .vxw-stage").click(position={"x": 60, "y": 60})
    expect(section.get_by_role("alert")).to_have_count(0)
    section.locator(".vx-experiment-reset").first.click()
    expect(section.locator(".vx-mask-verdict")).to_contain_text("Nothing is switched off yet")


def test_every_patch_and_every_head_is_measured(shared_page: Page) -> None:
    section = stage(shared_page, "mask")
    section.locator(".vx-mask-part").get_by_text("every patch").click()
    panel = section.locator(".vx-experiment-patch-effects")
    panel.locator(".vx-experiment-run").click()
    expected = experiments.patch_effects(model(), picture())
    strongest = int(expected.effects.argmax())
    verdict = panel.locator(".vx-effects-verdict")
    expect(verdict).to_contain_text(f"ρ = {signed(expected.correlation, 2)}")
    expect(verdict).to_contain_text(f"patch {strongest} ")
    expect(verdict).to_contain_text(f"({signed(-float(expected.effects[strongest]), 2)})")
    photo = panel.locator(".vx-patch-effects-effects")
    press(photo.locator(".vxw-stage"), "Home", "ArrowDown", "ArrowDown")
    shown = float((photo.locator(".vxw-value .vxw-what").text_content() or "").replace("−", "-"))
    patch = int(re.findall(r"patch (\d+)", photo.locator(".vxw-readout").inner_text())[0])
    assert abs(shown - expected.effects[patch]) < 1e-3
    section.locator(".vx-mask-part").get_by_text("every head").click()
    panel = section.locator(".vx-experiment-head-effects")
    panel.locator(".vx-experiment-run").click()
    heads = experiments.head_effects(model(), picture())
    expect(panel.locator(".vx-effects-verdict")).to_contain_text(f"ρ = {signed(heads.correlation, 2)}")


def test_a_measurement_is_stopped_and_begun_again(shared_page: Page) -> None:
    page = shared_page
    section = stage(page, "mask")
    page.locator(".vx-patch-size").get_by_text("4", exact=True).click()
    wait_ready(page)
    section.locator(".vx-mask-part").get_by_text("every patch").click()
    panel = section.locator(".vx-experiment-patch-effects")
    expect(panel.locator(".vx-effects-verdict")).to_contain_text("each of the 256 patches")
    panel.locator(".vx-experiment-run").click()
    expect(panel.locator(".vx-experiment-progress progress")).to_be_visible()
    panel.locator(".vx-experiment-stop").click()
    expect(panel.locator(".vx-experiment-running")).to_be_hidden()
    expect(panel.locator(".vx-effects-verdict")).to_contain_text("each of the 256 patches")
    panel.locator(".vx-experiment-run").click()
    expect(panel.locator(".vx-effects-verdict")).to_contain_text("ρ = ", timeout=60_000)
    page.locator(".vx-patch-size").get_by_text("8", exact=True).click()
    wait_ready(page)


# -- 5 How the answer forms --------------------------------------------------------------------------------------------


def test_the_answer_forms_layer_by_layer(each_shared_home: Page) -> None:
    section = stage(each_shared_home, "lens")
    lens = logit_lens(explorer.trace_image(model(), picture()))
    answer = section.locator(".vx-lens-answer")
    expect(first_row(answer)).to_have_text(leading(lens.logits[-1]))
    expect(section.locator(".vx-lens-verdict")).to_contain_text("leads from layer")
    slider = section.locator(".vx-lens-layer input")
    slider.focus()
    slider.press("Home")
    expect(first_row(answer)).to_have_text(leading(lens.logits[0]))
    slider.press("ArrowRight")
    expect(first_row(answer)).to_have_text(leading(lens.logits[1]))
    photo = section.locator(".vx-lens-map .vxw-stage")
    photo.click(position={"x": 20, "y": 20})
    photo.hover(position={"x": 20, "y": 20})
    favourite = model().labels.name(int(lens.favourites[1, 0]), "en")
    expect(section.locator(".vx-lens-map .vxw-readout")).to_contain_text(
        f"{favourite} {lens.favourite_probs[1, 0]:.1%}"
    )
    expect(first_row(answer)).to_have_text(re.compile(re.escape(f"{lens.favourite_probs[1, 0]:.1%}")))
    expect(section.locator(".vx-lens-whose")).to_contain_text("patch 0 ")
    # Its chart is there, too.
    expect(section.locator(".vxw-chart .js-plotly-plot")).to_be_visible()


# -- 6 Where it looked, four ways --------------------------------------------------------------------------------------


def test_four_ways_side_by_side(shared_page: Page) -> None:
    section = stage(shared_page, "ways")
    section.locator(".vx-experiment-run").click()
    expected = experiments.four_ways(model(), picture())
    cells = section.locator(".vx-ways-agreement tbody tr")
    expect(cells).to_have_count(4)
    for row in range(4):
        wanted = ["1" if row == col else signed(float(expected.agreement[row, col]), 2) for col in range(4)]
        expect(cells.nth(row).locator("td")).to_have_text(wanted)
    expect(section.locator(".vx-ways-maps .vxw-patches")).to_have_count(4)


# -- 7 A new head ------------------------------------------------------------------------------------------------------


def test_pictures_are_dropped_and_pasted_into_a_class(shared_page: Page) -> None:
    page = shared_page
    section = stage(page, "head")
    card = section.locator(".vx-class-card").nth(1)
    expect(card.locator("img")).to_have_count(2)
    before = page.locator(".vx-picture-photo").get_attribute("src")
    for count, kind in enumerate(("drop", "paste"), start=3):
        card.evaluate(
            """async (card, [kind, seed]) => {
                const canvas = new OffscreenCanvas(64, 48);
                const context = canvas.getContext('2d');
                context.fillStyle = `hsl(${seed * 70} 80% 50%)`;
                context.fillRect(0, 0, 64, 48);
                const blob = await canvas.convertToBlob({ type: 'image/png' });
                const data = new DataTransfer();
                data.items.add(new File([blob], `${kind}.png`, { type: 'image/png' }));
                const init = { bubbles: true, cancelable: true };
                card.dispatchEvent(kind === 'drop' ? new DragEvent('drop', { ...init, dataTransfer: data })
                    : new ClipboardEvent('paste', { ...init, clipboardData: data }));
            }""",
            [kind, count],
        )
        expect(card.locator("img")).to_have_count(count)
    # The page's own picture is still the one that it was.
    assert page.locator(".vx-picture-photo").get_attribute("src") == before


def test_a_head_is_trained_asked_saved_and_loaded(each_home: Page, tmp_path: Path) -> None:
    section = stage(each_home, "head")
    expect(section.locator(".vx-class-card")).to_have_count(2)
    section.locator(".vx-experiment-run").click()
    classes = {
        "animals": [open_sample(name) for name in ("goldfish", "raccoon", "moose", "chelsea")],
        "things": [open_sample(name) for name in ("coffee", "rocket")],
    }
    head = experiments.train_head(model(), classes)
    rate = head.leave_one_out
    expect(section.locator(".vx-head-verdict")).to_contain_text(f"{rate.hits} of {rate.count} are right")
    expect(section.locator(".vx-head-verdict")).to_contain_text(f"to {head.losses[-1]:.3f}")
    expect(first_row(section.locator(".vx-head-answer"))).to_have_text(
        leading(experiments.classify(head, model(), picture()))
    )
    # A new picture.
    path = tmp_path / "new.png"
    path.write_bytes(encode_image(np.random.default_rng(5).integers(0, 255, (90, 120, 3)).astype(np.uint8), "png"))
    new = section.locator(".vx-class-new")
    new.locator("input[type=file]").set_input_files(path)
    probs = softmax(experiments.classify(head, model(), path))
    expect(new.locator(".vx-class-note")).to_have_text(f"{head.classes[int(probs.argmax())]} {probs.max():.1%}")
    with each_home.expect_download() as download:
        section.locator(".vx-class-save").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    np.testing.assert_allclose(experiments.NewHead.load(saved).weight, head.weight, atol=1e-4)
    # Another class: what was trained is no longer what is there.
    section.locator(".vx-class-add").click()
    expect(section.locator(".vx-class-name").nth(2)).to_be_focused()
    each_home.keyboard.type("noise")
    each_home.keyboard.press("Enter")
    expect(new).to_have_count(0)
    section.locator(".vx-experiment-run").click()
    expect(section.get_by_role("alert")).to_contain_text("“noise” has too few pictures (0)")
    section.locator(".vx-class-load input").set_input_files(saved)
    expect(section.locator(".vx-class-name")).to_have_count(2)
    expect(section.locator(".vx-head-verdict")).to_contain_text(f"{rate.hits} of {rate.count} are right")
    expect(section.get_by_role("alert")).to_have_count(0)
