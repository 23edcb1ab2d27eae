"""The wheel, installed into an environment of its own and started from an empty folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from explorer.texts import text
from tests.page.harness import free_port, start_command

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel, and sees the dependencies of this one without the checkout."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    # A folder that a .pth file names is searched, but its own .pth files are not read: the editable install is one.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def environment() -> dict[str, str]:
    """Where Jupyter keeps its files outside of packages; in one environment they would lie beside them."""
    share = Path(sys.prefix) / "share" / "jupyter"
    return {"JUPYTER_PATH": str(share), "JUPYTERLAB_DIR": str(share / "lab"), "PYTHONPATH": ""}


def test_wheel_has_all_that_the_program_needs_and_no_more(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "explorer", "assets", "notebooks"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    moved = {"assets/": "explorer/_assets/", "notebooks/": "explorer/_notebooks/"}
    expected = {
        next((name.replace(old, new, 1) for old, new in moved.items() if name.startswith(old)), name)
        for name in tracked
        if (ROOT / name).exists()
    }
    assert expected <= names, sorted(expected - names)
    for name in names:
        assert re.match(r"explorer/|vit_explorer-[^/]*\.dist-info/", name), name
        assert not re.search(r"\.pyc$|__pycache__|\.ipynb_checkpoints|\.bin$|\.pt$|\.pkl$", name), name
    assert zipfile.ZipFile(wheel).testzip() is None


def test_installed_files_are_found(installed: Path, empty: Path) -> None:
    code = (
        "import json, explorer; from explorer.resources import assets_path, notebooks_path\n"
        "print(json.dumps([explorer.__file__, str(assets_path()), str(notebooks_path('explorer.ipynb'))]))"
    )
    command = [str(installed / "bin" / "python"), "-c", code]
    answer = subprocess.run(
        command, cwd=empty, env={**os.environ, **environment()}, check=True, capture_output=True, text=True, timeout=60
    )
    paths = [Path(path) for path in json.loads(answer.stdout)]
    assert all(path.exists() and path.is_relative_to(installed) for path in paths), paths


def test_serve_works_from_an_empty_folder(installed: Path, empty: Path) -> None:
    command = [str(installed / "bin" / "vit-explorer"), "serve", "--port", "0", "--no-browser", "--ready-kernels", "0"]
    with (
        start_command(command, empty, environment=environment()) as server,
        urllib.request.urlopen(server.url + "/?lang=ja", timeout=120) as answer,
    ):
        page = answer.read().decode()
    assert text("shell.starting", "ja") in page
    # The kernel ran the notebook, and its answer is a widget, not an error.
    assert "application/vnd.jupyter.widget-view+json" in page
    assert 'class="vx-kernel-error"' not in page


def test_lab_works_from_an_empty_folder(installed: Path, empty: Path) -> None:
    port = free_port()
    program = str(installed / "bin" / "vit-explorer")
    command = [program, "lab", "--port", str(port), "--no-browser", "--", "--allow-root"]
    with start_command(command, empty, r"(http://127\.0\.0\.1:\d+/lab\S*)", environment()) as server:
        token = server.url.partition("token=")[2]

        def get(path: str) -> bytes:
            headers = {"Authorization": f"token {token}"}
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return bytes(answer.read())

        served = json.loads(get("/api/contents/explorer.ipynb"))["content"]
        assert "Dashboard()" in "".join(served["cells"][0]["source"])
        lesson = json.loads(get("/api/contents/lessons/ja/1-patches.ipynb"))
        assert lesson["writable"]
        assert any("explorer.lessons" in "".join(cell["source"]) for cell in lesson["content"]["cells"])
        assert b"<title>JupyterLab</title>" in get("/lab")
    copied = empty / "vit-explorer" / "explorer.ipynb"
    assert os.access(copied, os.W_OK)
