"""A process that has imported all that the dashboard needs, and splits kernels off itself.

:mod:`explorer.kernels.provisioner` runs :func:`main` in it, and asks for kernels on a socket. A kernel that is split
off (``fork``) has nothing left to import, and shares with the others the memory of what was imported. In all other
respects it is a process of its own, with its own session, environment and working directory.

Only for Linux: elsewhere system libraries do not bear a fork that no ``exec`` follows.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import signal
import socket
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["ENTRY", "main", "preload", "split_off"]

#: The module that a kernel's command runs.
ENTRY = "ipykernel_launcher"

#: What a kernel with the dashboard imports, early or late; with what these import it is all but complete.
_MODULES = (
    "ipykernel.kernelapp",
    "explorer.dashboard",
    "explorer.engine",
    "explorer.models",
    "explorer.figures.to_plotly",
)


def preload() -> None:
    """Import and read what every kernel needs, and nothing that starts a thread: a fork would lose it."""
    from explorer.samples import sample_thumbnail, samples
    from explorer.texts import LANGUAGES, catalogue
    from explorer.torch_compat import import_timm

    for name in _MODULES:
        import_module(name)
    import_timm()
    for language in LANGUAGES:
        catalogue(language)
    for sample in samples():
        sample_thumbnail(sample.id)
    # What the collector never writes to stays shared.
    gc.collect()
    gc.freeze()


def split_off(requests: socket.socket) -> list[str] | None:
    """Answer requests until there are no more.

    Parameters
    ----------
    requests : socket
        Carries one JSON object a line each way: ``arguments``, ``environment``, ``folder`` and ``deadline`` there,
        ``pid`` back, and with it a descriptor of the process, unless none could be made, or it is past the deadline:
        of :func:`time.monotonic`, which is one clock for all of a Linux machine's processes.

    Returns
    -------
    list of str or None
        In a kernel, its arguments: what is left to do is to be that kernel. In the parent None, when the server is
        gone.
    """
    signal.signal(signal.SIGCHLD, _reap)
    # Python warns of threads. The one that there is belongs to NumPy's OpenBLAS, which starts its own anew.
    warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*multi-threaded.*fork")
    with requests, requests.makefile("rb") as lines:
        for line in lines:
            asked: dict[str, Any] = json.loads(line)
            parent = os.getpid()
            # What is written but not sent would be sent by both.
            sys.stdout.flush()
            sys.stderr.flush()
            pid, descriptors = _fork() if time.monotonic() < asked["deadline"] else (-1, [])
            if pid == 0:
                _become_another(asked)
                # The kernel ends when this process is no longer its parent. ipykernel, which would look for that in
                # the environment, has been imported already.
                return [*asked["arguments"], f"--IPKernelApp.parent_handle={parent}"]
            # A server that is gone by now has no more requests; what was made for it ends with this process.
            with contextlib.suppress(BrokenPipeError):
                socket.send_fds(requests, [json.dumps({"pid": pid}).encode() + b"\n"], descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
    return None


def _fork() -> tuple[int, list[int]]:
    """Split in two: 0 in the new process, in the old one its number and a descriptor of it.

    Where there is no room for another (memory, processes, files), -1 and none: the kernels that there are live on this
    process, and it has to stay.
    """
    try:
        pid = os.fork()
    except OSError:
        return -1, []
    if pid == 0:
        return 0, []
    try:
        return pid, [os.pidfd_open(pid)]
    except OSError:
        os.kill(pid, signal.SIGKILL)
        return -1, []


def _become_another(asked: dict[str, Any]) -> None:
    """What ``Popen`` does between a fork and the new program; and no two kernels draw the same numbers."""
    import numpy as np

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    random.seed()
    np.random.seed()
    # All kernels have the parent's command line. By this name, kernel-0f3c9a1e, tools like top tell them apart.
    with contextlib.suppress(OSError, IndexError, ValueError):
        connection = Path(asked["arguments"][asked["arguments"].index("-f") + 1])
        Path("/proc/self/comm").write_text(connection.stem[:15], "utf-8")


def _reap(_number: int, _frame: object) -> None:
    """Take note of kernels that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main(descriptor: int) -> None:
    """Be the parent, and in each of its children a kernel.

    Parameters
    ----------
    descriptor : int
        Of the socket for requests.
    """
    preload()
    arguments = split_off(socket.socket(fileno=descriptor))
    if arguments is None:
        return
    sys.argv = [ENTRY, *arguments]
    import ipywidgets
    from ipykernel.kernelapp import launch_new_instance

    # ipywidgets does so when it is imported in a kernel, which the parent was not. Without it a page asks for each of
    # its hundreds of widgets by itself.
    ipywidgets.register_comm_target()
    launch_new_instance()
