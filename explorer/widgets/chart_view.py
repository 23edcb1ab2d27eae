"""A plotly chart on the page. Plotly's code, 1.5 MB compressed, reaches a page once, when its first chart is seen."""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import traitlets

from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["ChartView", "plotly_library"]


class ChartView(ExplorerWidget):
    """Shows a ``go.Figure`` (bars, lines, dots), without plotly's own ``FigureWidget``.

    A ``FigureWidget`` sends its copy of plotly's 5 MB of JavaScript with every instance. Here a page asks for them when
    it first draws a chart, and all its charts share them.

    Attributes
    ----------
    height : int
        Height in CSS pixels, unless the figure's layout sets its own. It is kept free while the chart loads.
    stem : str
        File name of saved pictures.
    alt : str
        What the chart shows, for those who cannot see it.
    clicked : dict
        The point that was clicked last: ``curve``, ``point`` and a count ``n`` that makes each click a change.
    """

    _esm = bundle("chart_view.js")
    _css = stylesheet()

    height = traitlets.Int(360, min=80).tag(sync=True)
    stem = traitlets.Unicode("chart").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    clicked = traitlets.Dict().tag(sync=True)
    figure_json = traitlets.Unicode("", read_only=True).tag(sync=True)
    version = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, figure: go.Figure | None = None, alt: str = "", **traits: Any) -> None:
        super().__init__(alt=alt, **traits)
        self.on_msg(self._on_message)
        if figure is not None:
            self.show(figure, alt)

    @traitlets.default("version")
    def _plotly_version(self) -> str:
        from importlib.metadata import version

        return version("plotly")

    def show(self, fig: go.Figure | dict[str, Any], alt: str, *, stem: str | None = None) -> None:
        """Show a chart in place of the one before.

        Parameters
        ----------
        fig : go.Figure or dict
            Fonts, colours, background and margins that it does not set are the page's.
        alt : str
            What it shows, in a sentence.
        stem : str, optional
            File name of saved pictures; the one before if not given.
        """
        data = json.dumps(fig) if isinstance(fig, dict) else _without_template(fig)
        with self.hold_sync():
            self.set_trait("figure_json", data)
            self.alt = alt
            if stem is not None:
                self.stem = stem

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Hand plotly's code to a page that does not have it."""
        if isinstance(content, dict) and content.get("kind") == "library":
            self.send({"kind": "library"}, buffers=[plotly_library()])


@cache
def plotly_library() -> bytes:
    """Plotly's JavaScript as the plotly package brings it, gzipped."""
    source = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    return gzip.compress(source, compresslevel=6, mtime=0)


def _without_template(fig: go.Figure) -> str:
    """JSON of a figure; plotly's default template, which it carries along, would speak against the page's look."""
    content = json.loads(fig.to_json())
    content.get("layout", {}).pop("template", None)
    return json.dumps(content, separators=(",", ":"))
