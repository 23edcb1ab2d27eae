"""One picture through many sizes: what each answers is what the model answers there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from explorer.engine import trace_image
from explorer.errors import Cancelled, ExplorerError
from explorer.experiments import compare_sizes
from explorer.samples import open_sample
from explorer.sizes import multiply_adds

if TYPE_CHECKING:
    from explorer.models import ExplorerModel


def test_every_patch_size_of_the_bundled_model(bundled: ExplorerModel) -> None:
    told: list[tuple[int, int]] = []
    picture = open_sample("goldfish")
    result = compare_sizes(bundled, picture, crop=(0.2, 0.5), report=lambda done, total: told.append((done, total)))
    assert [row.patch_size for row in result.rows] == [64, 32, 16, 8, 4]
    assert [row.tokens for row in result.rows] == [2, 5, 17, 65, 257]
    assert [row.trained for row in result.rows] == [False, True, True, True, True]
    assert told == [(done, 5) for done in range(1, 6)]
    for row in result.rows:
        trace = trace_image(bundled, picture, patch_size=row.patch_size, crop=(0.2, 0.5))
        np.testing.assert_allclose(row.output, trace.output, atol=1e-4)
        np.testing.assert_array_equal(row.pos_embed, trace.pos_embed[1:])
        assert row.grid == trace.grid
        assert row.multiply_adds == multiply_adds(bundled.spec, 64, row.patch_size)
        assert row.milliseconds > 0
    assert result.rows[3].pos_embed.shape == result.pos_embed.shape == (64, 192)
    assert result.has_classes


def test_pairs_of_sizes_and_what_is_left_out(plain_model: ExplorerModel) -> None:
    result = compare_sizes(plain_model, open_sample("coffee"), [16, 32], [48, 64, 96])
    assert [(row.patch_size, row.image_size) for row in result.rows] == [
        (16, 48),
        (32, 64),
        (16, 64),
        (32, 96),
        (16, 96),
    ]
    assert result.left_out == ((32, 48),)
    assert result.grid == (4, 4)


def test_sizes_that_are_all_impossible_are_refused(plain_model: ExplorerModel) -> None:
    with pytest.raises(ExplorerError) as caught:
        compare_sizes(plain_model, open_sample("coffee"), [13])
    assert caught.value.code == "size-not-even"


def test_a_model_without_classes_has_sizes_too(model_of: Any) -> None:
    result = compare_sizes(model_of("no_head"), open_sample("coffee"), [16, 32])
    assert not result.has_classes
    assert len(result.rows) == 2


def test_a_busy_moment_does_not_make_a_size_slow(plain_model: ExplorerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three passes were disturbed: the time is that of the one that was not."""
    clock = iter([0.0, 0.080, 0.100, 0.104, 0.200, 0.350])
    monkeypatch.setattr("explorer.experiments.sizes.time.perf_counter", lambda: next(clock))
    (row,) = compare_sizes(plain_model, open_sample("coffee"), [16]).rows
    assert row.milliseconds == pytest.approx(4.0)


def test_it_can_be_stopped(plain_model: ExplorerModel) -> None:
    told: list[int] = []
    with pytest.raises(Cancelled):
        compare_sizes(
            plain_model,
            open_sample("coffee"),
            report=lambda done, total: told.append(done),
            cancelled=lambda: bool(told),
        )
    assert told == [1]
