"""Labelled pictures for training: the packed format, or a folder with one folder per class.

Both become one array of square uint8 pictures, decoded once and kept as a ``.npy`` file that is mapped into
memory, because decoding them anew at every epoch would cost more than a step with large patches.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from explorer.errors import ExplorerError, Phrase

__all__ = ["ClassName", "PictureSet", "Split", "load_pictures", "read_labels", "split_pictures", "write_labels"]

_LABEL_COLUMNS = ("wordnet_id", "name_en", "name_ja")
_PICTURE_ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class ClassName:
    """What one class is called; of a teacher's own folder, all three are the folder's name."""

    wordnet_id: str
    name_en: str
    name_ja: str


@dataclass(frozen=True)
class PictureSet:
    """Labelled pictures.

    Attributes
    ----------
    pixels : (M, S, S, 3) uint8
    labels : (M,) int64
        Row numbers of ``classes``.
    classes : tuple of ClassName
    """

    pixels: np.ndarray
    labels: np.ndarray
    classes: tuple[ClassName, ...]


@dataclass(frozen=True)
class Split:
    """Which pictures of a set are trained on and which are held back, as sorted indices."""

    train: np.ndarray
    validation: np.ndarray


def load_pictures(source: Path, image_size: int, cache: Path) -> PictureSet:
    """Read labelled pictures, decoding them once.

    Parameters
    ----------
    source : Path
        A folder with ``train.npz`` and ``classes.tsv`` (the packed format), or with one folder of pictures per
        class.
    image_size : int
        Side of the square that each picture is cut and scaled to.
    cache : Path
        Folder for the decoded pictures.

    Raises
    ------
    ExplorerError
        ``training-data-missing``, ``-empty``, ``-one-class``, ``-picture`` or ``-packed``.
    """
    if not source.is_dir():
        raise ExplorerError("training-data-missing", path=str(source))
    if (source / "train.npz").is_file():
        return _load_packed(source, image_size, cache)
    return _load_folder(source, image_size, cache)


def split_pictures(labels: np.ndarray, per_class: int) -> Split:
    """Hold back the last pictures of each class.

    Parameters
    ----------
    labels : (M,) int
    per_class : int
        How many; of a class with few pictures at most a fifth, but one at least if it has two.
    """
    validation: list[np.ndarray] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        held = min(per_class, max(len(members) // 5, 1 if len(members) > 1 else 0))
        validation.append(members[len(members) - held :])
    held_back = np.sort(np.concatenate(validation)) if validation else np.empty(0, np.int64)
    return Split(np.setdiff1d(np.arange(len(labels)), held_back), held_back)


def read_labels(path: Path) -> tuple[ClassName, ...]:
    """Read ``classes.tsv`` or ``labels.tsv``."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            # As it is written: a quotation mark is a letter of the name.
            rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        return tuple(ClassName(*(row[column] for column in _LABEL_COLUMNS)) for row in rows)
    except (OSError, KeyError, TypeError, UnicodeDecodeError, csv.Error) as error:
        raise ExplorerError("training-data-packed", path=str(path), problem=str(error)) from error


def write_labels(path: Path, classes: Sequence[ClassName]) -> None:
    """Write ``labels.tsv``, one class a row."""
    lines = ["\t".join(_LABEL_COLUMNS), *(f"{c.wordnet_id}\t{c.name_en}\t{c.name_ja}" for c in classes)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _load_packed(source: Path, image_size: int, cache: Path) -> PictureSet:
    archive = source / "train.npz"
    classes = read_labels(source / "classes.tsv")
    try:
        # No object arrays, no unpickling: NumPy refuses them unless asked.
        with np.load(archive) as content:
            data, offsets, labels = content["webp"], content["offsets"], content["labels"].astype(np.int64)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ExplorerError("training-data-packed", path=str(archive), problem=str(error)) from error
    if len(labels) == 0:
        raise ExplorerError("training-data-empty", path=str(archive))
    if (
        len(offsets) != len(labels) + 1
        or np.any(np.diff(offsets) < 0)
        or offsets[0] < 0
        or offsets[-1] > len(data)
        or labels.min() < 0
        or labels.max() >= len(classes)
    ):
        raise ExplorerError("training-data-packed", path=str(archive), problem=Phrase("training.problem.packed-parts"))
    if len(np.unique(labels)) < 2:
        raise ExplorerError("training-data-one-class", path=str(source))

    def pictures() -> Iterator[tuple[str, bytes]]:
        for index in range(len(labels)):
            yield f"train.npz[{index}]", data[offsets[index] : offsets[index + 1]].tobytes()

    key = hashlib.sha256(data.tobytes()).hexdigest()
    return PictureSet(_decoded(pictures(), len(labels), image_size, cache, key), labels, classes)


def _load_folder(source: Path, image_size: int, cache: Path) -> PictureSet:
    folders = sorted(item for item in source.iterdir() if item.is_dir() and not item.name.startswith("."))
    members = [
        sorted(
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in _PICTURE_ENDINGS and not path.name.startswith(".") and not path.is_dir()
        )
        for folder in folders
    ]
    if not any(members):
        raise ExplorerError("training-data-empty", path=str(source))
    for folder, paths in zip(folders, members, strict=True):
        if not paths:
            raise ExplorerError("training-data-empty", path=str(folder))
    if len(folders) < 2:
        raise ExplorerError("training-data-one-class", path=str(source))
    paths = [path for group in members for path in group]
    labels = np.repeat(np.arange(len(folders)), [len(group) for group in members]).astype(np.int64)
    try:
        facts = [(str(path.relative_to(source)), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    except OSError as error:  # a link to what is not there
        raise ExplorerError("training-data-picture", path=str(error.filename), problem=str(error.strerror)) from error
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    pictures = ((str(path), _read(path)) for path in paths)
    pixels = _decoded(pictures, len(paths), image_size, cache, key)
    # A tab or a line end in a folder's name would be another column or row of labels.tsv.
    names = [" ".join(folder.name.split()) for folder in folders]
    return PictureSet(pixels, labels, tuple(ClassName(name, name, name) for name in names))


def _decoded(pictures: Iterable[tuple[str, bytes]], count: int, image_size: int, cache: Path, key: str) -> np.ndarray:
    target = cache / f"{key[:16]}-{image_size}.npy"
    shape = (count, image_size, image_size, 3)
    # One that was cut off by a full disk is made anew.
    with contextlib.suppress(OSError, EOFError, ValueError):
        pixels: np.ndarray = np.load(target, mmap_mode="r")
        if pixels.shape == shape and pixels.dtype == np.uint8:
            return pixels
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = cache / f"{target.name}.{os.getpid()}.part"
    try:
        array = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
        for index, (name, content) in enumerate(pictures):
            array[index] = _square(name, content, image_size)
        array.flush()
        del array
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    loaded: np.ndarray = np.load(target, mmap_mode="r")
    return loaded


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExplorerError("training-data-picture", path=str(path), problem=str(error.strerror)) from error


def _square(name: str, content: bytes, image_size: int) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content)) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError as error:
        problem = Phrase("training.problem.no-picture")
        raise ExplorerError("training-data-picture", path=name, problem=problem) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ExplorerError("training-data-picture", path=name, problem=str(error)) from error
    if picture.size != (image_size, image_size):
        picture = ImageOps.fit(picture, (image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(picture)
