"""Stage 0: the whole pipeline in one drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, ClassVar

import ipywidgets as W

from explorer.drawing import Node, Part
from explorer.figures.classification import top_classes
from explorer.figures.overview import PipelineDrawing, pipeline_drawing
from explorer.formulas import formula
from explorer.images import Cropping, display_crop
from explorer.panels.base import StagePanel, html
from explorer.panels.equations import layer_equations, norm_kind, reading_equations, sum_equation
from explorer.state import ExplorerState
from explorer.texts import catalogue
from explorer.trace import Trace
from explorer.widgets.pipeline_view import PipelineView

__all__ = ["OverviewPanel"]

#: The stages that the parts of the drawing stand for, and their numbers on the page.
_STAGES: Mapping[str, int] = {
    "patches": 1,
    "embedding": 2,
    "position": 3,
    "encoder": 4,
    "attention": 5,
    "classification": 6,
}
#: Side of the photo in the drawing, at twice the size that it is mostly shown.
_PHOTO = 480


class OverviewPanel(StagePanel):
    """From the photo to the class, with today's sizes at every arrow; each part leads to its stage."""

    stage = "overview"
    number = 0
    watches: ClassVar[frozenset[str]] = frozenset({"trace", "token"})

    def __init__(self, state: ExplorerState, **options: Any) -> None:
        self._photo_shown: object = None
        super().__init__(state, **options)

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """The drawing, and below it the same in the paper's equations."""
        self._drawing = PipelineView()
        self._drawing.add_class("vx-pipeline")
        self._equations = html("vx-equations")
        return (self._drawing, self._equations)

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Draw anew; the photo is sent again only when it is another."""
        language = self.state.language
        if self._drawing.language != language:
            self._drawing.language = language
        if "trace" in changes:
            self._show_photo(trace)
        drawing = pipeline_drawing(trace, self.state.token)
        names = catalogue(language)
        stages = {
            stage: {"number": number, "name": names[f"{stage}.name"]}
            for stage, number in _STAGES.items()
            if f"{stage}.name" in names
        }
        self._drawing.show(
            drawing,
            names=[self._row_name(trace, token) for token in drawing.rows],
            texts=self._texts(trace, drawing),
            sizes=_sizes(trace),
            chain=self._chain(trace),
            stages=stages,
            stem=self.stem(),
        )
        if not changes.isdisjoint({"trace", "language"}):
            self._equations.value = self._equations_of(trace)

    def picture(self) -> Node:
        """The drawing, and what its colours mean."""
        return Part(self._drawing, width=1200, caption=True)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _show_photo(self, trace: Trace) -> None:
        picture, crop, spec = self.state.shown_picture, self.state.shown_crop, trace.spec
        cropping = Cropping(trace.image_size, spec.crop_pct, spec.interpolation, spec.crop_mode)
        shown = (None if picture is None else picture.digest, crop, cropping)
        if shown == self._photo_shown:
            return
        self._photo_shown = shown
        pixels = trace.image if picture is None else display_crop(picture, cropping, crop, _PHOTO)
        self._drawing.show_photo(pixels)

    def _row_name(self, trace: Trace, token: int | None) -> str:
        if token is None:
            return ""
        if token < trace.num_prefix:
            return trace.prefix_names[token]
        return str(int(trace.patch_index[token - trace.num_prefix]))

    def _texts(self, trace: Trace, drawing: PipelineDrawing) -> dict[str, str]:
        say, spec = self.say, trace.spec
        if trace.num_prefix == 0:
            prefix = say("prefix-none")
        elif trace.num_prefix == 1:
            prefix = say("prefix-one", name=trace.prefix_names[0])
        else:
            prefix = say("prefix-many", count=trace.num_prefix)
        note = say("note", tokens=trace.num_tokens, dims=drawing.strips.shape[2], dim=spec.dim)
        return {
            "alt": say("alt"),
            "photo": say("photo"),
            "patches": say("patches", patches=trace.num_patches, size=trace.patch_size),
            "patchShape": say("patch-shape", size=trace.patch_size),
            "projection": say("projection"),
            "prefix": prefix,
            "position": say("position"),
            "sum": say("sum", tokens=trace.num_tokens, dim=spec.dim),
            "embeddingsSymbol": _embeddings_symbol(trace),
            "sumSymbol": "z_{0}" if trace.arrays.norm_pre is None else f"{_norm(trace)} ⟶ z_{{0}}",
            "norm": _norm(trace),
            "encoder": say("encoder"),
            "layers": say("layers", layers=spec.depth),
            "note": note,
            "links": say("links"),
            **self._answer(trace),
        }

    def _equations_of(self, trace: Trace) -> str:
        attention, mlp = layer_equations(trace)
        norm = norm_kind(trace)
        rows = (
            ((2, 3), sum_equation(trace)),
            ((4,), attention),
            ((4,), mlp),
            ((6,), reading_equations(trace)[0]),
        )
        items = "".join(
            f"<li><span class='vx-equation-stages'>{''.join(f'<b>{stage}</b>' for stage in stages)}</span>"
            f"{formula(name, norm=norm)}<span class='vx-equation-number'>({number})</span></li>"
            for number, (stages, name) in enumerate(rows, 1)
        )
        return f"<h3>{escape(self.say('equations'))}</h3><ol>{items}</ol>"

    def _answer(self, trace: Trace) -> dict[str, str]:
        say, spec = self.say, trace.spec
        best = top_classes(trace, 1)
        if not best:
            size = spec.projection_dim or spec.dim
            classes = say("random") if spec.random_weights else ""
            return {"answer": say("no-classes"), "probability": say("no-classes-size", size=size), "classes": classes}
        labels = self.state.labels
        name = f"{best[0].index}" if labels is None else labels.name(best[0].index, self.state.language)
        classes = say("random") if spec.random_weights else say("classes", classes=spec.num_classes)
        return {"answer": name, "probability": f"{best[0].prob:.1%}", "classes": classes}

    def _chain(self, trace: Trace) -> list[str]:
        """What happens between z_L and the logits, in the model's own order."""
        arrays, pooling = trace.arrays, trace.spec.pooling
        steps = [_norm(trace)] if arrays.norm is not None else []
        if pooling != "token" and not trace.spec.distilled:
            steps.append(self.say(pooling))
        if arrays.fc_norm is not None:
            steps.append(_norm(trace))
        if arrays.heads:
            steps.append(self.say("linear"))
        return steps or ["y"]


def _embeddings_symbol(trace: Trace) -> str:
    # T rows, not the N of x_p E: what is put on top is named too, as in the formula of z_0.
    embedded = "x_{p}E" if trace.arrays.embed_norm is None else f"{_norm(trace)}(x_{{p}}E)"
    if not trace.prefix_names:
        return embedded
    return f"[{'x_{class}' if trace.prefix_names == ('CLS',) else '…'}; {embedded}]"


def _norm(trace: Trace) -> str:
    # A box has room for no more of RMSNorm.
    return "RMS" if norm_kind(trace) == "rms" else "LN"


def _sizes(trace: Trace) -> dict[str, str]:
    spec = trace.spec
    height, width, channels = trace.image.shape
    per_head = f"D/h = {spec.head_dim}" if spec.head_dim * spec.heads == spec.dim else f"{spec.head_dim}"
    classes = spec.num_classes or spec.projection_dim
    return {
        "image": f"{height} × {width} × {channels}",
        "patches": f"{trace.num_patches} × {trace.patches.shape[1]}",
        "weight": f"{trace.patches.shape[1]} × {spec.dim}",
        "tokens": f"{trace.num_tokens} × {spec.dim}",
        "msa": f"h = {spec.heads}, {per_head}",
        "mlp": f"D_{{mlp}} = {spec.mlp_dim}",
        "head": f"{spec.dim} × {classes}" if trace.arrays.heads else "",
    }
