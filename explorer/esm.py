"""One module from several, without a build step.

anywidget hands the browser a single module, while the code is kept in plain ES modules that ``node --test`` runs as
they are. :func:`bundle` joins them: each imported module becomes a function that is called once and gives back what it
exports. So that this stays a few lines, not a JavaScript parser, the modules keep to a convention, and whatever falls
outside of it is an error:

- ``import { a, b } from "./js/colors.js";`` on one line, names as they are exported, the path relative;
- ``export function``, ``export async function``, ``export const`` (one name, no destructuring), ``export class``;
- the entry module alone has ``export default``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["BundleError", "as_function", "bundle"]

_IMPORT = re.compile(r'^import \{ ([\w$]+(?:, [\w$]+)*) \} from "(\.{1,2}/[\w./-]+\.js)";$')
_EXPORT = re.compile(r"^export (?:async )?(?:function\*?|const|class) ([A-Za-z_$][\w$]*)")
_STATEMENT = re.compile(r"^\s*(?:import|export)\b")
_DEFAULT_EXPORT = re.compile(r"^export default (.+);$", re.MULTILINE)
_DYNAMIC = re.compile(r"\b(?:import\s*\(|import\.meta\b|require\s*\()")


class BundleError(ValueError):
    """A module that falls outside of the convention."""


@cache
def bundle(entry: str, folder: Path) -> str:
    """Join a module and all that it imports.

    Parameters
    ----------
    entry : str
        File name of the entry module (``"matrix_view.js"``).
    folder : Path
        Where it is, and what no import may leave.

    Returns
    -------
    str
        One ES module; its comments are left out, since every widget on a page receives a copy.

    Raises
    ------
    BundleError
        If a module does something that the convention has no place for.
    """
    joined: list[str] = []
    exports: dict[Path, frozenset[str]] = {}

    def add(path: Path, importers: tuple[Path, ...]) -> None:
        if path in importers:
            raise BundleError(f"{path.name} imports itself, by way of {importers[-1].name}")
        if path in exports:
            return
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise BundleError(f"{importers[-1].name if importers else 'the caller'} imports {path}, which is not there")
        is_entry = not importers
        body: list[str] = []
        names: list[str] = []
        for number, line in enumerate(_without_comments(path.read_text("utf-8"), path.name), start=1):
            place = f"{path.name}, code line {number}: {line.strip()!r}"
            if _DYNAMIC.search(line):
                raise BundleError(f"{place} loads a module while it runs")
            if not _STATEMENT.match(line):
                body.append(line)
            elif match := _IMPORT.match(line):
                source = (path.parent / match[2]).resolve()
                add(source, (*importers, path))
                for name in match[1].split(", "):
                    if name not in exports[source]:
                        raise BundleError(f"{place} asks for {name}, which {source.name} does not export")
                body.append(f"const {{ {match[1]} }} = {_variable(source, folder)};")
            elif match := _EXPORT.match(line):
                names.append(match[1])
                body.append(line.removeprefix("export "))
            elif is_entry and line.startswith("export default "):
                body.append(line)
            else:
                raise BundleError(f"{place} is outside of the convention")
        exports[path] = frozenset(names)
        code = "\n".join(body)
        if is_entry:
            joined.append(code)
        else:
            joined.append(
                f"const {_variable(path, folder)} = (() => {{\n{code}\nreturn {{ {', '.join(names)} }};\n}})();"
            )

    add((folder / entry).resolve(), ())
    return "\n".join(joined) + "\n"


def as_function(module: str) -> str:
    """A bundled module as an expression, for pages that cannot import modules.

    Parameters
    ----------
    module : str
        What :func:`bundle` gave.

    Returns
    -------
    str
        A function that is called once and gives what the module exports.

    Raises
    ------
    BundleError
        If there is not one default export of one line.
    """
    body, count = _DEFAULT_EXPORT.subn(r"return \1;", module)
    if count != 1:
        raise BundleError(f"a bundled module has {count} default exports of one line")
    return f"(() => {{\n{body}}})()"


def _variable(path: Path, folder: Path) -> str:
    return "$" + re.sub(r"\W", "_", str(path.relative_to(folder.resolve()).with_suffix("")))


def _without_comments(source: str, name: str) -> list[str]:
    """Lines of code, without lines that are comment only and without indentation.

    Both may be dropped only outside of template literals; a template that goes over several lines is refused.
    """
    lines: list[str] = []
    inside = False
    for line in source.splitlines():
        stripped = line.strip()
        if inside or stripped.startswith("/*"):
            inside = "*/" not in stripped
            if not inside and not stripped.endswith("*/"):
                raise BundleError(f"{name}: code after the end of a comment: {stripped!r}")
        elif stripped and not stripped.startswith("//"):
            if stripped.count("`") % 2:
                raise BundleError(f"{name}: a template literal over several lines: {stripped!r}")
            # Statements of the module's top level are told by their lack of indentation.
            indented = line[0].isspace() and not _STATEMENT.match(line)
            lines.append(stripped if indented else line.rstrip())
    return lines
