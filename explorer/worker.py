"""A thread beside the page that answers calls one at a time: of each key the latest wins, stale answers are dropped."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from explorer.errors import Cancelled, ExplorerError

__all__ = ["Deliver", "Say", "Work", "Worker", "kernel_delivery"]

#: Brings a call to the thread that wants to hear it.
Deliver = Callable[[Callable[[], None]], None]
#: ``say(call)``: delivers a call, unless the work that says it is no longer wanted.
Say = Callable[[Callable[[], None]], None]
#: ``work(say, cancelled)``: gives the result.
Work = Callable[[Say, Callable[[], bool]], Any]


def kernel_delivery() -> Deliver:
    """How a worker thread hands an answer to the thread that this is called from.

    Returns
    -------
    callable
        Under a running event loop (a kernel) it schedules on that loop, so that widgets are touched by one
        thread alone; without one it calls at once.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return lambda call: call()

    def deliver(call: Callable[[], None]) -> None:
        # A page that was closed has no loop any more; its answers are wanted by nobody.
        if not loop.is_closed():
            loop.call_soon_threadsafe(call)

    return deliver


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is to be done, for whom, and its number among all that was asked for under its key."""

    key: Hashable
    number: int
    work: Work
    on_result: Callable[[Any], None]
    on_failure: Callable[[BaseException], None]


class Worker:
    """Does what it is asked to, in a thread of its own.

    Parameters
    ----------
    name : str
        Of the thread, for whoever looks at a list of them.
    deliver : callable, optional
        What brings calls back to the caller's thread; by default :func:`kernel_delivery`.

    Notes
    -----
    Of what is asked for under one key only the last is kept. What is under way is asked to stop, and whatever it still
    says is dropped. Different keys wait for each other in the order in which they were submitted.
    """

    def __init__(self, name: str, deliver: Deliver | None = None) -> None:
        self._name = name
        self._deliver = deliver or kernel_delivery()
        self._changed = threading.Condition()
        self._numbers: dict[Hashable, int] = {}
        self._waiting: OrderedDict[Hashable, _Asked] = OrderedDict()
        self._busy = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def submit(
        self,
        key: Hashable,
        work: Work,
        on_result: Callable[[Any], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """Have something done; what was asked for before under the same key is no longer wanted.

        Parameters
        ----------
        key : hashable
            Whose work it is.
        work : callable
            ``work(say, cancelled)``, called in the thread; may raise :class:`~explorer.errors.Cancelled` once
            ``cancelled()`` says so.
        on_result : callable
            Called with what ``work`` returned, on the caller's side.
        on_failure : callable
            Called with the exception: an :class:`~explorer.errors.ExplorerError` where the failure is an expected one.
        """
        with self._changed:
            number = self._supersede(key)
            self._waiting[key] = _Asked(key=key, number=number, work=work, on_result=on_result, on_failure=on_failure)
            if self._thread is None:
                # A daemon: a kernel that ends does not wait for a download.
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def reply(self, key: Hashable, call: Callable[[], None]) -> None:
        """Deliver an answer that is known already, as that of the latest work of its key."""
        with self._changed:
            number = self._supersede(key)
            self._changed.notify_all()
        self._say(key, number, call)

    def cancel(self, key: Hashable | None = None) -> None:
        """Want nothing of a key any more (or nothing at all); what is under way is asked to stop."""
        with self._changed:
            for each in [key] if key is not None else list(self._numbers):
                self._supersede(each)
            self._changed.notify_all()

    def close(self) -> None:
        """Cancel everything, and let the thread end."""
        with self._changed:
            self._closed = True
        self.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is waiting or under way (for scripts and tests; a page never waits).

        Returns
        -------
        bool
            False if ``timeout`` seconds went by first.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def _supersede(self, key: Hashable) -> int:
        self._waiting.pop(key, None)
        number = self._numbers[key] = self._numbers.get(key, 0) + 1
        return number

    def _wanted(self, key: Hashable, number: int) -> bool:
        return number == self._numbers.get(key)

    def _say(self, key: Hashable, number: int, call: Callable[[], None]) -> None:
        # Asked again on the caller's side: between the two, something newer may have been submitted there.
        self._deliver(lambda: call() if self._wanted(key, number) else None)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._waiting) or self._closed)
                if not self._waiting:
                    return
                _, asked = self._waiting.popitem(last=False)
                self._busy = True
            self._answer(asked)

    def _answer(self, asked: _Asked) -> None:
        def say(call: Callable[[], None]) -> None:
            self._say(asked.key, asked.number, call)

        def cancelled() -> bool:
            return not self._wanted(asked.key, asked.number)

        if cancelled():
            return
        try:
            result = asked.work(say, cancelled)
            say(lambda: asked.on_result(result))
        except Cancelled:
            return
        except ExplorerError as error:
            expected = error
            say(lambda: asked.on_failure(expected))
        except Exception as error:  # noqa: BLE001 - whatever went wrong is shown on the page, not lost in a thread
            unexpected = error
            say(lambda: asked.on_failure(unexpected))
