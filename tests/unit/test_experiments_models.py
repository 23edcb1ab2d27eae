"""Two models on one picture: each run is the model's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from explorer.engine import trace_image
from explorer.experiments import compare_models
from explorer.labels import Labels
from explorer.samples import open_sample


def test_both_runs_are_the_models_own(model_of: Callable[[str], Any]) -> None:
    one, other, picture = model_of("plain"), model_of("registers"), open_sample("chelsea")
    result = compare_models(one, other, picture, crop=(0.2, 0.5))
    np.testing.assert_array_equal(result.one.z, trace_image(one, picture, crop=(0.2, 0.5)).z)
    np.testing.assert_array_equal(result.other.z, trace_image(other, picture, crop=(0.2, 0.5)).z)
    assert result.same_class is None  # the second names no classes


def test_a_size_is_the_first_models(model_of: Callable[[str], Any]) -> None:
    one, other = model_of("plain"), model_of("layer_scale")
    result = compare_models(one, other, open_sample("chelsea"), patch_size=32)
    assert result.one.patch_size == 32
    assert result.other.patch_size == other.spec.patch_size


def test_classes_are_the_same_by_their_ids(model_of: Callable[[str], Any]) -> None:
    model = model_of("plain")
    result = compare_models(model, model, open_sample("chelsea"))
    best, count = int(result.one.logits.argmax()), len(result.one.logits)
    ids = tuple(f"n{number}" for number in range(count))
    names = Labels(ids=ids, en=ids, ja=("",) * count)
    turned = ids[best:] + ids[:best]
    moved = Labels(ids=turned, en=turned, ja=("",) * count)
    assert replace(result, labels=names, other_labels=names).same_class is True
    assert replace(result, labels=names, other_labels=moved).same_class is (best == 0)
    assert replace(result, labels=names, other_labels=Labels()).same_class is None
