"""The bar above the stages: picture, model, sizes, language, and what is being computed."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as W

from explorer.catalog import known_models
from explorer.errors import ExplorerError
from explorer.images import Picture, open_picture
from explorer.panels.base import box, html
from explorer.panels.messages import changes_text, error_html, facts_html, notices, status_html
from explorer.panels.page_link import PageLink
from explorer.panels.tour import GuidedTour
from explorer.resources import named_model
from explorer.samples import open_sample
from explorer.sizes import MAX_TRACE_BYTES, SizeChoice, image_size_choices, patch_size_choices
from explorer.state import ExplorerState
from explorer.texts import LANGUAGES, text
from explorer.widgets.choice import Choice
from explorer.widgets.main_shell import Button, TextField
from explorer.widgets.page import LostKernel, StageNav
from explorer.widgets.picture_input import PictureInput
from explorer.widgets.teaching_mode import TeachingMode

__all__ = ["ControlBar"]

#: Value of the model menu's last entry, which opens a field for a name.
_OTHER = ""
#: More patch sizes than these stand in a menu.
_SEGMENTS = 6


class ControlBar(W.VBox):
    """What a page's user chooses first.

    Parameters
    ----------
    state : ExplorerState
    stages : sequence of (str, int)
        Ids and numbers of the stages on the page, for its contents.
    link : PageLink
    tour : GuidedTour
        Whose buttons stand in the bar.
    files : Widget
        The menu of files.
    """

    def __init__(
        self, state: ExplorerState, stages: list[tuple[str, int]], link: PageLink, tour: GuidedTour, files: W.Widget
    ) -> None:
        self.state = state
        self._link = link
        self._stages = stages
        self._other_open = False

        self._brand = html("vx-brand", value="<b>ViT <i>Explorer</i></b>")
        self._picture = PictureInput(language=state.language)
        self._picture.on_picture(self._open_picture)
        self._picture.on_sample(self._open_sample)
        self._picture.on_error(state.report)
        self._picture.observe(lambda _: self._show_status(), names="busy")
        self._model = Choice(kind="menu")
        self._patch_size = Choice(kind="segments")
        self._image_size = Choice(kind="menu")
        self._language = Choice(
            kind="segments",
            options=[{"value": code, "label": name} for code, name in LANGUAGES.items()],
            value=state.language,
        )
        for widget, name in (
            (self._model, "vx-model"),
            (self._patch_size, "vx-patch-size"),
            (self._image_size, "vx-image-size"),
            (self._language, "vx-language"),
        ):
            widget.add_class(name)
        self._model.observe(self._guarded(self._choose_model), names="value")
        self._patch_size.observe(self._guarded(self._choose_patch_size), names="value")
        self._image_size.observe(self._guarded(self._choose_image_size), names="value")
        self._language.observe(self._guarded(self._choose_language), names="value")

        self._status = html("vx-status")
        self._cancel = _button(self._guarded(lambda _: state.cancel()))
        self._name = TextField(continuous_update=False)
        self._name.add_class("vx-field")
        self._load = _button(self._guarded(lambda _: self._load_other()))
        # Enter, or leaving the field, commits its value.
        self._name.observe(self._guarded(lambda change: self._load_other()), names="value")
        self._other = box(self._name, self._load, classes=["vx-row", "vx-other-model"])

        self._lost_kernel = LostKernel()
        self._lost_kernel.add_class("vx-lost-kernel")
        self._error = html("vx-error-text")
        self._dismiss = _button(self._guarded(lambda _: self._close_error()))
        self._random = _button(self._guarded(lambda _: self._try_random()))
        self._banner = box(self._error, self._random, self._dismiss, classes=["vx-banner", "vx-error"])
        self._notice = html("vx-notice")
        self._change = html("vx-change-words")
        self._undo = _button(self._guarded(lambda _: self._undo_change()))
        self._changed_run = box(self._change, self._undo, classes=["vx-changed-run"])
        self._nav = StageNav()
        self._teaching = TeachingMode()
        self._teaching.add_class("vx-teach")

        self._facts = html("vx-facts")
        buttons = (link.button, files, tour.guide, self._teaching)
        top = box(self._brand, self._nav, *buttons, self._language, classes=["vx-top"])
        controls = box(
            self._picture,
            self._model,
            self._patch_size,
            self._image_size,
            self._facts,
            self._status,
            self._cancel,
            classes=["vx-controls"],
        )
        # What is said hangs below the bar, over the page: nothing moves when it comes or goes.
        notes = box(self._changed_run, self._notice, classes=["vx-notes"])
        below = box(self._lost_kernel, self._other, self._banner, notes, classes=["vx-below-bar"])
        super().__init__([top, controls, below])
        self.add_class("vx-bar")
        self._unsubscribe = state.subscribe(self._changed)
        self._changed(frozenset(state.trait_names()))

    def close(self) -> None:
        """Stop listening, and take the bar off the page."""
        self._unsubscribe()
        super().close()

    # -- what the user does ----------------------------------------------------------------------------------------

    def _open_picture(self, data: bytes, name: str) -> None:
        self._take_picture(lambda: open_picture(data, name))

    def _open_sample(self, sample: str) -> None:
        self._take_picture(lambda: open_sample(sample))

    def _take_picture(self, read: Callable[[], Picture]) -> None:
        try:
            picture = read()
        except Exception as error:  # noqa: BLE001 - shown on the page; the picture before stays
            self._picture.show_current(self.state.picture)
            self.state.report(error)
            return
        with self.state.batch():
            # Where the square lay on the picture before says nothing of this one.
            self.state.picture, self.state.crop = picture, (0.5, 0.5)

    def _choose_model(self, change: dict[str, Any]) -> None:
        name = str(change["new"])
        self._other_open = name == _OTHER
        self._show_other()
        if not self._other_open and name != self._current_model():
            self._ask(name, random_weights=False)

    def _load_other(self) -> None:
        name = self._name.value.strip()
        if name and name != self.state.model:
            self._ask(name, random_weights=False)

    def _close_error(self) -> None:
        self.state.dismiss()
        if self.state.failed is not None:
            # Until then the name can be mended where it was typed; now the menu says again which model is shown.
            self._other_open = False
            self._show_models()

    def _try_random(self) -> None:
        if self.state.failed is not None:
            self._ask(self.state.failed.model, random_weights=True)

    def _ask(self, name: str, *, random_weights: bool) -> None:
        with self.state.batch():
            self.state.model = name
            self.state.random_weights = random_weights

    def _choose_patch_size(self, change: dict[str, Any]) -> None:
        self.state.patch_size = int(change["new"])

    def _choose_image_size(self, change: dict[str, Any]) -> None:
        self.state.image_size = int(change["new"])

    def _undo_change(self) -> None:
        self.state.intervention = None

    def _choose_language(self, change: dict[str, Any]) -> None:
        self.state.language = str(change["new"])

    # -- what the state says ---------------------------------------------------------------------------------------

    def _changed(self, changes: frozenset[str]) -> None:
        state = self.state
        if "language" in changes:
            self._say()
        if "picture" in changes:
            self._picture.show_current(state.picture)
        if not changes.isdisjoint({"progress", "trace", "language"}):
            self._show_status()
            # Only what takes long can be cancelled: a button that flashes up with every click would move the page.
            downloading = state.progress is not None and state.progress.phase == "downloading"
            self._cancel.layout.display = "" if downloading else "none"
        if not changes.isdisjoint({"error", "language"}):
            self._show_error()
        if "trace" in changes and state.trace is not None and state.model == self._name.value.strip():
            # What was asked for by name is there: the menu names it, and the field has done its work.
            self._other_open = False
        if not changes.isdisjoint({"trace", "language"}):
            words = self._change.value = escape(changes_text(state.trace, state.language))
            self._changed_run.layout.display = "" if words else "none"
            self._mark_notes()
        if not changes.isdisjoint({"trace", "model", "language"}):
            self._show_models()
        if not changes.isdisjoint({"trace", "patch_size", "image_size", "language"}):
            self._show_sizes()
            self._facts.value = facts_html(state)
            self.show_notices()

    def _show_status(self) -> None:
        self._status.value = status_html(self.state, opening=self._picture.busy)

    def show_notices(self) -> None:
        """Say what one should know of the answers, and of the link that opened the page."""
        sentences = [*self._link.notes(), *notices(self.state.trace, self.state.language)]
        self._notice.value = "".join(f"<div class='vx-message' tabindex='0'>{escape(s)}</div>" for s in sentences)
        self._mark_notes()

    def _mark_notes(self) -> None:
        """Whether something hangs below the bar is said by a class: what stops below it makes room."""
        (self.add_class if self._notice.value or self._change.value else self.remove_class)("vx-noted")

    def _say(self) -> None:
        language = self.state.language
        self._picture.language = language
        self._language.value = language
        for widget, key in (
            (self._model, "model"),
            (self._patch_size, "patch-size"),
            (self._image_size, "image-size"),
        ):
            widget.label = text(f"page.{key}", language)
        for button, key in (
            (self._cancel, "cancel"),
            (self._dismiss, "dismiss"),
            (self._load, "load"),
            (self._random, "random-offer"),
        ):
            button.description = text(f"page.{key}", language)
        self._lost_kernel.sentence = text("page.lost-kernel", language)
        self._undo.description = text("experiments.undo-change", language)
        self._name.placeholder = text("page.other-model-hint", language)
        keys = ("button", "hint", "back", "next", "leave")
        self._teaching.texts = {key: text(f"teaching.{key}", language) for key in keys}
        self._nav.label = text("page.stages", language)
        self._nav.stages = [
            {"id": stage, "number": number, "name": text(f"page.nav-{stage}", language)}
            for stage, number in self._stages
        ]

    def _show_error(self) -> None:
        error = self.state.error
        self._error.value = error_html(error, self.state.language)
        self._banner.layout.display = "none" if error is None else ""
        # Weights that could not be had, or that nobody made: timm knows how to build the model all the same.
        code = error.code if isinstance(error, ExplorerError) else ""
        offer = code.startswith("download-") or code == "model-no-weights"
        self._random.layout.display = "" if offer and self.state.failed else "none"

    def _show_models(self) -> None:
        language, current = self.state.language, self._current_model()
        options = [
            {
                "value": model.name,
                "label": f"{model.title} — {model.facts(language)}",
                "short": model.title,
                "note": model.note(language),
                "group": text(f"page.{'bundled' if model.bundled else 'download'}-group", language),
            }
            for model in known_models()
        ]
        if current not in {option["value"] for option in options}:
            options.append({"value": current, "label": current})
        options.append({"value": _OTHER, "label": text("page.other-model", language)})
        with self.hold_trait_notifications():
            self._model.show(options, _OTHER if self._other_open else current)
        self._show_other()

    def _current_model(self) -> str:
        return named_model(self.state.model)

    def _show_other(self) -> None:
        self._other.layout.display = "" if self._other_open else "none"

    def _show_sizes(self) -> None:
        state, spec = self.state, self.state.spec
        for widget in (self._patch_size, self._image_size):
            widget.disabled = spec is None
        # Between the choice of another model and its answer there are no sizes.
        if spec is None or not state.patch_size or not state.image_size:
            return
        # What is shown stands in the menus, whoever asked for it.
        patch_sizes = patch_size_choices(spec, state.image_size, state.patch_size)
        options = [self._option(choice, choice.patch_size) for choice in patch_sizes]
        self._patch_size.kind = "segments" if len(options) <= _SEGMENTS else "menu"
        self._patch_size.show(options, state.patch_size)
        image_sizes = image_size_choices(spec, state.patch_size, state.image_size)
        self._image_size.show([self._option(choice, choice.image_size) for choice in image_sizes], state.image_size)

    def _option(self, choice: SizeChoice, size: int) -> dict[str, Any]:
        language = self.state.language
        if choice.fits:
            note = text("page.size-tokens", language, size=size, patches=choice.patches)
        else:
            note = text(
                "page.size-too-large",
                language,
                size=size,
                megabytes=round(choice.trace_bytes / 1e6),
                limit=round(MAX_TRACE_BYTES / 1e6),
            )
        return {"value": size, "label": str(size), "note": note, "disabled": not choice.fits}

    def _guarded(self, call: Callable[[Any], None]) -> Callable[[Any], None]:
        def guarded(argument: Any) -> None:
            try:
                call(argument)
            except Exception as error:  # noqa: BLE001 - a comm would only log it
                self.state.report(error)

        return guarded


def _button(on_click: Callable[[Any], None]) -> Button:
    button = Button()
    button.add_class("vx-plain-button")
    button.on_click(on_click)
    return button
