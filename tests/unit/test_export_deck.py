"""The deck: its slides, titles, pictures and notes, without a browser: the pictures are stand-ins."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from explorer.drawing import Drawing
from explorer.errors import ExplorerError
from explorer.export import stages, write_deck
from explorer.export.deck import SLIDE_SHEET
from explorer.export.formula_text import FORMULA_TEXTS
from explorer.export.stages import STAGES, draw_stages
from explorer.formulas import FORMULAS
from explorer.interventions import Intervention
from explorer.labels import Labels
from explorer.models import ExplorerModel
from explorer.samples import open_sample
from explorer.trace import Trace

pptx = pytest.importorskip("pptx")

HOSTILE = "<a:t>&amp;\x00\x1b]]>'\"\ud800猫.jpg"


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    data = BytesIO()
    Image.new("RGB", (SLIDE_SHEET["width"], SLIDE_SHEET["height"]), "white").save(data, "PNG")
    monkeypatch.setattr(stages, "draw_sheets", lambda sheets, language: [Drawing(png=data.getvalue()) for _ in sheets])


def traced(model: ExplorerModel) -> Trace:
    from explorer.engine import trace_image

    return trace_image(model, open_sample("chelsea"))


def opened(path: Path) -> list[Any]:
    return list(pptx.Presentation(str(path)).slides)


def words(slide: Any) -> str:
    return "\n".join(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)


def test_a_deck_has_a_slide_for_each_stage_with_true_numbers_in_its_notes(
    bundled: ExplorerModel, tmp_path: Path
) -> None:
    trace = traced(bundled)
    assert trace.probs is not None
    path = write_deck(trace, bundled.labels, open_sample("chelsea"), tmp_path / "talk", layer=4, head=1)
    assert path == tmp_path / "talk.pptx"
    deck = pptx.Presentation(str(path))
    assert deck.slide_width / deck.slide_height == pytest.approx(16 / 9, rel=1e-3)
    first, *rest = deck.slides
    best = bundled.labels.name(int(trace.probs.argmax()), "en")
    assert best in words(first)
    assert f"{trace.probs.max():.1%}" in words(first)
    assert f"N = {trace.num_patches} patches" in words(first)
    assert [slide.shapes.title.text_frame.text.split("  ")[1] for slide in rest] == [
        "Overview",
        "Patches",
        "Embedding",
        "CLS and position",
        "Encoder",
        "Attention",
        "Classification",
    ]
    spec = trace.spec
    for slide in deck.slides:
        pictures = [shape for shape in slide.shapes if shape.shape_type == 13]
        assert len(pictures) == 1
        assert pictures[0]._element.nvPicPr.cNvPr.get("descr")
        for shape in slide.shapes:
            assert shape.left >= 0
            assert shape.top >= 0
            assert shape.left + shape.width <= deck.slide_width
            assert shape.top + shape.height <= deck.slide_height
        notes = slide.notes_slide.notes_text_frame.text
        for letter, size in (
            ("N", trace.num_patches),
            ("T", trace.num_tokens),
            ("D", spec.dim),
            ("L", spec.depth),
            ("h", spec.heads),
            ("Dₕ", spec.head_dim),
            ("K", spec.num_classes),
        ):
            assert f"\n{letter} = {size}  (" in notes
    attention = rest[5].notes_slide.notes_text_frame.text
    assert "A = softmax(q kᵀ / √Dₕ)" in attention
    assert f"attention: {spec.heads} × {trace.num_tokens} × {trace.num_tokens}" in attention
    assert f"layer 5 of {spec.depth} · head 2 of {spec.heads}" in attention
    embedding = rest[2].notes_slide.notes_text_frame.text
    assert f"embed_weight: {trace.patches.shape[1]} × {spec.dim}" in embedding


def test_names_from_outside_are_words_and_nothing_else(plain_model: ExplorerModel, tmp_path: Path) -> None:
    trace = traced(plain_model)
    trained = replace(trace, spec=replace(trace.spec, random_weights=False))
    labels = Labels(ids=("x",) * 1000, en=(HOSTILE,) * 1000, ja=("",) * 1000)
    picture = replace(open_sample("chelsea"), name=HOSTILE)
    path = write_deck(trained, labels, picture, tmp_path / "talk.pptx", stages=["classification"])
    (first, classification) = opened(path)
    said = words(first)
    assert "<a:t>&amp;" in said
    assert "]]>'\"" in said
    assert "猫.jpg" in said
    assert "<a:t>&amp;" in words(classification)


def test_a_deck_of_a_changed_run_says_so(bundled: ExplorerModel, tmp_path: Path) -> None:
    from explorer.engine import trace_image

    change = Intervention(msa_off=[0, 1])
    trace = trace_image(bundled, open_sample("chelsea"), patch_size=2, image_size=32, intervention=change)
    path = write_deck(trace, bundled.labels, open_sample("chelsea"), tmp_path / "talk", stages=["classification"])
    (first, classification) = opened(path)
    for slide in (first, classification):
        assert "All stages show a changed run: MSA off in layer 1, 2." in words(slide)
        assert "MSA off in layer 1, 2" in slide.notes_slide.notes_text_frame.text
    assert "Patch size 2 lies outside" in words(first)


def test_a_japanese_deck_names_a_typeface_that_has_its_letters(plain_model: ExplorerModel, tmp_path: Path) -> None:
    trace = traced(plain_model)
    path = write_deck(trace, None, open_sample("chelsea"), tmp_path / "talk.pptx", language="ja", stages=["patches"])
    for slide in opened(path):
        runs = slide._element.xpath(".//a:r/a:rPr")
        assert runs
        for run in runs:
            assert run.get("lang") == "ja-JP"
            assert [child.get("typeface") for child in run.xpath("./a:ea")] == ["Yu Gothic"]
        notes = slide.notes_slide.notes_text_frame.text
        assert "この計算での各サイズ" in notes
        assert f"D = {trace.spec.dim}  (embeddingの次元)" in notes


def test_every_formula_of_every_kind_of_model_can_be_written_in_notes(any_model: ExplorerModel) -> None:
    trace = traced(any_model)
    for one in draw_stages(trace, None, open_sample("chelsea")):
        assert set(one.formulas) <= set(FORMULA_TEXTS), one.stage
    assert set(FORMULA_TEXTS) <= set(FORMULAS)


def test_a_model_without_classes_has_no_answer_on_its_title_slide(
    model_of: Callable[[str], ExplorerModel], tmp_path: Path
) -> None:
    trace = traced(model_of("no_head"))
    trained = replace(trace, spec=replace(trace.spec, random_weights=False))
    path = write_deck(trained, None, open_sample("chelsea"), tmp_path / "talk.pptx", stages=STAGES[:1])
    (first, _) = opened(path)
    assert "%" not in words(first)
    assert "K =" not in first.notes_slide.notes_text_frame.text


def test_without_python_pptx_it_says_how_to_get_it(
    plain_model: ExplorerModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pptx", None)
    with pytest.raises(ExplorerError, match="pip install python-pptx") as caught:
        write_deck(traced(plain_model), None, open_sample("chelsea"), tmp_path / "talk.pptx")
    assert caught.value.code == "deck-needs-pptx"


def test_a_deck_that_cannot_be_written_is_a_sentence(plain_model: ExplorerModel, tmp_path: Path) -> None:
    with pytest.raises(ExplorerError) as caught:
        write_deck(traced(plain_model), None, open_sample("chelsea"), tmp_path / "none" / "talk.pptx", stages=[])
    assert caught.value.code == "file-not-writable"
