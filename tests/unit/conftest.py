"""Random two-layer ViTs that differ in all the ways that timm's differ, and pictures for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.hub_standin import StandinHub, standin_hub

if TYPE_CHECKING:
    from explorer.models import ExplorerModel
    from explorer.training.data import PictureSet

#: The models of the tests: an architecture of timm's, and what is changed to make it small.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("vit_tiny_patch16_224", {}),
    "no_head": ("vit_tiny_patch16_224", {"num_classes": 0}),
    "distilled": ("deit_tiny_distilled_patch16_224", {}),
    "registers": ("vit_small_patch14_reg4_dinov2", {"embed_dim": 96, "num_heads": 3}),
    "average": ("vit_base_patch16_siglip_gap_224", {"embed_dim": 96, "num_heads": 3, "num_classes": 7}),
    "fc_norm": ("vit_medium_patch16_reg1_gap_256", {"embed_dim": 96, "num_heads": 3}),
    "attention_pool": ("vit_base_patch16_siglip_224", {"embed_dim": 96, "num_heads": 3, "num_classes": 7}),
    "pool_with_prefix": ("test_vit3", {"dynamic_img_size": True}),
    "maximum": ("vit_tiny_patch16_224", {"global_pool": "max"}),
    "average_and_maximum": ("vit_tiny_patch16_224", {"global_pool": "avgmax", "pool_include_prefix": True}),
    "refinement": ("vit_tiny_patch16_224", {"global_pool": "prr"}),
    "qk_norm": ("vit_tiny_patch16_224", {"qk_norm": True, "qkv_bias": False}),
    "layer_scale": ("vit_tiny_patch16_224", {"init_values": 0.3, "proj_bias": False}),
    "clip": ("vit_base_patch32_clip_quickgelu_224", {"embed_dim": 96, "num_heads": 3}),
    "swiglu_packed": ("vit_giant_patch14_reg4_dinov2", {"embed_dim": 96, "num_heads": 3}),
    "swiglu": ("aimv2_large_patch14_224", {"embed_dim": 96, "num_heads": 3, "num_classes": 5}),
    "scale_norms": ("beit3_base_patch16_224", {"embed_dim": 96, "num_heads": 3}),
    "rms": ("test_vit4", {}),
    "no_positions": ("vit_tiny_patch16_224", {"pos_embed": "none"}),
    "no_embed_class": ("deit3_small_patch16_224", {"embed_dim": 96, "num_heads": 3}),
    "uneven": ("vit_tiny_patch16_224", {"img_size": 70, "patch_size": 16}),
}


def randomised(model: Any) -> Any:
    """Give every weight its own random value: fresh models hold ones and zeros that would hide mistakes."""
    import torch

    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1 and "bias" not in name:
                parameter.copy_(1 + 0.3 * noise)
            elif parameter.ndim > 1 and "token" not in name and "embed" not in name:
                parameter.copy_(noise * 1.5 / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_(0.3 * noise)
    return model


@cache
def timm_model(architecture: str, **changes: Any) -> Any:
    """A random timm model of two layers, in evaluation mode."""
    import torch

    from explorer.torch_compat import import_timm

    timm = import_timm()
    torch.set_num_threads(1)
    sizes = {"img_size": 64, "patch_size": 16, "depth": 2} | changes
    return randomised(timm.create_model(architecture, **sizes)).eval()


@cache
def explorer_model(kind: str) -> ExplorerModel:
    """One of :data:`MODELS`, ready to be explored."""
    from explorer.models import wrap_model

    architecture, changes = MODELS[kind]
    return wrap_model(timm_model(architecture, **changes), kind, random_weights=True)


@pytest.fixture(params=list(MODELS))
def any_model(request: pytest.FixtureRequest) -> ExplorerModel:
    """Each kind of model in turn."""
    return explorer_model(request.param)


@pytest.fixture
def plain_model() -> ExplorerModel:
    """A ViT as on the slides: CLS, four by four patches, two layers."""
    return explorer_model("plain")


@pytest.fixture
def model_of() -> Callable[[str], ExplorerModel]:
    """A model by its kind."""
    return explorer_model


def random_image(side: int, seed: int = 0) -> NDArray[np.uint8]:
    """A square of coloured noise, smooth enough that patches differ."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (side // 4 + 1, side // 4 + 1, 3)).repeat(4, axis=0).repeat(4, axis=1)
    noise = rng.integers(-30, 31, (side, side, 3))
    return np.clip(coarse[:side, :side] + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def image() -> Callable[..., NDArray[np.uint8]]:
    """Makes pictures: ``image(side, seed)``."""
    return random_image


@pytest.fixture(scope="session")
def bundled() -> ExplorerModel:
    """The model that comes with the program."""
    from explorer.models import load_model

    return load_model()


@pytest.fixture(name="cache")
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of Hugging Face's, for this process and those that it starts."""
    from huggingface_hub import constants

    folder = tmp_path / "home" / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setenv("HF_HOME", str(folder.parent))
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.fixture
def standin(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandinHub]:
    """The stand-in for the Hub, which also sees whatever was meant for another host: nothing may be."""
    with standin_hub() as server:
        for variable, value in server.environment().items():
            monkeypatch.setenv(variable, value)
        yield server
    assert server.strangers == []


@pytest.fixture
def module() -> Any:
    """A small ViT that answers something."""
    from explorer.torch_compat import import_timm
    from tests.unit.model_folders import ARGUMENTS

    return randomised(import_timm().create_model("vit_tiny_patch16_224", **ARGUMENTS)).eval()


@pytest.fixture
def folder(tmp_path: Path, module: Any) -> Path:
    """It, as a folder that can be loaded."""
    from tests.unit.model_folders import write_folder

    return write_folder(tmp_path / "mine", module)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small labelled pictures in the packed format."""
    from tests.training_pictures import write_packed

    return write_packed(tmp_path_factory.mktemp("packed"))


@pytest.fixture(scope="module")
def loaded(packed: Path) -> PictureSet:
    """The same, read."""
    from explorer.training.data import load_pictures

    return load_pictures(packed, 16, packed / "cache")
