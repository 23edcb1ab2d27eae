"""The photos that come with the explorer, for whoever has none at hand."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256

import numpy as np
from PIL import Image

from explorer.images import Picture, encode_image, open_picture
from explorer.resources import assets_path

__all__ = ["Sample", "open_sample", "sample", "sample_of", "sample_thumbnail", "samples"]


@dataclass(frozen=True)
class Sample:
    """A photo in ``assets/samples``.

    Parameters
    ----------
    id : str
        Its short name (``chelsea``).
    file : str
        The file's name.
    title_key : str
        Catalogue key of its title (``pictures.sample-chelsea``).
    credit, licence, source : str
        Who made it, under which terms it may be used, and where it was taken from.
    """

    id: str
    file: str
    title_key: str
    credit: str
    licence: str
    source: str


@cache
def samples() -> tuple[Sample, ...]:
    """Every sample photo, in the order of the menu."""
    table = tomllib.loads(assets_path("samples", "samples.toml").read_text("utf-8"))
    return tuple(
        Sample(
            id=entry["id"],
            file=entry["file"],
            title_key=f"pictures.sample-{entry['id']}",
            credit=entry["credit"],
            licence=entry["licence"],
            source=entry["source"],
        )
        for entry in table["sample"]
    )


def sample(sample_id: str) -> Sample:
    """The sample of that name.

    Raises
    ------
    KeyError
        If there is none.
    """
    for entry in samples():
        if entry.id == sample_id:
            return entry
    raise KeyError(f"no sample is called {sample_id!r}; there are {', '.join(entry.id for entry in samples())}")


@lru_cache(maxsize=4)
def open_sample(sample_id: str) -> Picture:
    """A sample photo, decoded (see :func:`explorer.images.open_picture`).

    Raises
    ------
    KeyError
        If no sample has that name.
    """
    entry = sample(sample_id)
    return open_picture(assets_path("samples", entry.file).read_bytes(), entry.file)


def sample_of(digest: str) -> str | None:
    """Name of the sample whose file has a digest (:attr:`explorer.images.Picture.digest`); None for any other."""
    return _by_digest().get(digest)


@cache
def _by_digest() -> dict[str, str]:
    return {sha256(assets_path("samples", entry.file).read_bytes()).hexdigest(): entry.id for entry in samples()}


@cache
def sample_thumbnail(sample_id: str, side: int = 96) -> bytes:
    """The middle of a sample photo as a small square JPEG.

    Raises
    ------
    KeyError
        If no sample has that name.
    """
    entry = sample(sample_id)
    with Image.open(assets_path("samples", entry.file), formats=("JPEG",)) as image:
        cut = min(image.size)
        left, top = (image.width - cut) // 2, (image.height - cut) // 2
        small = image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS, (left, top, left + cut, top + cut))
    return encode_image(np.asarray(small), "jpeg", quality=80)
