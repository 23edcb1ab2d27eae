"""What is no picture, or a bad one, is refused in words, and costs nothing."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from explorer import images
from explorer.errors import ExplorerError
from explorer.images import open_picture
from explorer.panels.messages import error_html
from explorer.texts import LANGUAGES, error_text, text
from tests.unit.sample_images import corners, heic, noise, png, saved


def refused(data: bytes) -> str:
    with pytest.raises(ExplorerError) as caught:
        open_picture(data)
    for language in LANGUAGES:
        sentence = text(f"errors.{caught.value.code}", language, **caught.value.values)
        assert sentence
        assert "{" not in sentence
    return caught.value.code


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("cat.png", b"not a picture")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        zipped(),
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!doctype html><img src=x onerror=alert(1)>",
        b"%PDF-1.7 ...",
        b"hello",
        b"\0" * 100,
        saved(corners(), "BMP"),
        saved(corners(), "PPM"),
        saved(corners(), "EPS"),
    ],
    ids=["zip", "svg", "html", "pdf", "text", "zeros", "bmp", "ppm", "eps"],
)
def test_what_is_no_picture_of_the_six_kinds(data: bytes) -> None:
    assert refused(data) == "picture-not-an-image"


def test_the_refusal_names_the_file_as_text() -> None:
    with pytest.raises(ExplorerError) as caught:
        open_picture(b"hello", "C:\\photos\\<b>{cat}\u202egpj.png")
    assert caught.value.file == "<b>{cat}gpj.png"
    assert str(caught.value).startswith("<b>{cat}gpj.png: This file is not a picture")
    assert error_text(caught.value, "ja").startswith("「<b>{cat}gpj.png」：このファイルは")
    assert error_html(caught.value, "en").count("<b>") == 0
    with pytest.raises(ExplorerError) as caught:
        open_picture(b"hello")
    assert str(caught.value).startswith("This file is not a picture")


def test_empty() -> None:
    assert refused(b"") == "picture-empty"


def whole(kind: str) -> bytes:
    array = noise(90, 70)
    if kind == "HEIC":
        return heic(array)
    return saved(array, kind)


@pytest.mark.parametrize("part", [0.03, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "HEIC"])
def test_truncated(kind: str, part: float) -> None:
    data = whole(kind)
    open_picture(data)
    assert refused(data[: max(16, int(len(data) * part))]) == "picture-broken"


def test_truncated_tiff() -> None:
    data = saved(noise(90, 70), "TIFF", compression="tiff_lzw")
    assert refused(data[: len(data) // 2]) == "picture-broken"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "HEIC"])
def test_scrambled_bytes_are_opened_or_refused_but_nothing_else(kind: str) -> None:
    data = whole(kind)
    random = np.random.default_rng(7)
    for _ in range(30):
        scrambled = bytearray(data)
        for position in random.integers(4, len(data), 12):
            scrambled[position] = random.integers(0, 256)
        with contextlib.suppress(ExplorerError):
            open_picture(bytes(scrambled))


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (10_000, 9_500), (7_747, 7_747)])
def test_a_bomb_is_refused_by_its_header(width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("was decoded"))
    for color in (2, 0):
        assert refused(png(width, height, 8, color, b"")) == "picture-too-many-pixels"


def test_a_gif_whose_frame_is_larger_than_its_canvas() -> None:
    data = bytearray(saved(noise(20, 20), "GIF"))
    at = data.index(b",\0\0\0\0")
    data[at + 5 : at + 9] = struct.pack("<HH", 65_000, 65_000)
    assert refused(bytes(data)) in {"picture-broken", "picture-too-many-pixels"}


def test_60_megapixels_are_opened() -> None:
    data = saved(Image.new("L", (10_000, 6_000), 200), "PNG", compress_level=1)
    picture = open_picture(data)
    assert picture.pixels.shape == (6_000, 10_000, 3)


def test_too_many_bytes() -> None:
    with pytest.raises(ExplorerError) as caught:
        open_picture(b"\xff\xd8\xff" + bytes(images.MAX_BYTES))
    assert caught.value.code == "picture-too-many-bytes"
    assert caught.value.values == {"megabytes": 51, "limit": 50}


@pytest.mark.parametrize("size", [(1, 400), (400, 1), (1, 1), (7, 60)])
def test_too_narrow(size: tuple[int, int]) -> None:
    assert refused(saved(noise(*size), "PNG")) == "picture-too-narrow"


def test_too_long() -> None:
    assert refused(saved(noise(10, 201), "PNG")) == "picture-too-long"
    assert open_picture(saved(noise(10, 200), "PNG")).height == 200


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_measurements_of_32_bits(dtype: type) -> None:
    assert refused(saved(Image.fromarray(np.ones((16, 16), dtype)), "TIFF")) == "picture-depth"


def test_heic_where_its_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = heic(corners())
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert refused(data) == "picture-heic-unavailable"


def test_nothing_is_written_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    data = [whole("JPEG"), whole("HEIC"), whole("PNG")]
    open_picture(data[1])  # the plugin is loaded from disk once
    import builtins

    monkeypatch.setattr(builtins, "open", lambda *args, **kwargs: pytest.fail(f"opened {args}"))
    for entry in data:
        open_picture(entry)
