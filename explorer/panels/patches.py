"""Stage 1: the photo under its grid, and one patch of it down to its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

import ipywidgets as W
import numpy as np

from explorer.drawing import Column, Node, Part, Row, Words
from explorer.figures.patches import (
    channel_figure,
    entry_of,
    normalised_value,
    patch_figure,
    pixel_of,
    under_grid,
    vector_figure,
)
from explorer.formulas import formula
from explorer.images import Cropping, display_crop, encode_image
from explorer.panels.base import Shape, StagePanel, box, html
from explorer.panels.numbers import difference, signed
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.widgets import MatrixView, PatchView, TilesView
from explorer.widgets.choice import Choice
from explorer.widgets.crop_picker import CropPicker

__all__ = ["PatchesPanel"]

_CHANNELS = 3
#: About so many screen pixels wide is what the model sees.
_ENLARGED = 1040


class PatchesPanel(StagePanel):
    """The photo under the grid; the picked patch as pixels, as three channels and as the vector that it becomes."""

    stage = "patches"
    number = 1
    watches: ClassVar[frozenset[str]] = frozenset({"trace", "token", "crop"})
    formulas = ("num-patches", "patch")

    def __init__(self, state: ExplorerState, **options: Any) -> None:
        self._view = "photo"
        self._photo_shown: object = None
        #: The patch that is shown; it stays while CLS is picked, which has no pixels.
        self._token = -1
        #: The number of its vector that is worked out.
        self._entry = -1
        self._linking = False
        super().__init__(state, **options)

    def shapes(self, trace: Trace) -> Sequence[Shape]:
        """The image and its patches."""
        return (
            (r"\boldsymbol{x}", "image", trace.image.shape),
            (r"\boldsymbol{x}_p", "patches", trace.patches.shape),
        )

    def build(self, trace: Trace) -> Sequence[W.Widget]:
        """Photo on the left, the picked patch beside it, its channels and its vector below."""
        self._views = Choice(kind="segments")
        self._views.observe(lambda change: self._choose_view(change["new"]), names="value")
        self._count = html("vx-fact", "vx-count")
        self._photo = PatchView(max_size=520)
        self._photo.observe(lambda change: self._pick(change["new"]), names="selected")
        self._crop = CropPicker()
        self._crop.observe(lambda change: self._move(), names=["center_x", "center_y"])
        self._picked = html("vx-subtitle")
        self._hint = html("vx-hint")
        self._tile = TilesView()
        self._normalised = html("vx-normalised")
        self._channels_title = html("vx-subtitle")
        self._channels = [MatrixView(max_size=460) for _ in range(_CHANNELS)]
        for channel, view in enumerate(self._channels):
            view.observe(self._pixel_listener(channel), names=["selected_row", "selected_col"])
        self._order = html("vx-fact")
        self._vector = MatrixView(max_size=420)
        self._vector.observe(lambda change: self._pick_entry(), names=["selected_row", "selected_col"])
        return (
            box(self._views, self._count, classes=["vx-row", "vx-patches-controls"]),
            box(
                box(self._photo, self._hint, classes=["vx-patches-photo"]),
                box(
                    self._picked,
                    box(self._tile, self._normalised, classes=["vx-columns", "vx-patches-close"]),
                    self._crop,
                    classes=["vx-patches-picked"],
                ),
                classes=["vx-columns", "vx-patches-main"],
            ),
            box(
                self._channels_title,
                box(*self._channels, classes=["vx-columns", "vx-columns-3"]),
                classes=["vx-patches-channels"],
            ),
            box(self._order, self._vector, classes=["vx-patches-vector"]),
        )

    def excerpt(self) -> Sequence[W.Widget]:
        """The photo under its grid, sharp or as the model sees it."""
        return (box(self._views, self._count, classes=["vx-row", "vx-patches-controls"]), self._photo)

    def picture(self) -> Node:
        """The photo under its grid; beside it the picked patch, and the vector that it becomes."""
        photo = Part(self._photo, width=480, state={"max_size": 420})
        close = Part(self._tile, width=480, state={"max_tile": 150})
        vector = Part(self._vector, width=480, state={"selected_row": -1, "selected_col": -1})
        if self._token == self.state.token:
            return Row([photo, Column([close, vector])])
        stays = Words(text=self.say("stays", token=self.token_name(self._token)), width=480, quiet=True)
        return Row([photo, Column([close, vector, stays])])

    @property
    def views(self) -> Choice:
        """The control between the photo and what the model sees of it."""
        return self._views

    @property
    def photo(self) -> PatchView:
        """The photo under its grid."""
        return self._photo

    def refresh(self, trace: Trace, changes: frozenset[str]) -> None:
        """Bring up to date what changed."""
        if "language" in changes:
            for view in (self._photo, self._crop, self._tile, self._vector, *self._channels):
                view.language = self.state.language
        if not changes.isdisjoint({"trace", "language"}):
            self._show_words(trace)
        if "trace" in changes:
            self._show_photo(trace)
            self._crop.show(self.state.shown_picture, _cropping(trace))
        self._crop.center_x, self._crop.center_y = self.state.crop
        self._photo.selected = self._place_of(trace, self.state.token)
        self._follow_token(trace, again=not changes.isdisjoint({"trace", "language"}))

    # -- what the reader does --------------------------------------------------------------------------------------

    def _pick(self, place: int) -> None:
        """A place on the photo was picked: it counts the whole grid, also where patches are dropped."""
        trace = self.state.trace
        if trace is None or place < 0:
            return
        if place < trace.num_prefix:
            self.state.token = place
            return
        found = np.flatnonzero(trace.patch_index == place - trace.num_prefix)
        if found.size:
            self.state.token = trace.num_prefix + int(found[0])

    def _place_of(self, trace: Trace, token: int) -> int:
        prefix = trace.num_prefix
        return token if token < prefix else prefix + int(trace.patch_index[token - prefix])

    def _move(self) -> None:
        self.state.crop = (self._crop.center_x, self._crop.center_y)

    def _choose_view(self, view: object) -> None:
        if view != self._view and self.state.trace is not None:
            self._view = str(view)
            self._show_photo(self.state.trace)

    def _pixel_listener(self, channel: int) -> Any:
        def listen(_change: dict[str, Any]) -> None:
            view, trace = self._channels[channel], self.state.trace
            if trace is None or self._linking or min(view.selected_row, view.selected_col) < 0:
                return
            self._work_out(trace, entry_of(trace, view.selected_row, view.selected_col, channel))

        return listen

    def _pick_entry(self) -> None:
        row, col, trace = self._vector.selected_row, self._vector.selected_col, self.state.trace
        if trace is not None and not self._linking and min(row, col) >= 0:
            self._work_out(trace, entry_of(trace, row, col // _CHANNELS, col % _CHANNELS))

    # -- parts -----------------------------------------------------------------------------------------------------

    def _show_words(self, trace: Trace) -> None:
        say, size = self.say, trace.patch_size
        height, width = trace.image.shape[:2]
        rows, cols = trace.grid
        self._views.label = say("view")
        views = [
            {"value": "photo", "label": say("view-photo")},
            {"value": "model", "label": say("view-model", size=height)},
        ]
        self._views.show(views, self._view)
        counted = {"height": height, "width": width, "size": size, "patches": trace.num_patches}
        if trace.num_patches == rows * cols:
            count = say("count", **counted)
        else:
            count = say("count-dropped", **counted, all=rows * cols)
        self._count.value = escape(count)
        self._photo.title = say("photo-title", rows=rows, cols=cols)
        self._channels_title.value = escape(say("channels-title", size=size))
        self._order.value = f"<p>{escape(say('order'))} {escape(say('choose'))}</p>"

    def _show_photo(self, trace: Trace) -> None:
        picture, crop, cropping = self.state.shown_picture, self.state.shown_crop, _cropping(trace)
        sharp = self._view == "photo" and picture is not None
        digest = None if picture is None else picture.digest
        rows, cols = trace.grid
        shown = (sharp, digest, crop, cropping, trace.grid, trace.prefix_names, trace.patch_index.tobytes())
        # Another model may see the same photo.
        self._photo.stem = self.stem(self._view)
        if shown == self._photo_shown:
            return
        self._photo_shown = shown
        if sharp and picture is not None:
            data, mime = encode_image(under_grid(display_crop(picture, cropping, crop), trace), "jpeg"), "image/jpeg"
        else:
            # Enlarged here, pixel by pixel: a browser would smooth what is to be seen as pixels.
            seen = under_grid(trace.image, trace)
            factor = max(1, _ENLARGED // seen.shape[0])
            data, mime = encode_image(seen.repeat(factor, axis=0).repeat(factor, axis=1)), "image/png"
        kept = None if trace.num_patches == rows * cols else [int(place) for place in trace.patch_index]
        self._photo.show_image(data, mime, grid=trace.grid, prefix_names=trace.prefix_names, kept=kept)

    def _follow_token(self, trace: Trace, *, again: bool) -> None:
        token = self.state.token
        is_patch = token >= trace.num_prefix
        if is_patch:
            wanted = token
        elif trace.num_prefix <= self._token < trace.num_tokens:
            wanted = self._token
        else:
            wanted = trace.num_prefix + trace.num_patches // 2
        name = self.token_name(wanted)
        self._picked.value = escape(self.say("picked" if is_patch else "stays", token=name))
        hint = self.say("hint") if is_patch else self.say("prefix", name=self.token_name(token))
        picture = self.state.shown_picture
        white = f"<p class='vx-quiet'>{escape(self.say('on-white'))}</p>" if picture and picture.on_white else ""
        self._hint.value = f"<p class='{'vx-quiet' if is_patch else 'vx-said'}'>{escape(hint)}</p>{white}"
        if again or wanted != self._token:
            self._token = wanted
            self._show_patch(trace)

    def _show_patch(self, trace: Trace) -> None:
        say, token, size = self.say, self._token, trace.patch_size
        place = str(int(trace.patch_index[token - trace.num_prefix]))
        length = trace.patches.shape[1]
        self._tile.show(
            patch_figure(trace, token, title=say("tile-title", size=size), caption="", stem=self.stem("patch", place))
        )
        letters = [say(f"letter-{channel}") for channel in range(_CHANNELS)]
        for channel, view in enumerate(self._channels):
            view.show(
                channel_figure(
                    trace,
                    token,
                    channel,
                    row=say("axis-row"),
                    col=say("axis-col"),
                    title=say(f"channel-{channel}"),
                    label=say("pixel-value"),
                    stem=self.stem("patch", place, "RGB"[channel]),
                )
            )
        self._vector.show(
            vector_figure(
                trace,
                token,
                row=say("axis-vector-row"),
                col=say("axis-vector-col"),
                channels=letters,
                title=say("vector-title", size=size, length=length),
                label=say("vector-value"),
                caption=say("vector-caption"),
                stem=self.stem("patch", place, "vector"),
            )
        )
        # The middle pixel's red at first; after that, the same place in every patch.
        entry = self._entry if 0 <= self._entry < length else entry_of(trace, size // 2, size // 2, 0)
        self._work_out(trace, entry)

    def _work_out(self, trace: Trace, entry: int) -> None:
        """Show one number's way from pixel to vector, and mark it in all four matrices."""
        self._entry = entry
        row, col, channel = pixel_of(trace, entry)
        self._linking = True
        try:
            for place, view in enumerate(self._channels):
                with view.hold_sync():
                    view.selected_row, view.selected_col = (row, col) if place == channel else (-1, -1)
            with self._vector.hold_sync():
                self._vector.selected_row, self._vector.selected_col = row, col * _CHANNELS + channel
        finally:
            self._linking = False
        number = normalised_value(trace, self._token, entry)
        say = self.say
        pixel = f"{number.pixel:.0f}" if number.pixel == round(number.pixel) else f"{number.pixel:.3f}"
        lines = (
            f"<p>{escape(say('entry', entry=entry, row=row, col=col, channel=say(f'channel-{channel}')))}</p>"
            f"<div class='vx-formula'>{formula('normalise')}</div>"
            f"<p class='vx-sum'>({pixel} / 255 − {number.mean:.4g}) / {number.std:.4g}"
            f" = <b>{signed(number.expected, 5)}</b></p>"
        )
        check = say("check", value=signed(number.value, 5), difference=difference(number.value - number.expected))
        self._normalised.value = f"{lines}<p class='vx-quiet'>{escape(check)}</p>"


def _cropping(trace: Trace) -> Cropping:
    """The model's crop at the size of this run."""
    spec = trace.spec
    return Cropping(trace.image_size, spec.crop_pct, spec.interpolation, spec.crop_mode)
