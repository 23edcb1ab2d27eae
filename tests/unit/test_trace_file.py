"""Traces as files: whole again after loading, and nothing bad from a bad file."""

from __future__ import annotations

import io
import json
import pickle
import tracemalloc
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
EMPTY_NORM = {"weight": None, "bias": None}
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

    def specified(label: str, **changes: Any) -> Path:
        """Without weights, as they would be wrong, too."""
        path = tmp_path / f"spec_{label}.npz"
        described = np.array(json.dumps(facts | {"spec": facts["spec"] | changes, "weights": None}))
        np.savez(path, allow_pickle=False, facts=described, **{name: arrays[name] for name in STORED})
        return path

    def weighed(name: str, place: str, value: Any) -> Path:
        """With another fact about the weights."""
        changed = json.loads(json.dumps(facts["weights"]))
        *way, last = place.split(".")
        part = changed
        for step in way:
            part = part[int(step) if step.isdecimal() else step]
        part[last] = value
        return told(f"weights_{name}", weights=changed)

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
        "change_layer": told("change_layer", intervention={"pos_embed": "own", "msa_off": [2]}),
        "change_order": told("change_order", intervention={"pos_embed": "own", "permutation": [1, 0, *range(2, 16)]}),
        "infinite": told("infinite", patch_size=float("inf")),
        "infinite_patch": told("infinite_patch", intervention={"pos_embed": "own", "masked": [float("inf")]}),
        "grid": told("grid", grid=[2, 8]),
        "prefix": told("prefix", prefix_names=["REG1"]),
        "half_a_patch": told("half_a_patch", patch_size=16.0),
        "index": variant("index", patch_index=arrays["patch_index"][::-1].copy()),
        "nested": variant("nested", facts=np.array("[" * 100_000)),
        "no_array": variant("no_array", patches=np.float32(1)),
        "spec_nan": specified("nan", mean=[float("nan"), 0.5, 0.5]),
        "spec_colours": specified("colours", mean=[0.5, 0.5]),
        "spec_std": specified("std", std=[0.0, 0.5, 0.5]),
        "spec_crop": specified("crop", crop_pct=1e-320),
        "spec_crop_mode": specified("crop_mode", crop_mode="border"),
        "spec_interpolation": specified("interpolation", interpolation="magic"),
        "spec_pooling": specified("pooling", pooling="median"),
        "spec_prefix": specified("prefix", prefix_names=["<b>"]),
        "spec_patch": specified("patch", patch_size=0),
        "spec_true": specified("true", random_weights=1),
        "spec_name": specified("name", name=None),
        "spec_depth": specified("depth", depth=10**400),
        "weights_activation": weighed("activation", "blocks.1.mlp.activation", "magic"),
        "weights_norm": weighed("norm", "blocks.0.norm1.kind", "batch"),
        "weights_eps": weighed("eps", "norm.eps", float("nan")),
        "weights_heads": weighed("heads", "blocks.0.heads", 2),
        "weights_bias": weighed("bias", "blocks.0.qkv.bias", {"array": "z"}),
        "weights_proj": weighed("proj", "blocks.0.proj.weight", {"array": "weights.blocks.0.qkv.weight"}),
        "weights_list": weighed("list", "heads", []),
        "weights_pool": weighed("pool", "pool", {"type": "NormArrays", "kind": "rms", "eps": 1.0} | EMPTY_NORM),
    }


def test_a_bad_file_is_refused_in_words(tmp_path: Path) -> None:
    for name, path in bad_files(tmp_path).items():
        with pytest.raises(ExplorerError) as failure:
            Trace.load(path)
        assert failure.value.code == "trace-unreadable", name
        assert path.name in str(failure.value)


def zipped(path: Path, members: dict[str, bytes], **settings: Any) -> Path:
    with zipfile.ZipFile(path, "w", **settings) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, described)  # type: ignore[no-untyped-call]
    return stream.getvalue()


def test_a_file_that_promises_too_much_costs_nothing(tmp_path: Path) -> None:
    """Shapes of terabytes, zeros that unfold to them, and members that share their bytes."""
    huge = zipped(tmp_path / "huge.npz", {"image.npy": header((10**12,)) + b"0000"})
    negative = zipped(tmp_path / "negative.npz", {"image.npy": header((-1, -1)) + b"0000"})
    bomb = zipped(tmp_path / "bomb.npz", {"z.npy": bytes(10_000_000)}, compression=zipfile.ZIP_DEFLATED)
    packed = bytearray(bomb.read_bytes())
    packed[60:100] = bytes(value ^ 255 for value in packed[60:100])
    (tmp_path / "damaged.npz").write_bytes(packed)
    secret = bytearray(zipped(tmp_path / "secret.npz", {"facts.npy": b"x"}).read_bytes())
    # The flag for encrypted members, at the member and in the directory.
    secret[6] |= 1
    secret[secret.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "secret.npz").write_bytes(secret)
    for path in (huge, negative, bomb, tmp_path / "damaged.npz", tmp_path / "secret.npz"):
        tracemalloc.start()
        try:
            with pytest.raises(ExplorerError) as failure:
                Trace.load(path)
            assert tracemalloc.get_traced_memory()[1] < 2_000_000, path.name
        finally:
            tracemalloc.stop()
        assert failure.value.code == "trace-unreadable", path.name


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.npz", tmp_path, str(tmp_path / "nul\0.npz")):
        with pytest.raises(ExplorerError) as failure:
            Trace.load(path)
        assert failure.value.code == "file-unreadable"
        assert str(path) in str(failure.value)
