"""Loading models: by name, from folders, at other sizes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import explorer.models as models_module
from explorer import hub, load_model
from explorer.engine import normalise, trace_image, trace_pixels
from explorer.images import Picture
from explorer.models import ExplorerModel
from explorer.positions import sinusoidal_table
from explorer.torch_compat import import_timm
from tests.unit.model_folders import ARGUMENTS, code_of, write_folder

from .conftest import MODELS, explorer_model, random_image, timm_model

timm = import_timm()


def output_of(module: Any, model: ExplorerModel) -> Any:
    with torch.inference_mode():
        return module(normalise(random_image(64), model.spec)[None])[0].numpy()


def traced_output(model: ExplorerModel) -> Any:
    return trace_pixels(model.model, model.arrays, random_image(64)).output


# -- what works --------------------------------------------------------------------------------------------------------


def test_a_folder_is_loaded(folder: Path, module: Any) -> None:
    for name in (folder, str(folder)):
        model = load_model(name)
        np.testing.assert_allclose(traced_output(model), output_of(module, model), atol=1e-5)
    spec = model.spec
    assert (spec.image_size, spec.patch_size, spec.depth, spec.heads, spec.dim) == (64, 8, 2, 3, 48)
    assert (spec.mean, spec.std, spec.crop_pct) == ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3), 1.0)
    assert (spec.interpolation, spec.num_classes, spec.random_weights) == ("bilinear", 5, False)
    assert spec.prefix_names == ("CLS",)
    assert spec.trained_patch_sizes == (8,)
    assert model.name == str(folder)
    assert model.folder == folder


@pytest.mark.parametrize(("kind", "rows"), [("sin1d", 4), ("sin2d", 4), ("sin2d", 8)])
def test_a_table_that_was_never_trained_is_worked_out_anew(tmp_path: Path, module: Any, kind: Any, rows: int) -> None:
    with torch.no_grad():
        module.pos_embed[0, 1:] = torch.from_numpy(sinusoidal_table(kind, 8, 8, 48))
    model = load_model(write_folder(tmp_path / kind, module, dtype=torch.float16, position=kind))
    native = model.arrays.pos_embed.copy()
    # Also where the grid stays and all else changes.
    _, arrays = model.at(patch_size=16, image_size=16 * rows)
    np.testing.assert_array_equal(arrays.pos_embed[1:], sinusoidal_table(kind, rows, rows, 48))
    np.testing.assert_array_equal(model.model.pos_embed[0], native)
    # Other weights are no such table, nor is a word that we do not know.
    plain = load_model(write_folder(tmp_path / "learned", module, position="learned"))
    odd = load_model(write_folder(tmp_path / "odd", module, position=["sin1d"]))
    assert model.spec.frozen_positions == kind
    untrained = load_model(tmp_path / kind, pretrained=False)
    assert [each.spec.frozen_positions for each in (plain, odd, untrained)] == [""] * 3


def test_half_precision_becomes_float32(tmp_path: Path, module: Any) -> None:
    model = load_model(write_folder(tmp_path / "half", module, dtype=torch.float16))
    assert {parameter.dtype for parameter in model.model.parameters()} == {torch.float32}
    half: Any = timm.create_model("vit_tiny_patch16_224", **ARGUMENTS).eval()
    half.load_state_dict({name: value.half().float() for name, value in module.state_dict().items()})
    np.testing.assert_allclose(traced_output(model), output_of(half, model), atol=1e-5)


def test_patch_sizes_of_our_training_are_known(folder: Path) -> None:
    from explorer.training.settings import Stage, TrainSettings

    settings = TrainSettings(stages=(Stage(until=0.5, patches={8: 1.0}), Stage(until=1.0, patches={16: 0.5, 4: 0.5})))
    (folder / "settings.json").write_text(settings.to_json())
    assert load_model(folder).spec.trained_patch_sizes == settings.patch_sizes == (4, 8, 16)
    for odd in ("[]", "{", '{"stages": [{"patches": 7}]}', '{"stages": [{"patches": {"x": 1}}]}', '{"stages": 3}'):
        (folder / "settings.json").write_text(odd)
        assert load_model(folder).spec.trained_patch_sizes == (8,)


def test_timms_own_folders_are_read(tmp_path: Path, module: Any) -> None:
    from timm.models import save_for_hf

    save_for_hf(
        module, tmp_path / "timm", model_config={"num_classes": 5}, model_args=ARGUMENTS, safe_serialization=True
    )
    model = load_model(tmp_path / "timm")
    np.testing.assert_allclose(traced_output(model), output_of(module, model), atol=1e-5)


def test_bundled_models_go_by_their_folders_name(tmp_path: Path, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_module, "assets_path", tmp_path.joinpath)
    assert code_of(load_model) == "model-bundled-missing"
    write_folder(tmp_path / "models" / "flexi", module)
    write_folder(tmp_path / "models" / "other", module)
    for name in ("bundled", "flexi", "other"):
        model = load_model(name)
        assert model.name == model.spec.name == name
        assert len(traced_output(model)) == 5


def test_a_cached_model_of_timms_is_loaded_without_fetching(
    tmp_path: Path, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = write_folder(tmp_path / "cache", module)
    monkeypatch.setattr(hub, "cached", lambda name: cached)
    monkeypatch.setattr(hub, "fetch", lambda *_: pytest.fail("fetched"))
    model = load_model("vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    assert model.name == "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
    np.testing.assert_allclose(traced_output(model), output_of(module, model), atol=1e-5)


def test_a_model_that_is_not_cached_is_fetched(tmp_path: Path, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(name: str, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> Path:
        asked.append(name)
        progress(3, 9)
        assert not cancelled()
        return write_folder(tmp_path / "fetched", module)

    monkeypatch.setattr(hub, "cached", lambda name: None)
    monkeypatch.setattr(hub, "fetch", fetch)
    told: list[tuple[int, int]] = []
    model = load_model("timm/vit_tiny_patch16_224", progress=lambda *sizes: told.append(sizes), cancelled=lambda: False)
    assert asked == ["vit_tiny_patch16_224"]
    assert told == [(3, 9)]
    assert model.spec.num_classes == 5


@pytest.mark.filterwarnings("ignore:Mapping deprecated model")
def test_an_old_name_of_timms_is_fetched_by_its_new_one(
    tmp_path: Path, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    folder = write_folder(tmp_path / "cache", module)
    monkeypatch.setattr(hub, "cached", lambda name: asked.append(name) or folder)
    load_model("vit_tiny_patch16_224_in21k")
    assert asked == ["vit_tiny_patch16_224.augreg_in21k"]


def test_an_architecture_alone_needs_no_network_and_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cached", "fetch"):
        monkeypatch.setattr(hub, name, lambda *_: pytest.fail("asked the hub"))
    state = torch.random.get_rng_state()
    one, other = (load_model("vit_tiny_patch16_224", pretrained=False) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's random numbers are untouched"
    assert one.spec.random_weights
    assert one.spec.num_classes == 1000
    assert len(one.labels) == 1000
    np.testing.assert_array_equal(one.arrays.embed_weight, other.arrays.embed_weight)
    tagged = load_model("vit_tiny_patch16_224.augreg_in21k", pretrained=False)
    assert tagged.spec.num_classes == 21843


def test_a_folders_architecture_alone(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    spec = load_model(folder, pretrained=False).spec
    assert spec.random_weights
    assert spec.num_classes == 5


def test_what_clip_answers_is_no_class() -> None:
    model = explorer_model("clip")
    assert (model.spec.num_classes, model.spec.projection_dim) == (0, 512)
    trace = trace_pixels(model.model, model.arrays, random_image(64))
    assert trace.logits is None
    assert trace.output.shape == (512,)
    assert len(model.labels) == 0


def clip_folder(folder: Path, bias: float, **config: Any) -> Path:
    """A CLIP architecture with three outputs."""
    arguments = ARGUMENTS | {"num_classes": 3}
    module = timm.create_model("vit_base_patch32_clip_224", **arguments)
    torch.nn.init.constant_(module.head.bias, bias)
    described = {"architecture": "vit_base_patch32_clip_224", "num_classes": 3, "model_args": arguments}
    return write_folder(folder, module, **described | {"pretrained_cfg": {"num_classes": 3}} | config)


@pytest.mark.parametrize(
    ("bias", "config", "table", "classes"),
    [
        (0.0, {}, "", 0),  # as CLIP's own projection
        (0.1, {}, "", 3),
        (0.0, {"label_names": ["a", "b", "c"]}, "", 3),
        (0.0, {"pretrained_cfg": {"num_classes": 3, "label_names": ["a", "b", "c"]}}, "", 3),
        (0.0, {"label_names": ["a", "b"]}, "", 0),  # of another head
        (0.0, {}, "wordnet_id\tname_en\tname_ja\n" + "".join(f"n0000000{n}\t{n}\t{n}\n" for n in range(3)), 3),
    ],
)
def test_a_clip_that_was_fine_tuned_has_classes(
    tmp_path: Path, bias: float, config: dict[str, Any], table: str, classes: int
) -> None:
    folder = clip_folder(tmp_path / "clip", bias, **config)
    if table:
        (folder / "labels.tsv").write_text(table, "utf-8")
    model = load_model(folder)
    assert (model.spec.num_classes, model.spec.projection_dim) == (classes, 3 - classes)
    assert len(model.labels) == (classes if config or table else 0)
    assert (trace_pixels(model.model, model.arrays, random_image(64)).logits is None) == (classes == 0)


@pytest.mark.parametrize(
    ("kind", "names", "pooling"),
    [
        ("plain", ("CLS",), "token"),
        ("distilled", ("CLS", "DIST"), "token"),
        ("registers", ("CLS", "REG1", "REG2", "REG3", "REG4"), "token"),
        ("average", (), "avg"),
        ("fc_norm", ("REG1",), "avg"),
        ("attention_pool", (), "map"),
    ],
)
def test_prefix_tokens_have_names(kind: str, names: tuple[str, ...], pooling: str) -> None:
    spec = explorer_model(kind).spec
    assert spec.prefix_names == names
    assert spec.pooling == pooling


def test_flexivit_knows_what_it_was_trained_for() -> None:
    spec = load_model("flexivit_small", pretrained=False).spec
    assert {8, 16, 48} <= set(spec.trained_patch_sizes)
    assert spec.trained_image_sizes == (240,)


# -- other sizes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(("patch_size", "image_size"), [(8, None), (None, 96), (32, 128)])
def test_other_sizes_are_timms_own_on_a_fresh_model(kind: str, patch_size: int | None, image_size: int | None) -> None:
    if kind == "uneven":
        # 70 pixels are no whole number of other patches.
        image_size = image_size or 64
    model = explorer_model(kind)
    architecture, changes = MODELS[kind]
    wanted = (patch_size or model.spec.patch_size, image_size or model.spec.image_size)
    model.at(16 if wanted[0] != 16 else 32, 64)  # a size seen before must leave no mark
    fresh = timm.create_model(architecture, **({"img_size": 64, "patch_size": 16, "depth": 2} | changes))
    fresh.load_state_dict(timm_model(architecture, **changes).state_dict())
    fresh = fresh.float().eval()
    fresh.set_input_size(img_size=(wanted[1],) * 2, patch_size=(wanted[0],) * 2)
    image = random_image(wanted[1])
    module, arrays = model.at(patch_size, image_size)
    trace = trace_pixels(module, arrays, image)
    with torch.inference_mode():
        theirs = fresh(normalise(image, model.spec)[None])[0].numpy()
    np.testing.assert_allclose(trace.output, theirs, atol=1e-5, rtol=1e-5)
    assert (trace.patch_size, trace.image_size) == wanted
    np.testing.assert_allclose(arrays.classify(trace.y), theirs, atol=1e-4, rtol=1e-4)
    tokens = np.concatenate([trace.prefix_tokens, trace.patch_embeddings]) + trace.pos_embed
    if arrays.embed_norm is None:
        np.testing.assert_allclose(tokens, trace.tokens, atol=1e-4, rtol=1e-4)


def test_sizes_share_the_layers_and_are_remembered() -> None:
    model = explorer_model("plain")
    module, arrays = model.at(8)
    assert model.at(8) == (module, arrays)
    assert model.at(8, 64) == (module, arrays)
    assert model.at() == (model.model, model.arrays)
    assert arrays.blocks is model.arrays.blocks
    assert module.blocks is model.model.blocks
    assert model.model.patch_embed.patch_size == (16, 16)
    for side in (64, 80, 96, 112, 128, 144, 160, 176, 192, 208):
        model.at(16, side)
    assert len(model._variants) <= 8


def test_a_trace_at_another_size_goes_by_the_whole_way() -> None:
    model = explorer_model("plain")
    picture = Picture(random_image(120), "noise", "0")
    trace = trace_image(model, picture, patch_size=8, image_size=96)
    assert trace.grid == (12, 12)
    assert trace.image.shape == (96, 96, 3)
    for sizes in ({"patch_size": 7}, {"patch_size": 0}, {"patch_size": -4}, {"image_size": 0}):
        assert code_of(lambda sizes=sizes: trace_image(model, picture, **sizes)) == "size-not-even"


def test_importing_the_explorer_imports_nothing_heavy() -> None:
    code = (
        "import sys, explorer, explorer.trace, explorer.sizes, explorer.analysis, explorer.interventions;"
        "explorer.Trace, explorer.Intervention, explorer.open_picture;"
        "print(sorted({'torch', 'timm', 'plotly', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_found() -> None:
    import explorer

    assert set(explorer.__all__) <= set(dir(explorer))
    assert explorer.load_model is load_model
    assert explorer.trace_image is trace_image
    with pytest.raises(AttributeError):
        _ = explorer.no_such_name
