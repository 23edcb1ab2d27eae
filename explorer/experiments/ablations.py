"""Experiments with parts taken away: patches, heads, a layer's MSA or MLP; and what each of them was worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from explorer.analysis import attention_entropy, rank_correlation
from explorer.arrays import ModelArrays
from explorer.errors import ExplorerError
from explorer.experiments.results import EffectMap, HeadEffects, PairResult
from explorer.interventions import Intervention
from explorer.numerics import Array
from explorer.sizes import multiply_adds
from explorer.trace import Trace

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

    from explorer.images import Picture
    from explorer.models import ExplorerModel

__all__ = [
    "OwnRun",
    "ablate",
    "batch_for",
    "head_effects",
    "last_attention",
    "own_run",
    "patch_effects",
    "reading_weights",
]

Report = Callable[[int, int], None]

#: Multiply-adds of one batch at most: a second or so on two cores, so that a run can be stopped and says how far it is.
_BATCH_WORK = 16_000_000_000


def ablate(
    model: ExplorerModel, picture: Picture | bytes | str, intervention: Intervention, **sizes: Any
) -> PairResult:
    """Run a model as it is, and with parts taken away.

    Parameters
    ----------
    model : ExplorerModel
    picture : Picture, bytes, or path
    intervention : Intervention
        What is changed; of any kind.
    **sizes
        ``patch_size``, ``image_size`` and ``crop``, as for :func:`explorer.trace_image`.

    Returns
    -------
    PairResult

    Raises
    ------
    ExplorerError
        ``experiment-all-patches`` or ``experiment-all-heads``, if nothing is left to look at, or to look with;
        ``intervention-…``, if the change does not fit the model.
    """
    from explorer.engine import model_input, trace_pixels

    module, arrays, image = model_input(model, picture, **sizes)
    _check_something_is_left(arrays, intervention)
    return PairResult(
        before=trace_pixels(module, arrays, image), after=trace_pixels(module, arrays, image, intervention)
    )


def patch_effects(
    model: ExplorerModel,
    picture: Picture | bytes | str,
    *,
    how: Literal["mean", "drop"] = "mean",
    target: int | None = None,
    batch: int = 64,
    report: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
    **sizes: Any,
) -> EffectMap:
    """Take every patch away in turn, and see what becomes of a class's logit.

    Parameters
    ----------
    model : ExplorerModel
    picture : Picture, bytes, or path
    how : {'mean', 'drop'}
        Blank a patch to the mean colour, or leave its token out of the sequence.
    target : int, optional
        The class; by default the model's answer.
    batch : int
        How many runs go through the model together at most; fewer in a large model.
    report : callable, optional
        Told how many runs of how many are done.
    cancelled : callable, optional
        Asked between batches whether the map is still wanted.
    **sizes
        As for :func:`ablate`.

    Returns
    -------
    EffectMap

    Raises
    ------
    Cancelled
    ExplorerError
        ``experiment-no-classes``; ``experiment-one-patch``, where the picture is one patch and is to be dropped.
    """
    return own_run(model, picture, target, **sizes).patch_effects(how, batch, report, cancelled)


def head_effects(
    model: ExplorerModel,
    picture: Picture | bytes | str,
    *,
    target: int | None = None,
    batch: int = 64,
    report: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
    **sizes: Any,
) -> HeadEffects:
    """Switch every head off in turn, and see what becomes of a class's logit.

    Parameters
    ----------
    model, picture, target, batch, report, cancelled, **sizes
        As for :func:`patch_effects`.

    Returns
    -------
    HeadEffects

    Raises
    ------
    Cancelled
    ExplorerError
        ``experiment-no-classes``.
    """
    own = own_run(model, picture, target, **sizes)
    depth, heads = own.trace.q.shape[:2]
    changes = [Intervention(masked_heads=[(layer, head)]) for layer in range(depth) for head in range(heads)]
    effects = own.effects(changes, batch, report, cancelled).reshape(depth, heads)
    beside = _sharpness(own.trace)
    return HeadEffects(
        effects=effects,
        beside=beside,
        correlation=rank_correlation(effects, beside),
        target=own.target,
        logit=own.logit,
    )


def reading_weights(trace: Trace) -> Array:
    """How much of each token the answer is read from.

    Parameters
    ----------
    trace : Trace

    Returns
    -------
    (T,) array that sums to 1
        All on CLS, where the head reads it; half on each of two prefix tokens in a distilled model; what average and
        attention pooling weigh with; all patches alike where no weights say it.
    """
    weights = trace.pool_weights
    if weights is None:
        weights = np.zeros((1, trace.num_tokens), dtype=np.float32)
        weights[:, trace.num_prefix :] = 1.0 / trace.num_patches
    mean: Array = weights.mean(axis=0)
    return mean


def last_attention(trace: Trace) -> Array:
    """The last layer's attention to each patch (N,): mean over heads, of the tokens that the head reads."""
    attention = trace.blocks[-1].attention.mean(axis=0)
    seen: Array = (reading_weights(trace) @ attention)[trace.num_prefix :]
    return seen


def batch_for(arrays: ModelArrays, batch: int = 64) -> int:
    """How many runs go through a model together: at most `batch`, fewer in a large one, that it can be stopped."""
    work = multiply_adds(arrays.spec, arrays.image_size, arrays.patch_size)
    return max(1, min(batch, _BATCH_WORK // work))


class OwnRun:
    """The model's own run, and the class whose logit is watched."""

    def __init__(
        self, module: VisionTransformer, arrays: ModelArrays, image: NDArray[np.uint8], trace: Trace, target: int
    ) -> None:
        self.module, self.arrays, self.image = module, arrays, image
        self.trace, self.target = trace, target
        self.logit = float(trace.output[target])

    def effects(
        self,
        changes: Sequence[Intervention],
        batch: int,
        report: Report | None,
        cancelled: Callable[[], bool] | None,
    ) -> Array:
        """By how much each change lowers the logit."""
        from explorer.engine import run_batch

        answers = run_batch(
            self.module,
            self.arrays,
            self.image,
            changes,
            batch=batch_for(self.arrays, batch),
            report=report,
            cancelled=cancelled,
        )
        effects: Array = self.trace.output[self.target] - answers[:, self.target]
        return effects

    def patch_effects(
        self,
        how: Literal["mean", "drop"],
        batch: int,
        report: Report | None,
        cancelled: Callable[[], bool] | None,
    ) -> EffectMap:
        """What :func:`patch_effects` gives."""
        if how not in {"mean", "drop"}:
            raise ValueError(f"a patch is taken away by 'mean' or 'drop', not {how!r}")
        count = self.trace.num_patches
        if how == "drop" and count == 1:
            raise ExplorerError("experiment-one-patch")
        everything = frozenset(range(count))
        changes = [
            Intervention(masked=[patch]) if how == "mean" else Intervention(kept=everything - {patch})
            for patch in range(count)
        ]
        effects = self.effects(changes, batch, report, cancelled)
        attention = last_attention(self.trace)
        return EffectMap(
            effects=effects,
            attention=attention,
            correlation=rank_correlation(effects, attention),
            target=self.target,
            logit=self.logit,
            how=how,
            grid=self.trace.grid,
        )


def own_run(model: ExplorerModel, picture: Picture | bytes | str, target: int | None, **sizes: Any) -> OwnRun:
    """Run the model as it is; refuse one without classes."""
    from explorer.engine import model_input, trace_pixels

    check_classes(model)
    module, arrays, image = model_input(model, picture, **sizes)
    trace = trace_pixels(module, arrays, image)
    return OwnRun(module, arrays, image, trace, chosen_class(trace, target))


def check_classes(model: ExplorerModel) -> None:
    """Refuse a model without a class head: there is no answer that could change."""
    if not model.spec.has_classes:
        raise ExplorerError("experiment-no-classes", name=model.spec.name)


def chosen_class(trace: Trace, target: int | None) -> int:
    """The class that was asked for; the model's answer by default."""
    if target is None:
        return int(trace.output.argmax())
    if not 0 <= target < len(trace.output):
        raise ValueError(f"there is no class {target}; the model has {len(trace.output)}")
    return target


def _sharpness(trace: Trace) -> Array:
    """(L, h): 0 where a head's attention is even, 1 where each token that is read looks at one token only."""
    if trace.num_tokens == 1:
        return np.ones(trace.q.shape[:2], dtype=np.float32)
    weights = reading_weights(trace)
    read = np.flatnonzero(weights)
    share, most = weights[read].astype(np.float64), np.log(trace.num_tokens)
    depth, heads = trace.q.shape[:2]
    spread = np.empty((depth, heads))
    for layer, block in enumerate(trace.blocks):
        # Head by head: all heads of a model with small patches would not fit into memory together.
        for head in range(heads):
            # Each token's row by itself: averaged first, rows that each lie on a token of their own would look even.
            spread[layer, head] = share @ np.log(attention_entropy(block.attention_head(head)[read])) / most
    sharpness: Array = (1.0 - spread).astype(np.float32)
    return sharpness


def _check_something_is_left(arrays: ModelArrays, change: Intervention) -> None:
    rows, cols = arrays.grid
    shown = set(range(rows * cols)) if change.kept_patches is None else set(change.kept_patches)
    if not shown - set(change.masked):
        raise ExplorerError("experiment-all-patches")
    off, heads = set(change.msa_off), arrays.blocks[0].heads
    if all(layer in off or len(change.masked_in(layer)) == heads for layer in range(len(arrays.blocks))):
        raise ExplorerError("experiment-all-heads")
