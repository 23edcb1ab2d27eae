"""Experiment with a new head (slide 27): the MLP is taken off, a zero-initialised D × K layer is put on and trained.

The encoder stays as it is. What it makes of each picture is worked out once; the head is trained on these vectors
with NumPy, on all of them at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.errors import Cancelled, ExplorerError
from explorer.experiments.ablations import batch_for
from explorer.experiments.head_file import MAX_CLASSES, NewHead, clean_class_name, fingerprint
from explorer.novelty import Rate
from explorer.numerics import Array

if TYPE_CHECKING:
    from explorer.images import Picture
    from explorer.models import ExplorerModel

__all__ = ["MAX_CLASSES", "classify", "picture_vectors", "train_head"]

#: How strongly the weights are pulled to zero. Without, the loss of pictures that can be told apart has no least.
_DECAY = 0.01
_Floats = NDArray[np.float64]
Report = Callable[[int, int], None]
#: ``watch(step, loss)``
Watch = Callable[[int, float], None]


def train_head(
    model: ExplorerModel,
    pictures: Mapping[str, Sequence[Picture | bytes | str]],
    *,
    steps: int = 200,
    report: Report | None = None,
    watch: Watch | None = None,
    cancelled: Callable[[], bool] | None = None,
    **sizes: Any,
) -> NewHead:
    """Train a linear head for classes of one's own.

    Parameters
    ----------
    model : ExplorerModel
    pictures : mapping of class names to pictures
        Two to ten classes, of two pictures and more each. Of a name is kept what can be shown and typed: no control
        characters, and 40 characters at most.
    steps : int
        Of accelerated gradient descent on the cross-entropy of all pictures.
    report : callable, optional
        ``report(done, total)``: how far it is; a picture seen, a step and a picture left out are each one.
    watch : callable, optional
        ``watch(step, loss)``, called after every step in the same thread.
    cancelled : callable, optional
        Asked again and again whether the head is still wanted.
    **sizes
        ``patch_size`` and ``image_size``, as for :func:`explorer.trace_image`.

    Returns
    -------
    NewHead

    Raises
    ------
    Cancelled
    ExplorerError
        ``head-class-count``, ``head-class-name``, or ``head-few-pictures``, where a class has a single picture: none
        would be left to learn from when it is left out.
    """
    names = _checked_names(pictures)
    flat = [picture for name in pictures for picture in pictures[name]]
    targets = np.repeat(np.arange(len(names)), [len(pictures[name]) for name in pictures])
    total = 2 * len(flat) + steps
    done = 0

    def tick(count: int = 1) -> None:
        nonlocal done
        if cancelled is not None and cancelled():
            raise Cancelled
        done += count
        if report is not None:
            report(done, total)

    vectors = picture_vectors(model, flat, tick=tick, **sizes).astype(np.float64)
    # Turned into the directions in which the pictures differ at all: the same head, and much less to compute.
    _, _, directions = np.linalg.svd(vectors, full_matrices=False)
    turned = vectors @ directions.T

    def step_done(step: int, loss: float) -> None:
        if watch is not None:
            watch(step, loss)
        if step:
            tick()

    weight, bias, losses = _fit(turned, targets, len(names), steps, step_done)
    answers = np.empty(len(flat), dtype=np.int64)
    for left_out in range(len(flat)):
        others = np.arange(len(flat)) != left_out
        own_weight, own_bias, _ = _fit(turned[others], targets[others], len(names), steps)
        answers[left_out] = (turned[left_out] @ own_weight + own_bias).argmax()
        tick()
    _, arrays = model.at(sizes.get("patch_size"), sizes.get("image_size"))
    return NewHead(
        weight=(directions.T @ weight).astype(np.float32),
        bias=bias.astype(np.float32),
        classes=names,
        losses=np.array(losses, dtype=np.float32),
        targets=targets,
        left_out_answers=answers,
        leave_one_out=Rate(int((answers == targets).sum()), len(flat)),
        model=model.name,
        fingerprint=fingerprint(arrays),
        patch_size=arrays.patch_size,
        image_size=arrays.image_size,
    )


def classify(
    head: NewHead,
    model: ExplorerModel,
    picture: Picture | bytes | str,
    crop: tuple[float, float] = (0.5, 0.5),
) -> Array:
    """What a new head answers to a picture.

    Parameters
    ----------
    head : NewHead
    model : ExplorerModel
        The one that the head was trained on.
    picture : Picture, bytes, or path
    crop : (float, float)
        As for :func:`explorer.trace_image`.

    Returns
    -------
    (K,) array
        Logits, in the order of ``head.classes``; their softmax are probabilities.

    Raises
    ------
    ExplorerError
        ``head-other-model``, if the head is another model's.
    """
    head.check_model(model.arrays, model.name)
    vectors = picture_vectors(model, [picture], patch_size=head.patch_size, image_size=head.image_size, crop=crop)
    return head(vectors[0])


def picture_vectors(
    model: ExplorerModel,
    pictures: Sequence[Picture | bytes | str],
    *,
    crop: tuple[float, float] = (0.5, 0.5),
    tick: Callable[[int], None] = lambda count: None,
    **sizes: Any,
) -> Array:
    """The vector of each picture that a head reads: CLS after the last norm, or what the model pools.

    Parameters
    ----------
    model : ExplorerModel
    pictures : sequence of pictures
    crop : (float, float)
        The same for all.
    tick : callable
        Told after every batch how many pictures it had.
    **sizes
        ``patch_size`` and ``image_size``.

    Returns
    -------
    (n, D) array
        The mean of the two vectors in a distilled model.
    """
    import torch

    from explorer.engine import model_input, normalise

    module, arrays = model.at(sizes.get("patch_size"), sizes.get("image_size"))
    # Small batches, so that one sees how far it is.
    batch = batch_for(arrays, 8)
    vectors: list[Array] = []
    for start in range(0, len(pictures), batch):
        images = [model_input(model, picture, crop=crop, **sizes)[2] for picture in pictures[start : start + batch]]
        with torch.inference_mode():
            pixels = torch.stack([normalise(image, model.spec) for image in images])
            pooled = module.forward_head(module.forward_features(pixels), pre_logits=True)
        vectors.append(pooled.numpy())
        tick(len(images))
    return np.concatenate(vectors)


def _checked_names(pictures: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """The classes' names as they can be shown, having made sure that a head can be trained."""
    names = tuple(clean_class_name(name) for name in pictures)
    if not 2 <= len(names) <= MAX_CLASSES:
        raise ExplorerError("head-class-count", given=len(names), limit=MAX_CLASSES)
    if "" in names or len(set(names)) < len(names):
        raise ExplorerError("head-class-name")
    for name, given in zip(names, pictures.values(), strict=True):
        if len(given) < 2:
            raise ExplorerError("head-few-pictures", name=name, given=len(given))
    return names


def _fit(
    vectors: _Floats,
    targets: NDArray[np.int64],
    classes: int,
    steps: int,
    step_done: Callable[[int, float], None] = lambda step, loss: None,
) -> tuple[_Floats, _Floats, list[float]]:
    """Softmax regression from zero: weight (D, K), bias (K,), and the loss before and after every step."""
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    size = float(np.sqrt(np.square(centred).sum(axis=1).mean())) or 1.0
    # Centred and of length about 1, with a 1 for the bias: then one step size fits all models.
    x = np.concatenate([centred / size, np.ones((len(vectors), 1))], axis=1)
    wanted = np.eye(classes)[targets]
    decay = np.full((x.shape[1], 1), _DECAY / len(x))
    decay[-1] = 0
    # The loss curves at most so much (half the largest eigenvalue): the largest step that is always safe.
    rate = 1.0 / (0.5 * float(np.linalg.eigvalsh(x.T @ x / len(x))[-1]) + _DECAY)
    weight = np.zeros((x.shape[1], classes))
    ahead, momentum = weight, 1.0
    losses = [_loss(x @ weight, targets)]
    step_done(0, losses[0])
    for step in range(1, steps + 1):
        gradient = x.T @ (_shares(x @ ahead) - wanted) / len(x) + decay * ahead
        moved = ahead - rate * gradient
        # Nesterov 1983; where the last move went uphill, its momentum is dropped (O'Donoghue and Candès 2015).
        if float((gradient * (moved - weight)).sum()) > 0:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + (momentum - 1) / following * (moved - weight)
        weight, momentum = moved, float(following)
        losses.append(_loss(x @ weight, targets))
        step_done(step, losses[-1])
    # Back to vectors as they are.
    inner = weight[:-1] / size
    return inner, weight[-1] - mean @ inner, losses


def _shares(logits: _Floats) -> _Floats:
    """Softmax, in double precision."""
    shares: _Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _loss(logits: _Floats, targets: NDArray[np.int64]) -> float:
    """Mean cross-entropy."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(shifted).sum(axis=1))
    return float((total - shifted[np.arange(len(targets)), targets]).mean())
