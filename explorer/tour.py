"""The guided tour's questions: one a stage, about the run that is shown, its answer worked out from that run.

Arrays in, questions out: nothing here is a text, and nothing is known beforehand. Where a model gives no good question
of a kind (one patch only, no position embeddings), a stage has a simpler one instead, so that every model has eight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from explorer.analysis import attention_distance
from explorer.figures.encoder_facts import lengths
from explorer.numerics import Array
from explorer.positions import cosine_similarity
from explorer.sizes import num_patches, num_tokens, patch_size_choices
from explorer.trace import Trace

__all__ = ["QUESTIONS", "Question", "ask", "shuffle_question"]

#: What a question or its answer speaks of: a count, a measured number, or a name.
Value = int | float | str

#: Choices of a question whose answer is a number.
_CHOICES = 4
#: Of two likenesses the larger one has to be larger by so much, or it is no question.
_CLEARLY = 0.005
#: Distances that differ by a smaller share count as equal.
_ALIKE = 0.1
#: What the shuffled run's numbers may be off, as a share of the largest one: rounding, and far less than any change.
_ROUNDING = 1e-3


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question with its answer.

    Parameters
    ----------
    stage : str
        The stage that it belongs to.
    kind : str
        Which question it is; its words are ``tour.<kind>``.
    choices : tuple of int or str
        Numbers, or names of choices, whose words are ``tour.<kind>.<choice>``.
    right : int
        Place of the right choice; −1 while it is being worked out.
    values : mapping
        What the question speaks of.
    found : mapping
        What its answer is worked out from, besides.
    """

    stage: str
    kind: str
    choices: tuple[int | str, ...]
    right: int
    values: Mapping[str, Value]
    found: Mapping[str, Value] = field(default_factory=dict)

    @property
    def answer(self) -> int | str | None:
        """The right choice."""
        return None if self.right < 0 else self.choices[self.right]

    @property
    def id(self) -> str:
        """Two questions with one id are the same question about the same numbers: one's answer holds for the other."""
        # What a run is still to tell belongs to the answer alone.
        found = () if self.kind.startswith("shuffle") else (self.right, sorted(self.found.items()))
        return repr((self.stage, self.kind, self.choices, sorted(self.values.items()), found))


def ask(stage: str, trace: Trace) -> Question:
    """The question of a stage about a run.

    Parameters
    ----------
    stage : str
        One of :data:`QUESTIONS`.
    trace : Trace

    Returns
    -------
    Question
    """
    return QUESTIONS[stage](trace)


# -- what follows from the sizes ---------------------------------------------------------------------------------------


def overview_question(trace: Trace) -> Question:
    """How many attention weights a head has with patches twice as wide (or half as wide)."""
    spec, image_size, size = trace.spec, trace.image_size, trace.patch_size
    offered = [one.patch_size for one in patch_size_choices(spec, image_size) if one.fits and one.patch_size != size]
    now = trace.num_tokens**2
    values: dict[str, Value] = {"size": size, "tokens": trace.num_tokens, "now": now}
    if not offered:
        return _counted(
            "overview", "pairs-now", now, (trace.num_tokens, 2 * trace.num_tokens, now * spec.heads), values
        )
    other = min(offered, key=lambda one: (abs(np.log2(one / (2 * size))), one))
    patches, tokens = num_patches(image_size, other), num_tokens(spec, image_size, other)
    # As if it grew with the number of patches, with their side, or not at all.
    near = (now * patches // trace.num_patches, now * size // other, now, 2 * tokens)
    values |= {"other": other}
    found: dict[str, Value] = {
        "image": image_size,
        "side": image_size // other,
        "patches": patches,
        "prefix": spec.num_prefix,
        "other_tokens": tokens,
        "pairs": tokens**2,
    }
    return _counted("overview", "pairs", tokens**2, near, values, found)


def patches_question(trace: Trace) -> Question:
    """How many numbers the vector of a patch has."""
    size, length = trace.patch_size, trace.patches.shape[1]
    near = (size * size, 3 * size, 4 * size * size, trace.num_patches)
    return _counted("patches", "vector", length, near, {"size": size}, {"length": length})


def embedding_question(trace: Trace) -> Question:
    """How many numbers 𝑬 has, which all patches share."""
    rows, cols = trace.arrays.embed_weight.shape
    patches = trace.num_patches
    near = (patches * rows * cols, patches * cols, rows + cols, rows)
    values = {"patches": patches, "length": rows, "dim": cols}
    return _counted("embedding", "weights", rows * cols, near, values, {"weights": rows * cols})


def tokens_question(trace: Trace) -> Question:
    """How many rows 𝒛₀ has."""
    tokens, patches, dim = trace.num_tokens, trace.num_patches, trace.spec.dim
    near = (patches, patches + 2 if tokens == patches + 1 else patches + 1, dim, 2 * patches)
    found = {"patches": patches, "prefix": trace.num_prefix, "tokens": tokens}
    return _counted("position", "tokens", tokens, near, {"patches": patches}, found)


def classification_question(trace: Trace) -> Question:
    """How many numbers the head reads (or describe the picture, where there is no head)."""
    spec, size = trace.spec, trace.y.shape[1]
    if not spec.has_classes:
        kind = "read-none"
    elif spec.distilled:
        kind = "read-distilled"
    else:
        kind = "read-token" if spec.pooling == "token" else "read-pooled"
    near = (trace.num_tokens * size, spec.num_classes or 3 * size, trace.num_tokens, 2 * size)
    values = {"tokens": trace.num_tokens, "layers": spec.depth}
    return _counted("classification", kind, size, near, values, {"dim": size, "classes": spec.num_classes})


# -- what only this model's numbers tell -------------------------------------------------------------------------------


def position_question(trace: Trace) -> Question:
    """Whose row of 𝑬_pos is most like that of the patch in the middle."""
    arrays = trace.arrays
    (rows, cols), prefix = arrays.grid, arrays.spec.num_prefix
    row, col = rows // 2, cols // 2
    step = min(3, row)
    if step < 2 or col + 1 >= cols:
        return tokens_question(trace)
    places = {"right": (row, col + 1), "above": (row - step, col), "corner": (0, 0)}
    alike = cosine_similarity(arrays.pos_embed[prefix:], row * cols + col)
    found = {name: float(alike[r * cols + c]) for name, (r, c) in places.items()}
    first, second, *_ = sorted(found.values(), reverse=True)
    if first - second < _CLEARLY:
        return tokens_question(trace)
    choices = tuple(places)
    values: dict[str, Value] = {"patch": row * cols + col, "row": row, "col": col, "step": step}
    right = choices.index(max(found, key=lambda name: found[name]))
    return Question(stage="position", kind="similar", choices=choices, right=right, values=values, found=found)


def encoder_question(trace: Trace) -> Question:
    """Which vector is longest: a token as it enters the first layer, what MSA adds to it, or what the MLP adds."""
    token = 0 if trace.num_prefix else trace.num_patches // 2
    added = lengths(trace, [token])
    found: dict[str, float] = {
        "z": float(np.linalg.norm(trace.z[0][token].astype(np.float64))),
        "msa": float(added.msa[0]),
        "mlp": float(added.mlp[0]),
    }
    choices = tuple(found)
    right = choices.index(max(found, key=lambda name: found[name]))
    return Question(stage="encoder", kind="longest", choices=choices, right=right, values={"token": token}, found=found)


def attention_question(trace: Trace) -> Question:
    """Which layer looks further, the first or the last."""
    layers = len(trace.blocks)
    if layers < 2 or trace.num_patches < 2:
        return row_question(trace)
    first, last = (mean_distance(trace, layer) for layer in (0, layers - 1))
    right = 2 if abs(first - last) < _ALIKE * max(first, last) else int(last > first)
    return Question(
        stage="attention",
        kind="distance",
        choices=("first", "last", "alike"),
        right=right,
        values={"layers": layers, "heads": trace.spec.heads},
        found={"near": first, "far": last},
    )


def row_question(trace: Trace) -> Question:
    """What the weights of one row of 𝑨 sum to."""
    total = round(float(trace.blocks[0].attention_rows(0)[0].sum()))
    near = (trace.num_tokens, trace.spec.heads, 0, 2)
    values: dict[str, Value] = {"tokens": trace.num_tokens}
    return _counted("attention", "row-sum", total, near, values, {"total": total})


def mean_distance(trace: Trace, layer: int) -> float:
    """How far the heads of a layer look on average, in patches; see :func:`explorer.analysis.attention_distance`."""
    block = trace.blocks[layer]
    # Head by head: all heads of a model with small patches would not fit into memory together.
    return float(
        np.mean(
            [
                attention_distance(block.attention_head(head)[None], trace.grid, trace.patch_index)[0]
                for head in range(len(block.q))
            ]
        )
    )


def shuffle_question(trace: Trace, before: Array | None = None, after: Array | None = None) -> Question:
    """Whether the answer changes if the patches are shuffled and nothing says where they lie.

    Parameters
    ----------
    trace : Trace
        What is shown.
    before, after : (K,) arrays, optional
        What the model answers without 𝑬_pos, with the patches in order and shuffled; None until that is worked out.

    Returns
    -------
    Question
    """
    classes = trace.spec.has_classes
    choices = ("same", "shares", "other") if classes else ("same", "other")
    values: dict[str, Value] = {"model": trace.spec.name, "patches": trace.grid[0] * trace.grid[1]}
    right, found = -1, dict[str, float]()
    if before is not None and after is not None:
        found["change"] = change = float(np.abs(after - before).max())
        if change <= _ROUNDING * float(np.abs(before).max()):
            answer = "same"
        else:
            answer = "shares" if classes and before.argmax() == after.argmax() else "other"
        right = choices.index(answer)
    kind = "shuffle" if classes else "shuffle-vector"
    return Question(stage="experiments", kind=kind, choices=choices, right=right, values=values, found=found)


#: The question of each stage, in the page's order. The last one's answer takes a run of its own:
#: :func:`shuffle_question` is asked again with what came of it.
QUESTIONS: Mapping[str, Callable[[Trace], Question]] = {
    "overview": overview_question,
    "patches": patches_question,
    "embedding": embedding_question,
    "position": position_question,
    "encoder": encoder_question,
    "attention": attention_question,
    "classification": classification_question,
    "experiments": shuffle_question,
}


def _counted(
    stage: str,
    kind: str,
    right: int,
    near: Iterable[int],
    values: Mapping[str, Value],
    found: Mapping[str, Value] | None = None,
) -> Question:
    """A question whose answer is a count, among likely mistakes: those that differ from it and each other, by size."""
    choices = {right}
    for number in near:
        if len(choices) < _CHOICES and number >= 0:
            choices.add(number)
    ordered = tuple(sorted(choices))
    return Question(
        stage=stage, kind=kind, choices=ordered, right=ordered.index(right), values=values, found=found or {}
    )
