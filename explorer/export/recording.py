"""Panels without a page: what their widgets show, written down, so that a file can show it with no kernel behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import comm
import ipywidgets as W
from comm.base_comm import BaseComm

from explorer.panels.base import StagePanel
from explorer.widgets.choice import Choice

__all__ = ["Changes", "Recording", "Snapshot", "forget", "is_unseen", "unseen", "varying"]

#: What every widget shows, by its number: trait to value.
Snapshot = list[dict[str, Any]]
#: Widget to trait to value.
Changes = dict[int, dict[str, Any]]
Key = TypeVar("Key", bound=Hashable)

#: Of no use without ipywidgets: its own traits, and those that it reads from a widget of its own.
_LEFT_OUT = frozenset({"layout", "tabbable", "tooltip", "style"})


class _Silent(BaseComm):
    """Sends nothing to anybody."""

    def publish_msg(self, *_: Any, **__: Any) -> None:
        pass


class _Unseen:
    """Which threads are making widgets that are on no page; all others go on as before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depths: dict[int, int] = {}
        self._before: Callable[..., Any] = comm.create_comm

    def enter(self) -> None:
        with self._lock:
            if not self._depths:
                self._before, comm.create_comm = comm.create_comm, self._create
            me = threading.get_ident()
            self._depths[me] = self._depths.get(me, 0) + 1

    def leave(self) -> None:
        with self._lock:
            me = threading.get_ident()
            self._depths[me] -= 1
            if not self._depths[me]:
                del self._depths[me]
            if not self._depths:
                comm.create_comm = self._before

    def _create(self, *given: Any, **named: Any) -> Any:
        silent = threading.get_ident() in self._depths
        return _Silent(*given, **named) if silent else self._before(*given, **named)


_UNSEEN = _Unseen()


@contextmanager
def unseen() -> Iterator[None]:
    """Widgets that this thread makes inside are on no page: in a kernel, nothing of them is sent to the browser."""
    _UNSEEN.enter()
    try:
        yield
    finally:
        _UNSEEN.leave()


def is_unseen(widget: W.Widget) -> bool:
    """Whether a widget was made to be on no page."""
    return isinstance(widget.comm, _Silent)


class Recording:
    """The widgets of some panels, as a tree that can be written down.

    Parameters
    ----------
    panels : sequence of StagePanel
    answering : sequence of Choice
        The controls that the file will answer; it has no others.

    Attributes
    ----------
    widgets : list of Widget
        In the order of their numbers.
    modules : list of str
        The JavaScript of the widgets, each once.
    styles : list of str
        Their style sheets, each once.
    stages : list of dict
        A tree for each panel: ``id``, ``kind`` (``box``, ``html`` or ``widget``), ``classes``, ``children`` of a
        box, ``module`` (number) of a widget.
    """

    def __init__(self, panels: Sequence[StagePanel], answering: Sequence[Choice] = ()) -> None:
        self.widgets: list[W.Widget] = []
        self.modules: list[str] = []
        self.styles: list[str] = []
        self._answering = answering
        parts = [panel.handout() for panel in panels]
        #: What everything hangs on.
        self._roots: list[W.Widget] = [*panels, *(part for of_stage in parts for part in of_stage)]
        self.stages = [
            {
                "stage": panel.stage,
                "classes": list(panel._dom_classes),
                "children": [node for part in of_stage if (node := self._node(part)) is not None],
            }
            for panel, of_stage in zip(panels, parts, strict=True)
        ]

    def _node(self, widget: Any) -> dict[str, Any] | None:
        if isinstance(widget, Choice) and widget not in self._answering:
            return None
        node: dict[str, Any] = {"id": len(self.widgets), "classes": list(widget._dom_classes)}
        self.widgets.append(widget)
        if isinstance(widget, W.Box):
            children = (self._node(child) for child in widget.children)
            return node | {"kind": "box", "children": [child for child in children if child is not None]}
        if isinstance(widget, W.HTML):
            return node | {"kind": "html"}
        module, css = str(widget._esm), str(getattr(widget, "_css", ""))
        if module not in self.modules:
            self.modules.append(module)
        if css and css not in self.styles:
            self.styles.append(css)
        return node | {"kind": "widget", "module": self.modules.index(module)}

    def number(self, widget: W.Widget) -> int:
        """A widget's place among all of them."""
        return next(number for number, one in enumerate(self.widgets) if one is widget)

    def snapshot(self) -> Snapshot:
        """What all widgets show now."""
        return [_shown(widget) for widget in self.widgets]

    def close(self) -> None:
        """Forget the widgets: ipywidgets keeps each until it is closed."""
        forget(self._roots)


def varying(snapshots: Mapping[Key, Snapshot], leave_out: tuple[int, str] | None = None) -> dict[Key, Changes]:
    """Of some snapshots of the same widgets, what is not the same in all of them.

    Parameters
    ----------
    snapshots : mapping
    leave_out : (int, str), optional
        A widget and a trait that are no matter.

    Returns
    -------
    dict
        For each snapshot: widget to trait to its value there; for all the same widgets and traits.
    """
    if not snapshots:
        return {}
    first, *others = snapshots.values()
    names = [
        (number, name)
        for number, shown in enumerate(first)
        for name, value in shown.items()
        if (number, name) != leave_out and any(other[number][name] != value for other in others)
    ]
    found: dict[Key, Changes] = {key: {} for key in snapshots}
    for key, snapshot in snapshots.items():
        for number, name in names:
            found[key].setdefault(number, {})[name] = snapshot[number][name]
    return found


def forget(roots: Sequence[W.Widget]) -> None:
    """Close some widgets and all that hang on them."""
    known: set[int] = set()
    for widget in [found for root in roots for found in _within(root, known)]:
        widget.close()


def _shown(widget: Any) -> dict[str, Any]:
    state: dict[str, Any] = {"display": widget.layout.display or "", "visibility": widget.layout.visibility or ""}
    if isinstance(widget, W.Box):
        return state
    if isinstance(widget, W.HTML):
        return state | {"value": widget.value}
    return state | {
        name: bytes(value) if isinstance(value, memoryview) else value
        for name, value in widget.get_state().items()
        if name[0] != "_" and name not in _LEFT_OUT
    }


def _within(widget: W.Widget, known: set[int]) -> Iterator[W.Widget]:
    """A widget and all that hang on it: children, layouts, styles."""
    if id(widget) in known:
        return
    known.add(id(widget))
    yield widget
    for value in widget.trait_values().values():
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, W.Widget):
                yield from _within(one, known)
