"""Experiments with models of other kinds: each works, and is named for what it reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explorer.numerics import softmax
from explorer.positions import sinusoidal_2d
from explorer.state import ExplorerState
from tests.widgets.random_model import opened, random_answerer, random_state, settled

POOLING: tuple[dict[str, Any], ...] = ({"global_pool": "avg", "class_token": False}, {"global_pool": "map"})


@pytest.mark.parametrize("changes", POOLING)
def test_models_that_pool_are_measured_and_named_rightly(changes: dict[str, Any]) -> None:
    state = random_state(scale=6.0, **changes)
    lens = opened(state, "lens")
    np.testing.assert_allclose(lens.result.logits[-1], state.trace.logits, atol=1e-4)
    assert "CLS" not in lens._whose.options[0]["label"]
    mask = opened(state, "mask")
    mask._part.value = "patches"
    patches = mask._measures["patches"]
    patches.start()
    settled(state)
    assert patches.result.effects.any()
    assert patches._maps["attention"].title == "Believed: attention of the tokens that are read"
    ways = opened(state, "ways")
    ways.start()
    settled(state)
    assert "tokens that are read" in ways._maps["rollout"].caption
    assert "CLS" not in ways._maps["attention"].caption
    head = opened(state, "head")
    head.start()
    settled(state)
    vector = state.trace.y.mean(axis=0)
    assert f"{softmax(head.result(vector)).max():.1%}" in head._answer.value
    state.close()


def about_heads(state: ExplorerState) -> tuple[str, str]:
    """What is said of how sharply heads look, and of what a new head reads."""
    mask = opened(state, "mask")
    mask._part.value = "heads"
    heads = mask._measures["heads"]
    heads.start()
    settled(state)
    return heads._views["beside"].figure.caption, opened(state, "head")._words.value


@pytest.mark.parametrize("changes", [{}, *POOLING, {"architecture": "deit_tiny_distilled_patch16_224"}])
def test_only_what_reads_cls_alone_is_said_to_read_cls(changes: dict[str, Any]) -> None:
    state = random_state(**changes)
    sharpness, head = about_heads(state)
    assert ("(CLS)" in sharpness, "how CLS is read" in head) == (not changes, not changes)
    assert ("each token that the classifier reads" in sharpness, "how that vector is read" in head) == (
        bool(changes),
        bool(changes),
    )
    state.language = "ja"
    sharpness, head = about_heads(state)
    assert ("CLS" in sharpness, "CLS" in head) == (not changes, not changes)
    state.close()


def test_an_experiment_is_worded_anew_for_another_model() -> None:
    state, pooled = random_state(), random_state(**POOLING[0])
    panel = opened(state, "head")
    assert "how CLS is read" in panel._words.value
    panel._key = None  # what was shown is gone
    panel.update(pooled.trace, frozenset({"trace"}))
    assert "how that vector is read" in panel._words.value
    state.close()
    pooled.close()


def test_sizes_of_a_table_are_those_of_the_slides_where_the_model_has_none() -> None:
    with_own, without = random_state(), random_state(pos_embed="none")
    assert opened(with_own, "swap")._strength.label == "Size (× 1: as large as its own)"
    swap = opened(without, "swap")
    assert swap._strength.label == "Size (× 1: as on the slides)"
    shown = swap.result.after
    table = sinusoidal_2d(*shown.grid, shown.spec.dim)
    np.testing.assert_allclose(shown.pos_embed[shown.num_prefix :], table, atol=1e-6)
    with_own.close()
    without.close()


UNUSUAL: dict[str, dict[str, Any]] = {
    "without classes": {"num_classes": 0},
    "without CLS": {"class_token": False, "global_pool": "avg"},
    "with registers": {"reg_tokens": 2, "no_embed_class": True},
    "without positions": {"pos_embed": "none"},
    "of one patch": {"patch_size": 32},
    "that leaves a rim": {"img_size": 30},
    "distilled": {"architecture": "deit_tiny_distilled_patch16_224"},
}


@pytest.mark.parametrize("arguments", UNUSUAL.values(), ids=UNUSUAL)
@pytest.mark.parametrize("name", ["shuffle", "swap", "sizes", "models"])
def test_every_kind_of_model_can_be_experimented_with(name: str, arguments: dict[str, Any]) -> None:
    state = random_state(**arguments)
    twin = random_answerer(**arguments).model  # type: ignore[attr-defined]
    state.jobs.models.add("bundled", twin, random_weights=True)
    panel = opened(state, name)
    assert state.error is None, state.error
    assert panel._failure.value == ""
    assert panel.result is not None
    state.language = "ja"
    assert state.error is None, state.error
    state.close()
