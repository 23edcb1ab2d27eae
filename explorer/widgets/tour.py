"""The guided tour in the browser: a question over every stage, its picture covered until it is answered."""

from __future__ import annotations

import traitlets

from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.main_shell import FrontEnd

__all__ = ["TourGuide"]


class TourGuide(FrontEnd):
    """A button, and while the tour runs a card in every stage of the page that the widget stands on.

    Attributes
    ----------
    running : bool
        Whether the tour is on; set from either side.
    stages : list of dict
        ``id``, ``number`` and ``name`` of the page's stages.
    wanted : list of str
        Ids of the stages whose questions are needed. Written by the browser.
    cards : dict of str to dict
        By stage: ``id`` of the question, ``question``, ``choices``, ``right`` (place of the right choice; −1 while it
        is being worked out, or for good where ``failed``), ``why`` and ``look``.
    answers : dict of str to dict
        By stage: ``id`` of the question that was answered, and the ``choice`` (−1 for *show me*). Written by the
        browser; an answer to another question than the card's counts for nothing.
    texts : dict of str to str
        The words around the questions; see ``locales/*/tour.toml``.
    """

    _esm = bundle("tour.js")
    _css = stylesheet("tour.css")
    running = traitlets.Bool(False).tag(sync=True)
    stages = traitlets.List(traitlets.Dict()).tag(sync=True)
    wanted = traitlets.List(traitlets.Unicode()).tag(sync=True)
    cards = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Dict()).tag(sync=True)
    answers = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Dict()).tag(sync=True)
    texts = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Unicode()).tag(sync=True)
