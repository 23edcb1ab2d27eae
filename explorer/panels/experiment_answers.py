"""A run's answer as a small table of bars, made to stand beside another run's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from explorer.errors import MessageValue
from explorer.figures.experiments import AnswerRow
from explorer.labels import Labels
from explorer.panels.numbers import signed
from explorer.texts import text

__all__ = ["answer_html", "class_name", "percent"]


def class_name(labels: Labels | None, index: int, language: str) -> str:
    """What a class is called: text, whoever wrote it."""
    return str(index) if labels is None else labels.name(index, language)


def percent(prob: float) -> str:
    """A probability as it is written beside a bar."""
    return f"{prob:.1%}" if prob >= 0.0005 else "< 0.1%"


def answer_html(
    rows: Sequence[AnswerRow], labels: Labels | None, language: str, *, title: str = "", own: int = -1
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

    Returns
    -------
    str
        HTML; names are escaped.
    """
    moved = any(row.change is not None for row in rows)
    heading = f"<h4>{escape(title)}</h4>" if title else ""
    if not rows:
        return f"{heading}<p class='vx-quiet'>{escape(text('experiments.no-classes', language))}</p>"
    lines = []
    for row in rows:
        name, written = escape(class_name(labels, row.index, language)), percent(row.prob)
        css = "vx-answer-row" + (" vx-own" if row.index == own else "") + (" vx-answer-far" if row.rank else "")
        change = "" if row.change is None else signed(row.change, 2) if row.change < 0 else f"+{row.change:.2f}"
        rank = f"<span class='vx-answer-rank'>{escape(_rank(row, language))}</span>" if row.rank else ""
        lines.append(
            f"<tr class='{css}' data-class='{row.index}'><th scope='row'><span class='vx-answer-class' title='{name}'>"
            f"{name}</span>{rank}</th>"
            f"<td class='vx-answer-bar'><span style='width:{max(100 * row.prob, 0.4):.2f}%'></span></td>"
            f"<td class='vx-answer-percent'>{escape(written)}</td>"
            + (f"<td class='vx-answer-change'>{change}</td>" if moved else "")
            + "</tr>"
        )
    tip = escape(text("experiments.change-hint", language))
    head = "".join(
        f"<th scope='col' class='{css}'{f' title={chr(39)}{tip}{chr(39)}' if css == 'vx-answer-change' else ''}>"
        f"{escape(words)}</th>"
        for css, words in (
            ("vx-answer-class", text("experiments.class", language)),
            ("vx-answer-bar", text("experiments.probability", language)),
            ("vx-answer-percent", ""),
            *([("vx-answer-change", text("experiments.change", language))] if moved else []),
        )
    )
    return f"{heading}<table class='vx-answers'><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _rank(row: AnswerRow, language: str) -> str:
    values: dict[str, MessageValue] = {"rank": row.rank}
    return text("experiments.rank", language, **values)
