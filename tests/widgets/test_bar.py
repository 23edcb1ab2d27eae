"""The bar: shows what the state says, and writes what the user chooses."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from explorer.errors import Cancelled, ExplorerError
from explorer.export import FilesMenu
from explorer.interventions import Intervention
from explorer.panels.bar import ControlBar
from explorer.panels.page_link import PageLink
from explorer.panels.tour import GuidedTour
from explorer.resources import assets_path
from explorer.samples import open_sample
from explorer.state import ExplorerState
from explorer.texts import text
from explorer.tracer import Progress, TraceAnswer, TraceRequest
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


def test_sizes_that_are_not_offered_stand_in_the_menus_while_they_are_shown(
    bar: ControlBar, state: ExplorerState, answerer: Answerer
) -> None:
    bar._link.open("?image-size=72&patch-size=6")
    assert state.wait(10)
    assert (bar._image_size.value, bar._patch_size.value) == (72, 6)
    assert "72" in labels(bar._image_size)
    assert labels(bar._image_size) == sorted(labels(bar._image_size), key=int)
    bar._patch_size.value = 8
    assert state.wait(10)
    assert (bar._image_size.value, bar._patch_size.value) == (72, 8)
    bar._image_size.value = 64
    assert state.wait(10)
    assert (answerer.requests[-1].image_size, answerer.requests[-1].patch_size) == (64, 8)
    assert "72" not in labels(bar._image_size)


def test_an_input_size_is_chosen_from_half_to_twice_the_models_own(
    bar: ControlBar, state: ExplorerState, answerer: Answerer
) -> None:
    assert labels(bar._image_size) == ["32", "48", "64", "80", "96", "128"]
    assert bar._image_size.value == 64
    assert [option["note"] for option in bar._image_size.options][::5] == ["32 px · 16 patches", "128 px · 256 patches"]
    assert not any(option["disabled"] for option in bar._image_size.options)
    bar._image_size.set_state({"value": 96})
    assert state.wait(10)
    assert (answerer.requests[-1].image_size, answerer.requests[-1].patch_size) == (96, 8)
    assert "N</i> = <b>144" in bar._facts.value
    assert "96" in bar._notice.value  # the model was not trained at it
    # What fills the new input evenly is offered beside it.
    assert labels(bar._patch_size) == ["4", "6", "8", "12", "16", "24", "32", "48", "96"]
    assert bar._patch_size.kind == "menu"


def test_sizes_whose_trace_would_be_too_large_are_greyed_and_say_why(
    bar: ControlBar, state: ExplorerState, answerer: Answerer
) -> None:
    state.model = "deep"
    assert state.wait(10)
    bar._patch_size.value = 4
    assert state.wait(10)
    assert [option["value"] for option in bar._image_size.options if option["disabled"]] == [128]
    greyed = bar._image_size.options[-1]
    assert greyed["note"] == "128 px · its trace would take 229 MB, over the limit of 200 MB"
    asked = len(answerer.requests)
    bar._image_size.set_state({"value": 128})
    assert state.wait(10)
    assert (bar._image_size.value, state.image_size, len(answerer.requests)) == (64, 64, asked)
    state.language = "ja"
    assert bar._image_size.options[-1]["note"] == "128 px · 計算の記録が229 MBとなり、上限の200 MBを超えます"
    # The other way round: at the large input the small patches are greyed.
    bar._patch_size.value = 8
    assert state.wait(10)
    bar._image_size.value = 128
    assert state.wait(10)
    assert [option["value"] for option in bar._patch_size.options if option["disabled"]] == [4]
    assert "229 MB" in bar._patch_size.options[0]["note"]


def test_the_size_that_is_shown_is_offered_whatever_led_to_it(bar: ControlBar, state: ExplorerState) -> None:
    # 144 is the multiple of 48 next to twice the model's own size; of 4 it is 128.
    for patch_size, image_size in ((16, 48), (48, 144), (4, 144)):
        with state.batch():
            state.patch_size, state.image_size = patch_size, image_size
        assert state.wait(10)
        assert (bar._patch_size.value, bar._image_size.value) == (patch_size, image_size)
        assert str(image_size) in labels(bar._image_size)
        assert labels(bar._image_size) == sorted(labels(bar._image_size), key=int)
    assert bar._image_size.options[-1]["note"] == "144 px · 1296 patches"


class Slow(Answerer):
    """Answers at once until it is told to wait; then it says how far it is, and waits until it is cancelled."""

    def __init__(self, *said: Progress) -> None:
        super().__init__()
        self.said = said
        self.waits = False
        self.under_way, self.stopped = threading.Event(), threading.Event()

    def __call__(self, request: TraceRequest, report: Any, cancelled: Any) -> TraceAnswer:
        if not self.waits:
            return super().__call__(request, report, cancelled)
        for progress in self.said:
            report(progress)
        self.under_way.set()
        until = time.monotonic() + 10
        while not cancelled() and time.monotonic() < until:
            time.sleep(0.01)
        self.stopped.set()
        raise Cancelled


def slow_state(*said: Progress) -> tuple[ExplorerState, Slow]:
    answerer = Slow(*said)
    state = ExplorerState(answerer=answerer, deliver=lambda call: call(), picture=open_sample("chelsea"))
    assert state.wait(10)
    answerer.waits = True
    return state, answerer


def test_a_download_says_how_far_it_is_and_is_cancelled() -> None:
    state, answerer = slow_state(Progress(phase="downloading", done=5_500_000, total=22_000_000))
    bar, shown = bar_of(state), state.trace
    assert bar._cancel.layout.display == "none"
    bar._choose_model({"new": ""})
    bar._name.value = "tall"
    assert answerer.under_way.wait(10)
    assert "downloading the model: 5.5 of 22.0 MB" in bar._status.value
    assert "<progress max='22000000' value='5500000'>" in bar._status.value
    assert "ready" not in bar._status.value
    assert (bar._cancel.layout.display, bar._cancel.description) == ("", "Cancel")
    state.language = "ja"
    assert "モデルをダウンロード中：5.5 / 22.0 MB" in bar._status.value
    assert bar._cancel.description == "中止"
    state.language = "en"

    bar._cancel.click()
    assert answerer.stopped.wait(10)
    assert state.wait(10)
    assert "ready" in bar._status.value
    assert bar._cancel.layout.display == bar._banner.layout.display == "none"
    assert state.trace is shown
    assert (state.model, state.patch_size, state.image_size) == ("bundled", 8, 64)
    assert (bar._patch_size.value, bar._patch_size.disabled, bar._image_size.value) == (8, False, 64)
    # The field stays open with the name in it, and the menu's next choice is any model.
    assert (bar._model.value, bar._other.layout.display, bar._name.value) == ("", "", "tall")
    answerer.waits = False
    bar._load.click()
    assert state.wait(10)
    assert (state.model, bar._model.value, bar._other.layout.display) == ("tall", "tall", "none")
    state.close()


def test_a_download_that_a_link_asked_for_is_cancelled_for_the_bundled_model() -> None:
    answerer = Slow(Progress(phase="downloading", done=1_000_000, total=22_000_000))
    answerer.waits = True
    state = ExplorerState(answerer=answerer, deliver=lambda call: call(), picture=open_sample("chelsea"), model="tall")
    assert answerer.under_way.wait(10)
    bar = bar_of(state)
    assert bar._cancel.layout.display == ""
    answerer.waits = False
    bar._cancel.click()
    assert answerer.stopped.wait(10)
    assert state.wait(10)
    assert (state.model, state.error) == ("bundled", None)
    assert state.trace is not None
    assert "ready" in bar._status.value
    assert bar._cancel.layout.display == "none"


def test_while_a_picture_is_opened_the_page_is_not_ready(bar: ControlBar, state: ExplorerState) -> None:
    assert "ready" in bar._status.value
    bar._picture.busy = True
    assert "opening the picture" in bar._status.value
    assert "ready" not in bar._status.value
    state.language = "ja"
    assert "画像を開いています" in bar._status.value
    bar._picture.busy = False
    assert "準備完了" in bar._status.value


def test_a_download_of_unknown_size_says_so_and_the_menu_returns_to_what_is_shown() -> None:
    state, answerer = slow_state(Progress(phase="downloading"))
    bar = bar_of(state)
    wanted = next(option["value"] for option in bar._model.options if "." in str(option["value"]))
    bar._model.value = wanted
    assert answerer.under_way.wait(10)
    assert state.model == wanted
    assert "downloading the model …" in bar._status.value
    assert "<progress" not in bar._status.value
    bar._cancel.click()
    assert answerer.stopped.wait(10)
    assert state.wait(10)
    assert (state.model, bar._model.value, bar._other.layout.display) == ("bundled", "flexi", "none")
    assert len(answerer.requests) == 1  # nothing is asked for by returning
    state.close()


def test_what_is_being_computed_is_cancelled() -> None:
    state, answerer = slow_state(Progress(phase="tracing"))
    bar, before = bar_of(state), state.picture
    with state.batch():
        state.patch_size, state.image_size, state.crop = 16, 96, (0.0, 0.5)
        state.picture = open_sample("coffee")
    assert answerer.under_way.wait(10)
    assert "computing …" in bar._status.value
    bar._cancel.click()
    assert answerer.stopped.wait(10)
    assert state.wait(10)
    assert "ready" in bar._status.value
    assert state.error is None
    assert (state.picture, state.crop) == (before, (0.5, 0.5))
    assert (bar._patch_size.value, bar._image_size.value) == (state.patch_size, state.image_size) == (8, 64)
    state.close()


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
    # The name can be mended where it was typed, until what was wrong with it is read.
    assert bar._model.value == ""
    assert "no-such-model" in bar._error.value
    assert bar._banner.layout.display != "none"
    bar._dismiss.click()
    assert bar._banner.layout.display == "none"
    assert bar._model.value == "flexi"
    assert bar._other.layout.display == "none"
    bar._choose_model({"new": ""})
    assert bar._name.value == "no-such-model"
    # What is wrong with a picture says nothing of the name that is being typed.
    state.failed = None
    bar._open_picture(b"hello", "x.png")
    bar._dismiss.click()
    assert bar._other.layout.display != "none"


def test_a_model_asked_for_by_name_is_named_in_the_menu(bar: ControlBar, state: ExplorerState) -> None:
    bar._choose_model({"new": ""})
    bar._name.value = "shallow"
    assert state.wait(10)
    assert bar._model.value == "shallow"
    assert bar._other.layout.display == "none"
    bar._choose_model({"new": ""})
    assert bar._other.layout.display != "none"  # and another one can be asked for


def test_who_goes_back_to_the_shown_model_is_asked_for_no_name(bar: ControlBar, answerer: Answerer) -> None:
    bar._choose_model({"new": ""})
    asked = len(answerer.requests)
    bar._choose_model({"new": "flexi"})
    assert bar._other.layout.display == "none"
    assert len(answerer.requests) == asked


def test_a_new_picture_is_cut_in_its_middle(bar: ControlBar, state: ExplorerState, answerer: Answerer) -> None:
    state.crop = (0.0, 0.5)
    assert state.wait(10)
    asked = len(answerer.requests)
    bar._picture._choose_sample("coffee")
    assert state.wait(10)
    assert state.crop == (0.5, 0.5)
    assert len(answerer.requests) == asked + 1


def test_the_menu_of_samples_marks_the_one_that_is_shown(bar: ControlBar, state: ExplorerState) -> None:
    assert bar._picture.selected_sample == "chelsea"
    bar._open_picture(b"no picture", "x.jpg")
    assert bar._picture.selected_sample == "chelsea"
    file = assets_path("samples", "coffee.jpg").read_bytes()
    bar._open_picture(file, "my photo.jpg")
    assert bar._picture.selected_sample == "coffee"
    bar._picture._choose_sample("moose")
    assert state.wait(10)
    state.picture = replace(state.picture, digest="another")
    assert bar._picture.selected_sample == ""


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
    assert bar._lost_kernel.sentence == text("page.lost-kernel", "ja")
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
