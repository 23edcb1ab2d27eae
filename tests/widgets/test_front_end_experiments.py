"""Switches and cards of the experiments in a browser: by mouse, by keyboard, with files."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from explorer.images import encode_image, open_picture
from explorer.widgets.class_pictures import CardPicture, ClassPictures, PictureClass
from explorer.widgets.switch_grid import SwitchGrid
from tests.widgets.front_end import FrontEnd

# -- switches ----------------------------------------------------------------------------------------------------------


def switches() -> SwitchGrid:
    grid = SwitchGrid(title="press to switch off", row_hint="All heads of {row}")
    rows = [(f"Layer {row}", f"layer {row}") for row in (1, 2)]
    cols = [("1", "head 1"), ("2", "head 2"), ("MSA", "the whole MSA"), ("MLP", "the MLP")]
    grid.show(rows, cols, lead=2, cuts=2)
    return grid


def test_a_switch_is_pressed_by_mouse_and_by_keys(front_end: FrontEnd) -> None:
    widget = front_end.mount("s", switches())
    every = widget.get_by_role("switch")
    expect(every).to_have_count(8)
    expect(every.first).to_be_checked()
    widget.get_by_role("switch", name="layer 2, head 1").click()
    assert front_end.saved("s", "off") == [[[1, 0]]]
    expect(every.nth(4)).not_to_be_checked()
    for key in ("ArrowRight", "ArrowRight", "Space", "ArrowUp", "ArrowUp", "Enter"):
        front_end.page.keyboard.press(key)
    assert front_end.saved("s", "off")[-1] == [[1, 0], [1, 2], [0, 2]]
    # The tab key comes to one of them only: where one was last.
    tabbed = widget.locator(".vx-switch[tabindex='0']")
    expect(tabbed).to_have_count(1)
    expect(tabbed).to_have_attribute("aria-label", "layer 1, the whole MSA")


def test_switches_that_come_later_are_reached_by_the_tab_key(front_end: FrontEnd) -> None:
    widget = front_end.mount("s", SwitchGrid(title="press to switch off"))
    expect(widget.get_by_role("switch")).to_have_count(0)
    front_end.update("s", switches())
    tabbed = widget.locator(".vx-switch[tabindex='0']")
    expect(tabbed).to_have_count(1)
    expect(tabbed).to_have_attribute("aria-label", "layer 1, head 1")


def test_a_rows_button_turns_its_heads(front_end: FrontEnd) -> None:
    grid = switches()
    grid.off = [[0, 1], [0, 3]]
    widget = front_end.mount("s", grid)
    whole = widget.get_by_role("button", name="Layer 1")
    expect(whole).to_have_attribute("title", "All heads of layer 1")
    whole.click()
    assert sorted(front_end.saved("s", "off")[-1]) == [[0, 0], [0, 1], [0, 3]]
    whole.click()
    assert front_end.saved("s", "off")[-1] == [[0, 3]]


def test_heads_of_a_layer_without_attention_are_pale(front_end: FrontEnd) -> None:
    grid = switches()
    grid.off = [[1, 2]]
    widget = front_end.mount("s", grid)
    expect(widget.locator(".vx-is-idle")).to_have_count(2)
    grid.off = []
    front_end.update("s", grid)
    expect(widget.locator(".vx-is-idle")).to_have_count(0)


# -- cards -------------------------------------------------------------------------------------------------------------


def photo(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    return encode_image(pixels, "png")


def cards() -> ClassPictures:
    widget = ClassPictures()
    widget.use([PictureClass("<b>cat</b>", [CardPicture.of(open_picture(photo(1), "<i>.png"))]), PictureClass("dog")])
    return widget


def test_names_and_pictures_are_text(front_end: FrontEnd) -> None:
    given = cards()
    widget = front_end.mount("c", given, width=1100)
    expect(widget.locator(".vx-class-card")).to_have_count(2)
    expect(widget.locator(".vx-class-name").first).to_have_value("<b>cat</b>")
    expect(widget.locator("b, i")).to_have_count(0)
    expect(widget.locator("img").first).to_have_attribute("alt", "<i>.png")
    name = widget.locator(".vx-class-name").nth(1)
    name.fill("my dog")
    name.press("Enter")
    assert front_end.sent("c") == [{"kind": "name", "class": given.classes[1].id, "name": "my dog"}]


def test_a_new_class_waits_for_its_name_and_keeps_the_keyboard(front_end: FrontEnd) -> None:
    given = cards()
    given.takes_new = True
    widget = front_end.mount("c", given, width=1100)
    expect(widget.locator(".vx-class-new")).to_have_count(1)
    widget.locator(".vx-class-add").click()
    assert front_end.sent("c") == [{"kind": "add-class"}]
    given.classes.append(PictureClass(""))
    given.refresh()
    front_end.update("c", given)
    name = widget.locator(".vx-class-name").nth(2)
    expect(name).to_be_focused()
    # What was trained is forgotten, and its card goes: the name is still being written.
    given.takes_new = False
    front_end.update("c", given)
    expect(widget.locator(".vx-class-new")).to_have_count(0)
    expect(name).to_be_focused()
    expect(name).to_have_attribute("placeholder", "Name of class 3")


def test_files_wait_for_each_other(front_end: FrontEnd) -> None:
    given = cards()
    widget = front_end.mount("c", given, width=1100)
    files = [{"name": f"{n}.png", "mimeType": "image/png", "buffer": photo(n)} for n in (5, 6)]
    widget.locator(".vx-class-card").nth(1).locator("input[type=file]").set_input_files(files)
    (first,) = front_end.sent("c")
    assert (first["kind"], first["class"], first["name"]) == ("begin", given.classes[1].id, "5.png")
    front_end.answer("c", {"kind": "next", "upload": first["upload"], "received": 0})
    front_end.page.wait_for_function("() => models.c.sent.length === 2")
    front_end.answer("c", {"kind": "stop", "upload": first["upload"]})
    front_end.page.wait_for_function("() => models.c.sent.length === 3")
    assert [message["kind"] for message in front_end.sent("c")] == ["begin", "piece", "begin"]
    assert front_end.sent("c")[2]["name"] == "6.png"


def test_files_of_a_class_that_is_removed_are_not_sent(front_end: FrontEnd) -> None:
    given = cards()
    given.use([*given.classes, PictureClass("bird")])
    widget = front_end.mount("c", given, width=1100)
    for place, numbers in ((0, (5, 6)), (1, (7,)), (2, (8,))):
        files = [{"name": f"{n}.png", "mimeType": "image/png", "buffer": photo(n)} for n in numbers]
        widget.locator(".vx-class-card").nth(place).locator("input[type=file]").set_input_files(files)
    bird = widget.locator(".vx-class-card").nth(2)
    expect(bird.locator(".vx-class-name")).to_have_attribute("placeholder", "Name of class 3")
    del given.classes[:2]
    given.refresh()
    front_end.update("c", given)
    expect(widget.locator(".vx-class-card")).to_have_count(1)
    expect(widget.locator(".vx-class-name")).to_have_attribute("placeholder", "Name of class 1")
    (first,) = front_end.sent("c")
    front_end.answer("c", {"kind": "stop", "upload": first["upload"]})
    front_end.page.wait_for_function("() => models.c.sent.length === 2")
    last = front_end.sent("c")[1]
    assert (last["kind"], last["class"], last["name"]) == ("begin", given.classes[0].id, "8.png")


def test_who_removes_classes_with_the_keyboard_keeps_it(front_end: FrontEnd) -> None:
    given = cards()
    widget = front_end.mount("c", given, width=1100)
    for following in (".vx-class-head .vx-class-remove", ".vx-class-add"):
        widget.locator(".vx-class-head .vx-class-remove").first.press("Enter")
        assert front_end.sent("c")[-1] == {"kind": "remove-class", "class": given.classes[0].id}
        del given.classes[0]
        given.refresh()
        front_end.update("c", given)
        expect(widget.locator(following)).to_be_focused()


def test_who_removes_pictures_with_the_keyboard_keeps_it(front_end: FrontEnd) -> None:
    given = cards()
    widget = front_end.mount("c", given, width=1100)
    card, pictures = widget.locator(".vx-class-card").first, given.classes[0].pictures
    pictures += [CardPicture.of(open_picture(photo(number), f"{number}.png")) for number in (2, 3)]
    given.refresh()
    front_end.update("c", given)
    for left in (2, 1, 0):
        card.locator(".vx-class-list button").first.press("Enter")
        told = {"kind": "remove", "class": given.classes[0].id, "picture": pictures[0].digest}
        assert front_end.sent("c")[-1] == told
        del pictures[0]
        given.refresh()
        front_end.update("c", given)
        expect(card.locator(".vx-class-list button").first if left else card).to_be_focused()


def test_a_head_is_handed_over_as_a_file(front_end: FrontEnd) -> None:
    given = cards()
    widget = front_end.mount("c", given, width=1100)
    expect(widget.locator(".vx-class-save")).to_be_disabled()
    given.can_save = True
    front_end.update("c", given)
    widget.locator(".vx-class-save").click()
    assert front_end.sent("c") == [{"kind": "save"}]
    with front_end.page.expect_download() as download:
        front_end.answer("c", {"kind": "file", "name": "my-head.safetensors"}, b"numbers")
    assert download.value.suggested_filename == "my-head.safetensors"
    assert download.value.path().read_bytes() == b"numbers"
