"""The handout's file: its data as one compressed piece of text, and the page around it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.esm import as_function, bundle
from explorer.texts import LANGUAGES, text
from explorer.widgets.page import StyleSheet

if TYPE_CHECKING:
    from explorer.export.recording import Changes, Recording

__all__ = ["STAGES", "Packer", "page_html"]

#: The stages that a handout has, by their numbers.
STAGES: Mapping[str, int] = {"patches": 1, "position": 3, "attention": 5, "classification": 6}

_FOLDER = Path(__file__).parent
_ALIGNED = 8


class Packer:
    """Collects arrays, each once, and packs them together with a header that speaks of them by number."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._places: list[dict[str, int | bool]] = []
        self._known: dict[tuple[bytes, bool], int] = {}
        self._size = 0

    def array(self, values: bytes | NDArray[Any]) -> int:
        """The number of an array; float16 is read as float32, everything else as the bytes that it is."""
        half = not isinstance(values, bytes) and values.dtype == np.float16
        data = values if isinstance(values, bytes) else np.ascontiguousarray(values).tobytes()
        key = (hashlib.sha256(data).digest(), half)
        if key not in self._known:
            self._known[key] = len(self._places)
            place: dict[str, int | bool] = {"at": self._size, "bytes": len(data)}
            self._places.append(place | {"half": True} if half else place)
            self._pieces += [data, bytes(-len(data) % _ALIGNED)]
            self._size += len(data) + len(self._pieces[-1])
        return self._known[key]

    def state(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What a widget shows, with numbers of arrays in the place of bytes."""
        return {
            name: {"$array": self.array(value)} if isinstance(value, bytes) else value for name, value in values.items()
        }

    def states(self, changes: Changes) -> dict[str, dict[str, Any]]:
        """The same of several widgets."""
        return {str(number): self.state(values) for number, values in changes.items()}

    def packed(self, header: Mapping[str, Any]) -> str:
        """Header and arrays as text without any sign that means something in HTML."""
        text_of = json.dumps(dict(header) | {"arrays": self._places}, ensure_ascii=False, allow_nan=False)
        front = text_of.encode("utf-8")
        front = len(front).to_bytes(4, "little") + front
        data = b"".join([front, bytes(-len(front) % _ALIGNED), *self._pieces])
        return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")


def page_html(header: Mapping[str, Any], packer: Packer, recording: Recording, language: str) -> str:
    """The whole file.

    Parameters
    ----------
    header : mapping
        What ``handout.js`` reads; ``words`` are the page's own.
    packer : Packer
    recording : Recording
    language : str
        What the file says before its script runs.

    Returns
    -------
    str
    """
    script = _script(tuple(recording.modules))
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    sheets = [str(StyleSheet._css), *recording.styles, (_FOLDER / "handout.css").read_text("utf-8")]
    style = "\n".join(sheets)
    if "</style" in style.lower():
        raise ValueError("a style sheet would end itself")
    words = header["words"][language]
    nav = "".join(
        f'<a class="vx-nav-link" href="#{stage}"><span class="vx-nav-number">{number}</span>'
        f'<span data-words="nav-{stage}">{escape(words[f"nav-{stage}"])}</span></a>'
        for stage, number in STAGES.items()
    )
    languages = "".join(
        f'<button type="button" class="vx-handout-tongue" data-language="{code}" lang="{code}">{escape(name)}</button>'
        for code, name in LANGUAGES.items()
    )
    notes = "".join(
        f'<p class="vx-handout-{kind}" lang="{code}">{escape(text(f"handout.{kind}", code))}</p>'
        for kind in ("waiting", "failed")
        for code in LANGUAGES
    )
    return (
        f'<!doctype html>\n<html lang="{escape(language)}" class="vx-handout-page">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(words["title"])}</title>\n'
        f"<style>\n{style}\n</style>\n</head>\n<body>\n"
        f'<div class="vx vx-page vx-handout">\n<header class="vx-bar"><div class="vx-top">'
        f'<div class="vx-brand"><b>ViT <i>Explorer</i></b></div><nav class="vx-nav">{nav}</nav>'
        f'<div class="vx-handout-tongues">{languages}</div></div></header>\n'
        f'<main class="vx-stages">\n<div class="vx-handout-notes">{notes}</div>\n<section class="vx-handout-about">'
        '<h1 data-words="facts"></h1><p data-words="about"></p><p data-words="precision"></p>'
        '<div data-words="warnings" data-html></div></section>\n</main>\n</div>\n'
        f'<script type="text/plain" id="vx-data">{packer.packed(header)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


@cache
def _script(modules: tuple[str, ...]) -> str:
    """All JavaScript as one plain script: a page from disk cannot import modules."""
    fronts = ",\n".join(as_function(module) for module in modules)
    own = as_function(bundle("export/handout.js", _FOLDER.parent))
    script = f'"use strict";\n{own}.open([\n{fronts}\n]);\n'
    # What would end the script, or begin a comment in it, is not written in any of our modules.
    if re.search(r"</script|<!--", script, re.IGNORECASE):
        raise ValueError("a module would end its script")
    return script
