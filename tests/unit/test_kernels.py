"""Kernels that are split off a process with everything imported: each is whole, and a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

from explorer.kernels import provisioner
from explorer.kernels.parent import split_off
from explorer.kernels.provisioner import PROVISIONER, ForkedKernels, ForkedProcess, KernelParent, _own_kernel
from explorer.serving.server import OwnKernels

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux bears a fork without exec")


@pytest.fixture(scope="module")
def parent() -> Iterator[KernelParent]:
    with pytest.MonkeyPatch.context() as patch:
        found = another_parent(patch)
        yield found
        ForkedKernels.stop()
        assert found.process.wait(30) == 0


def another_parent(patch: pytest.MonkeyPatch) -> KernelParent:
    """What a server that has just been started has; the one of before comes back with the patch's end."""
    patch.setattr(ForkedKernels, "_parent", None)
    found = ForkedKernels.prepare()
    assert found is not None
    return found


@asynccontextmanager
async def kernel(
    **settings: Any,
) -> AsyncIterator[tuple[AsyncKernelManager, Callable[[str], Coroutine[Any, Any, str]]]]:
    """A kernel as our server starts it, and what it prints when it runs a piece of code."""
    manager = AsyncKernelManager(kernel_spec_manager=OwnKernels(), kernel_name="python3")
    await manager.start_kernel(**settings)
    client: AsyncKernelClient = manager.client()
    client.start_channels()

    async def run(code: str) -> str:
        printed: list[str] = []

        def note(message: dict[str, Any]) -> None:
            assert message["msg_type"] != "error", message["content"]
            printed.append(message["content"].get("text", ""))

        await client.execute_interactive(code, output_hook=note, timeout=120)
        return "".join(printed).strip()

    try:
        await client.wait_for_ready(timeout=120)
        yield manager, run
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


async def test_a_kernel_has_everything_imported_and_lives_for_itself(parent: KernelParent, tmp_path: Path) -> None:
    environment = {**os.environ, "VX_OF_THIS_KERNEL": "写真"}
    async with kernel(cwd=str(tmp_path), env=environment) as (manager, run):
        assert isinstance(manager.provisioner, ForkedKernels)
        assert isinstance(manager.provisioner.process, ForkedProcess)
        assert await run("import sys; print('explorer.dashboard' in sys.modules, 'timm' in sys.modules)") == "True True"
        assert await run("import os; print(os.getppid())") == str(parent.process.pid)
        assert await run("print(os.getcwd())") == str(tmp_path)
        assert await run("print(os.environ['VX_OF_THIS_KERNEL'])") == "写真"
        # A group of its own: a signal to it reaches no other kernel, and not the parent.
        assert await run("print(os.getpgid(0) == os.getsid(0) == os.getpid())") == "True"
        # The folder of the notebook can be imported from, as in any kernel; nothing else of the parent's is left.
        assert await run("print(sys.path.count(''), sys.argv[0])") == "1 ipykernel_launcher"
        assert await run("import signal; print(signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL)") == "True"
        assert await run("print(open('/proc/self/comm').read())") == Path(manager.connection_file).stem[:15]
        assert await run("import gc; print(gc.get_freeze_count() > 100_000)") == "True"
        # A page asks for all widgets at once.
        asked = "from comm import get_comm_manager; print('jupyter.widget.control' in get_comm_manager().targets)"
        assert await run(asked) == "True"


async def test_it_computes_what_any_process_computes(parent: KernelParent) -> None:
    """Threads that compute do not survive a fork: a kernel has to make its own, with torch and with NumPy."""
    code = """
    import numpy as np, torch
    from explorer.samples import samples
    import explorer
    torch.set_num_threads(2)
    a = torch.arange(4_000_000, dtype=torch.float64).reshape(2000, 2000) / 4e6
    b = np.arange(1_000_000.0).reshape(1000, 1000) / 1e6
    trace = explorer.trace_image(explorer.load_model(), __SAMPLE__)
    print(float((a @ a).sum()), float((b @ b).sum()), [float(p) for p in trace.probs[:3]])
    """
    from explorer.resources import assets_path

    sample = sorted(assets_path("samples").glob("*.jpg"))[0]
    code = "\n".join(line.strip() for line in code.splitlines()).replace("__SAMPLE__", repr(str(sample)))
    async with kernel() as (_, run):
        of_a_fork = await run(code)
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert of_a_fork == plain.stdout.strip()


async def test_no_two_kernels_draw_the_same_numbers(parent: KernelParent) -> None:
    draw = "import random, numpy as np; print(random.random(), np.random.random())"
    async with kernel() as (_, first), kernel() as (_, second):
        one, other = await first(draw), await second(draw)
    assert all(a != b for a, b in zip(one.split(), other.split(), strict=True))


async def test_it_can_be_interrupted_and_started_again_and_ends_alone(parent: KernelParent) -> None:
    async with kernel() as (manager, run), kernel() as (other, run_other):
        # The kernel itself sends what Jupyter sends to its group, so that it is sure to come while it is busy.
        await run("import os, signal, threading, time")
        waiting = "try:\n  time.sleep(60)\nexcept KeyboardInterrupt:\n  print('heard')"
        signalled = "threading.Timer(0.2, os.killpg, (os.getpgid(0), signal.SIGINT)).start()"
        assert await run(f"{signalled}\n{waiting}") == "heard"
        await manager.interrupt_kernel()

        first = manager.provisioner.pid
        await manager.restart_kernel(now=True)
        assert manager.provisioner.pid != first
        assert not psutil.pid_exists(first)
        assert await manager.is_alive()

        process = manager.provisioner.process
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(30) == 0
        assert process.poll() == 0
        assert not await manager.is_alive()
        # Signals to one that has ended go nowhere, whoever has its number now.
        process.kill()
        assert await run_other("print(6 * 7)") == "42"
        assert await other.is_alive()


async def test_nothing_is_imported_from_the_servers_folder_unless_it_is_on_the_users_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's own random.py is no part of Python, wherever the server is started."""
    folder, path = tmp_path / "started", tmp_path / "path"
    for place in (folder, path):
        place.mkdir()
    for name in ("random", "socket", "json", "runpy"):
        (folder / f"{name}.py").write_text("import sys; sys.exit('imported')")
    (path / "vx_of_the_user.py").write_text("answer = 42")
    # As what is started finds this package, too.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.chdir(folder)
    started = another_parent(monkeypatch)
    try:
        async with kernel(cwd=str(tmp_path)) as (manager, run):
            assert isinstance(manager.provisioner.process, ForkedProcess)
            assert await run("import vx_of_the_user; print(vx_of_the_user.answer)") == "42"
    finally:
        ForkedKernels.stop()
    assert started.process.wait(30) == 0


async def test_the_servers_folder_is_imported_from_where_the_user_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vx_of_the_user.py").write_text("answer = 42")
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.chdir(tmp_path)
    another_parent(monkeypatch)
    try:
        async with kernel(cwd=str(other)) as (_, run):
            assert await run("import vx_of_the_user; print(vx_of_the_user.answer)") == "42"
    finally:
        ForkedKernels.stop()


async def test_without_the_parent_a_kernel_is_started_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = another_parent(monkeypatch)
    gone.process.kill()
    gone.process.wait(30)
    async with kernel() as (manager, run):
        assert isinstance(manager.provisioner.process, subprocess.Popen)
        assert await run("import os; print(os.getppid())") == str(os.getpid())
    assert gone.split_off(["-f", "none.json"], {}, "/") is None


def no_room(*_: object) -> int:
    """What a system says that bears no more processes."""
    raise BlockingIOError


def answering(end: int) -> None:
    """Be the parent, in this very process, until nobody asks any more."""
    heard = signal.getsignal(signal.SIGCHLD)
    try:
        assert split_off(socket.socket(fileno=end)) is None
    finally:
        signal.signal(signal.SIGCHLD, heard)


@pytest.mark.parametrize("failing", ["fork", "pidfd_open"])
def test_a_parent_without_room_for_another_says_so_and_stays(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """The kernels that it has would end with it."""
    # Those that there would be: a real fork would go on with all of these tests.
    made = [subprocess.Popen(["sleep", "60"]) for _ in range(2 if failing == "pidfd_open" else 0)]
    ends: list[int] = []
    monkeypatch.setattr(subprocess, "Popen", lambda _, *, pass_fds, **__: ends.append(os.dup(pass_fds[0])))
    asking = KernelParent()
    answers: list[ForkedProcess | None] = []

    def ask() -> None:
        answers.extend(asking.split_off(["-f", "none.json"], {}, "/") for _ in range(2))
        asking.close()

    monkeypatch.setattr(os, failing, no_room)
    if made:
        numbers = iter([process.pid for process in made])
        monkeypatch.setattr(os, "fork", lambda: next(numbers))
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        answering(ends[0])
    finally:
        thread.join(30)
    assert answers == [None, None]
    # One that nobody has a hold of does not go on.
    for process in made:
        process.wait(30)


def test_who_waits_for_a_kernel_is_let_go_when_the_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent may import for many seconds yet: whoever presses Ctrl+C is not to wait for that."""
    ends: list[int] = []
    monkeypatch.setattr(subprocess, "Popen", lambda _, *, pass_fds, **__: ends.append(os.dup(pass_fds[0])))
    asking = KernelParent()
    answers: list[ForkedProcess | None] = []
    thread = threading.Thread(
        target=lambda: answers.append(asking.split_off(["-f", "none.json"], {}, "/")), daemon=True
    )
    thread.start()
    with socket.socket(fileno=ends[0]) as imports:
        # It has asked, and reads on.
        assert imports.recv(1 << 20, socket.MSG_PEEK)
        asking.close()
        thread.join(10)
        assert answers == [None]
        # The parent is told as well, when it has done: what was asked, then that there is no more.
        monkeypatch.setattr(os, "fork", no_room)
        answering(imports.detach())


def test_a_kernel_that_nobody_waits_for_any_more_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """By then another has been started, with the same ports."""
    ends: list[int] = []
    monkeypatch.setattr(subprocess, "Popen", lambda _, *, pass_fds, **__: ends.append(os.dup(pass_fds[0])))
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("one was made"))
    monkeypatch.setattr(provisioner, "PATIENCE", 0.05)
    asking = KernelParent()
    assert asking.split_off(["-f", "none.json"], {}, "/") is None
    asking.close()
    # It has been importing all the while, and reads only now what it was asked.
    answering(ends[0])


def test_what_comes_too_late_for_a_kernel_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"arguments": [], "environment": {}, "folder": "/", "deadline": time.monotonic()}
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("one was made"))
    with ours:
        ours.sendall(json.dumps(asked).encode() + b"\n")
        ours.shutdown(socket.SHUT_WR)
        answering(theirs.detach())
        assert json.loads(ours.recv(4096)) == {"pid": -1}


async def test_kernels_end_with_the_server(tmp_path: Path) -> None:
    """Also where it had no time to say so."""
    code = """
import asyncio, sys, time
from jupyter_client.manager import AsyncKernelManager
from explorer.serving.server import OwnKernels
async def main():
    manager = AsyncKernelManager(kernel_spec_manager=OwnKernels(), kernel_name="python3")
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=120)
    print(manager.provisioner.pid, flush=True)
    time.sleep(600)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        its_kernel = psutil.Process(int(server.stdout.readline()))
        its_parent = its_kernel.parent()
        assert its_parent is not None
        assert its_parent.ppid() == server.pid
        server.kill()
    _, alive = psutil.wait_procs([its_kernel, its_parent], timeout=30)
    assert alive == []


def test_other_commands_are_none_of_ours() -> None:
    own = [part.format(connection_file="k.json") for part in make_ipkernel_cmd()]
    assert _own_kernel(own) == ["-f", "k.json"]
    assert _own_kernel(["/opt/other/bin/python", *own[1:]]) is None
    assert _own_kernel([sys.executable, "-m", "another_kernel", "-f", "k.json"]) is None
    assert _own_kernel([sys.executable, "-c", "pass"]) is None
    assert _own_kernel([sys.executable, "-m"]) is None
    assert _own_kernel([]) is None


def test_the_server_asks_for_it_by_the_name_under_which_it_is_installed() -> None:
    from importlib.metadata import entry_points

    (entry,) = entry_points(group="jupyter_client.kernel_provisioners", name=PROVISIONER)
    assert entry.load() is ForkedKernels
    metadata = OwnKernels().get_kernel_spec("python3").metadata
    assert metadata["kernel_provisioner"]["provisioner_name"] == PROVISIONER
