"""The model card that lies beside a trained model's weights."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from explorer.novelty import Rate
from explorer.training.data import ClassName
from explorer.training.evaluation import Accuracy
from explorer.training.settings import Stage, TrainSettings

__all__ = ["accuracy_table", "model_card"]

_WORDNET_ID = re.compile(r"n\d{8}")

_POSITIONS = {
    "learned": "learned",
    "sin1d": "1-D sinusoidal (slide 14), frozen; recomputed, not interpolated, at another patch size",
    "sin2d": "2-D sinusoidal (slide 16), frozen; recomputed, not interpolated, at another patch size",
    "none": "none",
}

#: How many of the classes that are known least, and best, are named.
_NAMED = 6

_UNFINISHED = """
> **A snapshot of a run that is not finished.** Its numbers are true, but not the recipe's last word.
"""

_TINY_IMAGENET = """\
100 everyday classes of Tiny ImageNet (Stanford CS231n, 200 classes; pictures from ImageNet, scaled to 64 × 64), 500
pictures a class. The last {held} of each class were held back. ImageNet's pictures belong to their photographers and
may be used for research and teaching only; the project carries the weights, not the pictures."""

_OWN_PICTURES = """\
Pictures of the classes in `labels.tsv`. The last {held} of each class, or a fifth of small classes, were held back. Who
made these weights should say here where the pictures come from and on what terms they may be used."""

_TINY_IMAGENET_LIMITS = """\
It knows 100 classes and names one of them whatever it sees; people are none of them. It was trained on 64 × 64 pixels,
so that small or distant things are lost, and classes that differ in detail (the breeds of dogs and cats, the apes, cars
and vans) are mixed up. ImageNet's photos come mostly from North America and Europe. It is made to show how a ViT works:
decide nothing about people, safety, health or money with it."""

_OWN_LIMITS = """\
It names one of its classes whatever it sees. It was trained on small pictures, so that small or distant things are
lost.
It is made to show how a ViT works: decide nothing about people, safety, health or money with it."""


def accuracy_table(results: dict[int, Accuracy]) -> str:
    """Top-1 and top-5 with 95 % intervals, one patch size a row, in Markdown."""
    lines = ["| patch size | top-1 | 95 % interval | top-5 | 95 % interval |", "| ---: | ---: | --- | ---: | --- |"]
    for patch_size, result in sorted(results.items()):
        cells = [f"{patch_size} × {patch_size}"]
        for hits in (result.top1, result.top5):
            low, high = Rate(hits, result.count).interval()
            cells += [f"{100 * hits / result.count:.1f} %", f"{100 * low:.1f} – {100 * high:.1f} %"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def model_card(
    facts: dict[str, Any],
    results: dict[int, Accuracy],
    *,
    parameters: int,
    classes: Sequence[ClassName],
    where: str,
) -> str:
    """The text of ``README.md``.

    Parameters
    ----------
    facts : dict
        A run's facts, as its checkpoint holds them.
    results : dict of int to Accuracy
    parameters : int
        Count of the weights.
    classes : sequence of ClassName
        WordNet ids tell that the pictures are Tiny ImageNet's.
    where : str
        The machine, in words.
    """
    settings = TrainSettings.from_values(facts["settings"])
    wordnet = all(_WORDNET_ID.fullmatch(name.wordnet_id) for name in classes)
    data = (_TINY_IMAGENET if wordnet else _OWN_PICTURES).format(held=settings.validation_per_class)
    limits = _hardest(results, settings, classes) + (_TINY_IMAGENET_LIMITS if wordnet else _OWN_LIMITS)
    count = next(iter(results.values())).count
    passes = f" ({facts['seen'] / facts['train_pictures']:.1f} passes)" if "train_pictures" in facts else ""
    image, patch = settings.image_size, settings.patch_size
    description = _bullets(
        f"**Architecture**: timm's `VisionTransformer`: {image} × {image} pixels, native patch size {patch}, "
        f"D = {settings.embed_dim}, L = {settings.depth}, h = {settings.num_heads}, {parameters / 1e6:.2f} million "
        "weights, stored in half precision. CLS has no row in E_pos (`no_embed_class`).",
        f"**E_pos**: {_POSITIONS[settings.position]}.",
        '**Files**: `config.json` and `model.safetensors` (timm: `create_model("local-dir:…", pretrained=True)`), '
        "`labels.tsv` (WordNet id, English, Japanese), `settings.json` (the recipe's numbers), `training.json` (the "
        "course of the run).",
    )
    recipe = _bullets(
        _command(facts, settings),
        f"{settings.optimizer.capitalize()} (peak rate {settings.learning_rate:g} inside the blocks, "
        f"{settings.other_learning_rate:g} elsewhere), warm-up, then {settings.decay} decay to zero; cross-entropy "
        f"with label smoothing {settings.label_smoothing:g}; random resized crops from "
        f"{100 * settings.crop_scale:.0f} % of the area, flips, colour changes of {100 * settings.color_jitter:.0f} %"
        f"{_appearance(settings)}; "
        f"{_mixing(settings)}{_dropping(settings)}. What is shipped is {_shipped(facts)}.",
        *_teaching(facts, settings),
        _sizes(settings),
        f"{facts['elapsed'] / 3600:.2f} hours, {facts['step']:,} steps, {facts['seen']:,} pictures{passes}, "
        f"on {where}.",
    )
    return f"""# {settings.name}

A small Vision Transformer, trained from scratch with the recipe of ViT Explorer.
{"" if _complete(facts, settings) else _UNFINISHED}
{description}

## Data and its terms

{data}

## Recipe

{recipe}
{_runs(facts, settings)}
## Accuracy

On the {count:,} held-back pictures, with Wilson's 95 % interval, as `vit-explorer evaluate` prints it:

{accuracy_table(results)}

{_last_tenth(facts, settings)}The held-back pictures were looked at during the run, so expect slightly less on others.

## Where it fails, and what not to use it for

{limits}
"""


def _shipped(facts: dict[str, Any]) -> str:
    # How many; where it was written down before several could be, whether there was one.
    others = int(facts.get("mean_with_earlier", 0))
    if not others:
        return "the moving average of the weights"
    count, earlier = ("two", "those") if others == 1 else (others + 1, others)
    return f"the mean of {count} sets of weights: the moving average of this run's, and {earlier} of earlier runs"


def _appearance(settings: TrainSettings) -> str:
    """What else was done to the pictures."""
    done = (
        (settings.rotation, f"turns of up to {settings.rotation:g}°"),
        (settings.hue_jitter, f"hue turned by up to {360 * settings.hue_jitter:.0f}°"),
        (settings.sharpness_jitter, f"sharpness changed by up to {100 * settings.sharpness_jitter:.0f} %"),
        (settings.grey_probability, f"grey in {100 * settings.grey_probability:.0f} % of the pictures"),
        (settings.jpeg_probability, f"stored as JPEG in {100 * settings.jpeg_probability:.0f} %"),
    )
    return "".join(f", {words}" for strength, words in done if strength > 0)


def _mixing(settings: TrainSettings) -> str:
    """How often two pictures are made one."""
    if not _mixes(settings):
        return "pictures are not mixed"
    ways = " or ".join(
        name for name, strength in (("CutMix", settings.cutmix), ("mixup", settings.mixup)) if strength > 0
    )
    share, until = 100 * settings.mix_probability, 100 * settings.mix_until
    return f"{ways} in {share:.0f} % of the steps until {until:.0f} % of the run"


def _dropping(settings: TrainSettings) -> str:
    """How many patches were left out."""
    shares = {patch: share for patch, share in settings.patch_drop.items() if share > 0}
    if not shares or settings.patch_drop_until <= 0:
        return ""
    said = " and ".join(f"{100 * share:.0f} % of the patches at size {patch}" for patch, share in shares.items())
    return f"; {said} are left out at random until {100 * settings.patch_drop_until:.0f} % of the run"


def _teaching(facts: dict[str, Any], settings: TrainSettings) -> list[str]:
    """What it learned from besides the labels."""
    teachers = facts.get("teachers", ())
    if not teachers:
        return []
    named = {"vit": "a ViT", "resnet": "a small convolutional network (after the preset `teacher`)"}
    told = [
        f"{named[TrainSettings.from_values(teacher['settings']).network]} that had seen {teacher['seen']:,} pictures "
        f"in {teacher['elapsed'] / 3600:.2f} hours"
        for teacher in teachers
    ]
    share, heat = 100 * settings.teacher_share, settings.teacher_temperature
    return [
        f"It learned from labels and from what other networks said to the same crops ({share:.0f} % of the loss, "
        f"temperature {heat:g}): {' and '.join(told)}, trained on the same pictures by `vit-explorer train`, and named "
        "with `--teacher`. Their settings are in `training.json`, under `teachers`."
    ]


def _sizes(settings: TrainSettings) -> str:
    """At which patch sizes the steps were."""
    patch = settings.patch_size
    if settings.patch_sizes == (patch,):
        return f"Trained at patch size {patch} alone: at others, which the page offers too, expect little."
    shares = "; ".join(f"until {100 * stage.until:.0f} % of the run: {_shares(stage)}" for stage in settings.stages)
    return (
        f"Each step draws a patch size (share of the steps): {shares}. The trained weights are the {patch} × {patch} "
        "kernel and its E_pos; every other size is made from them inside each step with the functions that the page "
        "uses."
    )


def _last_tenth(facts: dict[str, Any], settings: TrainSettings) -> str:
    """How far the accuracy at the native patch size still moved at the end: whether the run was long enough."""
    whole = facts.get("earlier"), facts.get("train_pictures", 0)
    if not facts.get("train_pictures") and settings.budget_minutes <= 0:
        return ""
    looks = [
        entry
        for entry in facts["history"]
        if entry.get("progress", 0.0) >= settings.last_tenth(*whole) and entry["patch_size"] == settings.patch_size
    ]
    if len(looks) < 2:
        return ""
    first, last = (100 * entry["top1"] / entry["count"] for entry in (looks[0], looks[-1]))
    part = 100 * (1 - looks[0]["progress"]) * settings.share_of_training(*whole)
    moved = f"top-1 at patch {settings.patch_size} moved from {first:.1f} to {last:.1f} %"
    line = f"Over the last {part:.0f} % of the training, {moved}."
    return textwrap.fill(line, 120) + "\n\n"


def _hardest(results: dict[int, Accuracy], settings: TrainSettings, classes: Sequence[ClassName]) -> str:
    """The classes that are known least and best at the native patch size, where there are enough to choose from."""
    native = results.get(settings.patch_size)
    counted = [
        (right / count, right, count, name.name_en)
        for (right, count), name in zip(native.by_class if native else (), classes, strict=False)
        if count > 0
    ]
    if len(counted) < 4 * _NAMED:
        return ""
    order = sorted(counted, key=lambda entry: entry[0])
    least, best = (
        ", ".join(f"{name} ({right} of {count})" for _, right, count, name in part)
        for part in (order[:_NAMED], order[: -_NAMED - 1 : -1])
    )
    line = f"At patch {settings.patch_size} it recognises least, of the held-back pictures: {least}; best: {best}."
    return textwrap.fill(line, 120, break_on_hyphens=False) + "\n\n"


def _command(facts: dict[str, Any], settings: TrainSettings) -> str:
    """How to train such a model."""
    teacher = " --teacher" + " TEACHER" * len(facts["teachers"]) if facts.get("teachers") else ""
    if not facts.get("earlier"):
        return (
            f"`vit-explorer train settings.json DATA{teacher}`, with the `settings.json` of this folder; seed "
            f"{settings.seed}."
        )
    return (
        f"The last of several runs: `vit-explorer train settings.json DATA --start-from BEFORE …{teacher}`, with the "
        f"`settings.json` of this folder and the models that earlier runs gave; seed {settings.seed}. What follows is "
        "this run's."
    )


def _runs(facts: dict[str, Any], settings: TrainSettings) -> str:
    """All runs that the weights have been through, where there was more than one."""
    before = facts.get("earlier")
    if not before:
        return ""
    own = {name: facts[name] for name in ("seen", "elapsed")}
    own |= {"settings": json.loads(settings.to_json()), "start": before.get("averaged", 1)}
    own["teachers"] = len(facts.get("teachers", ()))
    runs = [*before.get("runs", []), own]
    lines = [
        "| run | started from | teachers | pictures | hours | peak rate | crops from | layers | mixed |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for number, run in enumerate(runs, 1):
        recipe = TrainSettings.from_values(run["settings"])
        start = {0: "random weights", 1: "the run before"}.get(
            run["start"], f"the mean of the last {run['start']} models"
        )
        mixed = f"{100 * recipe.mix_probability:.0f} % until {100 * recipe.mix_until:.0f} %" if _mixes(recipe) else "no"
        cells = (
            f"{number}",
            start,
            f"{run.get('teachers', 0)}",
            f"{run['seen']:,}",
            f"{run['elapsed'] / 3600:.2f}",
            f"{recipe.learning_rate:g}",
            f"{100 * recipe.crop_scale:.0f} %",
            f"{recipe.depth}",
            mixed,
        )
        lines.append(f"| {' | '.join(cells)} |")
    hours, seen = (sum(run[name] for run in runs) for name in ("elapsed", "seen"))
    depths = [TrainSettings.from_values(run["settings"]).depth for run in runs]
    grown = (
        " A run with more layers than the one before has two in the place of some layers; each added half as much at "
        "first."
        if any(later > before for before, later in pairwise(depths))
        else ""
    )
    apart = ", besides those of the teachers" if any(run.get("teachers") for run in runs) else ""
    total = (
        f"In all {hours / 3600:.2f} hours and {seen:,} pictures{apart}. Each run's other settings are in "
        f"`training.json`, under `earlier`.{grown}"
    )
    return "\n" + "\n".join(lines) + "\n\n" + textwrap.fill(total, 120) + "\n"


def _mixes(settings: TrainSettings) -> bool:
    return settings.mix_probability > 0 and settings.mix_until > 0 and max(settings.mixup, settings.cutmix) > 0


def _bullets(*items: str) -> str:
    return "\n".join(
        textwrap.fill(item, 120, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False) for item in items
    )


def _shares(stage: Stage) -> str:
    total = sum(stage.patches.values())
    return ", ".join(f"{patch} ({100 * share / total:.0f} %)" for patch, share in stage.patches.items())


def _complete(facts: dict[str, Any], settings: TrainSettings) -> bool:
    if settings.budget_minutes > 0:
        return bool(facts["elapsed"] >= 60 * settings.budget_minutes)
    return bool(facts["complete"])
