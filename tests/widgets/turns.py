"""Answers that come in the test's own thread, as those of a page come in its kernel's loop.

Called from the worker's thread, panels would hear of a result in the middle of what a test does to them, which no page
ever lets happen.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import monotonic

from explorer.state import ExplorerState

__all__ = ["Turns"]


class Turns:
    """Keeps calls until the test waits for them: ``ExplorerState(deliver=turns)``, then ``turns.take(state)``."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def __call__(self, call: Callable[[], None]) -> None:
        self._calls.put(call)

    def take(self, state: ExplorerState) -> ExplorerState:
        """Let waiting for a state, or for its jobs, be the moment when the calls are made."""
        waits = (state.wait, state.jobs.wait)

        def wait(timeout: float | None = None) -> bool:
            end = None if timeout is None else monotonic() + timeout
            while True:
                self._call_all()
                # Who is idle has said all there was to say, and only a call would make it busy again.
                if all(idle(0.01) for idle in waits) and self._calls.empty():
                    return True
                if end is not None and monotonic() > end:
                    return False

        state.wait = wait  # type: ignore[method-assign]
        state.jobs.wait = wait  # type: ignore[method-assign]
        return state

    def _call_all(self) -> None:
        while True:
            try:
                call = self._calls.get_nowait()
            except Empty:
                return
            call()
