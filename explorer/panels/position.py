"""Stage 3: CLS on top, 𝑬_pos added, and what position embeddings look like: learned, 1-D and 2-D sinusoidal."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

import ipywidgets as W
import numpy as np

from explorer.drawing import Node
from explorer.figures import position as figures
from explorer.figures import position_tables
from explorer.figures.matrix import Axis, Scale, symmetric_scale
from explorer.formulas import formula, mathml
from explorer.panels.base import Shape, StagePanel, box, html
from explorer.panels.equations import norm_kind, norm_name, sum_equation
from explorer.panels.numbers import bracketed, percents, root_mean_square, signed, size
from explorer.panels.position_column import TableColumn, columns_picture
from explorer.panels.position_words import before_title_key, joined, listed, prefix_shape, sentence_key, title_names
from explorer.panels.stems import picture_stem
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets import MatrixView
from explorer.widgets.choice import Choice

__all__ = ["PositionPanel"]

_KEYS = ("model", "1d", "2d")


class PositionPanel(StagePanel):
    """The sum that becomes z₀, and three tables of position embeddings side by side."""

    stage = "position"
    number = 3
    # The panel's own: whose tables are compared, on which scale, and which picture of their similarity is shown.
    watches: ClassVar[frozenset[str]] = frozenset({"trace", "token", "dimension", "setting", "scales", "similarity"})
    footnotes = ("footnote-wavelength", "footnote-number")

    def __init__(self, state: ExplorerState, **options: Any) -> None:
        self._quiet = False
        self._tables: position_tables.PositionTables | None = None
        # In the slides' own setting there is no token and no model whose dimension could be picked.
        self._slide_place, self._slide_dimension = 0, 0
        super().__init__(state, **options)

    @property
    def formulas(self) -> Sequence[str]:  # type: ignore[override]
        """What 𝒛₀ is in this model."""
        return (sum_equation(self.state.trace),)

    def say(self, key: str, /, **values: Any) -> str:
        """A text of this stage; the sentence at its head is about what this model puts on top of its patches."""
        return super().say(sentence_key(self.state.trace) if key == "sentence" else key, **values)

    def shapes(self, trace: Trace) -> Sequence[Shape]:
        """The prefix, E_pos and z_0."""
        sizes = (trace.num_tokens, trace.spec.dim)
        return (
            *prefix_shape(trace),
            (r"\boldsymbol{E}_{pos}", "pos_embed", sizes),
            (r"\boldsymbol{z}_0", "z[0]", sizes),
        )

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """The sum, then the tables, a dimension of them, and how alike positions are."""
        self._sum_picked = html("vx-fact")
        self._before, self._added, self._sum = MatrixView(), MatrixView(), MatrixView()
        self._sum_mode = Choice(kind="segments", options=[{"value": "tokens", "label": ""}], value="tokens")
        self._sum_words = html("vx-fact")
        self._titles = {name: html("vx-section-title") for name in ("tables", "dimension", "several", "similarity")}
        self._setting = Choice(kind="segments", options=[{"value": "model", "label": ""}], value="model")
        self._scales = Choice(kind="segments", options=[{"value": "own", "label": ""}], value="own")
        self._dimension = Choice(kind="slider")
        self.similarity = Choice(kind="segments", options=[{"value": "one", "label": ""}], value="one")
        self._similarity_words = html("vx-fact")
        self._similarity_formula = html("vx-column-formulas", value=formula("similarity"))
        self.columns = [TableColumn(key, self.say, self._picked) for key in _KEYS]

        for view in (self._before, self._added, self._sum):
            view.observe(self._from_sum, names=["selected_row", "selected_col"])
        self._sum_mode.observe(lambda _: self._own("trace"), names="value")
        self._setting.observe(self._set_setting, names="value")
        self._scales.observe(lambda _: self._own("scales"), names="value")
        self.similarity.observe(lambda _: self._own("similarity"), names="value")
        self._dimension.observe(lambda change: self._picked(-1, change["new"]), names="value")

        plus, equals = (html("vx-operator", value=mathml(sign)) for sign in ("+", "="))
        self._rows = {
            name: box(*(column.cells[name] for column in self.columns), classes=["vx-tables"])
            for name in self.columns[0].cells
        }
        return (
            box(self._before, plus, self._added, equals, self._sum, classes=["vx-equation"]),
            self._sum_mode,
            self._sum_picked,
            self._sum_words,
            self._titles["tables"],
            box(self._setting, self._scales, classes=["vx-row"]),
            self._rows["table"],
            self._titles["dimension"],
            box(self._dimension, classes=["vx-row"]),
            self._rows["wave"],
            self._rows["grid"],
            self._titles["several"],
            self._rows["several"],
            self._titles["similarity"],
            box(self.similarity, self._similarity_formula, classes=["vx-row"]),
            self._rows["one"],
            self._rows["all"],
            self._similarity_words,
        )

    def excerpt(self) -> Sequence[W.Widget]:
        """The tables, several dimensions of each, and how alike all positions are."""
        names, rows = ("tables", "several", "similarity"), ("table", "several", "all")
        parts = [part for name, row in zip(names, rows, strict=True) for part in (self._titles[name], self._rows[row])]
        return (*parts, self._similarity_words)

    def picture(self) -> Node:
        """The tables side by side, and below each how alike its positions are to the picked one."""
        return columns_picture(self.columns, self.say("none-added"))

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Redraw what changed."""
        before, self._quiet = self._quiet, True
        try:
            anew = not changes.isdisjoint({"trace", "language"})
            if anew:
                self._show_controls(trace)
                self._show_sum(trace)
            if anew or "setting" in changes:
                self._use_tables(trace)
            tables_changed = anew or not changes.isdisjoint({"setting", "scales"})
            if tables_changed:
                self._show_tables()
            moved = tables_changed or not changes.isdisjoint({"token", "dimension"})
            if moved:
                self._show_dimension(trace)
            if anew or not changes.isdisjoint({"setting", "similarity", "token"}):
                afresh = anew or not changes.isdisjoint({"setting", "similarity"})
                self._show_similarity(self._place(trace), afresh)
            self._show_selection(trace)
        finally:
            self._quiet = before

    # -- what is picked --------------------------------------------------------------------------------------------

    @property
    def _slides(self) -> bool:
        return self._setting.value == "slides"

    def _place(self, trace: Trace) -> int | None:
        """The picked token's place on the grid; None for a prefix token."""
        if self._slides:
            return self._slide_place
        patch = self.state.token - trace.num_prefix
        if patch < 0:
            return None
        places, _ = trace.intervention.layout(trace.grid[0] * trace.grid[1])
        return int(places[patch])

    def _shown_dimension(self) -> int:
        return self._slide_dimension if self._slides else self.state.dimension

    def _name(self) -> str:
        if not self._slides:
            return self.token_name(self.state.token)
        row, col = divmod(self._slide_place, position_tables.SLIDE_GRID[1])
        return self.say("place", place=self._slide_place, row=row, col=col)

    # -- the sum ---------------------------------------------------------------------------------------------------

    def _show_controls(self, trace: Trace) -> None:
        say = self.say
        for name, title in self._titles.items():
            title.value = f"<h3>{escape(say(f'{name}-title'))}</h3>"
        for view in (self._before, self._added, self._sum):
            view.language = self.state.language
        rows, cols = trace.grid
        slide_rows, slide_cols = position_tables.SLIDE_GRID
        self._setting.label = say("setting")
        settings = [
            {"value": "model", "label": say("setting-model", rows=rows, cols=cols, dim=trace.spec.dim)},
            {
                "value": "slides",
                "label": say("setting-slides", rows=slide_rows, cols=slide_cols, dim=position_tables.SLIDE_DIM),
            },
        ]
        self._setting.show(settings, self._setting.value)
        for control, key, values in (
            (self._scales, "scales", ("own", "same")),
            (self.similarity, "similarity", ("one", "all")),
            (self._sum_mode, "sum", ("tokens", "z0")),
        ):
            control.label = say(key)
            control.show([{"value": value, "label": say(f"{key}-{value}")} for value in values], control.value)
        normed = trace.arrays.norm_pre is not None
        self._sum_mode.layout.display = None if normed else "none"

    def _show_sum(self, trace: Trace) -> None:
        say = self.say
        before, added = figures.tokens_before(trace), trace.pos_embed
        normed = trace.arrays.norm_pre is not None and self._sum_mode.value == "z0"
        # Where a model normalises first, its z_0 has a scale of its own; else both ends of the sum share one.
        after = trace.z[0] if normed else trace.tokens
        common = symmetric_scale(before if normed else np.concatenate([before, after]), say("value-label"))
        scale_after = symmetric_scale(after, say("value-label")) if normed else common
        scale_added = symmetric_scale(added, say("value-label"))
        rows = Axis(
            name=say("axis-token"),
            labels=[self.token_name(token) for token in range(trace.num_tokens)],
            marks=dict(enumerate(trace.prefix_names)),
            # Rows are numbered as patches are in every other stage, not as tokens.
            first=-trace.num_prefix,
        )
        cols = Axis(name=say("axis-dimension"))
        title_after = "sum-figure" if trace.arrays.norm_pre is not None and not normed else "z0-figure"
        for view, values, scale, key in (
            (self._before, before, common, before_title_key(trace)),
            (self._added, added, scale_added, "added-figure"),
            (self._sum, after, scale_after, title_after),
        ):
            title = say(key, names=listed(title_names(trace), self.state.language), norm=norm_name(norm_kind(trace)))
            stem = self.stem({"added-figure": "E_pos", title_after: "z0"}.get(key, "before"))
            view.show(figures.token_figure(values, scale, rows=rows, cols=cols, title=title, stem=stem))
        self._sum_words.value = escape(joined(self._about_sum(trace, common, scale_added, normed), self.state.language))

    def _about_sum(self, trace: Trace, common: Scale, added: Scale, normed: bool) -> list[str]:
        say, arrays = self.say, trace.arrays
        names = listed(trace.prefix_names, self.state.language)
        words = [say("prefix-words", names=names) if trace.num_prefix else say("no-prefix-words")]
        changed = trace.intervention.table is not None or trace.intervention.pos_embed is None
        if changed:
            words.append(say("replaced"))
        if not trace.pos_embed.any():
            words.append(say("none-added"))
        else:
            if not changed and (missing := [trace.prefix_names[row] for row in position_tables.zero_rows(arrays)]):
                words.append(say("zero-rows", names=listed(missing, self.state.language)))
            share = root_mean_square(trace.pos_embed) / (root_mean_square(figures.tokens_before(trace)) or 1.0)
            key = "sum-scales-norm" if normed else "sum-scales"
            words.append(say(key, reach=size(common.high), added=size(added.high), share=percents(share)))
        native = arrays.spec.image_size // arrays.spec.patch_size
        if not changed and trace.pos_embed.any() and (native, native) != arrays.grid:
            key = "worked-out-anew" if arrays.spec.frozen_positions else "interpolated"
            words.append(say(key, own=native, rows=trace.grid[0], cols=trace.grid[1]))
        if arrays.norm_pre is not None:
            words.append(say("norm-pre"))
        if trace.num_patches < trace.grid[0] * trace.grid[1]:
            words.append(say("dropped", kept=trace.num_patches, all=trace.grid[0] * trace.grid[1]))
        return words

    # -- the tables ------------------------------------------------------------------------------------------------

    def _use_tables(self, trace: Trace) -> None:
        say = self.say
        tables = self._tables = position_tables.slide_tables() if self._slides else position_tables.model_tables(trace)
        kind: str = tables.kind
        if trace.intervention.table is not None:
            kind = "replaced"
        elif kind == "learned" and trace.spec.random_weights:
            kind = "random"
        for column in self.columns:
            missing = ""
            if column.key == "model":
                name = say("name-model", kind=say(f"kind-{kind}"))
                if kind == "none" and not self._slides:
                    missing = say("none-added")
            else:
                name = say(f"name-{column.key}")
                if column.key not in tables.tables:
                    missing = say(f"missing-{column.key}", dim=tables.dim)
            column.use(tables, name, missing, self.state.language, words="" if kind == "none" else say(f"words-{kind}"))
        self._dimension.label = say("dimension")
        options = [{"value": d, "label": f"d = {d}"} for d in range(tables.dim)]
        self._dimension.show(options, min(self._shown_dimension(), tables.dim - 1))

    def _table_scales(self) -> dict[str, Scale]:
        if self._tables is None:
            return {}
        label = self.say("value-label")
        return position_tables.table_scales(self._tables, same=self._scales.value == "same", label=label)

    def _stem(self, name: str, key: str) -> str:
        return picture_stem(self.stage, "slides", name, key) if self._slides else self.stem(name, key)

    def _show_tables(self) -> None:
        scales = self._table_scales()
        for column in self.columns:
            if column.key in scales:
                column.show_table(scales[column.key], self._stem("table", column.key))
                column.show_several(scales[column.key], self._stem("dimensions", column.key))

    def _show_dimension(self, trace: Trace) -> None:
        scales, dimension, place = self._table_scales(), self._shown_dimension(), self._place(trace)
        for column in self.columns:
            if column.key in scales:
                stem = self._stem(f"d{dimension}", column.key)
                column.show_dimension(dimension, place, scales[column.key], stem)

    def _show_similarity(self, place: int | None, afresh: bool) -> None:
        say, tables = self.say, self._tables
        if tables is None:
            return
        whole = self.similarity.value == "all"
        self._rows["one"].layout.display = "none" if whole else None
        self._rows["all"].layout.display = None if whole else "none"
        if whole and not afresh:
            return
        if whole:
            counts = [column.show_all(self._stem("similarities", column.key)) for column in self.columns]
            shown, count = max(counts)
            key = "all-words" if shown == count else "all-words-cut"
            self._similarity_words.value = escape(say(key, shown=shown, count=count))
            return
        name = self._name()
        self._similarity_words.value = escape(say("one-words", name=name))
        for column in self.columns:
            query: Any = place
            missing = ""
            if place is None:
                # A prefix token: only the model's own table may have a row for it.
                row = tables.prefix[self.state.token]
                query = row
                if column.key != "model" or not row.any():
                    missing = say("no-row", name=name)
            column.show_similarity(query, missing, self._stem(f"similarity-{self.state.token}", column.key))

    def _show_selection(self, trace: Trace) -> None:
        token, dimension = self.state.token, self.state.dimension
        for view in (self._before, self._added, self._sum):
            view.selected_row, view.selected_col = token, dimension
        before = float(figures.tokens_before(trace)[token, dimension])
        added, total = float(trace.pos_embed[token, dimension]), float(trace.tokens[token, dimension])
        numbers = f"{signed(before, 4)} + {bracketed(added)} = {signed(total, 4)}"
        self._sum_picked.value = escape(
            self.say("sum-picked", token=self.token_name(token), d=dimension, numbers=numbers)
        )
        place, shown = self._place(trace), self._shown_dimension()
        self._dimension.value = shown
        for column in self.columns:
            column.select(place, shown)

    # -- words -----------------------------------------------------------------------------------------------------

    # -- what the user does ----------------------------------------------------------------------------------------

    def _own(self, name: str) -> None:
        """Something of the panel's own changed."""
        if self._quiet:
            return
        try:
            self._update(frozenset({name}))
        except Exception as error:  # noqa: BLE001 - told on the page; a comm would only log it
            self.state.report(error)

    def _set_setting(self, change: Any) -> None:
        trace = self.state.trace
        if self._quiet or trace is None:
            return
        if change["new"] == "slides":
            # Where the picked patch lies, on the slides' grid.
            rows, cols = position_tables.SLIDE_GRID
            patch = self.state.token - trace.num_prefix
            row, col = divmod(int(trace.patch_index[max(patch, 0)]), trace.grid[1])
            self._slide_place = (row * rows // trace.grid[0]) * cols + col * cols // trace.grid[1]
            self._slide_dimension = min(self.state.dimension, position_tables.SLIDE_DIM - 1)
        self._own("setting")

    def _from_sum(self, change: Any) -> None:
        view, trace = change["owner"], self.state.trace
        if self._quiet or trace is None:
            return
        with self.state.batch():
            if 0 <= view.selected_row < trace.num_tokens:
                self.state.token = view.selected_row
            if 0 <= view.selected_col < trace.spec.dim:
                self.state.dimension = view.selected_col

    def _picked(self, place: int, dimension: int) -> None:
        """A place of the grid or a dimension was picked in a table; -1 for what was not."""
        trace, tables = self.state.trace, self._tables
        if self._quiet or trace is None or tables is None:
            return
        rows, cols = tables.grid
        if self._slides:
            if 0 <= place < rows * cols:
                self._slide_place = place
            if 0 <= dimension < tables.dim:
                self._slide_dimension = dimension
            self._own("token")
            return
        with self.state.batch():
            places, _ = trace.intervention.layout(rows * cols)
            tokens = np.flatnonzero(places == place)
            if len(tokens):
                self.state.token = trace.num_prefix + int(tokens[0])
            if 0 <= dimension < tables.dim:
                self.state.dimension = dimension
