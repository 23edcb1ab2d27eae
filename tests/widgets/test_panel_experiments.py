"""Stage 7's frame: what is run when, what is shown of it, and when it is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ipywidgets as W
import pytest

from explorer.errors import ExplorerError
from explorer.interventions import Intervention
from explorer.panels import experiments
from explorer.panels.base import html
from explorer.panels.experiment_base import Experiment, ExperimentPanel
from explorer.panels.experiments import ExperimentsPanel
from explorer.samples import open_sample
from explorer.state import ExplorerState
from explorer.trace import Trace
from tests.widgets.random_model import random_state, settled, shown


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


class Counting(ExperimentPanel):
    """Gives back its own number, and counts how often it is worked out."""

    name = "shuffle"  # its words

    def __init__(self, state: ExplorerState) -> None:
        self.number = 1
        self.runs: list[int] = []
        self.fits = 0
        super().__init__(state)

    def build(self, _trace: Trace) -> Sequence[W.Widget]:
        self.out = html()
        return (self.controls(), self.out, self.switch)

    def fit(self, _trace: Trace) -> None:
        self.fits += 1

    def experiment(self, _trace: Trace) -> Experiment:
        number = self.number

        def run(model: Any, report: Callable[[int, int], None], cancelled: Callable[[], bool]) -> int:
            self.runs.append(number)
            report(1, 2)
            if number < 0:
                raise ExplorerError("size-not-even", image_size=3, patch_size=2)
            return number

        return Experiment(run=run, options=number)

    def show(self, _trace: Trace, result: int) -> None:
        self.out.value = f"{self.state.language} {result}"

    def clear(self, _trace: Trace) -> None:
        self.out.value = "nothing"

    def intervention(self) -> Intervention | None:
        return Intervention(masked=[self.number]) if self.number > 1 else None


class Slow(Counting):
    automatic = False


def panel_of(state: ExplorerState, kind: type[ExperimentPanel], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"shuffle": kind, "other": Counting})
    catalogue = {"experiment-other.name": "other", "experiment-other.what": "other"}
    original = experiments.text
    monkeypatch.setattr(experiments, "text", lambda key, *given: catalogue.get(key) or original(key, *given))
    stage = ExperimentsPanel(state)
    settled(state)
    return stage.experiments["shuffle"]


def test_a_quick_experiment_runs_by_itself_and_remembers(state: ExplorerState, monkeypatch: Any) -> None:
    panel = panel_of(state, Counting, monkeypatch)
    assert (panel.out.value, panel.runs) == ("en 1", [1])
    for number in (2, 1, 2):
        panel.number = number
        panel.changed()
        settled(state)
    assert panel.out.value == "en 2"
    assert panel.runs == [1, 2]
    state.language = "ja"
    assert panel.out.value == "ja 2"
    assert panel.runs == [1, 2]


def test_another_picture_is_another_question(state: ExplorerState, monkeypatch: Any) -> None:
    panel = panel_of(state, Counting, monkeypatch)
    state.picture = open_sample("coffee")
    settled(state)
    assert (panel.runs, panel.fits) == ([1, 1], 2)
    assert "vx-is-stale" not in panel._body._dom_classes


def test_a_slow_experiment_waits_for_its_button(state: ExplorerState, monkeypatch: Any) -> None:
    panel = panel_of(state, Slow, monkeypatch)
    assert (panel.out.value, panel.runs) == ("nothing", [])
    panel._run.click()
    settled(state)
    assert (panel.out.value, panel.runs) == ("en 1", [1])
    panel.number = 5
    panel.changed()
    assert panel.out.value == "nothing"
    panel._run.click()
    settled(state)
    assert panel.out.value == "en 5"
    state.picture = open_sample("coffee")
    settled(state)
    assert (panel.out.value, panel.runs) == ("nothing", [1, 5])


def test_an_impossible_request_is_told_and_the_next_one_forgets_it(state: ExplorerState, monkeypatch: Any) -> None:
    panel = panel_of(state, Counting, monkeypatch)
    panel.number = -1
    panel.changed()
    settled(state)
    assert "role='alert'" in panel._failure.value
    assert state.error is None
    panel.number = 3
    panel.changed()
    settled(state)
    assert panel._failure.value == ""
    assert panel.out.value == "en 3"


def test_all_stages_show_the_change_and_follow_it(state: ExplorerState, monkeypatch: Any) -> None:
    panel = panel_of(state, Counting, monkeypatch)
    assert not shown(panel.switch)
    panel.number = 2
    panel.changed()
    settled(state)
    assert shown(panel.switch)
    panel.switch.value = "changed"
    settled(state)
    assert state.trace.intervention == Intervention(masked=[2])
    assert panel.runs == [1, 2]  # the changed run is not another question
    panel.number = 4
    panel.changed()
    settled(state)
    assert state.trace.intervention == Intervention(masked=[4])
    assert panel.switch.value == "changed"
    state.intervention = None  # by the bar
    settled(state)
    assert panel.switch.value == "own"
    panel.number = 5
    panel.changed()
    settled(state)
    assert state.intervention is None


def test_another_size_ends_the_change(state: ExplorerState, monkeypatch: Any) -> None:
    panel = panel_of(state, Counting, monkeypatch)
    panel.number = 2
    panel.changed()
    settled(state)
    panel.switch.value = "changed"
    settled(state)
    state.patch_size = 4
    settled(state)
    assert state.error is None
    assert not state.trace.intervention
    assert panel.switch.value == "own"


def test_only_what_is_chosen_is_built(state: ExplorerState, monkeypatch: Any) -> None:
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"shuffle": Counting, "other": Slow})
    original = experiments.text
    monkeypatch.setattr(experiments, "text", lambda key, *given: original(key.replace("-other", "-shuffle"), *given))
    stage = ExperimentsPanel(state)
    settled(state)
    assert list(stage.experiments) == ["shuffle"]
    stage._choice.value = "other"
    assert state.experiment == "other"
    assert [type(child) for child in stage._room.children] == [Slow]
    state.language = "ja"
    state.experiment = "shuffle"
    assert stage.experiments["shuffle"].out.value == "ja 1"


def test_what_was_under_way_is_asked_for_again_on_return(state: ExplorerState, monkeypatch: Any) -> None:
    panel = panel_of(state, Counting, monkeypatch)
    begun, go_on = threading.Event(), threading.Event()

    def run(*_: Any) -> str:
        begun.set()
        assert go_on.wait(60)
        return "late"

    shown_parts: list[str] = []
    panel.also("part", Experiment(run=run, remembered=False), shown_parts.append)
    assert begun.wait(60)
    state.experiment = "other"
    go_on.set()
    settled(state)
    assert shown_parts == []  # nobody wants it any more
    fits = panel.fits
    state.experiment = "shuffle"
    settled(state)
    assert panel.fits == fits + 1  # where a panel asks for its parts
