"""Loss curve and answers of a new head, from arrays that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.figures.experiment_head import head_shares, left_out_notes, loss_chart


def test_the_axis_is_as_long_from_the_beginning() -> None:
    early, late = (loss_chart(losses, 200, x_title="step", y_title="loss") for losses in ([0.7], [0.7, 0.3, 0.1]))
    assert early["layout"]["xaxis"]["range"] == late["layout"]["xaxis"]["range"] == [0, 200]
    assert late["data"][0]["y"] == [0.7, 0.3, 0.1]
    assert early["layout"]["yaxis"]["range"] == late["layout"]["yaxis"]["range"]
    assert loss_chart([], 0, x_title="", y_title="")["data"][0]["y"] == []


def test_the_most_probable_class_comes_first() -> None:
    shares = head_shares(np.log(np.array([0.2, 0.5, 0.3], dtype=np.float32)), ["a", "b", "c"])
    assert [name for name, _ in shares] == ["b", "c", "a"]
    assert [share for _, share in shares] == pytest.approx([0.5, 0.3, 0.2], abs=1e-6)


def test_only_what_was_wrong_is_noted() -> None:
    targets, answers = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 0, 1])
    assert left_out_notes(targets, answers, ["cat", "dog"]) == (("", "dog"), ("", "cat", ""))
