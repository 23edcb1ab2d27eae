"""The drawings in a browser: what is seen, what a click and a key do, what is saved."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any
from unittest.mock import patch
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from explorer.figures import Axis, MatrixFigure, Scale, TilesFigure
from explorer.figures.colors import COLORMAPS
from explorer.widgets import ChartView, MatrixView, TilesView
from explorer.widgets.chart_view import plotly_library
from explorer.widgets.encoder_map import EncoderMap
from tests.widgets.drawn import SEQUENTIAL, any_screen, check_files, read, rgb, save
from tests.widgets.front_end import FrontEnd

HOSTILE = "<img src=x onerror=alert(1)>&amp;"


def matrix(values: Any, **given: Any) -> MatrixFigure:
    base: dict[str, Any] = {
        "rows": Axis(name="query ↓", marks={0: "CLS"}),
        "cols": Axis(name="key →", marks={0: "CLS"}),
        "scale": SEQUENTIAL,
        "title": "Head 3",
        "caption": "Row: who looks.",
        "stem": "attention-layer5-head3",
    }
    return MatrixFigure(values=values, **{**base, **given})


def plot_corner(front_end: FrontEnd, widget: Locator, name: str, colour: list[int]) -> tuple[int, int]:
    """Where the cells begin: the first place, from the upper left, that has the colour of the first cell."""
    box = widget.locator(".vxw-stage").bounding_box()
    assert box is not None
    for place in range(2, int(min(box["width"], box["height"]))):
        # Along the diagonal, since both margins are unknown.
        if front_end.colour(name, place, place)[:3] == colour:
            return place, place
    raise AssertionError("the first cell is nowhere")


@any_screen
def test_cells_have_their_colours_and_are_crisp(front_end: FrontEnd) -> None:
    view = MatrixView(matrix([[0.0, 1.0], [1.0, 0.0]], rows=Axis(name=""), cols=Axis(name="")))
    widget = front_end.mount("m", view)
    low, high = rgb(COLORMAPS["sequential"][0]), rgb(COLORMAPS["sequential"][-1])
    x, y = plot_corner(front_end, widget, "m", low)
    seen = {tuple(front_end.colour("m", x + dx, y + 6)[:3]) for dx in (*range(4, 24), *range(56, 100))}
    assert seen == {tuple(low), tuple(high)}


@pytest.mark.parametrize("width", [300, 700])
def test_hovering_reads_the_exact_value_and_tells_nobody(front_end: FrontEnd, width: int) -> None:
    values = np.random.default_rng(0).random((65, 65)).astype(np.float32)
    labels = ["CLS", *(f"patch {n}" for n in range(1, 65))]
    view = MatrixView(matrix(values, rows=Axis(name="query ↓", labels=labels), cols=Axis(name="key →", labels=labels)))
    widget = front_end.mount("m", view, width)
    stage = widget.locator(".vxw-stage")
    expect(widget.locator(".vxw-readout")).to_have_text(view.labels["matrix_hint"])
    before = widget.bounding_box()
    seen = set()
    box = stage.bounding_box()
    assert box is not None
    for across, down in ((0.3, 0.2), (0.5, 0.5), (0.6, 0.35)):
        stage.hover(position={"x": across * box["width"], "y": down * box["height"]})
        found = re.fullmatch(r"query (\S.*) key (\S.*) attention (\S+)", read(widget))
        assert found, read(widget)
        row, col = labels.index(found[1]), labels.index(found[2])
        assert np.float32(found[3].replace("×10⁻", "e-")) == values[row, col]
        seen.add((row, col))
    assert len(seen) == 3
    assert widget.bounding_box() == before
    assert front_end.saved("m", "selected_row") == []
    assert front_end.sent("m") == []


def test_click_and_keys_choose_a_cell(front_end: FrontEnd) -> None:
    widget = front_end.mount("m", MatrixView(matrix(np.eye(9))))
    stage = widget.locator(".vxw-stage")
    stage.focus()
    page = front_end.page
    page.keyboard.press("ArrowDown")
    assert (front_end.get("m", "selected_row"), front_end.get("m", "selected_col")) == (0, 0)
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert (front_end.get("m", "selected_row"), front_end.get("m", "selected_col")) == (1, 2)
    expect(widget.locator(".vxw-live")).to_have_text("query 1, key 2, attention 0")
    page.keyboard.press("Control+End")
    assert front_end.saved("m", "selected_row")[-1] == 8
    page.keyboard.press("Escape")
    assert front_end.saved("m", "selected_col")[-1] == -1
    stage.click(position={"x": 250, "y": 250})
    assert front_end.saved("m", "selected_row")[-1] >= 0
    assert read(widget).startswith("query ")


def test_another_matrix_another_language(front_end: FrontEnd) -> None:
    view = MatrixView(matrix(np.zeros((3, 3))))
    widget = front_end.mount("m", view)
    view.show(matrix(np.ones((5, 7)), title="頭 4", scale=Scale(low=0, high=0.5, label="注意")))
    view.language = "ja"
    front_end.update("m", view)
    expect(widget.locator(".vxw-title")).to_have_text("頭 4")
    expect(widget.locator(".vxw-readout")).to_have_text(view.labels["matrix_hint"])
    stage = widget.locator(".vxw-stage")
    expect(stage).to_have_attribute("aria-label", re.compile("5行.*7列"))
    stage.hover(position={"x": 180, "y": 150})
    assert read(widget).endswith("注意 1")


def test_values_that_are_none_and_texts_that_are_hostile(front_end: FrontEnd) -> None:
    labels = [HOSTILE, "b"]
    figure = matrix([[np.nan, 1], [0, 1]], title=HOSTILE, caption=HOSTILE, rows=Axis(name=HOSTILE, labels=labels))
    view = MatrixView(figure)
    widget = front_end.mount("m", view)
    front_end.page.keyboard.press("Tab")
    widget.locator(".vxw-stage").focus()
    front_end.page.keyboard.press("Home")
    assert read(widget).endswith(f"attention {view.labels['missing']}")
    expect(widget.locator(".vxw-title")).to_have_text(HOSTILE)
    assert widget.locator("img").count() == 0


def test_a_large_matrix_says_that_it_is_binned_and_asks_for_exact_values(front_end: FrontEnd) -> None:
    values = np.random.default_rng(0).random((1400, 1400)).astype(np.float32)
    view = MatrixView(matrix(values))
    widget = front_end.mount("m", view)
    expect(widget.locator(".vxw-notes")).to_contain_text(re.compile(r"mean of \d+ × \d+ values"))
    widget.locator(".vxw-stage").hover(position={"x": 300, "y": 300})
    front_end.page.wait_for_function("models.m.sent.length === 1")
    [question] = front_end.sent("m")
    assert "mean here" in read(widget)
    exact = values[question["row"], question["col"]]
    front_end.answer("m", question, exact.tobytes())
    assert np.float32(read(widget).split()[-1]) == exact


def test_screens_with_too_few_pixels_say_so_too(front_end: FrontEnd) -> None:
    view = MatrixView(matrix(np.zeros((700, 700))), max_size=300)
    widget = front_end.mount("m", view)
    front_end.page.evaluate("() => 0")
    expect(widget.locator(".vxw-notes")).to_contain_text("values")
    widget.locator(".vxw-stage").hover(position={"x": 200, "y": 200})
    assert read(widget).endswith("attention 0")


def copied(front_end: FrontEnd, widget: Locator, words: str) -> str:
    """What the button for CSV puts on the clipboard, pressed by the keyboard."""
    front_end.page.evaluate(
        "() => addEventListener('copy', () => { window.copied = document.activeElement.value; }, { once: true })"
    )
    widget.locator(".vxw-copy-csv").press("Enter")
    said = widget.get_by_role("status")
    expect(said).to_have_text(words)
    expect(said).to_be_visible()
    return str(front_end.page.evaluate("() => window.copied"))


def test_a_matrix_is_copied_as_csv(front_end: FrontEnd) -> None:
    figure = matrix(np.random.default_rng(0).random((3, 4)))
    view = MatrixView(figure)
    widget = front_end.mount("m", view)
    assert copied(front_end, widget, "Copied as CSV: 3 × 4 values.") == figure.to_csv()
    # The keyboard stays where it was.
    expect(widget.locator(".vxw-copy-csv")).to_be_focused()
    for language, name in (("en", "Copy the values as CSV: "), ("ja", "値をCSVとしてコピー: ")):
        view.language = language
        front_end.update("m", view)
        label = widget.locator(".vxw-copy-csv").get_attribute("aria-label")
        assert label is not None
        assert label.startswith(name)
        assert label != name


def test_of_a_binned_matrix_the_exact_values_are_saved(front_end: FrontEnd, tmp_path: Path) -> None:
    values = np.zeros((1400, 1100), dtype=np.float32)
    values[7, 9] = 0.1
    figure = matrix(values)
    view = MatrixView(figure)
    assert view.bins != (1, 1)
    widget = front_end.mount("m", view)
    widget.locator(".vxw-copy-csv").click()
    [question] = front_end.sent("m")
    assert question["kind"] == "values"
    answers: list[Any] = []
    with patch.object(view, "send", lambda content, buffers: answers.append((content, buffers))):
        view._on_message(view, question, [])
    [(content, [data])] = answers
    with front_end.page.expect_download() as waiting:
        front_end.answer("m", content, data)
    expect(widget.get_by_role("status")).to_have_text("Saved as a CSV file: 1400 × 1100 values.")
    waiting.value.save_as(tmp_path / "saved.csv")
    assert (tmp_path / "saved.csv").read_text("utf-8-sig") == figure.to_csv()


def test_a_matrix_too_large_for_a_clipboard_is_saved_as_a_file(front_end: FrontEnd, tmp_path: Path) -> None:
    figure = matrix(np.random.default_rng(0).random((640, 640)))
    widget = front_end.mount("m", MatrixView(figure))
    with front_end.page.expect_download() as waiting:
        widget.locator(".vxw-copy-csv").click()
    expect(widget.get_by_role("status")).to_have_text("Saved as a CSV file: 640 × 640 values.")
    waiting.value.save_as(tmp_path / "saved.csv")
    assert waiting.value.suggested_filename == f"{figure.stem}.csv"
    assert (tmp_path / "saved.csv").read_text("utf-8-sig") == figure.to_csv()


@any_screen
def test_a_matrix_is_saved_with_its_texts(front_end: FrontEnd, tmp_path: Path) -> None:
    widget = front_end.mount("m", MatrixView(matrix(np.eye(65))))
    texts = {"Head 3", "Row: who looks.", "query ↓", "key →", "CLS", "10", "attention"}
    check_files(front_end, widget, "attention-layer5-head3", texts, tmp_path)


def test_tiles_are_picked_read_and_saved(front_end: FrontEnd, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((6, 8, 8)).astype(np.float32)
    captions = [f"d = {n}" for n in range(6)]
    figure = TilesFigure(values=values, captions=captions, columns=3, scale=SEQUENTIAL, title="Tiles", stem="tiles")
    widget = front_end.mount("t", TilesView(figure))
    stage = widget.locator(".vxw-stage")
    stage.hover(position={"x": 60, "y": 60})
    found = re.fullmatch(r"d = 0 row (\d) column (\d) attention (\S+)", read(widget))
    assert found
    assert np.float32(found[3]) == values[0, int(found[1]), int(found[2])]
    stage.click(position={"x": 60, "y": 60})
    front_end.page.keyboard.press("ArrowRight")
    front_end.page.keyboard.press("ArrowDown")
    assert front_end.saved("t", "selected") == [0, 1, 4]
    check_files(front_end, widget, "tiles", {"Tiles", *captions}, tmp_path)


def test_rgb_tiles_say_their_colours(front_end: FrontEnd) -> None:
    values = np.full((1, 4, 4, 3), (12, 200, 99), dtype=np.uint8)
    widget = front_end.mount("t", TilesView(TilesFigure(values=values, captions=["patch 12"])))
    widget.locator(".vxw-stage").hover(position={"x": 50, "y": 50})
    assert read(widget).startswith("patch 12 ")
    assert read(widget).endswith("R, G, B 12, 200, 99")
    assert front_end.colour("t", 50, 50)[:3] == [12, 200, 99]


def test_charts_share_one_library_that_one_of_them_asked_for(front_end: FrontEnd, tmp_path: Path) -> None:
    bars = {"data": [{"type": "bar", "x": [3, 1], "y": ["cat", "dog"], "orientation": "h"}], "layout": {"title": "Top"}}
    first, second = ChartView(alt="two bars", stem="bars"), ChartView(height=240)
    first.show(bars, "two bars")
    second.show({"data": [{"y": [1, 3, 2]}], "layout": {}}, "a line")
    one, two = front_end.mount("a", first), front_end.mount("b", second)
    expect(one.locator(".vxw-waiting")).to_be_visible()
    height = one.bounding_box()
    front_end.page.wait_for_function("models.a.sent.length === 1")
    front_end.answer("a", {"kind": "library"}, plotly_library())
    for chart in (one, two):
        expect(chart.locator(".main-svg").first).to_be_visible(timeout=30_000)
        expect(chart.locator(".vxw-waiting")).to_be_hidden()
    assert front_end.sent("b") == []
    assert one.bounding_box() == height
    expect(one.locator(".vxw-title")).to_have_text("Top")
    expect(one.get_by_role("img", name="two bars")).to_be_visible()
    name, data = save(front_end, one, "svg", tmp_path)
    assert name == "bars.svg"
    assert b"cat" in data
    assert ElementTree.fromstring(data).tag.endswith("svg")  # noqa: S314 - our own file
    _, data = save(front_end, one, "png", tmp_path)
    box = one.locator(".vxw-plot").bounding_box()
    assert box is not None
    assert Image.open(io.BytesIO(data)).width == 2 * int(box["width"])


def test_arrow_keys_lead_back_from_the_last_step(front_end: FrontEnd) -> None:
    words = dict.fromkeys(("input", "output", "layers", "layer", "steps", "zIn", "zMid", "zOut", "msa", "mlp"), "·")
    stepper = EncoderMap(part="stepper")
    steps = [{"symbol": "LN", "name": "norm"}, {"symbol": "+", "name": "sum"}]
    stepper.show(layers=2, steps=steps, words=words | {"back": "Back", "next": "Next", "every": "all"})
    widget = front_end.mount("s", stepper)
    widget.get_by_role("button", name="Next").click()
    # The button that was pressed is disabled now, and hears no keys.
    expect(widget.get_by_role("button", name="Next")).to_be_disabled()
    front_end.page.keyboard.press("ArrowLeft")
    expect(widget.locator(".vx-encmap-where")).to_contain_text("1 / 2")
    front_end.page.keyboard.press("ArrowRight")
    assert front_end.get("s", "step") == 1


def test_a_mark_in_a_chart_moves_alone(front_end: FrontEnd) -> None:
    def chart(at: float, height: int = 300) -> dict[str, Any]:
        mark = {"type": "rect", "xref": "x", "yref": "paper", "x0": at, "x1": at + 1, "y0": 0, "y1": 1}
        layout = {"height": height, "xaxis": {"range": [0, 9]}, "shapes": [mark]}
        return {"data": [{"type": "scatter", "y": [1, 3, 2]}], "layout": layout}

    view = ChartView()
    view.show(chart(1), "a line")
    widget = front_end.mount("c", view)
    front_end.page.wait_for_function("models.c.sent.length === 1")
    front_end.answer("c", {"kind": "library"}, plotly_library())
    mark, line = widget.locator(".shapelayer path"), widget.locator(".scatterlayer .js-line")
    expect(mark).to_be_visible(timeout=30_000)
    first = mark.bounding_box()
    line.evaluate("(line) => { line.kept = true; }")
    drawn = line.get_attribute("d")

    view.show(chart(5), "a line")
    front_end.update("c", view)
    front_end.page.wait_for_function(
        "x => document.querySelector('.shapelayer path').getBoundingClientRect().x > x + 1", arg=first["x"]
    )
    assert mark.bounding_box()["width"] == pytest.approx(first["width"], abs=1)
    assert (line.get_attribute("d"), line.evaluate("(line) => line.kept")) == (drawn, True)
    # What else is other is drawn, too.
    view.show(chart(5, height=400), "a line")
    front_end.update("c", view)
    front_end.page.wait_for_function(
        "d => document.querySelector('.scatterlayer .js-line').getAttribute('d') !== d", arg=drawn
    )


def test_a_widget_that_is_closed_leaves_nothing(front_end: FrontEnd) -> None:
    widget = front_end.mount("m", MatrixView(matrix(np.eye(3))))
    front_end.page.evaluate("models.m.close()")
    assert widget.locator("*").count() == 0
    listeners = front_end.page.evaluate("Object.values(models.m.listeners).flat().length")
    assert listeners == 0
