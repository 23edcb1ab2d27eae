"""A cache that many processes share: nobody throws away what another one has fetched, or is fetching."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from explorer import hub, hub_worker
from explorer.errors import ExplorerError
from tests.hub_standin import COMMIT, Repo, StandinHub, small_vit

NAME = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
REPO = f"timm/{NAME}"
PATIENCE = 60.0


def laid_down(cache: Path, files: dict[str, bytes]) -> dict[str, Path]:
    """Put files into the cache as ``huggingface_hub`` does; gives their names there."""
    repo = cache / f"models--timm--{NAME}"
    snapshot, blobs = repo / "snapshots" / COMMIT, repo / "blobs"
    for folder in (snapshot, blobs, repo / "refs"):
        folder.mkdir(parents=True, exist_ok=True)
    (repo / "refs" / "main").write_text(COMMIT)
    places = {name: snapshot / name for name in files}
    for name, content in files.items():
        blob = blobs / f"{name}-blob"
        blob.write_bytes(content)
        places[name].symlink_to(blob)
    return places


@pytest.mark.parametrize("kept", ["config.json", "model.safetensors"])
def test_a_file_whose_partner_is_missing_is_no_damage(cache: Path, kept: str) -> None:
    files = small_vit()
    places = laid_down(cache, {kept: files[kept]})
    half = places[kept].resolve().with_name("0123.4567.incomplete")
    half.write_bytes(b"what another process has of the partner")
    hub._discard_damaged(REPO)
    assert places[kept].read_bytes() == files[kept]
    assert half.exists()


@pytest.mark.parametrize("bad", ["config.json", "model.safetensors"])
def test_only_the_bad_file_is_discarded(cache: Path, bad: str) -> None:
    files = small_vit()
    places = laid_down(cache, files | {bad: files[bad][:-10]})
    blob = places[bad].resolve()
    hub._discard_damaged(REPO)
    assert not places[bad].is_symlink()
    assert not blob.exists()
    (kept,) = set(files) - {bad}
    assert places[kept].read_bytes() == files[kept]


def test_a_file_that_another_process_removed_is_fetched_once_more(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, runs = small_vit(), []

    def worker(*_arguments: Any) -> None:
        runs.append(1)
        have = ("config.json",) if len(runs) == 1 else ("model.safetensors",)
        laid_down(cache, {name: files[name] for name in have})

    monkeypatch.setattr(hub, "_run_worker", worker)
    assert hub.fetch(NAME) == hub.cached(NAME)
    assert len(runs) == 2


def test_a_file_that_never_comes_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    monkeypatch.setattr(hub, "_run_worker", lambda *_arguments: runs.append(1))
    with pytest.raises(ExplorerError) as caught:
        hub.fetch(NAME)
    assert caught.value.code == "download-damaged"
    assert len(runs) == 2


@pytest.mark.parametrize("gone", ["file", "blob"])
def test_the_worker_leaves_a_removed_file_to_its_caller(cache: Path, gone: str) -> None:
    """Two workers check one damaged file; the other was first, and removed the name, or both."""
    place = laid_down(cache, {"model.safetensors": b"damaged"})["model.safetensors"]
    named = place.resolve().rename(place.resolve().with_name("0" * 64))
    place.unlink()
    if gone == "blob":
        place.symlink_to(named)
        named.unlink()
    hub_worker._check(place)


@pytest.mark.parametrize("end", ["finished", "cancelled", "killed"])
def test_two_pages_ask_for_one_model(
    standin: StandinHub, cache: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """The second comes while the first has its configuration and half of the weights; whatever becomes of the first."""
    files, hold = small_vit(), threading.Event()
    standin.repos[REPO] = Repo(files, hold=hold, hold_after=hub_worker.CHUNK_SIZE + 1)
    processes: list[subprocess.Popen[str]] = []
    popen: Callable[..., subprocess.Popen[str]] = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        processes.append(popen(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    halfway, waits, enough = threading.Event(), threading.Event(), threading.Event()

    def far(done: int, _total: int) -> None:
        if done > len(files["config.json"]):
            halfway.set()

    with ThreadPoolExecutor() as pages:
        first: Future[Path] = pages.submit(hub.fetch, NAME, far, enough.is_set)
        assert halfway.wait(PATIENCE)
        second: Future[Path] = pages.submit(hub.fetch, NAME, lambda _done, _total: waits.set())
        assert waits.wait(PATIENCE)
        if end == "cancelled":
            enough.set()
        elif end == "killed":
            processes[0].kill()
        if end != "finished":
            with pytest.raises(ExplorerError, match=NAME):
                first.result(PATIENCE)
        hold.set()
        folder = second.result(PATIENCE)
        if end == "finished":
            assert first.result(PATIENCE) == folder
    assert {name: (folder / name).read_bytes() for name in files} == files
    asked = [path.rpartition("/")[2] for command, path in standin.requests if command == "GET"]
    assert asked.count("config.json") == 1
    assert asked.count("model.safetensors") == (1 if end == "finished" else 2)
