"""The drawings' Python side: what is sent, what comes back, what is refused."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest
import traitlets

from explorer.figures import Axis, MatrixFigure, Scale, TilesFigure, data_scale
from explorer.texts import LANGUAGES, catalogue
from explorer.widgets import ChartView, MatrixView, PatchView, TilesView, matrix_view
from explorer.widgets.chart_view import plotly_library


def figure(values: Any, **given: Any) -> MatrixFigure:
    base: dict[str, Any] = {"rows": Axis(name="query ↓"), "cols": Axis(name="key →"), "scale": Scale(low=0, high=1)}
    return MatrixFigure(values=values, **{**base, **given})


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Names of the traits of every state message that a widget sends."""
    messages: list[set[str]] = []

    def send_state(self: Any, key: Any = None) -> None:
        messages.append({key} if isinstance(key, str) else set(key or self.keys))

    monkeypatch.setattr("ipywidgets.Widget.send_state", send_state)
    return messages


@pytest.mark.parametrize("widget", [MatrixView, TilesView, PatchView, ChartView])
def test_words_follow_the_language(widget: Any) -> None:
    view = widget()
    english = dict(view.labels)
    assert english == {
        key.removeprefix("widgets."): text for key, text in catalogue("en").items() if key.startswith("widgets.")
    }
    view.language = "ja"
    assert set(view.labels) == set(english)
    assert view.labels["save_png"] == catalogue("ja")["widgets.save_png"]
    with pytest.raises(traitlets.TraitError):
        view.language = "xx"
    assert set(LANGUAGES) == {"en", "ja"}


@pytest.mark.parametrize("widget", [MatrixView, TilesView, PatchView, ChartView])
def test_unknown_keywords_are_refused(widget: Any) -> None:
    with pytest.raises(TypeError, match="colour"):
        widget(colour="red")


def test_a_matrix_is_one_message_of_float32_bytes(sent: list[set[str]]) -> None:
    view = MatrixView()
    values = np.random.default_rng(0).random((65, 65))
    sent.clear()
    view.show(figure(values, title="A", stem="a"))
    assert len(sent) == 1
    assert {"values", "shape", "heading"} <= sent[0]
    np.testing.assert_array_equal(np.frombuffer(view.values, "<f4").reshape(65, 65), values.astype("f4"))
    sent.clear()
    view.show(figure(values * 2, title="A", stem="a"))
    # Names of 197 tokens and the like are not sent again when only the values change.
    assert sent == [{"values"}]


def test_a_choice_that_the_new_matrix_does_not_have_is_dropped() -> None:
    view = MatrixView(figure(np.eye(5)))
    view.selected_row, view.selected_col = 4, 1
    view.show(figure(np.eye(5)))
    assert (view.selected_row, view.selected_col) == (4, 1)
    view.show(figure(np.eye(3)))
    assert (view.selected_row, view.selected_col) == (-1, -1)


def test_a_large_matrix_is_binned_and_exact_values_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((1500, 1300)).astype(np.float32)
    view = MatrixView(figure(values))
    assert view.shape == (1500, 1300)
    assert view.bins == (2, 2)
    drawn = np.frombuffer(view.values, "<f4").reshape(750, 650)
    np.testing.assert_allclose(drawn, values.reshape(750, 2, 650, 2).mean((1, 3)), rtol=1e-6)
    answers: list[tuple[Any, Any]] = []
    monkeypatch.setattr(view, "send", lambda content, buffers=None: answers.append((content, buffers)))
    view._handle_custom_msg({"kind": "value", "row": 1499, "col": 7}, [])
    assert answers[0][0] == {"kind": "value", "row": 1499, "col": 7}
    assert np.frombuffer(answers[0][1][0], "<f4")[0] == values[1499, 7]
    for hostile in (
        {"kind": "value", "row": 1500, "col": 0},
        {"kind": "value", "row": "0"},
        {"kind": "else"},
        "value",
        None,
    ):
        view._handle_custom_msg(hostile, [])
    assert len(answers) == 1


@pytest.mark.parametrize("shape", [(1, 4_000_000), (4_000_000, 1), (1225, 1225), (3137, 3137), (10, 200_000)])
def test_bins_leave_no_more_than_can_be_sent(shape: tuple[int, int]) -> None:
    steps = matrix_view.bin_steps(*shape)
    cells = [-(-length // step) for length, step in zip(shape, steps, strict=True)]
    assert cells[0] * cells[1] <= matrix_view.MAX_VALUES
    assert matrix_view.bin_steps(1000, 1500) == (1, 1)


def test_bins_by_largest_magnitude_keep_the_sign() -> None:
    values = np.array([[1, -5, 2], [3, 4, np.nan], [np.nan, np.nan, -1]], dtype=np.float32)
    np.testing.assert_array_equal(matrix_view.binned(values, 2, 2, "max"), np.array([[-5, 2], [np.nan, -1]], "f4"))
    np.testing.assert_array_equal(matrix_view.binned(values, 2, 2, "mean"), np.array([[0.75, 2], [np.nan, -1]], "f4"))


def test_tiles_send_bytes_of_their_kind() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (3, 4, 4, 3)).astype(np.uint8)
    view = TilesView(TilesFigure(values=rgb, captions=list("abc")))
    assert view.scale is None
    assert view.values == rgb.tobytes()
    view.selected = 2
    view.show(TilesFigure(values=np.zeros((2, 4, 4)), captions=list("ab"), scale=Scale(low=0, high=1)))
    assert view.selected == -1
    assert len(view.values) == 2 * 4 * 4 * 4
    assert view.scale is not None


def patch_values(view: PatchView) -> np.ndarray:
    return np.frombuffer(view.values, "<f4")


def test_values_of_tokens_or_of_patches_alone() -> None:
    view = PatchView()
    view.show_image(b"\xff\xd8", "image/jpeg", grid=(2, 3), prefix_names=["CLS"])
    scale = data_scale(np.ones(7) / 7)
    view.show_values(np.arange(7), scale)
    np.testing.assert_array_equal(patch_values(view), np.arange(7))
    view.show_values(np.arange(6), scale)
    np.testing.assert_array_equal(patch_values(view), [np.nan, *range(6)])
    with pytest.raises(ValueError, match="5 values for 6 patches and 1 prefix"):
        view.show_values(np.arange(5), scale)
    with pytest.raises(ValueError, match="scale"):
        view.show_values(np.arange(6))
    view.show_values(None)
    assert view.values == b""


def test_values_of_kept_patches_find_their_places() -> None:
    view = PatchView()
    view.show_image(b"\xff\xd8", "image/jpeg", grid=(2, 3), prefix_names=["CLS"], kept=[5, 1, 2])
    view.show_values([9, 1, 2, 5], Scale(low=0, high=9))
    np.testing.assert_array_equal(patch_values(view), [9, np.nan, 1, 2, np.nan, np.nan, 5])


def test_values_and_choice_belong_to_their_grid() -> None:
    view = PatchView(grid=(4, 4), prefix_names=["CLS"])
    view.show_values(np.zeros(17), Scale(low=0, high=1))
    view.selected = 16
    view.grid = (2, 2)
    assert view.values == b""
    assert view.selected == -1


def test_a_chart_carries_its_figure_and_none_of_plotlys_code() -> None:
    import plotly.graph_objects as go

    view = ChartView(go.Figure(go.Bar(x=[1, 2], y=["a", "b"])), "two bars", stem="bars")
    assert '"template"' not in view.figure_json
    assert '"bar"' in view.figure_json
    assert (view.alt, view.stem) == ("two bars", "bars")
    assert len(view._esm) < 60_000
    view.show({"data": [{"type": "scatter", "y": [1, 2]}]}, "a line")
    assert '"scatter"' in view.figure_json


def test_plotlys_code_is_sent_when_a_page_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    view = ChartView()
    answers: list[tuple[Any, Any]] = []
    monkeypatch.setattr(view, "send", lambda content, buffers=None: answers.append((content, buffers)))
    view._handle_custom_msg({"kind": "library"}, [])
    view._handle_custom_msg({"kind": "something"}, [])
    assert len(answers) == 1
    assert answers[0][1] == [plotly_library()]
    assert len(plotly_library()) < 1_700_000
    assert gzip.decompress(plotly_library()).startswith(b"/**\n* plotly.js")
