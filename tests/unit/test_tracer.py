"""The tracer: the latest request wins, stale answers are dropped, failures arrive."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from explorer import engine
from explorer import tracer as tracer_module
from explorer.errors import Cancelled, ExplorerError
from explorer.images import Picture
from explorer.model_store import ModelStore
from explorer.samples import open_sample
from explorer.tracer import ModelAnswerer, Progress, TraceAnswer, Tracer, TraceRequest

PATIENCE = 10.0


class Gate:
    """An answerer that waits at a gate of each request's own, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.started = {name: threading.Event() for name in "abc"}
        self.gates = {name: threading.Event() for name in "abc"}
        self.cancelled: dict[str, bool] = {}

    def __call__(self, request: TraceRequest, report: Any, cancelled: Any) -> TraceAnswer:
        self.asked.append(request.model)
        report(Progress(phase="tracing"))
        self.started[request.model].set()
        assert self.gates[request.model].wait(PATIENCE)
        self.cancelled[request.model] = cancelled()
        if request.model == "c":
            raise ExplorerError("model-unknown", name="c")
        return TraceAnswer(request=request, trace=SimpleNamespace(of=request.model), labels=None)  # type: ignore[arg-type]


@pytest.fixture
def request_a() -> TraceRequest:
    return TraceRequest(picture=open_sample("chelsea"), model="a")


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def heard(gate: Gate) -> Any:
    told = SimpleNamespace(answers=[], failures=[], progress=[])
    told.tracer = Tracer(
        answerer=gate,
        on_answer=lambda answer: told.answers.append(answer.trace.of),
        on_failure=lambda request, error: told.failures.append((request.model, error)),
        on_progress=lambda progress: told.progress.append(progress.phase),
        deliver=lambda call: call(),
    )
    yield told
    told.tracer.close()


def test_answers(heard: Any, gate: Gate, request_a: TraceRequest) -> None:
    gate.gates["a"].set()
    heard.tracer.submit(request_a)
    assert heard.tracer.wait(PATIENCE)
    assert heard.answers == ["a"]
    assert heard.progress == ["tracing"]


def test_the_latest_of_two_wins_and_the_first_is_asked_to_stop(heard: Any, gate: Gate, request_a: TraceRequest) -> None:
    heard.tracer.submit(request_a)
    assert gate.started["a"].wait(PATIENCE)
    heard.tracer.submit(replace(request_a, model="b"))
    gate.gates["a"].set()
    gate.gates["b"].set()
    assert heard.tracer.wait(PATIENCE)
    assert gate.cancelled == {"a": True, "b": False}
    assert heard.answers == ["b"]


def test_of_those_that_wait_only_the_last_is_answered(heard: Any, gate: Gate, request_a: TraceRequest) -> None:
    heard.tracer.submit(request_a)
    assert gate.started["a"].wait(PATIENCE)
    heard.tracer.submit(replace(request_a, model="c"))
    heard.tracer.submit(replace(request_a, model="b"))
    for name in "ab":
        gate.gates[name].set()
    assert heard.tracer.wait(PATIENCE)
    assert gate.asked == ["a", "b"]
    assert heard.answers == ["b"]
    assert heard.failures == []


def test_an_answer_that_is_stale_on_arrival_is_dropped(gate: Gate, request_a: TraceRequest) -> None:
    calls: list[Any] = []
    answers: list[str] = []
    tracer = Tracer(
        answerer=gate,
        on_answer=lambda answer: answers.append(answer.trace.of),  # type: ignore[attr-defined]
        on_failure=lambda request, error: pytest.fail(str(error)),
        deliver=calls.append,
    )
    gate.gates["a"].set()
    tracer.submit(request_a)
    assert tracer.wait(PATIENCE)
    gate.gates["b"].set()
    tracer.submit(replace(request_a, model="b"))
    assert tracer.wait(PATIENCE)
    for call in calls:  # both answers were on their way when the second request was made
        call()
    assert answers == ["b"]
    tracer.close()


def test_failures_arrive(heard: Any, gate: Gate, request_a: TraceRequest) -> None:
    gate.gates["c"].set()
    heard.tracer.submit(replace(request_a, model="c"))
    assert heard.tracer.wait(PATIENCE)
    ((model, error),) = heard.failures
    assert model == "c"
    assert isinstance(error, ExplorerError)


def test_cancelled_says_nothing(request_a: TraceRequest) -> None:
    def answerer(request: TraceRequest, report: Any, cancelled: Any) -> TraceAnswer:
        raise Cancelled

    tracer = Tracer(
        answerer=answerer,
        on_answer=lambda answer: pytest.fail("answered"),
        on_failure=lambda request, error: pytest.fail("failed"),
        deliver=lambda call: call(),
    )
    tracer.submit(request_a)
    assert tracer.wait(PATIENCE)
    tracer.close()


def photo(name: str) -> Picture:
    """One of 30,000 bytes."""
    return Picture(np.zeros((100, 100, 3), np.uint8), f"{name}.jpg", name)


def test_photos_count_among_what_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[tuple[str, tuple[float, float]]] = []

    def trace_image(_model: object, picture: Picture, *, crop: tuple[float, float], **_sizes: object) -> Any:
        runs.append((picture.digest, crop))
        return SimpleNamespace(nbytes=1_000)

    def ask(picture: Picture, place: float = 0.5) -> None:
        answerer(TraceRequest(picture=picture, model="toy", crop=(place, 0.5)), lambda _: None, lambda: False)

    monkeypatch.setattr(engine, "trace_image", trace_image)
    monkeypatch.setattr(tracer_module, "REMEMBERED_BYTES", 70_000)
    models = ModelStore()
    models.add("toy", SimpleNamespace(spec=SimpleNamespace(num_params=1), labels=None))  # type: ignore[arg-type]
    answerer = ModelAnswerer(models)
    first, second, third = photo("first"), photo("second"), photo("third")
    for place in (0.1, 0.2, 0.3, 0.4):  # one photo is held once, however many answers there are to it
        ask(first, place)
    ask(second)
    assert len(answerer._answers) == 5
    ask(third)  # 96,000 bytes: all of the first photo has to go before 30,000 are free
    assert [key[0] for key in answerer._answers] == ["second", "third"]
    before = len(runs)
    ask(second)
    ask(third)
    assert len(runs) == before
    ask(first)
    assert len(runs) == before + 1


def test_the_key_tells_requests_apart(request_a: TraceRequest) -> None:
    assert request_a.key == TraceRequest(picture=request_a.picture, model="a").key
    for change in (
        {"model": "b"},
        {"random_weights": True},
        {"crop": (0.0, 0.5)},
        {"patch_size": 8},
        {"image_size": 64},
        {"picture": open_sample("coffee")},
    ):
        assert replace(request_a, **change).key != request_a.key  # type: ignore[arg-type]
