"""Failures that a user can be told about, as codes that the catalogues put into words.

Everything that can go wrong through no fault of the program (a file that is no picture, a model that is not
there, a request that is too large) is raised as an :class:`ExplorerError`. It carries a *code* and the values
that the sentence needs, never the sentence: which language it is said in is known only where it is shown.
"""

from __future__ import annotations

from typing import Self

__all__ = ["Cancelled", "ExplorerError", "MessageValue", "Phrase"]


class Phrase:
    """A text of the catalogues that stands inside another one, said in the language of the text around it.

    Parameters
    ----------
    key : str
        ``section.entry``.
    **values : str, int, float or Phrase
        What its placeholders stand for.
    """

    def __init__(self, key: str, /, **values: MessageValue) -> None:
        self.key = key
        self.values = values

    def __str__(self) -> str:
        from explorer.texts import text

        return text(self.key, "en", **self.values)


MessageValue = str | int | float | Phrase


class Cancelled(Exception):
    """What was asked for is no longer wanted; says nothing to anybody."""


class ExplorerError(Exception):
    """An expected failure, told to the user in their own language.

    Parameters
    ----------
    code : str
        Key of the message below ``errors`` in the catalogues (``picture-empty``, ``model-unknown``).
    **values : str, int, float or Phrase
        What the message's placeholders stand for. Strings may come from a user: whoever shows the
        message as HTML escapes it. What is in words of ours is a :class:`Phrase`.

    Attributes
    ----------
    file : str
        Name of the file that could not be used, told before the sentence; empty where it is about none, or says so.

    Notes
    -----
    ``str(error)`` is the English message, so that a Python caller or a log reads a sentence, too.
    """

    def __init__(self, code: str, **values: MessageValue) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values
        self.file = ""

    def of_file(self, name: str) -> Self:
        """The same failure, which from now on says whose it is.

        Parameters
        ----------
        name : str
            Of the file, for showing.
        """
        self.file = name
        return self

    def __str__(self) -> str:
        from explorer.texts import error_text

        return error_text(self, "en")
