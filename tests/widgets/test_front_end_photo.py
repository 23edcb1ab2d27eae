"""The photo with its patches in a browser: picking and pressing tokens, values over it, saving it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from explorer.figures.colors import COLORMAPS
from explorer.widgets import PatchView
from tests.widgets.drawn import SEQUENTIAL, check_files, read, rgb
from tests.widgets.front_end import FrontEnd


def photo() -> bytes:
    """Red above, blue below."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[:32, :, 0] = 255
    pixels[32:, :, 2] = 255
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "png")
    return data.getvalue()


def patches(**given: Any) -> PatchView:
    view = PatchView(title="Photo", stem="photo", **given)
    view.show_image(photo(), "image/png", grid=(4, 4), prefix_names=["CLS", "REG1"])
    return view


def shown(front_end: FrontEnd, name: str) -> None:
    """Wait until the photo is decoded: its upper half is red."""
    front_end.page.wait_for_function(
        "(name) => { const [r, g, b] = colour(name, 300, 60, 0); return r > 100 && g < r / 2 && b < r / 2; }", arg=name
    )


def test_a_token_is_picked_by_click_and_by_keys(front_end: FrontEnd) -> None:
    widget = front_end.mount("p", patches())
    shown(front_end, "p")
    stage = widget.locator(".vxw-stage")
    stage.click(position={"x": 400, "y": 200})
    token = front_end.saved("p", "selected")[-1]
    assert token >= 2
    assert read(widget).startswith(f"patch {token - 2} ")
    stage.click(position={"x": 20, "y": 20})
    assert front_end.saved("p", "selected")[-1] == 0
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowDown"):
        front_end.page.keyboard.press(key)
    assert front_end.saved("p", "selected")[-4:] == [1, 2 + 4, 2 + 5, 2 + 9]
    assert read(widget) == "patch 9 row 2 column 1"


def test_values_lie_over_the_photo_and_in_the_chips(front_end: FrontEnd) -> None:
    view = patches()
    view.show_values([1, 0, *([0] * 8), *([1] * 8)], SEQUENTIAL)
    widget = front_end.mount("p", view)
    front_end.page.wait_for_function("() => colour('p', 300, 60, 0)[3] === 255")
    stage = widget.locator(".vxw-stage")
    stage.hover(position={"x": 20, "y": 44})
    assert read(widget) == "token CLS attention 1"
    chip = front_end.colour("p", 12, 34)[:3]
    assert chip == rgb(COLORMAPS["sequential"][-1])
    stage.hover(position={"x": 300, "y": 400})
    assert read(widget).endswith("attention 1")
    view.show_values(None)
    front_end.update("p", view)
    shown(front_end, "p")


def test_dropped_patches_are_grey_and_cannot_be_picked(front_end: FrontEnd) -> None:
    view = patches(kept=list(range(8, 16)))
    view.kept = list(range(8, 16))
    widget = front_end.mount("p", view)
    expect(widget.locator(".vxw-notes")).to_have_text("Grey patches were dropped: 8.")
    stage = widget.locator(".vxw-stage")
    stage.click(position={"x": 300, "y": 60})
    assert front_end.saved("p", "selected") == []
    assert read(widget).endswith("dropped")
    stage.click(position={"x": 300, "y": 450})
    assert front_end.saved("p", "selected")[-1] >= 2 + 8


def test_what_is_said_of_a_token_follows_its_place_as_text(front_end: FrontEnd) -> None:
    view = patches(kept=None)
    view.readouts = ["", "", *["fox <b>51%</b>"] * 16]
    widget = front_end.mount("p", view)
    shown(front_end, "p")
    stage = widget.locator(".vxw-stage")
    stage.hover(position={"x": 300, "y": 400})
    assert read(widget).endswith("fox <b>51%</b>")
    stage.hover(position={"x": 20, "y": 20})
    assert read(widget) == "token CLS"


def test_a_token_is_pressed_by_click_and_by_enter_but_not_by_arrows(front_end: FrontEnd) -> None:
    view = patches(pressable=True, hint="press one", kept=None)
    view.marked = [2 + 15]
    widget = front_end.mount("p", view)
    shown(front_end, "p")
    assert read(widget) == "press one"
    accent = front_end.page.evaluate("() => colour('p', 560, 500, 1)")  # the last patch lies under a veil
    assert accent[3] > 0
    stage = widget.locator(".vxw-stage")
    stage.click(position={"x": 400, "y": 200})
    token = front_end.saved("p", "selected")[-1]
    stage.click(position={"x": 400, "y": 200})
    front_end.page.keyboard.press("ArrowLeft")
    front_end.page.keyboard.press("Enter")
    sent = front_end.page.evaluate("() => models.p.sent")
    assert sent == [{"kind": "press", "token": pressed} for pressed in (token, token, token - 1)]


def test_a_press_is_told_and_nonsense_is_not() -> None:
    view, pressed = patches(pressable=True), []
    view.on_press(pressed.append)
    for content in ({"kind": "press", "token": 3}, {"kind": "press", "token": 18}, {"kind": "press"}, "press"):
        view._handle_custom_msg(content, [])
    assert pressed == [3]
    view.marked = [3, 17]
    view.grid = (2, 2)
    assert view.marked == [3]


def test_a_still_photo_takes_no_focus_and_no_clicks(front_end: FrontEnd) -> None:
    widget = front_end.mount("p", patches(interactive=False))
    stage = widget.locator(".vxw-stage")
    stage.click(position={"x": 300, "y": 200})
    assert front_end.saved("p", "selected") == []
    expect(stage).to_have_attribute("role", "img")
    assert stage.get_attribute("tabindex") is None


def test_a_photo_is_saved_with_its_texts(front_end: FrontEnd, tmp_path: Path) -> None:
    view = patches()
    view.show_values(np.linspace(0, 1, 18), SEQUENTIAL)
    widget = front_end.mount("p", view)
    check_files(front_end, widget, "photo", {"Photo", "CLS", "REG1", "attention"}, tmp_path)
