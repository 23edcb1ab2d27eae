"""Experiment *A new head*: how its loss falls, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.numerics import Array, softmax

__all__ = ["head_shares", "left_out_notes", "loss_chart"]


def loss_chart(losses: Sequence[float], steps: int, *, x_title: str, y_title: str, title: str = "") -> dict[str, Any]:
    """The loss after every step so far, as plotly's JSON.

    Parameters
    ----------
    losses : sequence of float
        From before the first step on.
    steps : int
        How many steps there will be: the axis is as long from the beginning.
    x_title, y_title, title : str
    """
    values = [float(loss) for loss in losses]
    highest = max([*values, 0.1])
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "x": list(range(len(values))),
                "y": values,
                "line": {"color": "#c4006a", "width": 3},
                "hovertemplate": f"{escape(x_title)} %{{x}}: %{{y:.4f}}<extra></extra>",
            }
        ],
        "layout": {
            "title": {"text": title},
            "showlegend": False,
            "height": 260,
            "margin": {"l": 70, "r": 16, "t": 10, "b": 56},
            "font": {"size": 16, "color": "#131c2e"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": {"title": {"text": x_title}, "range": [0, max(steps, 1)], "showgrid": False, "zeroline": False},
            "yaxis": {
                "title": {"text": y_title},
                "range": [0, 1.05 * highest],
                "nticks": 5,
                "gridcolor": "#d8deea",
                "zerolinecolor": "#b9c2d3",
            },
        },
    }


def head_shares(logits: Array, names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Names with their probabilities, the most probable first."""
    probs = softmax(np.asarray(logits, dtype=np.float32))
    return tuple((names[index], float(probs[index])) for index in np.argsort(-probs, kind="stable"))


def left_out_notes(
    targets: NDArray[np.int64], answers: NDArray[np.int64], names: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """For every picture of every class what a head answered that had not seen it; nothing where that was right.

    Parameters
    ----------
    targets, answers : (n,) ints
        The pictures' classes, class after class, and the answers.
    names : sequence of str

    Returns
    -------
    tuple of tuples of str
        One a class, in the order of its pictures.
    """
    return tuple(
        tuple("" if answer == index else names[answer] for answer in answers[targets == index])
        for index in range(len(names))
    )
