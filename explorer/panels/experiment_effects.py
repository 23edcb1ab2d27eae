"""Two measurements of experiment 4: what every patch, and every head, does to the logit of a class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, ClassVar, Literal

import ipywidgets as W
import numpy as np

from explorer.experiments import head_effects, patch_effects
from explorer.figures.classification import top_classes
from explorer.figures.experiment_effects import agreement, head_figure
from explorer.figures.matrix import Axis, data_scale, symmetric_scale
from explorer.images import encode_image
from explorer.jobs import Report
from explorer.panels.base import box, html
from explorer.panels.experiment_base import Experiment, ExperimentPanel
from explorer.panels.numbers import signed
from explorer.panels.photo import patch_of, sharp_photo, token_of
from explorer.trace import Trace
from explorer.widgets import MatrixView, PatchView
from explorer.widgets.choice import Choice

if TYPE_CHECKING:
    from explorer.experiments import EffectMap, HeadEffects
    from explorer.models import ExplorerModel

__all__ = ["HeadEffectsPanel", "PatchEffectsPanel", "PatchMapsPanel"]

_HOWS = ("mean", "drop")


class EffectsPanel(ExperimentPanel):
    """A class whose logit is looked at, and a measurement that is started by a button."""

    automatic: ClassVar[bool] = False

    def _choose_target(self) -> Choice:
        self._target = Choice(kind="menu")
        self._target.add_class("vx-effects-target")
        self.listen(self._target, "value", lambda _: self.changed())
        return self._target

    def fit(self, trace: Trace) -> None:
        """The model's answer is what to begin with."""
        self._list_targets(trace, -1)

    def _list_targets(self, trace: Trace, chosen: int) -> None:
        best = [score.index for score in top_classes(trace, 5)]
        options = [{"value": index, "label": self.class_name(index)} for index in best]
        value = chosen if chosen in best else best[0] if best else 0
        self._target.label = self.say("target")
        self._target.show(options, value)

    def _correlation(self, value: float) -> str:
        said = self.say(f"agreement-{agreement(value)}")
        return said if not np.isfinite(value) else self.say("correlation", value=signed(value, 2), said=said)


class PatchMapsPanel(EffectsPanel):
    """Patches are blanked in turn, and there are maps of the photo, in which a patch can be picked."""

    maps: ClassVar[Sequence[str]]
    max_size: ClassVar[int] = 460

    def _build_maps(self) -> None:
        self._how = Choice(kind="segments", options=[{"value": how, "label": ""} for how in _HOWS], value="mean")
        self._how.add_class("vx-effects-how")
        self.listen(self._how, "value", lambda _: self.changed())
        self._maps = {key: PatchView(max_size=self.max_size) for key in self.maps}
        for key, view in self._maps.items():
            view.add_class(f"vx-{self.name}-{key}")
            self.listen(view, "selected", self._pick)
        self._verdict = html("vx-fact", "vx-verdict", "vx-effects-verdict")

    def update(self, trace: Trace, changes: frozenset[str]) -> None:
        """Keep up, also with the picked token."""
        super().update(trace, changes)
        if "token" in changes:
            self._quietly(lambda: self._mark(trace))

    def words(self, trace: Trace) -> None:
        """Labels."""
        self._list_targets(trace, int(self._target.value))
        self._how.label = self.say("how")
        self._how.show([{"value": how, "label": self.say(f"how-{how}")} for how in _HOWS], str(self._how.value))
        for view in self._maps.values():
            view.language = self.state.language

    def clear(self, trace: Trace) -> None:
        """The photo without values, and what the button would do."""
        self._show_photos(trace)
        for view in self._maps.values():
            view.show_values(None)
            view.readouts = []
        rows, cols = trace.grid
        self._verdict.value = f"<p>{escape(self.say('before-run', patches=rows * cols))}</p>"

    def reset_controls(self, trace: Trace) -> None:
        """The answer, and patches filled with the mean colour."""
        self._how.value = "mean"
        self._list_targets(trace, -1)

    @property
    def how(self) -> Literal["mean", "drop"]:
        """What happens to a patch that is blanked."""
        return "drop" if self._how.value == "drop" else "mean"

    def _show_photos(self, trace: Trace) -> None:
        data = encode_image(sharp_photo(self.state, trace), "jpeg")
        for key, view in self._maps.items():
            view.show_image(data, "image/jpeg", grid=trace.grid)
            view.stem = self.stem(key)
        self._mark(trace)

    def _mark(self, trace: Trace) -> None:
        for view in self._maps.values():
            view.selected = patch_of(trace, self.state.token)

    def _pick(self, patch: int) -> None:
        trace = self.state.trace
        token = None if trace is None or patch < 0 else token_of(trace, patch)
        if token is not None:
            self.state.token = token


class PatchEffectsPanel(PatchMapsPanel):
    """The photo blanked at one patch after the other, beside the attention of CLS."""

    name = "patch-effects"
    maps = ("effects", "attention")

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """Two maps side by side."""
        self._build_maps()
        return (
            self.controls(self._choose_target(), self._how),
            box(*self._maps.values(), classes=["vx-columns", "vx-columns-2"]),
            self._verdict,
        )

    def experiment(self, trace: Trace) -> Experiment:
        """As many runs as there are patches."""
        request, sizes, how, target = self.request, self.sizes, self.how, int(self._target.value)
        picture = request.picture

        def run(model: ExplorerModel, report: Report, cancelled: Callable[[], bool]) -> EffectMap:
            return patch_effects(model, picture, how=how, target=target, report=report, cancelled=cancelled, **sizes)

        return Experiment(run=run, options=(how, target))

    def clear(self, trace: Trace) -> None:
        """Maps that are still empty."""
        super().clear(trace)
        self._maps["effects"].title = self.say("effects-title")
        self._maps["attention"].title = self._of_read(trace, "attention-title")
        for view in self._maps.values():
            view.caption = ""

    def show(self, trace: Trace, result: EffectMap) -> None:
        """The map, what one might have believed, and how far they agree."""
        say = self.say
        self._show_photos(trace)
        effects, attention = self._maps["effects"], self._maps["attention"]
        effects.title = say("effects-title")
        effects.caption = say("effects-caption", name=self.class_name(result.target))
        effects.show_values(result.effects, symmetric_scale(result.effects, say("effects-label")))
        attention.title, attention.caption = self._of_read(trace, "attention-title"), say("attention-caption")
        attention.show_values(result.attention, data_scale(result.attention, say("attention-label")))
        strongest = int(np.argmax(result.effects))
        said = say(
            "verdict" if result.effects[strongest] > 0 else "verdict-no-fall",
            correlation=self._correlation(result.correlation),
            place=self.place_name(strongest),
            effect=signed(0.0 - float(result.effects[strongest]), 2),
            name=self.class_name(result.target),
            against=int((result.effects < 0).sum()),
            patches=len(result.effects),
        )
        self._verdict.value = f"<p>{escape(said)}</p>"


class HeadEffectsPanel(EffectsPanel):
    """Every head of every layer switched off in turn, beside how sharply it looks."""

    name = "head-effects"

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """Two matrices side by side: layers down, heads across."""
        self._views = {key: MatrixView(max_size=430) for key in ("effects", "beside")}
        for key, view in self._views.items():
            view.add_class(f"vx-effects-{key}")
            view.observe(
                lambda _, view=view: self._guarded_with(self._pick)(view), names=["selected_row", "selected_col"]
            )
        self._verdict = html("vx-fact", "vx-verdict", "vx-effects-verdict")
        self._matrices = box(*self._views.values(), classes=["vx-columns", "vx-columns-2"])
        return (self.controls(self._choose_target()), self._matrices, self._verdict)

    def update(self, trace: Trace, changes: frozenset[str]) -> None:
        """Keep up, also with the picked layer and head."""
        super().update(trace, changes)
        if not changes.isdisjoint({"layer", "head"}):
            self._quietly(self._mark)

    def words(self, trace: Trace) -> None:
        """Labels."""
        self._list_targets(trace, int(self._target.value))
        for view in self._views.values():
            view.language = self.state.language

    def experiment(self, trace: Trace) -> Experiment:
        """As many runs as there are heads."""
        request, sizes, target = self.request, self.sizes, int(self._target.value)
        picture = request.picture

        def run(model: ExplorerModel, report: Report, cancelled: Callable[[], bool]) -> HeadEffects:
            return head_effects(model, picture, target=target, report=report, cancelled=cancelled, **sizes)

        return Experiment(run=run, options=target)

    def clear(self, trace: Trace) -> None:
        """What the button would do."""
        self._matrices.layout.display = "none"
        said = self.say("before-run", heads=trace.spec.depth * trace.spec.heads)
        self._verdict.value = f"<p>{escape(said)}</p>"

    def show(self, trace: Trace, result: HeadEffects) -> None:
        """The effects, what one might have believed, and how far they agree."""
        say = self.say
        self._matrices.layout.display = None
        axes = {"rows": Axis(name=say("layers"), first=1), "cols": Axis(name=say("heads"), first=1)}
        self._views["effects"].show(
            head_figure(
                result.effects,
                **axes,
                signed=True,
                label=say("effects-label"),
                title=say("effects-title"),
                caption=say("effects-caption", name=self.class_name(result.target)),
                stem=self.stem("effects"),
            )
        )
        self._views["beside"].show(
            head_figure(
                result.beside,
                **axes,
                signed=False,
                label=say("beside-label"),
                title=say("beside-title"),
                caption=self._of_read(trace, "beside-caption"),
                stem=self.stem("beside"),
            )
        )
        self._mark()
        layer, head = np.unravel_index(int(np.argmax(np.abs(result.effects))), result.effects.shape)
        said = say(
            "verdict",
            correlation=self._correlation(result.correlation),
            layer=int(layer) + 1,
            head=int(head) + 1,
            effect=signed(float(-result.effects[layer, head]), 2),
            name=self.class_name(result.target),
        )
        self._verdict.value = f"<p>{escape(said)}</p>"

    def reset_controls(self, trace: Trace) -> None:
        """The answer."""
        self._list_targets(trace, -1)

    def _mark(self) -> None:
        if self.result is not None:
            for view in self._views.values():
                view.selected_row, view.selected_col = self.state.layer, max(self.state.head, -1)

    def _pick(self, view: MatrixView) -> None:
        if not self._quiet and min(view.selected_row, view.selected_col) >= 0:
            with self.state.batch():
                self.state.layer, self.state.head = view.selected_row, view.selected_col
