"""Downloads from a stand-in Hub: whole, broken, refused, cancelled; the network is never asked."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from explorer import hub, hub_worker
from explorer.errors import ExplorerError
from explorer.texts import LANGUAGES, catalogue, error_text
from tests.hub_standin import COMMIT, Repo, StandinHub, small_vit, standin_hub

NAME = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
REPO = f"timm/{NAME}"


def failure(name: str = NAME) -> ExplorerError:
    with pytest.raises(ExplorerError) as caught:
        hub.fetch(name)
    for language in LANGUAGES:
        assert name in error_text(caught.value, language)
    return caught.value


def leftovers(cache: Path) -> list[Path]:
    """Files in the cache that hold bytes of a model, whole or not."""
    return [path for path in cache.rglob("*") if path.is_file() and path.parent.name in ("blobs", COMMIT)]


def test_download_then_cache(standin: StandinHub, cache: Path) -> None:
    files = small_vit()
    standin.repos[REPO] = Repo(files)
    told: list[tuple[int, int]] = []
    assert hub.cached(NAME) is None
    folder = hub.fetch(NAME, lambda done, total: told.append((done, total)))
    assert {name: (folder / name).read_bytes() for name in files} == files
    size = sum(len(content) for content in files.values())
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    asked = {path.rpartition("/")[2] for _, path in standin.requests}
    assert asked <= {"config.json", "model.safetensors", "agent-harnesses"}

    before = len(standin.requests)
    assert hub.cached(NAME) == hub.fetch(NAME) == hub.fetch(f"timm/{NAME}") == folder
    assert hub.cached_models() == (NAME,)
    assert len(standin.requests) == before


def test_downloaded_model_runs(standin: StandinHub, cache: Path) -> None:
    """From the Hub's answer to a class by name: the way that the page and a notebook take."""
    from explorer import load_model, trace_image

    standin.repos[REPO] = Repo(small_vit(classes=4))
    told: list[int] = []
    model = load_model(NAME, progress=lambda done, _total: told.append(done))
    assert told
    assert not model.spec.random_weights
    assert (model.spec.depth, model.spec.dim, model.spec.num_classes) == (1, 16, 4)
    picture = io.BytesIO()
    Image.effect_mandelbrot((50, 40), (-3, -2.5, 2, 2.5), 50).save(picture, "png")
    trace = trace_image(model, picture.getvalue())
    assert trace.probs is not None
    assert model.labels.name(int(trace.probs.argmax())).startswith("kind ")


def test_commands(standin: StandinHub, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from explorer.cli import main

    standin.repos[REPO] = Repo(small_vit())
    assert main(["download", NAME, "--lang", "en"]) == 0
    assert main(["download", NAME, "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "ready" in said
    assert "already" in said
    assert main(["models", "--lang", "en"]) == 0
    assert f"{NAME}  [downloaded]" in capsys.readouterr().out
    assert main(["download", "flexi", "bundled", "--lang", "en"]) == 0
    assert capsys.readouterr().out.count("comes with ViT Explorer") == 2


@pytest.mark.parametrize("name", ["vit_pwee_patch16_reg1_gap_256.sbb_in1k", "vit_base_patch16_rpn_224.sw_in1k"])
def test_command_downloads_nothing_that_cannot_be_explored(
    standin: StandinHub, cache: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    from explorer.cli import main

    standin.repos[f"timm/{name}"] = Repo(small_vit())
    assert main(["download", name, "--lang", "en"]) == 2
    assert "not those of the slides" in capsys.readouterr().err
    assert standin.requests == []


def test_slow_download_is_cancelled_at_once(standin: StandinHub, cache: Path) -> None:
    hold = threading.Event()
    config = len(small_vit()["config.json"])
    standin.repos[REPO] = Repo(small_vit(), hold=hold, hold_after=hub_worker.CHUNK_SIZE + 1)
    told: list[int] = []
    with pytest.raises(ExplorerError) as caught:
        # The server has fallen silent: no more bytes will come, so only a real stop ends this.
        hub.fetch(NAME, lambda done, _total: told.append(done), lambda: bool(told) and told[-1] > config)
    assert caught.value.code == "download-cancelled"
    assert hub.cached(NAME) is None
    assert not any(path.suffix == ".incomplete" for path in leftovers(cache))
    assert not hold.is_set()
    hold.set()
    assert hub.fetch(NAME) == hub.cached(NAME)


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_a_worker_that_misses_the_first_request_to_stop_hears_the_next() -> None:
    """As one does that is about to read from a silent server: killed, it would leave its half file behind."""
    deaf_once = """
import signal, sys, time
asked = []
def stop(*_):
    asked.append(1)
    if len(asked) > 1:
        sys.exit(7)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
while True:
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", deaf_once], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        hub._stop(process)
    assert process.returncode == 7


def test_connection_cut_each_time_goes_on_from_there(standin: StandinHub, cache: Path) -> None:
    files = small_vit()
    assert len(files["model.safetensors"]) > hub_worker.CHUNK_SIZE + 100
    standin.repos[REPO] = Repo(files, cut_after=hub_worker.CHUNK_SIZE + 100)
    folder = hub.fetch(NAME)
    assert (folder / "model.safetensors").read_bytes() == files["model.safetensors"]


def test_connection_cut_for_good(standin: StandinHub, cache: Path) -> None:
    standin.repos[REPO] = Repo(small_vit(), cut_after=100, ranges=False)
    assert failure().code == "download-cut"
    assert hub.cached(NAME) is None
    assert [path.name for path in leftovers(cache) if path.name == "model.safetensors"] == []
    assert not any(path.suffix == ".incomplete" for path in leftovers(cache))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ((404, "RepoNotFound"), "download-not-found"),
        ((401, "RepoNotFound"), "download-not-found"),
        ((404, "RevisionNotFound"), "download-not-found"),
        ((403, "GatedRepo"), "download-gated"),
        ((503, ""), "download-refused"),
    ],
)
def test_refusals(standin: StandinHub, cache: Path, error: tuple[int, str], code: str) -> None:
    standin.repos[REPO] = Repo({}, error=error)
    assert failure().code == code
    assert leftovers(cache) == []


def test_repository_with_bin_only(standin: StandinHub, cache: Path) -> None:
    standin.repos[REPO] = Repo({"config.json": small_vit()["config.json"], "pytorch_model.bin": b"cos\nsystem\n"})
    assert failure().code == "download-no-safetensors"
    assert not any(path.endswith(".bin") for _, path in standin.requests)
    assert leftovers(cache) == []


def test_repository_without_config(standin: StandinHub, cache: Path) -> None:
    standin.repos[REPO] = Repo({"model.safetensors": small_vit()["model.safetensors"]})
    assert failure().code == "download-no-config"


def test_damaged_on_the_way(standin: StandinHub, cache: Path) -> None:
    """Right length and a good header, but one bit of a weight is not what the checksum says."""
    files = small_vit()
    weights = bytearray(files["model.safetensors"])
    weights[-1] ^= 1
    standin.repos[REPO] = Repo(files, served={"model.safetensors": bytes(weights)})
    assert failure().code == "download-damaged"
    assert hub.cached(NAME) is None
    standin.repos[REPO] = Repo(files)
    assert hub.fetch(NAME) == hub.cached(NAME)


def test_damaged_at_the_source(standin: StandinHub, cache: Path) -> None:
    """A repository whose file is itself cut off: the checksum fits, the header does not."""
    files = small_vit()
    standin.repos[REPO] = Repo({**files, "model.safetensors": files["model.safetensors"][:-10]})
    assert failure().code == "download-damaged"
    assert hub.cached(NAME) is None


def test_cache_damaged_later_is_fetched_again(standin: StandinHub, cache: Path) -> None:
    files = small_vit()
    standin.repos[REPO] = Repo(files)
    weights = hub.fetch(NAME) / "model.safetensors"
    weights.resolve().write_bytes(files["model.safetensors"][:-1])
    assert hub.cached(NAME) is None
    assert (hub.fetch(NAME) / "model.safetensors").read_bytes() == files["model.safetensors"]


def test_answer_that_is_no_hub(standin: StandinHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign-in page of a hotel's network answers 200 to everything, without the Hub's headers."""
    monkeypatch.setattr("tests.hub_standin._Handler._answer", lambda handler, *, body: handler._refuse(200, ""))
    assert failure().code == "download-no-hub"


def test_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with standin_hub() as server:
        environment = server.environment()
    for variable, value in environment.items():  # nobody listens there any more
        monkeypatch.setenv(variable, value)
    assert failure().code == "download-no-network"


def test_offline(standin: StandinHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standin.repos[REPO] = Repo(small_vit())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert failure().code == "download-offline"
    assert standin.requests == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_cache_that_cannot_be_written(standin: StandinHub, cache: Path) -> None:
    standin.repos[REPO] = Repo(small_vit())
    cache.mkdir(parents=True)
    cache.chmod(0o500)
    assert failure().code == "download-not-writable"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "download-disk-full"),
        (errno.EDQUOT, "download-disk-full"),
        (errno.EROFS, "download-not-writable"),
        (errno.EIO, "download-failed"),
    ],
)
def test_disk_errors(number: int, code: str) -> None:
    error = RuntimeError("while saving")
    error.__cause__ = OSError(number, os.strerror(number))
    assert hub_worker._failure(error).code == code


def test_unknown_names(cache: Path) -> None:
    error = failure("vit_tinny_patch16_224.augreg_in21k_ft_in1k")
    assert error.code == "model-unknown"
    assert NAME in str(error.values["suggestions"])
    assert failure("vit_tiny_patch16_224.no_such_tag").code == "model-unknown"
    assert failure("<b>../../etc/passwd</b>").code == "model-unknown"


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224.ms_in1k", "resnet50.a1_in1k"])
def test_other_architectures_are_refused_before_any_download(standin: StandinHub, name: str) -> None:
    assert failure(name).code == "model-not-vit"
    assert standin.requests == []


@pytest.mark.parametrize("name", ["vit_base_patch16_gap_224", "beit3_giant_patch14_224"])
def test_architecture_without_weights(standin: StandinHub, name: str) -> None:
    assert failure(name).code == "model-no-weights"
    assert standin.requests == []


def test_names_whose_weights_bear_another_name() -> None:
    assert hub.repo_of("vit_base_patch32_clip_quickgelu_224.openai") == "timm/vit_base_patch32_clip_224.openai"
    assert hub.repo_of("vit_base_patch16_224").startswith("timm/vit_base_patch16_224.")


def test_worker_names_blobs_by_checksum(standin: StandinHub, cache: Path) -> None:
    """The check of the checksum relies on how Hugging Face names its files; this fails if that changes."""
    files = small_vit()
    standin.repos[REPO] = Repo(files)
    blob = (hub.fetch(NAME) / "model.safetensors").resolve()
    assert blob.name == hashlib.sha256(files["model.safetensors"]).hexdigest()


def test_every_failure_has_its_sentence() -> None:
    source = Path(hub.__file__).read_text("utf-8") + Path(hub_worker.__file__).read_text("utf-8")
    codes = set(re.findall(r'"((?:model|download)-[a-z-]+)"', source))
    assert len(codes) > 15
    for language in LANGUAGES:
        assert {f"errors.{code}" for code in codes} <= set(catalogue(language))
