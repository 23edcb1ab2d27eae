"""A run as something that panels can show, and what its model is called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.catalog import BUNDLED_NAME, known_models
from explorer.errors import ExplorerError
from explorer.images import Cropping, Picture, display_crop, open_picture
from explorer.labels import Labels
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.tracer import TraceAnswer

__all__ = ["model_name", "opened", "photo_of", "state_of"]


@contextmanager
def state_of(
    trace: Trace,
    labels: Labels | None,
    picture: Picture,
    crop: tuple[float, float],
    layer: int,
    head: int,
    token: int | None,
) -> Iterator[ExplorerState]:
    """A state that shows a run that is there already."""
    state = ExplorerState(
        answerer=lambda request, _report, _cancelled: TraceAnswer(
            request=request, trace=trace, labels=Labels() if labels is None else labels
        ),
        deliver=lambda call: call(),
        picture=picture,
        crop=crop,
        layer=layer,
        head=head,
    )
    try:
        state.wait()
        if state.error is not None:
            raise state.error
        if token is not None:
            state.token = min(max(token, 0), trace.num_tokens - 1)
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
    path = Path(picture)
    try:
        return open_picture(path.read_bytes(), path.name)
    except OSError as error:
        raise ExplorerError("file-unreadable", file=str(path)) from error


def photo_of(trace: Trace, picture: Picture, crop: tuple[float, float]) -> NDArray[np.uint8]:
    """The picture as sharp as it is, cut as the model sees it."""
    spec = trace.spec
    return display_crop(picture, Cropping(trace.image_size, spec.crop_pct, spec.interpolation, spec.crop_mode), crop)


def model_name(trace: Trace) -> str:
    """The papers' name where it is on the list; of a folder its own name, without where it lies."""
    name = trace.spec.name
    known = BUNDLED_NAME if name == "bundled" else name
    titles = {model.name: model.title for model in known_models()}
    return titles.get(known) or name.replace("\\", "/").rstrip("/").rpartition("/")[2]
