"""How long experiments take: ``python -m tests.bench.experiments``.

The map of all patch effects is measured beside one forward pass of timm's own model on as many pictures at once, in
turn, so that both meet the same machine. Then the first answer of each experiment on the bundled model, loaded anew:
nothing resized or remembered from another.

On a busy machine times say little; ``--processor`` runs everything on one thread and counts the time that this
process had a processor.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from explorer import Intervention, load_model, trace_image
from explorer.analysis_lens import logit_lens
from explorer.engine import model_input, normalise
from explorer.experiments import (
    ablate,
    compare_models,
    compare_sizes,
    four_ways,
    head_effects,
    patch_effects,
    shuffle_patches,
    swap_positions,
    train_head,
)
from explorer.models import ExplorerModel
from explorer.samples import open_sample

ROUNDS = 15
#: How often as long as timm's pass the map may take; and the seconds of a first answer.
RATIO, SECONDS = 1.2, 2.0

PICTURE = open_sample("goldfish")
CLASSES = {
    "animals": [open_sample(name) for name in ("chelsea", "goldfish", "moose", "raccoon")],
    "things": [open_sample(name) for name in ("coffee", "rocket")],
}

#: What each experiment does first, when it is opened or its button is pressed.
FIRST: dict[str, Callable[[ExplorerModel], object]] = {
    "1 shuffle": lambda model: shuffle_patches(model, PICTURE),
    "2 swap E_pos": lambda model: swap_positions(model, PICTURE, "sin2d"),
    "3 sizes": lambda model: compare_sizes(model, PICTURE),
    "4 mask": lambda model: ablate(model, PICTURE, Intervention(masked=[27], masked_heads=[(2, 1)])),
    "4 effect of every patch": lambda model: patch_effects(model, PICTURE),
    "4 effect of every head": lambda model: head_effects(model, PICTURE),
    "5 how the answer forms": lambda model: logit_lens(trace_image(model, PICTURE)),
    "6 where it looked": lambda model: four_ways(model, PICTURE),
    "7 a new head": lambda model: train_head(model, CLASSES),
    "8 two models": lambda model: compare_models(model, model, PICTURE),
}


def effect_ratio(seconds: Callable[[Callable[[], object]], float]) -> tuple[float, float, float]:
    """Median seconds of the map and of timm's pass, and the median of their ratios, each of one round."""
    model = load_model()
    module, arrays, image = model_input(model, PICTURE, patch_size=8)
    runs = arrays.grid[0] * arrays.grid[1]
    pixels = normalise(image, model.spec)[None].repeat(runs, 1, 1, 1)

    def timm_pass() -> None:
        with torch.inference_mode():
            module(pixels)

    def effects() -> None:
        patch_effects(model, PICTURE, patch_size=8)

    timm_pass()
    effects()
    # Each in turn the first, so that neither always follows the other.
    pairs = []
    for place in range(ROUNDS):
        if place % 2:
            first = seconds(timm_pass)
            pairs.append((seconds(effects), first))
        else:
            pairs.append((seconds(effects), seconds(timm_pass)))
    ours, timms = (statistics.median(times) for times in zip(*pairs, strict=True))
    return ours, timms, statistics.median(one / other for one, other in pairs)


def main() -> int:
    """Print times; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processor", action="store_true", help="processor time of one thread, for a busy machine")
    clock = time.perf_counter
    if parser.parse_args().processor:
        torch.set_num_threads(1)
        clock = time.process_time

    def seconds(call: Callable[[], object]) -> float:
        start = clock()
        call()
        return clock() - start

    ours, timms, ratio = effect_ratio(seconds)
    print(
        f"64 patch effects {1000 * ours:.0f} ms, timm's pass of 64 pictures {1000 * timms:.0f} ms,"
        f" ratio {ratio:.2f} (goal {RATIO})"
    )
    missed = ratio > RATIO
    for name, first in FIRST.items():
        model = load_model()
        taken = seconds(lambda: first(model))  # noqa: B023 - called at once
        print(f"{name:24s} first answer {taken:5.2f} s (goal {SECONDS:.0f})")
        missed |= taken > SECONDS
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
