"""Models that cannot be loaded, and what is said of each; nothing is ever unpickled."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from explorer import hub, load_model
from explorer.errors import ExplorerError
from explorer.models import wrap_model
from explorer.torch_compat import import_timm
from tests.unit.model_folders import code_of

timm = import_timm()


@pytest.mark.parametrize(
    "name", ["resnet18", "swin_tiny_patch4_window7_224", "mixer_b16_224", "eva02_tiny_patch14_224"]
)
@pytest.mark.parametrize("pretrained", [True, False])
def test_other_architectures_are_refused(name: str, pretrained: bool) -> None:
    assert code_of(lambda: load_model(name, pretrained=pretrained)) == "model-not-vit"


@pytest.mark.parametrize(
    "name", ["vit_base_patch16_xp_224", "vit_base_patch16_rpn_224", "vit_dwee_patch16_reg1_gap_256"]
)
@pytest.mark.parametrize("pretrained", [True, False])
def test_other_blocks_are_refused_before_anything_is_fetched(
    name: str, pretrained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "fetch", lambda *_: pytest.fail("fetched"))
    assert code_of(lambda: load_model(name, pretrained=pretrained)) == "model-not-supported"


def test_what_has_no_trained_weights_can_be_looked_at_as_architecture() -> None:
    assert code_of(lambda: load_model("test_vit4")) == "model-no-weights"
    assert load_model("test_vit4", pretrained=False).spec.random_weights


def test_no_architecture_is_promised_whose_trace_is_too_large() -> None:
    with pytest.raises(ExplorerError) as caught:
        load_model("beit3_giant_patch14_224")
    assert caught.value.code == "model-no-weights-too-large"
    assert caught.value.values["megabytes"] > caught.value.values["limit"] == 200


@pytest.mark.parametrize("name", ["vit_tiny_patch61_224", "", "!!", "nonsense", "../../etc/passwd", "<b>vit</b>"])
def test_unknown_names_are_said_to_be_unknown(name: str) -> None:
    code = code_of(lambda: load_model(name))
    assert code == ("model-folder-missing" if name.startswith(".") else "model-unknown")


@pytest.mark.parametrize(
    "name",
    ["x" * 256, "x" * 5000, f"vit_tiny_patch16_224.{'x' * 300}", f"hf-hub:{'x' * 300}", "a/" + "x" * 300, "vit\0"],
)
@pytest.mark.parametrize("pretrained", [True, False])
def test_names_that_no_folder_can_have_are_unknown(name: str, pretrained: bool) -> None:
    assert code_of(lambda: load_model(name, pretrained=pretrained)) == "model-unknown"


@pytest.mark.parametrize("name", ["/" + "x" * 300, "./" + "x" * 300, "/x" * 3000, "/\0", "~nobody-of-this-name/models"])
def test_folders_that_cannot_be_are_missing(name: str) -> None:
    assert code_of(lambda: load_model(name)) == "model-folder-missing"


def test_an_unknown_name_comes_with_names_that_are_like_it() -> None:
    with pytest.raises(ExplorerError, match="vit_tiny_patch16_224"):
        load_model("vit_tiny_patch61_224")
    with pytest.raises(ExplorerError, match="augreg_in21k_ft_in1k"):
        load_model("vit_tiny_patch16_224.augreg_in21k_ft_in2k")


def test_a_folder_that_is_no_model(tmp_path: Path, folder: Path) -> None:
    assert code_of(lambda: load_model(tmp_path / "nowhere")) == "model-folder-missing"
    assert code_of(lambda: load_model(tmp_path)) == "model-folder-no-config"
    config = (folder / "config.json").read_text()
    for text in ("", "[]", "{", '{"architecture": 3}', "\ud800".encode("utf-8", "surrogatepass")):
        data = text if isinstance(text, bytes) else text.encode()
        (folder / "config.json").write_bytes(data)
        assert code_of(lambda: load_model(folder)) == "model-folder-bad-config", text
    (folder / "config.json").write_text(config)
    (folder / "model.safetensors").unlink()
    assert code_of(lambda: load_model(folder)) == "model-folder-no-weights"


class Exploit:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.target, "unpickled")


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.pth", "model.ckpt"])
def test_pickled_weights_are_never_opened(folder: Path, tmp_path: Path, file: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / file).write_bytes(pickle.dumps({"head.weight": Exploit(tmp_path / "proof")}))
    assert code_of(lambda: load_model(folder)) == "model-folder-unsafe"
    assert not (tmp_path / "proof").exists()


def test_a_configuration_cannot_ask_for_pickled_weights(folder: Path, tmp_path: Path) -> None:
    exploit = tmp_path / "evil.bin"
    exploit.write_bytes(pickle.dumps({"head.weight": Exploit(tmp_path / "proof")}))
    config = json.loads((folder / "config.json").read_text())
    for key, value in {"checkpoint_path": str(exploit), "pretrained": True, "block_fn": "os.system"}.items():
        changed = config | {"model_args": config["model_args"] | {key: value}}
        (folder / "config.json").write_text(json.dumps(changed))
        assert code_of(lambda: load_model(folder)) == "model-folder-bad-config"
    for key in ("file", "url", "hf_hub_id", "state_dict"):
        changed = config | {"pretrained_cfg": config["pretrained_cfg"] | {key: str(exploit), "custom_load": True}}
        (folder / "config.json").write_text(json.dumps(changed))
        load_model(folder)
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [0.5]},
        {"std": [0.5, 0.5, 0]},
        {"mean": "grey"},
        {"mean": [float("inf"), 0, 0]},
        {"mean": [10**400, 0, 0]},
        {"std": [float("nan")] * 3},
        {"std": [0.5, float("nan"), 0.5]},
        {"std": [1e-320] * 3},
        {"std": [1e300] * 3},
        {"crop_pct": 0},
        {"crop_pct": 7},
        {"crop_pct": 1e-3},
        {"crop_pct": 1e-320},
        {"crop_pct": 10**400},
        {"crop_pct": float("nan")},
        {"interpolation": "magic"},
        {"crop_mode": "left"},
        {"crop_mode": "border"},
    ],
    ids=lambda change: f"{change}"[:40],
)
def test_a_configuration_that_cannot_prepare_pictures(folder: Path, change: dict[str, Any]) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["pretrained_cfg"] |= change
    (folder / "config.json").write_text(json.dumps(config))
    assert code_of(lambda: load_model(folder)) == "model-folder-bad-config"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"num_heads": 5}, "model-arguments"),
        ({"global_pool": "median"}, "model-arguments"),
        ({"act_layer": "no_such_activation"}, "model-arguments"),
        ({"num_heads": -3}, "model-arguments"),
        ({"num_heads": 3.0}, "model-arguments"),
        ({"embed_dim": -48}, "model-arguments"),
        ({"embed_dim": True, "num_heads": 1}, "model-arguments"),
        ({"depth": 0}, "model-arguments"),
        ({"depth": True}, "model-arguments"),
        ({"depth": None}, "model-arguments"),
        ({"depth": 10**400}, "model-arguments"),
        ({"mlp_ratio": float("inf")}, "model-arguments"),
        ({"act_layer": "hard_swish"}, "model-not-supported"),
        ({"norm_layer": "batchnorm2d"}, "model-not-supported"),
        ({"global_pool": "", "class_token": False}, "model-not-supported"),
        ({"in_chans": 1}, "model-input-not-supported"),
        ({"img_size": [64, 32]}, "model-input-not-supported"),
        ({"embed_dim": 96}, "model-weights-unfit"),
        ({"embed_dim": 30_000_000}, "model-weights-unfit"),
        ({"depth": 3}, "model-weights-unfit"),
        ({"mlp_ratio": [4]}, "model-folder-bad-config"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_configuration_of_another_model(folder: Path, change: dict[str, Any], code: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["model_args"] |= change
    (folder / "config.json").write_text(json.dumps(config))
    assert code_of(lambda: load_model(folder)) == code


@pytest.mark.parametrize(
    ("depth", "pretrained", "code"),
    [(200, True, "model-weights-unfit"), (3000, True, "model-arguments"), (3000, False, "model-arguments")],
)
def test_layers_that_the_weights_have_not_are_not_built(
    folder: Path, monkeypatch: pytest.MonkeyPatch, depth: int, pretrained: bool, code: str
) -> None:
    """Thousands of them take minutes, in which nobody can cancel."""
    config = json.loads((folder / "config.json").read_text())
    config["model_args"] |= {"depth": depth}
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr("explorer.models.folders.create_model", lambda *_, **__: pytest.fail("built"))
    assert code_of(lambda: load_model(folder, pretrained=pretrained)) == code


def test_every_configuration_of_timms_is_read(tmp_path: Path) -> None:
    """What is refused is odd: timm's own numbers never are."""
    from timm.models import get_pretrained_cfg, list_models, list_pretrained

    from explorer.models.folders import folder_config

    architectures = [name for module in ("vision_transformer", "deit") for name in list_models(module=module)]
    names = [tagged for name in architectures for tagged in list_pretrained(f"{name}.*")]
    assert len(names) > 250
    for name in names:
        config: Any = get_pretrained_cfg(name)
        described = {"architecture": name.partition(".")[0], "pretrained_cfg": config.to_dict()}
        (tmp_path / "config.json").write_text(json.dumps(described))
        assert folder_config(tmp_path).pretrained_cfg["crop_pct"] == config.crop_pct, name


def test_odd_settings_beside_a_model_are_as_none(folder: Path) -> None:
    for patches in ("[Infinity]", "[1e400]", '["x"]', "[NaN]", "3", "[" * 100_000):
        (folder / "settings.json").write_text(f'{{"stages": [{{"patches": {patches}}}]}}')
        assert load_model(folder).spec.trained_patch_sizes == (8,), patches[:20]


def test_a_folder_of_another_architecture(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    for architecture, code in {
        "resnet18": "model-not-vit",
        "no_such_model": "model-unknown",
        "vit_base_patch16_rpn_224": "model-not-supported",
    }.items():
        changed = config | {"architecture": architecture, "model_args": {}}
        (folder / "config.json").write_text(json.dumps(changed))
        assert code_of(lambda: load_model(folder)) == code


def test_weights_that_are_damaged(folder: Path, tmp_path: Path) -> None:
    file = folder / "model.safetensors"
    good = file.read_bytes()
    for bad in (b"", b"\0" * 8, b"\xff" * 200, good[:4], good[: len(good) // 2], good[:-1], good + b"x"):
        file.write_bytes(bad)
        assert code_of(lambda: load_model(folder)) == "model-corrupt"
    file.write_bytes(good)
    state = load_file(file)
    save_file(state | {"head.bias": state["head.bias"] * float("nan")}, file)
    assert code_of(lambda: load_model(folder)) == "model-corrupt"
    save_file({name: value for name, value in state.items() if name != "head.bias"}, file)
    assert code_of(lambda: load_model(folder)) == "model-weights-unfit"
    save_file(state | {"more": torch.zeros(2)}, file)
    assert code_of(lambda: load_model(folder)) == "model-weights-unfit"
    shutil.rmtree(folder)
    assert code_of(lambda: load_model(folder)) == "model-folder-missing"


def test_a_module_that_is_no_vit_is_refused() -> None:
    assert code_of(lambda: wrap_model(torch.nn.Linear(2, 2), "linear")) == "model-not-vit"  # type: ignore[arg-type]
