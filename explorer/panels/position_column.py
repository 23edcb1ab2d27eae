"""One of the tables of position embeddings that stage 3 compares, in all its pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as W

from explorer.drawing import Column, Node, Part, Row, Words
from explorer.figures import position as figures
from explorer.figures.matrix import Axis, Scale
from explorer.figures.position_tables import PositionTables, wave_of, wave_window
from explorer.formulas import formula
from explorer.panels.base import box, html
from explorer.panels.numbers import size
from explorer.widgets import ChartView, MatrixView, TilesView

__all__ = ["TableColumn", "columns_picture"]

Say = Callable[..., str]
_FORMULAS = {
    "model": (),
    "1d": ("sinusoidal-1d-sin", "sinusoidal-1d-cos"),
    "2d": ("sinusoidal-2d-x-sin", "sinusoidal-2d-x-cos", "sinusoidal-2d-y-sin", "sinusoidal-2d-y-cos"),
}
#: Told the place and the dimension that were picked; -1 for what was not.
Picked = Callable[[int, int], None]


class TableColumn:
    """A table's pictures; they stand one below the other with those of the other tables at their sides.

    Parameters
    ----------
    key : {"model", "1d", "2d"}
    say : callable
        Texts of the stage in the page's language.
    picked : callable
        Told what the user picks.

    Attributes
    ----------
    cells : dict of str to Widget
        One for each row of the comparison: ``table``, ``wave``, ``grid``, ``several``, ``one``, ``all``.
    """

    def __init__(self, key: str, say: Say, picked: Picked) -> None:
        self.key = key
        self._say = say
        self._picked = picked
        self._quiet = False
        self._tables: PositionTables | None = None
        self._name = ""
        self._hidden = True
        self._words = ""
        self._dimensions: tuple[int, ...] = ()
        self._places: tuple[int, ...] = ()
        self._missing, self._scale_words, self._about = html("vx-fact"), html("vx-fact"), html("vx-fact")
        self._table, self._grid, self._one = MatrixView(), MatrixView(max_size=360), MatrixView(max_size=360)
        self._several, self._all = TilesView(), TilesView()
        self._wave_words, self._wave = html("vx-fact", "vx-two-lines"), ChartView()
        self._one_words = html("vx-fact")
        self._table.observe(self._from_table, names=["selected_row", "selected_col"])
        for view in (self._grid, self._one):
            view.observe(self._from_grid, names=["selected_row", "selected_col"])
        self._several.observe(self._from_several, names="selected")
        self._all.observe(self._from_all, names="selected")
        self.cells: dict[str, W.Widget] = {
            "table": box(self._missing, self._table, self._scale_words, self._about, classes=["vx-cell"]),
            "wave": box(self._wave_words, self._wave, classes=["vx-cell"]),
            "grid": box(self._grid, classes=["vx-cell"]),
            "several": box(self._several, classes=["vx-cell"]),
            "one": box(self._one_words, self._one, classes=["vx-cell"]),
            "all": box(self._all, classes=["vx-cell"]),
        }

    # -- what is shown ---------------------------------------------------------------------------------------------

    @property
    def table(self) -> Any:
        """The table's numbers, None where there is no such table."""
        return None if self._tables is None else self._tables.tables.get(self.key)

    def use(self, tables: PositionTables, name: str, missing: str, language: str, *, words: str) -> None:
        """Take another set of tables.

        Parameters
        ----------
        tables : PositionTables
        name : str
            What the table is called.
        missing : str
            Why there is nothing to see, empty where there is.
        language : str
        words : str
            Where the numbers of the model's own table come from.
        """
        self._tables = tables
        self._name = name
        self._words = words
        for view in (self._table, self._grid, self._several, self._one, self._all, self._wave):
            view.language = language
        self._dimensions = figures.chosen_dimensions(tables.dim)
        self._hidden = bool(missing) or self.key not in tables.tables
        for row, cell in self.cells.items():
            cell.layout.display = None if self.key in tables.tables or missing else "none"
            # A table that cannot be made still has its place, and a sentence in it.
            cell.layout.visibility = "hidden" if missing and row != "table" else None
        self._missing.value = f"<h4>{escape(name)}</h4><p>{escape(missing)}</p>"
        self._missing.layout.display = None if missing else "none"
        for widget in (self._table, self._scale_words, *((self._about,) if self.key == "model" else ())):
            widget.layout.display = "none" if missing else None
        formulas = "".join(f"<div class='vx-formula'>{formula(part)}</div>" for part in _FORMULAS[self.key])
        self._about.value = f"<div class='vx-column-formulas'>{formulas or escape(words)}</div>"

    def show_table(self, scale: Scale, stem: str) -> None:
        """The whole table, (N, D)."""
        if self._hidden or self._tables is None:
            return
        say = self._say
        figure = figures.table_figure(
            self.table,
            scale,
            rows=Axis(name=say("axis-place")),
            cols=Axis(name=say("axis-dimension")),
            title=self._name,
            stem=stem,
        )
        self._show(self._table, figure)
        self._scale_words.value = escape(say("scale-words", reach=size(scale.high)))

    def show_several(self, scale: Scale, stem: str) -> None:
        """Several dimensions, each laid out on the grid."""
        if self._hidden or self._tables is None:
            return
        figure = figures.dimension_tiles(
            self.table,
            self._dimensions,
            self._tables.grid,
            scale,
            captions=[f"d = {dimension}" for dimension in self._dimensions],
            title=self._name,
            stem=stem,
        )
        self._show(self._several, figure)

    def show_dimension(self, dimension: int, place: int | None, scale: Scale, stem: str) -> None:
        """One dimension: as a wave, and laid out on the grid."""
        if self._hidden or self._tables is None:
            return
        say, tables = self._say, self._tables
        self._wave_words.value = f"<h4>{escape(self._name)}</h4><p>{escape(self._wave_name(dimension))}</p>"
        count = len(self.table)
        window = wave_window(count, dimension, tables.dim, place)
        part = {"first": window.start, "last": window.stop - 1, "count": count}
        wave = figures.wave_chart(
            self.table,
            dimension,
            scale,
            name=self._name,
            x_title=say("wave-axis") if len(window) == count else say("wave-axis-part", **part),
            y_title=say("wave-value", d=dimension),
            position=place,
            window=window,
        )
        self._wave.show(wave, say("wave-alt", name=self._name, d=dimension), stem=f"{stem}-wave")
        figure = figures.grid_figure(
            self.table,
            dimension,
            tables.grid,
            scale,
            rows=Axis(name=say("axis-row")),
            cols=Axis(name=say("axis-col")),
            title=say("grid-figure", d=dimension),
            stem=stem,
        )
        self._show(self._grid, figure)

    def _wave_name(self, dimension: int) -> str:
        say, tables = self._say, self._tables
        if tables is None:
            return ""
        if self.key == "model":
            return self._words
        wave = wave_of("1d" if self.key == "1d" else "2d", dimension, tables.dim)
        return say(f"wave-{wave.over}", function=wave.function, i=wave.pair, length=size_of_wave(wave.wavelength))

    def show_similarity(self, query: Any, missing: str, stem: str) -> None:
        """How alike every place is to the picked one.

        Parameters
        ----------
        query : int or (D,) array
        missing : str
            Why there is nothing to see, empty where there is.
        stem : str
        """
        if self._hidden or self._tables is None:
            return
        say = self._say
        self._one_words.value = f"<h4>{escape(self._name)}</h4><p>{escape(missing)}</p>"
        self._one_words.layout.display = None if missing else "none"
        self._one.layout.display = "none" if missing else None
        if missing:
            return
        figure = figures.similarity_figure(
            self.table,
            query,
            self._tables.grid,
            rows=Axis(name=say("axis-row")),
            cols=Axis(name=say("axis-col")),
            title=self._name,
            label=say("similarity-label"),
            stem=stem,
        )
        self._show(self._one, figure)

    def show_all(self, stem: str) -> tuple[int, int]:
        """How alike all places are; how many of how many have a tile."""
        if self._hidden or self._tables is None:
            return 0, 0
        figure, self._places = figures.similarity_tiles(
            self.table, self._tables.grid, title=self._name, label=self._say("similarity-label"), stem=stem
        )
        self._show(self._all, figure)
        return len(self._places), len(self.table)

    def select(self, place: int | None, dimension: int) -> None:
        """Mark what is picked."""
        if self._hidden or self._tables is None:
            return
        row, col = (-1, -1) if place is None else divmod(place, self._tables.grid[1])
        before, self._quiet = self._quiet, True
        try:
            self._table.selected_row, self._table.selected_col = -1 if place is None else place, dimension
            for view in (self._grid, self._one):
                view.selected_row, view.selected_col = row, col
            self._several.selected = self._dimensions.index(dimension) if dimension in self._dimensions else -1
            self._all.selected = self._places.index(place) if place is not None and place in self._places else -1
        finally:
            self._quiet = before

    def shown(self, row: str) -> bool:
        """Whether there is something to see in a row of the comparison: ``table``, ``one`` or ``several``."""
        return not self._hidden and (row != "one" or self._one.layout.display != "none")

    def part(self, row: str) -> Part:
        """One of its pictures, for slides."""
        view = {"table": self._table, "one": self._one, "several": self._several}[row]
        if row == "table":
            # Of a table with more places than dimensions the height is what counts.
            flat = self._table.figure is not None and self._table.figure.aspect == "equal"
            return Part(view, width=320, state={"max_size": 320 if flat else 200, "selected_col": -1})
        return Part(view, width=320, title="", state={"max_size": 142} if row == "one" else {"max_tile": 34})

    def linked(self) -> list[tuple[W.Widget, str, list[int]]]:
        """Views that mark the picked place, with the trait that says it and its value for each place of the grid."""
        if self._hidden or self._tables is None:
            return []
        count = len(self.table)
        tiles = {place: tile for tile, place in enumerate(self._places)}
        return [
            (self._table, "selected_row", list(range(count))),
            (self._all, "selected", [tiles.get(place, -1) for place in range(count)]),
        ]

    def _show(self, view: Any, figure: Any) -> None:
        before, self._quiet = self._quiet, True
        try:
            view.show(figure)
        finally:
            self._quiet = before

    # -- what the user does ----------------------------------------------------------------------------------------

    def _from_table(self, _: Any) -> None:
        self._tell(self._table.selected_row, self._table.selected_col)

    def _from_grid(self, change: Any) -> None:
        view = change["owner"]
        if self._tables is not None and view.selected_row >= 0 and view.selected_col >= 0:
            self._tell(view.selected_row * self._tables.grid[1] + view.selected_col, -1)

    def _from_several(self, change: Any) -> None:
        if 0 <= change["new"] < len(self._dimensions):
            self._tell(-1, self._dimensions[change["new"]])

    def _from_all(self, change: Any) -> None:
        if 0 <= change["new"] < len(self._places):
            self._tell(self._places[change["new"]], -1)

    def _tell(self, place: int, dimension: int) -> None:
        if not self._quiet:
            self._picked(place, dimension)


def columns_picture(columns: Sequence[TableColumn], otherwise: str) -> Node:
    """The tables side by side, for slides; below each how alike its positions are to the picked one.

    Parameters
    ----------
    columns : sequence of TableColumn
    otherwise : str
        What is said where there is no table at all.

    Returns
    -------
    Node
    """
    tables = [column for column in columns if column.shown("table")]
    if not tables:
        return Words(text=otherwise, width=600, size=20)
    lower = "one" if all(column.shown("one") for column in tables) else "several"
    return Row([Column([column.part("table"), column.part(lower)]) for column in tables])


def size_of_wave(length: float) -> str:
    """A wavelength in patches: ``6.28``, ``1,234``."""
    return f"{length:.3g}" if length < 1000 else f"{length:,.0f}"
