"""From a file that nobody vouches for to upright 8-bit RGB, within limits that its header is held against."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from explorer.errors import ExplorerError

__all__ = ["MAX_PIXELS", "MAX_RATIO", "MIN_SIDE", "Decoded", "decode"]

#: Most pixels that are decoded.
MAX_PIXELS = 60_000_000
#: Fewest pixels that a side must have.
MIN_SIDE = 8
#: How many times longer than wide a picture may be: a model's crop shows its short side only, and resizing a
#: hair-thin strip to the model's size would make a gigantic picture of it.
MAX_RATIO = 20

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF")
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Decoded(NamedTuple):
    """A picture that was decoded.

    Attributes
    ----------
    image : PIL.Image.Image
        Of mode RGB, upright.
    on_white : bool
        Whether some of it was transparent, or half so, and shows white that the file has not.
    """

    image: Image.Image
    on_white: bool


def decode(data: bytes) -> Decoded:
    """Decode a picture file, upright and in 8-bit sRGB, laid on white where it is transparent.

    Parameters
    ----------
    data : bytes
        A JPEG, PNG, WebP, TIFF, GIF (its first frame) or HEIC file.

    Returns
    -------
    Decoded

    Raises
    ------
    ExplorerError
        ``picture-…``, if it is none of these, damaged, or beyond a limit.
    """
    with _identify(data) as image:
        _check_size(*image.size)
        # Decoders raise whatever their parsers stumble over (OSError, SyntaxError, struct.error, zlib.error, …):
        # on a file by a stranger, each of them means that the file is damaged.
        try:
            image.load()
            upright, on_white = _to_rgb(image)
            turn = _TURNS.get(_orientation(image))
            if turn is not None:
                upright = upright.transpose(turn)
        except ExplorerError:
            raise
        except Exception as error:
            raise ExplorerError("picture-broken") from error
    _check_size(*upright.size)
    return Decoded(upright, on_white)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ExplorerError("picture-too-many-pixels", limit=MAX_PIXELS // 1_000_000)
    if min(width, height) < MIN_SIDE:
        raise ExplorerError("picture-too-narrow", width=width, height=height, minimum=MIN_SIDE)
    if max(width, height) > MAX_RATIO * min(width, height):
        raise ExplorerError("picture-too-long", width=width, height=height, ratio=MAX_RATIO)


def _identify(data: bytes) -> Image.Image:
    """Read the header, with the decoders of the six formats and no others."""
    formats: tuple[str, ...] = _FORMATS
    heif = data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS
    if heif:
        _register_heif()
        formats = ("HEIF",)
    try:
        return Image.open(BytesIO(data), formats=formats)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ExplorerError("picture-too-many-pixels", limit=MAX_PIXELS // 1_000_000) from error
    except UnidentifiedImageError as error:
        known = heif or data.startswith(_SIGNATURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        raise ExplorerError("picture-broken" if known else "picture-not-an-image") from error
    except Exception as error:  # as in open_picture: a header can hold anything
        raise ExplorerError("picture-broken") from error


def _register_heif() -> None:
    """Teach Pillow HEIC, on the first such file: the plugin takes a while to load, and may be missing."""
    try:
        from pillow_heif import register_heif_opener
    except (ImportError, OSError) as error:  # OSError: its library does not load here
        raise ExplorerError("picture-heic-unavailable") from error
    register_heif_opener(thumbnails=False)


def _to_rgb(image: Image.Image) -> Decoded:
    """8-bit sRGB, on white where the picture is transparent."""
    if image.mode in {"I", "F"}:
        # 32 bits a pixel are measurements without an agreed white; guessing one would fake the picture.
        raise ExplorerError("picture-depth")
    if image.mode.startswith("I;16"):
        return _from_16_bit_gray(image)
    if image.mode == "1":
        image = image.convert("L")
    transparent = image.has_transparency_data
    if transparent or image.mode in {"P", "PA"}:
        profile = image.info.get("icc_profile")
        image = image.convert("RGBA" if transparent else "RGB")
        image.info["icc_profile"] = profile
    alpha = image.getchannel("A") if transparent else None
    rgb = _to_srgb(image.convert("RGB") if transparent else image, image.info.get("icc_profile"))
    # Many files keep an alpha channel in which nothing is transparent.
    if alpha is None or alpha.getextrema() == (255, 255):
        return Decoded(rgb, on_white=False)
    white = Image.new("RGB", rgb.size, "white")
    white.paste(rgb, mask=alpha)
    return Decoded(white, on_white=True)


def _from_16_bit_gray(image: Image.Image) -> Decoded:
    # Pillow's own conversion clips at 255 instead of scaling.
    values = np.asarray(image).astype(np.uint32)
    gray = ((values + 128) // 257).astype(np.uint8)
    key = image.info.get("transparency")
    transparent = values == key if isinstance(key, int) else np.zeros_like(gray, dtype=bool)
    gray[transparent] = 255
    return Decoded(Image.fromarray(gray).convert("RGB"), on_white=bool(transparent.any()))


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
    if image.mode == "LAB":
        # Pillow converts Lab by a profile only.
        transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB")
        return _applied(transform, image)
    if isinstance(profile, bytes) and profile:
        # A profile may be damaged, or made for another colour model: the pixels are shown as they are, then.
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            # Converting sRGB to sRGB only rounds: such pictures keep their very pixels.
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                return _applied(ImageCms.buildTransform(source, _srgb(), image.mode, "RGB"), image)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB")


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _applied(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    result = ImageCms.applyTransform(image, transform)
    if result is None:  # only when it is asked to work in place
        raise ValueError("no picture came back")
    return result


def _orientation(image: Image.Image) -> int:
    """The orientation that EXIF notes; asked after loading, since some decoders turn the picture themselves."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged notes about a picture are no reason to refuse it
        return 1
    return value if isinstance(value, int) else 1
