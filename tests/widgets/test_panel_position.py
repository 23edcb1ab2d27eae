"""Stage 3 on the page: the sum, the tables side by side, and what a click chooses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from html import unescape
from typing import Any

import numpy as np
import pytest

from explorer.figures import position as figures
from explorer.formulas import FORMULAS
from explorer.interventions import Intervention
from explorer.panels.position import PositionPanel
from explorer.positions import cosine_similarity, sinusoidal_1d, sinusoidal_2d
from explorer.state import ExplorerState
from tests.widgets.random_model import random_state, shown


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


@pytest.fixture
def panel(state: ExplorerState) -> PositionPanel:
    return PositionPanel(state)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each figure was made."""
    counts: Counter[str] = Counter()
    for name in ("token_figure", "table_figure", "wave_chart", "similarity_figure", "similarity_tiles"):
        make = getattr(figures, name)

        def counted(*args: Any, _make: Any = make, _name: str = name, **kwargs: Any) -> Any:
            counts[_name] += 1
            return _make(*args, **kwargs)

        monkeypatch.setattr(figures, name, counted)
    return counts


def columns(panel: PositionPanel) -> dict[str, Any]:
    return {column.key: column for column in panel.columns}


def test_the_sum_is_the_traces(panel: PositionPanel, state: ExplorerState) -> None:
    trace = state.trace
    before, added, after = (view.figure for view in (panel._before, panel._added, panel._sum))
    np.testing.assert_array_equal(added.values, trace.pos_embed)
    np.testing.assert_array_equal(after.values, trace.z[0])
    np.testing.assert_allclose(before.values + added.values, after.values, atol=1e-5)
    assert before.scale == after.scale
    assert added.scale.high == pytest.approx(np.abs(trace.pos_embed).max())
    assert before.rows.marks == {0: "CLS"}
    assert before.rows.first == -1  # the row of patch 5 is called 5, as in the other stages
    assert "CLS" in panel._sum_words.value


@pytest.mark.parametrize(
    ("arguments", "formula", "sentence", "title"),
    [
        ({}, "tokens", "learned class token", "[ CLS; xₚE ]"),
        ({"pre_norm": True}, "tokens-norm", "the sum is normalised", "[ CLS; xₚE ]"),
        (
            {"architecture": "deit_tiny_distilled_patch16_224"},
            "tokens-distilled",
            "Learned tokens",
            "[ CLS, …; xₚE ]",
        ),
        ({"reg_tokens": 4}, "tokens-registers", "Learned tokens", "[ CLS, …; xₚE ]"),
        (
            {"reg_tokens": 2, "class_token": False, "global_pool": "avg"},
            "tokens-registers-only",
            "Learned tokens",
            "[ REG1, …; xₚE ]",
        ),
        ({"class_token": False, "global_pool": "avg"}, "tokens-none", "no class token", "xₚE"),
        ({"embed_norm_layer": "layernorm"}, "tokens-embedded", "learned class token", "[ CLS; LN(xₚE) ]"),
        (
            {"embed_norm_layer": "rmsnorm", "norm_layer": "rmsnorm", "class_token": False, "global_pool": "avg"},
            "tokens-none-embedded",
            "no class token",
            "RMSNorm(xₚE)",
        ),
    ],
)
def test_the_formula_is_of_what_this_model_puts_on_top(
    arguments: dict[str, Any], formula: str, sentence: str, title: str
) -> None:
    state = random_state(**arguments)
    panel = PositionPanel(state)
    assert panel.formulas == (formula,)
    latex = FORMULAS[formula]
    assert (r"\boldsymbol{x}_{class}" in latex) == ("CLS" in state.trace.prefix_names)
    arrays = state.trace.arrays
    assert latex.count(r"\mathrm{LN}") == (arrays.norm_pre is not None) + 2 * (arrays.embed_norm is not None)
    assert sentence in panel._heading.value
    assert panel._before.figure.title == title
    assert ("prefix_tokens" in panel._theory.value) == (state.trace.num_prefix > 0)
    state.close()


def test_the_numbers_of_the_picked_cell_add_up(panel: PositionPanel, state: ExplorerState) -> None:
    state.token, state.dimension = 6, 11
    token = panel._sum_picked.value.split(": ")[1]
    left, right = token.replace("−", "-").split(" = ")
    first, second = (float(part.strip("()")) for part in left.split(" + "))
    assert first + second == pytest.approx(float(right), abs=2e-4)
    assert float(right) == pytest.approx(state.trace.tokens[6, 11], abs=1e-4)


def test_a_cell_of_the_sum_is_a_token_and_a_dimension(panel: PositionPanel, state: ExplorerState) -> None:
    with panel._added.hold_trait_notifications():
        panel._added.selected_row, panel._added.selected_col = 0, 19
    assert (state.token, state.dimension) == (0, 19)
    assert (panel._before.selected_row, panel._sum.selected_col) == (0, 19)


def test_three_tables_side_by_side(panel: PositionPanel, state: ExplorerState) -> None:
    tables = {key: column._table.figure for key, column in columns(panel).items()}
    np.testing.assert_array_equal(tables["model"].values, state.trace.pos_embed[1:])
    np.testing.assert_array_equal(tables["1d"].values, sinusoidal_1d(16, 24))
    np.testing.assert_array_equal(tables["2d"].values, sinusoidal_2d(4, 4, 24))
    assert tables["model"].scale.high < 0.2 < tables["1d"].scale.high == 1.0
    panel._scales.value = "same"
    assert {column._table.figure.scale.high for column in columns(panel).values()} == {1.0}
    assert {column._several.figure.scale.high for column in columns(panel).values()} == {1.0}


def test_a_dimension_is_drawn_as_wave_and_grid(panel: PositionPanel, state: ExplorerState) -> None:
    panel._dimension.value = 13
    assert state.dimension == 13
    for column in columns(panel).values():
        np.testing.assert_array_equal(column._grid.figure.values.ravel(), column.table[:, 13])
        assert "d = 13" in column._wave.figure_json
        assert column._table.selected_col == 13
    assert "row y" in columns(panel)["2d"]._wave_words.value  # 13 lies in the second half of 24
    assert "cos" in columns(panel)["2d"]._wave_words.value


def test_a_place_of_the_grid_is_a_token(panel: PositionPanel, state: ExplorerState) -> None:
    grid = columns(panel)["2d"]._grid
    with grid.hold_trait_notifications():
        grid.selected_row, grid.selected_col = 1, 2
    assert state.token == 1 + 1 * 4 + 2
    for column in columns(panel).values():
        np.testing.assert_allclose(column._one.figure.values.ravel(), cosine_similarity(column.table, 6), atol=1e-6)
        assert (column._one.selected_row, column._one.selected_col) == (1, 2)
        assert column._table.selected_row == 6
    columns(panel)["1d"]._several.selected = 3
    assert state.dimension == figures.chosen_dimensions(24)[3]


def test_the_slides_setting_leaves_the_model_alone(panel: PositionPanel, state: ExplorerState) -> None:
    state.token, state.dimension = 1, 23
    panel._setting.value = "slides"
    assert not shown(columns(panel)["model"].cells["table"])
    table = columns(panel)["2d"]._table
    assert table.figure.values.shape == (576, 256)
    assert len(panel._dimension.options) == 256
    with table.hold_trait_notifications():
        table.selected_row, table.selected_col = 300, 200
    assert (state.token, state.dimension) == (1, 23)
    assert columns(panel)["1d"]._grid.figure.values.shape == (24, 24)
    np.testing.assert_array_equal(columns(panel)["1d"]._grid.figure.values.ravel(), sinusoidal_1d(576, 256)[:, 200])
    assert (columns(panel)["1d"]._one.selected_row, columns(panel)["1d"]._one.selected_col) == (12, 12)
    panel._setting.value = "model"
    assert shown(columns(panel)["model"].cells["table"])
    assert len(panel._dimension.options) == 24
    assert panel._dimension.value == 23
    assert columns(panel)["1d"]._table.figure.values.shape == (16, 24)


def test_all_to_all_takes_the_place_of_one(panel: PositionPanel, state: ExplorerState) -> None:
    assert shown(panel._rows["one"])
    assert not shown(panel._rows["all"])
    panel.similarity.value = "all"
    assert shown(panel._rows["all"])
    assert not shown(panel._rows["one"])
    tiles = columns(panel)["model"]._all
    np.testing.assert_allclose(
        tiles.figure.values.reshape(16, 16), cosine_similarity(state.trace.pos_embed[1:]), atol=1e-6
    )
    tiles.selected = 9
    assert state.token == 10


def test_only_what_changed_is_redrawn(state: ExplorerState, drawn: Counter[str]) -> None:
    panel = PositionPanel(state)
    drawn.clear()
    state.dimension = 5
    assert set(drawn) == {"wave_chart"}
    drawn.clear()
    state.token = 3
    assert set(drawn) == {"wave_chart", "similarity_figure"}
    panel.similarity.value = "all"
    drawn.clear()
    state.token = 4
    assert set(drawn) == {"wave_chart"}
    drawn.clear()
    state.head = 1
    assert not drawn


def test_cls_has_a_row_in_the_models_table_alone(panel: PositionPanel, state: ExplorerState) -> None:
    state.token = 0
    trace, table = state.trace, columns(panel)["model"]
    assert shown(table._one)
    np.testing.assert_allclose(table._one.figure.values.ravel(), cosine_similarity(trace.pos_embed, 0)[1:], atol=1e-6)
    assert table._one.selected_row == -1
    for key in ("1d", "2d"):
        assert not shown(columns(panel)[key]._one)
        assert "CLS has no position embedding" in columns(panel)[key]._one_words.value
    state.token = 1
    assert shown(columns(panel)["1d"]._one)


def test_prefix_tokens_without_a_position_are_named() -> None:
    state = random_state(no_embed_class=True, reg_tokens=2)
    panel = PositionPanel(state)
    assert "no position embedding to CLS, REG1, REG2" in panel._sum_words.value
    assert panel._before.figure.rows.marks == {0: "CLS", 1: "REG1", 2: "REG2"}
    state.token = 1
    assert not shown(columns(panel)["model"]._one)
    state.close()


def test_a_model_without_a_prefix_or_positions() -> None:
    state = random_state(class_token=False, global_pool="avg", pos_embed="none")
    panel = PositionPanel(state)
    assert "no CLS token" in panel._sum_words.value
    assert "No position embeddings are added" in panel._sum_words.value
    assert "nothing that gives the position is added" in panel._heading.value
    table = columns(panel)["model"]
    assert "No position embeddings are added" in table._missing.value
    assert not shown(table._table)
    assert shown(columns(panel)["1d"]._table)
    state.close()


def test_a_size_without_a_two_dimensional_table_says_why() -> None:
    state = random_state(embed_dim=26)
    panel = PositionPanel(state)
    assert "D = 26 cannot be divided by 4" in columns(panel)["2d"]._missing.value
    assert not shown(columns(panel)["2d"].cells["wave"])
    panel._setting.value = "slides"
    assert shown(columns(panel)["2d"].cells["wave"])
    assert not shown(columns(panel)["2d"]._missing)
    state.close()


def test_a_model_that_normalises_first_shows_both_sides_of_it() -> None:
    state = random_state(pre_norm=True)
    panel = PositionPanel(state)
    assert shown(panel._sum_mode)
    np.testing.assert_array_equal(panel._sum.figure.values, state.trace.tokens)
    panel._sum_mode.value = "z0"
    np.testing.assert_array_equal(panel._sum.figure.values, state.trace.z[0])
    assert panel._sum.figure.title == "z₀"
    state.close()


def test_dropped_patches_keep_their_places() -> None:
    state = random_state(Intervention(kept=(2, 5, 14)))
    panel = PositionPanel(state)
    assert "Of 16 patches 3 are kept" in panel._sum_words.value
    assert columns(panel)["model"]._table.figure.values.shape == (16, 24)
    grid = columns(panel)["model"]._grid
    with grid.hold_trait_notifications():
        grid.selected_row, grid.selected_col = 3, 2
    assert state.token == 3
    with grid.hold_trait_notifications():
        grid.selected_row, grid.selected_col = 0, 0  # no token has this place
    assert state.token == 3
    state.close()


def test_a_replaced_table_is_said_to_be_one() -> None:
    state = random_state(Intervention(pos_embed=sinusoidal_2d(4, 4, 24)))
    panel = PositionPanel(state)
    assert "replaced" in panel._sum_words.value
    assert columns(panel)["model"]._table.figure.title == "This model: replaced"
    state.close()


def test_words_follow_the_language(panel: PositionPanel, state: ExplorerState) -> None:
    state.language = "ja"
    assert columns(panel)["1d"]._table.figure.title == "1次元正弦波"
    assert columns(panel)["1d"]._grid.language == "ja"
    chart = json.loads(columns(panel)["1d"]._wave.figure_json)
    assert chart["layout"]["xaxis"]["title"]["text"] == "パッチ番号"
    assert panel._setting.options[1]["label"] == "スライドの例（24 × 24、D = 256）"


def test_interpolated_positions_are_said_to_be_so(panel: PositionPanel, state: ExplorerState) -> None:
    assert "interpolated" not in panel._sum_words.value
    state.patch_size = 4
    assert state.wait(60)
    assert "interpolated from the model's own grid of 4 × 4 to 8 × 8" in unescape(panel._sum_words.value)
    assert columns(panel)["model"]._grid.figure.values.shape == (8, 8)
