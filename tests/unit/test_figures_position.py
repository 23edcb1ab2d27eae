"""Stage 3's figures show the exact slices of the trace and of the slides' tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from explorer.engine import trace_image
from explorer.figures import position as figures
from explorer.figures import position_tables
from explorer.figures.matrix import Axis, symmetric_scale
from explorer.interventions import Intervention
from explorer.models import wrap_model
from explorer.positions import cosine_similarity, sinusoidal_1d, sinusoidal_2d
from explorer.samples import open_sample
from explorer.torch_compat import import_timm
from explorer.trace import Trace

ROWS, COLS = Axis(name="rows"), Axis(name="cols")


def random_trace(intervention: Intervention | None = None, **arguments: Any) -> Trace:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    options = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 5}
    model = import_timm().create_model("vit_tiny_patch16_224", pretrained=False, **(options | arguments))
    return trace_image(wrap_model(model), open_sample("chelsea"), intervention=intervention)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return random_trace()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"class_token": False, "global_pool": "avg"},
        {"reg_tokens": 3},
        {"no_embed_class": True, "reg_tokens": 2},
        {"pre_norm": True},
        {"pos_embed": "none"},
    ],
    ids=str,
)
def test_before_plus_positions_is_the_models_tokens(arguments: dict[str, Any]) -> None:
    trace = random_trace(**arguments)
    before = figures.tokens_before(trace)
    assert before.shape == trace.tokens.shape
    np.testing.assert_array_equal(before[: trace.num_prefix], trace.prefix_tokens)
    np.testing.assert_allclose(before + trace.pos_embed, trace.tokens, atol=1e-5)


def test_the_sum_survives_dropped_and_shuffled_patches() -> None:
    order = tuple(reversed(range(16)))
    trace = random_trace(Intervention(permutation=order, kept=(0, 5, 6, 15)))
    np.testing.assert_allclose(figures.tokens_before(trace) + trace.pos_embed, trace.tokens, atol=1e-5)
    # The tables belong to the places of the grid, all of them.
    tables = position_tables.model_tables(trace)
    np.testing.assert_array_equal(tables.tables["model"], trace.arrays.pos_embed[1:])


def test_the_three_tables_have_one_size(trace: Trace) -> None:
    tables = position_tables.model_tables(trace)
    assert (tables.grid, tables.dim) == ((4, 4), 24)
    np.testing.assert_array_equal(tables.tables["model"], trace.pos_embed[1:])
    np.testing.assert_array_equal(tables.tables["1d"], sinusoidal_1d(16, 24))
    np.testing.assert_array_equal(tables.tables["2d"], sinusoidal_2d(4, 4, 24))
    np.testing.assert_array_equal(tables.prefix, trace.pos_embed[:1])


def test_the_slides_setting_needs_no_model() -> None:
    tables = position_tables.slide_tables()
    assert set(tables.tables) == {"1d", "2d"}
    np.testing.assert_array_equal(tables.tables["1d"], sinusoidal_1d(576, 256))
    np.testing.assert_array_equal(tables.tables["2d"], sinusoidal_2d(24, 24, 256))


def test_a_table_that_cannot_be_made_is_left_out() -> None:
    assert set(position_tables.model_tables(random_trace(embed_dim=26)).tables) == {"model", "1d"}


def test_a_replaced_table_is_the_one_that_is_shown() -> None:
    own = sinusoidal_2d(4, 4, 24)
    tables = position_tables.model_tables(random_trace(Intervention(pos_embed=own)))
    np.testing.assert_array_equal(tables.tables["model"], own)
    assert not tables.prefix.any()
    assert position_tables.model_tables(random_trace(Intervention(pos_embed=None))).kind == "none"


def test_what_a_table_is_is_told_by_its_numbers(trace: Trace) -> None:
    rng = np.random.default_rng(0)
    two = sinusoidal_2d(4, 6, 32)
    assert position_tables.position_kind(trace.pos_embed[1:], (4, 4)) == "learned"
    assert position_tables.position_kind(np.zeros((16, 24), np.float32), (4, 4)) == "none"
    assert position_tables.position_kind(two, (4, 6)) == "sinusoidal-2d"
    assert position_tables.position_kind(two[:, rng.permutation(32)], (4, 6)) == "sinusoidal-2d"
    assert position_tables.position_kind(sinusoidal_1d(24, 32), (4, 6)) == "sinusoidal-1d"
    almost = two.copy()
    almost[:, 5] += 0.02 * rng.standard_normal(24).astype(np.float32)
    assert position_tables.position_kind(almost / np.abs(almost).max(), (4, 6)) == "learned"


def test_timms_own_two_dimensional_table_is_known_in_its_own_order() -> None:
    timm = (
        import_timm()
        .layers.build_sincos2d_pos_embed([4, 6], dim=32, interleave_sin_cos=False, reverse_coord=False)
        .numpy()
    )
    assert not np.allclose(timm, sinusoidal_2d(4, 6, 32))
    assert position_tables.position_kind(timm, (4, 6)) == "sinusoidal-2d"


def test_scales_are_own_or_shared(trace: Trace) -> None:
    tables = position_tables.model_tables(trace)
    own = position_tables.table_scales(tables, same=False)
    assert own["model"].high == pytest.approx(np.abs(tables.tables["model"]).max())
    assert own["1d"].high == own["2d"].high == 1.0
    assert {scale.high for scale in position_tables.table_scales(tables, same=True).values()} == {1.0}


def test_a_dimension_lies_on_the_grid_row_by_row() -> None:
    table = sinusoidal_2d(3, 5, 16)
    scale = symmetric_scale(table)
    figure = figures.grid_figure(table, 9, (3, 5), scale, rows=ROWS, cols=COLS, stem="s")
    assert figure.values.shape == (3, 5)
    for row in range(3):
        for col in range(5):
            assert figure.values[row, col] == table[row * 5 + col, 9]
    tiles = figures.dimension_tiles(table, (0, 9), (3, 5), scale, captions=["0", "9"], stem="s")
    np.testing.assert_array_equal(tiles.values[1], figure.values)


def test_the_chosen_dimensions_reach_both_ends() -> None:
    assert figures.chosen_dimensions(256)[0] == 0
    assert figures.chosen_dimensions(256)[-1] == 255
    assert len(figures.chosen_dimensions(256)) == 12
    assert {d % 2 for d in figures.chosen_dimensions(256)} == {0, 1}
    assert figures.chosen_dimensions(4) == (0, 1, 2, 3)


def test_the_wave_is_the_column_of_the_table(trace: Trace) -> None:
    table = trace.pos_embed[1:]
    scale = symmetric_scale(table)
    chart = figures.wave_chart(table, 7, scale, name="n", x_title="x", y_title="y", position=5)
    wave, ring = chart["data"]
    np.testing.assert_array_equal(wave["y"], table[:, 7].astype(np.float64))
    assert (ring["x"][0], ring["y"][0]) == (5, table[5, 7])
    assert chart["layout"]["yaxis"]["range"][1] >= scale.high


def test_waves_that_would_run_into_each_other_are_shown_in_part() -> None:
    window = position_tables.wave_window
    assert window(64, 0, 192, 36) == range(64)
    assert window(576, 255, 256, 300) == range(576)  # a long wave is seen best as a whole
    part = window(576, 0, 256, 300)
    assert len(part) == 96
    assert 300 in part
    assert window(576, 0, 256, None) == window(576, 0, 256, 3) == range(96)
    assert window(576, 0, 256, 575) == range(480, 576)
    assert window(576, 0, 255, 300) == range(576)  # no sinusoid has so many dimensions
    table = sinusoidal_1d(576, 256)
    chart = figures.wave_chart(table, 0, symmetric_scale(table), name="n", x_title="x", y_title="y", window=part)
    assert chart["layout"]["xaxis"]["range"] == [part.start - 0.5, part.stop - 0.5]
    assert len(chart["data"][0]["y"]) == 576  # all of it is there


@pytest.mark.parametrize(("key", "dim"), [("1d", 24), ("2d", 24), ("1d", 256), ("2d", 256)])
def test_what_is_said_of_a_wave_makes_the_column(key: str, dim: int) -> None:
    rows, cols = 5, 7
    table = sinusoidal_1d(rows * cols, dim) if key == "1d" else sinusoidal_2d(rows, cols, dim)
    n = np.arange(rows * cols)
    for dimension in range(dim):
        wave = position_tables.wave_of(key, dimension, dim)  # type: ignore[arg-type]
        steps = {"n": n, "x": n % cols, "y": n // cols}[wave.over]
        made = getattr(np, wave.function)(2 * math.pi * steps / wave.wavelength)
        np.testing.assert_allclose(table[:, dimension], made, atol=1e-6)
        assert wave.pair == (dimension // 2 if key == "1d" else dimension % (dim // 2) // 2)


def test_similarity_to_a_place_and_to_a_prefix_row(trace: Trace) -> None:
    table, whole = trace.pos_embed[1:], cosine_similarity(trace.pos_embed)
    one = figures.similarity_figure(table, 6, (4, 4), rows=ROWS, cols=COLS, stem="s")
    np.testing.assert_allclose(one.values.ravel(), whole[7, 1:], atol=1e-6)
    assert one.values[1, 2] == pytest.approx(1.0)
    assert (one.scale.low, one.scale.high) == (-1.0, 1.0)
    cls = figures.similarity_figure(table, trace.pos_embed[0], (4, 4), rows=ROWS, cols=COLS, stem="s")
    np.testing.assert_allclose(cls.values.ravel(), whole[0, 1:], atol=1e-6)


def test_all_to_all_has_a_tile_for_every_place(trace: Trace) -> None:
    table = trace.pos_embed[1:]
    figure, places = figures.similarity_tiles(table, (4, 4), stem="s")
    assert places == tuple(range(16))
    assert figure.columns == 4
    np.testing.assert_allclose(figure.values.reshape(16, 16), cosine_similarity(table), atol=1e-6)


def test_all_to_all_of_a_large_grid_is_cut_evenly() -> None:
    table = sinusoidal_2d(30, 50, 16)
    figure, places = figures.similarity_tiles(table, (30, 50), stem="s")
    assert figure.values.size <= figures.MAX_SIMILARITIES
    assert len(places) == len(figure.values) < 1500
    rows, cols = sorted({place // 50 for place in places}), sorted({place % 50 for place in places})
    assert len(rows) * len(cols) == len(places)
    assert figure.columns == len(cols)
    assert len(set(np.diff(rows))) == len(set(np.diff(cols))) == 1
    np.testing.assert_allclose(figure.values[7].ravel(), cosine_similarity(table, places[7]), atol=1e-6)


def test_all_places_of_the_slides_grid_have_a_tile() -> None:
    _, places = figures.similarity_tiles(sinusoidal_2d(24, 24, 256), (24, 24), stem="s")
    assert len(places) == 576


def test_prefix_tokens_without_a_position_are_named() -> None:
    assert position_tables.zero_rows(random_trace(no_embed_class=True, reg_tokens=2).arrays) == (0, 1, 2)
    assert position_tables.zero_rows(random_trace().arrays) == ()
