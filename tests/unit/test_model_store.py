"""Models that are loaded: once, for all who want them, and kept; a download outlives the request that began it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from explorer import engine, model_store
from explorer import models as models_module
from explorer.errors import Cancelled, ExplorerError
from explorer.jobs import Job, JobRunner
from explorer.model_store import SMALL, ModelStore
from explorer.samples import open_sample
from explorer.tracer import ModelAnswerer, Progress, Tracer, TraceRequest

PATIENCE = 10.0


def weighing(num_params: int) -> Any:
    return SimpleNamespace(spec=SimpleNamespace(num_params=num_params), labels=None)


class Hub:
    """Downloads that end when the test says so, or when nobody wants them any more."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.stopped: list[str] = []
        self.failure: Exception | None = None
        self.tell: Callable[[int, int], None] = lambda done, total: None
        self.started, self.gone, self.gate = threading.Event(), threading.Event(), threading.Event()

    def load(self, name: str, *, progress: Any, cancelled: Any, **_options: Any) -> Any:
        self.begun.append(name)
        self.tell = progress
        self.started.set()
        while not self.gate.wait(0.01):
            if cancelled():
                self.stopped.append(name)
                self.gone.set()
                raise ExplorerError("download-cancelled", name=name)
        if self.failure is not None:
            raise self.failure
        return weighing(SMALL)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    monkeypatch.setattr(models_module, "load_model", hub.load)
    monkeypatch.setattr(engine, "trace_image", lambda *_arguments, **_options: SimpleNamespace(nbytes=1))
    yield hub
    hub.gate.set()


@pytest.fixture
def heard() -> Iterator[Any]:
    """A tracer, and what was heard of it."""
    told = SimpleNamespace(answers=[], failures=[], progress=[], progressed=threading.Event())

    def note(progress: Progress) -> None:
        told.progress.append((progress.phase, progress.done))
        told.progressed.set()

    told.tracer = Tracer(
        answerer=ModelAnswerer(ModelStore()),
        on_answer=lambda answer: told.answers.append(answer.request),
        on_failure=lambda request, error: told.failures.append(error),
        on_progress=note,
        deliver=lambda call: call(),
    )
    yield told
    told.tracer.close()


@pytest.fixture
def request_a() -> TraceRequest:
    return TraceRequest(picture=open_sample("chelsea"), model="a")


def until(heard: Any, *word: object) -> None:
    """Wait for a word about progress."""
    while word not in heard.progress:
        assert heard.progressed.wait(PATIENCE)
        heard.progressed.clear()


def test_two_threads_load_a_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    started, gate = threading.Event(), threading.Event()

    def load(name: str, **options: Any) -> object:
        loads.append(name)
        started.set()
        assert gate.wait(PATIENCE)
        return weighing(SMALL)

    monkeypatch.setattr(models_module, "load_model", load)
    store, found = ModelStore(), []
    threads = [threading.Thread(target=lambda: found.append(store.get("some"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert started.wait(PATIENCE)
    # One that does not want it any more does not wait for the others.
    with pytest.raises(Cancelled):
        store.get("some", cancelled=lambda: True)
    gate.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert loads == ["some"]
    assert len(found) == 3
    assert len(set(map(id, found))) == 1


def test_all_who_wait_hear_of_the_download_and_of_its_failure(downloads: Hub) -> None:
    store, told, caught = ModelStore(), threading.Barrier(3), []
    downloads.failure = ExplorerError("download-cut", name="a")

    def wait() -> None:
        try:
            store.get("a", downloading=lambda done, total: (done, total) == (1, 2) and told.wait(PATIENCE))
        except ExplorerError as error:
            caught.append(error)

    threads = [threading.Thread(target=wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert downloads.started.wait(PATIENCE)
    downloads.tell(1, 2)
    told.wait(PATIENCE)
    downloads.gate.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert caught == [downloads.failure] * 2
    # What failed is not kept: the next one tries again.
    downloads.failure = None
    assert store.get("a") is store.get("a")
    assert downloads.begun == ["a", "a"]


def test_another_crop_goes_on_with_the_download(downloads: Hub, heard: Any, request_a: TraceRequest) -> None:
    heard.tracer.submit(request_a)
    assert downloads.started.wait(PATIENCE)
    downloads.tell(1, 3)
    until(heard, "downloading", 1)
    requests = [replace(request_a, crop=(place, 0.5)) for place in (0.1, 0.2)]
    for request in requests:
        heard.tracer.submit(request)
    downloads.tell(2, 3)
    until(heard, "downloading", 2)
    downloads.gate.set()
    assert heard.tracer.wait(PATIENCE)
    assert downloads.begun == ["a"]
    assert downloads.stopped == []
    assert heard.answers == requests[-1:]
    assert [phase for phase, _ in heard.progress].count("tracing") == 1


@pytest.mark.parametrize("then", ["another model", "cancelled", "closed"])
def test_a_model_that_nobody_wants_is_not_downloaded_further(
    downloads: Hub, heard: Any, request_a: TraceRequest, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    monkeypatch.setattr(model_store, "_LINGER", 0.05)
    heard.tracer.submit(request_a)
    assert downloads.started.wait(PATIENCE)
    match then:
        case "another model":
            heard.tracer.submit(replace(request_a, model="b"))
        case "cancelled":
            heard.tracer.cancel()
        case "closed":
            heard.tracer.close()
    assert downloads.gone.wait(PATIENCE)
    assert downloads.stopped == ["a"]
    downloads.gate.set()
    assert heard.tracer.wait(PATIENCE)
    assert [request.model for request in heard.answers] == (["b"] if then == "another model" else [])
    assert heard.failures == []


def test_a_model_can_be_asked_for_again_while_its_download_is_being_stopped(
    downloads: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_store, "_LINGER", 0.0)
    store = ModelStore()
    with pytest.raises(Cancelled):
        store.get("a", cancelled=downloads.started.is_set)
    assert downloads.gone.wait(PATIENCE)
    downloads.gate.set()
    assert store.get("a") is store.get("a")
    assert downloads.begun == ["a", "a"]


def test_an_experiment_for_another_photo_goes_on_with_the_download(
    downloads: Hub, heard: Any, request_a: TraceRequest
) -> None:
    """The page stops a job before it asks for the next of its kind."""
    results: list[object] = []
    runner = JobRunner(models=ModelStore(), deliver=lambda call: call())

    def submit(request: TraceRequest) -> None:
        job = Job(key="models", request=request, run=lambda model, report, cancelled: request.picture.digest)
        runner.submit(job, results.append, results.append)

    submit(request_a)
    assert downloads.started.wait(PATIENCE)
    runner.cancel("models")
    other = replace(request_a, picture=open_sample("coffee"))
    submit(other)
    assert not downloads.gone.wait(0.3)
    downloads.gate.set()
    assert runner.wait(PATIENCE)
    runner.close()
    assert downloads.begun == ["a"]
    assert results == [other.picture.digest]


def test_the_page_goes_on_with_what_an_experiment_no_longer_wants(downloads: Hub) -> None:
    store, gone_on = ModelStore(), threading.Event()

    def give_up() -> None:
        with pytest.raises(Cancelled):
            store.get("a", cancelled=gone_on.is_set)

    experiment = threading.Thread(target=give_up)
    experiment.start()
    assert downloads.started.wait(PATIENCE)
    found: list[object] = []
    page = threading.Thread(target=lambda: found.append(store.get("a", downloading=lambda *_: gone_on.set())))
    page.start()
    downloads.tell(1, 2)
    experiment.join(PATIENCE)
    downloads.gate.set()
    page.join(PATIENCE)
    assert downloads.begun == ["a"]
    assert len(found) == 1


def test_the_last_models_are_kept_and_small_ones_take_no_large_ones_place(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []

    def load(name: str, **_options: Any) -> Any:
        loads.append(name)
        return weighing(SMALL if name.startswith("small") else SMALL + 1)

    monkeypatch.setattr(models_module, "load_model", load)
    store = ModelStore(2)
    for name in ("a", "b", "a", "small 1", "small 2", "small 3", "c", "a", "small 1", "b"):
        store.get(name)
    assert loads == ["a", "b", "small 1", "small 2", "small 3", "c", "b"]
