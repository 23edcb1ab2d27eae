"""Traces as ``.npz`` files: plain arrays and one JSON text, never a pickle.

The weights are written field by field, under names like ``weights.blocks.3.qkv.weight``; what is no array goes into
the JSON text. A file comes from anywhere: what is read is checked before it is used.
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from explorer import arrays as weight_types
from explorer.errors import ExplorerError
from explorer.interventions import Intervention
from explorer.specs import ModelSpec
from explorer.trace import Trace
from explorer.trace_check import check_trace

__all__ = ["load_trace", "save_trace"]

_FORMAT = "vit-explorer-trace-1"
_STORED = ("image", "patches", "tokens", "z", "q", "k", "v", "output", "patch_index")
_TYPES = {name: getattr(weight_types, name) for name in weight_types.__all__}
#: What zipfile, NumPy, json and our own classes raise at a file that is damaged, or made to be odd. Encrypted members
#: and endless nesting are RuntimeErrors.
_STUMBLES = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError),
    *(MemoryError, struct.error, zipfile.BadZipFile, ExplorerError),
)


def save_trace(trace: Trace, path: str | os.PathLike[str], *, weights: bool = True) -> None:
    """Write a trace; see :meth:`explorer.trace.Trace.save`."""
    stored: dict[str, NDArray[Any]] = {name: getattr(trace, name) for name in _STORED}
    facts: dict[str, Any] = {
        "format": _FORMAT,
        "spec": asdict(trace.spec),
        "patch_size": trace.patch_size,
        "image_size": trace.image_size,
        "grid": trace.grid,
        "prefix_names": trace.prefix_names,
        "intervention": trace.intervention.to_json(),
        "weights": None,
    }
    if trace.intervention.table is not None:
        stored["positions"] = trace.intervention.table
    if weights:
        facts["weights"] = _flatten(trace.arrays, "weights", stored)
    # A file that is half written must not be taken for a trace.
    unfinished = f"{os.fspath(path)}.part"
    try:
        with open(unfinished, "wb") as stream:
            np.savez(stream, allow_pickle=False, facts=np.array(json.dumps(facts)), **stored)
        os.replace(unfinished, path)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise


def load_trace(path: str | os.PathLike[str]) -> Trace:
    """Read a trace; see :meth:`explorer.trace.Trace.load`.

    Raises
    ------
    ExplorerError
        ``file-unreadable``, if there is no such file or it may not be read; ``trace-unreadable``, if it is none of
        ours, or damaged.
    """
    try:
        stream = open(path, "rb")  # noqa: SIM115 - closed below; what fails here is another failure
    except (OSError, ValueError) as error:
        raise ExplorerError("file-unreadable", file=os.fsdecode(path)) from error
    with stream:
        try:
            stored = _read(stream)
            facts = json.loads(str(stored.pop("facts")))
            if facts["format"] != _FORMAT:
                raise ValueError(facts["format"])
            trace = _rebuild(facts, stored)
            check_trace(trace)
        except _STUMBLES as error:
            raise ExplorerError("trace-unreadable", file=os.path.basename(os.fsdecode(path))) from error
    return trace


def _read(stream: BinaryIO) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz`` file; they take as much memory as the file has bytes, whatever it says of itself.

    NumPy's own reader makes room for the shape that a header names, before it sees how many numbers follow.
    """
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        size = stream.seek(0, os.SEEK_END)
        # We never compress; a few compressed bytes could unfold to gigabytes.
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("compressed")
        if sum(member.file_size for member in members) > size:
            raise ValueError("members that overlap")
        return {member.filename.removesuffix(".npy"): _array(archive.read(member)) for member in members}


def _array(content: bytes) -> NDArray[Any]:
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("a version that is not written here")
    shape, by_columns, kind = np.lib.format.read_array_header_1_0(stream)
    start = stream.tell()
    if kind.hasobject or start + math.prod(shape) * kind.itemsize != len(content):
        raise ValueError("a header that does not fit what follows")
    return np.ndarray(shape, kind, content, start, order="F" if by_columns else "C")


def _rebuild(facts: Mapping[str, Any], stored: Mapping[str, NDArray[Any]]) -> Trace:
    spec = _spec(facts["spec"])
    return Trace(
        spec=spec,
        patch_size=facts["patch_size"],
        image_size=facts["image_size"],
        grid=tuple(facts["grid"]),
        prefix_names=tuple(facts["prefix_names"]),
        intervention=Intervention.from_json(facts["intervention"], stored.get("positions")),
        weights=None if facts["weights"] is None else _unflatten(facts["weights"], "weights", stored, spec),
        **{name: stored[name] for name in _STORED},
    )


def _spec(values: Mapping[str, Any]) -> ModelSpec:
    facts: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return ModelSpec(**facts)


def _flatten(value: Any, name: str, stored: dict[str, NDArray[Any]]) -> Any:
    """Put the arrays of nested dataclasses into ``stored``; returns what is left, as JSON can hold it."""
    if isinstance(value, np.ndarray):
        stored[name] = value
        return {"array": name}
    if isinstance(value, tuple):
        return [_flatten(part, f"{name}.{number}", stored) for number, part in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, ModelSpec):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        # The trace has it already.
        parts.pop("spec", None)
        return {"type": type(value).__name__} | {
            key: _flatten(part, f"{name}.{key}", stored) for key, part in parts.items()
        }
    return value


def _unflatten(value: Any, name: str, stored: Mapping[str, NDArray[Any]], spec: ModelSpec) -> Any:
    if isinstance(value, list):
        return tuple(_unflatten(part, f"{name}.{number}", stored, spec) for number, part in enumerate(value))
    if not isinstance(value, dict):
        return value
    if "array" in value:
        array = np.asarray(stored[value["array"]], dtype=np.float32)
        array.setflags(write=False)
        return array
    parts = {key: _unflatten(part, f"{name}.{key}", stored, spec) for key, part in value.items() if key != "type"}
    if value["type"] == "ModelArrays":
        parts["spec"] = spec
    return _TYPES[value["type"]](**parts)
