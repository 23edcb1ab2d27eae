"""How the server gets kernels that are split off a process with everything imported.

:class:`ForkedKernels` is a provisioner of :mod:`jupyter_client`, by the name of ``vit-explorer``. Whatever stands in
its way (another system than Linux, another Python's kernel, a parent that is gone), the kernel is started as any other
is: that takes longer, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from explorer.kernels.parent import ENTRY

__all__ = ["PROVISIONER", "ForkedKernels", "ForkedProcess", "KernelParent"]

#: The provisioner's name, as ``pyproject.toml`` makes it known.
PROVISIONER = "vit-explorer"

#: Seconds after which a parent that says nothing is given up: it imports torch first, on a machine that may be busy.
PATIENCE = 120.0

#: The part of it in which a kernel may still be made; the rest is for the answer. One that is made when nobody waits
#: any more would take the ports of that which was started instead.
_IN_TIME = 0.9

#: What the parent runs. With ``-m`` it would have imported much before any line of ours is run, and from the server's
#: folder first, where a ``random.py`` of the user's may lie. ``-c`` puts that folder first, too, as an empty name, but
#: imports nothing. The same folder further on, of a PYTHONPATH, is the user's wish. (With ``-P``, kernels would not
#: look into their own folders.)
_START = """
import sys
if sys.path[:1] == [""]:
    del sys.path[0]
from explorer.kernels.parent import main
main(int(sys.argv[1]))
"""


class ForkedProcess:
    """What :class:`subprocess.Popen` is to a child, for a child of another process.

    Parameters
    ----------
    pid : int
    descriptor : int
        Stands for this very process, also when its number has become another's. Closed when it has ended.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._descriptor = descriptor
        self._ended = select.poll()
        self._ended.register(descriptor, select.POLLIN)

    def poll(self) -> int | None:
        """None as long as it runs, then 0: with what status it ended only its parent learns."""
        if self.returncode is None and self._ended.poll(0):
            self._note_end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        Raises
        ------
        subprocess.TimeoutExpired
            If it has not, after ``timeout`` seconds.
        """
        if self.returncode is None:
            if not self._ended.poll(None if timeout is None else 1000 * timeout):
                raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
            self._note_end()
        return 0

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _note_end(self) -> None:
        self.returncode = 0
        self._ended.unregister(self._descriptor)
        os.close(self._descriptor)


class KernelParent:
    """The process that kernels are split off, as the server sees it. It ends with the server."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        # A busy machine takes its time; a parent that is gone is noticed at once.
        self._socket.settimeout(PATIENCE)
        self._usable = True
        self._lock = threading.Lock()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-Xfrozen_modules=off", "-c", _START, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # Ctrl+C is the server's, which ends its kernels in good order.
                start_new_session=True,
            )

    def split_off(self, arguments: Sequence[str], environment: Mapping[str, str], folder: str) -> ForkedProcess | None:
        """A new kernel; waits until the parent has imported everything.

        Parameters
        ----------
        arguments : sequence of str
            Of the kernel.
        environment : mapping
        folder : str
            Where it runs.

        Returns
        -------
        ForkedProcess or None
            None if the parent cannot make one now, is gone, or said nothing. In the last two cases it is not asked
            again, as a late answer would be taken for that to the next request; and not ended, as it may have kernels.
        """
        asked: dict[str, Any] = {"arguments": list(arguments), "environment": dict(environment), "folder": folder}
        with self._lock:
            if not self._usable:
                return None
            asked["deadline"] = time.monotonic() + _IN_TIME * PATIENCE
            answer = b""
            with contextlib.suppress(OSError):
                self._socket.sendall(json.dumps(asked).encode() + b"\n")
                answer, descriptors, _, _ = socket.recv_fds(self._socket, 4096, 1)
            self._usable = bool(answer)
            return ForkedProcess(json.loads(answer)["pid"], descriptors[0]) if answer and descriptors else None

    def close(self) -> None:
        """Let it end, as soon as it has imported everything; its kernels end with it. Who waits for one gets none."""
        # Closing alone is told to neither side as long as a thread waits for an answer.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class ForkedKernels(LocalProvisioner):
    """Launches a kernel of this Python by splitting it off the one parent that this process has."""

    _parent: KernelParent | None = None
    _lock = threading.Lock()

    @classmethod
    def prepare(cls) -> KernelParent | None:
        """Start the parent, unless that has been done; what it imports is there when the first page is asked for.

        Returns
        -------
        KernelParent or None
            None where there cannot be one.
        """
        with cls._lock:
            if cls._parent is None and sys.platform == "linux" and hasattr(os, "pidfd_open"):
                cls._parent = KernelParent()
            return cls._parent

    @classmethod
    def stop(cls) -> None:
        """Let the parent end, and its kernels with it."""
        with cls._lock:
            if cls._parent is not None:
                cls._parent.close()
            cls._parent = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Launch a kernel; the base class says how."""
        split = await asyncio.to_thread(self._split_off, cmd, kwargs)
        if split is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = split  # type: ignore[assignment] # has all that is asked of a Popen
        # The group is the kernel's own. It makes it right after the fork, so that asking now might name the parent's.
        self.pid = self.pgid = split.pid
        self.cwd = kwargs.get("cwd") or os.getcwd()
        return self.connection_info

    def _split_off(self, cmd: Sequence[str], settings: Mapping[str, Any]) -> ForkedProcess | None:
        arguments = _own_kernel(cmd)
        if arguments is None or any(settings.get(name) is not None for name in ("stdin", "stdout", "stderr")):
            return None
        parent = self.prepare()
        if parent is None:
            return None
        folder = os.path.abspath(settings.get("cwd") or os.getcwd())
        split = parent.split_off(arguments, settings.get("env") or os.environ, folder)
        if split is None:
            self.log.warning("A kernel could not be split off; it is started for itself")
        return split


def _own_kernel(cmd: Sequence[str]) -> list[str] | None:
    """The arguments of a kernel that is this Python's; of any other None."""
    if not cmd or cmd[0] != sys.executable or "-m" not in cmd:
        return None
    place = list(cmd).index("-m")
    return list(cmd[place + 2 :]) if list(cmd[place + 1 : place + 2]) == [ENTRY] else None
