"""A deck: a title slide with the photo and the answer, then a slide for each stage, with speaker notes.

PowerPoint's own file format, written by python-pptx, which the extra ``export`` brings along.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError
from explorer.export.formula_text import FORMULA_TEXTS
from explorer.export.showing import Showing, model_name, opened, photo_of
from explorer.export.stages import STAGES, StagePicture, answer_of, draw_shown
from explorer.files import named_file, write_file
from explorer.images import encode_image
from explorer.panels.equations import norm_kind, norm_name
from explorer.panels.messages import changes_text, notices
from explorer.texts import text

if TYPE_CHECKING:
    from explorer.images import Picture
    from explorer.labels import Labels
    from explorer.trace import Trace

__all__ = ["SLIDE_SHEET", "deck_bytes", "write_deck"]

#: The sheet that a slide's picture is drawn on: as wide as the slide within its margins.
SLIDE_SHEET: Mapping[str, Any] = {"width": 1280, "height": 585, "margin": 0, "caption": False, "formats": ("png",)}

#: Of a deck's file.
ENDING = ".pptx"

# Inches.
_WIDE, _HIGH = 13.333, 7.5
_LEFT, _ACROSS = 0.5, 12.333
_PICTURE_TOP, _FOOT = 1.43, 7.08
_PHOTO = 5.6

_INK, _MUTED, _ACCENT = "131C2E", "526077", "C4006A"
#: Arial has a stand-in of the same widths wherever there is no Arial.
_LATIN, _EAST_ASIAN = "Arial", "Yu Gothic"
_LOCALES = {"en": "en-US", "ja": "ja-JP"}
#: Signs that XML has no place for.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_deck(
    trace: Trace,
    labels: Labels | None,
    picture: Picture | bytes | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    stages: Sequence[str] = STAGES,
    **shown: Any,
) -> Path:
    """Write a deck of a run: one slide a stage.

    Parameters
    ----------
    trace : Trace
    labels : Labels or None
        Names of the classes.
    picture : Picture, bytes or path
        What the run was made from.
    path : path
        The file; ``.pptx`` is added where it is missing.
    stages : sequence of str
        Of :data:`explorer.export.STAGES`.
    **shown
        ``language``, ``crop``, ``layer``, ``head``, ``token``; see :class:`explorer.export.Showing`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ExplorerError
        ``deck-needs-pptx``, ``browser-missing``, ``browser-failed``, ``export-stage`` or ``file-not-writable``; and
        for a layer, head or token that there is not.
    """
    check_pptx()
    showing = Showing(trace=trace, labels=labels, picture=opened(picture), **shown)
    return save_deck(deck_bytes(draw_shown(showing, sheets=[SLIDE_SHEET], stages=stages), showing), path)


def check_pptx() -> None:
    """Raise ``deck-needs-pptx`` where python-pptx is not there."""
    try:
        import pptx  # noqa: F401
    except ImportError as error:
        raise ExplorerError("deck-needs-pptx") from error


def save_deck(data: bytes, path: str | os.PathLike[str]) -> Path:
    """Write a deck's bytes; ``.pptx`` is added where it is missing."""
    return write_file(named_file(path, ENDING), data)


def deck_bytes(pictures: Sequence[StagePicture], showing: Showing) -> bytes:
    """A deck as a file's bytes.

    Parameters
    ----------
    pictures : sequence of StagePicture
        The last drawing of each is shown, a PNG on :data:`SLIDE_SHEET`.
    showing : Showing

    Returns
    -------
    bytes
    """
    trace, picture, language = showing.trace, showing.picture, showing.language
    deck = _Deck(language)
    answer = answer_of(trace, showing.labels, language)
    said = text("export.deck-title", language, picture=picture.name)
    facts = text(
        "handout.facts",
        language,
        picture=picture.name,
        model=model_name(trace),
        patch=trace.patch_size,
        image=trace.image_size,
        patches=trace.num_patches,
        tokens=trace.num_tokens,
    )
    photo = encode_image(photo_of(showing), "jpeg")
    # Of random weights the answer's place says it.
    said_already = trace.spec.random_weights
    found = [*([] if said_already else notices(trace, language)), changes_text(trace, language)]
    warnings = [words for words in found if words]
    notes = [*warnings, *([""] if warnings else []), text("export.notes-numbers", language), *_numbers(trace, language)]
    deck.title_slide(said, photo, answer, facts, warnings, "\n".join(notes))
    for one in pictures:
        deck.stage_slide(one, "\n".join(_notes(one, trace, language)))
    return deck.saved()


# -- what is said ------------------------------------------------------------------------------------------------------


def _notes(one: StagePicture, trace: Trace, language: str) -> Iterator[str]:
    yield one.sentence
    if one.formulas:
        yield ""
        yield text("export.notes-formulas", language)
        norm = norm_name(norm_kind(trace))
        yield from (FORMULA_TEXTS[name].replace("LN(", f"{norm}(") for name in one.formulas)
    yield ""
    yield text("export.notes-numbers", language)
    yield from _numbers(trace, language)
    if one.shapes:
        yield ""
        yield text("export.notes-arrays", language)
        yield from (f"{name}: {' × '.join(map(str, sizes))}" for name, sizes in one.shapes)
    yield ""
    yield one.caption


def _numbers(trace: Trace, language: str) -> Iterator[str]:
    """The run's sizes, in the slides' letters."""
    spec = trace.spec
    sizes: list[tuple[str, str, int]] = [
        ("H = W", "image", trace.image_size),
        ("P", "patch", trace.patch_size),
        ("N", "patches", trace.num_patches),
        ("T", "tokens", trace.num_tokens),
        ("D", "dim", spec.dim),
        ("L", "layers", spec.depth),
        ("h", "heads", spec.heads),
        ("Dₕ", "head-dim", spec.head_dim),
    ]
    if trace.logits is not None:
        sizes.append(("K", "classes", spec.num_classes))
    for letter, key, size in sizes:
        yield f"{letter} = {size}  ({text(f'export.size-{key}', language)})"


# -- how it looks ------------------------------------------------------------------------------------------------------


class _Deck:
    """Slides of 16 to 9 on white, with real title placeholders, so that an outline and a screen reader have them."""

    def __init__(self, language: str) -> None:
        from pptx import Presentation
        from pptx.util import Inches

        self._language = language
        self._inches = Inches
        self._file = Presentation()
        self._file.slide_width, self._file.slide_height = Inches(_WIDE), Inches(_HIGH)
        # The template's layout with a title and nothing else.
        self._layout = self._file.slide_layouts[5]

    def title_slide(
        self,
        title: str,
        photo: bytes,
        answer: tuple[str, str] | None,
        facts: str,
        warnings: Sequence[str],
        notes: str,
    ) -> None:
        slide = self._slide(notes)
        left = _LEFT + _PHOTO + 0.6
        across = _WIDE - left - _LEFT
        self._place(slide.shapes.title, left, 0.95, across, 2.0, anchor="top")
        self._write(slide.shapes.title.text_frame, [[(title, 34, True, _INK)]])
        self._picture(slide, photo, (_LEFT, 0.95, _PHOTO), title)
        lines = []
        if answer is not None:
            name, share = answer
            lines += [[(name, 40, True, _INK)], [(share, 30, True, _ACCENT)]] if share else [[(name, 24, True, _INK)]]
        self._text(slide, lines, left, 3.05, across, 1.9)
        said = [[(facts, 18, False, _MUTED)], *([(words, 14, False, _ACCENT)] for words in warnings)]
        self._text(slide, said, left, 4.8 if warnings else 5.0, across, 2.4)

    def stage_slide(self, one: StagePicture, notes: str) -> None:
        slide = self._slide(notes)
        self._place(slide.shapes.title, _LEFT, 0.22, _ACROSS, 0.6, anchor="middle")
        heading = [(f"{one.number}  ", 30, True, _ACCENT), (one.name, 30, True, _INK)]
        self._write(slide.shapes.title.text_frame, [heading])
        self._text(slide, [[(one.sentence, _size_of(one.sentence), False, _MUTED)]], _LEFT, 0.78, _ACROSS, 0.64)
        self._picture(slide, one.drawings[-1].png, (_LEFT, _PICTURE_TOP, _ACROSS), f"{one.name}: {one.sentence}")
        self._text(slide, [[(one.caption, 12, False, _MUTED)]], _LEFT, _FOOT, _ACROSS, 0.34)

    def saved(self) -> bytes:
        self._file.core_properties.title = "ViT Explorer"
        self._file.core_properties.author = "ViT Explorer"
        self._file.core_properties.language = _LOCALES[self._language]
        data = BytesIO()
        self._file.save(data)
        return data.getvalue()

    # -- parts -----------------------------------------------------------------------------------------------------

    def _slide(self, notes: str) -> Any:
        slide = self._file.slides.add_slide(self._layout)
        frame = slide.notes_slide.notes_text_frame
        if frame is not None:
            self._write(frame, [[(line, 0, False, "")] for line in notes.split("\n")])
        return slide

    def _picture(self, slide: Any, data: bytes, place: tuple[float, float, float], words: str) -> None:
        left, top, width = map(self._inches, place)
        shape = slide.shapes.add_picture(BytesIO(data), left, top, width=width)
        shape._element.nvPicPr.cNvPr.set("descr", _legal(words))

    def _text(self, slide: Any, lines: Sequence[Any], *place: float) -> None:
        if lines:
            box = slide.shapes.add_textbox(*map(self._inches, place))
            self._place(box, *place, anchor="top")
            self._write(box.text_frame, lines)

    def _place(self, shape: Any, left: float, top: float, width: float, height: float, *, anchor: str) -> None:
        from pptx.enum.text import MSO_ANCHOR, MSO_AUTO_SIZE

        shape.left, shape.top, shape.width, shape.height = map(self._inches, (left, top, width, height))
        frame = shape.text_frame
        frame.word_wrap, frame.auto_size = True, MSO_AUTO_SIZE.NONE
        frame.vertical_anchor = MSO_ANCHOR.TOP if anchor == "top" else MSO_ANCHOR.MIDDLE
        frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0

    def _write(self, frame: Any, lines: Sequence[Sequence[tuple[str, int, bool, str]]]) -> None:
        """Paragraphs of pieces: text, size in points, whether bold, colour."""
        from pptx.dml.color import RGBColor
        from pptx.enum.text import PP_ALIGN
        from pptx.util import Pt

        frame.clear()
        for number, pieces in enumerate(lines):
            paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
            paragraph.alignment = PP_ALIGN.LEFT
            for words, size, bold, color in pieces:
                run = paragraph.add_run()
                run.text = _legal(words)
                if size:
                    run.font.size, run.font.bold = Pt(size), bold
                    run.font.color.rgb = RGBColor(*bytes.fromhex(color))  # type: ignore[no-untyped-call]
                self._letters(run)

    def _letters(self, run: Any) -> None:
        """Latin and Japanese letters each from a typeface that has them; without one Japanese may come out Chinese."""
        from pptx.oxml.ns import qn
        from pptx.oxml.xmlchemy import OxmlElement

        run.font.name = _LATIN
        properties = run.font._element
        properties.set("lang", _LOCALES[self._language])
        properties.set("altLang", "ja-JP" if self._language == "en" else "en-US")
        east_asian = OxmlElement("a:ea")
        east_asian.set("typeface", _EAST_ASIAN)
        properties.find(qn("a:latin")).addnext(east_asian)


def _size_of(sentence: str) -> int:
    """Points at which a sentence has its place in two lines; wide letters count twice."""
    units = sum(2 if sign > "\u2e80" else 1 for sign in sentence)
    return next((size for size in (18, 17, 16, 15, 14) if units * size * 0.5 <= 2 * 0.92 * _ACROSS * 72), 13)


def _legal(words: str) -> str:
    return _ILLEGAL.sub(" ", words)
