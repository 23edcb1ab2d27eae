"""The handout: a run as one HTML page that opens from disk, with no kernel, no server and no internet.

The page's own panels are built beside a state of their own, and what their widgets show is written down in both
languages (:mod:`explorer.export.recording`). The page has the widgets' own front ends, so that they are drawn as on
the page; what a kernel would answer is answered by ``handout.js``, from q, k and the numbers in the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.errors import ExplorerError
from explorer.export.packing import STAGES, Packer, page_html
from explorer.export.recording import Recording, Snapshot, unseen, varying
from explorer.export.showing import Showing, model_name, state_of
from explorer.files import named_file, write_file
from explorer.numerics import Array, log_sum_exp
from explorer.panels.attention import AttentionPanel
from explorer.panels.classification import ClassificationPanel
from explorer.panels.messages import changes_text, notices
from explorer.panels.numbers import difference
from explorer.panels.patches import PatchesPanel
from explorer.panels.position import PositionPanel
from explorer.state import ExplorerState
from explorer.texts import LANGUAGES, text
from explorer.trace import Trace
from explorer.widgets.attention_view import AttentionView

if TYPE_CHECKING:
    from explorer.images import Picture
    from explorer.labels import Labels

__all__ = ["MAX_BYTES", "handout_html", "write_handout"]

#: No larger file is written: it would be slow to open, and slower to hand round.
MAX_BYTES = 60_000_000
#: q and k of more bytes than these are kept in half precision.
EXACT_BYTES = 3_000_000
#: Rollout multiplies T × T matrices in the reader's browser; beyond this many tokens it is not offered.
MAX_ROLLOUT_TOKENS = 400

#: A widget, its trait, and the values that the file has answers to.
Control = tuple[Any, str, list[Any]]
#: Value and language to what all widgets then show.
Answers = dict[tuple[str, str], Snapshot]

#: Half precision has no larger numbers.
_LARGEST_HALF = 60_000.0


def write_handout(
    trace: Trace,
    labels: Labels | None,
    picture: Picture,
    path: str | os.PathLike[str],
    **shown: Any,
) -> Path:
    """Write the handout of a run.

    Parameters
    ----------
    trace, labels, picture, **shown
        See :func:`handout_html`.
    path : path
        The file, with whatever ending it is given.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ExplorerError
        ``handout-too-large``, ``file-not-writable``, or what :meth:`explorer.export.Showing.check` raises.
    """
    return save_handout(handout_html(trace, labels, picture, **shown), path)


def save_handout(page: str, path: str | os.PathLike[str]) -> Path:
    """Write a handout's text, under a name that a browser opens as a page."""
    return write_file(handout_file(path), page.encode("utf-8"))


def handout_file(path: str | os.PathLike[str]) -> Path:
    """The file that is meant by a path: ``.html`` is added where it has no ending of a page.

    Raises
    ------
    ExplorerError
        ``file-not-writable``, where the path names nothing but a folder.
    """
    file = Path(path)
    return file if file.suffix.lower() == ".htm" and file.stem else named_file(file, ".html")


def handout_html(
    trace: Trace,
    labels: Labels | None,
    picture: Picture,
    **shown: Any,
) -> str:
    """A run as one page: photo and patches, position embeddings, attention, classification.

    Parameters
    ----------
    trace : Trace
    labels : Labels or None
        Names of the classes.
    picture : Picture
        What the run was made from.
    **shown
        What is open at first: ``crop``, ``layer``, ``head``, ``token``; and the ``language`` that the page is in where
        the reader's browser asks for none of its languages. See :class:`explorer.export.Showing`.

    Returns
    -------
    str
        The text of the file. It asks no one for anything, and a Content-Security-Policy holds it to that.

    Raises
    ------
    ExplorerError
        ``handout-too-large``, or what :meth:`explorer.export.Showing.check` raises.
    """
    return page_of(Showing(trace=trace, labels=labels, picture=picture, **shown))


def page_of(showing: Showing) -> str:
    """The same of a run that is taken together; see :func:`handout_html`."""
    showing.check()
    trace = showing.trace
    smallest = 2 * (trace.q.size + trace.k.size) * 4 // 3
    if smallest > MAX_BYTES:
        raise ExplorerError("handout-too-large", megabytes=round(smallest / 1e6), limit=round(MAX_BYTES / 1e6))
    with unseen(), state_of(showing) as state:
        return _written(state, trace, showing.language)


def _written(state: ExplorerState, trace: Trace, language: str) -> str:
    patches, position, attention = PatchesPanel(state), PositionPanel(state), AttentionPanel(state)
    classification = ClassificationPanel(state)
    position.similarity.value = "all"
    # The names of the classes are sent when they are asked for, and there will be no one to ask.
    classification.classes.opened = True
    recording = Recording((patches, position, attention, classification), answering=[patches.views])
    try:
        controls: list[Control] = [
            (patches.views, "value", ["photo", "model"]),
            (classification.bars, "selected", [row["index"] for row in classification.bars.rows]),
        ]
        said, answers = _said(state, recording, controls)
        packer, number = Packer(), recording.number
        layers, error = _layers(attention.view, packer, halved=trace.q.nbytes + trace.k.nbytes > EXACT_BYTES)
        widgets = [dict(values) for values in said[language]]
        widgets[number(attention.view)] |= _at_first(attention.view)
        widgets[number(classification.classes)]["opened"] = False
        header = {
            "languages": dict(LANGUAGES),
            "language": language,
            "stages": recording.stages,
            "widgets": [packer.state(values) for values in widgets],
            "states": {name: packer.states(values) for name, values in varying(said).items()},
            "answers": [
                {
                    "widget": number(widget),
                    "trait": trait,
                    "answers": _by_value(packer, answered, number(widget), trait),
                }
                for (widget, trait, _), answered in zip(controls, answers, strict=True)
            ],
            "links": _links(trace, number, patches, position, attention.view),
            "attention": {"widget": number(attention.view), "layers": layers},
            "words": {name: _words(state, trace, name, error) for name in LANGUAGES},
        }
        return page_html(header, packer, recording, language)
    finally:
        recording.close()


# -- what the panels say -----------------------------------------------------------------------------------------------


def _said(
    state: ExplorerState, recording: Recording, controls: Sequence[Control]
) -> tuple[dict[str, Snapshot], list[Answers]]:
    """What all widgets show in each language; and once more for each value of the controls that the file has."""
    said: dict[str, Snapshot] = {}
    answers: list[Answers] = [{} for _ in controls]
    for language in LANGUAGES:
        state.language = language
        said[language] = recording.snapshot()
        for (widget, trait, values), answered in zip(controls, answers, strict=True):
            own = getattr(widget, trait)
            for value in values:
                setattr(widget, trait, value)
                answered[str(value), language] = recording.snapshot()
            setattr(widget, trait, own)
        if state.error is not None:
            raise state.error
    return said, answers


def _by_value(packer: Packer, answered: Answers, widget: int, trait: str) -> dict[str, dict[str, Any]]:
    """What follows from each value of a control, in each language."""
    found: dict[str, dict[str, Any]] = {}
    for (value, language), changes in varying(answered, leave_out=(widget, trait)).items():
        found.setdefault(value, {})[language] = packer.states(changes)
    return found


def _words(state: ExplorerState, trace: Trace, language: str, error: float) -> dict[str, str]:
    """The page's own words."""
    state.language = language
    picture = state.picture.name if state.picture is not None else ""
    facts = text(
        "handout.facts",
        language,
        picture=picture,
        model=model_name(trace),
        patch=trace.patch_size,
        image=trace.image_size,
        patches=trace.num_patches,
        tokens=trace.num_tokens,
    )
    warnings = [escape(words) for words in (*notices(trace, language), changes_text(trace, language)) if words]
    precision = text("handout.half", language, error=difference(error)) if error else text("handout.exact", language)
    return {
        "title": text("handout.title", language, picture=picture),
        "facts": facts,
        "about": text("handout.about", language),
        "precision": precision,
        "warnings": "".join(f"<p class='vx-handout-warning'>{warning}</p>" for warning in warnings),
        "languages": text("page.language", language),
    } | {f"nav-{stage}": text(f"page.nav-{stage}", language) for stage in STAGES}


# -- what the file answers ---------------------------------------------------------------------------------------------


def _layers(view: AttentionView, packer: Packer, *, halved: bool) -> tuple[list[dict[str, int]], float]:
    """q, k, log-sum-exp and the ends of the scales of every layer; and how far any weight is off for being rounded."""
    known = view.settle()
    found, error = [], 0.0
    for layer, (q, k) in enumerate(zip(known.trace.q, known.trace.k, strict=True)):
        summary = known.summary(layer)
        highs = np.array([summary.high, summary.mean_high, *summary.head_highs], dtype=np.float32)
        arrays: dict[str, NDArray[Any]] = {"q": q, "k": k, "lse": summary.log_sum_exp, "highs": highs}
        if halved and max(float(np.abs(q).max()), float(np.abs(k).max())) < _LARGEST_HALF:
            arrays |= {"q": q.astype(np.float16), "k": k.astype(np.float16)}
            # Of the rounded numbers, so that every row of the file's own matrices sums to 1.
            arrays["lse"], off = _rounded(q, k, summary.log_sum_exp)
            error = max(error, off)
        found.append({name: packer.array(array) for name, array in arrays.items()})
    return found, error


def _rounded(q: Array, k: Array, sums: Array) -> tuple[Array, float]:
    """Every query's log-sum-exp with q and k in half precision, and how far any weight is off then."""
    scale = np.float32(q.shape[-1] ** -0.5)
    found, error = np.empty_like(sums), 0.0
    # Head by head: all heads of a model with small patches would not fit into memory together.
    for head, (queries, keys) in enumerate(zip(q, k, strict=True)):
        exact = np.exp((queries * scale) @ keys.T - sums[head][:, None])
        rounded, kept = (array.astype(np.float16).astype(np.float32) for array in (queries, keys))
        scores = (rounded * scale) @ kept.T
        found[head] = log_sum_exp(scores)
        error = max(error, float(np.abs(np.exp(scores - found[head][:, None]) - exact).max()))
    return found, error


def _at_first(view: AttentionView) -> dict[str, Any]:
    """What the view starts with: all layers are in the file already, and small pictures are worked out there."""
    run = dict(view.run)
    run |= {"rollout": run["tokens"] <= MAX_ROLLOUT_TOKENS, "opened": -1}
    return {"run": run, "opened": b"", "wall": b"", "wall_shape": (0, 0)}


def _links(
    trace: Trace,
    number: Callable[[Any], int],
    patches: PatchesPanel,
    position: PositionPanel,
    view: AttentionView,
) -> list[dict[str, Any]]:
    """Where a token is picked, and what is picked there for each token."""
    prefix, places = trace.num_prefix, trace.patch_index.tolist()
    found = [(view, "token", list(range(trace.num_tokens)))]
    found.append((patches.photo, "selected", [*range(prefix), *(prefix + place for place in places)]))
    # Tables belong to the places of the grid: of a patch that was moved, the one that its position is of.
    own, _ = trace.intervention.layout(trace.grid[0] * trace.grid[1])
    for column in position.columns:
        for widget, trait, values in column.linked():
            found.append((widget, trait, [-1] * prefix + [values[place] for place in own]))
    return [{"widget": number(widget), "trait": trait, "values": values} for widget, trait, values in found]
