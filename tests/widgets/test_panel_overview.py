"""Stage 0 on the page: today's sizes at every arrow, and what is sent again when something changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import numpy as np
import pytest

from explorer.formulas import formula
from explorer.images import Picture
from explorer.interventions import Intervention
from explorer.panels.classification import ClassificationPanel
from explorer.panels.encoder import EncoderPanel
from explorer.panels.overview import OverviewPanel
from explorer.panels.position import PositionPanel
from explorer.samples import open_sample
from explorer.state import ExplorerState
from tests.widgets.random_model import random_state


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


def test_the_sizes_are_todays(state: ExplorerState) -> None:
    view = OverviewPanel(state)._drawing
    assert view.drawing["sizes"] == {
        "image": "32 × 32 × 3",
        "patches": "16 × 192",
        "weight": "192 × 24",
        "tokens": "17 × 24",
        "msa": "h = 2, D/h = 12",
        "mlp": "D_{mlp} = 96",
        "head": "24 × 5",
    }
    state.patch_size = 16
    assert state.wait(60)
    assert state.error is None
    assert view.drawing["sizes"]["patches"] == "4 × 768"
    assert "N = 4 patches" in view.drawing["texts"]["patches"]
    assert view.drawing["texts"]["layers"] == "× L = 2 layers"
    # Its shape has T rows, so it is not x_p E alone.
    assert view.drawing["texts"]["embeddingsSymbol"] == "[x_{class}; x_{p}E]"


def test_the_answer_is_the_models(state: ExplorerState) -> None:
    texts = OverviewPanel(state)._drawing.drawing["texts"]
    probs = state.trace.probs
    assert texts["probability"] == f"{probs.max():.1%}"
    assert texts["answer"] == state.labels.name(int(probs.argmax()), "en")
    assert texts["classes"] == "of K = 5"


def test_the_strips_reach_the_browser_as_they_are(state: ExplorerState) -> None:
    view = OverviewPanel(state)._drawing
    rows, dims = len(view.drawing["rows"]), view.drawing["dims"]
    strips = np.frombuffer(view.strips, np.float32).reshape(4, rows, dims)
    np.testing.assert_array_equal(strips[3, 0], state.trace.z[-1][0, :dims])


def test_a_picked_token_does_not_send_the_photo_again(state: ExplorerState) -> None:
    panel = OverviewPanel(state)
    sent: list[object] = []
    panel._drawing.observe(sent.append, names="photo")
    state.token = 4
    rows = panel._drawing.drawing["rows"]
    assert [row["name"] for row in rows if row["picked"]] == ["3"]  # CLS is token 0
    state.language = "ja"
    assert panel._drawing.drawing["texts"]["photo"] == "画像"
    assert not sent
    state.crop = (0.0, 0.0)
    assert state.wait(60)
    assert len(sent) == 1


def test_parts_lead_to_the_stages_that_have_a_name(state: ExplorerState) -> None:
    stages = OverviewPanel(state)._drawing.drawing["stages"]
    assert stages["patches"] == {"number": 1, "name": "Patches"}
    assert {"embedding", "position", "attention", "classification"} <= set(stages)


@pytest.mark.parametrize(
    ("arguments", "chain"),
    [
        ({}, ["LN", "Linear"]),
        ({"global_pool": "avg", "class_token": False}, ["mean", "LN", "Linear"]),
        ({"global_pool": "avg", "fc_norm": False}, ["LN", "mean", "Linear"]),
        ({"num_classes": 0}, ["LN"]),
    ],
)
def test_the_way_to_the_class_is_the_models_own(arguments: dict[str, object], chain: list[str]) -> None:
    state = random_state(**arguments)
    assert OverviewPanel(state)._drawing.drawing["chain"] == chain
    state.close()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"init_values": 1e-4, "reg_tokens": 2, "pre_norm": True},
        {"global_pool": "avg", "class_token": False},
        {"num_classes": 0, "final_norm": False},
        {"norm_layer": "rmsnorm", "embed_norm_layer": "rmsnorm"},
        {"global_pool": "avg", "pool_include_prefix": True},
    ],
)
def test_the_equations_are_those_that_the_stages_show(arguments: dict[str, object]) -> None:
    state = random_state(**arguments)
    shown = OverviewPanel(state)._equations.value
    msa, mlp = EncoderPanel(state, lazy=True).formulas
    names = (PositionPanel(state, lazy=True).formulas[0], msa, mlp, ClassificationPanel(state, lazy=True).formulas[0])
    norm = "rms" if "norm_layer" in arguments else "layer"
    assert re.findall(r"<math.*?</math>", shown, re.DOTALL) == [formula(name, norm=norm) for name in names]
    read = unescape(re.sub(r"<[^>]+>", "", shown))
    assert read.count("RMSNorm(" if norm == "rms" else "LN(") >= 2
    assert ("RMSNorm" in read) == (norm == "rms")
    assert re.findall(r"\((\d)\)", shown) == ["1", "2", "3", "4"]
    assert re.findall(r"<b>(\d)</b>", shown) == ["2", "3", "4", "4", "6"]
    state.close()


def test_a_model_without_a_head_names_no_class() -> None:
    state = random_state(num_classes=0)
    texts = OverviewPanel(state)._drawing.drawing["texts"]
    assert (texts["answer"], texts["probability"], texts["classes"]) == ("no class head", "y: 24 numbers", "")
    state.close()


def test_dropped_patches_are_numbered_as_on_the_photo() -> None:
    state = random_state(Intervention(kept=[3, 9, 14]))
    state.token = 2
    rows = OverviewPanel(state)._drawing.drawing["rows"]
    assert [row["name"] for row in rows] == ["CLS", "3", "9", "14"]
    state.close()


def test_another_photo_is_sent(state: ExplorerState) -> None:
    panel = OverviewPanel(state)
    before = panel._drawing.photo
    coffee: Picture = open_sample("coffee")
    state.picture = coffee
    assert state.wait(60)
    assert panel._drawing.photo != before
