"""Both catalogues are complete, equal in their placeholders, and hold no HTML."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import explorer
from explorer.errors import ExplorerError, Phrase
from explorer.texts import LANGUAGES, catalogue, error_text, placeholders, text

ENGLISH = catalogue("en")
JAPANESE = catalogue("ja")
SOURCES = [path for path in Path(explorer.__file__).parent.rglob("*.py") if "locales" not in path.parts]


def test_both_catalogues_have_the_same_keys() -> None:
    assert ENGLISH.keys() == JAPANESE.keys()


@pytest.mark.parametrize("key", sorted(ENGLISH))
def test_placeholders_are_equal_and_no_text_is_empty(key: str) -> None:
    assert placeholders(ENGLISH[key]) == placeholders(JAPANESE[key])
    assert ENGLISH[key]
    assert JAPANESE[key]


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_hold_no_html(language: str) -> None:
    # They are escaped where they are shown; a tag would be read out to the user.
    assert {key for key, words in catalogue(language).items() if re.search(r"</?[a-z]+[ >]", words)} == set()


def test_japanese_is_japanese() -> None:
    """Sentences have Japanese letters and punctuation; names and symbols may be as they are."""
    letters = re.compile(r"[぀-ヿ一-鿿]")
    words_only = {key: re.findall(r"[a-z]{2,}", re.sub(r"\{.*?\}", "", words)) for key, words in ENGLISH.items()}
    sentences = {key: words for key, words in JAPANESE.items() if len(words_only[key]) >= 4}
    assert sentences
    assert {key for key, words in sentences.items() if not letters.search(words)} == set()
    assert {key for key, words in JAPANESE.items() if re.search(r"[぀-ヿ一-鿿][,.](?![a-z])", words)} == set()


def test_every_error_that_is_raised_has_a_sentence() -> None:
    raised = set()
    for path in SOURCES:
        raised |= set(re.findall(r"(?:Explorer|Lesson)Error\(\s*\"([a-z0-9-]+)\"", path.read_text("utf-8")))
    assert raised
    assert {code for code in raised if f"errors.{code}" not in ENGLISH} == set()


def test_every_phrase_is_in_the_catalogues() -> None:
    used = set()
    for path in SOURCES:
        used |= set(re.findall(r"Phrase\(\s*\"([a-z0-9.-]+)\"", path.read_text("utf-8")))
    assert used
    assert used <= ENGLISH.keys()


def test_a_phrase_is_said_in_the_language_of_its_sentence() -> None:
    error = ExplorerError("training-settings", problem=Phrase("training.problem.probability", name="mix_probability"))
    assert str(error) == "These training settings cannot be used: mix_probability must be between 0 and 1."
    assert error_text(error, "ja") == "この学習の設定は使えません：mix_probabilityは0以上1以下にしてください。"
    assert str(error.values["problem"]) == "mix_probability must be between 0 and 1"


def test_an_error_reads_as_a_sentence_in_both_languages() -> None:
    error = ExplorerError("trace-without-weights", name="<b>x</b>")
    assert "<b>x</b>" in str(error)
    assert "<b>x</b>" in error_text(error, "ja")
    assert str(error) != error_text(error, "ja")


def test_unknown_keys_languages_and_missing_values_are_refused() -> None:
    with pytest.raises(KeyError):
        text("page.no-such-entry", "en")
    with pytest.raises(KeyError):
        text("page.ready", "fr")
    with pytest.raises(KeyError):
        text("page.token-patch", "en", patch=1)
