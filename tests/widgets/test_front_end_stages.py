"""The widgets of the overview and classification stages in a browser, and what says that the kernel is lost."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from explorer.figures.classification import strips_figure
from explorer.panels.overview import OverviewPanel
from explorer.widgets.class_bars import ClassBars, ClassList
from explorer.widgets.page import LostKernel
from explorer.widgets.pipeline_view import PipelineView
from explorer.widgets.strips_view import StripsView
from tests.widgets.front_end import FrontEnd
from tests.widgets.random_model import random_state

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def pipeline() -> Iterator[PipelineView]:
    state = random_state()
    yield OverviewPanel(state)._drawing
    state.close()


def saved(widget: Locator, kind: str) -> tuple[str, bytes]:
    with widget.page.expect_download() as download:
        widget.locator(f".vxw-save-{kind}").click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def test_a_part_of_the_pipeline_leads_to_its_stage(front_end: FrontEnd, pipeline: PipelineView) -> None:
    page = front_end.page
    # The page's own sections, far below; only those that are there are led to.
    page.evaluate("""() => {
      document.body.className = "vx";
      const spacer = Object.assign(document.createElement("div"), { style: "height: 3000px" });
      const below = ["patches", "attention"].map((name) => Object.assign(document.createElement("section"),
        { className: `vx-stage-${name}`, style: "height: 900px" }));
      setTimeout(() => document.body.append(spacer, ...below));
    }""")
    page.wait_for_selector(".vx-stage-attention", state="attached")
    widget = front_end.mount("p", pipeline, 1200)
    parts = widget.locator("[data-stage]")
    expect(parts).to_have_count(2)
    assert parts.evaluate_all("(all) => all.map((one) => one.dataset.stage)") == ["patches", "attention"]
    page.emulate_media(reduced_motion="reduce")
    widget.locator("[data-stage=attention]").focus()
    page.keyboard.press("Enter")
    top = "() => Math.abs(document.querySelector('.vx-stage-{}').getBoundingClientRect().top) < 2"
    page.wait_for_function(top.format("attention"))
    page.evaluate("() => scrollTo(0, 0)")
    widget.locator("[data-stage=patches] image").first.click()
    page.wait_for_function(top.format("patches"))


def test_a_stage_that_is_pushed_away_is_followed(front_end: FrontEnd, pipeline: PipelineView) -> None:
    page = front_end.page
    page.evaluate("""() => {
      document.body.className = "vx";
      for (const name of ["attention", "classification"]) {
        const section = Object.assign(document.createElement("section"), { className: `vx-stage-${name}` });
        section.style.height = "900px";
        document.body.append(section);
      }
    }""")
    widget = front_end.mount("p", pipeline, 1200)
    page.evaluate("() => document.body.prepend(document.querySelector('#p'))")
    page.emulate_media(reduced_motion="reduce")
    widget.locator("[data-stage=classification]").focus()
    page.keyboard.press("Enter")
    at_top = "() => Math.abs(document.querySelector('.vx-stage-classification').getBoundingClientRect().top) < 2"
    page.evaluate("() => document.body.append(Object.assign(document.createElement('p'), { style: 'height: 2000px' }))")
    page.wait_for_function("() => scrollY > 500")
    # A stage above is built only now, and is larger than its place was; scroll anchoring would hide what is tested.
    page.evaluate("""() => {
      document.documentElement.style.overflowAnchor = "none";
      document.querySelector(".vx-stage-attention").style.height = "2100px";
    }""")
    page.wait_for_function(at_top)


def test_the_pipeline_keeps_its_size_and_its_text(front_end: FrontEnd, pipeline: PipelineView) -> None:
    widget = front_end.mount("p", pipeline, 1200)
    svg = widget.locator("svg").first
    expect(widget.locator("[data-stage]")).to_have_count(0)  # alone, it pretends no links
    before = widget.bounding_box()
    expect(svg).to_contain_text("17 × 24")
    front_end.page.evaluate("() => models.p.set('drawing', { ...models.p.get('drawing'), place: 3 })")
    front_end.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert widget.bounding_box() == before
    smallest = svg.evaluate("""(svg) => Math.min(...[...svg.querySelectorAll("text")]
      .map((text) => parseFloat(text.getAttribute("font-size") ?? 21)))""")
    assert smallest >= 16


def test_the_pipeline_is_saved_whole(front_end: FrontEnd, pipeline: PipelineView) -> None:
    widget = front_end.mount("p", pipeline, 1200)
    expect(widget.locator("svg image").first).to_be_attached()
    name, data = saved(widget, "svg")
    assert name.endswith(".svg")
    assert "overview" in name
    root = ElementTree.fromstring(data)  # noqa: S314 - our own file
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"var(" not in data  # needs no style sheet
    addresses = [image.get("href", "") for image in root.iter("{http://www.w3.org/2000/svg}image")]
    assert len(addresses) >= 3
    assert all(address.startswith("data:image/") for address in addresses)
    _, data = saved(widget, "png")
    picture = Image.open(io.BytesIO(data))
    assert picture.size == (2400, 1068)
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 500  # the photo is in it


def bars(**changes: Any) -> ClassBars:
    view = ClassBars()
    rows = [
        {"index": 3, "name": HOSTILE, "prob": 0.75, "percent": "75.0%"},
        {"index": 1, "name": "dog", "prob": 0.25, "percent": "25.0%"},
    ]
    view.show(rows, {"title": "Top", "hint": "Choose", "stem": "classes"} | changes, 3)
    return view


def test_a_bar_is_as_long_as_its_probability_and_can_be_chosen(front_end: FrontEnd) -> None:
    widget = front_end.mount("b", bars())
    assert widget.locator("img").count() == 0
    expect(widget.locator(".vx-bar-name").first).to_have_text(HOSTILE)
    assert widget.locator(".vx-bar-fill").first.evaluate("(bar) => bar.style.width") == "75%"
    rows = widget.locator(".vx-bar-row")
    expect(rows.nth(0)).to_have_attribute("aria-pressed", "true")
    rows.nth(1).focus()
    front_end.page.keyboard.press("Enter")
    expect(rows.nth(1)).to_have_attribute("aria-pressed", "true")
    assert front_end.saved("b", "selected") == [1]
    _, data = saved(widget, "svg")
    root = ElementTree.fromstring(data)  # noqa: S314 - our own file
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"dog", "75.0%", "25.0%"} <= set(texts)


def test_the_list_of_classes_is_searched(front_end: FrontEnd) -> None:
    view = ClassList()
    names = [f"class {n}" for n in range(1500)] + [HOSTILE, "Kätzchen", "猫"]
    view.show(names, {"title": "All", "search": "Search", "count": "{shown} of {total}", "more": "{count} more"})
    widget = front_end.mount("l", view)
    assert widget.locator("li").count() == 0
    widget.locator("summary").click()
    front_end.page.wait_for_function("() => models.l.get('opened')")
    view.opened = True
    front_end.update("l", view)
    expect(widget.locator(".vx-classes-count")).to_have_text("1503 of 1503")
    expect(widget.locator("p")).to_have_text("903 more")
    field = widget.locator("input")
    field.fill("KÄTZ")
    expect(widget.locator("li")).to_have_text(["1501Kätzchen"])
    field.fill("猫")
    expect(widget.locator("li")).to_have_count(1)
    field.fill("<img")
    expect(widget.locator("li")).to_have_count(1)
    assert widget.locator("img").count() == 0


def strips(count: int = 50) -> StripsView:
    rng = np.random.default_rng(0)
    vectors = [(name, f"title {name}", rng.normal(size=count).astype(np.float32)) for name in "zyw"]
    view = StripsView()
    view.show(strips_figure(vectors, title="How", caption="own scales", axis="dimension d →", stem="y"))
    return view


def test_a_dimension_is_read_down_all_strips(front_end: FrontEnd) -> None:
    view = strips()
    widget = front_end.mount("s", view, 800)
    stage = widget.locator(".vxw-stage")
    stage.hover(position={"x": 800 / 50 * 20.5, "y": 40})
    pairs = widget.locator(".vxw-pair").all_inner_texts()
    assert pairs[0].split() == ["d", "20"]
    read = [np.float32(pair.split()[1].replace("−", "-")) for pair in pairs[1:]]
    np.testing.assert_array_equal(read, view.figure.values[:, 20])
    stage.click(position={"x": 800 / 50 * 7.5, "y": 40})
    assert front_end.get("s", "selected") == 7
    front_end.page.keyboard.press("ArrowRight")
    assert front_end.get("s", "selected") == 8
    front_end.page.keyboard.press("Escape")
    assert front_end.get("s", "selected") == -1


def test_more_dimensions_than_pixels_are_said(front_end: FrontEnd) -> None:
    widget = front_end.mount("s", strips(3000), 800)
    expect(widget.locator(".vxw-notes")).to_contain_text("the one furthest from 0")
    widget.locator(".vxw-stage").hover(position={"x": 400, "y": 40})
    assert widget.locator(".vxw-pair").first.inner_text().split()[1] == "1500"


def test_another_vector_is_drawn_in_place(front_end: FrontEnd) -> None:
    view = strips()
    widget = front_end.mount("s", view, 800)
    before = widget.bounding_box()
    at = {"x": 800 / 50 * 3.5, "y": 40}
    old = front_end.colour("s", at["x"], at["y"])
    ones = np.zeros(50, np.float32)
    ones[3] = 1
    view.show(strips_figure([(n, "title", ones) for n in "zyw"], title="How", caption="own scales", axis="d", stem="y"))
    front_end.update("s", view)
    assert front_end.colour("s", at["x"], at["y"])[:3] == [94, 53, 0] != old[:3]
    assert widget.bounding_box() == before


LOST = ["restarted", "shut down", "restarted elsewhere"]


@pytest.mark.parametrize("how", LOST)
def test_a_lost_kernel_is_said_once(front_end: FrontEnd, how: str) -> None:
    widget = front_end.mount("k", LostKernel(sentence=HOSTILE))
    for status in ("busy", "idle", "connecting"):
        front_end.page.evaluate("(s) => models.k.widget_manager.kernel.statusChanged.emit(s)", status)
    expect(widget).to_be_empty()
    for _ in range(2):
        front_end.lose_kernel("k", how)
    expect(widget.get_by_role("alert")).to_have_text(HOSTILE)
    front_end.page.evaluate("models.k.close()")
    listeners = front_end.page.evaluate("""() => {
      const { disposed, statusChanged } = models.k.widget_manager.kernel;
      return [...Object.values(models.k.listeners).flat(), ...disposed.slots, ...statusChanged.slots].length;
    }""")
    assert listeners == 0


def test_a_page_of_its_own_leaves_that_to_its_shell(front_end: FrontEnd) -> None:
    front_end.page.evaluate("document.documentElement.dataset.vitExplorer = ''")
    widget = front_end.mount("k", LostKernel(sentence="gone"))
    for how in LOST:
        front_end.lose_kernel("k", how)
    expect(widget).to_be_empty()
