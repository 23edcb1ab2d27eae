"""What drawings in a browser say and save, read in tests."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Locator

from explorer.figures import Scale
from tests.widgets.front_end import FrontEnd

#: A scale from nothing to all, as attention has it.
SEQUENTIAL = Scale(low=0, high=1, label="attention")

#: On screens with one pixel a CSS pixel, and with more.
any_screen = pytest.mark.parametrize("front_end", [1, 1.5, 2], ids=["plain", "between", "hidpi"], indirect=True)


def rgb(stop: str) -> list[int]:
    """A colour of a colour map, as three numbers."""
    return [int(stop[at : at + 2], 16) for at in (0, 2, 4)]


def read(widget: Locator) -> str:
    return " ".join(widget.locator(".vxw-readout").inner_text().split())


def save(front_end: FrontEnd, widget: Locator, kind: str, folder: Path) -> tuple[str, bytes]:
    with front_end.page.expect_download() as waiting:
        widget.locator(f".vxw-save-{kind}").click()
    path = folder / f"saved.{kind}"
    waiting.value.save_as(path)
    return waiting.value.suggested_filename, path.read_bytes()


def check_files(front_end: FrontEnd, widget: Locator, stem: str, texts: set[str], folder: Path) -> None:
    name, data = save(front_end, widget, "png", folder)
    assert name == f"{stem}.png"
    picture = Image.open(io.BytesIO(data))
    name, data = save(front_end, widget, "svg", folder)
    assert name == f"{stem}.svg"
    root = ElementTree.fromstring(data)  # noqa: S314 - our own file
    # Twice as large, on any screen.
    assert picture.width == pytest.approx(2 * float(root.attrib["width"]), abs=1)
    assert picture.height == pytest.approx(2 * float(root.attrib["height"]), abs=1)
    assert texts <= {element.text for element in root.iter() if element.tag.endswith("text")}
    # Complete in itself.
    for element in root.iter():
        for key, value in element.attrib.items():
            if key.endswith("href"):
                assert value.startswith(("data:image/", "#"))
