"""What page tests are made of: the two homes as servers, and a guard over everything that a page does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from playwright.sync_api import ConsoleMessage, Dialog, Page, Request, WebSocket, expect

__all__ = [
    "Guard",
    "Server",
    "eventually",
    "free_port",
    "kernel_of",
    "serve_notebook",
    "start_command",
    "start_server",
    "wait_ready",
    "wait_shown",
    "write_notebook",
]

SERVE_NOTEBOOK = """
import sys
from explorer.serving import ServeOptions, serve_page
serve_page(ServeOptions(port=0, host=sys.argv[2], ready_kernels=0, open_browser=False, notebook=sys.argv[1],
                        split_kernels=False),
           lambda addresses: print(addresses.here, flush=True))
"""

ADDRESS = r"(http://\S+)"
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}

#: The word that the status shows when nothing is being computed.
READY = re.compile("ready|準備完了")

#: JupyterLab's own complaints, which are neither about us nor about anything that its user would notice.
LAB_NOISE = (
    # A fresh user has no workspace and no settings yet; JupyterLab asks for them all the same.
    re.compile(r"Failed to load resource: .*(404|Not Found)"),
    re.compile(r"Failed to fetch .*(workspace|settings|translation|announcement)", re.IGNORECASE),
)


#: The process that kernels are split off.
PARENT = "explorer.kernels.parent"


class Server:
    """A server in its own process.

    Attributes
    ----------
    url : str
        Address that it printed.
    log : deque of str
        The last lines that it wrote.
    """

    def __init__(self, command: Sequence[str], cwd: Path, pattern: str, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self.log: deque[str] = deque(maxlen=400)
        self.url = ""
        self._pattern = re.compile(pattern)
        self._found = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.log.append(line.rstrip())
            found = self._pattern.search(line)
            if found and not self.url:
                self.url = found[1]
                self._found.set()
        self._found.set()

    def wait(self, timeout: float = 60) -> str:
        """The address, once it is printed."""
        if not self._found.wait(timeout) or not self.url:
            raise RuntimeError("the server did not start:\n" + "\n".join(self.log))
        # JupyterLab prints its address a moment before it listens.
        parts = urlsplit(self.url)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((parts.hostname or "", parts.port or 80), 1):
                return self.url
            time.sleep(0.05)
        raise RuntimeError(f"nobody listens at {self.url}:\n" + "\n".join(self.log))

    def kernels(self) -> list[psutil.Process]:
        """The kernels that it has started, by itself or by way of the parent that kernels are split off."""

        def runs(child: psutil.Process) -> bool:
            with contextlib.suppress(psutil.NoSuchProcess):  # it may end between two of the lines
                command = " ".join(child.cmdline())
                return "ipykernel" in command or (PARENT in command and child.ppid() != self.process.pid)
            return False

        return [child for child in psutil.Process(self.process.pid).children(recursive=True) if runs(child)]

    def kernel(self, kernel_id: str) -> psutil.Process | None:
        """The kernel by an id, as long as it runs."""

        def is_it(kernel: psutil.Process) -> bool:
            with contextlib.suppress(psutil.NoSuchProcess):
                return kernel.name() == f"kernel-{kernel_id}"[:15] or kernel_id in " ".join(kernel.cmdline())
            return False

        return next(filter(is_it, self.kernels()), None)

    def stop(self) -> None:
        """End it, and what it started if it does not do so itself."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self._reader.join(5)


def start_server(
    arguments: Sequence[str], cwd: Path, pattern: str = ADDRESS, environment: dict[str, str] | None = None
) -> AbstractContextManager[Server]:
    """Run ``vit-explorer`` with some arguments from some folder, as a user would."""
    return start_command([sys.executable, "-m", "explorer.cli", *arguments], cwd, pattern, environment)


@contextmanager
def start_command(
    command: Sequence[str], cwd: Path, pattern: str = ADDRESS, environment: dict[str, str] | None = None
) -> Iterator[Server]:
    """Run a command that serves and prints its address; it ends with the context."""
    clean = {
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        # Nothing of whoever runs the tests: neither models nor JupyterLab's settings and workspaces.
        "HF_HOME": str(cwd / ".hf"),
        "JUPYTER_CONFIG_DIR": str(cwd / ".jupyter"),
        "JUPYTERLAB_SETTINGS_DIR": str(cwd / ".jupyter" / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(cwd / ".jupyter" / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(cwd / ".jupyter" / "runtime"),
        "IPYTHONDIR": str(cwd / ".ipython"),
        "PYTHONWARNINGS": "ignore",
        **(environment or {}),
    }
    server = Server(command, cwd, pattern, clean)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def serve_notebook(notebook: Path, cwd: Path, host: str = "127.0.0.1") -> AbstractContextManager[Server]:
    """Serve another notebook than the dashboard's, with the same settings; its kernels import what it needs."""
    return start_command([sys.executable, "-c", SERVE_NOTEBOOK, str(notebook), host], cwd)


def write_notebook(path: Path, source: str) -> Path:
    """Write a notebook of one cell."""
    cell = {"cell_type": "code", "id": "a", "execution_count": None, "metadata": {}, "outputs": []}
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    content = {"cells": [{**cell, "source": source}], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kernel_message(payload: str | bytes) -> tuple[str, dict[str, object]]:
    """Type and content of a message from a kernel, in either of Jupyter's wire formats."""
    if isinstance(payload, str):
        message = json.loads(payload)
        return str(message.get("header", {}).get("msg_type", "")), message.get("content", {})
    count = int.from_bytes(payload[:8], "little")
    offsets = [int.from_bytes(payload[8 * (i + 1) : 8 * (i + 2)], "little") for i in range(count)]
    if count < 6:
        return "", {}
    header = json.loads(payload[offsets[1] : offsets[2]])
    kind = str(header.get("msg_type", ""))
    return kind, json.loads(payload[offsets[4] : offsets[5]]) if kind == "error" else {}


class Guard:
    """Notes everything that must not happen while a page is open.

    A request to another machine, an exception in the page, an error on its console, an error in the kernel. Each is a
    line in ``problems``; :meth:`check` fails a test that has any. A test that wants one to happen says so beforehand
    with :meth:`allow`.
    """

    def __init__(self, page: Page, ignore: Sequence[re.Pattern[str]] = ()) -> None:
        self._always = tuple(ignore)
        self.begin()
        page.on("request", self._request)
        page.on("pageerror", lambda error: self._note(f"page error: {error.message}\n{error.stack}"))
        page.on("console", self._console)
        page.on("dialog", self._dialog)
        page.on("websocket", self._websocket)

    def begin(self) -> None:
        """Forget what another test saw and allowed."""
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._ignore = list(self._always)

    def allow(self, pattern: str) -> None:
        """Problems whose line matches a pattern are expected in this test."""
        self._ignore.append(re.compile(pattern))
        self.problems = [line for line in self.problems if not self._ignore[-1].search(line)]

    def check(self) -> None:
        """Fail if anything happened."""
        assert not self.problems, "while the page was open:\n" + "\n".join(self.problems)

    def _note(self, line: str) -> None:
        if not any(pattern.search(line) for pattern in self._ignore):
            self.problems.append(line)

    def _leaves(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in LOCAL_HOSTS

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if self._leaves(request.url):
            self._note(f"request to another machine: {request.method} {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note(f"console error: {message.text} ({message.location.get('url', '')})")

    def _dialog(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":
            # JupyterLab asks whether to leave a notebook that was run and not saved. A test leaves.
            dialog.accept()
            return
        self._note(f"a dialog of the browser: {dialog.type} {dialog.message}")
        dialog.dismiss()

    def _websocket(self, websocket: WebSocket) -> None:
        if self._leaves(websocket.url):
            self._note(f"websocket to another machine: {websocket.url}")
        if "/api/kernels/" in websocket.url:
            websocket.on("framereceived", self._frame)

    def _frame(self, payload: str | bytes) -> None:
        kind, content = kernel_message(payload)
        if kind == "error":
            trace = "\n".join(map(str, content.get("traceback", [])))  # type: ignore[call-overload]
            self._note(f"kernel error: {content.get('ename')}: {content.get('evalue')}\n{trace}")


def wait_shown(page: Page, timeout: float = 60_000) -> None:
    """Wait until the dashboard has taken the shell's place (in JupyterLab: until it is there)."""
    expect(page.locator(".vx .vx-status").first).to_be_visible(timeout=timeout)
    expect(page.locator("#vx-shell")).to_have_count(0, timeout=timeout)


def wait_ready(page: Page, timeout: float = 90_000) -> None:
    """Wait until the page says that nothing is being computed."""
    wait_shown(page, timeout)
    expect(page.locator(".vx-status").first).to_have_text(READY, timeout=timeout)


def kernel_of(page: Page) -> str:
    """The id of the kernel behind a page."""
    return str(page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId"))


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether a condition comes true; looked at again and again, so that no test waits longer than it must."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met
