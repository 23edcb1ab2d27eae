"""The attention view in a browser: hovering answers from the numbers that are there, and says nothing to the kernel."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from explorer.interventions import Intervention
from explorer.trace import Trace
from explorer.widgets.attention_view import MEAN, ROLLOUT
from tests.widgets.attention_page import AttentionPage, opinionated_trace
from tests.widgets.front_end import FrontEnd

SIZES = {"img_size": 64, "patch_size": 8, "embed_dim": 48, "depth": 3, "num_heads": 3}


@pytest.fixture(scope="module")
def trace() -> Trace:
    return opinionated_trace(**SIZES)


Show = Callable[..., AttentionPage]


@pytest.fixture
def shown(front_end: FrontEnd, trace: Trace) -> AttentionPage:
    return AttentionPage(front_end, trace)


def photo_box(shown: AttentionPage) -> dict[str, float]:
    """Where the photo lies in its pane."""
    found: dict[str, float] = json.loads(shown.pane("photo").get_attribute("data-photo"))
    return found


def hover_patch(shown: AttentionPage, row: int, col: int) -> None:
    box = photo_box(shown)
    rows, cols = shown.trace.grid
    place = {"x": box["x"] + (col + 0.5) / cols * box["width"], "y": box["y"] + (row + 0.5) / rows * box["height"]}
    shown.pane("photo").hover(position=place)


def told(readout: str) -> list[tuple[str, float]]:
    """The tokens that a readout names, with their weights."""
    return [(name.strip(" ·"), float(weight)) for name, weight in re.findall(r"([\w ]+?) \(([\d.]+)\)", readout)]


def short(trace: Trace, token: int) -> str:
    return trace.prefix_names[token] if token < trace.num_prefix else f"patch {token - trace.num_prefix}"


def expect_strongest(shown: AttentionPage, weights: Any) -> None:
    best = np.argsort(-weights, kind="stable")[:3]
    found = told(shown.readout("photo").split("most at")[-1].split("most by")[-1])
    assert [weight for _, weight in found] == pytest.approx(weights[best].tolist(), abs=6e-4)
    assert found[0][0] == short(shown.trace, int(best[0]))


def test_hovering_answers_and_says_nothing_to_the_kernel(shown: AttentionPage, trace: Trace) -> None:
    photo_box(shown)
    saves, questions = shown.saves(), shown.answer()
    for row, col in ((0, 0), (3, 5), (7, 7), (4, 2)):
        hover_patch(shown, row, col)
        assert f"patch {row * 8 + col} (row {row}, column {col}) looks" in shown.title("photo")
        expect_strongest(shown, trace.blocks[0].attention[0, 1 + row * 8 + col])
    assert (shown.saves(), shown.answer()) == (saves, questions)
    # Away from the photo, the chosen token is back.
    shown.pane("wall").hover(position={"x": 2, "y": 2})
    assert "patch 0 (row 0, column 0) looks" in shown.title("photo")


def test_every_head_answers_at_once(shown: AttentionPage, trace: Trace) -> None:
    """The small photos of all heads change under the pointer; weights in them are exact."""
    stage = shown.pane("strip")
    before = stage.evaluate("el => el.querySelectorAll('canvas')[1].toDataURL()")
    hover_patch(shown, 5, 5)
    assert stage.evaluate("el => el.querySelectorAll('canvas')[1].toDataURL()") != before


@pytest.mark.parametrize("direction", ["looks", "seen"])
def test_the_matrix_reads_exact_weights(front_end: FrontEnd, trace: Trace, direction: str) -> None:
    shown = AttentionPage(front_end, trace, direction=direction)
    matrix = shown.pane("matrix")
    saves = shown.saves()
    box = matrix.bounding_box()
    for x, y in ((0.35, 0.4), (0.5, 0.75), (0.6, 0.5), (0.4, 0.9)):
        matrix.hover(position={"x": box["width"] * x, "y": box["height"] * y})
        readout = shown.readout("photo")
        names = re.match(
            r"query (CLS|patch (\d+) .*?\)) key (CLS|patch (\d+) .*?\)) Layer 1, head 1 ([\d.×⁻⁰-⁹−]+)", readout
        )
        assert names, readout
        query, key = (0 if index is None else 1 + int(index) for index in (names[2], names[4]))
        value = names[5].translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")).replace("×10", "e")
        assert float(value) == pytest.approx(trace.blocks[0].attention[0, query, key], abs=1e-4)
        # Linked: the photo shows the row (or, the other way, the column) that is pointed at.
        token = query if direction == "looks" else key
        assert short(trace, token) in shown.title("photo")
    assert shown.saves() == saves
    matrix.click(position={"x": box["width"] * 0.5, "y": box["height"] * 0.75})
    assert shown.saves() == saves + 1


def test_who_looks_at_a_token(shown: AttentionPage, trace: Trace) -> None:
    shown.element.get_by_text("who looks at this token").click()
    assert shown.front_end.get("attention", "direction") == "seen"
    hover_patch(shown, 2, 6)
    assert "who looks at patch 22" in shown.title("photo")
    expect_strongest(shown, trace.blocks[0].attention[0, :, 1 + 22])


def test_a_click_chooses_and_arrow_keys_walk(shown: AttentionPage, trace: Trace) -> None:
    hover_patch(shown, 3, 3)
    shown.page.mouse.down()
    shown.page.mouse.up()
    assert shown.front_end.get("attention", "token") == 1 + 27
    shown.pane("photo").focus()
    for _ in range(2):
        shown.page.keyboard.press("ArrowDown")
    assert "patch 43" in shown.title("photo")
    expect_strongest(shown, trace.blocks[0].attention[0, 1 + 43])
    # Where the keys rest is chosen, once.
    shown.page.wait_for_function("models.attention.get('token') === 44")
    assert shown.front_end.saved("attention", "token")[-2:] == [28, 44]
    # CLS stands to the left of the photo.
    shown.page.keyboard.press("Home")
    shown.page.keyboard.press("Enter")
    assert shown.front_end.get("attention", "token") == 0


def test_a_token_picked_elsewhere_is_shown_after_a_walk_by_keyboard(shown: AttentionPage) -> None:
    for pane in ("photo", "matrix"):
        saves = shown.saves()
        shown.pane(pane).focus()
        shown.page.keyboard.press("ArrowDown")
        shown.page.wait_for_function(f"models.attention.saved.length > {saves}")
        shown.take()
        for patch in (19, 34):
            shown.view.token = 1 + patch
            shown.front_end.update("attention", shown.view)
            assert f"patch {patch} " in shown.title("photo")
        # The keys go on from there.
        shown.pane(pane).focus()
        shown.page.keyboard.press("ArrowDown")
        assert f"patch {42 if pane == 'photo' else 35} " in shown.title("photo")


def test_heads_mean_and_rollout_are_opened_from_the_strip(shown: AttentionPage, trace: Trace) -> None:
    shown.pane("strip").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.front_end.get("attention", "head") == 1
    hover_patch(shown, 1, 1)
    expect_strongest(shown, trace.blocks[0].attention[1, 10])
    shown.pane("strip").focus()
    shown.page.keyboard.press("End")
    assert shown.front_end.get("attention", "head") == ROLLOUT
    shown.answer()
    hover_patch(shown, 1, 1)
    from explorer.analysis import rollout

    expect_strongest(shown, rollout([trace.blocks[0].attention])[10])
    shown.pane("strip").focus()
    shown.page.keyboard.press("ArrowLeft")
    assert shown.front_end.get("attention", "head") == MEAN
    hover_patch(shown, 6, 1)
    expect_strongest(shown, trace.blocks[0].attention[:, 1 + 49].mean(axis=0))


def test_the_wall_opens_a_layer(shown: AttentionPage, trace: Trace) -> None:
    wall = shown.pane("wall")
    wall.focus()
    shown.page.keyboard.press("ArrowDown")
    assert shown.front_end.get("attention", "layer") == 1
    # Layers of a small run were asked for before they were wanted; the first came along with the run.
    assert sorted(shown.layers_asked()) == [1, 2]
    assert shown.title("photo").startswith("Layer 2, head 1")
    hover_patch(shown, 0, 4)
    expect_strongest(shown, trace.blocks[1].attention[0, 5])


def test_a_layer_is_sent_once_and_until_then_the_one_before_stays(front_end: FrontEnd) -> None:
    trace = opinionated_trace("vit_base_patch16_224", depth=4)
    shown = AttentionPage(front_end, trace)
    shown.element.locator(".vx-layer input[type=range]").focus()
    shown.page.keyboard.press("End")
    assert shown.front_end.get("attention", "layer") == 3
    assert shown.title("photo").startswith("Layer 1, head 1")
    assert shown.element.locator(".vx-layer output").inner_text() == "4"
    shown.answer()
    assert shown.title("photo").startswith("Layer 4, head 1")
    hover_patch(shown, 5, 4)
    expect_strongest(shown, trace.blocks[3].attention[0, 1 + 5 * 14 + 4])
    shown.answer()
    for key in ("Home", "End"):
        shown.element.locator(".vx-layer input[type=range]").focus()
        shown.page.keyboard.press(key)
    assert shown.title("photo").startswith("Layer 4, head 1")
    # Its neighbour was asked for with it.
    assert sorted(shown.layers_asked()) == [1, 2, 3]


def test_sliders_draw_what_is_there_before_they_tell_it(shown: AttentionPage, trace: Trace) -> None:
    shown.answer()
    slider = lambda name: shown.element.locator(f".vx-{name} input[type=range]")  # noqa: E731
    slider("layer").focus()
    shown.page.keyboard.press("ArrowRight")
    # Nobody has answered anything since.
    assert shown.title("photo").startswith("Layer 2, head 1")
    assert shown.front_end.saved("attention", "layer")[-1] == 1
    slider("head").focus()
    shown.page.keyboard.press("End")
    assert shown.front_end.get("attention", "head") == ROLLOUT
    shown.page.keyboard.press("Home")
    assert shown.front_end.get("attention", "head") == MEAN
    shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.press("ArrowRight")
    slider("query").focus()
    shown.page.keyboard.press("Home")
    assert shown.title("photo") == "Layer 2, head 2: where CLS looks"
    assert shown.element.locator(".vx-query output").inner_text() == "CLS"
    expect_strongest(shown, trace.blocks[1].attention[1, 0])
    # The wall and the chart move the sliders.
    shown.pane("wall").focus()
    shown.page.keyboard.press("ArrowUp")
    assert shown.element.locator(".vx-layer output").inner_text() == "1"


def test_sorted_by_distance_the_last_head_looks_furthest(shown: AttentionPage) -> None:
    distances = np.frombuffer(shown.view.distances, dtype=np.float32).reshape(3, 3)
    shown.element.get_by_text("by distance").click()
    shown.pane("wall").focus()
    for _ in range(3):
        shown.page.keyboard.press("ArrowRight")
    far = int(distances[0].argmax())
    assert shown.front_end.get("attention", "head") == far
    assert f"Layer 1, head {far + 1} mean distance {distances[0, far]:.2f} patches" in shown.readout("wall")
    said = shown.element.locator(".vxa-distance .vxw-notes").inner_text()
    assert f"In layer 1, head {far + 1} looks furthest ({distances[0, far]:.2f} patches" in said


def test_dots_of_the_chart_open_their_head(shown: AttentionPage) -> None:
    distances = np.frombuffer(shown.view.distances, dtype=np.float32).reshape(3, 3)
    chart = shown.pane("distance")
    chart.focus()
    shown.page.keyboard.press("ArrowRight")
    for _ in range(3):
        shown.page.keyboard.press("ArrowUp")
    assert shown.front_end.get("attention", "layer") == 1
    assert shown.front_end.get("attention", "head") == int(distances[1].argmax())
    # By the pointer: somewhere in the last layer's column there is a dot.
    box = chart.bounding_box()
    for share in np.linspace(0.1, 0.9, 40):
        chart.hover(position={"x": box["width"] * 0.83, "y": box["height"] * share})
        if "Layer 3" in shown.readout("distance"):
            break
    chart.click(position={"x": box["width"] * 0.83, "y": box["height"] * share})
    assert shown.front_end.get("attention", "layer") == 2


def test_scales_of_their_own_are_said(shown: AttentionPage) -> None:
    warning = shown.element.locator(".vxa-warning")
    expect(warning).to_have_text("")
    heights = shown.element.bounding_box()["height"]
    shown.element.get_by_text("each its own").click()
    expect(warning).to_contain_text("cannot be compared")
    assert shown.front_end.get("attention", "per_head") is True
    assert shown.element.bounding_box()["height"] == pytest.approx(heights, abs=30)


def test_nothing_moves_while_hovering(shown: AttentionPage) -> None:
    boxes = lambda: [shown.pane(name).bounding_box() for name in ("strip", "photo", "matrix", "wall", "distance")]  # noqa: E731
    hover_patch(shown, 0, 0)
    before = boxes()
    for row, col in ((7, 7), (3, 0)):
        hover_patch(shown, row, col)
        assert boxes() == before


def test_dropped_patches_cannot_be_chosen(front_end: FrontEnd) -> None:
    trace = opinionated_trace(intervention=Intervention(kept=[*range(20), *range(40, 64)]), **SIZES)
    shown = AttentionPage(front_end, trace)
    shown.view.token = 0
    hover_patch(shown, 6, 4)
    assert "patch 52 (row 6, column 4)" in shown.title("photo")
    expect_strongest_at = trace.blocks[0].attention[0, 1 + 20 + 12]
    found = told(shown.readout("photo").split("most at")[-1])
    assert found[0][1] == pytest.approx(expect_strongest_at.max(), abs=6e-4)
    hover_patch(shown, 3, 4)
    assert "patch 28" not in shown.title("photo")


@pytest.mark.parametrize("button", ["png", "svg"])
@pytest.mark.parametrize("pane", ["photo", "strip", "matrix", "wall", "distance"])
def test_pictures_are_saved(shown: AttentionPage, pane: str, button: str) -> None:
    with shown.page.expect_download() as download:
        shown.element.locator(f".vxa-{pane} .vxw-save-{button}").click()
    name = download.value.suggested_filename
    assert re.fullmatch(rf"attention.*\.{button}", name)
    data = download.value.path().read_bytes()
    assert data.startswith(b"\x89PNG" if button == "png" else b"<svg")
    assert len(data) > 2000


def test_files_tell_layer_and_head_where_they_are_of_one(shown: AttentionPage) -> None:
    def names() -> list[str]:
        found = []
        for pane in ("photo", "matrix", "strip", "wall", "distance"):
            with shown.page.expect_download() as download:
                shown.element.locator(f".vxa-{pane} .vxw-save-svg").click()
            found.append(download.value.suggested_filename.removesuffix(".svg"))
        return found

    shown.view.stem = "attention-random-patch8"
    everywhere = [f"attention-random-patch8-{what}" for what in ("wall", "distance")]
    for layer, head, told in (
        (0, 0, "head1"),
        (0, 1, "head2"),
        (1, 1, "head2"),
        (1, MEAN, "mean"),
        (1, ROLLOUT, "rollout"),
    ):
        shown.view.layer, shown.view.head = layer, head
        shown.front_end.update("attention", shown.view)
        shown.settle()
        start = f"attention-random-patch8-layer{layer + 1}"
        assert names() == [f"{start}-{told}-photo", f"{start}-{told}-matrix", f"{start}-heads", *everywhere]


def test_the_open_head_is_copied_as_csv(shown: AttentionPage, trace: Trace) -> None:
    shown.page.evaluate(
        "() => addEventListener('copy', () => { window.copied = document.activeElement.value; }, { once: true })"
    )
    shown.element.locator(".vxa-matrix .vxw-copy-csv").click()
    tokens = trace.num_tokens
    expect(shown.element.locator(".vxa-matrix").get_by_role("status")).to_have_text(
        f"Copied as CSV: {tokens} × {tokens} values."
    )
    lines = list(csv.reader(io.StringIO(shown.page.evaluate("() => window.copied"), newline="")))
    assert "Layer 1, head 1" in lines[0][0]
    assert [lines[0][1], lines[2][0]] == ["CLS", "patch 0 (row 0, column 0)"]
    got = np.array([[float(field) for field in line[1:]] for line in lines[1:]])
    np.testing.assert_allclose(got, trace.blocks[0].attention[0], atol=1e-6)
    np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "sizes", "tokens"),
    [
        ("vit_tiny_patch16_224", SIZES | {"patch_size": 32, "depth": 2}, 5),
        ("vit_small_patch14_reg4_dinov2", {"depth": 2}, 1374),
    ],
)
def test_few_tokens_and_many(front_end: FrontEnd, architecture: str, sizes: dict[str, Any], tokens: int) -> None:
    trace = opinionated_trace(architecture, **sizes)
    assert trace.num_tokens == tokens
    shown = AttentionPage(front_end, trace)
    shown.pane("photo").focus()
    shown.page.keyboard.press("End")
    last = trace.blocks[0].attention_rows(tokens - 1)[0]
    assert told(shown.readout("photo").split("most at")[-1])[0][1] == pytest.approx(last.max(), abs=6e-4)
    # A large matrix is worked out beside the page's other work, and drawn in the end: its far corner has a colour.
    shown.page.wait_for_function(
        """() => {
            const canvas = document.querySelector(".vxa-matrix canvas");
            const at = [canvas.width * 0.55, canvas.height * 0.93].map(Math.floor);
            const [r, g, b] = canvas.getContext("2d").getImageData(...at, 1, 1).data;
            return !(r > 240 && g > 240 && b > 240);
        }"""
    )
