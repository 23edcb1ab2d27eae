"""Every visible string, in English and Japanese.

The catalogues are TOML files, one a section (``locales/en/errors.toml``): a key ``patches.sentence`` is the
entry ``sentence`` of section ``patches``. Placeholders are written as for :meth:`str.format`, by name only.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from string import Formatter

from explorer.errors import ExplorerError, MessageValue, Phrase

__all__ = ["LANGUAGES", "catalogue", "error_text", "placeholders", "text"]

#: Language codes (BCP 47) and what each language calls itself.
LANGUAGES: Mapping[str, str] = {"en": "English", "ja": "日本語"}


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of one language.

    Parameters
    ----------
    language : str
        One of :data:`LANGUAGES`.

    Returns
    -------
    mapping of str to str
        ``section.entry`` to the text with its placeholders.

    Raises
    ------
    KeyError
        If there is no such language.
    """
    if language not in LANGUAGES:
        raise KeyError(f"no catalogue for the language {language!r}")
    texts: dict[str, str] = {}
    folder = files("explorer") / "locales" / language
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".toml"):
            section = entry.name.removesuffix(".toml")
            texts.update(_flatten(section, tomllib.loads(entry.read_text("utf-8"))))
    return texts


def text(key: str, language: str = "en", /, **values: MessageValue) -> str:
    """One text, with its placeholders filled in.

    Parameters
    ----------
    key : str
        ``section.entry``.
    language : str
        One of :data:`LANGUAGES`.
    **values : str, int, float or Phrase
        The placeholders' values; a phrase is said in the same language.

    Returns
    -------
    str

    Raises
    ------
    KeyError
        If the catalogue has no such key, or the text a placeholder that was not given.
    """
    template = catalogue(language)[key]
    said = {
        name: text(value.key, language, **value.values) if isinstance(value, Phrase) else value
        for name, value in values.items()
    }
    return template.format(**said)


def error_text(error: ExplorerError, language: str = "en") -> str:
    """The sentence for an expected failure, in one language; before it the file that it is about, if there is one."""
    sentence = text(f"errors.{error.code}", language, **error.values)
    return text("errors.of-file", language, file=error.file, sentence=sentence) if error.file else sentence


def placeholders(template: str) -> frozenset[str]:
    """Names of the placeholders that a text holds."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name is not None)


def _flatten(prefix: str, table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, dict):
            yield from _flatten(key, value)
        elif isinstance(value, str):
            yield key, value.strip()
        else:
            raise TypeError(f"{key} is {type(value).__name__}, not a text")
