"""The photo as stages show it: as sharp as it came, cut to what the grid covers, and its patches by number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explorer.figures.patches import under_grid
from explorer.images import Cropping, display_crop
from explorer.state import ExplorerState
from explorer.trace import Trace

__all__ = ["patch_of", "sharp_photo", "token_of"]


def sharp_photo(state: ExplorerState, trace: Trace) -> NDArray[np.uint8]:
    """What the grid covers of the photo.

    Parameters
    ----------
    state : ExplorerState
        Whose picture and crop are shown.
    trace : Trace
        A run of it.

    Returns
    -------
    (S, S, 3) uint8 array
    """
    picture, spec = state.shown_picture, trace.spec
    if picture is None:
        return under_grid(trace.image, trace)
    cropping = Cropping(trace.image_size, spec.crop_pct, spec.interpolation, spec.crop_mode)
    return under_grid(display_crop(picture, cropping, state.shown_crop), trace)


def patch_of(trace: Trace, token: int) -> int:
    """The patch of the photo that a token shows; −1 for a prefix token."""
    return int(trace.patch_index[token - trace.num_prefix]) if token >= trace.num_prefix else -1


def token_of(trace: Trace, patch: int) -> int | None:
    """The token that shows a patch of the photo; None where that was dropped."""
    found = np.flatnonzero(trace.patch_index == patch)
    return trace.num_prefix + int(found[0]) if found.size else None
