"""Traces as files: whole again after loading, and nothing bad from a bad file."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from explorer.engine import trace_pixels
from explorer.errors import ExplorerError
from explorer.interventions import Intervention
from explorer.trace import Trace

from .conftest import explorer_model, random_image

if TYPE_CHECKING:
    from explorer.models import ExplorerModel

STORED = ("image", "patches", "tokens", "z", "q", "k", "v", "output", "patch_index")
WORKED_OUT = ("patch_embeddings", "prefix_tokens", "pos_embed", "final_tokens", "y")
OF_BLOCKS = ("norm1", "attention", "msa", "z_mid", "norm2", "mlp_pre", "mlp_hidden", "mlp")


def traced(model: ExplorerModel, intervention: Intervention | None = None) -> Trace:
    return trace_pixels(model.model, model.arrays, random_image(model.spec.image_size), intervention)


def assert_same(one: Trace, other: Trace) -> None:
    assert one.spec == other.spec
    assert one.intervention == other.intervention
    assert (one.grid, one.prefix_names, one.patch_size) == (other.grid, other.prefix_names, other.patch_size)
    for name in STORED + WORKED_OUT:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for ours, theirs in zip(one.blocks, other.blocks, strict=True):
        for name in OF_BLOCKS:
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-5, err_msg=name)


def test_a_loaded_trace_works_everything_out(any_model: ExplorerModel, tmp_path: Path) -> None:
    trace = traced(any_model)
    trace.save(tmp_path / "trace.npz")
    loaded = Trace.load(tmp_path / "trace.npz")
    assert_same(trace, loaded)
    np.testing.assert_allclose(loaded.arrays.classify(loaded.y), trace.output, atol=1e-4, rtol=1e-4)
    if trace.probs is not None:
        np.testing.assert_array_equal(loaded.probs, trace.probs)
    assert [path.name for path in tmp_path.iterdir()] == ["trace.npz"]


def test_an_intervention_is_kept(plain_model: ExplorerModel, tmp_path: Path) -> None:
    change = Intervention(
        pos_embed=np.ones((16, 192)), permutation=range(15, -1, -1), kept=[1, 5], masked_heads=[(1, 2)], mlp_off=[0]
    )
    trace = traced(plain_model, change)
    trace.save(tmp_path / "trace.npz")
    assert_same(trace, Trace.load(tmp_path / "trace.npz"))


def test_without_weights_a_file_is_small_and_weights_can_be_attached(
    plain_model: ExplorerModel, tmp_path: Path
) -> None:
    trace = traced(plain_model)
    trace.save(tmp_path / "whole.npz")
    trace.save(tmp_path / "small.npz", weights=False)
    assert (tmp_path / "small.npz").stat().st_size < 0.2 * (tmp_path / "whole.npz").stat().st_size
    loaded = Trace.load(tmp_path / "small.npz")
    np.testing.assert_array_equal(loaded.logits, trace.logits)
    np.testing.assert_allclose(loaded.blocks[1].attention, trace.blocks[1].attention, atol=1e-6)
    with pytest.raises(ExplorerError) as failure:
        _ = loaded.blocks[0].norm1
    assert failure.value.code == "trace-without-weights"
    assert_same(loaded.with_arrays(plain_model.arrays), trace)


def test_a_trace_can_be_pickled(plain_model: ExplorerModel) -> None:
    trace = traced(plain_model)
    assert_same(pickle.loads(pickle.dumps(trace)), trace)  # noqa: S301 - our own bytes


def bad_files(tmp_path: Path) -> dict[str, Path]:
    trace = traced(explorer_model("plain"))
    good = tmp_path / "good.npz"
    trace.save(good)
    with np.load(good) as file:
        arrays = {name: file[name] for name in file.files}
    facts = json.loads(str(arrays["facts"]))

    def variant(name: str, **changes: Any) -> Path:
        path = tmp_path / f"{name}.npz"
        with open(path, "wb") as stream:
            np.savez(stream, **{key: value for key, value in (arrays | changes).items() if value is not None})
        return path

    def told(name: str, **changes: Any) -> Path:
        return variant(name, facts=np.array(json.dumps(facts | changes)))

    text, cut, empty, other = (tmp_path / name for name in ("text.npz", "cut.npz", "empty.npz", "other.npz"))
    text.write_text("not a trace")
    cut.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    empty.write_bytes(b"")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "hello")
    return {
        "text": text,
        "cut": cut,
        "empty": empty,
        "other": other,
        "missing": variant("missing", z=None),
        "shape": variant("shape", z=arrays["z"][:1]),
        "kind": variant("kind", q=arrays["q"].astype(np.float64)),
        "pickled": variant("pickled", patches=np.array([{"a": 1}], dtype=object)),
        "facts": variant("facts", facts=np.array("{")),
        "format": told("format", format="something else"),
        "spec": told("spec", spec={"name": "x"}),
        "class": told("class", weights={"type": "Popen", "args": "true"}),
        "weights": told(
            "weights", weights={"type": "NormArrays", "kind": "rms", "eps": 1, "weight": None, "bias": None}
        ),
        "change": told("change", intervention={"pos_embed": "own", "kept": []}),
    }


def test_a_bad_file_is_refused_in_words(tmp_path: Path) -> None:
    for name, path in bad_files(tmp_path).items():
        with pytest.raises(ExplorerError) as failure:
            Trace.load(path)
        assert failure.value.code == "trace-unreadable", name
        assert path.name in str(failure.value)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Trace.load(tmp_path / "nowhere.npz")
