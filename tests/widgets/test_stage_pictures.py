"""Pictures for slides, drawn by a real browser."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from explorer.export import STAGES, save_stages
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
        words = "".join(element.text or "" for element in root.iter(f"{SVG}text"))
        assert "パッチサイズ8" in words.replace(" ", "")
    attention = (tmp_path / "5-attention-random-patch8-layer2-head2-ja.svg").read_text("utf-8")
    assert "層 2・ヘッド 2" in attention
    assert f"1/T = {1 / trace.num_tokens:.2g}"[:9] in attention
