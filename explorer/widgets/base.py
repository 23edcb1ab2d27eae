"""What all our widgets share: their language and its labels."""

from __future__ import annotations

from typing import Any, ClassVar

import traitlets

from explorer.figures.front_end import scale_state
from explorer.texts import LANGUAGES, catalogue
from explorer.widgets.main_shell import FrontEnd

__all__ = ["ExplorerWidget", "scale_state"]


class ExplorerWidget(FrontEnd):
    """An anywidget whose words come from section ``widgets`` of the catalogues, and from others that a class names.

    Attributes
    ----------
    language : str
        One of :data:`explorer.texts.LANGUAGES`; may change at any time.
    labels : dict of str to str
        The front end's words in that language, placeholders still in them. Follows ``language``.
    """

    _sections: ClassVar[tuple[str, ...]] = ("widgets",)

    language = traitlets.Enum(tuple(LANGUAGES), default_value="en").tag(sync=True)
    labels = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        unknown = sorted(name for name in traits if not self.has_trait(name))
        if unknown:
            raise TypeError(f"{type(self).__name__} has no {', '.join(unknown)}")
        super().__init__(**traits)

    @traitlets.default("labels")
    def _default_labels(self) -> dict[str, str]:
        return _words(self.language, self._sections)

    @traitlets.observe("language")
    def _on_language(self, change: Any) -> None:
        self.set_trait("labels", _words(change.new, self._sections))


def _words(language: str, sections: tuple[str, ...]) -> dict[str, str]:
    """Entries without their section's name; of equal ones, those of the section that is named first."""
    words: dict[str, str] = {}
    for section in reversed(sections):
        entries = ((key, entry) for key, entry in catalogue(language).items() if key.startswith(f"{section}."))
        words |= {key.removeprefix(f"{section}."): entry for key, entry in entries}
    return words
