"""The stages as pictures: PNG and SVG, drawn by the page's own front ends, in a browser without a window.

The page's panels are built beside a state of their own, as for a handout; each says what of it makes a picture
(:meth:`explorer.panels.base.StagePanel.picture`), so that a file shows what the page shows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.drawing import Column, Drawing, Node, Part, Row, Sheet, draw_sheets, sheets_script
from explorer.drawing.sheets import Format
from explorer.errors import ExplorerError
from explorer.export.recording import forget, is_unseen, unseen
from explorer.export.showing import Showing, model_name, opened, state_of
from explorer.figures.classification import top_classes
from explorer.files import write_file
from explorer.panels.base import StagePanel
from explorer.panels.messages import changes_text
from explorer.panels.stages import PICTURED
from explorer.state import MEAN_OF_HEADS, ExplorerState
from explorer.texts import text
from explorer.widgets.attention_view import ROLLOUT

if TYPE_CHECKING:
    from explorer.images import Picture
    from explorer.labels import Labels
    from explorer.trace import Trace

__all__ = ["STAGES", "Draw", "StagePicture", "draw_shown", "draw_stages", "save_stages", "script_of"]

#: What draws sheets in a language.
Draw = Callable[[Sequence[Sheet], str], list[Drawing]]

#: The stages that there are pictures of, in the page's order.
STAGES: Sequence[str] = tuple(PICTURED)
#: What a stage's caption and file name say of what is picked.
_LAYERED, _HEADED = frozenset({"encoder", "attention"}), frozenset({"attention"})
_PICKED = frozenset({"patches", "embedding", "position", "encoder", "attention"})


@dataclass(frozen=True, kw_only=True)
class StagePicture:
    """A stage for slides.

    Parameters
    ----------
    stage, number, name, sentence
        As on the page.
    caption : str
        Stage, model, patch size, layer, head, query and answer, as far as the stage has them.
    stem : str
        File name, without its ending.
    formulas : tuple of str
        Names of its formulas; see :data:`explorer.formulas.FORMULAS`.
    shapes : tuple of (str, tuple)
        Its arrays: name and sizes.
    drawings : tuple of Drawing
        One for each size that was asked for.
    """

    stage: str
    number: int
    name: str
    sentence: str
    caption: str
    stem: str
    formulas: tuple[str, ...]
    shapes: tuple[tuple[str, tuple[int | str, ...]], ...]
    drawings: tuple[Drawing, ...] = field(repr=False, default=())


def save_stages(
    trace: Trace,
    labels: Labels | None,
    picture: Picture | bytes | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    caption: bool = True,
    formats: Sequence[Format] = ("png", "svg"),
    **shown: Any,
) -> list[Path]:
    """Write pictures of the stages, for slides.

    Parameters
    ----------
    trace : Trace
    labels : Labels or None
        Names of the classes.
    picture : Picture, bytes or path
        What the run was made from.
    folder : path
        Made if it does not exist. File names tell stage, model, patch size, layer, head and language.
    caption : bool
        Whether each says at its foot what it shows.
    formats : sequence of {"png", "svg"}
        A PNG has 2560 × 1440 pixels; an SVG needs nothing but itself.
    **shown
        ``stages``, ``language``, ``crop``, ``layer``, ``head``, ``token``; see :func:`draw_stages`.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    ExplorerError
        ``export-stage``: there is no such stage; ``browser-missing``: nothing to draw with; ``file-not-writable``;
        and for a layer, head or token that there is not.

    Examples
    --------
    >>> model = load_model()
    >>> trace = trace_image(model, "cat.jpg")
    >>> save_stages(trace, model.labels, "cat.jpg", "slides", stages=["attention"], layer=4)
    """
    sheet = {"caption": caption, "formats": tuple(formats)}
    return write_stages(draw_stages(trace, labels, picture, sheets=[sheet], **shown), folder)


def write_stages(pictures: Sequence[StagePicture], folder: str | os.PathLike[str]) -> list[Path]:
    """Write the first drawing of each picture into a folder."""
    place, written = Path(folder), []
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExplorerError("file-not-writable", file=str(place)) from error
    for picture in pictures:
        drawing = picture.drawings[0]
        for ending, data in (("png", drawing.png), ("svg", drawing.svg.encode("utf-8"))):
            if data:
                written.append(write_file(place / f"{picture.stem}.{ending}", data))
    return written


def draw_stages(
    trace: Trace,
    labels: Labels | None,
    picture: Picture | bytes | str | os.PathLike[str],
    *,
    sheets: Sequence[Mapping[str, Any]] = ({},),
    stages: Sequence[str] = STAGES,
    **shown: Any,
) -> list[StagePicture]:
    """Draw stages, all in one browser.

    Parameters
    ----------
    trace, labels, picture
        See :func:`save_stages`.
    sheets : sequence of mapping
        For each size that is wanted, what is not as in :class:`explorer.drawing.Sheet`; ``caption`` is a bool here.
    stages : sequence of str
        Of :data:`STAGES`.
    **shown
        ``language``, ``crop``, ``layer``, ``head``, ``token``; see :class:`explorer.export.Showing`.

    Returns
    -------
    list of StagePicture
        In the page's order.

    Raises
    ------
    ExplorerError
        ``export-stage``, ``browser-missing`` or ``browser-failed``, or what :meth:`explorer.export.Showing.check`
        raises.
    """
    showing = Showing(trace=trace, labels=labels, picture=opened(picture), **shown)
    return draw_shown(showing, sheets=sheets, stages=stages)


def draw_shown(
    showing: Showing,
    *,
    sheets: Sequence[Mapping[str, Any]] = ({},),
    stages: Sequence[str] = STAGES,
    draw: Draw | None = None,
) -> list[StagePicture]:
    """The same of a run that is taken together; see :func:`draw_stages`.

    Parameters
    ----------
    showing : Showing
    sheets, stages
        See :func:`draw_stages`.
    draw : callable, optional
        By default :func:`explorer.drawing.draw_sheets`, in a browser without a window.

    Returns
    -------
    list of StagePicture
    """
    check_stages(stages)
    showing.check()
    trace = showing.trace
    wanted = [stage for stage in STAGES if stage in stages]
    with unseen(), state_of(showing) as state:
        panels = [PICTURED[stage](state) for stage in wanted]
        bodies: list[Node] = []
        try:
            bodies.extend(panel.picture() for panel in panels)
            if state.error is not None:
                raise state.error
            found = [_about(panel, state, trace) for panel in panels]
            drawings = (draw or draw_sheets)(_sheets(found, bodies, sheets), showing.language)
        finally:
            forget([*panels, *(view for body in bodies for view in _views(body))])
    each = len(sheets)
    return [
        replace(one, drawings=tuple(drawings[place * each : (place + 1) * each])) for place, one in enumerate(found)
    ]


def script_of(panel: StagePanel, *, caption: bool, formats: Sequence[Format]) -> tuple[str, str]:
    """What draws a stage as it stands on a page: JavaScript for the page itself, and the file's name.

    Parameters
    ----------
    panel : StagePanel
        Built, with something to show.
    caption : bool
        Whether it says at its foot what it shows.
    formats : sequence of {"png", "svg"}

    Returns
    -------
    (str, str)
        See :func:`explorer.drawing.sheets_script`; and the name without its ending.

    Raises
    ------
    ValueError
        If nothing is shown yet.
    """
    trace = panel.state.trace
    if trace is None:
        raise ValueError("nothing is shown yet")
    with unseen():
        body = panel.picture()
    try:
        one = _about(panel, panel.state, trace)
        sheets = _sheets([one], [body], [{"caption": caption, "formats": tuple(formats)}])
        return sheets_script(sheets, panel.state.language), one.stem
    finally:
        # The page keeps its own; what was made for the picture alone goes.
        forget([view for view in _views(body) if is_unseen(view)])


def check_stages(stages: Sequence[str]) -> None:
    """Raise ``export-stage`` unless all are :data:`STAGES`."""
    for stage in stages:
        if stage not in PICTURED:
            raise ExplorerError("export-stage", stage=stage, stages=", ".join(STAGES))


def _sheets(found: Sequence[StagePicture], bodies: Sequence[Node], sheets: Sequence[Mapping[str, Any]]) -> list[Sheet]:
    made = []
    for one, body in zip(found, bodies, strict=True):
        for sheet in sheets:
            given = dict(sheet) | {"caption": one.caption if sheet.get("caption", True) else ""}
            made.append(Sheet(body=body, title=f"{one.number} {one.name}: {one.sentence}", **given))
    return made


def _about(panel: StagePanel, state: ExplorerState, trace: Trace) -> StagePicture:
    stage = panel.stage
    place = {
        "layer": state.layer if stage in _LAYERED else None,
        "head": panel.open_head if stage in _HEADED else None,
    }
    changed = ["changed"] if trace.intervention else []
    return StagePicture(
        stage=stage,
        number=panel.number,
        name=panel.say("name"),
        sentence=panel.say("sentence"),
        caption=" · ".join(_caption(panel, state, trace)),
        stem=f"{panel.number}-{panel.stem(*changed, state.language, **place)}",
        formulas=tuple(panel.formulas),
        shapes=tuple((name, sizes) for _, name, sizes in panel.shapes(trace)),
    )


def _caption(panel: StagePanel, state: ExplorerState, trace: Trace) -> Iterator[str]:
    def say(key: str, **values: str | int) -> str:
        return text(f"export.{key}", state.language, **values)

    stage = panel.stage
    yield f"{panel.number} {panel.say('name')}"
    yield model_name(trace)
    yield say("patch-size", size=trace.patch_size)
    if stage in _LAYERED:
        yield say("layer", layer=state.layer + 1, layers=trace.spec.depth)
    if stage in _HEADED:
        named = {MEAN_OF_HEADS: "head-mean", ROLLOUT: "head-rollout"}.get(panel.open_head)
        yield say(named) if named else say("head", head=panel.open_head + 1, heads=trace.spec.heads)
    if stage in _PICKED:
        yield say("query" if stage in _HEADED else "token", token=panel.token_name(state.token))
    answer = answer_of(trace, state.labels, state.language)
    if answer is not None:
        name, share = answer
        yield say("answer", name=name, percent=share) if share else name
    if changed := changes_text(trace, state.language):
        yield changed


def answer_of(trace: Trace, labels: Labels | None, language: str) -> tuple[str, str] | None:
    """What the model answers and how sure it is, or that it means nothing; None for a model without classes.

    Parameters
    ----------
    trace : Trace
    labels : Labels or None
    language : str

    Returns
    -------
    (str, str) or None
        Of random weights a word, and an empty one.
    """
    best = top_classes(trace, 1)
    if trace.spec.random_weights:
        return text("export.random", language), ""
    if not best:
        return None
    name = str(best[0].index) if labels is None else labels.name(best[0].index, language)
    return name, f"{best[0].prob:.1%}"


def _views(node: Node) -> Iterator[Any]:
    if isinstance(node, Part):
        yield node.view
    elif isinstance(node, Row | Column):
        for child in node.children:
            yield from _views(child)
