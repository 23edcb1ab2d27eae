"""A head that was put on a model (slide 27), and its file: safetensors, names as JSON, checked, never unpickled."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.arrays import ModelArrays
from explorer.errors import ExplorerError
from explorer.files import write_file
from explorer.novelty import Rate
from explorer.numerics import Array
from explorer.weights import read_tensors

__all__ = ["MAX_CLASSES", "NewHead", "clean_class_name", "fingerprint"]

#: Most classes of a head.
MAX_CLASSES = 10

#: What our files say of themselves.
_FORMAT = "vit-explorer-head-1"
#: A head of ten classes on the widest ViT is 60 kB.
_MAX_BYTES = 5_000_000
#: Most characters of a class's name, and of a model's in a message.
_NAME_LENGTH, _MODEL_LENGTH = 40, 120
#: Largest weight, bias and loss of a file: even the logits of the widest model stay finite with it.
_LARGEST = 1e25


@dataclass(frozen=True, eq=False, kw_only=True)
class NewHead:
    """A linear head for classes of one's own.

    Attributes
    ----------
    weight : (D, K) array
    bias : (K,) array
    classes : tuple of str
        Names of the classes.
    losses : (steps + 1,) array
        Mean cross-entropy of all pictures, from the start (log K: at zero every class is as likely) to the end.
    targets : (n,) int64 array
        The class of every picture that it was trained with.
    left_out_answers : (n,) int64 array
        What a head says of each that was trained with the others alone.
    leave_one_out : Rate
        How many of these are right.
    model : str
        Name of the model.
    fingerprint : str
        By which the model's weights are known again.
    patch_size, image_size : int
        What the model ran at.
    """

    weight: Array
    bias: Array
    classes: tuple[str, ...]
    losses: Array
    targets: NDArray[np.int64]
    left_out_answers: NDArray[np.int64]
    leave_one_out: Rate
    model: str
    fingerprint: str
    patch_size: int
    image_size: int

    def __call__(self, vector: Array) -> Array:
        """Logits (…, K) of vectors (…, D), such as ``trace.y.mean(axis=0)``."""
        logits: Array = vector @ self.weight + self.bias
        return logits

    def check_model(self, arrays: ModelArrays, name: str) -> None:
        """Refuse another model than the one that this head was trained on, or whose vectors it does not fit.

        Raises
        ------
        ExplorerError
            ``head-other-model``.
        """
        if fingerprint(arrays) != self.fingerprint or len(self.weight) != arrays.spec.dim:
            raise ExplorerError("head-other-model", name=name, wanted=self.model)

    def to_bytes(self) -> bytes:
        """The file's content."""
        from safetensors.numpy import save

        metadata = {
            "format": _FORMAT,
            "head": json.dumps(
                {
                    "classes": self.classes,
                    "model": self.model,
                    "fingerprint": self.fingerprint,
                    "patch_size": self.patch_size,
                    "image_size": self.image_size,
                    "targets": self.targets.tolist(),
                    "left_out_answers": self.left_out_answers.tolist(),
                },
                ensure_ascii=False,
            ),
        }
        tensors = {"weight": self.weight, "bias": self.bias, "losses": self.losses}
        return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, metadata=metadata)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file.

        Raises
        ------
        ExplorerError
            ``file-not-writable``.
        """
        write_file(Path(path), self.to_bytes())

    @staticmethod
    def load(path: str | os.PathLike[str]) -> NewHead:
        """Read what :meth:`save` wrote; see :meth:`from_bytes`."""
        place = Path(path)
        try:
            if place.stat().st_size > _MAX_BYTES:
                raise ExplorerError("head-unreadable", file=place.name)
            content = place.read_bytes()
        except OSError as error:
            raise ExplorerError("head-unreadable", file=place.name) from error
        return NewHead.from_bytes(content, place.name)

    @staticmethod
    def from_bytes(content: bytes, file: str = "") -> NewHead:
        """Read a file's content, having checked all that is in it.

        Parameters
        ----------
        content : bytes
        file : str
            What messages call it.

        Raises
        ------
        ExplorerError
            ``head-unreadable``, if it is no head of ours, or damaged.
        """
        try:
            if len(content) > _MAX_BYTES:
                raise ValueError("too large")
            tensors, metadata = read_tensors(content)
            if metadata.get("format") != _FORMAT:
                raise ValueError("another format")
            return _checked(tensors, json.loads(metadata["head"]))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ExplorerError("head-unreadable", file=file) from error


def fingerprint(arrays: ModelArrays) -> str:
    """By which a model's layers are known again, under whatever name and at whatever size they are loaded."""
    digest = hashlib.sha256()
    # The first and the last layer tell models apart; all of a large one would take a tenth of a second.
    for block in (arrays.blocks[0], arrays.blocks[-1]):
        digest.update(np.ascontiguousarray(block.qkv.weight).tobytes())
    return digest.hexdigest()[:32]


def clean_class_name(name: str) -> str:
    """A class's name as a head has it: on one line, no control or direction characters, at most 40 characters."""
    return _plain(name, _NAME_LENGTH)


def _plain(words: str, length: int) -> str:
    hidden = {"Cc", "Cf", "Cs"}
    kept = "".join(char for char in words if char.isspace() or unicodedata.category(char) not in hidden)
    return " ".join(kept.split())[:length].rstrip()


def _checked(tensors: dict[str, Array], said: object) -> NewHead:
    if not isinstance(said, dict):
        raise TypeError("the description is no table")
    names = said["classes"]
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError("names that are none")
    # Half a surrogate pair stops every message to the page, and a turned line says something else than it seems to.
    if len(set(names)) < len(names) or any(name != clean_class_name(name) for name in names):
        raise ValueError("names that cannot have been given")
    weight, bias, losses = (tensors[name] for name in ("weight", "bias", "losses"))
    count = len(names)
    if not 2 <= count <= MAX_CLASSES or weight.ndim != 2 or weight.shape[1] != count or bias.shape != (count,):
        raise ValueError("as many names as columns are needed, and not more than can be trained")
    if losses.ndim != 1 or not losses.size or (losses < 0).any():
        raise ValueError("losses that are none")
    # So asked, what is not a number is refused, too.
    if not all((np.abs(tensor) <= _LARGEST).all() for tensor in (weight, bias, losses)):
        raise ValueError("numbers that no training gives")
    targets, answers = (_checked_classes(said[key], count) for key in ("targets", "left_out_answers"))
    if not targets.size or targets.shape != answers.shape:
        raise ValueError("an answer for every picture is needed")
    sizes = [said["patch_size"], said["image_size"]]
    if not all(type(size) is int and 1 <= size <= 100_000 for size in sizes):
        raise ValueError("sizes that are none")
    model, known_by = said["model"], said["fingerprint"]
    if not isinstance(model, str) or not isinstance(known_by, str):
        raise TypeError("a model that is none")
    return NewHead(
        weight=weight,
        bias=bias,
        classes=tuple(names),
        losses=losses,
        targets=targets,
        left_out_answers=answers,
        leave_one_out=Rate(int((targets == answers).sum()), len(targets)),
        model=_plain(model, _MODEL_LENGTH),
        fingerprint=known_by,
        patch_size=sizes[0],
        image_size=sizes[1],
    )


def _checked_classes(said: object, count: int) -> NDArray[np.int64]:
    # A bool is an int, and NumPy would cut fractions off.
    if not isinstance(said, list) or not all(type(index) is int and 0 <= index < count for index in said):
        raise ValueError("classes that there are not")
    return np.array(said, dtype=np.int64)
