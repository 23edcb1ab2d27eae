"""The question that each lesson begins with: its answers, and what is true, worked out from a run of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.errors import MessageValue
from explorer.lessons.checks_encoder import HEAD, LAYER
from explorer.lessons.checks_output import MLP_LAYER
from explorer.numerics import softmax
from explorer.panels.numbers import difference
from explorer.texts import text

if TYPE_CHECKING:
    from explorer.lessons.session import Lesson

__all__ = ["QUESTIONS", "Question"]

#: The place of the right answer, and the values of the explanation.
Truth = tuple[int, dict[str, MessageValue]]


@dataclass(frozen=True)
class Question:
    """A question with answers to choose from.

    Parameters
    ----------
    name : str
        Its key in ``lessons-questions`` of the catalogues.
    work_out : callable
        From the lesson to the place of the right answer and what the explanation says of it.
    numbers : callable, optional
        From the lesson to the answers, where they are numbers; otherwise they are texts ``a``, ``b``, ``c`` … of the
        catalogues.
    count : int
        How many texts there are.
    """

    name: str
    work_out: Callable[[Lesson], Truth]
    numbers: Callable[[Lesson], list[int]] | None = None
    count: int = 3

    def options(self, lesson: Lesson) -> tuple[str, ...]:
        """The answers, in the reader's language."""
        if self.numbers is not None:
            return tuple(f"{number:,}" for number in self.numbers(lesson))
        letters = "abcdef"[: self.count]
        return tuple(text(f"lessons-questions.{self.name}.{letter}", lesson.language) for letter in letters)

    def truth(self, lesson: Lesson) -> Truth:
        """What is true; worked out when it is asked for."""
        return self.work_out(lesson)


def _weights(lesson: Lesson) -> list[int]:
    """Attention weights of one head: as many as before, half, a quarter, and what 16 gives."""
    small, large = lesson.trace.num_tokens, lesson.run(patch_size=16).num_tokens
    return [small**2, small**2 // 2, small**2 // 4, large**2]


def _count_weights(lesson: Lesson) -> Truth:
    small, large = lesson.trace, lesson.run(patch_size=16)
    right = _weights(lesson).index(large.blocks[0].attention_head(0).size)
    return right, {
        "patches": large.num_patches,
        "tokens": large.num_tokens,
        "weights": f"{large.num_tokens**2:,}",
        "patches_before": small.num_patches,
        "weights_before": f"{small.num_tokens**2:,}",
        "share": round(small.num_tokens**2 / large.num_tokens**2, 1),
    }


def _embedding_sizes(lesson: Lesson) -> list[int]:
    """Numbers in 𝑬 and its bias: one a pixel value; N × D; the true count; a matrix for every patch."""
    trace = lesson.trace
    length, dim = trace.arrays.embed_weight.shape
    return [length, trace.num_patches * dim, length * dim + dim, trace.num_patches * length * dim]


def _count_embedding(lesson: Lesson) -> Truth:
    arrays = lesson.trace.arrays
    total = arrays.embed_weight.size + arrays.embed_bias.size
    length, dim = arrays.embed_weight.shape
    return _embedding_sizes(lesson).index(total), {"length": length, "dim": dim, "total": f"{total:,}"}


def _shuffle(lesson: Lesson) -> Truth:
    order = np.random.default_rng(0).permutation(lesson.trace.num_patches)
    plain, mixed = lesson.run(pos_embed=None), lesson.run(pos_embed=None, permutation=order)
    own, own_mixed = lesson.run(), lesson.run(permutation=order)
    change = float(np.abs(softmax(plain.output) - softmax(mixed.output)).max())
    with_positions = float(np.abs(softmax(own.output) - softmax(own_mixed.output)).max())
    right = 0 if change < 1e-4 else 2 if plain.output.argmax() != mixed.output.argmax() else 1
    return right, {"change": difference(change), "with_positions": f"{100 * with_positions:.0f}"}


def _root(lesson: Lesson) -> Truth:
    """Whether weights grow more even or more uneven when scores are not divided by the root."""
    block = lesson.trace.blocks[LAYER]
    divided = block.attention_head(HEAD)
    undivided = softmax(block.scores[HEAD] * np.float32(lesson.trace.spec.head_dim**0.5))
    before, after = float(divided.max(axis=-1).mean()), float(undivided.max(axis=-1).mean())
    right = 0 if after > before * 1.01 else 1 if after < before / 1.01 else 2
    return right, {"divided": f"{100 * before:.0f}", "undivided": f"{100 * after:.0f}"}


def _more_heads(lesson: Lesson) -> Truth:
    """Weights of MSA with as many heads as there are, and with twice as many."""
    block, dim = lesson.trace.blocks[0].arrays, lesson.trace.spec.dim
    now = block.qkv.weight.size + block.proj.weight.size
    heads = 2 * block.heads
    size = dim // heads
    then = dim * 3 * heads * size + heads * size * dim
    right = 0 if then == now else 1 if then == 2 * now else 2
    return right, {"now": f"{now:,}", "heads": heads, "size": size, "before": dim // block.heads}


def _others(lesson: Lesson) -> list[int]:
    """One token; a patch and its neighbours; all patches; all tokens."""
    return [1, 9, lesson.trace.num_patches, lesson.trace.num_tokens]


def _touched(lesson: Lesson) -> Truth:
    """How many outputs of the MLP change, and how many of the attention, when one token does."""
    block = lesson.trace.blocks[MLP_LAYER]
    token = lesson.trace.num_prefix + 10
    changed = block.norm2.copy()
    changed[token] *= -1
    moved = np.abs(block.arrays.mlp(changed) - block.arrays.mlp(block.norm2)).max(axis=-1) > 1e-5
    k, v = block.k.copy(), block.v.copy()
    k[:, token], v[:, token] = -k[:, token], -v[:, token]
    mixed = softmax(block.q @ k.transpose(0, 2, 1) * np.float32(k.shape[-1] ** -0.5)) @ v
    attention = np.abs(mixed - block.head_outputs).max(axis=(0, 2)) > 1e-5
    return _others(lesson).index(int(moved.sum())), {"attention": int(attention.sum())}


def _no_patches(lesson: Lesson) -> Truth:
    """What the answer does when all patch tokens are set to zero after the last layer, and before it."""
    trace = lesson.trace
    arrays = trace.arrays
    emptied = trace.z[-1].copy()
    emptied[trace.num_prefix :] = 0
    after = softmax(arrays.classify(arrays.read(emptied)))
    whole = softmax(trace.output)
    right = 0 if np.abs(after - whole).max() < 1e-6 else 2 if after.argmax() != whole.argmax() else 1
    return right, {"tokens": trace.num_tokens, "left": len(trace.y), "layers": trace.spec.depth}


QUESTIONS: Mapping[str, Question] = {
    question.name: question
    for question in (
        Question("patches.weights", _count_weights, _weights),
        Question("embedding.parameters", _count_embedding, _embedding_sizes),
        Question("position.shuffle", _shuffle),
        Question("attention.root", _root),
        Question("heads.parameters", _more_heads),
        Question("mlp.mixing", _touched, _others),
        Question("classification.patches", _no_patches),
    )
}
