"""Stage 2: every patch times 𝑬, one number of the product worked out, and the filters of 𝑬."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

import ipywidgets as W
import numpy as np

from explorer.arrays import ModelArrays
from explorer.drawing import Node, Part, Row, Sign
from explorer.figures import embedding as figures
from explorer.figures.matrix import Axis
from explorer.formulas import mathml
from explorer.panels.base import Shape, StagePanel, box, html
from explorer.panels.numbers import difference, signed, size
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets import MatrixView, TilesView
from explorer.widgets.choice import Choice

__all__ = ["EmbeddingPanel"]

#: Filters on one page.
_PAGE = 64
_CHANNELS = ("red", "green", "blue")


class EmbeddingPanel(StagePanel):
    """``x_p E + b`` as matrices, as a sum of products, and as filters that patches are compared with."""

    stage = "embedding"
    number = 2
    # "term" and "filters" are the panel's own: the picked place i of the sum, and what of E's filters is shown.
    watches: ClassVar[frozenset[str]] = frozenset({"trace", "token", "dimension", "term", "filters"})
    formulas = ("embedding-term",)
    footnotes = ("footnote-slide-7",)

    def __init__(self, state: ExplorerState, **options: Any) -> None:
        self._quiet = False
        self._term: int | None = None
        self._page = 0
        self._components: tuple[ModelArrays, tuple[np.ndarray, np.ndarray]] | None = None
        super().__init__(state, **options)

    def shapes(self, trace: Trace) -> Sequence[Shape]:
        """x_p, E, the bias and the product."""
        pixels, dim = trace.patches.shape[1], trace.spec.dim
        return (
            (r"\boldsymbol{x}_p", "patches", (trace.num_patches, pixels)),
            (r"\boldsymbol{E}", "embed_weight", (pixels, dim)),
            (r"\boldsymbol{b}", "embed_bias", (dim,)),
            (r"\boldsymbol{x}_p \boldsymbol{E} + \boldsymbol{b}", "patch_embeddings", (trace.num_patches, dim)),
        )

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """Three sections, one below the other."""
        self._dimension = Choice(kind="slider")
        self._picked = html("vx-fact")
        self._patches, self._weights, self._product = MatrixView(), MatrixView(), MatrixView()
        self._about = html("vx-fact")
        self._worked_title = html("vx-section-title")
        self._tiles, self._terms = TilesView(), MatrixView()
        self._sum = html("vx-worked-sum")
        self._not_pixels = html("vx-fact")
        self._filters_title = html("vx-section-title")
        self._mode = Choice(kind="segments", options=[{"value": "filters", "label": ""}], value="filters")
        self._contrast = Choice(kind="segments", options=[{"value": "shared", "label": ""}], value="shared")
        self._pages = Choice(kind="slider")
        self._filters = TilesView()
        self._filters_note = html("vx-fact")

        self._dimension.observe(self._slid, names="value")
        self._patches.observe(self._picked_patch, names=["selected_row", "selected_col"])
        self._weights.observe(self._picked_weight, names=["selected_row", "selected_col"])
        self._product.observe(self._picked_product, names=["selected_row", "selected_col"])
        for switch in (self._mode, self._contrast):
            switch.observe(lambda _: self._own("filters"), names="value")
        self._pages.observe(self._turned, names="value")
        self._filters.observe(self._picked_filter, names="selected")

        times, plus = (html("vx-operator", value=mathml(sign)) for sign in (r"\times", r"+\,\boldsymbol{b}\;="))
        self._worked = box(
            box(self._tiles, self._terms, classes=["vx-worked-pictures"]), self._sum, classes=["vx-worked"]
        )
        return (
            box(self._dimension, self._picked, classes=["vx-row"]),
            box(self._patches, times, self._weights, plus, self._product, classes=["vx-equation"]),
            self._about,
            self._worked_title,
            self._not_pixels,
            self._worked,
            self._filters_title,
            box(self._mode, self._contrast, self._pages, classes=["vx-row"]),
            self._filters,
            self._filters_note,
        )

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Redraw what changed."""
        before, self._quiet = self._quiet, True
        try:
            anew = not changes.isdisjoint({"trace", "language"})
            if "trace" in changes and self._term is not None and self._term >= trace.patches.shape[1]:
                self._term = None
            if anew:
                self._show_controls(trace)
                self._show_product(trace)
            if anew or "dimension" in changes:
                self._page = self.state.dimension // _PAGE
            if anew or not changes.isdisjoint({"filters", "dimension"}):
                self._show_filters(trace, anew or "filters" in changes)
            self._show_selection(trace)
            self._show_worked(trace)
        finally:
            self._quiet = before

    def picture(self) -> Node:
        """Two matrices and their product."""
        x, weights, product = (
            Part(view, width=300, state={"max_size": 320}) for view in (self._patches, self._weights, self._product)
        )
        return Row([x, Sign("×"), weights, Sign("+ b ="), product], gap=20, middle=True)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _show_controls(self, trace: Trace) -> None:
        say, language = self.say, self.state.language
        for view in (self._patches, self._weights, self._product, self._tiles, self._terms, self._filters):
            view.language = language
        self._dimension.label = say("dimension")
        self._dimension.show([{"value": d, "label": f"d = {d}"} for d in range(trace.spec.dim)], self.state.dimension)
        for switch, key, values in (
            (self._mode, "show", ("filters", "components")),
            (self._contrast, "contrast", ("shared", "own")),
        ):
            switch.label = say(key)
            switch.show([{"value": value, "label": say(f"{key}-{value}")} for value in values], switch.value)
        self._filters_title.value = _heading(say("filters-title"))

    def _show_product(self, trace: Trace) -> None:
        say, prefix = self.say, trace.num_prefix
        places = self._place_names(trace)
        patches = Axis(name=say("axis-patch"), labels=[self.token_name(prefix + n) for n in range(trace.num_patches)])
        dimensions = Axis(name=say("axis-dimension"))
        self._patches.show(
            figures.patches_figure(
                trace,
                rows=patches,
                cols=Axis(name=say("axis-pixel-col"), labels=places),
                title=say("patches-title"),
                label=say("patches-label"),
                stem=self.stem("x_p"),
            )
        )
        self._weights.show(
            figures.weights_figure(
                trace.arrays,
                rows=Axis(name=say("axis-pixel-row"), labels=places),
                cols=dimensions,
                title=say("weights-title"),
                label=say("weights-label"),
                stem=self.stem("E"),
            )
        )
        self._product.show(
            figures.embeddings_figure(
                trace,
                rows=patches,
                cols=dimensions,
                title=say("product-title"),
                label=say("product-label"),
                stem=self.stem("product"),
            )
        )
        arrays, sentences = trace.arrays, [say("scales-note")]
        if not arrays.embed_bias.any():
            sentences.append(say("no-bias"))
        if arrays.patch_size != arrays.spec.patch_size:
            sentences.append(say("resampled", own=arrays.spec.patch_size, size=arrays.patch_size))
        if arrays.embed_norm is not None:
            sentences.append(say("embed-norm"))
        self._about.value = escape(self._join(sentences))

    def _show_selection(self, trace: Trace) -> None:
        token, dimension = self.state.token, self.state.dimension
        patch = max(token - trace.num_prefix, -1)
        term = -1 if self._term is None else self._term
        self._dimension.value = dimension
        self._patches.selected_row, self._patches.selected_col = patch, term
        self._weights.selected_row, self._weights.selected_col = term, dimension
        self._product.selected_row, self._product.selected_col = patch, dimension
        self._picked.value = escape(self.say("picked", token=self.token_name(token)))

    def _show_worked(self, trace: Trace) -> None:
        say, dimension = self.say, self.state.dimension
        patch = self.state.token - trace.num_prefix
        self._worked.layout.display = "none" if patch < 0 else None
        self._not_pixels.layout.display = None if patch < 0 else "none"
        name = self.token_name(self.state.token)
        self._worked_title.value = _heading(say("worked-title", token=name, d=dimension))
        if patch < 0:
            self._not_pixels.value = escape(say("not-pixels", token=name))
            return
        self._tiles.show(
            figures.patch_and_filter_tiles(
                trace,
                patch,
                dimension,
                captions=[say("tile-patch"), say("tile-filter", d=dimension)],
                title=say("tiles-title"),
                note=say("tiles-note", reach=size(float(np.abs(trace.arrays.embed_weight[:, dimension]).max()))),
                stem=self.stem(f"patch{patch}", f"filter{dimension}"),
            )
        )
        self._terms.show(
            figures.terms_figure(
                trace,
                patch,
                dimension,
                rows=say("axis-row"),
                cols=say("axis-col"),
                title=say("terms-title"),
                label=say("terms-label"),
                stem=self.stem(f"terms{patch}", f"d{dimension}"),
            )
        )
        self._sum.value = self._sum_table(trace, patch, dimension)

    def _sum_table(self, trace: Trace, patch: int, dimension: int) -> str:
        say = self.say
        product = figures.worked_product(trace, patch, dimension, picked=self._term)
        model = figures.model_number(trace, patch, dimension)
        rows = [
            f"<tr class='vx-head'><th>{escape(say('sum-place'))}</th><th>{mathml('x_{p,i}^n')}</th><th></th>"
            f"<th>{mathml('E_{i,d}')}</th><th>{escape(say('sum-term'))}</th></tr>"
        ]
        for term in product.shown:
            picked = " class='vx-picked'" if term.index == self._term else ""
            rows.append(
                f"<tr{picked}><td><i>i</i> = {term.index}: {escape(self._place(term.row, term.col, term.channel))}</td>"
                f"<td>{signed(term.x, 3)}</td><td>×</td><td>{signed(term.weight, 4)}</td>"
                f"<td>{signed(term.value, 4)}</td></tr>"
            )
        for key, value, values in (
            ("sum-rest", product.rest, {"count": product.num_rest}),
            ("sum-total", product.total, {"count": product.num_terms}),
            ("sum-bias", product.bias, {}),
        ):
            name = "vx-total" if key == "sum-total" else "vx-part"
            # To as many places as the result: whoever adds them up finds it.
            rows.append(
                f"<tr class='{name}'><td colspan='3'>{escape(say(key, **values))}</td>"
                f"<td colspan='2'>{signed(value, 8)}</td></tr>"
            )
        for key, shown in (
            ("sum-result", signed(product.result, 8)),
            ("sum-model", signed(model, 8)),
            ("sum-difference", difference(product.result - model)),
        ):
            rows.append(
                f"<tr class='vx-{key}'><td colspan='3'>{escape(say(key))}</td><td colspan='2'>{shown}</td></tr>"
            )
        return f"<table>{''.join(rows)}</table>"

    def _show_filters(self, trace: Trace, redraw: bool) -> None:
        say, dim, state = self.say, trace.spec.dim, self.state
        if self._mode.value == "components":
            self._pages.layout.display = "none"
            if redraw:
                self._show_components(trace)
            return
        starts = range(0, dim, _PAGE)
        self._page = min(self._page, len(starts) - 1)
        start, stop = starts[self._page], min(starts[self._page] + _PAGE, dim)
        self._pages.layout.display = None if len(starts) > 1 else "none"
        if redraw or self._pages.value != self._page:
            self._pages.label = say("pages")
            options = [
                {"value": page, "label": say("page", first=first, last=min(first + _PAGE, dim) - 1, dim=dim)}
                for page, first in enumerate(starts)
            ]
            self._pages.show(options, self._page)
            self._filters.show(
                figures.filter_tiles(
                    trace.arrays,
                    start,
                    stop,
                    shared=self._contrast.value == "shared",
                    captions=[str(d) for d in range(start, stop)],
                    title=say("filters-figure", first=start, last=stop - 1, dim=dim),
                    stem=self.stem("filters", f"{start}-{stop - 1}"),
                )
            )
            note = say("filters-note", side=trace.patch_size)
            self._filters_note.value = escape(self._join([note, self._scale_words(figures.filter_reach(trace.arrays))]))
        self._filters.selected = state.dimension - start if start <= state.dimension < stop else -1

    def _show_components(self, trace: Trace) -> None:
        say, arrays = self.say, trace.arrays
        if self._components is None or self._components[0] is not arrays:
            self._components = (arrays, figures.principal_components(arrays))
        components, shares = self._components[1]
        captions = [f"{100 * share:.2f} %" for share in shares]
        self._filters.show(
            figures.component_tiles(
                components,
                shared=self._contrast.value == "shared",
                captions=captions,
                title=say("components-figure", count=len(components)),
                stem=self.stem("components"),
            )
        )
        self._filters.selected = -1
        note = say("components-note", count=len(components), dim=trace.spec.dim, share=f"{100 * shares.sum():.1f}")
        self._filters_note.value = escape(self._join([note, self._scale_words(figures.values_reach(components))]))

    def _scale_words(self, reach: float) -> str:
        return self.say(f"scale-{self._contrast.value}", reach=size(reach))

    # -- words -----------------------------------------------------------------------------------------------------

    def _place(self, row: int, col: int, channel: int) -> str:
        return self.say("place", row=row, col=col, channel=self.say(_CHANNELS[channel]))

    def _place_names(self, trace: Trace) -> list[str]:
        side = trace.patch_size
        return [self._place(*figures.pixel_of(index, side)) for index in range(trace.patches.shape[1])]

    def _join(self, sentences: Sequence[str]) -> str:
        return ("" if self.state.language == "ja" else " ").join(sentences)

    # -- what the user does ----------------------------------------------------------------------------------------

    def _own(self, name: str) -> None:
        """Something of the panel's own changed."""
        if self._quiet:
            return
        try:
            self._update(frozenset({name}))
        except Exception as error:  # noqa: BLE001 - told on the page; a comm would only log it
            self.state.report(error)

    def _slid(self, change: Any) -> None:
        if not self._quiet:
            self.state.dimension = change["new"]

    def _turned(self, change: Any) -> None:
        if not self._quiet:
            self._page = change["new"]
            self._own("filters")

    def _picked_patch(self, _: Any) -> None:
        self._pick(row=self._patches.selected_row, term=self._patches.selected_col)

    def _picked_weight(self, _: Any) -> None:
        self._pick(dimension=self._weights.selected_col, term=self._weights.selected_row)

    def _picked_product(self, _: Any) -> None:
        self._pick(row=self._product.selected_row, dimension=self._product.selected_col)

    def _picked_filter(self, change: Any) -> None:
        if self._mode.value == "filters" and change["new"] >= 0:
            self._pick(dimension=self._page * _PAGE + change["new"])

    def _pick(self, *, row: int = -1, dimension: int = -1, term: int = -1) -> None:
        trace = self.state.trace
        if self._quiet or trace is None:
            return
        with self.state.batch():
            if 0 <= row < trace.num_patches:
                self.state.token = trace.num_prefix + row
            if 0 <= dimension < trace.spec.dim:
                self.state.dimension = dimension
        if 0 <= term < trace.patches.shape[1] and term != self._term:
            self._term = term
            self._own("term")


def _heading(words: str) -> str:
    return f"<h3>{escape(words)}</h3>"
