"""Stage 6: from the last layer's tokens to the class, every step to be checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as W
import numpy as np
from numpy.typing import NDArray

from explorer.drawing import Column, Node, Part, Row, Words
from explorer.figures.classification import (
    check_score,
    margin,
    pooled_sources,
    strips_figure,
    top_classes,
    vote_of,
)
from explorer.images import Cropping, display_crop, encode_image
from explorer.novelty import NoveltyRule, probably_none, rule_for
from explorer.panels.base import Shape, StagePanel, box, html
from explorer.panels.equations import reading_equations
from explorer.panels.numbers import difference, signed
from explorer.resources import assets_path, named_model
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets import PatchView
from explorer.widgets.choice import Choice
from explorer.widgets.class_bars import ClassBars, ClassList
from explorer.widgets.strips_view import StripsView

__all__ = ["ClassificationPanel"]

#: So many classes get a bar.
_BARS = 7


class ClassificationPanel(StagePanel):
    """The answer, how it comes about, and what the model knows at all."""

    stage = "classification"
    number = 6
    watches: ClassVar[frozenset[str]] = frozenset({"trace", "dimension"})

    def __init__(self, state: ExplorerState, **options: Any) -> None:
        #: The class whose logit is worked out.
        self._index = -1
        #: The head that is opened: a distilled model has two.
        self._head = 0
        super().__init__(state, **options)

    # -- what stands above the body --------------------------------------------------------------------------------

    @property
    def formulas(self) -> Sequence[str]:  # type: ignore[override]
        """How 𝒚 comes out of 𝒛_L in this model, then the head and softmax."""
        return reading_equations(self.state.trace)

    @property
    def footnotes(self) -> Sequence[str]:  # type: ignore[override]
        """What the slide says of the head is about models that have one."""
        trace = self.state.trace
        head = () if trace is not None and trace.logits is None else ("foot-head",)
        bare = trace is not None and trace.arrays.norm is None and trace.arrays.fc_norm is None
        return head if bare else (*head, "foot-epsilon")

    def say(self, key: str, /, **values: Any) -> str:
        """A text of this stage; the sentence at its head is about what this model reads."""
        trace = self.state.trace
        if key == "sentence" and trace is not None:
            kind = "no-head" if trace.logits is None else _kind(trace)
            if kind == "token" and reading_equations(trace)[0] == "classification-plain":
                kind = "plain"
            if kind != "token":
                key = f"sentence-{kind}"
        return super().say(key, **values)

    def shapes(self, trace: Trace) -> Sequence[Shape]:
        """The last layer's tokens, y, the head and the logits."""
        spec = trace.spec
        shapes: list[Shape] = [
            (r"\boldsymbol{z}_L", "z[-1]", (trace.num_tokens, spec.dim)),
            (r"\boldsymbol{y}", "y", trace.y.shape),
        ]
        if trace.logits is not None:
            shapes.append((r"\boldsymbol{W}_{head}", "head_weight", (trace.y.shape[1], spec.num_classes)))
            if spec.distilled:
                shapes.append((r"\boldsymbol{W}_{dist}", "heads[1].weight", (trace.y.shape[1], spec.num_classes)))
            shapes.append((r"\mathrm{logits}", "logits", (spec.num_classes,)))
        return shapes

    # -- the body --------------------------------------------------------------------------------------------------

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """The answer beside the bars, the way to a logit below, the list of classes last."""
        self._answer = html("vx-answer")
        self._answer.add_class("vx-class")
        self._bars = ClassBars()
        self._bars.observe(lambda change: self._choose(change["new"]), names="selected")
        self._heads = Choice(kind="segments")
        self._heads.observe(lambda change: self._choose_head(change["new"]), names="value")
        self._strips = StripsView()
        self._strips.observe(lambda change: self._pick_dimension(change["new"]), names="selected")
        self._sum = html("vx-fact", "vx-sum")
        self._check = html("vx-check")
        self._list = ClassList()
        self._reliability = html("vx-reliability")
        return (
            box(self._answer, self._bars, classes=["vx-columns", "vx-classification-main"]),
            box(self._heads, self._strips, classes=["vx-strips"]),
            box(self._sum, self._check, classes=["vx-columns", "vx-columns-2", "vx-classification-sum"]),
            self._list,
            self._reliability,
        )

    def picture(self) -> Node:
        """The photo, the answer, and the most probable classes; of a model without classes, its description y."""
        trace = self.state.trace
        if trace is None:
            raise ValueError("nothing is shown yet")
        photo = PatchView(interactive=False, max_size=360)
        photo.show_image(encode_image(self._photo(trace), "jpeg"), "image/jpeg", grid=(1, 1), prefix_names=())
        seen = Part(photo, width=370, title="")
        best = top_classes(trace, 1)
        if not best:
            said = Words(text=self._no_head(trace), width=620, size=19)
            return Row([seen, Column([said, Part(self._strips, width=620, state={"selected": -1})])], middle=True)
        name = Words(text=self.class_name(best[0].index), width=620, size=34, weight=700)
        prob = Words(text=f"{best[0].prob:.1%}", width=620, size=28, weight=700, strong=True)
        warnings = [Words(text=said, width=620, size=18, weight=600) for said in self._warnings(trace)]
        return Row(
            [seen, Column([*warnings, Column([name, prob], gap=2), Part(self._bars, width=640)], gap=16)], middle=True
        )

    def _no_head(self, trace: Trace) -> str:
        return self.say("no-head-random" if trace.spec.random_weights else "no-head", size=trace.spec.dim)

    def _photo(self, trace: Trace) -> NDArray[np.uint8]:
        """As sharp as the picture is, cut as the model sees it."""
        picture, spec = self.state.shown_picture, trace.spec
        if picture is None:
            return trace.image
        cropping = Cropping(trace.image_size, spec.crop_pct, spec.interpolation, spec.crop_mode)
        return display_crop(picture, cropping, self.state.shown_crop)

    @property
    def bars(self) -> ClassBars:
        """The most probable classes; the chosen one's logit is worked out."""
        return self._bars

    @property
    def classes(self) -> ClassList:
        """All classes that the model knows."""
        return self._list

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Bring up to date what changed."""
        self._strips.selected = self.state.dimension
        if changes.isdisjoint({"trace", "language"}):
            return
        for view in (self._bars, self._list, self._strips):
            view.language = self.state.language
        best = top_classes(trace, _BARS)
        if "trace" in changes:
            self._index = best[0].index if best else -1
            self._head = min(self._head, len(trace.y) - 1)
        self._answer.value = self._answer_html(trace)
        self._show_bars(trace)
        self._show_heads(trace)
        self._show_way(trace)
        self._show_list(trace)

    # -- what the reader does --------------------------------------------------------------------------------------

    def _choose(self, index: int) -> None:
        trace = self.state.trace
        if trace is not None and index != self._index and 0 <= index < trace.spec.num_classes:
            self._index = index
            self._show_way(trace)

    def _choose_head(self, head: object) -> None:
        trace = self.state.trace
        if trace is not None and isinstance(head, int) and head != self._head and 0 <= head < len(trace.y):
            self._head = head
            self._show_way(trace)

    def _pick_dimension(self, dimension: int) -> None:
        if dimension >= 0:
            self.state.dimension = dimension

    # -- parts -----------------------------------------------------------------------------------------------------

    def class_name(self, index: int) -> str:
        """What a class is called in the page's language: text, whoever wrote it."""
        labels = self.state.labels
        return str(index) if labels is None else labels.name(index, self.state.language)

    def _answer_html(self, trace: Trace) -> str:
        say, spec = self.say, trace.spec
        best = top_classes(trace, 2)
        if not best:
            said = f"<p class='vx-said'>{escape(self._no_head(trace))}</p>"
            if spec.projection_dim:
                said += f"<p>{escape(say('projection', size=spec.projection_dim))}</p>"
            return said
        warning = "".join(f"<p class='vx-warning'>{escape(said)}</p>" for said in self._warnings(trace))
        facts = ""
        ahead = margin(trace)
        if ahead is not None:
            runner = self.class_name(best[1].index)
            facts = f"<p>{escape(say('margin', margin=f'{100 * ahead:.1f}', runner=runner))}</p>"
        return (
            f"{warning}<div class='vx-answer-name'>{escape(self.class_name(best[0].index))}</div>"
            f"<div class='vx-answer-prob'>{best[0].prob:.1%}</div>"
            f"{facts}<p class='vx-quiet'>{escape(say('of-classes', classes=spec.num_classes))}</p>"
        )

    def _warnings(self, trace: Trace) -> list[str]:
        """Why the answer is to be taken with care, or not at all."""
        warnings = [self.say("random")] if trace.spec.random_weights else []
        rule = _rule(trace)
        if rule is not None and trace.logits is not None and probably_none(trace.logits, rule):
            warnings.append(rule.sentence(trace.spec.num_classes, self.state.language))
        return warnings

    def _show_bars(self, trace: Trace) -> None:
        say, best = self.say, top_classes(trace, _BARS)
        self._bars.layout.display = None if best else "none"
        rows = [
            {
                "index": score.index,
                "name": self.class_name(score.index),
                "prob": score.prob,
                "percent": _percent(score.prob),
            }
            for score in best
        ]
        heading = {
            "title": say("bars-title", count=len(best), classes=trace.spec.num_classes),
            "hint": say("bars-hint"),
            "stem": self.stem("classes"),
        }
        self._bars.show(rows, heading, self._index)

    def _show_heads(self, trace: Trace) -> None:
        two = len(trace.y) > 1
        self._heads.layout.display = None if two else "none"
        self._heads.label = self.say("head-choice")
        names = trace.prefix_names[: len(trace.y)] if two else ("",)
        self._heads.show([{"value": place, "label": name} for place, name in enumerate(names)], self._head)

    def _show_way(self, trace: Trace) -> None:
        """How y comes out of the last layer, and the chosen class's logit and probability out of y."""
        say, head, kind, index = self.say, self._head, _kind(trace), self._index
        token = trace.prefix_names[head] if kind == "distilled" else ""
        source = say(f"source-{kind}", layers=trace.spec.depth, **({"token": token} if token else {}))
        symbol = "z" if kind in {"token", "distilled"} else say("pooled")
        has_classes = trace.logits is not None and index >= 0
        taken = pooled_sources(trace)[head]
        if np.array_equal(taken, trace.y[head]):
            # Nothing comes after the pooling: what it gathers is y, and is drawn once.
            vectors = [("y", say("y-title-pooled", source=source), taken)]
        else:
            vectors = [(symbol, source, taken), ("y", say("y-title-norm"), trace.y[head])]
        self._sum.layout.display = self._check.layout.display = None if has_classes else "none"
        title, stem = say("how-y"), self.stem("y")
        if has_classes:
            name = self.class_name(index)
            column, terms, bias = vote_of(trace, index, head)
            vectors += [("w", say("column-title", name=name), column), ("y · w", say("terms-title"), terms)]
            title, stem = say("how-title", name=name), self.stem("class", str(index))
            self._show_sum(trace, float(terms.astype("float64").sum()), bias)
        caption = say("strips-caption")
        self._strips.show(strips_figure(vectors, title=title, caption=caption, axis=say("dims"), stem=stem))

    def _show_sum(self, trace: Trace, total: float, bias: float) -> None:
        say, check = self.say, check_score(trace, self._index)
        said = [say("sum", sum=signed(total, 4), bias=signed(bias, 4), logit=signed(total + bias, 4))]
        if len(check.votes) > 1:
            votes = [signed(vote, 4) for vote in check.votes]
            said.append(say("votes", first=votes[0], second=votes[1], logit=signed(check.logit, 4)))
        said.append(say("softmax", classes=trace.spec.num_classes, prob=_percent(check.prob)))
        self._sum.value = f"<p>{'<br>'.join(map(escape, said))}</p>"
        rows = "".join(
            f"<tr><th scope='row'>{escape(what)}</th><td>{signed(own, 6)}</td><td>{signed(again, 6)}</td>"
            f"<td>{difference(own - again)}</td></tr>"
            for what, own, again in (
                (say("logit"), check.model_logit, check.logit),
                (say("probability"), check.model_prob, check.prob),
            )
        )
        keys = ("check-own", "check-again", "check-difference")
        head = "".join(f"<th scope='col'>{escape(say(key))}</th>" for key in keys)
        self._check.value = (
            f"<h3 class='vx-subtitle'>{escape(say('check-title'))}</h3>"
            f"<table class='vx-table'><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def _show_list(self, trace: Trace) -> None:
        say, classes = self.say, trace.spec.num_classes
        self._list.layout.display = None if classes else "none"
        names = [self.class_name(index) for index in range(classes)]
        heading = {
            "title": say("list-title", classes=classes),
            "search": say("list-search"),
            "count": say("list-count", shown="{shown}", total="{total}"),
            "more": say("list-more", count="{count}"),
        }
        self._list.show(names, heading)
        rule = _rule(trace)
        said = "" if rule is None else rule.reliability(self.state.language)
        self._reliability.value = f"<p class='vx-quiet'>{escape(said)}</p>" if said else ""


def _rule(trace: Trace) -> NoveltyRule | None:
    """What tells photos that show none of the classes; None where answers mean nothing."""
    spec = trace.spec
    if trace.logits is None or spec.random_weights:
        return None
    # Rates were measured for bundled models, at the size that they were trained for.
    folder = assets_path("models", named_model(spec.name))
    # Not Path.is_dir, which raises where a trace from a file has a name too long for any folder.
    measured = os.path.isdir(folder) and spec.name == Path(spec.name).name and trace.image_size == spec.image_size
    return _rules(folder if measured else None, spec.num_classes, trace.patch_size)


# Reading the rules means hashing the weights; they do not change while a page is open.
_rules = lru_cache(maxsize=32)(rule_for)


def _kind(trace: Trace) -> str:
    """How this model comes from the last layer's tokens to 𝒚."""
    spec = trace.spec
    if spec.distilled:
        return "distilled"
    # Some of timm's average over CLS, too.
    return "avg-all" if (spec.pooling, spec.pool_include_prefix) == ("avg", True) and spec.num_prefix else spec.pooling


def _percent(prob: float) -> str:
    return f"{prob:.1%}" if prob >= 0.0005 else "< 0.1%"
