"""The tour's questions have the answers that the run itself gives, whatever the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from explorer.engine import trace_image
from explorer.experiments import shuffle_patches
from explorer.samples import open_sample
from explorer.tour import QUESTIONS, Question, ask, shuffle_question
from explorer.trace import Trace

ModelOf = Callable[[str], Any]


@pytest.fixture
def trace_of(model_of: ModelOf) -> Callable[..., Trace]:
    return lambda kind, sample="chelsea", **options: trace_image(model_of(kind), open_sample(sample), **options)


@pytest.fixture
def any_trace(any_model: Any) -> Trace:
    return trace_image(any_model, open_sample("chelsea"))


def test_every_model_has_a_question_in_every_stage(any_trace: Trace) -> None:
    for stage in QUESTIONS:
        question = ask(stage, any_trace)
        assert question.stage == stage
        assert 2 <= len(question.choices) <= 4
        assert len(set(question.choices)) == len(question.choices)
        assert question.right == -1 if stage == "experiments" else question.answer in question.choices
        # Asked again of the same run, it is the same question.
        assert ask(stage, any_trace).id == question.id


def test_counts_are_those_of_the_runs_own_arrays(any_trace: Trace) -> None:
    assert ask("patches", any_trace).answer == any_trace.patches[0].size
    assert ask("embedding", any_trace).answer == any_trace.arrays.embed_weight.size
    assert ask("classification", any_trace).answer == any_trace.y[0].size


@pytest.mark.parametrize(("kind", "size"), [("plain", 16), ("plain", 8), ("registers", 16), ("attention_pool", 16)])
def test_the_other_patch_size_has_as_many_weights_as_a_run_with_it(
    trace_of: Callable[..., Trace], kind: str, size: int
) -> None:
    question = ask("overview", trace_of(kind, patch_size=size))
    assert question.kind == "pairs"
    other = trace_of(kind, patch_size=question.values["other"])
    assert question.answer == other.blocks[0].attention[0].size
    assert question.values["now"] == trace_of(kind, patch_size=size).blocks[0].attention[0].size


def test_the_most_alike_position_is_found_by_hand(trace_of: Callable[..., Trace]) -> None:
    trace = trace_of("registers", patch_size=8)
    question = ask("position", trace)
    assert question.kind == "similar"
    rows, cols = trace.grid
    table = trace.arrays.pos_embed[trace.num_prefix :].reshape(rows, cols, -1).astype(np.float64)
    row, col, step = (int(question.values[name]) for name in ("row", "col", "step"))
    others = {"right": table[row, col + 1], "above": table[row - step, col], "corner": table[0, 0]}
    own = table[row, col]
    cosines = {name: own @ other / np.linalg.norm(own) / np.linalg.norm(other) for name, other in others.items()}
    assert question.answer == max(cosines, key=lambda name: cosines[name])
    assert question.found == pytest.approx(cosines, abs=1e-6)


def test_where_positions_cannot_be_told_apart_the_rows_are_counted(trace_of: Callable[..., Trace]) -> None:
    for kind, size in (("no_positions", 8), ("plain", 32)):
        trace = trace_of(kind, patch_size=size)
        question = ask("position", trace)
        assert question.kind == "tokens"
        assert question.answer == len(trace.z[0])


def test_the_longest_vector_is_the_one_with_the_largest_norm(any_trace: Trace) -> None:
    question = ask("encoder", any_trace)
    block, token = any_trace.blocks[0], int(question.values["token"])
    norms = {
        "z": np.linalg.norm(block.z_in[token]),
        "msa": np.linalg.norm(block.scale1 * block.msa[token]),
        "mlp": np.linalg.norm(block.scale2 * block.mlp[token]),
    }
    assert question.answer == max(norms, key=lambda name: norms[name])
    assert question.found == pytest.approx(norms, rel=1e-3)
    # CLS where there is one, a patch elsewhere.
    assert (token == 0) == (any_trace.num_prefix > 0)


@pytest.mark.parametrize("kind", ["plain", "registers", "attention_pool"])
def test_the_layer_that_looks_further_is_found_by_hand(trace_of: Callable[..., Trace], kind: str) -> None:
    trace = trace_of(kind, patch_size=16)
    question = ask("attention", trace)
    cols, prefix = trace.grid[1], trace.num_prefix
    means = []
    for block in (trace.blocks[0], trace.blocks[-1]):
        heads = []
        for weights in block.attention:
            queries = []
            for n, row in enumerate(weights[prefix:, prefix:]):
                places = [np.hypot(n // cols - m // cols, n % cols - m % cols) for m in range(len(row))]
                queries.append(np.dot(row, places) / row.sum())
            heads.append(np.mean(queries))
        means.append(np.mean(heads))
    assert [question.found["near"], question.found["far"]] == pytest.approx(means, rel=1e-4)
    expected = "alike" if abs(means[0] - means[1]) < 0.1 * max(means) else ("first", "last")[int(means[1] > means[0])]
    assert question.answer == expected


def test_a_single_patch_asks_for_the_sum_of_a_row(trace_of: Callable[..., Trace]) -> None:
    question = ask("attention", trace_of("plain", patch_size=64))
    assert (question.kind, question.answer) == ("row-sum", 1)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("plain", "read-token"),
        ("registers", "read-none"),
        ("distilled", "read-distilled"),
        ("average", "read-pooled"),
        ("attention_pool", "read-pooled"),
        ("no_head", "read-none"),
    ],
)
def test_what_the_classifier_reads_depends_on_the_model(trace_of: Callable[..., Trace], kind: str, asked: str) -> None:
    trace = trace_of(kind)
    question = ask("classification", trace)
    assert question.kind == asked
    assert question.answer == trace.spec.dim


@pytest.mark.parametrize("kind", ["plain", "no_head", "average"])
def test_without_positions_a_shuffled_photo_gets_the_same_answer(
    trace_of: Callable[..., Trace], model_of: ModelOf, kind: str
) -> None:
    trace = trace_of(kind)
    asked = ask("experiments", trace)
    result = shuffle_patches(model_of(kind), open_sample("chelsea"))
    answered = shuffle_question(trace, result.original_without.output, result.shuffled_without.output)
    assert answered.answer == "same"
    assert answered.id == asked.id
    # The answer is what the two runs say: with positions it is another one.
    changed = shuffle_question(trace, result.original.output, result.shuffled.output)
    assert changed.answer in {"shares", "other"}
    assert changed.found["change"] == pytest.approx(
        float(np.abs(result.original.output - result.shuffled.output).max())
    )


def test_another_class_is_told_from_another_probability(trace_of: Callable[..., Trace]) -> None:
    trace = trace_of("plain")
    before = np.array([3, 1, 0], np.float32)
    assert shuffle_question(trace, before, np.array([3, 1.5, 0], np.float32)).answer == "shares"
    assert shuffle_question(trace, before, np.array([1, 3, 0], np.float32)).answer == "other"


def test_an_answer_holds_as_long_as_its_question_has_the_same_numbers(trace_of: Callable[..., Trace]) -> None:
    def ids(trace: Trace) -> dict[str, str]:
        return {stage: ask(stage, trace).id for stage in QUESTIONS}

    first, photo, size = ids(trace_of("plain")), ids(trace_of("plain", "coffee")), ids(trace_of("plain", patch_size=8))
    changed = {stage for stage in QUESTIONS if photo[stage] != first[stage]}
    # CLS is the same before every photo, what layers make of it is not.
    assert changed == {"encoder", "attention"}
    assert {stage for stage in QUESTIONS if size[stage] != first[stage]} >= {"overview", "patches", "embedding"}


def test_questions_are_values() -> None:
    one = Question(stage="patches", kind="vector", choices=(1, 2), right=1, values={"size": 2}, found={"length": 2})
    assert one.answer == 2
    assert one.id != Question(stage="patches", kind="vector", choices=(1, 2), right=0, values={"size": 2}).id
