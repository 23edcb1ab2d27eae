"""The handout in Chromium, from disk, with the network off."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import explorer
from explorer.analysis import rollout
from explorer.export import handout, handout_html
from explorer.figures.attention_layers import AttentionLayers
from explorer.interventions import Intervention
from explorer.labels import Labels
from explorer.samples import open_sample
from explorer.texts import text
from explorer.trace import Trace
from explorer.widgets._esm import bundle
from tests.widgets.attention_page import opinionated_trace

SIZES = {"img_size": 64, "patch_size": 8, "embed_dim": 48, "depth": 3, "num_heads": 3, "num_classes": 9}
HOSTILE = "<img src=x onerror=alert(1)></script>"


@pytest.fixture(scope="module")
def trace() -> Trace:
    return opinionated_trace(**SIZES)


@pytest.fixture(scope="module")
def labels() -> Labels:
    names = tuple(f"{HOSTILE}{place}" for place in range(9))
    return Labels(ids=names, en=names, ja=tuple(f"名前{place}{HOSTILE}" for place in range(9)))


@pytest.fixture(scope="module")
def file(trace: Trace, labels: Labels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("handout") / "handout.html"
    path.write_text(handout_html(trace, labels, open_sample("chelsea")), "utf-8")
    return path


Open = Callable[..., Page]


@pytest.fixture
def open_file(browser: Browser) -> Iterator[Open]:
    """Opens a file from disk; fails on any request but for the file itself, on any error, and on any dialog."""
    contexts: list[Any] = []
    faults: list[str] = []

    def open_it(path: Path, **options: Any) -> Page:
        settings = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US", "offline": True, **options}
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        address = path.as_uri()
        page.on("request", lambda request: faults.append(request.url) if request.url != address else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
        page.goto(address)
        expect(page.locator(".vx-handout-open")).to_have_count(1, timeout=30_000)
        page.wait_for_function("document.querySelector('.vxa-photo .vxw-stage')?.dataset.photo")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert faults == []


def hover(page: Page, row: int, col: int, side: int = 8) -> None:
    stage = page.locator(".vxa-photo .vxw-stage")
    box = json.loads(stage.get_attribute("data-photo"))
    place = {"x": box["x"] + (col + 0.5) / side * box["width"], "y": box["y"] + (row + 0.5) / side * box["height"]}
    stage.hover(position=place)


def strongest(page: Page) -> list[float]:
    """The weights that the readout below the photo names."""
    said = page.locator(".vxa-photo .vxw-readout").inner_text()
    return [float(weight) for weight in re.findall(r"[（(]([\d.]+)[)）]", said)]


def exact(said: str) -> float:
    return float(said.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")).replace("×10", "e"))


def matrix_weight(page: Page, x: float, y: float) -> tuple[int, int, float]:
    """Query, key and weight at a place of the large matrix."""
    stage = page.locator(".vxa-matrix .vxw-stage")
    box = stage.bounding_box()
    stage.hover(position={"x": box["width"] * x, "y": box["height"] * y})
    said = " ".join(page.locator(".vxa-photo .vxw-readout").inner_text().split())
    found = re.match(r"query (CLS|patch (\d+) .*?\)) key (CLS|patch (\d+) .*?\)) Layer \d+, head \d+ (\S+)", said)
    assert found, said
    query, key = (0 if index is None else 1 + int(index) for index in (found[2], found[4]))
    return query, key, exact(found[5])


@pytest.mark.parametrize("halved", [False, True])
def test_hovering_shows_the_traces_attention(
    open_file: Open, trace: Trace, labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, halved: bool
) -> None:
    monkeypatch.setattr(handout, "EXACT_BYTES", 0 if halved else 10**9)
    path = tmp_path / "handout.html"
    path.write_text(handout_html(trace, labels, open_sample("chelsea")), "utf-8")
    page = open_file(path)
    for row, col in ((0, 0), (3, 5), (7, 7)):
        hover(page, row, col)
        best = np.sort(trace.blocks[0].attention[0, 1 + row * 8 + col])[::-1][:3]
        assert strongest(page) == pytest.approx(best.tolist(), abs=3e-3 if halved else 6e-4)
    for x, y in ((0.35, 0.4), (0.5, 0.75), (0.4, 0.9)):
        query, key, weight = matrix_weight(page, x, y)
        expected = trace.blocks[0].attention[0, query, key]
        assert weight == pytest.approx(expected, abs=3e-3 if halved else 2e-6)
    said = page.locator("[data-words=precision]").inner_text()
    assert ("float16" in said) == halved


def test_layers_heads_and_rollout_are_opened(open_file: Open, trace: Trace, file: Path) -> None:
    page = open_file(file)
    page.locator(".vxa .vx-layer input").focus()
    page.keyboard.press("End")
    expect(page.locator(".vxa-photo .vxw-title")).to_contain_text("Layer 3, head 1")
    hover(page, 2, 6)
    best = np.sort(trace.blocks[2].attention[0, 1 + 22])[::-1][:3]
    assert strongest(page) == pytest.approx(best.tolist(), abs=6e-4)
    page.locator(".vxa .vx-head input").focus()
    page.keyboard.press("End")
    expect(page.locator(".vxa-photo .vxw-notes")).to_contain_text("Rollout has a scale of its own")
    matrix = rollout([block.attention for block in trace.blocks])
    high = float(np.percentile(matrix, 99.5))
    assert f"({high:.3g})" in page.locator(".vxa-photo .vxw-notes").inner_text()
    hover(page, 2, 6)
    assert strongest(page) == pytest.approx(np.sort(matrix[1 + 22])[::-1][:3].tolist(), abs=6e-4)
    page.get_by_text("who looks at this token").click()
    hover(page, 2, 6)
    assert strongest(page) == pytest.approx(np.sort(matrix[:, 1 + 22])[::-1][:3].tolist(), abs=6e-4)


_ANSWERS = """
async ([source, state, layers]) => {
  const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { answerAttention } = (await import(address)).default;
  const listeners = [];
  return new Promise((resolve) => {
    const model = {
      get: (name) => state[name],
      set(values) {
        if (!values.wall) return;
        resolve([values.wall_shape, Array.from(values.wall, (x) => (Number.isNaN(x) ? null : x))]);
      },
      on: (_, listener) => listeners.push(listener),
    };
    state.places = floats(state.places);
    const read = (layer) => Object.fromEntries(Object.entries(layers[layer]).map(([k, v]) => [k, floats(v)]));
    answerAttention(model, read);
  });
}
"""


@pytest.mark.parametrize(("kind", "direction"), [("token", "looks"), ("token", "seen"), ("matrix", "looks")])
@pytest.mark.parametrize(
    "options",
    [
        {"intervention": Intervention(kept=[*range(20), *range(40, 64)])},
        # More than 64 places on a side: several share a small picture's cell.
        {"img_size": 264, "patch_size": 4, "depth": 1, "num_heads": 1},
    ],
    ids=["dropped", "fine"],
)
def test_the_walls_small_pictures_are_those_of_the_page(
    browser: Browser, kind: str, direction: str, options: dict[str, Any]
) -> None:
    """Worked out in the file; on a page they come from Python."""
    trace = opinionated_trace(**(SIZES | options))
    layers = AttentionLayers(trace)
    token = trace.num_prefix + 2
    expected = layers.matrix_thumbnails() if kind == "matrix" else layers.token_thumbnails(token, direction)  # type: ignore[arg-type]
    depth, heads, tokens, dim = trace.q.shape
    run = {"key": 1, "layers": depth, "heads": heads, "tokens": tokens, "dim": dim}
    run |= {"grid": list(trace.grid), "prefix": list(trace.prefix_names)}
    state = {"run": run, "places": _text(trace.patch_index.astype(np.int32)), "token": token}
    state |= {"direction": direction, "wall_kind": kind}
    given = [
        {"q": _text(trace.q[layer]), "k": _text(trace.k[layer]), "lse": _text(layers.summary(layer).log_sum_exp)}
        for layer in range(depth)
    ]
    source = bundle("export/attention_answers.js", Path(explorer.__file__).parent)
    page = browser.new_page()
    try:
        shape, found = page.evaluate(_ANSWERS, [f"{source}export default {{ answerAttention }};", state, given])
    finally:
        page.close()
    assert tuple(shape) == expected.shape[2:]
    wall = np.array([np.nan if value is None else value for value in found]).reshape(expected.shape)
    np.testing.assert_allclose(wall, expected, atol=2e-6)


def _text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def test_the_wall_follows_and_opens_what_is_clicked(open_file: Open, trace: Trace, file: Path) -> None:
    page = open_file(file)
    wall = page.locator(".vxa-wall .vxw-stage")
    drawn = lambda: wall.evaluate("el => el.querySelector('canvas').toDataURL()")  # noqa: E731
    before = drawn()
    page.get_by_text("the whole matrix A").click()
    page.wait_for_function("(was) => document.querySelector('.vxa-wall canvas').toDataURL() !== was", arg=before)
    wall.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".vxa-photo .vxw-title")).to_contain_text("Layer 2, head 2")
    query, key, weight = matrix_weight(page, 0.5, 0.6)
    assert weight == pytest.approx(trace.blocks[1].attention[1, query, key], abs=2e-6)


def test_a_token_is_picked_everywhere(open_file: Open, file: Path) -> None:
    page = open_file(file)
    photo = page.locator(".vx-stage-patches .vxw-stage")
    photo.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".vxa-photo .vxw-title")).to_contain_text("patch 37 (row 4, column 5) looks")
    expect(page.locator(".vx-stage-position .vxw-matrix .vxw-readout").first).to_contain_text("patch number 37")
    hover(page, 1, 2)
    page.mouse.down()
    page.mouse.up()
    expect(page.locator(".vx-stage-patches .vxw-readout")).to_contain_text("patch 10")
    # CLS has no place in the tables of positions.
    page.locator(".vxa-photo .vxw-stage").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator(".vx-stage-patches .vxw-readout")).to_contain_text("CLS")


def test_the_language_is_switched_and_what_is_open_stays(open_file: Open, trace: Trace, file: Path) -> None:
    page = open_file(file)
    page.locator(".vxa .vx-layer input").focus()
    page.keyboard.press("End")
    page.get_by_role("button", name="日本語").click()
    assert page.evaluate("document.documentElement.lang") == "ja"
    expect(page.locator(".vxa-photo .vxw-title")).to_contain_text("層 3・ヘッド 1")
    expect(page.locator(".vx-stage-classification h2")).to_contain_text(text("classification.name", "ja"))
    best = int(np.argmax(trace.logits))
    expect(page.locator(".vx-answer-name")).to_have_text(f"名前{best}{HOSTILE}")
    page.get_by_role("button", name="English").click()
    expect(page.locator(".vx-answer-name")).to_have_text(f"{HOSTILE}{best}")
    assert page.locator("img").count() == 0


def test_the_readers_own_language_comes_first(open_file: Open, file: Path) -> None:
    page = open_file(file, locale="ja-JP")
    assert page.evaluate("document.documentElement.lang") == "ja"
    expect(page.locator(".vx-stage-patches h2")).to_contain_text(text("patches.name", "ja"))


def test_another_class_is_worked_out_in_either_language(open_file: Open, trace: Trace, file: Path) -> None:
    page = open_file(file)
    third = int(np.argsort(-trace.logits, kind="stable")[2])
    logit = f"{trace.logits[third]:.4f}".replace("-", "−")
    page.locator(".vx-bar-row").nth(2).click()
    expect(page.locator(".vx-stage-classification .vx-sum").first).to_contain_text(f"logit {logit}")
    expect(page.locator(".vxw-strips .vxw-title")).to_contain_text(f"{HOSTILE}{third}")
    page.get_by_role("button", name="日本語").click()
    expect(page.locator(".vxw-strips .vxw-title")).to_contain_text(f"名前{third}{HOSTILE}")
    expect(page.locator(".vx-stage-classification .vx-sum").first).to_contain_text(logit)


def test_what_the_model_sees_is_shown(open_file: Open, file: Path) -> None:
    page = open_file(file)
    canvas = page.locator(".vx-stage-patches canvas").first
    before = canvas.evaluate("el => el.toDataURL()")
    page.get_by_text("What the model sees").click()
    page.wait_for_function(
        "(was) => document.querySelector('.vx-stage-patches canvas').toDataURL() !== was", arg=before
    )


def test_a_picture_is_saved_from_the_file(open_file: Open, file: Path) -> None:
    page = open_file(file, accept_downloads=True)
    with page.expect_download() as download:
        page.locator(".vxa-photo .vxw-save-png").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("locale", ["en-US", "ja-JP"])
def test_a_telephone_need_not_be_scrolled_sideways(open_file: Open, file: Path, locale: str) -> None:
    page = open_file(file, viewport={"width": 390, "height": 800}, locale=locale)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_browser_that_cannot_unpack_it_is_told_so(browser: Browser, file: Path) -> None:
    context = browser.new_context(locale="en-US", offline=True)
    page = context.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(file.as_uri())
    expect(page.locator("p.vx-handout-failed[lang=ja]")).to_be_visible()
    expect(page.locator("p.vx-handout-failed[lang=en]")).to_have_text(text("handout.failed", "en"))
    expect(page.locator(".vx-handout-waiting").first).to_be_hidden()
    context.close()
