"""Pictures on the real page: every way in, any size, hostile names, bad files, and the square that is moved."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.page.harness import wait_ready

HOSTILE = "<img src=x onerror=alert(1)>.jpg"


def photo(width: int, height: int, color: tuple[int, int, int], kind: str = "JPEG") -> bytes:
    pixels = np.full((height, width, 3), color, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of more than 10 MB (JupyterLab's limit for a message) under a name that is HTML."""
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 2200, 3), np.uint8)
    path = tmp_path_factory.mktemp("photos") / HOSTILE
    Image.fromarray(pixels).save(path, "PNG", compress_level=1)
    assert path.stat().st_size > 11_000_000
    return path


def current(page: Page) -> str:
    """The small picture on the button, as its address."""
    return page.locator(".vx-sample > button img").get_attribute("src") or ""


def expect_new_picture(page: Page, before: str) -> None:
    expect(page.locator(".vx-sample > button img")).not_to_have_attribute("src", before, timeout=60_000)
    wait_ready(page)
    expect(page.locator(".vx-error")).to_be_hidden()


def bring(page: Page, kind: str, data: bytes, name: str) -> None:
    """Drop or paste a file, as the browser tells it to the page."""
    page.evaluate(
        """([kind, bytes, name]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.from(bytes)], name, { type: "image/jpeg" }));
            const target = document.querySelector(".vx-picture");
            const say = (event) => target.dispatchEvent(event);
            const settings = { bubbles: true, cancelable: true };
            if (kind === "paste") return say(new ClipboardEvent("paste", { clipboardData: transfer, ...settings }));
            say(new DragEvent("dragenter", { dataTransfer: transfer, ...settings }));
            const shown = document.querySelector(".vx-picture-drop").matches(":popover-open");
            say(new DragEvent("drop", { dataTransfer: transfer, ...settings }));
            if (!shown) throw new Error("nothing said where to drop");
        }""",
        [kind, list(data), name],
    )


def test_a_photo_of_more_than_ten_megabytes_under_a_hostile_name(each_shared_home: Page, large: Path) -> None:
    before = current(each_shared_home)
    each_shared_home.locator(".vx-upload input[type=file]").set_input_files(large)
    expect_new_picture(each_shared_home, before)
    expect(each_shared_home.locator(".vx-sample > button")).to_have_attribute("title", HOSTILE)
    # Had it been taken for HTML, its dialog would fail the test.
    assert each_shared_home.locator("img[src=x]").count() == 0


def test_drop_paste_and_samples(each_shared_home: Page) -> None:
    for kind, color in (("drop", (200, 40, 40)), ("paste", (40, 40, 200))):
        before = current(each_shared_home)
        bring(each_shared_home, kind, photo(80, 60, color), f"{kind}.jpg")
        expect_new_picture(each_shared_home, before)
        expect(each_shared_home.locator(".vx-sample > button")).to_have_attribute("title", f"{kind}.jpg")
        expect(each_shared_home.locator(".vx-picture-drop")).to_be_hidden()
    before = current(each_shared_home)
    each_shared_home.locator(".vx-sample > button").click()
    each_shared_home.locator("[data-sample=moose]").click()
    expect_new_picture(each_shared_home, before)


def test_bad_files_are_explained_and_the_picture_before_stays(each_shared_home: Page) -> None:
    page = each_shared_home
    before = current(page)
    field = page.locator(".vx-upload input[type=file]")
    whole = photo(400, 300, (90, 120, 30))
    cases = {
        "not a picture": b"PK\x03\x04 a zip file",
        "is empty": b"",
        "damaged": whole[: len(whole) // 2],
        "1 × 60": photo(1, 60, (1, 2, 3), "PNG"),
    }
    for sentence, data in cases.items():
        field.set_input_files({"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": data})
        expect(page.locator(".vx-error")).to_contain_text(sentence)
        assert current(page) == before
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(51 * 1024 * 1024)], "huge.png"));
            const target = document.querySelector(".vx-picture");
            target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
        }"""
    )
    expect(page.locator(".vx-error")).to_contain_text("51 MB")
    bring(page, "drop", whole, "good.jpg")
    expect_new_picture(page, before)


def test_the_later_of_two_files_wins(shared_page: Page) -> None:
    page = shared_page
    before = current(page)
    page.evaluate(
        """([bytes]) => {
            const paste = (file) => {
                const transfer = new DataTransfer();
                transfer.items.add(file);
                document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
            };
            paste(new File([new Uint8Array(30 * 1024 * 1024)], "first.png"));
            paste(new File([Uint8Array.from(bytes)], "second.jpg"));
        }""",
        [list(photo(80, 60, (10, 200, 10)))],
    )
    expect_new_picture(page, before)
    expect(page.locator(".vx-sample > button")).to_have_attribute("title", "second.jpg")
    expect(page.locator(".vx-picture-progress")).to_be_hidden()


def test_the_square_is_moved_by_keys_and_by_dragging(shared_page: Page) -> None:
    page = shared_page
    bring(page, "drop", photo(900, 300, (120, 80, 40)), "wide.jpg")
    expect(page.locator(".vx-sample > button")).to_have_attribute("title", "wide.jpg")
    wait_ready(page)
    square = page.locator(".vx-crop-square")
    square.scroll_into_view_if_needed()
    expect(square).to_have_attribute("aria-valuetext", re.compile("^50 % from the left"))
    square.focus()
    page.keyboard.press("ArrowLeft")
    expect(square).to_have_attribute("aria-valuetext", re.compile("^45 % from the left"))
    wait_ready(page)
    box = page.locator(".vx-crop-stage").bounding_box()
    assert box is not None, json.dumps(box)
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 1.5, middle, steps=4)
    page.mouse.up()
    expect(square).to_have_attribute("aria-valuetext", re.compile("^100 % from the left"))
    wait_ready(page)
    expect(page.locator(".vx-error")).to_be_hidden()
