"""Figures as data: scales, axes, what is refused; and as plotly charts."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from explorer.figures import (
    Axis,
    MatrixFigure,
    Scale,
    TilesFigure,
    data_scale,
    similarity_scale,
    symmetric_scale,
)
from explorer.figures.colors import COLORMAPS, plotly_colorscale


def matrix(**given: Any) -> MatrixFigure:
    base = {
        "values": np.eye(3),
        "rows": Axis(name="query ↓"),
        "cols": Axis(name="key →"),
        "scale": Scale(low=0, high=1),
    }
    return MatrixFigure(**{**base, **given})


def test_values_are_kept_as_read_only_float32_and_the_callers_array_stays_writable() -> None:
    mine = np.zeros((2, 2), dtype=np.float32)
    figure = matrix(values=mine)
    assert figure.values.dtype == np.float32
    assert not figure.values.flags.writeable
    mine[0, 0] = 1
    assert matrix(values=np.eye(2, dtype=np.float64)[::-1]).values.flags.c_contiguous


def test_signed_scales_are_centred_on_0() -> None:
    assert symmetric_scale([[-3.0, 1.0], [np.nan, np.inf]]) == Scale(low=-3, high=3, colormap="diverging")
    assert symmetric_scale(np.zeros(3)).high == 1
    assert similarity_scale("cos") == Scale(low=-1, high=1, colormap="diverging", label="cos")
    assert data_scale([0.5, 4.0]) == Scale(low=0, high=4)


@pytest.mark.parametrize(
    "bad",
    [
        {"low": 1, "high": 1},
        {"low": 0, "high": float("nan")},
        {"low": 0, "high": 1, "log": True},
        {"low": 0, "high": 1, "colormap": "jet"},
    ],
)
def test_scales_that_are_none_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"scale|colour map"):
        Scale(**bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"values": np.zeros(3)},
        {"values": np.zeros((0, 3))},
        {"rows": Axis(name="", labels=["a"])},
        {"cols": Axis(name="", marks={3: "CLS"})},
        {"aspect": "tall"},
        {"binning": "median"},
    ],
)
def test_figures_that_fit_no_matrix_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"matrix|axis|aspect|binning"):
        matrix(**bad)


def test_names_along_an_axis() -> None:
    assert Axis(name="", labels=["CLS", "patch 1"]).label(1) == "patch 1"
    assert Axis(name="", marks={0: "CLS"}).label(0) == "CLS"
    assert Axis(name="", first=1).label(4) == "5"


def test_tiles() -> None:
    rgb = TilesFigure(values=np.zeros((2, 4, 4, 3), dtype=np.uint8), captions=["a", "b"])
    assert rgb.is_rgb
    numbers = TilesFigure(values=np.zeros((2, 4, 4)), captions=["a", "b"], scale=Scale(low=0, high=1))
    assert not numbers.is_rgb
    assert numbers.values.dtype == np.float32
    for bad in (
        {"values": np.zeros((2, 4, 4)), "captions": ["a", "b"]},
        {"values": np.zeros((2, 4, 4, 3)), "captions": ["a", "b"]},
        {"values": np.zeros((2, 4, 4), dtype=np.float32), "captions": ["a"], "scale": Scale(low=0, high=1)},
        {"values": np.zeros((2, 4, 4, 3), dtype=np.uint8), "captions": ["a", "b"], "scale": Scale(low=0, high=1)},
        {"values": np.zeros((2, 4, 4, 3), dtype=np.uint8), "captions": ["a", "b"], "columns": 0},
    ):
        with pytest.raises(ValueError, match=r"tiles|captions"):
            TilesFigure(**bad)  # type: ignore[arg-type]


def test_a_plotly_matrix_has_the_same_values_colours_and_ends() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    chart = matrix(values=values, scale=Scale(low=1, high=9), title="<b>A & B</b>").to_plotly()
    np.testing.assert_array_equal(chart.data[0].z, values)
    assert (chart.layout.coloraxis.cmin, chart.layout.coloraxis.cmax) == (1, 9)
    assert chart.layout.coloraxis.colorscale[0] == (0, "#" + COLORMAPS["sequential"][0])
    assert chart.layout.yaxis.autorange == "reversed"
    assert chart.layout.yaxis.scaleanchor == "x"
    assert chart.layout.title.text == "&lt;b&gt;A &amp; B&lt;/b&gt;"


def test_a_logarithmic_plotly_matrix_says_the_values_themselves() -> None:
    values = np.array([[0.0, 0.01], [0.1, 1.0]], dtype=np.float32)
    chart = matrix(values=values, scale=Scale(low=0.01, high=1, log=True)).to_plotly()
    np.testing.assert_allclose(chart.data[0].z, [[-2, -2], [-1, 0]], atol=1e-6)
    np.testing.assert_array_equal(chart.data[0].customdata, values)
    assert chart.layout.coloraxis.colorbar.ticktext == ("0.01", "0.1", "1")


def test_plotly_ticks_name_the_marks() -> None:
    chart = matrix(values=np.zeros((197, 197)), rows=Axis(name="query", marks={0: "CLS"})).to_plotly()
    ticks = dict(zip(chart.layout.yaxis.tickvals, chart.layout.yaxis.ticktext, strict=True))
    assert ticks[0] == "CLS"
    assert ticks[100] == "100"
    assert len(ticks) < 20


def test_plotly_tiles_share_one_scale() -> None:
    tiles = TilesFigure(values=np.zeros((5, 4, 4)), captions=list("abcde"), columns=3, scale=similarity_scale())
    chart = tiles.to_plotly()
    assert len(chart.data) == 5
    assert {trace.coloraxis for trace in chart.data} == {"coloraxis"}
    rgb = TilesFigure(values=np.zeros((2, 4, 4, 3), dtype=np.uint8), captions=["a", "b"]).to_plotly()
    assert [trace.type for trace in rgb.data] == ["image", "image"]


def test_colour_scales_run_from_0_to_1() -> None:
    scale = plotly_colorscale("diverging")
    assert [scale[0][0], scale[16], scale[-1][0]] == [0, [0.5, "#f6f6f6"], 1]


def test_figures_and_widgets_are_imported_without_torch_timm_or_plotly() -> None:
    script = (
        "import sys, explorer.figures.matrix, explorer.widgets.matrix_view, explorer.widgets.chart_view\n"
        "print([name for name in ('torch', 'timm', 'plotly') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
