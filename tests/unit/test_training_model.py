from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.errors import ExplorerError
from explorer.positions import sinusoidal_1d, sinusoidal_2d
from explorer.training.augment import augment_batch, normalise_batch
from explorer.training.flexible import ARCHITECTURE, FlexibleForward, build_model, model_arguments
from explorer.training.growth import deepened, layers_of
from explorer.training.principal import principal_kernel
from explorer.training.settings import POSITIONS, TrainSettings, load_preset, preset_names, read_settings
from explorer.training.timm_parts import create_model
from tests.training_pictures import TINY


@pytest.mark.parametrize("patch_size", [2, 4, 8, 16])
def test_any_patch_size_equals_timms_set_input_size(patch_size: int) -> None:
    model = build_model(TINY, 3).eval()
    with torch.no_grad():
        model.pos_embed.normal_()
    images = torch.randn(2, 3, 16, 16)
    changed = create_model(ARCHITECTURE, **model_arguments(TINY, 3)).eval()
    changed.load_state_dict(model.state_dict())
    changed.set_input_size(patch_size=(patch_size, patch_size))
    with torch.no_grad():
        ours = FlexibleForward(TINY)(model, images, patch_size)
        assert torch.allclose(ours, changed(images), atol=1e-6)


@pytest.mark.parametrize("patch_size", [4, 8, 16])
def test_every_patch_size_trains_the_native_weights(patch_size: int) -> None:
    model = build_model(TINY, 3)
    FlexibleForward(TINY)(model, torch.randn(2, 3, 16, 16), patch_size).square().sum().backward()
    assert model.patch_embed.proj.weight.shape[-2:] == (8, 8)
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("before", "after", "halved"), [(1, 2, {0}), (3, 4, {1}), (6, 8, {2, 4}), (2, 4, {0, 1}), (2, 2, set())]
)
def test_more_layers_go_the_same_way_in_smaller_steps(before: int, after: int, halved: set[int]) -> None:
    shallow, settings = build_model(replace(TINY, depth=before), 3).eval(), replace(TINY, depth=after)
    with torch.no_grad():
        for parameter in shallow.parameters():
            parameter.normal_(std=0.1)
    model = build_model(settings, 3).eval()
    model.load_state_dict(deepened(shallow.state_dict(), after))
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        x = shallow.norm_pre(shallow._pos_embed(shallow.patch_embed(images)))
        for layer, block in enumerate(shallow.blocks):
            step = 0.5 if layer in halved else 1.0
            for _ in range(2 if layer in halved else 1):
                x = x + step * block.attn(block.norm1(x))
                x = x + step * block.mlp(block.norm2(x))
        by_hand = shallow.forward_head(shallow.norm(x))
        logits = FlexibleForward(settings)(model, images, 8)
    assert torch.allclose(logits, by_hand, atol=1e-6)


@pytest.mark.parametrize("layers", [2, 7])
def test_fewer_layers_and_more_than_twice_as_many_are_refused(layers: int) -> None:
    weights = build_model(replace(TINY, depth=3), 3).state_dict()
    assert layers_of(weights) == 3
    with pytest.raises(ValueError, match=f"3 layers cannot become {layers}"):
        deepened(weights, layers)


@pytest.mark.parametrize("position", ["sin1d", "sin2d"])
def test_sinusoidal_tables_are_frozen_and_computed_anew(position: str) -> None:
    settings = replace(TINY, position=position)
    model = build_model(settings, 3).eval()
    assert not model.pos_embed.requires_grad
    forward = FlexibleForward(settings)
    for rows in (2, 4):
        expected = sinusoidal_1d(rows * rows, 16) if position == "sin1d" else sinusoidal_2d(rows, rows, 16)
        found = forward._positions(model, rows, rows)
        assert found is not None
        assert np.array_equal(found[0].detach().numpy(), expected)


def test_without_position_the_order_of_patches_does_not_matter() -> None:
    settings = replace(TINY, position="none")
    model = build_model(settings, 3).eval()
    assert model.pos_embed is None
    images = torch.randn(1, 3, 16, 16)
    turned = torch.cat([images[..., 8:], images[..., :8]], dim=-1)
    forward = FlexibleForward(settings)
    with torch.no_grad():
        assert torch.allclose(forward(model, images, 8), forward(model, turned, 8), atol=1e-6)


def test_weights_follow_the_seed() -> None:
    same, other = build_model(TINY, 3), build_model(replace(TINY, seed=1), 3)
    for name, value in build_model(TINY, 3).state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
    assert not torch.equal(same.head.weight, other.head.weight)


def test_principal_kernel_makes_strong_components_equally_strong() -> None:
    torch.manual_seed(0)
    coarse = torch.nn.functional.interpolate(torch.randn(400, 3, 6, 6), scale_factor=4.0, mode="bilinear")
    images = 3.0 * coarse + 0.01 * torch.randn_like(coarse)
    kernel = principal_kernel(images, 8, 200)
    assert kernel.shape == (200, 3, 8, 8)
    outputs = torch.nn.functional.conv2d(images, kernel, stride=8).permute(0, 2, 3, 1).reshape(-1, 200)
    covariance = torch.cov(outputs.T)[:10, :10]
    assert torch.allclose(covariance, 0.25 * torch.eye(10), atol=0.02)
    assert torch.equal(kernel[192:], -kernel[:8])


def test_augmentation_without_strength_only_normalises() -> None:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (6, 16, 16, 3), dtype=torch.uint8)
    plain = normalise_batch(pixels, TINY.mean, TINY.std)
    changed = augment_batch(pixels, TINY.mean, TINY.std, crop_scale=1.0, color_jitter=0.0)
    assert changed.shape == (6, 3, 16, 16)
    assert torch.isfinite(changed).all()
    # The aspect ratio is still drawn, so that only the colours can be compared, not the places.
    assert torch.allclose(changed.mean(), plain.mean(), atol=0.05)


def test_augmentation_keeps_uniform_pictures_uniform() -> None:
    pixels = torch.full((4, 16, 16, 3), 200, dtype=torch.uint8)
    changed = augment_batch(pixels, TINY.mean, TINY.std, crop_scale=0.2, color_jitter=0.0)
    assert torch.allclose(changed, normalise_batch(pixels, TINY.mean, TINY.std), atol=1e-4)


def test_turned_crops_show_the_picture_turned() -> None:
    """A straight edge between two colours, in crops of the whole height, stands as steeply as was drawn."""
    torch.manual_seed(1)
    pixels = torch.zeros(64, 32, 32, 3, dtype=torch.uint8)
    pixels[:, :, 16:] = 255
    shape = {"crop_scale": 1.0, "color_jitter": 0.0}
    straight = augment_batch(pixels, (0.0,) * 3, (1.0,) * 3, **shape)[:, 0]
    turned = augment_batch(pixels, (0.0,) * 3, (1.0,) * 3, rotation=30.0, **shape)[:, 0]
    assert torch.allclose(straight[:, 8], straight[:, 24], atol=1e-5)

    def edge(rows: torch.Tensor) -> torch.Tensor:
        """Where the edge crosses a row, in pixels."""
        bright = rows.mean(dim=-1)
        return 32 * torch.where(rows[:, 0] > rows[:, -1], bright, 1.0 - bright)

    slopes = torch.rad2deg(torch.atan((edge(turned[:, 20]) - edge(turned[:, 12])) / 8.0))
    assert slopes.abs().max() < 38.0  # an unequal scale of the axes makes an angle steeper
    assert slopes.min() < -15.0
    assert slopes.max() > 15.0
    assert slopes.abs().median() > 5.0


def test_dropped_patches_cost_and_tell_nothing() -> None:
    """With half the patches dropped, an answer depends on the other half alone, and CLS stays."""
    model = build_model(TINY, 3)
    forward = FlexibleForward(TINY)
    lengths: list[int] = []
    model.blocks[0].register_forward_pre_hook(lambda _module, inputs: lengths.append(inputs[0].shape[1]))
    images = torch.randn(2, 3, 16, 16, requires_grad=True)
    forward(model, images, 4)
    forward(model, images, 4, drop=0.5).square().sum().backward()
    assert lengths == [17, 9]
    assert images.grad is not None
    per_patch = images.grad.abs().sum(dim=1).unfold(1, 4, 4).unfold(2, 4, 4).sum(dim=(-1, -2))
    assert [int(row.count_nonzero()) for row in per_patch] == [8, 8]


def test_siblings_differ_in_position_alone() -> None:
    siblings = [load_preset(f"pos-{position}") for position in POSITIONS]
    assert [sibling.position for sibling in siblings] == list(POSITIONS)
    assert len({replace(sibling, name="", position="none").to_json() for sibling in siblings}) == 1


@pytest.mark.parametrize("name", preset_names())
def test_presets_survive_their_own_file(name: str, tmp_path: Path) -> None:
    settings = load_preset(name)
    path = tmp_path / "settings.json"
    path.write_text(settings.to_json(), "utf-8")
    assert read_settings(path) == settings


@pytest.mark.parametrize(
    "values",
    [
        {"depht": 3},
        {"position": "circular"},
        {"num_heads": 5},
        {"stages": [{"until": 1.0, "patches": {"7": 1.0}}]},
        {"stages": [{"until": 1.0, "patches": {"2": 1.0}}]},
        {"stages": 3},
        {"batch_sizes": {"8": 7}},
        {"epochs": 0},
        {"epochs": "many"},
        {"patch_drop": {"8": 1.0}},
        {"patch_drop": 0.5},
        {"jpeg_probability": 1.5},
        {"num_heads": 0},
        {"batch_sizes": {"8": float("inf")}},
        {"epochs": float("nan")},
        {"mix_probability": -0.1},
        {"depth": -1},
        {"image_size": 0},
        {"embed_dim": 0},
        {"crop_scale": -1.0},
        {"validation_per_class": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ExplorerError) as caught:
        TrainSettings.from_values(values)
    assert caught.value.code == "training-settings"


def test_a_file_of_something_else_holds_no_settings(tmp_path: Path) -> None:
    for content in ("[[1]]", "5", "[" * 100_000):
        (tmp_path / "own.json").write_text(content, "utf-8")
        with pytest.raises(ExplorerError, match=r"own\.json"):
            read_settings(tmp_path / "own.json")


def test_broken_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("name = ", "utf-8")
    with pytest.raises(ExplorerError, match=r"own\.toml"):
        read_settings(path)


def test_stages_follow_each_other() -> None:
    settings = TrainSettings.from_values(json.loads(TINY.to_json()))
    assert set(settings.patches_at(0.0)) == {8, 16}
    assert set(settings.patches_at(0.5)) == {4, 8}
    assert set(settings.patches_at(1.0)) == {4, 8}
    assert settings.patch_sizes == (4, 8, 16)


def test_the_last_tenth_is_that_of_all_runs_together() -> None:
    """Eight passes before and two now: the tenth pass is the second half of this run."""
    settings = TrainSettings(epochs=2.0)
    assert settings.last_tenth(None, 100) == pytest.approx(0.9)
    assert settings.last_tenth({"seen": 800}, 100) == pytest.approx(0.5)
    assert settings.last_tenth({"seen": 9_000}, 100) == 0.0
    assert TrainSettings(budget_minutes=2.0).last_tenth({"elapsed": 480.0}, 100) == pytest.approx(0.5)
    assert settings.share_of_training({"seen": 800}, 100) == pytest.approx(0.2)
