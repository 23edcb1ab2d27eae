"""The front end's scripts in one file.

Voilà's front end comes in some seventy small scripts, which a browser asks for one by one, six at a time, and all of
which it needs. They are webpack chunks: each only puts its modules into a list, in whatever order they come. So the
shell asks for all of them at once, as one file, while the kernel is still starting.

One number in it is ours: how long the front end waits for a widget that is to be shown. It gives up after 2 s, although
on a slow or busy machine the dashboard is still on its way then, and the page would stay empty.

Which ones the page needs was recorded (``tools/record_frontend.py``). With other versions than those recorded, the
browser asks for what is missing by itself, as it does for any Voilà page.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

__all__ = ["Bundle", "FrontEnd", "build_bundle", "recorded_scripts"]


#: Where ipywidgets' manager gives up on a widget that is not there yet, and how long we let it wait. (How long it waits
#: for all of them, ``shell.js`` sees to, which needs no knowledge of the script.)
_IMPATIENT = re.compile(rb"(Date\.now\(\)-\w+<)2e3(;?\)\{if\(void 0!==\(\w+=this\._models\[)")
_PATIENT = rb"\g<1>2e4\g<2>"


@dataclass(frozen=True)
class Bundle:
    """One script.

    Attributes
    ----------
    plain, packed : bytes
        The script, and the script compressed by gzip.
    """

    plain: bytes
    packed: bytes


def recorded_scripts() -> Mapping[str, Sequence[str]]:
    """Scripts to be joined: folder (``static``, ``labextensions``) to paths below it; empty for other versions."""
    recorded = json.loads(_record())
    try:
        fits = all(version(name) == number for name, number in recorded["versions"].items())
    except PackageNotFoundError:
        fits = False
    scripts: dict[str, list[str]] = recorded["scripts"] if fits else {}
    return scripts


def _record() -> str:
    return (files("explorer.serving") / "page" / "frontend.json").read_text("utf-8")


def build_bundle(scripts: Mapping[str, Sequence[str]], roots: Mapping[str, Sequence[str]]) -> Bundle:
    """Join scripts to one.

    Parameters
    ----------
    scripts : mapping of str to sequence of str
        As :func:`recorded_scripts` gives them.
    roots : mapping of str to sequence of str
        Folders in which each kind is looked up; a script that is in none is left out.
    """
    parts: list[bytes] = []
    for kind, names in scripts.items():
        for name in names:
            found = next((path for root in roots[kind] if (path := Path(root) / name).is_file()), None)
            if found is not None:
                parts.append(found.read_bytes())
    # A semicolon and a line end: a script may end in neither, or in a comment.
    plain = _IMPATIENT.sub(_PATIENT, b"\n;".join(parts))
    return Bundle(plain, gzip.compress(plain, 6, mtime=0))


class FrontEnd:
    """The bundle, made beside all else while the server starts.

    Parameters
    ----------
    roots : mapping of str to sequence of str
        As :func:`build_bundle` wants them.
    """

    def __init__(self, roots: Mapping[str, Sequence[str]]) -> None:
        scripts = recorded_scripts()
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="frontend")
        self.bundle: Future[Bundle] = self._threads.submit(build_bundle, scripts, roots)
        self._threads.shutdown(wait=False)
        #: Part of its address: as long as the packages' versions stay, a browser keeps what it has. (It is named before
        #: the scripts have been read.)
        content = json.dumps([_record(), sorted(map(str, roots)), _PATIENT.decode()])
        self.tag = hashlib.sha256(content.encode()).hexdigest()[:16]
        self.empty = not scripts
