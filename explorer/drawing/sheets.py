"""Sheets: drawings beside and below each other, made by the front ends that draw them on the page."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from explorer.drawing.browser import Browser
from explorer.esm import as_function, bundle
from explorer.resources import page_style

__all__ = [
    "Column",
    "Drawing",
    "FrontEnd",
    "Node",
    "Part",
    "Row",
    "Sheet",
    "Sign",
    "Words",
    "draw_sheets",
    "sheets_script",
]

Format = Literal["png", "svg"]

_PACKAGE = Path(__file__).parents[1]
#: As long as a browser may draw: a model with thousands of tokens, on a machine that does other things.
_SECONDS = 300.0


@dataclass(frozen=True, eq=False)
class FrontEnd:
    """What draws: a widget's module and style sheet, and what the widget shows.

    Parameters
    ----------
    module : str
        An ES module with a ``render`` in its default export.
    styles : str
    state : mapping
        Trait to value; bytes as they are.
    """

    module: str
    styles: str
    state: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Part:
    """One drawing.

    Parameters
    ----------
    view : object
        Who draws it: a widget, or a :class:`FrontEnd`.
    width : int
        Room in CSS pixels that it is given; the sheet enlarges it with all others.
    select : str
        CSS selector of the drawing, where a front end has several.
    title : str or None
        Above it; by default its own.
    notes, caption : bool
        Whether what it says of itself stands below it.
    state : mapping
        Traits that differ from those on the page.
    """

    view: Any
    _: KW_ONLY
    width: int
    select: str = ""
    title: str | None = None
    notes: bool = True
    caption: bool = False
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sign:
    """A sign between drawings: ``×``."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Words:
    """A text, broken into lines.

    Parameters
    ----------
    text : str
    width : int
    size, weight : int
    strong, quiet : bool
        In the accent's colour, or as notes are written.
    """

    text: str
    width: int
    size: int = 16
    weight: int = 400
    strong: bool = False
    quiet: bool = False


@dataclass(frozen=True, eq=False)
class Row:
    """Side by side, their titles on one line; or, where ``middle``, about one middle line."""

    children: Sequence[Node]
    gap: int = 36
    middle: bool = False


@dataclass(frozen=True, eq=False)
class Column:
    """One below the other, at the left or, where ``middle``, about one middle line."""

    children: Sequence[Node]
    gap: int = 24
    middle: bool = False


Node = Part | Sign | Words | Row | Column


@dataclass(frozen=True, eq=False, kw_only=True)
class Sheet:
    """A picture of a given size.

    Parameters
    ----------
    body : Node
        As large as it goes, in the middle.
    width, height, margin : int
        Of the sheet, in its own units: those of the SVG; a PNG has ``scale`` pixels for each. With a width of 0 the
        sheet is as large as its body.
    caption : str
        At the foot.
    title : str
        Of the SVG file, for those who cannot see it.
    formats : sequence of {"png", "svg"}
    """

    body: Node
    width: int = 1280
    height: int = 720
    margin: int = 28
    caption: str = ""
    title: str = ""
    formats: Sequence[Format] = ("png", "svg")


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The files of a sheet; empty where a format was not asked for."""

    png: bytes = b""
    svg: str = ""


def draw_sheets(sheets: Sequence[Sheet], language: str, *, scale: float = 2.0) -> list[Drawing]:
    """Draw some sheets in a browser without a window.

    Parameters
    ----------
    sheets : sequence of Sheet
        Parts with one view may be on several of them, with the same width.
    language : str
        Which glyphs are taken where languages share letters.
    scale : float
        Pixels of a PNG in a unit of a sheet.

    Returns
    -------
    list of Drawing

    Raises
    ------
    ExplorerError
        ``browser-missing``: there is none; ``browser-failed``: it does not start, or ends too early.
    """
    with Browser(ratio=scale) as browser:
        files = browser.evaluate(sheets_script(sheets, language, scale=scale), _SECONDS)
    return [Drawing(png=base64.b64decode(made.get("png", "")), svg=made.get("svg", "")) for made in files]


def sheets_script(sheets: Sequence[Sheet], language: str, *, scale: float = 2.0) -> str:
    """What draws some sheets in any empty document: one without a window, or a frame inside the page.

    Parameters
    ----------
    sheets, language, scale
        See :func:`draw_sheets`.

    Returns
    -------
    str
        An expression in JavaScript: a promise of each sheet's files, SVG as it is and PNG in base64.
    """
    job = _Job()
    given = [
        {
            "body": job.node(sheet.body),
            "width": sheet.width,
            "height": sheet.height,
            "margin": sheet.margin,
            "caption": sheet.caption,
            "title": sheet.title,
            "formats": list(sheet.formats),
        }
        for sheet in sheets
    ]
    work = {"styles": job.styles, "language": language, "views": job.views, "sheets": given, "scale": scale}
    fronts = ",".join(as_function(module) for module in job.modules)
    return f"{_script()}.draw([{fronts}], {json.dumps(work)})"


@cache
def _script() -> str:
    return as_function(bundle("drawing/sheets.js", _PACKAGE))


class _Job:
    """Collects views, modules and style sheets, each once."""

    def __init__(self) -> None:
        self.modules: list[str] = []
        self.styles: list[str] = [page_style(stages=False)]
        self.views: list[dict[str, Any]] = []
        self._known: dict[int, int] = {}
        self._kept: list[Part] = []

    def node(self, node: Node) -> dict[str, Any]:
        if isinstance(node, Sign):
            return {"kind": "sign", "text": node.text}
        if isinstance(node, Words):
            return {"kind": "words"} | dataclasses.asdict(node)
        if isinstance(node, Row | Column):
            children = [self.node(child) for child in node.children]
            kind = "row" if isinstance(node, Row) else "column"
            return {"kind": kind, "gap": node.gap, "middle": node.middle, "children": children}
        return {
            "kind": "part",
            "view": self._view(node),
            "select": node.select,
            "width": node.width,
            "title": node.title,
            "notes": node.notes,
            "caption": node.caption,
        }

    def _view(self, part: Part) -> int:
        if id(part.view) not in self._known:
            self._known[id(part.view)] = len(self.views)
            # Whoever is known by where it lies in memory has to stay there.
            self._kept.append(part)
            front = part.view if isinstance(part.view, FrontEnd) else front_end(part.view)
            if front.styles not in self.styles:
                self.styles.append(front.styles)
            if front.module not in self.modules:
                self.modules.append(front.module)
            state = dict(front.state) | dict(part.state)
            self.views.append(
                {"module": self.modules.index(front.module), "state": {key: _plain(state[key]) for key in state}}
            )
        return self._known[id(part.view)]


def front_end(widget: Any) -> FrontEnd:
    """Module, style sheet and state of an anywidget."""
    state = {name: value for name, value in widget.get_state().items() if name[0] != "_" and name != "layout"}
    return FrontEnd(str(widget._esm), str(getattr(widget, "_css", "")), state)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    return value
