"""What the kernel does with widgets: where their messages go, and what becomes of them when a cell runs again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import anywidget
import comm
import ipywidgets as W
import pytest
from ipywidgets.widgets.widget import _instances
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

import explorer.dashboard
from explorer.dashboard import Dashboard
from explorer.figures.encoder import STEPS
from explorer.panels.experiments import EXPERIMENTS
from explorer.state import ExplorerState
from explorer.widgets import cell
from explorer.widgets.choice import Choice
from explorer.widgets.main_shell import Button, MainShell, TextField
from tests.widgets.random_model import random_state, settled


def subclasses(of: type) -> set[type]:
    return {found for each in of.__subclasses__() for found in {each, *subclasses(each)}}


def test_every_widget_of_ours_that_the_browser_talks_to_is_heard_in_the_main_thread() -> None:
    ours = {each for each in subclasses(W.Widget) if each.__module__.startswith("explorer.")}
    talking = {each for each in ours if issubclass(each, anywidget.AnyWidget | W.Button | W.Text)}
    assert {"AttentionView", "Choice", "PictureInput", "Button"} <= {each.__name__ for each in talking}
    assert [each for each in talking if not issubclass(each, MainShell)] == []


@pytest.mark.parametrize("make", [Choice, Button, TextField])
def test_messages_never_go_to_a_thread_of_their_own(monkeypatch: pytest.MonkeyPatch, make: type[W.Widget]) -> None:
    forgotten = []

    class Comm(comm.DummyComm):  # type: ignore[misc]
        def _reply_subshell_for(self, data: Any, _default: str | None) -> str:
            forgotten.append(data)
            return "a thread that is gone"

    monkeypatch.setattr(comm, "create_comm", Comm)
    widget = make()
    assert widget.comm._reply_subshell_for({"method": "update"}, "another thread") is None
    # What ipykernel remembers of a request is still asked for, so that it forgets it.
    assert forgotten == [{"method": "update"}]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Says which cell runs, and which run of it."""
    parent: dict[str, Any] = {}
    kernel = SimpleNamespace(get_parent=lambda _channel: parent)
    monkeypatch.setattr(cell, "get_ipython", lambda: SimpleNamespace(kernel=kernel))
    monkeypatch.setattr(cell, "_SHOWN", {})

    def begin(name: str, number: str) -> None:
        parent.clear()
        parent.update(metadata={"cellId": name}, header={"msg_id": number})

    return begin


def test_a_cell_that_runs_again_closes_its_earlier_page(run: Callable[[str, str], None]) -> None:
    state = random_state()
    before = set(_instances)
    run("one", "first")
    first, beside = Dashboard(state, lazy=False), Dashboard(state)
    run("two", "second")
    other = Dashboard(state)
    assert all(each.comm is not None for each in (first, beside, other))
    listening = len(state._listeners) // 3 * 2
    run("one", "third")
    again = Dashboard(state)
    assert first.comm is beside.comm is None
    assert other.comm is not None
    assert again.comm is not None
    assert len(state._listeners) == listening
    # The state was given, and lives on: what it says is shown by those that are left.
    state.language = "ja"
    assert again.address.language == other.address.language == "ja"
    assert first.address.language == "en"
    for each in (other, again):
        each.close()
    assert [each for name, each in _instances.items() if name not in before] == []


def test_what_is_out_of_view_is_closed_with_the_page() -> None:
    state = random_state()
    before = set(_instances)
    page = Dashboard(state, lazy=False)
    for name in EXPERIMENTS:
        state.experiment = name
        settled(state)
    experiments = page.stages["experiments"].experiments
    for part in ("patches", "heads", "hand"):
        experiments["mask"]._part.value = part
        settled(state)
    encoder = page.stages["encoder"]
    for step in range(len(STEPS)):
        encoder._go(step)
    assert set(experiments) == set(EXPERIMENTS)
    assert len(experiments["mask"]._measures) == 2
    assert len(encoder._steps) == len(STEPS)
    page.close()
    assert [each for name, each in _instances.items() if name not in before] == []
    state.close()


def test_a_page_closes_the_state_that_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[ExplorerState] = []
    monkeypatch.setattr(ExplorerState, "close", lambda self: closed.append(self))  # noqa: PLW0108 - a method
    state = random_state()
    monkeypatch.setattr(explorer.dashboard, "ExplorerState", lambda **_: state)
    Dashboard().close()
    assert closed == [state]


def test_without_a_notebook_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    state = random_state()
    monkeypatch.setattr(cell, "get_ipython", lambda: None)
    first, second = Dashboard(state), Dashboard(state)
    assert first.comm is not None
    assert second.comm is not None
    for each in (first, second):
        each.close()


KERNEL = """
import threading
from explorer.widgets.choice import Choice

choice = Choice(options=[{"value": 1, "label": "1"}, {"value": 2, "label": "2"}], value=1)

@choice.observe
def tell(change):
    if change["name"] == "value":
        print(change["new"], threading.current_thread() is threading.main_thread(), flush=True)

print(choice.comm.comm_id, flush=True)
"""


@pytest.fixture
def client() -> Iterator[BlockingKernelClient]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def printed(client: BlockingKernelClient) -> str:
    while True:
        message = client.get_iopub_msg(timeout=60)
        assert message["msg_type"] != "error", message["content"]
        if message["msg_type"] == "stream":
            return str(message["content"]["text"]).strip()


def test_a_kernel_hears_widgets_in_its_main_thread(client: BlockingKernelClient) -> None:
    def ask(kind: str, **content: Any) -> dict[str, Any]:
        request = client.session.msg(kind, content)
        client.control_channel.send(request)
        answer: dict[str, Any] = client.get_control_msg(timeout=60)["content"]
        assert answer["status"] == "ok"
        return answer

    client.execute(KERNEL)
    line = printed(client)
    thread = ask("create_subshell_request")["subshell_id"]

    def say(value: int) -> str:
        message = client.session.msg(
            "comm_msg", {"comm_id": line, "data": {"method": "update", "state": {"value": value}, "buffer_paths": []}}
        )
        message["header"]["subshell_id"] = thread
        client.shell_channel.send(message)
        return printed(client)

    assert say(2) == "2 True"
    # Gone with the page that was loaded anew; the widget is still told things.
    ask("delete_subshell_request", subshell_id=thread)
    assert say(1) == "1 True"
