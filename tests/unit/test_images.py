"""Pictures: every kind of file is opened upright and in the right colours, and every bad one is refused in words."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import sys
import zipfile
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from explorer import images, samples
from explorer.errors import ExplorerError
from explorer.images import Cropping, Picture, clean_name, encode_image, open_picture
from explorer.texts import LANGUAGES, text

RED, GREEN, BLUE, YELLOW = (220, 30, 40), (20, 160, 60), (40, 60, 200), (240, 220, 30)


def corners(width: int = 64, height: int = 48) -> np.ndarray:
    """Red top left, green top right, blue bottom left, yellow bottom right: no two turns of it are alike."""
    array = np.zeros((height, width, 3), np.uint8)
    array[: height // 2, : width // 2], array[: height // 2, width // 2 :] = RED, GREEN
    array[height // 2 :, : width // 2], array[height // 2 :, width // 2 :] = BLUE, YELLOW
    return array


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def saved(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(buffer, kind, **options)
    return buffer.getvalue()


def quarters(pixels: np.ndarray) -> np.ndarray:
    """The colours in the middles of the four quarters."""
    height, width = pixels.shape[:2]
    rows, cols = [height // 4, height * 3 // 4], [width // 4, width * 3 // 4]
    return pixels[np.ix_(rows, cols)].reshape(4, 3).astype(int)


def assert_corners(picture: Picture, tolerance: int = 6) -> None:
    assert np.abs(quarters(picture.pixels) - np.array([RED, GREEN, BLUE, YELLOW])).max() <= tolerance


def heic(array: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(array)).save(buffer, quality=95, **options)
    return buffer.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(ExplorerError) as caught:
        open_picture(data)
    for language in LANGUAGES:
        sentence = text(f"errors.{caught.value.code}", language, **caught.value.values)
        assert sentence
        assert "{" not in sentence
    return caught.value.code


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


def png(width: int, height: int, depth: int, color: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG put together by hand, for kinds that Pillow does not write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


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
    result = quarters(open_picture(saved(rgba, kind, **options)).pixels)
    assert result[0].tolist() == [255, 255, 255]
    assert np.abs(result[1] - (np.array(GREEN) * 128 + 255 * 127) / 255).max() <= 1.5
    assert result[2].tolist() == list(BLUE)


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
    pixels = open_picture(png(16, 16, 16, 0, rows, chunk)).pixels
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


# --- what is refused -----------------------------------------------------------------------------------------------


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


# --- the crop ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def timm_transform():
    from explorer.torch_compat import import_timm

    import_timm()
    from timm.data import create_transform

    return create_transform


CROP_SIZES = [(640, 427), (427, 640), (300, 300), (33, 21), (1500, 90), (64, 64), (257, 256), (999, 1000)]


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("crop_pct", [0.875, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("image_size", [64, 224, 240])
@pytest.mark.parametrize("crop_mode", ["center", "squash"])
def test_the_crop_equals_timms_pixel_for_pixel(
    timm_transform, interpolation: str, crop_pct: float, image_size: int, crop_mode: str
) -> None:
    transform = timm_transform(
        input_size=(3, image_size, image_size),
        is_training=False,
        interpolation=interpolation,
        crop_pct=crop_pct,
        crop_mode=crop_mode,
        normalize=False,
    )
    for seed, size in enumerate(CROP_SIZES):
        array = noise(*size, seed)
        expected = transform(Image.fromarray(array)).numpy().transpose(1, 2, 0)
        picture = Picture(array, "", "")
        ours = images.model_crop(picture, Cropping(image_size, crop_pct, interpolation, crop_mode))
        np.testing.assert_array_equal(ours, expected, err_msg=str(size))


def gradient(width: int, height: int) -> Picture:
    """Red is the column and green the row, so that a pixel tells where it came from."""
    rows, cols = np.mgrid[0:height, 0:width]
    return Picture(np.dstack([cols / width * 255, rows / height * 255, cols * 0]).astype(np.uint8), "", "")


@pytest.mark.parametrize("center", [(0.0, 0.5), (0.5, 0.5), (1.0, 0.5), (0.25, 0.0), (-3.0, 9.0)])
@pytest.mark.parametrize("size", [(900, 300), (300, 900), (500, 500)])
def test_all_three_crops_show_the_same_region(size: tuple[int, int], center: tuple[float, float]) -> None:
    picture = gradient(*size)
    spec = Cropping(64, 0.875, "bilinear")
    box = images.crop_box(*size, spec, center)
    assert 0 <= box.left < box.right <= size[0] + 1e-9
    assert 0 <= box.top < box.bottom <= size[1] + 1e-9
    assert box.right - box.left == pytest.approx(min(size) * 64 / 73, rel=0.02)
    small = images.model_crop(picture, spec, center)
    sharp = images.display_crop(picture, spec, center)
    assert small.shape == (64, 64, 3)
    assert sharp.shape == (round(box.right - box.left), round(box.right - box.left), 3)
    for array in (small, sharp):
        middle = array[array.shape[0] // 2, array.shape[1] // 2]
        assert middle[0] == pytest.approx((box.left + box.right) / 2 / size[0] * 255, abs=3)
        assert middle[1] == pytest.approx((box.top + box.bottom) / 2 / size[1] * 255, abs=3)


def test_the_crop_reaches_every_edge() -> None:
    spec = (64, 1.0, "bicubic")
    assert images.crop_box(900, 300, spec, (0, 0)) == pytest.approx((0, 0, 300, 300))
    assert images.crop_box(900, 300, spec, (1, 1)) == pytest.approx((600, 0, 900, 300))


def test_the_display_crop_is_bounded_and_invents_nothing() -> None:
    assert images.display_crop(gradient(3000, 2500), (64, 1.0, "bicubic")).shape == (1024, 1024, 3)
    assert images.display_crop(gradient(3000, 2500), (64, 1.0, "bicubic"), max_side=300).shape == (300, 300, 3)
    assert images.display_crop(gradient(40, 30), (64, 1.0, "bicubic")).shape == (30, 30, 3)
    picture = Picture(noise(60, 30), "", "")
    np.testing.assert_array_equal(
        images.display_crop(picture, (64, 1.0, "bicubic"), (0, 0)), picture.pixels[:, :30], err_msg="not the own pixels"
    )


def test_what_is_remembered_is_right_bounded_and_private() -> None:
    picture = Picture(noise(500, 300), "", "")
    for size in (32, 48, 64, 96, 128, 32):
        for center in ((0.0, 0.5), (1.0, 0.5)):
            fresh = Picture(picture.pixels, "", "")
            first = images.model_crop(picture, (size, 0.9, "bicubic"), center)
            np.testing.assert_array_equal(first, images.model_crop(fresh, (size, 0.9, "bicubic"), center))
            first[:] = 0
            again = images.model_crop(picture, (size, 0.9, "bicubic"), center)
            assert again.any()
            sharp = images.display_crop(picture, (size, 0.9, "bicubic"), center, max_side=100)
            sharp[:] = 0
            assert images.display_crop(picture, (size, 0.9, "bicubic"), center, max_side=100).any()
    assert len(picture._resized) <= 4


def test_pictures_can_be_pickled_and_are_equal_to_themselves_only() -> None:
    picture = open_picture(saved(corners(), "PNG"), "a.png")
    images.model_crop(picture, (32, 0.9, "bicubic"))
    copy = pickle.loads(pickle.dumps(picture))  # noqa: S301 - our own, a moment ago
    np.testing.assert_array_equal(copy.pixels, picture.pixels)
    assert (copy.name, copy.digest) == (picture.name, picture.digest)
    assert picture == picture  # noqa: PLR0124
    assert copy != picture


def test_a_model_spec_serves_as_well_as_a_tuple() -> None:
    class Spec:
        image_size, crop_pct, interpolation = 32, 0.9, "bicubic"

    picture = gradient(80, 60)
    np.testing.assert_array_equal(images.model_crop(picture, Spec()), images.model_crop(picture, (32, 0.9, "bicubic")))


def test_unknown_interpolations_and_modes_are_errors() -> None:
    with pytest.raises(ValueError, match="interpolation"):
        images.model_crop(gradient(80, 60), (32, 0.9, "magic"))
    with pytest.raises(ValueError, match="crop_mode"):
        images.model_crop(gradient(80, 60), Cropping(32, 0.9, "bicubic", "border"))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_encoded_images_come_back(kind: str) -> None:
    array = corners()
    data = encode_image(array, kind)
    assert Image.open(io.BytesIO(data)).format == kind.upper()
    result = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.abs(quarters(result) - quarters(array)).max() <= (0 if kind == "png" else 8)
    if kind == "png":
        np.testing.assert_array_equal(result, array)


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
