"""Jobs beside the page: the latest of each key wins, stale results are dropped, results are remembered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from explorer import jobs as jobs_module
from explorer.errors import Cancelled, ExplorerError
from explorer.jobs import Job, JobRunner
from explorer.model_store import ModelStore
from explorer.samples import open_sample
from explorer.tracer import ModelAnswerer, TraceRequest

PATIENCE = 10.0


def weighing(num_params: int) -> Any:
    return SimpleNamespace(spec=SimpleNamespace(num_params=num_params))


MODEL = weighing(1)


class Heard:
    """A runner with a model that nobody runs, and what was heard of its jobs."""

    def __init__(self, deliver: Callable[[Callable[[], None]], None] = lambda call: call()) -> None:
        models = ModelStore()
        models.add("toy", MODEL)
        self.runner = JobRunner(models=models, deliver=deliver)
        self.request = TraceRequest(picture=open_sample("chelsea"), model="toy")
        self.results: list[Any] = []
        self.failures: list[BaseException] = []
        self.progress: list[tuple[int, int]] = []

    def submit(self, run: Any, **options: Any) -> None:
        job = Job(**{"key": "a", "request": self.request, "run": run} | options)
        self.runner.submit(
            job, self.results.append, self.failures.append, lambda done, total: self.progress.append((done, total))
        )

    def wait(self) -> None:
        assert self.runner.wait(PATIENCE)


class Gated:
    """Work that waits at a gate."""

    def __init__(self, result: object) -> None:
        self.result, self.started, self.gate = result, threading.Event(), threading.Event()
        self.cancelled: bool | None = None
        self.runs = 0

    def __call__(self, _model: Any, report: Any, cancelled: Callable[[], bool]) -> object:
        self.runs += 1
        self.started.set()
        assert self.gate.wait(PATIENCE)
        self.cancelled = cancelled()
        if self.cancelled:
            raise Cancelled
        report(1, 1)
        return self.result

    def opened(self) -> Gated:
        self.gate.set()
        return self


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard = Heard()
    yield heard
    heard.runner.close()


def test_a_job_gets_the_requests_model_and_says_how_far_it_is(heard: Heard) -> None:
    def run(model: Any, report: Any, cancelled: Any) -> object:
        report(3, 7)
        return model

    heard.submit(run)
    heard.wait()
    assert heard.results == [MODEL]
    assert heard.progress == [(3, 7)]


def test_the_page_is_not_flooded_and_hears_of_the_end(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100, 200))
    # Each look at the clock is 20 ms after the one before.
    monkeypatch.setattr(jobs_module, "monotonic", lambda: next(clock) * 0.02)

    def run(_model: Any, report: Any, _cancelled: Any) -> None:
        for done in range(1, 9):
            report(done, 8)

    heard.submit(run)
    heard.wait()
    assert heard.progress == [(1, 8), (4, 8), (7, 8), (8, 8)]


def test_the_latest_of_a_key_wins_and_the_first_is_asked_to_stop(heard: Heard) -> None:
    first, second, third = Gated(1), Gated(2).opened(), Gated(3).opened()
    heard.submit(first)
    assert first.started.wait(PATIENCE)
    heard.submit(second, options="second")
    heard.submit(third, options="third")
    first.gate.set()
    heard.wait()
    assert first.cancelled
    assert second.runs == 0
    assert heard.results == [3]


def test_jobs_of_different_keys_are_all_done(heard: Heard) -> None:
    first, second = Gated(1), Gated(2).opened()
    heard.submit(first)
    heard.submit(second, key="b")
    first.gate.set()
    heard.wait()
    assert heard.results == [1, 2]


@pytest.mark.parametrize("key", ["a", None])
def test_what_was_cancelled_says_nothing(heard: Heard, key: str | None) -> None:
    work = Gated(1)
    heard.submit(work)
    assert work.started.wait(PATIENCE)
    heard.runner.cancel(key)
    work.gate.set()
    heard.wait()
    assert work.cancelled
    assert heard.results == heard.failures == heard.progress == []


def test_to_cancel_one_key_leaves_the_others(heard: Heard) -> None:
    first, second = Gated(1), Gated(2).opened()
    heard.submit(first)
    assert first.started.wait(PATIENCE)
    heard.submit(second, key="b")
    heard.runner.cancel("a")
    first.gate.set()
    heard.wait()
    assert heard.results == [2]


def test_a_result_that_is_stale_on_arrival_is_dropped() -> None:
    calls: list[Callable[[], None]] = []
    heard = Heard(calls.append)
    heard.submit(Gated(1).opened(), options="first")
    heard.wait()
    heard.submit(Gated(2).opened(), options="second")
    heard.wait()
    for call in calls:  # both were on their way when the second job was submitted
        call()
    assert heard.results == [2]
    heard.runner.close()


def test_a_result_is_remembered_with_its_request_and_options(heard: Heard) -> None:
    work = Gated("result").opened()
    for options in ("x", "x", "y"):
        heard.submit(work, options=options)
        heard.wait()
    assert work.runs == 2
    assert heard.results == ["result"] * 3
    heard.submit(work, options="x", remembered=False)
    heard.wait()
    assert work.runs == 3


def test_results_that_are_too_large_together_are_forgotten(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Result:
        values: dict[str, np.ndarray]

    monkeypatch.setattr(jobs_module, "REMEMBERED_BYTES", 150)
    work = Gated(Result({"a": np.zeros(100, np.uint8)})).opened()
    for options in ("x", "y", "x"):
        heard.submit(work, options=options)
        heard.wait()
    assert work.runs == 3


def test_failures_arrive_whether_expected_or_not(heard: Heard) -> None:
    expected, unexpected = ExplorerError("model-unknown", name="x"), ValueError("a mistake of ours")

    def failing(error: Exception) -> Any:
        def run(model: Any, report: Any, cancelled: Any) -> object:
            raise error

        return run

    for error in (expected, unexpected):
        heard.submit(failing(error))
        heard.wait()
    assert heard.failures == [expected, unexpected]


def test_tracer_and_jobs_share_their_models() -> None:
    store = ModelStore()
    assert ModelAnswerer(store).models is JobRunner(models=store, deliver=lambda call: call()).models
