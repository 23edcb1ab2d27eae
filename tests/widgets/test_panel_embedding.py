"""Stage 2 on the page: what a click chooses, and what a change of the state redraws."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from typing import Any

import numpy as np
import pytest

from explorer.figures import embedding as figures
from explorer.panels.embedding import EmbeddingPanel
from explorer.panels.numbers import difference, signed
from explorer.state import ExplorerState
from tests.widgets.random_model import random_state, shown


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state()
    yield state
    state.close()


@pytest.fixture
def panel(state: ExplorerState) -> EmbeddingPanel:
    return EmbeddingPanel(state)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each figure was made."""
    counts: Counter[str] = Counter()
    for name in ("patches_figure", "weights_figure", "embeddings_figure", "filter_tiles", "terms_figure"):
        make = getattr(figures, name)

        def counted(*args: Any, _make: Any = make, _name: str = name, **kwargs: Any) -> Any:
            counts[_name] += 1
            return _make(*args, **kwargs)

        monkeypatch.setattr(figures, name, counted)
    return counts


def test_the_three_matrices_are_the_traces(panel: EmbeddingPanel, state: ExplorerState) -> None:
    trace = state.trace
    np.testing.assert_array_equal(panel._patches.figure.values, trace.patches)
    np.testing.assert_array_equal(panel._weights.figure.values, trace.arrays.embed_weight)
    np.testing.assert_array_equal(panel._product.figure.values, trace.patch_embeddings)


def test_a_cell_of_the_product_is_a_token_and_a_dimension(panel: EmbeddingPanel, state: ExplorerState) -> None:
    with panel._product.hold_trait_notifications():
        panel._product.selected_row, panel._product.selected_col = 9, 17
    assert (state.token, state.dimension) == (10, 17)  # CLS comes first
    assert (panel._patches.selected_row, panel._weights.selected_col) == (9, 17)
    assert panel._dimension.value == 17


def test_a_cell_of_the_factors_is_half_of_it(panel: EmbeddingPanel, state: ExplorerState) -> None:
    state.token, state.dimension = 4, 3
    panel._patches.selected_row = 11
    assert (state.token, state.dimension) == (12, 3)
    panel._weights.selected_col = 20
    assert (state.token, state.dimension) == (12, 20)


def test_a_place_of_the_sum_is_one_in_both_factors(panel: EmbeddingPanel, state: ExplorerState) -> None:
    state.token = 5
    panel._weights.selected_row = 100
    assert panel._patches.selected_col == 100
    assert "<i>i</i> = 100:" in panel._sum.value
    assert panel._sum.value.count("vx-picked") == 1


def test_the_sum_ends_in_the_models_own_number(panel: EmbeddingPanel, state: ExplorerState) -> None:
    state.token, state.dimension = 7, 21
    trace = state.trace
    model = float(trace.tokens[7, 21]) - float(trace.pos_embed[7, 21])
    exact = trace.patches[6].astype(np.float64) @ trace.arrays.embed_weight[:, 21].astype(np.float64)
    exact += float(trace.arrays.embed_bias[21])
    assert abs(exact - model) < 1e-5
    for words in (
        signed(model, 8),
        signed(exact, 8),
        difference(exact - model),
        signed(trace.arrays.embed_bias[21], 8),
    ):
        assert words in panel._sum.value
    # Sum and bias add up to the result as they are printed.
    printed = {
        name: float(number.replace("−", "-"))
        for name, number in re.findall(
            r"<tr class='vx-(total|sum-result)'>.*?<td colspan='2'>(.*?)</td>", panel._sum.value
        )
    }
    assert printed["total"] + float(trace.arrays.embed_bias[21]) == pytest.approx(printed["sum-result"], abs=2e-8)


def test_cls_does_not_come_from_pixels(panel: EmbeddingPanel, state: ExplorerState) -> None:
    state.token = 3
    assert shown(panel._worked)
    assert not shown(panel._not_pixels)
    state.token = 0
    assert not shown(panel._worked)
    assert panel._not_pixels.value.startswith("CLS does not come from pixels")
    assert (panel._patches.selected_row, panel._product.selected_row) == (-1, -1)


def test_only_what_changed_is_redrawn(state: ExplorerState, drawn: Counter[str]) -> None:
    EmbeddingPanel(state)
    drawn.clear()
    state.token = 3
    assert drawn == {"terms_figure": 1}
    drawn.clear()
    state.dimension = 5
    assert drawn == {"terms_figure": 1}
    drawn.clear()
    state.layer = 1
    assert not drawn
    state.patch_size = 4
    assert state.wait(60)
    assert drawn["patches_figure"] == drawn["weights_figure"] == drawn["filter_tiles"] == 1


def test_another_patch_size_brings_another_e(panel: EmbeddingPanel, state: ExplorerState) -> None:
    panel._weights.selected_row = 191
    state.patch_size = 4
    assert state.wait(60)
    assert panel._weights.figure.values.shape == (48, 24)
    assert panel._weights.selected_row == -1  # place 191 is no more
    assert "from the model's own patch size 8 to 4" in unescape(panel._about.value)
    assert panel._filters.figure.values.shape == (24, 4, 4, 3)


def test_words_follow_the_language(panel: EmbeddingPanel, state: ExplorerState) -> None:
    state.token = 2
    state.language = "ja"
    assert "再計算した値" in panel._sum.value
    assert panel._weights.language == "ja"
    assert panel._weights.figure.cols.name == "次元 d →"
    assert panel._mode.options[1]["label"] == "主成分"
    assert state.token == 2


def test_a_model_without_a_bias_says_so() -> None:
    state = random_state(pre_norm=True)
    assert "no bias" in EmbeddingPanel(state)._about.value
    state.close()


def test_filters_are_chosen_and_follow_the_dimension() -> None:
    state = random_state(embed_dim=144)
    panel = EmbeddingPanel(state)
    assert [option["label"] for option in panel._pages.options] == ["0–63 of 144", "64–127 of 144", "128–143 of 144"]
    panel._filters.selected = 7
    assert state.dimension == 7
    state.dimension = 130
    assert panel._pages.value == 2
    assert panel._filters.selected == 2
    np.testing.assert_array_equal(
        panel._filters.figure.values, figures.filter_tiles(state.trace.arrays, 128, 144, captions=[""] * 16).values
    )
    panel._pages.value = 0
    assert panel._filters.selected == -1
    assert state.dimension == 130
    panel._filters.selected = 0
    assert state.dimension == 0
    state.close()


def test_components_take_the_place_of_the_filters(panel: EmbeddingPanel, state: ExplorerState) -> None:
    panel._mode.value = "components"
    components, shares = figures.principal_components(state.trace.arrays)
    np.testing.assert_array_equal(
        panel._filters.figure.values, figures.component_tiles(components, captions=[""] * 23).values
    )
    assert f"{100 * shares.sum():.1f} %" in panel._filters_note.value
    panel._filters.selected = 3
    assert state.dimension == 0  # a component is no dimension
    panel._contrast.value = "own"
    np.testing.assert_array_equal(panel._filters.figure.values, figures.own_rgb(components))
    panel._mode.value = "filters"
    assert len(panel._filters.figure.values) == 24


def test_a_closed_panel_listens_no_more(panel: EmbeddingPanel, state: ExplorerState, drawn: Counter[str]) -> None:
    panel.close()
    state.token = 1
    assert not drawn


def test_a_lazy_panel_waits_until_it_is_seen(state: ExplorerState, drawn: Counter[str]) -> None:
    panel = EmbeddingPanel(state, lazy=True)
    state.token = 4
    assert not drawn
    panel._marker.visible = True
    assert drawn["weights_figure"] == 1
    assert panel._product.selected_row == 3


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0"), (-2.44e-8, "−2.4\u00a0×\u00a010⁻⁸"), (5.9e-7, "5.9\u00a0×\u00a010⁻⁷"), (1.0, "1.0\u00a0×\u00a010⁰")],
)
def test_differences_are_written_in_powers_of_ten(value: float, words: str) -> None:
    assert difference(value) == words
