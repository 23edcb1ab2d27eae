"""What ``vit-explorer export`` makes of a run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.drawing import find_browser
from explorer.errors import ExplorerError
from explorer.export import Showing, deck, handout
from explorer.export import stages as pictures
from explorer.files import named_file
from explorer.state import MEAN_OF_HEADS
from explorer.texts import text

if TYPE_CHECKING:
    from explorer.images import Picture
    from explorer.models import ExplorerModel
    from explorer.trace import Trace

__all__ = ["check", "export"]

_MEAN = "mean"


def check(options: argparse.Namespace) -> None:
    """Raise what can be known to be wrong before a model runs.

    Raises
    ------
    ExplorerError
        ``export-nothing``, ``export-stage``, ``export-head-unknown``, ``file-not-writable``, ``deck-needs-pptx`` or
        ``browser-missing``.
    """
    if options.out is None and options.deck is None and options.html is None:
        raise ExplorerError("export-nothing")
    pictures.check_stages(_stages(options))
    _head(options)
    if options.html is not None:
        handout.handout_file(options.html)
    if options.deck is not None:
        named_file(options.deck, deck.ENDING)
        deck.check_pptx()
    if not (options.out is None and options.deck is None) and find_browser() is None:
        raise ExplorerError("browser-missing")


def export(options: argparse.Namespace, picture: Picture, model: ExplorerModel, trace: Trace) -> None:
    """Make what was asked for, and say so.

    Raises
    ------
    ExplorerError
        Whatever stands in the way.
    """
    language = options.lang
    showing = Showing(
        trace=trace,
        labels=model.labels,
        picture=picture,
        language=options.language or language,
        layer=options.layer - 1,
        head=_head(options),
        token=None if options.query is None else token_of(trace, options.query),
    )
    sheets: list[Any] = [{"caption": options.caption}] if options.out is not None else []
    sheets += [deck.SLIDE_SHEET] if options.deck is not None else []
    drawn = []
    if sheets:
        # All in one browser: it takes longer to start than to draw.
        drawn = pictures.draw_shown(showing, sheets=sheets, stages=_stages(options))
    if options.out is not None:
        files = pictures.write_stages(drawn, options.out)
        folder, count = str(options.out), len(files)
        print(text("cli.pictures-saved", language, folder=folder, count=count, model=trace.spec.name))
        for file in files:
            print(f"    {file.name}")
    if options.deck is not None:
        file = deck.save_deck(deck.deck_bytes(drawn, showing), options.deck)
        print(text("cli.deck-saved", language, file=str(file), slides=1 + len(drawn)))
    if options.html is not None:
        file = handout.save_handout(handout.page_of(showing), options.html)
        megabytes = f"{file.stat().st_size / 1e6:.1f}"
        print(text("cli.exported", language, file=str(file), model=trace.spec.name, megabytes=megabytes))


def token_of(trace: Trace, asked: str) -> int:
    """The token that a command line names.

    Parameters
    ----------
    trace : Trace
    asked : str
        ``CLS`` or another prefix token, a patch's number, or its ``row,column``; as the page counts them.

    Returns
    -------
    int
        Prefix tokens first.

    Raises
    ------
    ExplorerError
        ``export-query-unknown``.
    """
    rows, cols = trace.grid
    names = [name.casefold() for name in trace.prefix_names]
    word = asked.strip().casefold()
    if word in names:
        return names.index(word)
    numbers = [part.strip() for part in word.split(",")]
    place = -1
    if all(number.isascii() and number.isdecimal() and len(number) < 7 for number in numbers):
        if len(numbers) == 1:
            place = int(numbers[0])
        elif len(numbers) == 2 and int(numbers[1]) < cols:
            place = int(numbers[0]) * cols + int(numbers[1])
    found = np.flatnonzero(trace.patch_index == place)
    if not found.size:
        names_said = ", ".join(trace.prefix_names) or "–"
        values = {"patches": trace.num_patches, "rows": rows, "cols": cols}
        raise ExplorerError("export-query-unknown", query=asked, names=names_said, **values)
    return trace.num_prefix + int(found[0])


def _stages(options: argparse.Namespace) -> list[str]:
    if options.stages is None:
        return list(pictures.STAGES)
    return [stage.strip() for stage in options.stages.split(",")]


def _head(options: argparse.Namespace) -> int:
    """From 0; −1 for the mean. Whether the model has so many is known later."""
    word = options.head.strip().casefold()
    if word == _MEAN:
        return MEAN_OF_HEADS
    if not (word.isascii() and word.isdecimal() and 1 <= int(word[:7]) < 10_000):
        raise ExplorerError("export-head-unknown", head=options.head)
    return int(word) - 1
