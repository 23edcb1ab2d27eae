"""Facts of an opened layer: how far scores spread, how long vectors are, and the charts of both kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.figures.colors import CATEGORIES
from explorer.figures.encoder import rows_of
from explorer.figures.encoder_parts import Curve
from explorer.trace import BlockTrace, Trace

__all__ = [
    "LENGTH_COLORS",
    "Lengths",
    "ScoreSpread",
    "curve_chart",
    "lengths",
    "lengths_chart",
    "sampled_tokens",
    "score_spread",
]

#: Norms are averaged over at most so many tokens, spread evenly: a NumPy pass over all of a large run takes minutes.
MAX_MEAN_TOKENS = 257

_INK, _LINE = "#131c2e", "#d8deea"
#: Of 𝒛, MSA and MLP.
LENGTH_COLORS = {"z": _INK, "msa": CATEGORIES[0], "mlp": CATEGORIES[1]}


@dataclass(frozen=True, kw_only=True)
class ScoreSpread:
    """What dividing by √D_h does to one token's scores.

    Parameters
    ----------
    before, after : float
        Standard deviation of 𝒒𝒌ᵀ over all keys, and of 𝒒𝒌ᵀ/√D_h.
    most_before, most_after : float
        The largest weight that softmax would give without dividing, and the one that it gives.
    """

    before: float
    after: float
    most_before: float
    most_after: float


def score_spread(row: BlockTrace, head: int) -> ScoreSpread:
    """How far one token's scores spread with and without the division by √D_h."""
    scores = row.scores[head, 0].astype(np.float64)
    raw = scores * row.q.shape[-1] ** 0.5
    return ScoreSpread(
        before=float(raw.std()),
        after=float(scores.std()),
        most_before=float(1 / np.exp(raw - raw.max()).sum()),
        most_after=float(1 / np.exp(scores - scores.max()).sum()),
    )


# -- how long the vectors are ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Lengths:
    """How long the vectors of the residual stream are, and what every layer adds to them.

    Parameters
    ----------
    z, msa, mlp : (L,) float64 arrays
        ‖𝒛ₗ‖ and the norms of what MSA and MLP add (after LayerScale), each the mean over some tokens.
    """

    z: NDArray[np.float64]
    msa: NDArray[np.float64]
    mlp: NDArray[np.float64]


def sampled_tokens(trace: Trace) -> list[int]:
    """The tokens that a mean is taken over: all of them, or many that are spread evenly."""
    count = min(trace.num_tokens, MAX_MEAN_TOKENS)
    return [int(token) for token in np.linspace(0, trace.num_tokens - 1, count).round()]


def lengths(trace: Trace, tokens: Sequence[int]) -> Lengths:
    """Norms of what every layer writes into some tokens, their mean.

    Parameters
    ----------
    trace : Trace
    tokens : sequence of int

    Returns
    -------
    Lengths
    """
    norms: dict[str, list[float]] = {"z": [], "msa": [], "mlp": []}
    for block in rows_of(trace, list(tokens)).blocks:
        middle = block.z_mid
        for name, values in (("z", block.z_out), ("msa", middle - block.z_in), ("mlp", block.z_out - middle)):
            norms[name].append(float(np.linalg.norm(values.astype(np.float64), axis=1).mean()))
    return Lengths(**{name: np.array(values) for name, values in norms.items()})


# -- charts, as plotly's JSON: a go.Figure takes 20 ms to check what it is given ---------------------------------------


def _layout(x: str, y: str, height: int, **more: Any) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 70, "r": 16, "t": 48 if more.get("showlegend") else 12, "b": 58},
        "font": {"size": 16, "color": _INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"font": {"size": 16}},
        "xaxis": {"title": {"text": x}, "gridcolor": _LINE, "zerolinecolor": "#b9c2d3", **more.pop("xaxis", {})},
        "yaxis": {"title": {"text": y}, "gridcolor": _LINE, "zerolinecolor": "#b9c2d3", **more.pop("yaxis", {})},
        **more,
    }


def lengths_chart(
    own: Lengths,
    mean: Lengths,
    *,
    names: tuple[str, str, str],
    mean_names: tuple[str, str, str],
    x: str,
    y: str,
    layer: int,
) -> dict[str, Any]:
    """Lengths by layer: solid for one token, dashed for the mean.

    Parameters
    ----------
    own, mean : Lengths
    names, mean_names : (str, str, str)
        Of 𝒛, MSA and MLP.
    x, y : str
    layer : int
        The open layer, which is marked.
    """
    traces: list[dict[str, Any]] = []
    for given, words, dash in ((own, names, "solid"), (mean, mean_names, "dot")):
        for (key, color), name in zip(LENGTH_COLORS.items(), words, strict=True):
            values = getattr(given, key)
            traces.append(
                {
                    "type": "scatter",
                    "x": list(range(1, len(values) + 1)),
                    "y": values.tolist(),
                    "mode": "lines+markers",
                    "name": name,
                    "line": {"color": color, "width": 3 if dash == "solid" else 2, "dash": dash},
                    "marker": {"size": 9 if dash == "solid" else 6, "color": color},
                    "hovertemplate": "%{x}: %{y:.4g}<extra>%{fullData.name}</extra>",
                }
            )
    layers = len(own.z)
    band = {"type": "rect", "xref": "x", "yref": "paper", "x0": layer + 0.7, "x1": layer + 1.3, "y0": 0, "y1": 1}
    layout = _layout(
        x,
        y,
        380,
        showlegend=True,
        legend={"font": {"size": 16}, "orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        xaxis={"dtick": 1 if layers <= 24 else 4, "range": [0.5, layers + 0.5], "showgrid": False},
        yaxis={"rangemode": "tozero"},
        shapes=[{**band, "fillcolor": "#fbe6f1", "line": {"width": 0}, "layer": "below"}],
    )
    return {"data": traces, "layout": layout}


def curve_chart(curve: Curve, *, x: str, y: str, picked: int) -> dict[str, Any]:
    """The activation with one token's hidden units on it, one of them ringed.

    Parameters
    ----------
    curve : Curve
    x, y : str
    picked : int
        A hidden unit.
    """
    across, up = (row.astype(np.float64).tolist() for row in curve.dots)
    line = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "line": {"color": "#526077", "width": 2}}
    ring = {"size": 16, "color": "rgba(0,0,0,0)", "line": {"color": _INK, "width": 3}}
    traces = [
        {**line, "x": curve.curve[0].astype(np.float64).tolist(), "y": curve.curve[1].astype(np.float64).tolist()},
        {
            "type": "scatter",
            "mode": "markers",
            "x": across,
            "y": up,
            "marker": {"size": 7, "color": "#c4006a", "opacity": 0.45},
            "customdata": list(range(len(across))),
            "hovertemplate": "u = %{customdata}: %{x:.5g} → %{y:.5g}<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "x": [across[picked]],
            "y": [up[picked]],
            "marker": ring,
            "hoverinfo": "skip",
        },
    ]
    return {"data": traces, "layout": _layout(x, y, 260, showlegend=False)}
