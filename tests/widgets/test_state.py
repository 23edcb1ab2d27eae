"""The state: a change makes one request, answers clamp what they must, failures put the inputs back."""

from __future__ import annotations

from typing import Any

import pytest

from explorer.errors import ExplorerError
from explorer.interventions import Intervention
from explorer.panels.base import StagePanel
from explorer.samples import open_sample
from explorer.state import MEAN_OF_HEADS, ExplorerState
from tests.standins import Answerer


def test_starts_with_the_models_own_sizes_and_a_patch_in_the_middle(state: ExplorerState) -> None:
    assert (state.patch_size, state.image_size) == (8, 64)
    assert state.token == 1 + 4 * 8 + 4
    assert not state.busy


def test_one_change_makes_one_request(state: ExplorerState, answerer: Answerer) -> None:
    del answerer.requests[:]
    state.patch_size = 16
    assert state.wait(10)
    assert [request.patch_size for request in answerer.requests] == [16]
    state.layer, state.head, state.token, state.language = 3, 2, 5, "ja"
    assert state.wait(10)
    assert len(answerer.requests) == 1


def test_changes_in_a_batch_make_one_request_and_are_told_once(state: ExplorerState, answerer: Answerer) -> None:
    del answerer.requests[:]
    told: list[frozenset[str]] = []
    state.subscribe(told.append)
    with state.batch():
        state.layer, state.head = 4, 1
        state.crop = (0.0, 0.5)
        state.picture = open_sample("coffee")
    assert state.wait(10)
    assert len(answerer.requests) == 1
    assert frozenset({"layer", "head", "crop", "picture"}) in told
    assert sum("layer" in changes for changes in told) == 1


def test_another_model_has_its_own_sizes_and_layer_and_head_are_clamped(state: ExplorerState) -> None:
    state.layer, state.head = 5, 5
    state.patch_size = 4
    state.wait(10)
    state.model = "shallow"
    assert state.wait(10)
    assert (state.patch_size, state.layer, state.head) == (16, 1, 2)


def test_the_mean_of_heads_stays_when_the_model_changes(state: ExplorerState) -> None:
    state.head = MEAN_OF_HEADS
    state.model = "tall"
    assert state.wait(10)
    assert state.head == MEAN_OF_HEADS


def test_the_picked_patch_keeps_its_place_on_the_photo(state: ExplorerState) -> None:
    state.token = 1 + 7 * 8 + 0  # bottom left
    state.patch_size = 16
    assert state.wait(10)
    assert state.token == 1 + 3 * 4 + 0
    state.token = 0
    state.patch_size = 8
    assert state.wait(10)
    assert state.token == 0


def test_the_picked_patch_stays_though_its_token_has_another_number(state: ExplorerState) -> None:
    state.token = 1 + 5
    state.model = "pooled"  # has no CLS
    assert state.wait(10)
    assert state.token == 5
    state.intervention = Intervention(kept=frozenset(range(2, 64)))
    assert state.wait(10)
    assert state.trace.patch_index[state.token] == 5
    # A patch that is dropped leaves the pick to the one beside it, not to the first.
    state.intervention = Intervention(kept=frozenset(range(64)) - {5, 13, 6})
    assert state.wait(10)
    assert state.trace.patch_index[state.token] == 4
    state.intervention = None
    assert state.wait(10)
    assert state.token == 4


@pytest.mark.parametrize(
    ("name", "least", "most"), [("layer", 0, 5), ("head", MEAN_OF_HEADS, 5), ("token", 0, 64), ("dimension", 0, 191)]
)
def test_what_is_picked_lies_within_what_is_shown(state: ExplorerState, name: str, least: int, most: int) -> None:
    # A slider or a click of a larger model, which is on its way when another one is shown already.
    setattr(state, name, 700)
    assert getattr(state, name) == most
    setattr(state, name, -2)
    assert getattr(state, name) == least


def test_a_token_that_is_one_too_many_does_not_end_all_answers(state: ExplorerState) -> None:
    state.token = state.trace.num_tokens
    state.patch_size = 16
    assert state.wait(10)
    assert not state.busy
    assert state.error is None
    assert (state.trace.patch_size, state.token) == (16, 16)


def test_what_is_picked_before_the_first_trace_waits_for_it(answerer: Answerer) -> None:
    state = ExplorerState(answerer=answerer, deliver=lambda call: call(), layer=11, head=7, dimension=700)
    state.layer = 10
    assert (state.layer, state.head, state.dimension) == (10, 7, 700)
    with state.batch():
        state.model, state.picture = "tall", open_sample("chelsea")
    assert state.wait(10)
    assert (state.layer, state.head, state.dimension) == (10, 7, 191)
    state.close()


def test_a_failure_puts_the_inputs_back_and_keeps_what_is_shown(state: ExplorerState, answerer: Answerer) -> None:
    state.patch_size = 16
    state.wait(10)
    shown = state.trace
    del answerer.requests[:]
    state.model = "no-such-model"
    assert state.wait(10)
    assert isinstance(state.error, ExplorerError)
    assert state.failed is not None
    assert state.failed.model == "no-such-model"
    assert (state.model, state.patch_size, state.trace) == ("bundled", 16, shown)
    assert len(answerer.requests) == 1  # putting back asks for nothing
    state.dismiss()
    assert state.error is None


def test_the_next_success_clears_the_error(state: ExplorerState) -> None:
    state.model = "no-such-model"
    state.wait(10)
    state.model = "tall"
    assert state.wait(10)
    assert state.error is None
    assert state.failed is None


def test_a_broken_listener_is_reported_and_the_others_still_hear(state: ExplorerState) -> None:
    heard: list[frozenset[str]] = []

    def broken(changes: frozenset[str]) -> None:
        if "layer" in changes:
            raise RuntimeError("broken")

    state.subscribe(broken)
    state.subscribe(heard.append)
    state.layer = 2
    assert isinstance(state.error, RuntimeError)
    assert any("layer" in changes for changes in heard)


def test_a_stage_that_cannot_be_built_is_reported_once_a_try(state: ExplorerState) -> None:
    tries: list[FloatingPointError] = []

    class Broken(StagePanel):
        stage, number = "overview", 1

        def build(self, _trace: Any) -> Any:
            tries.append(FloatingPointError(f"try {len(tries) + 1}"))
            raise tries[-1]

    panel = Broken(state, lazy=True)
    panel._marker.visible = True
    assert state.error is tries[-1]
    assert len(tries) == 1
    state.dismiss()
    assert len(tries) == 1
    state.language = "ja"
    assert state.error is tries[-1]
    assert len(tries) == 2
    panel.close()


def test_another_size_ends_a_changed_run(state: ExplorerState, answerer: Answerer) -> None:
    shuffled = Intervention(permutation=range(63, -1, -1))
    state.intervention = shuffled
    assert state.wait(10)
    assert state.untouched is not None
    assert state.untouched.intervention is None
    assert (state.untouched.patch_size, state.untouched.image_size) == (8, 64)
    state.picture = open_sample("coffee")  # its patches lie in the same places
    assert state.wait(10)
    assert answerer.requests[-1].intervention == shuffled
    state.patch_size = 16
    assert state.wait(10)
    assert state.intervention is None
    assert answerer.requests[-1].intervention is None
    assert state.error is None
