"""The bar: shows what the state says, and writes what the user chooses."""

from __future__ import annotations

import pytest

from explorer.errors import ExplorerError
from explorer.export import FilesMenu
from explorer.interventions import Intervention
from explorer.panels.bar import ControlBar
from explorer.panels.page_link import PageLink
from explorer.panels.tour import GuidedTour
from explorer.samples import open_sample
from explorer.state import ExplorerState
from tests.standins import Answerer


@pytest.fixture
def bar(state: ExplorerState) -> ControlBar:
    return bar_of(state)


def bar_of(state: ExplorerState) -> ControlBar:
    stages = [("overview", 0), ("patches", 1)]
    return ControlBar(state, stages, PageLink(state), GuidedTour(state, stages), FilesMenu(state))


def labels(widget: object) -> list[str]:
    return [option["label"] for option in widget.options]  # type: ignore[attr-defined]


def test_offers_the_sizes_that_fill_the_input_evenly(bar: ControlBar) -> None:
    assert labels(bar._patch_size) == ["4", "8", "16", "32", "64"]
    assert bar._patch_size.value == 8
    assert "N</i> = <b>64" in bar._facts.value
    assert "T²</i> = <b>4,225" in bar._facts.value


def test_a_choice_of_size_is_asked_for_and_shown(bar: ControlBar, state: ExplorerState, answerer: Answerer) -> None:
    bar._patch_size.value = 16
    assert state.wait(10)
    assert answerer.requests[-1].patch_size == 16
    assert "N</i> = <b>16" in bar._facts.value


def test_another_model_brings_its_own_sizes(bar: ControlBar, state: ExplorerState) -> None:
    state.model = "shallow"
    assert state.wait(10)
    assert state.error is None
    assert bar._patch_size.value == 16
    assert bar._model.value == "shallow"


def test_a_model_that_fails_leaves_the_menu_at_what_is_shown(bar: ControlBar, state: ExplorerState) -> None:
    bar._choose_model({"new": ""})
    assert bar._other.layout.display != "none"
    bar._name.value = "no-such-model"
    assert state.wait(10)
    assert state.model == "bundled"
    assert bar._model.value in {"flexi", ""}
    assert "no-such-model" in bar._error.value
    assert bar._banner.layout.display != "none"
    state.dismiss()
    assert bar._banner.layout.display == "none"


def test_a_model_asked_for_by_name_is_named_in_the_menu(bar: ControlBar, state: ExplorerState) -> None:
    bar._choose_model({"new": ""})
    bar._name.value = "shallow"
    assert state.wait(10)
    assert bar._model.value == "shallow"
    assert bar._other.layout.display == "none"
    bar._choose_model({"new": ""})
    assert bar._other.layout.display != "none"  # and another one can be asked for


def test_a_model_without_weights_is_offered_as_architecture_and_can_be_seen_so() -> None:
    real = ExplorerState(deliver=lambda call: call(), picture=open_sample("chelsea"))
    try:
        assert real.wait(60)
        bar = bar_of(real)
        for name, offered in (
            ("beit3_giant_patch14_224", False),
            ("vit_base_patch16_xp_224", False),
            ("test_vit4", True),
        ):
            bar._choose_model({"new": ""})
            bar._name.value = name
            assert real.wait(60)
            assert name in bar._error.value
            assert ("can be looked at as architecture only" in bar._error.value) == offered
            assert (bar._random.layout.display != "none") == offered
        assert isinstance(real.error, ExplorerError)
        assert real.error.code == "model-no-weights"
        bar._random.click()
        assert real.wait(60)
        assert real.error is None
        assert real.trace is not None
        assert (real.trace.spec.name, real.trace.spec.random_weights) == ("test_vit4", True)
        assert bar._model.value == "test_vit4"
        assert "random weights" in bar._notice.value
        assert bar._banner.layout.display == bar._random.layout.display == bar._other.layout.display == "none"
    finally:
        real.close()


def test_names_are_escaped(bar: ControlBar, state: ExplorerState) -> None:
    bar._choose_model({"new": ""})
    bar._name.value = "<script>alert(1)</script>"
    assert state.wait(10)
    assert "<script>" not in bar._error.value
    assert "&lt;script&gt;" in bar._error.value


def test_says_what_to_know_about_the_answers(bar: ControlBar, state: ExplorerState) -> None:
    assert bar._notice.value == ""
    state.patch_size = 64
    assert state.wait(10)
    assert "64" in bar._notice.value
    state.random_weights = True
    assert state.wait(10)
    assert "random weights" in bar._notice.value
    state.language = "ja"
    assert "乱数" in bar._notice.value


def test_the_front_end_cannot_choose_what_is_not_offered(bar: ControlBar, state: ExplorerState) -> None:
    bar._patch_size.set_state({"value": 7})
    bar._language.set_state({"value": "<b>"})
    assert (bar._patch_size.value, bar._language.value) == (8, "en")
    assert (state.patch_size, state.language) == (8, "en")


def test_every_word_follows_the_language(bar: ControlBar, state: ExplorerState) -> None:
    state.language = "ja"
    assert bar._patch_size.label == "パッチサイズ P"
    assert "準備完了" in bar._status.value
    assert [stage["name"] for stage in bar._nav.stages] == ["概要", "パッチ"]


def test_a_changed_run_is_named_and_undone(bar: ControlBar, state: ExplorerState) -> None:
    assert bar._changed_run.layout.display == "none"
    order = [1, 0, *range(2, 64)]
    state.intervention = Intervention(permutation=order, pos_embed=None, masked_heads=[(2, 4)], msa_off=[0, 5])
    assert state.wait(10)
    assert bar._changed_run.layout.display != "none"
    words = bar._change.value
    assert "2 of 64 patches moved, no Eₚₒₛ, head 5 of layer 3 off, MSA off in layer 1, 6" in words
    state.language = "ja"
    assert "64個のパッチのうち2個を移動" in bar._change.value
    bar._undo.click()
    assert state.wait(10)
    assert state.intervention is None
    assert bar._changed_run.layout.display == "none"
