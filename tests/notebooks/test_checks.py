"""Every check tells right from wrong, names the mistakes that it knows, and bears whatever it is given."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from explorer.errors import ExplorerError
from explorer.lessons import begin, check, predict, stage
from explorer.lessons.checks import CHECKS
from explorer.lessons.judge import judge
from explorer.lessons.session import Lesson, current
from explorer.samples import samples
from explorer.texts import LANGUAGES, catalogue, text
from explorer.trace import Trace

LESSON = Lesson("patches", "en")

KNOWN = [(name, mistake) for name in CHECKS for mistake in CHECKS[name].mistakes]


@pytest.fixture(autouse=True)
def begun() -> None:
    begin("patches")


@pytest.mark.parametrize("name", CHECKS)
def test_truth_is_right_in_every_guise(name: str) -> None:
    truth = CHECKS[name].truth(LESSON)
    if CHECKS[name].kind == "shape":
        guises: list[Any] = [truth, list(truth), np.array(truth), torch.Size(truth)]
    elif CHECKS[name].kind in ("number", "index"):
        guises = [truth, float(truth), np.array([[truth]]), str(truth), f" {truth:,} ", torch.tensor(float(truth))]
    else:
        values = np.asarray(truth)
        guises = [values, values.astype(np.float64), values.tolist(), torch.tensor(values, requires_grad=True)]
    for guise in guises:
        verdict = check(name, guise)
        assert verdict.right is True, (guise, str(verdict))
        assert verdict.hint == ""
        assert str(verdict).startswith("✓ Right.")


class _About(Lesson):
    """A lesson about another sample."""

    def __init__(self, sample: str, language: str) -> None:
        super().__init__("patches", language)
        self.sample = sample

    @property
    def trace(self) -> Trace:
        return self.run(sample=self.sample)


def told_apart(name: str, mistake: str, language: str) -> Lesson:
    """A lesson in which a mistake comes to a number of its own.

    With some weights and some photo two come to the same by chance: then nobody can know which it was.
    """
    known = CHECKS[name]
    others = [known.truth, *(one for key, one in known.mistakes.items() if key != mistake)]
    for lesson in (Lesson("patches", language), *(_About(one.id, language) for one in samples())):
        wrong = known.mistakes[mistake](lesson)
        if not any(np.array_equal(other(lesson), wrong) for other in others):
            return lesson
    raise AssertionError(f"{mistake} is never told from the others")


@pytest.mark.parametrize(("name", "mistake"), KNOWN)
def test_known_mistakes_are_called_by_their_names(name: str, mistake: str) -> None:
    # In the lesson's own photo none is taken for right, whatever it is called.
    assert LESSON.check(name, CHECKS[name].mistakes[mistake](LESSON)).finding.startswith("mistake.")
    for language in LANGUAGES:
        lesson = told_apart(name, mistake, language)
        verdict = lesson.check(name, CHECKS[name].mistakes[mistake](lesson))
        assert verdict.right is False
        assert verdict.finding == f"mistake.{mistake}", str(verdict)
        assert catalogue(language)[f"lessons.mistake.{mistake}"] in str(verdict)
        assert catalogue(language)[f"lessons-hints.{name}"] == verdict.hint


@pytest.mark.parametrize("name", CHECKS)
def test_other_wrong_answers_are_wrong(name: str) -> None:
    truth = np.asarray(CHECKS[name].truth(LESSON), np.float64)
    generator = np.random.default_rng(0)
    others = [truth * 3 + 7, truth + 0.1 * (1 + generator.random(truth.shape)) * (np.abs(truth).max() + 10)]
    if truth.ndim:
        others += [truth[:-1], truth[None], np.concatenate([truth, truth])]
    for other in others:
        given = (
            tuple(np.round(other).astype(int).reshape(-1))
            if CHECKS[name].kind == "shape" and other.ndim == 1
            else other
        )
        verdict = check(name, given)
        assert verdict.right is False, (given, str(verdict))
        assert verdict.detail
        assert verdict.hint


class Unruly:
    """Raises at whatever it is asked."""

    def __array__(self, *arguments: object, **options: object) -> np.ndarray:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


class Secretive:
    """Raises when it is asked what it has."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)

    def __call__(self) -> int:
        return 64


def count() -> Iterator[int]:
    yield 1


ODD: list[tuple[Any, str]] = [
    ("sixty-four", "odd.text"),
    (b"64", "odd.text"),
    (["a", "b"], "odd.text"),
    (True, "odd.bool"),
    (np.array([True, False]), "odd.bool"),
    (1 + 2j, "odd.complex"),
    ([[1, 2], [3]], "odd.ragged"),
    (len, "odd.function"),
    (lambda: 64, "odd.function"),
    ({"N": 64}, "odd.type"),
    ({64}, "odd.type"),
    (count(), "odd.type"),
    (object(), "odd.type"),
    (Unruly(), "odd.type"),
    (Secretive(), "odd.type"),
    (np.datetime64("2026-01-01"), "odd.type"),
    ([None, 1], "odd.type"),
]


@pytest.mark.parametrize("name", ["patches.count", "patches.sixteen", "patches.vector"])
@pytest.mark.parametrize(("answer", "finding"), ODD, ids=[str(number) for number in range(len(ODD))])
def test_odd_answers_are_told_what_they_are(name: str, answer: Any, finding: str) -> None:
    verdict = check(name, answer)
    assert verdict.right is False
    assert verdict.finding == finding
    assert verdict._repr_html_()


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("answer", [None, ..., "", "  ", (..., ...), [1, ...]])
def test_open_answers_are_not_wrong(name: str, answer: Any) -> None:
    verdict = check(name, answer)
    assert verdict.right is None
    assert not verdict
    assert "Not answered yet" in str(verdict)


def test_numbers_of_other_kinds_are_numbers() -> None:
    for answer in (Decimal(64), Fraction(64), 2**6, np.int8(64), np.float16(64), "６４", "64.0", [64], [[64.0]]):
        assert check("patches.count", answer), answer
    assert check("patches.count", torch.tensor(64.0, dtype=torch.bfloat16))
    assert check("patches.count", 10**400).right is False


@pytest.mark.parametrize(
    ("kind", "answer", "finding"),
    [
        ("number", np.nan, "wrong.not-finite"),
        ("number", 12.5 * 100, "wrong.percent"),
        ("number", -12.5, "wrong.sign"),
        ("number", 12.6, "wrong.rounded"),
        ("number", 3, "wrong.small"),
        ("number", 50, "wrong.large"),
        ("number", [1, 2], "odd.not-one"),
        ("number", np.zeros((2, 3)), "odd.not-one"),
        ("shape", (2, 3, 1), "wrong.shape-length"),
        ("shape", (3, 2), "wrong.shape-order"),
        ("shape", (2, 4), "wrong.shape-axis"),
        ("shape", 6, "odd.shape-number"),
        ("shape", np.zeros((2, 3)), "odd.shape-array"),
        ("shape", [[2, 3]], "odd.shape-nested"),
        ("shape", (2, 3.5), "odd.shape-whole"),
        ("shape", (2, np.nan), "odd.shape-whole"),
    ],
)
def test_numbers_and_shapes_that_differ_are_told_how(kind: str, answer: Any, finding: str) -> None:
    found = judge(kind, answer, 12.5 if kind == "number" else (2, 3), {})
    assert (found.right, found.key) == (False, finding)


def test_whole_numbers_that_are_one_off_are_told_so() -> None:
    assert judge("number", 65, 64, {}).key == "wrong.one-off"
    assert judge("number", 6400, 64, {}).key == "wrong.large"


def test_of_the_number_of_a_thing_no_size_is_told() -> None:
    for given in (35, 65, -64, 6400):
        found = judge("index", given, 64, {"from-one": 0})
        assert (found.right, found.key) == (False, "wrong.index")
    assert judge("index", 64, 64, {}).right is True
    assert judge("index", 0, 64, {"from-one": 0}).key == "mistake.from-one"


def test_a_square_that_is_transposed_is_not_told_its_shape() -> None:
    truth = np.arange(9.0).reshape(3, 3)
    assert judge("array", truth.T, truth, {}).key == "wrong.transposed-square"
    assert judge("array", truth, truth, {}).key == "right.array-exact"
    assert judge("array", truth + 1e-6, truth, {}).key == "right.array"


def array_cases() -> dict[str, Any]:
    truth = np.arange(12.0).reshape(3, 4) - 3.7
    one = truth.copy()
    one[1, 2] += 5
    hole = truth.copy()
    hole[2, 3] = np.inf
    return {
        "wrong.transposed": truth.T,
        "wrong.reshape": truth.reshape(-1),
        "wrong.array-axes": truth[0],
        "wrong.single": 0.5,
        "wrong.array-order": np.zeros((4, 3)),
        "wrong.array-axis": np.concatenate([truth, truth]),
        "wrong.zeros": np.zeros((3, 4)),
        "wrong.factor": 2 * truth,
        "wrong.sign": -truth,
        "wrong.offset": truth + 3,
        "wrong.order": truth[::-1],
        "wrong.rounding": truth + 0.004 * (-1) ** np.arange(4),
        "wrong.values": one,
        "wrong.not-finite": hole,
    }


@pytest.mark.parametrize("finding", array_cases())
def test_arrays_that_differ_are_told_how_and_where(finding: str) -> None:
    truth = np.arange(12.0).reshape(3, 4) - 3.7
    found = judge("array", array_cases()[finding], truth, {})
    assert (found.right, found.key) == (False, finding)
    if finding == "wrong.values":
        assert found.values == {"wrong": 1, "size": 12, "place": "[1, 2]", "given": "7.3", "wanted": "2.3"}
    if finding == "wrong.not-finite":
        assert found.values == {"count": 1, "size": 12, "place": "[2, 3]"}


@pytest.mark.filterwarnings("error")
def test_huge_and_tiny_numbers_are_borne_in_silence() -> None:
    for value in (1e300, -1e300, 1e-320, np.finfo(np.float64).max):
        assert check("patches.vector", np.full(192, value)).right is False
        assert check("patches.count", value).right is False
    assert check("embedding.number", np.array([1e308, 1e308])).finding == "odd.not-one"


def test_empty_arrays_are_borne() -> None:
    assert judge("array", np.zeros((0, 4)), np.ones((3, 4)), {}).key == "wrong.array-axis"
    assert judge("array", [], np.ones((3, 4)), {}).key == "wrong.array-axes"


def test_every_text_of_findings_can_be_said() -> None:
    """What the judge finds is in the catalogue, and nothing else is."""
    said = {key for key in catalogue("en") if key.startswith("lessons.mistake.")}
    assert said == {f"lessons.mistake.{mistake}" for _, mistake in KNOWN}
    assert {key for key in catalogue("en") if key.startswith("lessons-hints.")} == {
        f"lessons-hints.{n}" for n in CHECKS
    }


def test_what_does_not_exist_is_said_in_words() -> None:
    with pytest.raises(ExplorerError, match="no lesson “knitting”"):
        begin("knitting")
    with pytest.raises(ExplorerError, match="no question"):
        predict("patches.none")
    with pytest.raises(ExplorerError, match="no stage"):
        stage("cellar")
    with pytest.raises(ExplorerError, match="no setting “colour”"):
        stage("patches", colour=1)
    assert check("patches.none", 1).right is None
    current().state.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("name", "value", "code", "most"),
    [
        ("layer", 8, "place", 7),
        ("layer", -1, "place", 7),
        ("layer", "first", "place", 7),
        ("token", 65, "place", 64),
        ("dimension", 192, "place", 191),
        ("dimension", 0.5, "place", 191),
        ("head", 6, "head", 5),
        ("head", -2, "head", 5),
    ],
)
def test_a_place_that_is_not_there_is_refused(language: str, name: str, value: Any, code: str, most: int) -> None:
    begin("attention", language)
    with pytest.raises(ExplorerError) as raised:
        stage(**{name: value})
    assert str(raised.value) == text(f"errors.lesson-{code}-range", language, name=name, value=value, most=most)
    # Nothing was chosen, neither now nor when the first run arrives.
    state = current().state
    assert state.wait(60)
    assert state.error is None
    assert (state.layer, state.head, state.dimension) == (0, 0, 0)
    state.close()


def test_places_may_be_numbers_of_numpy() -> None:
    begin("attention")
    state = stage(layer=np.argmax([0, 1]), head=-1).state  # type: ignore[arg-type]
    assert state.wait(60)
    assert (state.layer, state.head) == (1, -1)
    state.close()
