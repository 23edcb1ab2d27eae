"""Pictures for slides, drawn by a real browser."""

from __future__ import annotations

import re
import socket
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from explorer.drawing import Browser
from explorer.errors import ExplorerError
from explorer.export import STAGES, save_stages
from explorer.figures import Axis, MatrixFigure, Scale
from tests.page.browser import find_chromium
from tests.widgets.random_model import random_state

HOSTILE = '"><script>alert(1)</script>&.jpg'
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def _browser(monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_chromium()
    if found is not None:
        monkeypatch.setenv("BROWSER_PATH", found)


def test_every_stage_is_drawn_whole_in_both_formats(tmp_path: Path) -> None:
    state = random_state()
    try:
        assert state.trace is not None
        assert state.picture is not None
        trace = state.trace
        files = save_stages(trace, state.labels, state.picture, tmp_path, language="ja", layer=1, head=1, token=3)
    finally:
        state.close()
    names = [file.name for file in files]
    assert len(names) == 2 * len(STAGES)
    assert "5-attention-random-patch8-layer2-head2-ja.svg" in names
    for file in files:
        if file.suffix == ".png":
            pixels = np.asarray(Image.open(BytesIO(file.read_bytes())).convert("RGB"))
            assert pixels.shape == (1440, 2560, 3)
            # Something in every quarter of the width, and nothing at the edges, where it would be cut.
            dark = (pixels < 200).any(axis=-1)
            assert all(part.any() for part in np.split(dark, 4, axis=1)), file.name
            edges = np.concatenate([dark[:20].ravel(), dark[-20:].ravel(), dark[:, :20].ravel(), dark[:, -20:].ravel()])
            assert not edges.any(), file.name
            continue
        text = file.read_text("utf-8")
        root = ElementTree.fromstring(text)  # noqa: S314 - our own
        assert (root.get("width"), root.get("height")) == ("1280", "720")
        assert "script" not in {element.tag.removeprefix(SVG) for element in root.iter()}
        # It needs nothing but itself.
        assert set(re.findall(r'href="([a-z]+):', text)) <= {"data"}
        # Other programs disagree on where the pieces of a text stand: each is a text of its own.
        assert not list(root.iter(f"{SVG}tspan"))
        words = "".join(element.text or "" for element in root.iter(f"{SVG}text"))
        assert "パッチサイズ8" in words.replace(" ", "")
    attention = (tmp_path / "5-attention-random-patch8-layer2-head2-ja.svg").read_text("utf-8")
    assert "層 2・ヘッド 2" in attention
    assert f"1/T = {1 / trace.num_tokens:.2g}"[:9] in attention


def test_a_figure_saves_itself_as_the_page_draws_it(tmp_path: Path) -> None:
    values = np.zeros((3, 4))
    values[1, 2] = 1
    figure = MatrixFigure(
        values=values,
        rows=Axis(name="query ↓", marks={0: "CLS"}),
        cols=Axis(name="key →"),
        scale=Scale(low=0, high=1, label="attention weight"),
        title=HOSTILE,
        caption="Every row sums to 1.",
    )
    svg = figure.save(tmp_path / "attention.svg").read_text("utf-8")
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert {HOSTILE, "query ↓", "key →", "CLS", "attention weight", "Every row sums to 1."} <= set(words)
    with Image.open(figure.save(tmp_path / "attention.PNG", width=400)) as saved:
        colors = dict(map(reversed, saved.convert("RGB").getcolors(1 << 24)))  # type: ignore[arg-type]
    low, high = ((0x00, 0x22, 0x4E), (0xFE, 0xE8, 0x38))
    # Eleven cells of the low end's colour, one of the high end's; the colour bar and thin lines are little beside them.
    assert colors[low] / colors[high] == pytest.approx(11, rel=0.1)
    with pytest.raises(ExplorerError) as caught:
        figure.save(tmp_path / "attention.pdf")
    assert caught.value.code == "figure-format"


def test_the_browser_reaches_nobody_and_says_what_a_script_threw() -> None:
    script = "fetch('http://127.0.0.1:{port}/').then(() => 'reached', (error) => error.name)"
    with socket.create_server(("127.0.0.1", 0)) as server, Browser() as browser:
        server.settimeout(0)
        port = server.getsockname()[1]
        assert browser.evaluate(script.format(port=port)) == "TypeError"
        with pytest.raises(BlockingIOError):
            server.accept()
        assert browser.evaluate("new Promise((resolve) => setTimeout(resolve, 1, [1, 'a']))") == [1, "a"]
        with pytest.raises(RuntimeError, match="no such thing"):
            browser.evaluate("(() => { throw new Error('no such thing'); })()")
        with pytest.raises(ExplorerError) as caught:
            browser.evaluate("new Promise(() => {})", timeout=0.2)
        assert caught.value.code == "browser-failed"
