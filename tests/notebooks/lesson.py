"""A lesson's text, cell by cell, and how it runs without a kernel: as it is, or with its answers filled in."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jupytext

from tools.lesson_notebooks import LESSONS as FOLDER
from tools.lesson_notebooks import PERCENT, texts

__all__ = ["LANGUAGES", "Cell", "Run", "cells", "lesson_names", "lesson_path", "run"]

LANGUAGES = ("en", "ja")


@dataclass(frozen=True)
class Cell:
    kind: str
    tags: tuple[str, ...]
    source: str

    @property
    def solution(self) -> str:
        """The code of a folded solution."""
        (code,) = re.findall(r"```python\n(.*?)```", self.source, flags=re.DOTALL)
        return str(code)


@dataclass
class Run:
    """What a lesson's cells gave."""

    #: Of every cell that ends with an expression, its value.
    shown: list[Any] = field(default_factory=list)
    #: The check of every answer cell, by its name.
    verdicts: dict[str, Any] = field(default_factory=dict)
    #: What was handed in.
    answers: dict[str, Any] = field(default_factory=dict)
    #: The variables at the end.
    names: dict[str, Any] = field(default_factory=dict)


def lesson_names() -> list[str]:
    """``1-patches`` and so on: what both languages have."""
    return sorted({path.stem for path in texts()})


def lesson_path(language: str, name: str) -> Path:
    return FOLDER / language / f"{name}.py"


@cache
def cells(language: str, name: str) -> tuple[Cell, ...]:
    read = jupytext.reads(lesson_path(language, name).read_text("utf-8"), PERCENT)
    return tuple(Cell(cell.cell_type, tuple(cell.metadata.get("tags", ())), cell.source) for cell in read.cells)


def run(language: str, name: str, *, solved: bool, look: Callable[[Any], None] = lambda shown: None) -> Run:
    """Run a lesson from top to bottom; ``look`` is given what each cell shows, as soon as it does."""
    names: dict[str, Any] = {"__name__": "lesson"}
    result = Run(names=names)
    listed = cells(language, name)
    for place, cell in enumerate(listed):
        if cell.kind != "code":
            continue
        source = cell.source
        if solved and "answer" in cell.tags:
            source = listed[place + 1].solution + "\n" + _without_open(source)
        *body, last = ast.parse(source).body
        exec(compile(ast.Module(body, []), f"{name}, cell {place}", "exec"), names)  # noqa: S102 - our own notebooks
        if not isinstance(last, ast.Expr):
            exec(compile(ast.Module([last], []), f"{name}, cell {place}", "exec"), names)  # noqa: S102
            continue
        shown = eval(compile(ast.Expression(last.value), f"{name}, cell {place}", "eval"), names)  # noqa: S307
        result.shown.append(shown)
        if "answer" in cell.tags:
            check = checked(cell)
            result.verdicts[check] = shown
            result.answers[check] = names[answered(cell)]
        look(shown)
    return result


def checked(cell: Cell) -> str:
    """The name of the check at the end of an answer cell."""
    call = _call(cell)
    assert isinstance(call.args[0], ast.Constant)
    return str(call.args[0].value)


def answered(cell: Cell) -> str:
    """The variable that an answer cell hands in."""
    (name,) = (node for node in _call(cell).args[1:] if isinstance(node, ast.Name))
    return name.id


def _call(cell: Cell) -> ast.Call:
    last = ast.parse(cell.source).body[-1]
    assert isinstance(last, ast.Expr)
    assert isinstance(last.value, ast.Call)
    assert isinstance(last.value.func, ast.Name)
    assert last.value.func.id == "check"
    return last.value


def _without_open(source: str) -> str:
    """A cell without its ``name = ...``."""
    return "\n".join(ast.unparse(node) for node in ast.parse(source).body if not _is_open(node))


def _is_open(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value is Ellipsis


def code(listed: tuple[Cell, ...]) -> Iterator[str]:
    """All code of a lesson as Python sees it, solutions among it: without comments and the language."""
    for cell in listed:
        source = cell.solution if "solution" in cell.tags else cell.source if cell.kind == "code" else None
        if source is not None:
            yield re.sub(r"language='(en|ja)'", "language=", ast.unparse(ast.parse(source)))
