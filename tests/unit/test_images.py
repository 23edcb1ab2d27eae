"""Pictures: every kind of file is opened upright and in the right colours, and has a plain name."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from explorer import samples
from explorer.images import clean_name, open_picture
from explorer.texts import LANGUAGES, text
from tests.unit.sample_images import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    assert_corners,
    corners,
    heic,
    noise,
    png,
    quarters,
    saved,
)

# --- kinds of files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
    ],
)
def test_lossless_formats_keep_every_pixel(kind: str, options: dict[str, object]) -> None:
    array = corners()
    picture = open_picture(saved(array, kind, **options), "a.file")
    np.testing.assert_array_equal(picture.pixels, array)
    assert (picture.width, picture.height, picture.name) == (64, 48, "a.file")
    assert not picture.pixels.flags.writeable


@pytest.mark.parametrize("data", [saved(corners(), "JPEG", quality=95), heic(corners())], ids=["jpeg", "heic"])
def test_lossy_formats(data: bytes) -> None:
    assert_corners(open_picture(data), tolerance=14)


def test_jpeg_equals_pillows_own_decoding() -> None:
    data = saved(noise(50, 40), "JPEG", quality=80)
    np.testing.assert_array_equal(open_picture(data).pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_jpeg_with_several_pictures_in_it_as_phones_write_them() -> None:
    data = saved(Image.fromarray(corners()), "MPO", save_all=True, append_images=[Image.fromarray(noise(64, 48))])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert_corners(open_picture(data))


def test_animated_gif_shows_its_first_frame() -> None:
    frames = [Image.fromarray(corners()), Image.new("RGB", (64, 48), "white"), Image.new("RGB", (64, 48), "black")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50, loop=0)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert_corners(open_picture(data))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_gray_is_scaled_not_clipped(kind: str) -> None:
    ramp = np.linspace(0, 65535, 64 * 16).astype(np.uint16).reshape(16, 64)
    picture = open_picture(saved(Image.fromarray(ramp), kind))
    exact = ramp / 65535 * 255
    assert np.abs(picture.pixels - exact[..., None]).max() <= 0.501
    assert picture.pixels.max() == 255


def test_big_endian_16_bit_tiff() -> None:
    ramp = np.linspace(0, 65535, 64 * 16).astype(np.uint16).reshape(16, 64)
    image = Image.frombytes("I;16B", (64, 16), ramp.astype(">u2").tobytes())
    picture = open_picture(saved(image, "TIFF"))
    assert np.abs(picture.pixels - (ramp / 65535 * 255)[..., None]).max() <= 0.501


@pytest.mark.parametrize("alpha", [False, True])
def test_16_bit_rgb_png(alpha: bool) -> None:
    values = corners(32, 16).astype(np.uint16) * 257
    if alpha:
        values = np.dstack([values, np.full(values.shape[:2], 65535, np.uint16)])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    assert_corners(open_picture(png(32, 16, 16, 6 if alpha else 2, rows)), tolerance=1)


def test_16_bit_rgb_tiff() -> None:
    values = (corners(32, 16).astype("<u2") * 257).tobytes()
    entries = [
        (256, 3, 1, 32), (257, 3, 1, 16), (258, 3, 3, 8 + 2 + 10 * 12 + 4), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 200), (277, 3, 1, 3), (278, 3, 1, 16), (279, 4, 1, len(values)), (284, 3, 1, 1),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + struct.pack("<HHH", 16, 16, 16)
    assert_corners(open_picture(head.ljust(200, b"\0") + values), tolerance=1)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str) -> None:
    data = saved(Image.fromarray(corners()).convert("CMYK"), kind)
    assert Image.open(io.BytesIO(data)).mode == "CMYK"
    assert_corners(open_picture(data), tolerance=10)


def test_gray_and_black_and_white() -> None:
    gray = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (16, 1))
    np.testing.assert_array_equal(open_picture(saved(gray, "PNG")).pixels, np.dstack([gray] * 3))
    bits = Image.fromarray(gray > 127)
    assert bits.mode == "1"
    np.testing.assert_array_equal(open_picture(saved(bits, "PNG")).pixels[..., 0], np.where(gray > 127, 255, 0))


def test_palette_with_and_without_transparency() -> None:
    palette = Image.fromarray(corners()).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    assert_corners(open_picture(saved(palette, "PNG")), tolerance=8)
    index = palette.getpixel((0, 0))
    pixels = open_picture(saved(palette, "PNG", transparency=index)).pixels
    assert quarters(pixels)[0].tolist() == [255, 255, 255]
    assert np.abs(quarters(pixels)[1] - GREEN).max() <= 8


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_lies_on_white(kind: str) -> None:
    rgba = np.dstack([corners(), np.full((48, 64), 255, np.uint8)])
    rgba[:24, :32, 3], rgba[:24, 32:, 3] = 0, 128
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    picture = open_picture(saved(rgba, kind, **options))
    assert picture.on_white
    result = quarters(picture.pixels)
    assert result[0].tolist() == [255, 255, 255]
    assert np.abs(result[1] - (np.array(GREEN) * 128 + 255 * 127) / 255).max() <= 1.5
    assert result[2].tolist() == list(BLUE)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_where_nothing_is_transparent_nothing_is_white(kind: str) -> None:
    picture = open_picture(saved(np.dstack([corners(), np.full((48, 64), 255, np.uint8)]), kind))
    assert not picture.on_white
    assert not open_picture(saved(corners(), kind)).on_white


def test_gray_with_alpha_and_a_transparent_colour() -> None:
    gray = np.dstack([np.full((16, 16), 100, np.uint8), np.full((16, 16), 51, np.uint8)])
    pixels = open_picture(saved(Image.fromarray(gray, "LA"), "PNG")).pixels
    assert np.abs(pixels.astype(int) - 224).max() <= 1
    pixels = open_picture(saved(corners(), "PNG", transparency=RED)).pixels
    assert quarters(pixels)[0].tolist() == [255, 255, 255]
    assert quarters(pixels)[3].tolist() == list(YELLOW)


def test_16_bit_gray_with_a_transparent_value() -> None:
    values = np.full((16, 16), 1000, ">u2")
    values[:8] = 50_000
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    body = b"tRNS" + struct.pack(">H", 1000)
    chunk = struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))
    picture = open_picture(png(16, 16, 16, 0, rows, chunk))
    pixels = picture.pixels
    assert picture.on_white
    assert not open_picture(png(16, 16, 16, 0, rows)).on_white
    assert (pixels[8:] == 255).all()
    assert (pixels[:8] == round(50_000 / 257)).all()


def test_lab_tiff() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.fromarray(corners()), to_lab)
    assert_corners(open_picture(saved(lab, "TIFF")), tolerance=8)


# --- turned, and in other colour spaces ----------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(kind: str, orientation: int) -> None:
    upright = Image.fromarray(corners())
    # What the camera stores: the inverse of the turn that the note asks for.
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(upright.transpose(stored) if stored is not None else upright, kind, exif=exif)
    picture = open_picture(data)
    assert (picture.width, picture.height) == (64, 48)
    assert_corners(picture, tolerance=30 if kind in {"JPEG", "WEBP"} else 0)


def test_heic_with_an_orientation_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.ascontiguousarray(np.rot90(corners()))
    picture = open_picture(heic(turned, exif=exif.tobytes()))
    assert (picture.width, picture.height) == (64, 48)
    assert_corners(picture, tolerance=14)


def test_damaged_exif_does_not_hinder() -> None:
    data = saved(corners(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage", quality=95)
    assert_corners(open_picture(data))


def wide_gamut_profile() -> bytes:
    """sRGB's profile with green and blue swapped, so that its work cannot be overlooked."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    tags = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    green, blue = tags[b"gXYZ"], tags[b"bXYZ"]
    offsets = profile[green + 4 : green + 12], profile[blue + 4 : blue + 12]
    profile[green + 4 : green + 12], profile[blue + 4 : blue + 12] = offsets[1], offsets[0]
    at, size = struct.unpack(">II", profile[tags[b"desc"] + 4 : tags[b"desc"] + 12])
    description = profile[at : at + size].replace("sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be"))
    profile[at : at + size] = description.replace(b"sRGB", b"Swap")
    return bytes(profile)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_embedded_profile_is_converted_to_srgb(mode: str) -> None:
    data = saved(Image.fromarray(corners()).convert(mode), "PNG", icc_profile=wide_gamut_profile())
    result = quarters(open_picture(data).pixels)
    expected = np.array([RED, GREEN, BLUE, YELLOW])[:, [0, 2, 1]]
    assert np.abs(result - expected).max() <= 3


def test_srgb_pictures_keep_their_very_pixels() -> None:
    array = noise(40, 40)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(open_picture(saved(array, "PNG", icc_profile=profile)).pixels, array)


def test_a_damaged_or_unfitting_profile_is_left_out() -> None:
    np.testing.assert_array_equal(open_picture(saved(corners(), "PNG", icc_profile=b"no profile")).pixels, corners())
    gray = np.full((16, 16), 90, np.uint8)
    pixels = open_picture(saved(gray, "PNG", icc_profile=wide_gamut_profile())).pixels
    assert (pixels == 90).all()


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("cat.jpg", "cat.jpg"),
        ("C:\\Users\\me\\cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("<img src=x onerror=alert(1)>.jpg", "<img src=x onerror=alert(1)>.jpg"),
        ("gpj.\u202ecat\x00\n\x1b[31m.jpg", "gpj.cat[31m.jpg"),
        ("が.jpg", "が.jpg"),
        ("", ""),
    ],
)
def test_names_are_plain_text(given: str, kept: str) -> None:
    assert open_picture(saved(corners(), "PNG"), given).name == kept


def test_endless_names_are_cut_in_the_middle() -> None:
    name = clean_name("x" * 5000 + ".jpg")
    assert len(name) <= 120
    assert name.endswith(".jpg")
    assert "…" in name


# --- samples -------------------------------------------------------------------------------------------------------


def test_samples_open_are_small_and_have_credit_licence_and_titles() -> None:
    entries = samples.samples()
    assert len({entry.id for entry in entries}) == len(entries) >= 6
    folder = samples.assets_path("samples")
    assert {entry.file for entry in entries} == {path.name for path in folder.glob("*.jpg")}
    credit_lines = (folder / "CREDITS.md").read_text("utf-8")
    total = 0
    for entry in entries:
        picture = samples.open_sample(entry.id)
        assert max(picture.width, picture.height) <= 1024
        size = (folder / entry.file).stat().st_size
        assert size <= 150_000
        total += size
        assert entry.licence in {"CC0 1.0", "Public domain"}
        line = next(line for line in credit_lines.splitlines() if f"`{entry.file}`" in line)
        assert entry.credit in line.replace("](", " (").replace("[", "") or entry.credit.split(",")[0] in line
        assert entry.licence.lower() in line.lower()
        for language in LANGUAGES:
            assert text(entry.title_key, language)
        thumbnail = Image.open(io.BytesIO(samples.sample_thumbnail(entry.id)))
        assert thumbnail.size == (96, 96)
    assert total <= 1_000_000


def test_an_unknown_sample_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        samples.open_sample("../../etc/passwd")
