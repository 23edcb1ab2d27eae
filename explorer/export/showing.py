"""A run as something that panels can show, and what its model is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from explorer.catalog import BUNDLED_NAME, known_models
from explorer.images import Cropping, Picture, display_crop
from explorer.labels import Labels
from explorer.state import ExplorerState
from explorer.trace import Trace
from explorer.tracer import TraceAnswer

__all__ = ["model_name", "photo_of", "state_of"]


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
