"""What the drawing of the pipeline shows is the run's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from explorer.engine import trace_image
from explorer.figures.overview import DRAWN_DIMENSIONS, drawn_tokens, exploded_patches, pipeline_drawing, read_tokens
from explorer.figures.position import tokens_before
from explorer.interventions import Intervention
from explorer.samples import open_sample
from explorer.trace import Trace

ModelOf = Callable[[str], Any]


@pytest.fixture
def trace_of(model_of: ModelOf) -> Callable[..., Trace]:
    return lambda kind, **options: trace_image(model_of(kind), open_sample("chelsea"), **options)


@pytest.mark.parametrize(
    ("prefix", "patches", "picked", "rows"),
    [
        (1, 64, 30, (0, 1, 2, None, 30, None, 64)),
        (1, 64, 0, (0, 1, 2, None, 64)),
        (0, 9, 4, (0, 1, None, 4, None, 8)),
        (5, 16, 10, (0, 1, None, 5, 6, None, 10, None, 20)),
        (2, 4, 4, (0, 1, 2, 3, 4, 5)),
        # One left out is drawn instead of a sign that one is left out.
        (1, 64, 4, (0, 1, 2, 3, 4, None, 64)),
        (1, 1, 1, (0, 1)),
    ],
)
def test_the_first_the_picked_and_the_last_tokens_are_drawn(
    prefix: int, patches: int, picked: int, rows: tuple[int | None, ...]
) -> None:
    assert drawn_tokens(prefix, patches, picked) == rows


def test_the_pieces_are_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (70, 70, 3), dtype=np.uint8)
    pieces = exploded_patches(image, 16)  # four by four patches; a rim of six pixels is in none
    assert pieces.shape == (4 * 16 + 3 * 3, 4 * 16 + 3 * 3, 4)
    for row in range(4):
        for col in range(4):
            piece = pieces[row * 19 : row * 19 + 16, col * 19 : col * 19 + 16]
            np.testing.assert_array_equal(piece[..., :3], image[row * 16 : row * 16 + 16, col * 16 : col * 16 + 16])
    assert np.count_nonzero(pieces[..., 3]) == 64 * 64  # all else is gap


@pytest.mark.parametrize("kind", ["plain", "average", "distilled", "registers", "no_positions", "clip", "swiglu"])
def test_the_strips_are_slices_of_the_trace(kind: str, trace_of: Callable[..., Trace]) -> None:
    trace = trace_of(kind)
    drawing = pipeline_drawing(trace, trace.num_prefix + 9)
    sources = (
        tokens_before(trace),
        trace.pos_embed,
        trace.tokens,
        trace.z[-1],
    )
    for place, token in enumerate(drawing.rows):
        for strip, source in zip(drawing.strips, sources, strict=True):
            if token is None:
                assert np.isnan(strip[place]).all()
            else:
                np.testing.assert_allclose(strip[place], source[token, :DRAWN_DIMENSIONS], rtol=1e-5, atol=1e-5)
    assert drawing.rows[drawing.picked] == trace.num_prefix + 9
    assert drawing.place == 9
    assert [name for name in drawing.prefix if name] == list(trace.prefix_names[:2])


@pytest.mark.parametrize("kind", ["plain", "average", "distilled", "no_embed_class", "swiglu"])
def test_the_sum_is_drawn_of_its_parts(kind: str, trace_of: Callable[..., Trace]) -> None:
    trace = trace_of(kind)
    # AIMv2 normalises what comes out of its embedding, before 𝑬_pos is added.
    assert (trace.arrays.embed_norm is not None) == (kind == "swiglu")
    embeddings, positions, tokens, _ = pipeline_drawing(trace, 5).strips
    np.testing.assert_allclose(np.nan_to_num(embeddings + positions), np.nan_to_num(tokens), atol=1e-4)


def test_thumbnails_are_what_entered_the_model(trace_of: Callable[..., Trace]) -> None:
    trace = trace_of("plain", intervention=Intervention(masked=[0]))
    drawing = pipeline_drawing(trace, 6)
    side = trace.patch_size
    first, picked = drawing.rows.index(1), drawing.rows.index(6)
    mean = np.rint(np.array(trace.spec.mean) * 255)
    np.testing.assert_array_equal(drawing.thumbnails[first], np.broadcast_to(mean, (side, side, 3)))
    np.testing.assert_array_equal(drawing.thumbnails[picked], trace.image[side : 2 * side, side : 2 * side])


def test_dropped_patches_keep_their_place(trace_of: Callable[..., Trace]) -> None:
    trace = trace_of("plain", intervention=Intervention(kept=[2, 7, 11]))
    assert pipeline_drawing(trace, 2).place == 7
    assert pipeline_drawing(trace, 0).place == -1


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("plain", (0,)),
        ("distilled", (0, 1)),
        ("average", tuple(range(16))),
        ("fc_norm", tuple(range(1, 17))),
        ("pool_with_prefix", tuple(range(17))),
    ],
)
def test_what_the_head_reads(kind: str, read: tuple[int, ...], trace_of: Callable[..., Trace]) -> None:
    assert read_tokens(trace_of(kind)) == read
