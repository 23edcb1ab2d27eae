"""A run's answer as a small table of bars, made to stand beside another run's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from explorer.errors import MessageValue
from explorer.figures.experiments import AnswerRow
from explorer.labels import Labels
from explorer.panels.numbers import signed
from explorer.texts import text

__all__ = ["answer_html", "change", "class_name", "percent", "shares_html"]


def class_name(labels: Labels | None, index: int, language: str) -> str:
    """What a class is called: text, whoever wrote it."""
    return str(index) if labels is None else labels.name(index, language)


def percent(prob: float) -> str:
    """A probability as it is written beside a bar."""
    return f"{prob:.1%}" if prob >= 0.0005 else "< 0.1%"


def change(value: float | None) -> str:
    """A difference of logits with its sign; nothing where there is none."""
    if value is None:
        return ""
    if abs(value) < 0.005:
        return "0.00"
    return signed(value, 2) if value < 0 else f"+{value:.2f}"


def answer_html(
    rows: Sequence[AnswerRow], labels: Labels | None, language: str, *, title: str = "", own: int = -1, of: str = ""
) -> str:
    """The classes of an answer with bars of their probability and, beside them, how far each logit has moved.

    Parameters
    ----------
    rows : sequence of AnswerRow
        See :func:`explorer.figures.experiments.answer_rows`.
    labels : Labels or None
        Names of the classes.
    language : str
    title : str
        A heading, as plain text.
    own : int
        The class that the model names when nothing is changed: its bar has the accent colour in every table, so that
        one sees where it goes.
    of : str
        Of what it is the answer, as plain text, where that is not beside it: stands above the classes.

    Returns
    -------
    str
        HTML; names are escaped.
    """
    heading = f"<h4>{escape(title)}</h4>" if title else ""
    if not rows:
        return f"{heading}<p class='vx-quiet'>{escape(text('experiments.no-classes', language))}</p>"
    lines = []
    for row in rows:
        name, written = escape(class_name(labels, row.index, language)), percent(row.prob)
        css = "vx-answer-row" + (" vx-own" if row.index == own else "") + (" vx-answer-far" if row.rank else "")
        rank = f"<span class='vx-answer-rank'>{escape(_rank(row, language))}</span>" if row.rank else ""
        lines.append(
            f"<tr class='{css}' data-class='{row.index}'><th scope='row'><span class='vx-answer-class' title='{name}'>"
            f"{name}</span>{rank}</th>"
            f"<td class='vx-answer-bar'><span style='width:{max(100 * row.prob, 0.4):.2f}%'></span></td>"
            f"<td class='vx-answer-percent'>{escape(written)}</td>"
            f"<td class='vx-answer-change'>{change(row.change)}</td></tr>"
        )
    # The column of changes has its place also where nothing is compared: bars of both tables have one scale.
    moved = any(row.change is not None for row in rows)
    tip = escape(text("experiments.change-hint", language))
    head = (
        f"<th scope='col' class='vx-answer-class'>{escape(of or text('experiments.class', language))}</th>"
        f"<th scope='col' class='vx-answer-bar' colspan='2'>{escape(text('experiments.probability', language))}</th>"
        f"<th scope='col' class='vx-answer-change' title='{tip}'>"
        f"{escape(text('experiments.change', language)) if moved else ''}</th>"
    )
    columns = "".join(f"<col class='vx-col-{name}'>" for name in ("class", "bar", "percent", "change"))
    return (
        f"{heading}<table class='vx-answers'><colgroup>{columns}</colgroup><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _rank(row: AnswerRow, language: str) -> str:
    values: dict[str, MessageValue] = {"rank": row.rank}
    return text("experiments.rank", language, **values)


def shares_html(rows: Sequence[tuple[str, float]], *, title: str) -> str:
    """Shares of a whole (0 … 1) as bars with their names, in the look of :func:`answer_html`; texts are escaped."""
    lines = "".join(
        f"<tr class='vx-answer-row'><th scope='row'>{escape(name)}</th>"
        f"<td class='vx-answer-bar'><span style='width:{100 * share:.2f}%'></span></td>"
        f"<td class='vx-answer-percent'>{share:.1%}</td></tr>"
        for name, share in rows
    )
    columns = "".join(f"<col class='vx-col-{name}'>" for name in ("class", "bar", "percent"))
    return (
        f"<div class='vx-shares'><h4>{escape(title)}</h4><table class='vx-answers'><colgroup>{columns}</colgroup>"
        f"<tbody>{lines}</tbody></table></div>"
    )
