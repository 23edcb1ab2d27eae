"""JupyterLab on a folder of the user's own, with our notebooks in it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.resources import notebooks_path

__all__ = ["START", "copy_notebooks", "lab_command", "lab_environment", "open_lab"]

#: The notebook that is open at first.
START = "start.ipynb"


def copy_notebooks(folder: Path) -> list[Path]:
    """Bring the notebooks into a folder. What is already there stays as it is: it is the user's.

    Parameters
    ----------
    folder : pathlib.Path
        Made when it does not exist.

    Returns
    -------
    list of pathlib.Path
        The notebooks in the folder, copied now or before.

    Raises
    ------
    ExplorerError
        ``folder-not-writable``.
    """
    source = notebooks_path()
    notebooks: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for found in sorted(source.rglob("*")):
            relative = found.relative_to(source)
            if found.is_dir() or any(part.startswith((".", "__")) for part in relative.parts):
                continue
            # The texts that lessons are made from are for who works on them.
            if found.suffix == ".py":
                continue
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copyfile(found, target)
            if target.suffix == ".ipynb":
                notebooks.append(target)
    except OSError as error:
        raise ExplorerError("folder-not-writable", folder=str(folder)) from error
    return notebooks


def lab_command(folder: Path, extra: Sequence[str] = (), *, port: int | None = None, browser: bool = True) -> list[str]:
    """Command that starts JupyterLab on a folder, with the page open that leads to the explorer and to the lessons.

    Parameters
    ----------
    folder : pathlib.Path
        Has been through :func:`copy_notebooks`.
    extra : sequence of str
        Arguments for JupyterLab itself.
    port : int, optional
        Port; JupyterLab's own choice otherwise.
    browser : bool
        Open a browser.
    """
    settings = json.dumps({"websocket_max_message_size": 200 * 1024 * 1024})
    return [
        sys.executable,
        # Else it would import from the folder where it is started, where a random.py of the user's may lie. Kernels are
        # started by commands of their own, and look into theirs.
        "-P",
        "-m",
        "explorer.quick_jupyter",
        str(folder / START),
        f"--ServerApp.root_dir={folder}",
        # The address that is printed opens the notebook, too.
        f"--LabApp.default_url=/lab/tree/{START}",
        f"--ServerApp.tornado_settings={settings}",
        # JupyterLab asks the internet for news and for a newer version of itself.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *([] if port is None else [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]),
        *([] if browser else ["--no-browser"]),
        *extra,
    ]


def lab_environment() -> dict[str, str]:
    """The environment for JupyterLab: that of this process, and our settings where it looks for those of a place.

    A reader's own settings count more. Without ours, JupyterLab asks everyone, over the first notebook, whether it may
    fetch news.
    """
    ours = str(files("explorer") / "serving" / "lab_config")
    given = os.environ.get("JUPYTER_CONFIG_PATH")
    return {**os.environ, "JUPYTER_CONFIG_PATH": ours if not given else os.pathsep.join([given, ours])}


def open_lab(folder: Path, extra: Sequence[str] = (), *, port: int | None = None, browser: bool = True) -> int:
    """Copy the notebooks into a folder and run JupyterLab there until it ends.

    Returns
    -------
    int
        JupyterLab's exit status.

    Raises
    ------
    ExplorerError
        ``lab-missing``, ``folder-not-writable``, or a port that cannot be had.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise ExplorerError("lab-missing")
    folder = folder.resolve()
    copy_notebooks(folder)
    if port:
        from explorer.serving.addresses import bind

        for listening in bind("127.0.0.1", port):
            listening.close()
    command = lab_command(folder, extra, port=port, browser=browser)
    environment = lab_environment()
    if os.name == "posix":
        # JupyterLab takes this process's place: its signals and its exit status need no go-between.
        os.execve(command[0], command, environment)  # noqa: S606
    return subprocess.call(command, env=environment)
