"""Stage 2's figures show the exact slices of the trace, and its sum is the model's own number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from explorer.engine import trace_image
from explorer.figures import embedding as figures
from explorer.figures.matrix import Axis
from explorer.models import wrap_model
from explorer.samples import open_sample
from explorer.torch_compat import import_timm
from explorer.trace import Trace

ROWS, COLS = Axis(name="rows"), Axis(name="cols")


def random_trace(**arguments: Any) -> Trace:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    options = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 5}
    model = import_timm().create_model("vit_tiny_patch16_224", pretrained=False, **(options | arguments))
    with torch.no_grad():
        if model.patch_embed.proj.bias is not None:
            model.patch_embed.proj.bias.normal_()
    return trace_image(wrap_model(model), open_sample("chelsea"))


@pytest.fixture(scope="module")
def trace() -> Trace:
    return random_trace()


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (lambda t: figures.patches_figure(t, rows=ROWS, cols=COLS), lambda t: t.patches),
        (lambda t: figures.weights_figure(t.arrays, rows=ROWS, cols=COLS), lambda t: t.arrays.embed_weight),
        (lambda t: figures.embeddings_figure(t, rows=ROWS, cols=COLS), lambda t: t.patch_embeddings),
    ],
)
def test_the_three_matrices_are_those_of_the_trace(trace: Trace, make: Callable, values: Callable) -> None:
    figure, expected = make(trace), values(trace)
    np.testing.assert_array_equal(figure.values, expected)
    assert figure.scale.high == -figure.scale.low == pytest.approx(np.abs(expected).max())
    assert figure.scale.colormap == "diverging"


def test_long_strips_do_not_become_hair_lines() -> None:
    strip = random_trace(img_size=32, patch_size=16)
    assert strip.patches.shape == (4, 768)
    assert figures.patches_figure(strip, rows=ROWS, cols=COLS).aspect == "fill"


@pytest.mark.parametrize("arguments", [{}, {"pre_norm": True}, {"no_embed_class": True, "reg_tokens": 2}])
def test_the_sum_is_the_models_own_number(arguments: dict[str, Any]) -> None:
    trace = random_trace(**arguments)
    for patch in range(0, trace.num_patches, 5):
        for dimension in (0, 7, 23):
            product = figures.worked_product(trace, patch, dimension)
            exact = trace.patches[patch].astype(np.float64) @ trace.arrays.embed_weight[:, dimension].astype(np.float64)
            assert product.total == pytest.approx(exact, abs=1e-12)
            assert product.bias == float(trace.arrays.embed_bias[dimension])
            assert product.bias != 0 or arguments.get("pre_norm")  # timm's pre-norm models have no bias
            assert figures.model_number(trace, patch, dimension) == pytest.approx(product.result, abs=1e-5)


def test_the_terms_add_up(trace: Trace) -> None:
    product = figures.worked_product(trace, 3, 5, largest=4)
    assert len(product.shown) == 4
    assert product.num_terms == trace.patches.shape[1] == 192
    assert sum(term.value for term in product.shown) + product.rest == pytest.approx(product.total, abs=1e-12)
    values = trace.patches[3].astype(np.float64) * trace.arrays.embed_weight[:, 5]
    assert [abs(term.value) for term in product.shown] == pytest.approx(np.sort(np.abs(values))[::-1][:4])


def test_every_term_says_which_pixel_it_is(trace: Trace) -> None:
    for term in figures.worked_product(trace, 9, 2, largest=6).shown:
        picture = trace.patches[9].reshape(8, 8, 3)
        assert term.x == float(picture[term.row, term.col, term.channel])
        assert term.weight == float(trace.arrays.filters[2, term.row, term.col, term.channel])
        assert term.value == term.x * term.weight


def test_a_picked_term_is_shown_once(trace: Trace) -> None:
    largest = figures.worked_product(trace, 0, 0, largest=3)
    small = next(i for i in range(192) if i not in {term.index for term in largest.shown})
    with_small = figures.worked_product(trace, 0, 0, largest=3, picked=small)
    assert [term.index for term in with_small.shown] == [*(term.index for term in largest.shown), small]
    assert with_small.num_terms == 192
    again = figures.worked_product(trace, 0, 0, largest=3, picked=largest.shown[1].index)
    assert again == largest


def test_the_bias_of_a_model_without_one_is_zero() -> None:
    trace = random_trace(pre_norm=True)
    assert not trace.arrays.embed_bias.any()
    assert figures.worked_product(trace, 0, 0).bias == 0.0


def test_the_patch_tile_is_the_photo(trace: Trace) -> None:
    tiles = figures.patch_and_filter_tiles(trace, 6, 3, captions=["patch", "filter"])
    row, col = divmod(6, 4)
    photo = trace.image[8 * row : 8 * row + 8, 8 * col : 8 * col + 8]
    np.testing.assert_array_equal(tiles.values[0], photo)
    weights = trace.arrays.filters[3]
    np.testing.assert_array_equal(tiles.values[1], figures.signed_rgb(weights, float(np.abs(weights).max())))


def test_the_terms_picture_adds_the_channels(trace: Trace) -> None:
    figure = figures.terms_figure(trace, 4, 11, rows="row", cols="col")
    expected = (trace.patches[4] * trace.arrays.embed_weight[:, 11]).reshape(8, 8, 3).sum(axis=2)
    np.testing.assert_allclose(figure.values, expected, atol=1e-6)
    assert float(figure.values.sum()) == pytest.approx(figures.worked_product(trace, 4, 11).total, abs=1e-4)


def test_signed_values_are_grey_at_zero() -> None:
    colours = figures.signed_rgb(np.array([0.0, 1.0, -1.0, 2.0, -2.0, 0.5]), 1.0)
    assert colours.tolist() == [128, 255, 0, 255, 0, 191]


def test_filters_are_columns_of_e_on_one_scale(trace: Trace) -> None:
    tiles = figures.filter_tiles(trace.arrays, 8, 16, captions=[str(d) for d in range(8, 16)])
    weights = trace.arrays.embed_weight[:, 13].reshape(8, 8, 3)
    np.testing.assert_array_equal(tiles.values[5], figures.signed_rgb(weights, figures.filter_reach(trace.arrays)))
    inside = np.abs(trace.arrays.embed_weight) <= figures.filter_reach(trace.arrays)
    assert inside.mean() == pytest.approx(0.995, abs=1e-3)


def test_each_filter_on_a_scale_of_its_own_reaches_an_end(trace: Trace) -> None:
    tiles = figures.filter_tiles(trace.arrays, 0, 24, shared=False, captions=[""] * 24)
    for filter_, tile in zip(trace.arrays.filters, tiles.values, strict=True):
        place = np.unravel_index(np.abs(filter_).argmax(), filter_.shape)
        assert tile[place] == (255 if filter_[place] > 0 else 0)


def test_principal_components_diagonalise_the_covariance(trace: Trace) -> None:
    components, shares = figures.principal_components(trace.arrays, 28)
    flat = components.reshape(len(components), -1).astype(np.float64)
    assert components.shape == (23, 8, 8, 3)  # 24 filters about their mean span 23 directions
    np.testing.assert_allclose(flat @ flat.T, np.eye(23), atol=1e-5)
    covariance = np.cov(trace.arrays.embed_weight.astype(np.float64))
    inside = flat @ covariance @ flat.T
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-5 * covariance.max())
    np.testing.assert_allclose(np.diag(inside) / np.trace(covariance), shares, rtol=1e-4)
    assert (np.diff(shares) <= 0).all()
    assert shares.sum() == pytest.approx(1.0)
    furthest = np.abs(flat).argmax(axis=1)
    assert (flat[np.arange(23), furthest] > 0).all()
