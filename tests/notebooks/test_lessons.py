"""Every lesson, in both languages: runs as it is and solved, says the same, and says only what is true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from explorer.lessons import Verdict, begin
from explorer.lessons.checks import CHECKS
from explorer.lessons.prediction import Prediction
from explorer.lessons.questions import QUESTIONS
from explorer.lessons.session import LESSONS, Lesson, current
from explorer.panels.base import StagePanel
from tests.notebooks.lesson import LANGUAGES, cells, checked, code, lesson_names, lesson_path, run
from tools.lesson_notebooks import to_notebook, to_text

NAMES = lesson_names()
BOTH = [(language, name) for name in NAMES for language in LANGUAGES]

#: Numbers above twelve that a lesson's prose may name, beside those of slides: what each of them is.
FACTS: dict[str, Callable[[Lesson], int]] = {
    "image side": lambda lesson: lesson.trace.image_size,
    "N": lambda lesson: lesson.trace.num_patches,
    "T": lambda lesson: lesson.trace.num_tokens,
    "D": lambda lesson: lesson.trace.spec.dim,
    "3D": lambda lesson: 3 * lesson.trace.spec.dim,
    "D_h": lambda lesson: lesson.trace.spec.head_dim,
    "last place of head 2 among the joined": lambda lesson: 3 * lesson.trace.spec.head_dim - 1,
    "D_mlp": lambda lesson: lesson.trace.spec.mlp_dim,
    "K": lambda lesson: lesson.trace.spec.num_classes,
    "the larger patch": lambda lesson: 16,
    "largest pixel value": lambda lesson: 255,
    "last patch of the first row, and of the second": lambda lesson: 2 * lesson.trace.grid[1] - 1,
    "patch 21": lambda lesson: 21,
    "patch 27": lambda lesson: 27,
    "column 64 of the waves": lambda lesson: 64,
    "base of the waves": lambda lesson: 10000,
    "steps of the training": lambda lesson: 50,
}


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """A lesson's stages keep a thread for their state."""
    yield
    if "state" in vars(current()):
        current().state.close()


def settle(shown: Any) -> None:
    """Wait until a stage shows what it has to show."""
    if isinstance(shown, StagePanel):
        assert shown.state.wait(60)
        assert shown.state.error is None, shown.state.error
        assert shown.state.trace is not None
        assert shown._body.children


def test_stages_show_what_was_chosen_and_are_linked() -> None:
    begin("attention")
    encoder = current().stage("encoder", layer=3, head=2, token=0)
    settle(encoder)
    state = current().state
    assert (state.layer, state.head, state.token) == (3, 2, 0)
    assert current().stage("attention", token=5).state is state
    assert (state.layer, state.head, state.token) == (3, 2, 5)


@pytest.mark.parametrize(("language", "name"), BOTH)
def test_solved_lesson_is_right_from_top_to_bottom(language: str, name: str) -> None:
    result = run(language, name, solved=True, look=settle)
    assert {check: str(verdict) for check, verdict in result.verdicts.items() if not verdict} == {}
    lesson = name.partition("-")[2]
    assert list(result.verdicts) == [check for check in CHECKS if check.startswith(f"{lesson}.")]
    predictions = [shown for shown in result.shown if isinstance(shown, Prediction)]
    assert [prediction._question.name for prediction in predictions] == [
        question for question in QUESTIONS if question.startswith(f"{lesson}.")
    ]
    assert any(isinstance(shown, StagePanel) and shown.state.language == language for shown in result.shown)


@pytest.mark.parametrize("name", NAMES)
def test_lesson_as_it_is_handed_out_runs_and_waits_for_answers(name: str) -> None:
    result = run("ja", name, solved=False)
    assert result.verdicts
    assert {verdict.finding for verdict in result.verdicts.values()} == {"open"}


@pytest.mark.parametrize(("language", "name"), BOTH)
def test_text_and_notebook_say_the_same(language: str, name: str) -> None:
    path = lesson_path(language, name)
    text, notebook = path.read_text("utf-8"), path.with_suffix(".ipynb").read_text("utf-8")
    assert to_notebook(text) == notebook, "run tools/lesson_notebooks.py"
    assert to_text(notebook) == text
    for cell in json.loads(notebook)["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    nbformat.validate(nbformat.reads(notebook, as_version=4))


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_have_the_same_code_and_cells(name: str) -> None:
    english, japanese = cells("en", name), cells("ja", name)
    assert [(cell.kind, cell.tags) for cell in english] == [(cell.kind, cell.tags) for cell in japanese]
    assert list(code(english)) == list(code(japanese))
    for one, other in zip(english, japanese, strict=True):
        # The same headings, tables, formulas in code, and numbers of more than one digit.
        for pattern, kind in ((r"^#+ ", sorted), (r"^\|", sorted), (r"`[^`]+`", set), (r"\d\d+", set)):
            found = [kind(re.findall(pattern, cell.source, flags=re.MULTILINE)) for cell in (one, other)]
            if one.kind == "markdown" and "solution" not in one.tags:
                assert found[0] == found[1], one.source


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_has_a_solution_and_two_are_exercises(name: str) -> None:
    listed = cells("en", name)
    for cell, following in pairwise(listed):
        assert ("answer" in cell.tags) == ("solution" in following.tags)
    heading = next(place for place, cell in enumerate(listed) if cell.source.startswith("## Exercises"))
    assert sum("answer" in cell.tags for cell in listed[heading:]) == 2
    assert sum("answer" in cell.tags for cell in listed[:heading]) >= 3


def test_every_check_and_question_is_asked_once() -> None:
    asked = [checked(cell) for name in NAMES for cell in cells("en", name) if "answer" in cell.tags]
    begun = {name.partition("-")[2] for name in NAMES}
    assert sorted(asked) == sorted(check for check in CHECKS if check.partition(".")[0] in begun)


@pytest.mark.parametrize(("language", "name"), BOTH)
def test_links_lead_to_notebooks_that_are_there(language: str, name: str) -> None:
    path = lesson_path(language, name)
    other = {"en": "ja", "ja": "en"}[language]
    prose = "\n".join(cell.source for cell in cells(language, name) if cell.kind == "markdown")
    links = re.findall(r"\]\(([^)]+)\)", prose)
    assert all((path.parent / link).resolve().is_file() for link in links), links
    assert links[0] == f"../{other}/{name}.ipynb"
    place = NAMES.index(name)
    if place + 1 < len(LESSONS):
        number, following = place + 2, list(LESSONS)[place + 1]
        assert links[-1] == f"{number}-{following}.ipynb"


@pytest.mark.parametrize("name", NAMES)
def test_numbers_in_the_prose_are_true(name: str) -> None:
    begin("patches")
    facts = {fact(current()): what for what, fact in FACTS.items()}
    for cell in cells("en", name):
        if cell.kind == "markdown" and "solution" not in cell.tags:
            prose = re.sub(r"\]\([^)]*\)|[Ss]lides? \d+((, | and | to )\d+)*|about \d+ minutes", "", cell.source)
            numbers = {int(number) for number in re.findall(r"(?<![\w.])\d+", prose.replace(",", ""))}
            assert {number for number in numbers if number > 12 and number not in facts} == set(), cell.source


def test_what_is_said_about_the_model_is_true() -> None:
    trace = begin("patches")
    arrays, spec = trace.arrays, trace.spec
    # Lesson 1: the photo fills the input, patch 21 lies in row 2 and column 5.
    assert trace.image.shape == (64, 64, 3)
    assert divmod(21, trace.grid[1]) == (2, 5)
    # Lesson 2: E is square.
    assert arrays.embed_weight.shape == (192, 192)
    # Lesson 3: no position is added to CLS. Neighbours are alike.
    assert not trace.pos_embed[0].any()
    # Lessons 4 and 7: ε.
    assert {norm.eps for norm in (arrays.blocks[0].norm1, arrays.norm) if norm is not None} == {1e-6}
    # Lesson 6: an exact GELU; four times as wide; no LayerScale.
    assert arrays.blocks[0].mlp.activation == "gelu"
    assert spec.mlp_dim == 4 * spec.dim
    assert not arrays.blocks[0].layer_scale
    # Lesson 7: one linear head that reads CLS alone; the photo is recognised.
    assert (spec.pooling, len(arrays.heads)) == ("token", 1)
    assert current().model.labels.en[int(trace.output.argmax())] == "espresso"


def test_new_head_learns_its_six_photos() -> None:
    names = run("en", "7-classification", solved=True).names
    assert names["step"] == 50
    assert names["loss"] < 0.1
    assert (names["shares"].argmax(axis=1) == names["Y"].argmax(axis=1)).all()


@pytest.mark.parametrize("question", list(QUESTIONS))
@pytest.mark.parametrize("language", LANGUAGES)
def test_truth_is_told_only_after_the_choice(question: str, language: str) -> None:
    lesson = Lesson(question.partition(".")[0], language)
    right, _ = QUESTIONS[question].truth(lesson)
    for choice in range(len(QUESTIONS[question].options(lesson))):
        asked = Prediction(QUESTIONS[question], lesson)
        assert len(set(asked.options)) == len(asked.options)
        assert asked._answer.value == ""
        assert asked.verdict is None
        asked._buttons[choice].click()
        assert asked.verdict is not None
        assert bool(asked.verdict) == (choice == right)
        assert asked.options[right] in asked.verdict.headline
        assert "vx-verdict" in asked._answer.value
        # The first choice stays.
        assert asked.choose(right) is asked.verdict
        assert {button.disabled for button in asked._buttons if button.description[0] in "✓✗"} == {False}
        assert sum(button.disabled for button in asked._buttons) >= len(asked.options) - 2


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_first_lesson_runs_in_a_kernel(tmp_path: Path) -> None:
    notebook = nbformat.read(lesson_path("en", NAMES[0]).with_suffix(".ipynb"), as_version=4)
    answer = next(cell for cell in notebook.cells if "answer" in cell.metadata.get("tags", []))
    answer.source = answer.source.replace("...", "65")
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (shown,) = answer.outputs
    assert "CLS token, which is no patch" in shown["data"]["text/html"]
    assert "✗ Not yet." in shown["data"]["text/plain"]
    widgets = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    assert len(widgets) == 2


def test_verdicts_escape_what_they_are_given() -> None:
    class Strange:
        pass

    Strange.__name__ = "<img src=x onerror=alert(1)>"
    begin("patches")
    for answer in (Strange(), Strange):
        verdict: Verdict = current().check("patches.count", answer)
        assert "<img" not in verdict._repr_html_()
        assert "<img" in str(verdict)
    unknown = current().check("<b>", 1)
    assert unknown.right is None
    assert "<b>" not in unknown._repr_html_()
