"""Small parts of the page that have to live in the browser: its address, its style, what is in view, its contents."""

from __future__ import annotations

import pathlib

import traitlets

from explorer.resources import page_style
from explorer.texts import LANGUAGES
from explorer.widgets._esm import bundle
from explorer.widgets.main_shell import FrontEnd

__all__ = ["LostKernel", "PageAddress", "SeenMarker", "StageNav", "StyleSheet"]

_HERE = pathlib.Path(__file__).parent


class LostKernel(FrontEnd):
    """Shows a sentence once the kernel is gone, and with it all that could say so; empty until then.

    Attributes
    ----------
    sentence : str
        What to say: it has to be in the browser beforehand.
    """

    _esm = _HERE / "lost_kernel.js"
    sentence = traitlets.Unicode("").tag(sync=True)


class PageAddress(FrontEnd):
    """Tells the kernel the page's query parameters, and the page its language and title.

    Attributes
    ----------
    parameters : dict of str to str
        The query parameters of the page's address; written by the browser, so hostile until checked.
    languages : list of str
        Codes of those that there are.
    greet : bool
        Whether a page in a notebook may still choose the browser's language, as nobody has said anything of one.
    language : str
        Code of the language that the page is in; set as ``lang`` of the page's parts for fonts and readers.
    stage : str
        Stage to go to.
    title : str
        Title of the browser's window where the page is ours (under Voilà).
    """

    _esm = bundle("page_address.js")
    parameters = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Unicode()).tag(sync=True)
    languages = traitlets.List(traitlets.Unicode(), list(LANGUAGES)).tag(sync=True)
    greet = traitlets.Bool(True).tag(sync=True)
    language = traitlets.Unicode("en").tag(sync=True)
    stage = traitlets.Unicode("").tag(sync=True)
    title = traitlets.Unicode("ViT Explorer").tag(sync=True)


class SeenMarker(FrontEnd):
    """Tells the kernel whether the part of the page that it stands in is in view, or about to come into it."""

    _esm = _HERE / "seen_marker.js"
    visible = traitlets.Bool(False).tag(sync=True)


class StageNav(FrontEnd):
    """The page's contents, one link a stage; the stage in view is marked.

    Attributes
    ----------
    stages : list of dict
        ``id`` (a CSS class of the section without its ``vx-stage-``), ``number``, ``name``.
    label : str
        What a screen reader calls the list.
    """

    _esm = bundle("stage_nav.js")
    stages = traitlets.List(traitlets.Dict()).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)


class StyleSheet(FrontEnd):
    """Brings the page's style sheet, which works in Voilà and JupyterLab alike; shows nothing itself."""

    _esm = _HERE / "style_sheet.js"
    _css = page_style()
