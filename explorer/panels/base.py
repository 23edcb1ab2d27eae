"""What all stages have in common: a heading, a sentence, formulas, shapes, and a body that is built when seen."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import ClassVar

import ipywidgets as W

from explorer.drawing import Node
from explorer.errors import MessageValue
from explorer.formulas import formula, shape_mathml
from explorer.panels.equations import norm_kind
from explorer.panels.stems import picture_stem
from explorer.state import ExplorerState
from explorer.texts import text
from explorer.trace import Trace
from explorer.widgets.cell import close_all
from explorer.widgets.page import SeenMarker, StyleSheet

__all__ = ["Shape", "StagePanel", "box", "html"]

#: A symbol in LaTeX, the name of the array in the trace, and its sizes.
Shape = tuple[str, str, tuple[int | str, ...]]

#: What the state tells of its work, without which a stage can be built just as well.
_NEWS = frozenset({"error", "progress", "failed"})


def html(*classes: str, value: str = "") -> W.HTML:
    """A piece of our own HTML with CSS classes; whatever comes from a user is escaped before it gets here."""
    widget = W.HTML(value)
    for name in ("vx-html", *classes):
        widget.add_class(name)
    return widget


def box(*children: W.Widget, classes: Sequence[str] = ()) -> W.Box:
    """A box that the style sheet lays out."""
    widget = W.Box(list(children))
    for name in ("vx-box", *classes):
        widget.add_class(name)
    return widget


class StagePanel(W.VBox):
    """One stage of the page.

    Parameters
    ----------
    state : ExplorerState
        What is shown.
    lazy : bool
        Build the body when the browser says that the stage comes into view, and keep it up to date only while
        it is (a page); otherwise at once and always (a notebook cell, a test).
    styled : bool
        Bring the style sheet along; a page brings it once for all its panels.

    Notes
    -----
    A subclass names its ``stage``, its ``number`` and what it ``watches``, and has :meth:`build` (called once, when
    there is a trace) and :meth:`refresh` (called with the names of what changed).
    """

    stage: ClassVar[str]
    number: ClassVar[int]
    watches: ClassVar[frozenset[str]] = frozenset({"trace"})
    formulas: ClassVar[Sequence[str]] = ()
    footnotes: ClassVar[Sequence[str]] = ()

    def __init__(self, state: ExplorerState, *, lazy: bool = False, styled: bool = True) -> None:
        self.state = state
        self._built = False
        self._stale: set[str] = set()
        self._marker = SeenMarker()
        self._visible = not lazy
        self._heading = html("vx-stage-head")
        self._theory = html("vx-theory")
        self._notes = html("vx-footnotes")
        self._body = W.VBox([], layout=W.Layout())
        self._body.add_class("vx-stage-body")
        style = [] if not styled else [StyleSheet()]
        super().__init__([*style, self._marker, self._heading, self._theory, self._body, self._notes])
        for name in ("vx", "vx-stage", f"vx-stage-{self.stage}") if styled else ("vx-stage", f"vx-stage-{self.stage}"):
            self.add_class(name)
        self._marker.observe(self._seen, names="visible")
        self._unsubscribe = state.subscribe(self._changed)
        self._tell()
        if self._visible:
            self._update(frozenset({"trace"}))

    # -- for subclasses --------------------------------------------------------------------------------------------

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """The stage's own widgets; :meth:`refresh` fills them."""
        raise TypeError(f"{type(self).__name__} has no build()")

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Bring the widgets up to date; ``changes`` are names of the state's traits, all of them at first."""
        raise TypeError(f"{type(self).__name__} has no refresh()")

    def shapes(self, trace: Trace) -> Sequence[Shape]:
        """Symbols of the stage's arrays with their names and today's sizes."""
        return ()

    def say(self, key: str, /, **values: MessageValue) -> str:
        """A text of this stage in the page's language."""
        return text(f"{self.stage}.{key}", self.state.language, **values)

    def token_name(self, token: int) -> str:
        """*CLS*, or *patch 12 (row 1, column 4)*, in the page's language."""
        trace = self.state.trace
        return "" if trace is None else token_name(trace, token, self.state.language)

    @property
    def open_head(self) -> int:
        """The head that is open, from 0; :data:`~explorer.state.MEAN_OF_HEADS` is the mean of all."""
        return self.state.head

    def stem(self, *what: str | int, layer: int | None = None, head: int | None = None) -> str:
        """A file name for a saved picture of the shown run; see :func:`~explorer.panels.stems.picture_stem`."""
        return picture_stem(self.stage, *what, run=self.state.trace, layer=layer, head=head)

    # -- in a file -------------------------------------------------------------------------------------------------

    def excerpt(self) -> Sequence[W.Widget]:
        """What of the body says all that it has to say with no kernel behind it: all of it, or what a stage names."""
        return tuple(self._body.children)

    def handout(self) -> Sequence[W.Widget]:
        """The stage as a file shows it: heading, formulas and shapes, the excerpt, footnotes."""
        return (self._heading, self._theory, box(*self.excerpt(), classes=["vx-stage-body"]), self._notes)

    def picture(self) -> Node:
        """What of the stage makes a picture for slides, and how it is arranged."""
        raise TypeError(f"{type(self).__name__} has no picture()")

    # -- keeping up ------------------------------------------------------------------------------------------------

    def keep_up(self) -> None:
        """Bring the stage up to date, whether or not it is in view."""
        before, self._visible = self._visible, True
        try:
            self._update(frozenset())
        finally:
            self._visible = before

    def _changed(self, changes: frozenset[str]) -> None:
        if "language" in changes or "trace" in changes:
            self._tell()
        if not self._built and changes <= _NEWS:
            # A body that could not be built would be built again when that is told, and fail again.
            return
        self._update(changes)

    def _seen(self, change: dict[str, object]) -> None:
        self._visible = bool(change["new"])
        if self._visible:
            try:
                self._update(frozenset())
            except Exception as error:  # noqa: BLE001 - told on the page; a comm would only log it
                self.state.report(error)

    def _update(self, changes: frozenset[str]) -> None:
        trace = self.state.trace
        if self._built:
            self._stale |= changes & (self.watches | {"language", "trace"})
        if trace is None or not self._visible:
            return
        if not self._built:
            self._body.children = tuple(self.build(trace))
            self._built = True
            self._stale = set(self.state.trait_names())
        if self._stale:
            stale = frozenset(self._stale)
            self._stale.clear()
            self.refresh(trace, stale)

    def _tell(self) -> None:
        """The words and formulas around the body."""
        _set(
            self._heading,
            f"<h2><span class='vx-stage-number'>{self.number}</span>{escape(self.say('name'))}"
            f"<span class='vx-slides'>{escape(self.say('slides'))}</span></h2>"
            f"<p class='vx-sentence'>{escape(self.say('sentence'))}</p>",
        )
        trace = self.state.trace
        chips = "".join(
            f"<li>{shape_mathml(symbol, *sizes)}<code>{escape(name)}</code></li>"
            for symbol, name, sizes in (self.shapes(trace) if trace is not None else ())
        )
        formulas = "".join(
            f"<div class='vx-formula'>{formula(name, norm=norm_kind(trace))}</div>" for name in self.formulas
        )
        _set(
            self._theory,
            (f"<div class='vx-formulas'>{formulas}</div>" if formulas else "")
            + (f"<ul class='vx-shapes'>{chips}</ul>" if chips else ""),
        )
        _set(self._notes, "".join(f"<p>{escape(self.say(key))}</p>" for key in self.footnotes))

    def close(self) -> None:
        """Stop listening, and take the stage off the page."""
        self._unsubscribe()
        close_all(self)
        super().close()


def token_name(trace: Trace, token: int, language: str) -> str:
    """What a token is called on the page.

    Parameters
    ----------
    trace : Trace
    token : int
        Prefix tokens first.
    language : str

    Returns
    -------
    str
    """
    if token < trace.num_prefix:
        return trace.prefix_names[token]
    patch = int(trace.patch_index[token - trace.num_prefix])
    rows_before, col = divmod(patch, trace.grid[1])
    return text("page.token-patch", language, patch=patch, row=rows_before, col=col)


def _set(widget: W.HTML, value: str) -> None:
    if widget.value != value:
        widget.value = value
