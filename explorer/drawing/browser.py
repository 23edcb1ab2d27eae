"""A browser without a window: the machine's own Chrome, Chromium or Edge, spoken to through a pipe.

No port is opened, and no request leaves the machine: the page is empty, what runs in it is handed over through the
pipe, no name is resolved, and the network is switched off.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from explorer.errors import ExplorerError

__all__ = ["Browser", "find_browser"]

#: Names on the search path, the lightest to start first.
_NAMES = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "microsoft-edge-stable",
    "msedge",
)
_MAC = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Chromium.app/Contents/MacOS/Chromium",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
_WINDOWS = (
    "Google/Chrome/Application/chrome.exe",
    "Chromium/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
)
#: Below the folder where Playwright keeps its browsers.
_PLAYWRIGHT = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/Chromium.app/Contents/MacOS/Chromium",
    "chromium-*/chrome-win*/chrome.exe",
    "chromium_headless_shell-*/*/chrome-headless-shell*",
    "chromium_headless_shell-*/*/headless_shell*",
)
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
    "--use-mock-keychain",
    # Nothing of the browser's own asks anybody for anything, and what asked all the same would find nobody.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
#: A browser reads commands from file descriptor 3 and answers on 4. What has other numbers is renamed in the child.
_RENAME = """
import fcntl, os, sys
# Out of the way first: either may be 3 or 4 already.
reads, writes = (fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3])
os.dup2(reads, 3)
os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
#: How long a browser may take to start: on a busy machine its first start of the day takes many seconds.
_START_SECONDS = 60.0


def find_browser() -> Path | None:
    """Where a browser is that can draw without a window.

    Returns
    -------
    pathlib.Path or None
        What the environment variable ``BROWSER_PATH`` names; else a Chrome, Chromium or Edge on the search path, where
        installers put them, or where Playwright keeps its own.
    """
    named = os.environ.get("BROWSER_PATH")
    if named:
        return Path(named) if Path(named).is_file() else None
    on_path = next(filter(None, map(_on_path, _NAMES)), None)
    if on_path is not None:
        return on_path
    return next((path for path in _usual_places() if path.is_file()), None)


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    # Windows looks into the current folder first, where anybody's download may lie.
    if found is None or (sys.platform == "win32" and Path(found).resolve().parent == Path.cwd().resolve()):
        return None
    return Path(found)


def _usual_places() -> Iterator[Path]:
    home = Path.home()
    if sys.platform == "darwin":
        for folder in (Path("/Applications"), home / "Applications"):
            yield from (folder / name for name in _MAC)
        kept = home / "Library" / "Caches" / "ms-playwright"
    elif sys.platform == "win32":
        for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
            if os.environ.get(variable):
                yield from (Path(os.environ[variable]) / name for name in _WINDOWS)
        kept = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "ms-playwright"
    else:
        kept = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "ms-playwright"
    kept = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or kept)
    for pattern in _PLAYWRIGHT:
        # The newest first.
        yield from sorted((path for path in kept.glob(pattern) if os.access(path, os.X_OK)), reverse=True)


class Browser:
    """A started browser with one empty page; use it in a ``with`` statement.

    Parameters
    ----------
    path : path, optional
        The browser; by default what :func:`find_browser` finds.
    width, height : int
        Of the page, in CSS pixels.
    ratio : float
        Pixels of the screen in a CSS pixel.

    Raises
    ------
    ExplorerError
        ``browser-missing`` or ``browser-failed``.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, width: int = 1920, height: int = 1080, ratio: float = 2.0
    ) -> None:
        found = find_browser() if path is None else Path(path)
        if found is None:
            raise ExplorerError("browser-missing")
        self._path = found
        self._metrics = {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": False}
        self._serial = 0
        self._session = ""
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def __enter__(self) -> Browser:
        # As root, in a container, Chromium's sandbox cannot be made; where it cannot either, the second try is without.
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        attempts: tuple[tuple[str, ...], ...] = (("--no-sandbox",),) if root else ((), ("--no-sandbox",))
        for place, sandbox in enumerate(attempts, start=1):
            self._profile = tempfile.TemporaryDirectory(prefix="vit-explorer-", ignore_cleanup_errors=True)
            try:
                self._start(sandbox)
                self._open_page()
            except (OSError, ExplorerError) as error:
                self._stop()
                if place == len(attempts):
                    raise error if isinstance(error, ExplorerError) else self._failed(str(error)) from error
            except BaseException:
                self._stop()
                raise
            else:
                return self
        raise AssertionError("there is always an attempt")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def evaluate(self, expression: str, timeout: float = 120.0) -> Any:
        """Run JavaScript in the page.

        Parameters
        ----------
        expression : str
            A promise is waited for.
        timeout : float
            In seconds.

        Returns
        -------
        object
            The value, as far as JSON has a word for it.

        Raises
        ------
        ExplorerError
            ``browser-failed``: the browser ended, or took too long.
        RuntimeError
            What the script threw.
        """
        given = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = self._ask("Runtime.evaluate", given, timeout)
        if "exceptionDetails" in answer:
            thrown = answer["exceptionDetails"]
            raise RuntimeError(str(thrown.get("exception", {}).get("description") or thrown.get("text")))
        return answer["result"].get("value")

    # -- the process -----------------------------------------------------------------------------------------------

    def _start(self, sandbox: tuple[str, ...]) -> None:
        self._session, self._answers = "", queue.SimpleQueue()
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        options = [*_FLAGS, *sandbox, f"--user-data-dir={self._profile.name}"]
        quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        try:
            if sys.platform == "win32":
                self._process = _started_on_windows(self._path, options, reads, writes, quiet)
            else:
                command = [str(self._path), *options, "--remote-debugging-pipe", "about:blank"]
                # Isolated: nothing is imported from the folder where we were started.
                rename = [sys.executable, "-I", "-c", _RENAME, str(reads), str(writes)]
                # A process group of its own: Ctrl+C is ours to answer.
                self._process = subprocess.Popen(
                    [*rename, *command], pass_fds=(reads, writes), start_new_session=True, **quiet
                )
        finally:
            os.close(reads)
            os.close(writes)
        threading.Thread(target=_read, args=(self._from, self._answers), daemon=True).start()

    def _open_page(self) -> None:
        target = self._ask("Target.createTarget", {"url": "about:blank"}, _START_SECONDS)["targetId"]
        self._session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self._ask("Emulation.setDeviceMetricsOverride", self._metrics)
        self._ask("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self._ask("Network.emulateNetworkConditions", offline)

    def _stop(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None:
            # A browser whose pipe is closed ends by itself.
            os.close(self._to)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(self._from)
            del self._process
        self._profile.cleanup()

    def _ask(self, method: str, parameters: dict[str, Any], timeout: float = 30.0) -> dict[str, Any]:
        self._serial += 1
        message = {"id": self._serial, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        ended = time.monotonic() + timeout
        try:
            data = memoryview(json.dumps(message).encode("utf-8") + b"\0")
            while data:
                data = data[os.write(self._to, data) :]
            while True:
                answer = self._answers.get(timeout=max(ended - time.monotonic(), 0.01))
                if answer is None:
                    raise EOFError
                if answer.get("id") == self._serial:
                    break
        except queue.Empty as error:
            raise self._failed(f"{method}: {timeout:.0f} s") from error
        except (OSError, EOFError) as error:
            raise self._failed(f"{method}{self._end()}") from error
        if "error" in answer:
            raise self._failed(f"{method}: {answer['error'].get('message')}")
        result: dict[str, Any] = answer["result"]
        return result

    def _end(self) -> str:
        try:
            return f": exit status {self._process.wait(3)}"
        except subprocess.TimeoutExpired:
            return ""

    def _failed(self, detail: str) -> ExplorerError:
        return ExplorerError("browser-failed", browser=str(self._path), detail=detail)


def _read(source: int, answers: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    """Read the browser's messages, which end with a zero byte, until there are no more."""
    pieces: list[bytes] = []
    while True:
        try:
            data = os.read(source, 1 << 20)
        except OSError:
            data = b""
        if not data:
            answers.put(None)
            return
        *whole, rest = data.split(b"\0")
        for end in whole:
            answers.put(json.loads(b"".join([*pieces, end])))
            pieces = []
        if rest:
            pieces.append(rest)


def _started_on_windows(path: Path, options: list[str], reads: int, writes: int, quiet: dict[str, Any]) -> Any:
    """Windows has no file descriptors to hand on: a browser is told the handles of the pipes."""
    import msvcrt

    handles = [msvcrt.get_osfhandle(end) for end in (reads, writes)]  # type: ignore[attr-defined]
    for handle in handles:
        os.set_handle_inheritable(handle, True)  # type: ignore[attr-defined]
    pipes = ["--remote-debugging-pipe", f"--remote-debugging-io-pipes={handles[0]},{handles[1]}", "about:blank"]
    return subprocess.Popen([str(path), *options, *pipes], close_fds=False, **quiet)
