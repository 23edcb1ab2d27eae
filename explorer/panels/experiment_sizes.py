"""Experiment 3: one picture through all patch sizes, or input sizes (slide 2)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import ipywidgets as W

from explorer.experiments import compare_sizes
from explorer.figures.experiments import answer_rows
from explorer.figures.matrix import Axis, symmetric_scale
from explorer.figures.position import grid_figure
from explorer.images import Cropping, display_crop, encode_image
from explorer.jobs import Report
from explorer.labels import Labels
from explorer.panels.base import box, html
from explorer.panels.experiment_answers import class_name, percent
from explorer.panels.experiment_base import Experiment, ExperimentPanel
from explorer.panels.experiment_choices import other_models, spec_title
from explorer.sizes import image_size_choices, patch_size_choices
from explorer.specs import ModelSpec
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets import MatrixView
from explorer.widgets.choice import Choice

if TYPE_CHECKING:
    from explorer.experiments import SizeRow, SizesResult
    from explorer.models import ExplorerModel

__all__ = ["SizesPanel"]

#: No second model.
_NONE = ""
#: Side of the small photos, at twice the size that they are shown.
_THUMB = 160


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A model's answers at many sizes."""

    spec: ModelSpec
    labels: Labels
    result: SizesResult


class SizesPanel(ExperimentPanel):
    """A row for every size: grid, tokens, cost, time and answer; below, 𝑬_pos before and after interpolation."""

    name = "sizes"

    def __init__(self, state: ExplorerState) -> None:
        #: The row whose interpolated 𝑬_pos is shown, as *patch size/input size*.
        self._opened = ""
        super().__init__(state)

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """The choice of what varies, a table for each model, and two grids of 𝑬_pos."""
        self._vary = Choice(
            kind="segments", options=[{"value": v, "label": ""} for v in ("patch", "image")], value="patch"
        )
        self._vary.add_class("vx-sizes-vary")
        self._beside = Choice(kind="menu", options=[{"value": _NONE, "label": ""}], value=_NONE)
        self._beside.add_class("vx-sizes-beside")
        for choice in (self._vary, self._beside):
            self.listen(choice, "value", lambda _: self.changed())
        self._tables = html("vx-sizes-tables", "vx-fades")
        self._title = html("vx-section-title")
        self._rows = Choice(kind="segments")
        self._rows.add_class("vx-sizes-rows")
        self.listen(self._rows, "value", self._open)
        self._dimension = Choice(kind="slider")
        self.listen(self._dimension, "value", self._choose_dimension)
        self._grids = {key: MatrixView(max_size=340) for key in ("before", "after")}
        self._position_words = html("vx-fact")
        self._positions = box(
            self._title,
            box(self._rows, self._dimension, classes=["vx-row"]),
            box(*self._grids.values(), classes=["vx-columns", "vx-columns-2", "vx-sizes-grids"]),
            self._position_words,
            classes=["vx-cell", "vx-fades"],
        )
        return (self.controls(self._vary, self._beside), self._tables, self._positions)

    def words(self, trace: Trace) -> None:
        """Labels."""
        say = self.say
        self._vary.label, self._beside.label = say("vary"), say("beside")
        self._vary.show([{"value": key, "label": say(f"vary-{key}")} for key in ("patch", "image")], self._vary.value)
        options = [{"value": _NONE, "label": say("none")}, *other_models(self.request.model, self.state.language)]
        names = {option["value"] for option in options}
        self._beside.show(options, self._beside.value if self._beside.value in names else _NONE)
        about = say("positions-formula" if self._formula else "positions")
        self._title.value = f"<h3>{escape(say('positions-title'))}</h3><p>{escape(about)}</p>"
        self._rows.label, self._dimension.label = say("rows"), say("dimension")
        for view in self._grids.values():
            view.language = self.state.language

    def experiment(self, trace: Trace) -> Experiment:
        """All sizes of one kind, of one model or two."""
        request, models = self.request, self.state.jobs.models
        vary, beside = str(self._vary.value), str(self._beside.value)

        def sizes(model: ExplorerModel, report: Report, cancelled: Callable[[], bool], *, native: bool) -> _Model:
            spec = model.spec
            patch = spec.patch_size if native else request.patch_size
            image = spec.image_size if native else request.image_size
            patches, images = [patch], [image]
            if vary == "patch":
                patches = [choice.patch_size for choice in patch_size_choices(spec, image) if choice.fits]
            else:
                images = [choice.image_size for choice in image_size_choices(spec, patch, image) if choice.fits]
            result = compare_sizes(
                model, request.picture, patches, images, crop=request.crop, report=report, cancelled=cancelled
            )
            return _Model(spec=spec, labels=model.labels, result=result)

        def run(model: ExplorerModel, report: Report, cancelled: Callable[[], bool]) -> tuple[_Model, ...]:
            # The other model first: a job that takes this one's place goes on with its download only if it asks soon.
            other = None if beside == _NONE else models.get(beside, downloading=report, cancelled=cancelled)
            own = sizes(model, report, cancelled, native=False)
            return (own,) if other is None else (own, sizes(other, report, cancelled, native=True))

        return Experiment(run=run, options=(vary, beside))

    def show(self, trace: Trace, result: tuple[_Model, ...]) -> None:
        """The tables, and the row whose positions are opened."""
        photo = self._photo(result[0].spec)
        tables = "".join(self._table(model, photo, first=place == 0) for place, model in enumerate(result))
        self._tables.value = f"{tables}<p class='vx-quiet vx-sizes-note'>{escape(self.say('time-note'))}</p>"
        rows = result[0].result.rows
        names = [_key(row) for row in rows]
        if self._opened not in names:
            # The grid that is furthest from the model's own shows best what interpolation does.
            own = result[0].result.grid[0]
            self._opened = _key(max(rows, key=lambda row: abs(row.grid[0] - own)))
        options = [
            {"value": _key(row), "label": str(row.patch_size if self._vary.value == "patch" else row.image_size)}
            for row in rows
        ]
        self._rows.show(options, self._opened)
        dim = result[0].spec.dim
        dimensions = [{"value": place, "label": f"d = {place}"} for place in range(dim)]
        self._dimension.show(dimensions, min(self.state.dimension, dim - 1))
        self._show_positions(result[0].result)

    def follow(self, trace: Trace, changes: frozenset[str]) -> None:
        """Another dimension of 𝑬_pos, or another size that all stages show."""
        own: _Model = self.result[0]
        if "dimension" in changes:
            self._dimension.value = min(self.state.dimension, own.spec.dim - 1)
            self._show_positions(own.result)

    def reset_controls(self, trace: Trace) -> None:
        """Patch sizes, of the one model."""
        self._vary.value, self._beside.value, self._opened = "patch", _NONE, ""

    # -- the tables ------------------------------------------------------------------------------------------------

    def _photo(self, spec: ModelSpec) -> str:
        cropping = Cropping(spec.image_size, spec.crop_pct, spec.interpolation, spec.crop_mode)
        pixels = display_crop(self.request.picture, cropping, self.request.crop)
        step = max(1, pixels.shape[0] // _THUMB)
        data = encode_image(pixels[::step, ::step], "jpeg", quality=80)
        return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"

    def _table(self, model: _Model, photo: str, *, first: bool) -> str:
        say, result = self.say, model.result
        slowest = max(row.milliseconds for row in result.rows)
        # The time has a bar and a number; the answer a name, a bar and a number.
        spans = {"grid": 1, "patch": 1, "image": 1, "tokens": 1, "macs": 1, "time": 2}
        spans |= {"answer": 3} if result.has_classes else {}
        head = "".join(
            f"<th scope='col' class='vx-sizes-{key}' colspan='{span}'>{escape(say(f'column-{key}'))}</th>"
            for key, span in spans.items()
        )
        own = self._own_class(result)
        lines = "".join(self._line(model, row, photo, slowest, own, first=first) for row in result.rows)
        title = spec_title(model.spec, self.state.language)
        sizes = model.spec.trained_patch_sizes if self._vary.value == "patch" else model.spec.trained_image_sizes
        trained = say(f"trained-{self._vary.value}", sizes=", ".join(map(str, sorted(sizes))))
        left_out = (
            f"<p class='vx-quiet'>{escape(say('left-out', count=len(result.left_out)))}</p>" if result.left_out else ""
        )
        return (
            f"<h3 class='vx-subtitle'>{escape(title)} <small>{escape(trained)}</small></h3>"
            f"<table class='vx-sizes'><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>{left_out}"
        )

    def _own_class(self, result: SizesResult) -> int:
        """What the model answers at the size that is shown, or at the first that it was trained for."""
        request = self.request
        here = [
            row for row in result.rows if (row.patch_size, row.image_size) == (request.patch_size, request.image_size)
        ]
        known = here or [row for row in result.rows if row.trained] or list(result.rows)
        return int(known[0].output.argmax()) if result.has_classes else -1

    def _line(self, model: _Model, row: SizeRow, photo: str, slowest: float, own: int, *, first: bool) -> str:
        request, language = self.request, self.state.language
        here = first and (row.patch_size, row.image_size) == (request.patch_size, request.image_size)
        rows, cols = row.grid
        new = "" if row.trained else f" <span class='vx-untrained'>{escape(self.say('untrained-size'))}</span>"
        cells = [
            f"<td class='vx-sizes-grid'><span class='vx-thumb' style='--rows:{rows};--cols:{cols}'>"
            f"<img src='{photo}' alt=''></span></td>",
            f"<th scope='row' class='vx-sizes-patch'>{row.patch_size}{new if self._vary.value == 'patch' else ''}</th>",
            f"<td class='vx-sizes-image'>{row.image_size}{new if self._vary.value == 'image' else ''}</td>",
            f"<td class='vx-sizes-tokens'>{rows} × {cols} → {row.tokens:,}</td>",
            f"<td class='vx-sizes-macs'>{row.multiply_adds / 1e6:,.0f} M</td>",
            f"<td class='vx-sizes-time'><span style='width:{100 * row.milliseconds / slowest:.1f}%'></span></td>",
            f"<td class='vx-sizes-ms'>{_milliseconds(row.milliseconds)}</td>",
        ]
        if model.result.has_classes:
            best = answer_rows(row.output, count=1)[0]
            bar = "vx-own" if best.index == own else "vx-other"
            name = escape(class_name(model.labels, best.index, language))
            cells += [
                f"<td class='vx-sizes-answer' data-class='{best.index}'>{name}</td>",
                f"<td class='vx-sizes-bar {bar}'><span style='width:{100 * best.prob:.1f}%'></span></td>",
                f"<td class='vx-sizes-percent'>{percent(best.prob)}</td>",
            ]
        mark = " class='vx-here' aria-current='true'" if here else ""
        return f"<tr{mark} data-size='{_key(row)}'>{''.join(cells)}</tr>"

    # -- positions -------------------------------------------------------------------------------------------------

    @property
    def _formula(self) -> bool:
        """Whether the shown model's table is worked out anew for every grid."""
        return self.state.spec is not None and bool(self.state.spec.frozen_positions)

    def _open(self, key: str) -> None:
        self._opened = key
        if self.result is not None:
            self._quietly(lambda: self._show_positions(self.result[0].result))

    def _choose_dimension(self, dimension: int) -> None:
        self.state.dimension = dimension

    def _show_positions(self, result: SizesResult) -> None:
        """One dimension of the model's own table, and of the one that was made of it."""
        say = self.say
        row = next(row for row in result.rows if _key(row) == self._opened)
        dimension = int(self._dimension.value)
        known = bool(result.pos_embed.any())
        for widget in (*self._grids.values(), self._dimension):
            widget.layout.display = None if known else "none"
        if not known:
            self._position_words.value = f"<p>{escape(say('no-positions'))}</p>"
            return
        scale = symmetric_scale(result.pos_embed, say("value"))
        for key, table, grid in (("before", result.pos_embed, result.grid), ("after", row.pos_embed, row.grid)):
            formula = "-formula" if key == "after" and self._formula else ""
            what = (key, self._opened) if key == "after" else (key,)
            title = say(f"positions-{key}{formula}", rows=grid[0], cols=grid[1], d=dimension)
            figure = grid_figure(
                table,
                dimension,
                grid,
                scale,
                rows=Axis(name=say("row")),
                cols=Axis(name=say("col")),
                title=title,
                stem=self.stem(*what, f"d{dimension}"),
            )
            self._grids[key].show(figure)
        same = row.grid == result.grid
        self._position_words.value = f"<p>{escape(say('same-grid' if same else 'other-grid'))}</p>"


def _key(row: SizeRow) -> str:
    return f"{row.patch_size}/{row.image_size}"


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"
