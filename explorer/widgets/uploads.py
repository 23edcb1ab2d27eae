"""What widgets that take files have in common: a file that comes in pieces, and its picture made small."""

from __future__ import annotations

import base64
from typing import Any, TypeGuard

import numpy as np
from PIL import Image

from explorer.images import Picture, encode_image

__all__ = ["PIECE_BYTES", "Upload", "data_url", "is_count", "thumbnail"]

#: Most bytes in one message: JupyterLab's server, which is not ours, drops messages above 10 MB without a word.
PIECE_BYTES = 4 * 1024 * 1024


class Upload:
    """A file under way: what was announced, and what has arrived of it.

    Parameters
    ----------
    number : int
        What the front end calls it.
    size : int
        Bytes that were announced.
    name : str
        The file's name.
    """

    def __init__(self, number: int, size: int, name: str) -> None:
        self.number = number
        self.size = size
        self.name = name
        self.data = bytearray()

    def take(self, offset: Any, buffers: list[Any]) -> bool:
        """Add a piece; False, and nothing is added, unless it is the one that was asked for."""
        if not is_count(offset) or offset != len(self.data) or len(buffers) != 1:
            return False
        if not isinstance(buffers[0], bytes | bytearray | memoryview):
            return False
        piece = memoryview(buffers[0]).cast("B")
        if not 0 < len(piece) <= min(PIECE_BYTES, self.size - len(self.data)):
            return False
        self.data += piece
        return True


def is_count(value: Any) -> TypeGuard[int]:
    """Whether something that came from a browser is a number that counts things."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def thumbnail(picture: Picture, side: int = 96) -> str:
    """The middle of a picture, small and square, as a ``data:`` address."""
    cut = min(picture.width, picture.height)
    left, top = (picture.width - cut) // 2, (picture.height - cut) // 2
    square = Image.fromarray(picture.pixels[top : top + cut, left : left + cut])
    # reducing_gap: the middle of a photo of 60 megapixels in milliseconds.
    small = square.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return data_url(encode_image(np.asarray(small), "jpeg", 80))


def data_url(jpeg: bytes) -> str:
    """A JPEG file as a ``data:`` address."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
