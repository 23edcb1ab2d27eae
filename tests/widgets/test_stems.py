"""File names of saved pictures: they tell stage, model, layer and head, and no two pictures of a stage share one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from explorer.figures.encoder import open_layer
from explorer.panels.encoder_whole import layer_flows
from explorer.panels.experiments import EXPERIMENTS, ExperimentsPanel
from explorer.panels.stages import PICTURED
from explorer.panels.stems import picture_stem
from explorer.state import MEAN_OF_HEADS, ExplorerState
from explorer.widgets.attention_view import ROLLOUT, AttentionView
from tests.widgets.random_model import random_state, settled, shown

#: What is marked in a picture, said beside it, or shared with the one beside it: no picture is another one for that.
MARKS = re.compile(
    r"_.*|selected.*|marks?|marked|alt|title|hint|chosen|clicked|readouts|heading|drawing|stem|labels|scale|tabbable|"
    "tooltip|layout"
)
STEM = re.compile(r"[\w.-]+")


def run_of(name: str) -> Any:
    return SimpleNamespace(spec=SimpleNamespace(name=name), patch_size=8)


def stem_of(view: Any) -> str | None:
    """The file name of what a widget draws; None for a widget that draws nothing."""
    for trait in ("heading", "drawing"):
        found = getattr(view, trait, None)
        if isinstance(found, dict) and "stem" in found:
            return str(found["stem"])
    found = getattr(view, "stem", None)
    return found if isinstance(found, str) else None


def drawings(widget: Any) -> Iterator[tuple[str, str]]:
    """Names and contents of all pictures that are in view below a widget."""
    if hasattr(widget, "layout") and not shown(widget):
        return
    stem = stem_of(widget)
    if stem is not None:
        content = {key: value for key, value in widget.get_state().items() if not MARKS.fullmatch(key)}
        # Of the attention view's pictures the front end completes the names.
        yield stem, "" if isinstance(widget, AttentionView) else repr(sorted(content.items()))
    for child in getattr(widget, "children", ()):
        yield from drawings(child)


@pytest.fixture
def state() -> Iterator[ExplorerState]:
    state = random_state(scale=6.0)
    yield state
    state.close()


def check(stage: str, panels: list[Any], state: ExplorerState) -> set[str]:
    """Go through layers and heads; the names that were seen, each of one picture alone."""
    seen: dict[str, str] = {}
    for layer, head in product((0, 1), (0, 1, MEAN_OF_HEADS)):
        with state.batch():
            state.layer, state.head = layer, head
        settled(state)
        here: list[str] = []
        for panel in panels:
            for stem, content in drawings(panel):
                assert STEM.fullmatch(stem), stem
                assert stem.startswith(f"{stage}-random-patch8") or "-pos-" in stem or "-models-other-" in stem, stem
                assert seen.setdefault(stem, content) == content, f"another picture is called {stem}, too"
                here.append(stem)
                if "-layer" in stem and "-lens-" not in stem and "-models-other-" not in stem:
                    assert f"-layer{layer + 1}" in stem
        assert len(here) == len(set(here)), sorted(here)
    return set(seen)


@pytest.mark.parametrize("stage", PICTURED)
def test_pictures_of_a_stage(state: ExplorerState, stage: str) -> None:
    panel = PICTURED[stage](state)
    if stage == "encoder":
        panel._mode.value = "all"
    names = check(stage, [panel], state)
    assert names
    if stage == "encoder":
        start = "encoder-random-patch8"
        assert {f"{start}-layer{layer}-head{head}-softmax-1" for layer in (1, 2) for head in (1, 2)} <= names
        assert {f"{start}-layer2-activation", f"{start}-layer2-lengths", f"{start}-photo"} <= names
        # A layer's weights, and what it does before and after its heads, are no head's.
        assert f"{start}-layer1-qkv-matrix-qkv" in names
        assert {f"{start}-layer1-norm1-1", f"{start}-layer1-residual2-1"} <= names


def test_halves_of_a_layer_are_no_heads(state: ExplorerState) -> None:
    panel: Any = PICTURED["encoder"](state)
    row = open_layer(state.trace, 1, state.token)
    one, other = (layer_flows(panel, row, head) for head in (0, 1))
    assert [stem_of(flow) for flow in one] == [
        "encoder-random-patch8-layer2-msa",
        "encoder-random-patch8-layer2-mlp",
    ]
    assert [list(drawings(flow)) for flow in one] == [list(drawings(flow)) for flow in other]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_pictures_of_an_experiment(state: ExplorerState, name: str) -> None:
    state.experiment = name
    stage = ExperimentsPanel(state)
    settled(state)
    panel: Any = stage.experiments[name]
    if name == "mask":
        names: set[str] = check("experiments", [panel], state)
        for part in ("patches", "heads"):
            panel._part.value = part
            panel._measures[part].start()
            settled(state)
            names |= check("experiments", [panel], state)
        assert {f"experiments-random-patch8-head-effects-{key}" for key in ("effects", "beside")} <= names
    else:
        if name in {"ways", "head"}:
            panel.start()
            settled(state)
        names = check("experiments", [panel], state)
    assert names
    start = "experiments-random-patch8"
    if name == "models":
        assert {
            f"{start}-layer{layer}-{head}-models-one-attention" for layer in (1, 2) for head in ("head1", "mean")
        } <= names
    if name == "lens":
        panel._layers.value = 0
        names = {stem for stem, _ in drawings(panel)}
        assert names == {f"{start}-layer0-lens-map", f"{start}-layer0-lens-lines-answer"}
        panel._whose.value = "token"
        assert f"{start}-layer0-lens-lines-token" in {stem for stem, _ in drawings(panel)}


def test_another_model_of_the_same_photo_has_its_own_names(state: ExplorerState) -> None:
    panels = [PICTURED[stage](state) for stage in ("patches", "encoder", "attention", "overview")]
    state.set_trait("trace", replace(state.trace, spec=replace(state.trace.spec, name="timm/other")))
    for panel in panels:
        found = [stem for stem, _ in drawings(panel)]
        assert found
        assert all(stem.startswith(f"{panel.stage}-other-patch8") for stem in found), found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("timm/vit_tiny_patch16_224.augreg", "vit_tiny_patch16_224.augreg"),
        ("/home/teacher/secret/my model/", "my-model"),
        ("C:\\Users\\teacher\\モデル", "モデル"),
        (unicodedata.normalize("NFD", "が"), "が"),
        ("../..", "model"),
        ("", "model"),
        ('<img src=x onerror="alert(1)">', "img-src-x-onerror-alert-1"),
        ("a\x00b\nc\u202egpj:*?|d", "a-b-c-gpj-d"),
        ("v" * 300, "v" * 60),
    ],
)
def test_names_are_safe_whatever_a_model_is_called(name: str, told: str) -> None:
    stem = picture_stem("attention", "photo", run=run_of(name), layer=11, head=2)
    assert stem == f"attention-{told}-patch8-layer12-head3-photo"
    assert len(stem) <= 120


def test_what_does_not_apply_is_left_out() -> None:
    run = run_of("flexi")
    assert picture_stem("overview") == "overview"
    # The name that the page's list has, not the other word for it.
    assert picture_stem("overview", run=run_of("bundled")) == "overview-flexi-patch8"
    assert picture_stem("position", "slides", "table", "1d") == "position-slides-table-1d"
    assert picture_stem("encoder", "norm1", 2, run=run, layer=0) == "encoder-flexi-patch8-layer1-norm1-2"
    assert picture_stem("attention", run=run, layer=0, head=MEAN_OF_HEADS) == "attention-flexi-patch8-layer1-mean"
    assert picture_stem("attention", run=run, layer=0, head=ROLLOUT) == "attention-flexi-patch8-layer1-rollout"
    assert picture_stem("experiments", "after", "8/64", run=run) == "experiments-flexi-patch8-after-8-64"
