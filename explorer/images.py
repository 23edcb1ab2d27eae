"""From the bytes of a picture file to the square of pixels that a model sees.

Three steps, none of which writes to disk:

1. :func:`open_picture` decodes a file that nobody vouches for into upright 8-bit RGB, within limits that are
   checked on the header, before anything is decoded;
2. :func:`model_crop` resizes and crops as timm's evaluation transform does, pixel for pixel;
3. :func:`display_crop` cuts the same region at a sharpness that is fit to be looked at.
"""

from __future__ import annotations

import hashlib
import math
import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer.decoding import Decoded, decode
from explorer.errors import ExplorerError

__all__ = [
    "CROP_MODES",
    "INTERPOLATIONS",
    "MAX_BYTES",
    "Box",
    "Cropping",
    "Picture",
    "SeesCrop",
    "clean_name",
    "crop_box",
    "display_crop",
    "encode_image",
    "model_crop",
    "open_picture",
    "read_picture",
]

Pixels = NDArray[np.uint8]

#: Largest file that is opened: 50 MB, read generously (as a file manager counts them).
MAX_BYTES = 50 * 1024 * 1024

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    "lanczos": Image.Resampling.LANCZOS,
}
#: The ways to resize and to crop that are known here.
INTERPOLATIONS = tuple(_FILTERS)
CROP_MODES = ("center", "squash")
_NAME_LENGTH = 120
_REMEMBERED = 4


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        Upright sRGB, read-only.
    name : str
        The file's name: text by a stranger, never HTML.
    digest : str
        SHA-256 of the file, in hexadecimal; the same file has the same digest.
    on_white : bool
        Whether the file is transparent in places, which show white here.
    """

    pixels: Pixels
    name: str
    digest: str
    on_white: bool = False
    #: What was resized last, so that a move of the crop or another patch size need not resize a large photo again.
    _resized: dict[object, Image.Image] = field(default_factory=dict, init=False, repr=False)

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    def __repr__(self) -> str:
        return f"Picture({self.name!r}, {self.width} × {self.height})"


class SeesCrop(Protocol):
    """What a crop needs to know of a model: a ``ModelSpec`` or a :class:`Cropping`.

    An attribute ``crop_mode`` (``"center"`` or ``"squash"``) is heeded where there is one.
    """

    @property
    def image_size(self) -> int:
        """Side of the square."""

    @property
    def crop_pct(self) -> float:
        """Part of the resized picture that is kept."""

    @property
    def interpolation(self) -> str:
        """How the picture is resized."""


class Cropping(NamedTuple):
    """The parts of timm's evaluation transform that decide which pixels a model sees.

    Parameters
    ----------
    image_size : int
        Side of the square.
    crop_pct : float
        The picture is resized to ``floor(image_size / crop_pct)`` before it is cropped.
    interpolation : str
        ``"bicubic"``, ``"bilinear"``, …
    crop_mode : {"center", "squash"}
        Whether the short side is fitted, or both sides are (which distorts).
    """

    image_size: int
    crop_pct: float = 0.875
    interpolation: str = "bicubic"
    crop_mode: str = "center"


class Box(NamedTuple):
    """A rectangle in the picture's own pixels; its edges may lie between two of them."""

    left: float
    top: float
    right: float
    bottom: float


def open_picture(data: bytes, name: str = "") -> Picture:
    """Decode a picture file.

    JPEG, PNG, WebP, TIFF, GIF (its first frame) and HEIC, of any depth and colour model that is meant for
    looking at. Turned upright, laid on white where transparent, converted to sRGB where a colour profile is
    embedded.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        Its name, kept for showing (see :func:`clean_name`).

    Returns
    -------
    Picture

    Raises
    ------
    ExplorerError
        ``picture-…``, if the file is no picture, damaged, or beyond a limit.
    """
    shown_name = clean_name(name)
    try:
        image, on_white = _decode_within_limits(data)
    except ExplorerError as error:
        error.of_file(shown_name)
        raise
    pixels = np.asarray(image)
    pixels.setflags(write=False)
    return Picture(pixels, shown_name, hashlib.sha256(data).hexdigest(), on_white)


def _decode_within_limits(data: bytes) -> Decoded:
    if not data:
        raise ExplorerError("picture-empty")
    if len(data) > MAX_BYTES:
        raise ExplorerError("picture-too-many-bytes", megabytes=math.ceil(len(data) / 1024**2), limit=MAX_BYTES >> 20)
    return decode(data)


def read_picture(path: str | os.PathLike[str]) -> Picture:
    """Decode a picture on this machine.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Picture

    Raises
    ------
    ExplorerError
        ``file-unreadable``, if there is no such file or it may not be read; ``picture-…`` as :func:`open_picture`.
    """
    place = Path(path)
    try:
        data = place.read_bytes()
    except (OSError, ValueError) as error:
        # A ValueError where no path looks like that: one with a zero byte.
        raise ExplorerError("file-unreadable", file=str(path)) from error
    return open_picture(data, place.name)


def clean_name(name: str) -> str:
    """A file's name as plain text: no folder, no control or direction characters, not endless."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(char for char in base if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    kept = unicodedata.normalize("NFC", kept).strip()
    if len(kept) > _NAME_LENGTH:
        half = _NAME_LENGTH // 2
        kept = f"{kept[: half - 1]}…{kept[-half:]}"
    return kept


def crop_box(
    width: int, height: int, spec: SeesCrop | tuple[int, float, str], center: tuple[float, float] = (0.5, 0.5)
) -> Box:
    """The region of a picture that a model sees.

    Parameters
    ----------
    width, height : int
        The picture's size.
    spec : ModelSpec, Cropping or tuple
        Size, crop percentage and interpolation.
    center : (float, float)
        Where the crop lies in its free travel: (0, 0) is top left, (0.5, 0.5) the middle, (1, 1) bottom right.

    Returns
    -------
    Box
        In the picture's pixels.
    """
    plan = _plan(width, height, _cropping(spec), center)
    x, y = width / plan.width, height / plan.height
    return Box(plan.left * x, plan.top * y, (plan.left + plan.side) * x, (plan.top + plan.side) * y)


def model_crop(
    picture: Picture, spec: SeesCrop | tuple[int, float, str], center: tuple[float, float] = (0.5, 0.5)
) -> Pixels:
    """The pixels that a model sees, before they are normalised.

    With the crop in the middle they equal those of timm's evaluation transform.

    Parameters
    ----------
    picture : Picture
    spec : ModelSpec, Cropping or tuple
        Size, crop percentage and interpolation.
    center : (float, float)
        As in :func:`crop_box`.

    Returns
    -------
    ndarray of uint8, shape (image_size, image_size, 3)
    """
    cropping = _cropping(spec)
    plan = _plan(picture.width, picture.height, cropping, center)
    size, method = (plan.width, plan.height), _filter(cropping.interpolation)
    image = _remembered(
        picture,
        (size, method),
        lambda whole: whole if whole.size == size else whole.resize(size, method),
    )
    return np.array(image.crop((plan.left, plan.top, plan.left + plan.side, plan.top + plan.side)))


def display_crop(
    picture: Picture,
    spec: SeesCrop | tuple[int, float, str],
    center: tuple[float, float] = (0.5, 0.5),
    max_side: int = 1024,
) -> Pixels:
    """The region of :func:`model_crop` at the sharpness that the picture has, for looking at.

    Parameters
    ----------
    picture : Picture
    spec : ModelSpec, Cropping or tuple
        Size, crop percentage and interpolation.
    center : (float, float)
        As in :func:`crop_box`.
    max_side : int
        Never larger than this. A region that has fewer pixels keeps its own: nothing is invented.

    Returns
    -------
    ndarray of uint8, shape (side, side, 3)
    """
    box = crop_box(picture.width, picture.height, spec, center)
    longest = max(box.right - box.left, box.bottom - box.top)
    side = max(1, min(max_side, round(longest)))
    method = Image.Resampling.LANCZOS if longest > max_side else Image.Resampling.BICUBIC
    # With a reducing gap of 3 a large photo is shrunk several times faster, and no eye sees the difference.
    image = _remembered(
        picture,
        (side, method, box),
        lambda whole: whole.resize((side, side), method, box=box, reducing_gap=3.0),
    )
    return np.array(image)


def encode_image(array: Pixels, format: Literal["png", "jpeg", "webp"] = "png", quality: int = 90) -> bytes:  # noqa: A002
    """An array as the bytes of a picture file.

    Parameters
    ----------
    array : ndarray of uint8, shape (H, W, 3) or (H, W)
    format : {"png", "jpeg", "webp"}
        PNG keeps every value.
    quality : int
        Of JPEG and WebP.

    Returns
    -------
    bytes
    """
    buffer = BytesIO()
    image = Image.fromarray(np.ascontiguousarray(array))
    if format == "png":
        image.save(buffer, "PNG", compress_level=3)
    else:
        image.save(buffer, format.upper(), quality=quality)
    return buffer.getvalue()


class _Plan(NamedTuple):
    """The picture is resized to width × height; a square of that side is cut at left, top."""

    width: int
    height: int
    left: int
    top: int
    side: int


def _plan(width: int, height: int, cropping: Cropping, center: tuple[float, float]) -> _Plan:
    side = cropping.image_size
    if cropping.crop_mode not in CROP_MODES:
        raise ValueError(f"crop_mode {cropping.crop_mode!r} is neither 'center' nor 'squash'")
    # As timm: at crop_pct 1 or less the resized picture is never smaller than the crop, so nothing is padded.
    scaled = max(side, math.floor(side / cropping.crop_pct))
    if cropping.crop_mode == "squash":
        new_width = new_height = scaled
    elif width <= height:
        new_width, new_height = scaled, int(scaled * height / width)
    else:
        new_width, new_height = int(scaled * width / height), scaled
    across, down = (min(1.0, max(0.0, float(part))) for part in center)
    # Python rounds halves to the even number, and so does torchvision's CenterCrop, with this very expression.
    return _Plan(new_width, new_height, round((new_width - side) * across), round((new_height - side) * down), side)


def _remembered(picture: Picture, key: object, make: Callable[[Image.Image], Image.Image]) -> Image.Image:
    memory = picture._resized
    image = memory.get(key)
    if image is None:
        image = make(Image.fromarray(picture.pixels))
        while len(memory) >= _REMEMBERED:
            memory.pop(next(iter(memory)), None)
        memory[key] = image
    return image


def _cropping(spec: SeesCrop | tuple[int, float, str]) -> Cropping:
    if isinstance(spec, Cropping):
        return spec
    if isinstance(spec, tuple):
        return Cropping(*spec)
    return Cropping(spec.image_size, spec.crop_pct, spec.interpolation, getattr(spec, "crop_mode", "center"))


def _filter(interpolation: str) -> Image.Resampling:
    try:
        return _FILTERS[interpolation]
    except KeyError:
        raise ValueError(f"interpolation {interpolation!r} is none of {', '.join(_FILTERS)}") from None
