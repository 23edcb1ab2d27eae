"""The page before there is a kernel: title, bar and stages, in the reader's language, with what is going on.

It is the first thing that the server sends, in a few milliseconds, and it has the dashboard's own style sheet and
classes, so that the dashboard takes its place without a jump. Its script watches the connection as long as the page
is open.
"""

from __future__ import annotations

import json
import re
from functools import cache
from html import escape
from importlib.resources import files

from explorer.resources import page_style
from explorer.texts import LANGUAGES, catalogue, text

__all__ = ["STAGES", "choose_language", "shell_html"]

#: The stages of the page in their order. Those that the catalogues do not name yet do not appear.
STAGES = (
    "overview",
    "patches",
    "embedding",
    "position",
    "encoder",
    "attention",
    "classification",
    "experiments",
)


def choose_language(asked: str | None, accepted: str, default: str = "en") -> str:
    """Language of the page.

    Parameters
    ----------
    asked : str or None
        Value of ``?lang=``; anything but a language that we have is as good as nothing.
    accepted : str
        The browser's ``Accept-Language``.
    default : str
        Where neither says one of ours.

    Returns
    -------
    str
        One of :data:`explorer.texts.LANGUAGES`.
    """
    if asked in LANGUAGES:
        return str(asked)
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accepted.split(",")):
        name, _, weight = part.partition(";q=")
        primary = name.strip().lower().partition("-")[0]
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if primary in LANGUAGES and quality > 0:
            ranked.append((-quality, place, primary))
    return min(ranked)[2] if ranked else default


@cache
def shell_html(language: str, frontend_url: str = "") -> str:
    """The first part of the page, up to where Voilà's goes on.

    Parameters
    ----------
    language : str
        One of :data:`explorer.texts.LANGUAGES`.
    frontend_url : str
        Address of the front end's scripts in one file; none if empty.

    Returns
    -------
    str
        HTML, with its ``<body>`` left open.
    """
    page = files("explorer.serving") / "page"
    values = {
        "language": language,
        "title": escape(text("shell.title", language)),
        "style": _style() + page.joinpath("shell.css").read_text("utf-8"),
        "script": page.joinpath("shell.js").read_text("utf-8"),
        "texts": json.dumps(_messages(), ensure_ascii=False).replace("<", "\\u003c"),
        "frontend": f'<script src="{escape(frontend_url)}" defer></script>' if frontend_url else "",
        "starting": escape(text("shell.starting", language)),
        "noscript": escape(text("shell.no-script", language)),
        "nav": "".join(
            f'<span class="vx-nav-link"><span class="vx-nav-number">{number}</span>'
            f"<span>{escape(text(f'page.nav-{stage}', language))}</span></span>"
            for number, stage, _, _ in _stages(language)
        ),
        "stages": "".join(
            f'<div class="vx-stage vx-stage-waiting" data-stage="{stage}"><div class="vx-stage-head"><h2>'
            f'<span class="vx-stage-number">{number}</span>{name}</h2><p class="vx-sentence">{sentence}</p></div></div>'
            for number, stage, name, sentence in _stages(language)
        ),
    }
    template = page.joinpath("shell.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def _stages(language: str) -> list[tuple[int, str, str, str]]:
    known = catalogue(language)
    return [
        (number, stage, escape(known[f"{stage}.name"]), escape(known.get(f"{stage}.sentence", "")))
        for number, stage in enumerate(STAGES)
        if f"{stage}.name" in known
    ]


def _messages() -> dict[str, dict[str, str]]:
    """What the script says, in all languages: the page's may be switched while it is open."""
    return {
        language: {
            key.removeprefix("shell."): entry for key, entry in catalogue(language).items() if key.startswith("shell.")
        }
        for language in LANGUAGES
    }


@cache
def _style() -> str:
    """The dashboard's own style sheet, so that the shell looks like it before any widget has come."""
    return page_style().replace("</", "<\\/")
