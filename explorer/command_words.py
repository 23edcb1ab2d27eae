"""The words that argparse has of its own, in the user's language."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from explorer.texts import catalogue

__all__ = ["argparse_in"]

_SECTION = "argparse."


@contextmanager
def argparse_in(language: str) -> Iterator[None]:
    """Let argparse speak a language: while parsers are made, and while they parse.

    It looks its words up with gettext, whose own files would have to lie where Python is installed; what it calls for
    that has another answer as long as the context lasts.

    Parameters
    ----------
    language : str
        One of :data:`explorer.texts.LANGUAGES`.
    """
    own, english = catalogue(language), catalogue("en")
    words = {said: own[key] for key, said in english.items() if key.startswith(_SECTION)}

    def say(message: str) -> str:
        # Catalogues have no spaces or line ends around their texts; argparse has.
        plain = (message or "").strip()
        return message.replace(plain, words[plain]) if plain in words else message

    def say_counted(one: str, many: str, count: int) -> str:
        return say(one if count == 1 else many)

    answers = {"_": say, "ngettext": say_counted}
    before = {name: getattr(argparse, name) for name in answers}
    try:
        for name, answer in answers.items():
            setattr(argparse, name, answer)
        yield
    finally:
        for name, answer in before.items():
            setattr(argparse, name, answer)
