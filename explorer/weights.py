"""Looking at a model's folder without opening its weights: the configuration, and the header of a safetensors file.

A safetensors file is a length, a JSON table of names, types, shapes and places, and the numbers themselves. The table
tells how long the file has to be, so that one that was cut off is recognised in a millisecond, with nothing loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.errors import ExplorerError

__all__ = [
    "CONFIG_NAME",
    "WEIGHTS_NAME",
    "TensorEntry",
    "check_model_folder",
    "read_config",
    "read_tensors",
    "weights_header",
]

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"

#: Files that hold weights in a form that can run code when it is opened.
_UNSAFE_SUFFIXES = (".bin", ".pth", ".pt", ".ckpt", ".pkl")

#: The format's own limit of its header.
_MAX_HEADER = 100_000_000

#: A configuration is some kilobytes; 21,843 names of classes are some hundred.
_MAX_CONFIG = 20_000_000

_ITEM_BITS: Mapping[str, int] = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"), 8),
}


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a safetensors file: type and shape."""

    dtype: str
    shape: tuple[int, ...]


def check_model_folder(folder: Path) -> None:
    """Raise an :class:`ExplorerError` that says what is wrong, unless the folder holds a whole model.

    Raises
    ------
    ExplorerError
        ``model-folder-missing``, ``model-folder-no-config``, ``model-folder-bad-config``,
        ``model-folder-unsafe`` (only a file that could run code), ``model-folder-no-weights`` or ``model-corrupt``.
    """
    if not folder.is_dir():
        raise ExplorerError("model-folder-missing", folder=str(folder))
    read_config(folder)
    weights = folder / WEIGHTS_NAME
    if not weights.is_file():
        unsafe = [entry.name for entry in sorted(folder.iterdir()) if entry.suffix in _UNSAFE_SUFFIXES]
        if unsafe:
            raise ExplorerError("model-folder-unsafe", folder=str(folder), file=unsafe[0])
        raise ExplorerError("model-folder-no-weights", folder=str(folder))
    weights_header(weights)


def read_config(folder: Path) -> Mapping[str, object]:
    """The folder's ``config.json``: a table with at least an ``architecture``.

    Raises
    ------
    ExplorerError
        ``model-folder-no-config`` or ``model-folder-bad-config``.
    """
    path = folder / CONFIG_NAME
    if not path.is_file():
        raise ExplorerError("model-folder-no-config", folder=str(folder))
    try:
        if path.stat().st_size > _MAX_CONFIG:
            raise ValueError("too long")
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ExplorerError("model-folder-bad-config", folder=str(folder)) from error
    if not isinstance(config, dict) or not isinstance(config.get("architecture"), str):
        raise ExplorerError("model-folder-bad-config", folder=str(folder))
    return config


def weights_header(path: Path) -> Mapping[str, TensorEntry]:
    """Names, types and shapes of a safetensors file, having checked that the file is whole.

    Raises
    ------
    ExplorerError
        ``model-corrupt``: no safetensors header, or longer or shorter than the header says.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(_MAX_HEADER, size - 8):
                raise ValueError("the header does not fit the file")
            table = json.loads(stream.read(length))
        table.pop("__metadata__", None)
        if _end_of(table) != size - 8 - length:
            raise ValueError("the file is not as long as its header says")
        return {name: TensorEntry(str(entry["dtype"]), tuple(entry["shape"])) for name, entry in table.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExplorerError("model-corrupt", file=path.name) from error


def read_tensors(content: bytes) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """The tensors of a small safetensors file that is in memory, and what it says of itself.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    tensors : dict of read-only float32 arrays
    metadata : dict of str
        Empty where there is none.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError or RecursionError
        If this is no safetensors file, is damaged, or holds other numbers than float32.
    """
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= len(content) - 8:
        raise ValueError("the header does not fit the file")
    table = json.loads(content[8 : 8 + length])
    metadata = table.pop("__metadata__", {})
    if not all(isinstance(value, str) for value in metadata.values()):
        raise TypeError("metadata that is no text")
    numbers = memoryview(content)[8 + length :]
    if _end_of(table) != len(numbers):
        raise ValueError("the file is not as long as its header says")
    tensors = {}
    for name, entry in table.items():
        if entry["dtype"] != "F32":
            raise TypeError("numbers that are not float32")
        start, stop = entry["data_offsets"]
        tensors[name] = np.frombuffer(numbers[start:stop], dtype="<f4").reshape(entry["shape"])
    return tensors, metadata


def _end_of(table: Mapping[str, Any]) -> int:
    """Where the last tensor ends; every tensor must follow the one before, with no hole and no overlap."""
    end = 0
    for entry in sorted(table.values(), key=lambda entry: tuple(entry["data_offsets"])):
        start, stop = entry["data_offsets"]
        bits = _ITEM_BITS[str(entry["dtype"])]
        for side in entry["shape"]:
            if not isinstance(side, int) or side < 0:
                raise ValueError("a side that is no size")
            bits *= side
        if start != end or 8 * (stop - start) != bits:
            raise ValueError("tensors that overlap or leave a hole")
        end = stop
    return end
