"""A run as something that panels can show, and what its model is called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.catalog import known_models
from explorer.errors import ExplorerError
from explorer.images import Cropping, Picture, display_crop, open_picture, read_picture
from explorer.labels import Labels
from explorer.resources import named_model
from explorer.state import ExplorerState, place_ranges
from explorer.trace import Trace
from explorer.tracer import TraceAnswer

__all__ = ["Showing", "model_name", "opened", "photo_of", "state_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Showing:
    """A run, and what of it is open: what all files are made from.

    Parameters
    ----------
    trace : Trace
    labels : Labels or None
        Names of the classes.
    picture : Picture
        What the run was made from.
    language : str
    crop : (float, float)
        Where the square crop lies on the picture.
    layer, head, token : int
        What is open, from 0; a head of -1 is the mean. By default a patch in the middle is picked.
    """

    trace: Trace
    labels: Labels | None
    picture: Picture
    language: str = "en"
    crop: tuple[float, float] = (0.5, 0.5)
    layer: int = 0
    head: int = 0
    token: int | None = None

    @classmethod
    def on_page(cls, state: ExplorerState) -> Showing | None:
        """What a page shows; None as long as that is nothing."""
        # What the shown run was made from: by now another picture may have been asked for.
        trace, asked = state.trace, state.untouched
        if trace is None or asked is None:
            return None
        return cls(
            trace=trace,
            labels=state.labels,
            picture=asked.picture,
            language=state.language,
            crop=asked.crop,
            layer=state.layer,
            head=state.head,
            token=state.token,
        )

    def check(self) -> None:
        """Raise unless the run has what is to be open; a page would show the nearest that there is.

        Raises
        ------
        ExplorerError
            ``intervention-layer``, ``intervention-head`` or ``export-token-unknown``.
        """
        spec, ranges = self.trace.spec, place_ranges(self.trace)

        def missing(name: str, number: int) -> bool:
            least, most = ranges[name]
            return not least <= number <= most

        if missing("layer", self.layer):
            raise ExplorerError("intervention-layer", layer=self.layer + 1, depth=spec.depth)
        if missing("head", self.head):
            raise ExplorerError("intervention-head", head=self.head + 1, heads=spec.heads)
        if self.token is not None and missing("token", self.token):
            raise ExplorerError("export-token-unknown", token=self.token, tokens=self.trace.num_tokens)


@contextmanager
def state_of(showing: Showing) -> Iterator[ExplorerState]:
    """A state that shows a run that is there already."""
    trace, labels = showing.trace, Labels() if showing.labels is None else showing.labels
    state = ExplorerState(
        answerer=lambda request, _report, _cancelled: TraceAnswer(request=request, trace=trace, labels=labels),
        deliver=lambda call: call(),
        picture=showing.picture,
        crop=showing.crop,
        layer=showing.layer,
        head=showing.head,
        language=showing.language,
    )
    try:
        state.wait()
        if state.error is not None:
            raise state.error
        if showing.token is not None:
            state.token = showing.token
        yield state
    finally:
        state.close()


def opened(picture: Picture | bytes | str | os.PathLike[str]) -> Picture:
    """A picture, its bytes or its file, as a picture.

    Raises
    ------
    ExplorerError
        If it cannot be read, or is none.
    """
    if isinstance(picture, Picture):
        return picture
    if isinstance(picture, bytes):
        return open_picture(picture)
    return read_picture(picture)


def photo_of(showing: Showing) -> NDArray[np.uint8]:
    """The picture as sharp as it is, cut as the model sees it."""
    size, spec = showing.trace.image_size, showing.trace.spec
    cropping = Cropping(size, spec.crop_pct, spec.interpolation, spec.crop_mode)
    return display_crop(showing.picture, cropping, showing.crop)


def model_name(trace: Trace) -> str:
    """The papers' name where it is on the list; of a folder its own name, without where it lies."""
    name = trace.spec.name
    titles = {model.name: model.title for model in known_models()}
    return titles.get(named_model(name)) or name.replace("\\", "/").rstrip("/").rpartition("/")[2]
