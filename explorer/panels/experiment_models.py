"""Experiment 8: two models, one picture: answers, where they look, and what their positions are like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as W

from explorer.experiments import compare_models
from explorer.figures.experiment_models import common_scale, gaze, has_cls
from explorer.figures.experiment_positions import rms, similarity_map
from explorer.figures.experiments import answer_rows
from explorer.figures.patches import under_grid
from explorer.images import Cropping, display_crop, encode_image
from explorer.jobs import Report
from explorer.labels import Labels
from explorer.panels.base import box, html
from explorer.panels.experiment_answers import answer_html
from explorer.panels.experiment_base import Experiment, ExperimentPanel
from explorer.panels.experiment_choices import model_title, other_models, spec_title
from explorer.panels.numbers import size
from explorer.sizes import multiply_adds
from explorer.state import MEAN_OF_HEADS, ExplorerState
from explorer.trace import Trace
from explorer.widgets import PatchView, TilesView
from explorer.widgets.choice import Choice

if TYPE_CHECKING:
    from explorer.experiments import ModelsResult
    from explorer.models import ExplorerModel

__all__ = ["TwoModelsPanel"]

#: The choice of the shown model's own architecture with random weights.
_UNTRAINED = "untrained"


class TwoModelsPanel(ExperimentPanel):
    """The shown model beside another: answer, grid, attention by layer and head, likeness of positions."""

    name = "models"

    def __init__(self, state: ExplorerState) -> None:
        self._places: dict[str, tuple[int, int]] = {}
        super().__init__(state)

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """The choice of the other; answers, photos and maps below each other."""
        self._other = Choice(kind="menu", options=[{"value": _UNTRAINED, "label": ""}], value=_UNTRAINED)
        self._other.add_class("vx-models-other")
        self.listen(self._other, "value", lambda _: self.changed())
        self._sides = {key: _Side(key) for key in ("one", "other")}
        for key, side in self._sides.items():
            self.listen(side.layer, "value", self._place_listener(key))
            self.listen(side.head, "value", self._place_listener(key))
        self._verdict = html("vx-verdict", "vx-models-verdict")
        self._attention_title = html("vx-section-title")
        self._positions_title = html("vx-section-title")
        sides = self._sides.values()

        def row(*widgets: W.Widget) -> W.Box:
            return box(*widgets, classes=["vx-columns", "vx-columns-2", "vx-fades"])

        return (
            self.controls(self._other),
            row(*(side.answer for side in sides)),
            self._verdict,
            self._attention_title,
            row(*(box(side.controls, side.photo, classes=["vx-cell"]) for side in sides)),
            self._positions_title,
            row(*(box(side.words, side.map, classes=["vx-cell"]) for side in sides)),
        )

    def words(self, trace: Trace) -> None:
        """Labels, and the models to choose from."""
        say, language = self.say, self.state.language
        self._other.label = say("other")
        self._show_choices()
        for side in self._sides.values():
            side.layer.label, side.head.label = say("layer"), say("head")
            side.photo.language = side.map.language = language
        self._show_attention_title([trace])
        self._positions_title.value = f"<h3>{escape(say('positions-title'))}</h3>"

    def experiment(self, trace: Trace) -> Experiment:
        """Both models' runs."""
        request, models, chosen = self.request, self.state.jobs.models, str(self._other.value)
        untrained = chosen == _UNTRAINED
        name, sizes = request.model if untrained else chosen, self.sizes

        def run(model: ExplorerModel, report: Report, cancelled: Callable[[], bool]) -> ModelsResult:
            other = models.get(name, random_weights=untrained, downloading=report, cancelled=cancelled)
            return compare_models(model, other, request.picture, **sizes)

        return Experiment(run=run, options=chosen)

    def show(self, trace: Trace, result: ModelsResult) -> None:
        """Everything of both."""
        shown = (("one", result.one, result.labels), ("other", result.other, result.other_labels))
        for key, run, labels in shown:
            self._show_answer(self._sides[key], run, labels)
            self._show_photo(self._sides[key], run)
            table = run.pos_embed[run.num_prefix :]
            side = self._sides[key]
            said = self.say("numbers", size=size(rms(table))) if table.any() else self.say("zero")
            side.words.value = f"<h4>{escape(self._title(run))}</h4><p>{escape(said)}</p>"
            figure = similarity_map(
                table,
                run.grid,
                title=self.say("map-title"),
                label=self.say("similarity"),
                stem=self.stem(key, "positions", run=run),
            )
            side.map.layout.display = "none" if figure is None else None
            if figure is not None:
                side.map.show(figure)
        agreed = {True: "same", False: "different", None: "no-comparison"}[result.same_class]
        self._verdict.value = f"<p>{escape(self.say(agreed))}</p>"
        self._show_places(result)
        self._show_attention(result)

    def follow(self, trace: Trace, changes: frozenset[str]) -> None:
        """Layer and head of the page are those of the first model."""
        if not changes.isdisjoint({"layer", "head"}):
            self._show_places(self.result)
            self._show_attention(self.result)

    def reset_controls(self, trace: Trace) -> None:
        """The untrained twin again."""
        self._other.value = _UNTRAINED

    # -- the choice ------------------------------------------------------------------------------------------------

    def _show_choices(self) -> None:
        """The untrained twin, then all that is here, then what can be downloaded."""
        shown = self.request.model
        twin = {"value": _UNTRAINED, "label": self.say("untrained", name=model_title(shown))}
        options = [twin, *other_models(shown, self.state.language)]
        names = {option["value"] for option in options}
        self._other.show(options, self._other.value if self._other.value in names else _UNTRAINED)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _title(self, run: Trace) -> str:
        return spec_title(run.spec, self.state.language)

    def _show_answer(self, side: _Side, run: Trace, labels: Labels) -> None:
        spec, language = run.spec, self.state.language
        own = -1 if run.logits is None else int(run.logits.argmax())
        facts = self.say(
            "facts",
            P=run.patch_size,
            size=run.image_size,
            N=run.num_patches,
            D=spec.dim,
            h=spec.heads,
            L=spec.depth,
            K=spec.num_classes,
            params=f"{spec.num_params / 1e6:.1f}",
            macs=f"{multiply_adds(spec, run.image_size, run.patch_size) / 1e6:,.0f}",
        )
        table = answer_html(answer_rows(run.logits), labels, language, title=self._title(run), own=own)
        side.answer.value = f"{table}<p class='vx-quiet'>{escape(facts)}</p>"

    def _show_photo(self, side: _Side, run: Trace) -> None:
        spec = run.spec
        cropping = Cropping(run.image_size, spec.crop_pct, spec.interpolation, spec.crop_mode)
        pixels = under_grid(display_crop(self.request.picture, cropping, self.request.crop), run)
        side.photo.show_image(encode_image(pixels, "jpeg"), "image/jpeg", grid=run.grid)

    def _show_places(self, result: ModelsResult) -> None:
        """Sliders of each model's own layers and heads."""
        runs = {"one": result.one, "other": result.other}
        self._places["one"] = (self.state.layer, self.state.head)
        for key, run in runs.items():
            # The other model is opened at the place of the first, and then goes its own way.
            layer, head = self._places.setdefault(key, self._places["one"])
            layers, heads = len(run.q), run.q.shape[1]
            layer, head = min(layer, layers - 1), min(head, heads - 1)
            self._places[key] = layer, head
            side = self._sides[key]
            side.layer.show([{"value": at, "label": f"{at + 1} / {layers}"} for at in range(layers)], layer)
            mean = {"value": MEAN_OF_HEADS, "label": self.say("mean")}
            side.head.show([mean, *({"value": at, "label": str(at + 1)} for at in range(heads))], head)

    def _place_listener(self, key: str) -> Callable[[Any], None]:
        def listen(_value: Any) -> None:
            side = self._sides[key]
            layer, head = int(side.layer.value), int(side.head.value)
            self._places[key] = layer, head
            if key == "one":
                with self.state.batch():
                    self.state.layer, self.state.head = layer, head
            elif self.result is not None:
                self._show_attention(self.result)

        return listen

    def _show_attention_title(self, runs: Iterable[Trace]) -> None:
        title = "attention-title" if all(map(has_cls, runs)) else "attention-title-pooled"
        self._attention_title.value = f"<h3>{escape(self.say(title))}</h3><p>{escape(self.say('attention'))}</p>"

    def _show_attention(self, result: ModelsResult) -> None:
        """Both maps on one scale; a model without CLS shows what the tokens look at that are read."""
        runs = {"one": result.one, "other": result.other}
        self._show_attention_title(runs.values())
        maps = {key: gaze(run, *self._places[key]) for key, run in runs.items()}
        scale = common_scale(maps.values(), self.say("times"))
        for key, run in runs.items():
            layer, head = self._places[key]
            photo = self._sides[key].photo
            photo.show_values(maps[key], scale)
            which = self.say("mean-of-heads") if head < 0 else self.say("head-number", head=head + 1)
            photo.title = self.say("photo-title", layer=layer + 1, head=which)
            caption = "photo-caption" if has_cls(run) else "photo-caption-pooled"
            photo.caption = self.say(caption, model=self._title(run))
            photo.stem = self.stem(key, "attention", run=run, layer=layer, head=head)


class _Side:
    """The widgets of one model."""

    def __init__(self, key: str) -> None:
        self.answer = html("vx-answer-cell", f"vx-models-{key}")
        self.layer = Choice(kind="slider")
        self.head = Choice(kind="slider")
        self.controls = box(self.layer, self.head, classes=["vx-row", "vx-models-place", f"vx-models-place-{key}"])
        self.photo = PatchView(max_size=440, interactive=False)
        self.words = html("vx-fact")
        self.map = TilesView(max_tile=44)
