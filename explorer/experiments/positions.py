"""Experiments with positions: shuffled patches (slide 12), and another 𝑬_pos (slides 13–17)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.catalog import bundled_models
from explorer.experiments.changes import PositionKind, position_intervention
from explorer.experiments.results import PairResult, ShuffleResult, SiblingAnswer
from explorer.interventions import Intervention
from explorer.novelty import Rate

if TYPE_CHECKING:
    from explorer.images import Picture
    from explorer.models import ExplorerModel

__all__ = ["SIBLINGS", "shuffle_patches", "sibling_answers", "swap_positions"]

#: Models that were trained alike but for 𝑬_pos.
SIBLINGS = ("pos-learned", "pos-sin1d", "pos-sin2d", "pos-none")


def shuffle_patches(
    model: ExplorerModel,
    picture: Picture | bytes | str,
    order: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    seed: int = 0,
    **sizes: Any,
) -> ShuffleResult:
    """Shuffle a picture's patches, with 𝑬_pos and without (slide 12).

    Without 𝑬_pos nothing tells the model where a patch lies: the answer stays, and the tokens come out in the same
    order as they went in, to rounding.

    Parameters
    ----------
    model : ExplorerModel
    picture : Picture, bytes, or path
    order : (N,) ints, optional
        Place ``n`` gets patch ``order[n]``; by default a random order.
    seed : int
        Of the random order.
    **sizes
        ``patch_size``, ``image_size`` and ``crop``, as for :func:`explorer.trace_image`.

    Returns
    -------
    ShuffleResult

    Raises
    ------
    ExplorerError
        ``intervention-permutation``, if there are not as many places as patches; what
        :func:`~explorer.trace_image` raises.
    ValueError
        If `order` names a patch twice.
    """
    from explorer.engine import model_input, trace_pixels

    module, arrays, image = model_input(model, picture, **sizes)
    count = arrays.grid[0] * arrays.grid[1]
    given = np.random.default_rng(seed).permutation(count) if order is None else np.asarray(order, dtype=np.int64)
    places = tuple(int(place) for place in given)

    def run(**change: Any) -> Any:
        return trace_pixels(module, arrays, image, Intervention(**change))

    return ShuffleResult(
        original=run(),
        shuffled=run(permutation=places),
        original_without=run(pos_embed=None),
        shuffled_without=run(pos_embed=None, permutation=places),
        order=np.array(places, dtype=np.int64),
    )


def swap_positions(
    model: ExplorerModel,
    picture: Picture | bytes | str,
    kind: PositionKind,
    *,
    scale: float = 1.0,
    seed: int = 0,
    **sizes: Any,
) -> PairResult:
    """Run a model with another 𝑬_pos than the one that it was trained with.

    Parameters
    ----------
    model : ExplorerModel
    picture : Picture, bytes, or path
    kind : {'own', 'none', 'sin1d', 'sin2d', 'shuffled'}
    scale : float
        What the table is multiplied with; :func:`~explorer.experiments.matching_scale` gives the one at which a
        sinusoidal table is as large as the model's own.
    seed : int
        Of the shuffle.
    **sizes
        As for :func:`shuffle_patches`.

    Returns
    -------
    PairResult
    """
    from explorer.engine import model_input, trace_pixels

    module, arrays, image = model_input(model, picture, **sizes)
    change = position_intervention(arrays, kind, scale, seed)
    return PairResult(before=trace_pixels(module, arrays, image), after=trace_pixels(module, arrays, image, change))


def sibling_answers(
    picture: Picture | bytes | str,
    *,
    load: Callable[[str], ExplorerModel] | None = None,
    **sizes: Any,
) -> list[SiblingAnswer]:
    """Ask the bundled models that were trained alike but for 𝑬_pos.

    Parameters
    ----------
    picture : Picture, bytes, or path
    load : callable, optional
        Gives a model by its name; by default :func:`explorer.load_model`.
    **sizes
        As for :func:`shuffle_patches`.

    Returns
    -------
    list of SiblingAnswer
        Of those that are bundled, in the order of the slides; empty where none is.
    """
    from explorer.engine import trace_image
    from explorer.models import load_model

    bundled = {model.name for model in bundled_models()}
    answers = []
    for name in SIBLINGS:
        if name in bundled:
            model = (load or load_model)(name)
            trace = trace_image(model, picture, **sizes)
            answers.append(
                SiblingAnswer(name=name, trace=trace, labels=model.labels, accuracy=measured_accuracy(model))
            )
    return answers


def measured_accuracy(model: ExplorerModel) -> Rate | None:
    """Top-1 of one of our own models at its native patch size on the held-back pictures, as its model card has it.

    Parameters
    ----------
    model : ExplorerModel

    Returns
    -------
    Rate or None
        None where the model's folder says nothing about it.
    """
    if model.folder is None:
        return None
    try:
        counted = json.loads((Path(model.folder) / "training.json").read_text("utf-8"))["evaluated"]
        found = next(entry for entry in counted if entry["patch_size"] == model.spec.patch_size)
        return Rate(int(found["top1"]), int(found["count"]))
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None
