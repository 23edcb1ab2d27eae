"""Traces as ``.npz`` files: plain arrays and one JSON text, never a pickle.

The weights are written field by field, under names like ``weights.blocks.3.qkv.weight``; what is no array goes into
the JSON text. A file comes from anywhere: what is read is checked before it is used.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer import arrays as weight_types
from explorer.arrays import ModelArrays
from explorer.errors import ExplorerError
from explorer.interventions import Intervention
from explorer.specs import ModelSpec
from explorer.trace import Trace

__all__ = ["load_trace", "save_trace"]

_FORMAT = "vit-explorer-trace-1"
_STORED = ("image", "patches", "tokens", "z", "q", "k", "v", "output", "patch_index")
_TYPES = {name: getattr(weight_types, name) for name in weight_types.__all__}


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
    """Read a trace; see :meth:`explorer.trace.Trace.load`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in file.files}
        facts = json.loads(str(stored.pop("facts")))
        if facts["format"] != _FORMAT:
            raise ValueError(facts["format"])
        trace = _rebuild(facts, stored)
        _check(trace)
    except FileNotFoundError:
        raise
    except (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, zipfile.BadZipFile) as error:
        raise ExplorerError("trace-unreadable", file=os.path.basename(os.fspath(path))) from error
    return trace


def _rebuild(facts: Mapping[str, Any], stored: Mapping[str, NDArray[Any]]) -> Trace:
    spec = _spec(facts["spec"])
    return Trace(
        spec=spec,
        patch_size=int(facts["patch_size"]),
        image_size=int(facts["image_size"]),
        grid=(int(facts["grid"][0]), int(facts["grid"][1])),
        prefix_names=tuple(str(name) for name in facts["prefix_names"]),
        intervention=Intervention.from_json(facts["intervention"], stored.get("positions")),
        weights=None if facts["weights"] is None else _unflatten(facts["weights"], "weights", stored, spec),
        **{name: stored[name] for name in _STORED},
    )


def _check(trace: Trace) -> None:
    """Raise a ValueError unless the arrays fit each other."""
    spec, tokens = trace.spec, trace.num_tokens
    heads = (spec.depth, spec.heads, tokens, spec.head_dim)
    expected: dict[str, tuple[int, ...]] = {
        "image": (trace.image_size, trace.image_size, 3),
        "patches": (trace.num_patches, trace.patch_size**2 * 3),
        "tokens": (tokens, spec.dim),
        "z": (spec.depth + 1, tokens, spec.dim),
        "q": heads,
        "k": heads,
        "v": heads,
        "output": (spec.num_classes or spec.projection_dim or spec.dim,),
        "patch_index": (trace.num_patches,),
    }
    for name, shape in expected.items():
        value = getattr(trace, name)
        kind = np.uint8 if name == "image" else np.int64 if name == "patch_index" else np.float32
        if value.shape != shape or value.dtype != kind:
            raise ValueError(name)
    weights = trace.weights
    if weights is not None and (
        not isinstance(weights, ModelArrays)
        or len(weights.blocks) != spec.depth
        or weights.embed_weight.shape != (trace.patch_size**2 * 3, spec.dim)
        or weights.pos_embed.shape != (spec.num_prefix + trace.grid[0] * trace.grid[1], spec.dim)
    ):
        raise ValueError("weights")


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
