"""Whether a photo probably shows none of a model's classes, told from the logits alone.

The rule is one that a reader can check on the page: no class gets a probability of at least so much. How much that is
was measured for each bundled model at the patch sizes that it was trained at, and is kept with the measured rates in
``novelty.json`` beside the weights; every other model gets a cautious number that was not measured.
``explorer.training.calibration`` measures.

A classifier that has to name one of its classes cannot do this well. The rates say how well, and a rule that warns of
strange photos hardly more often than of known ones is not used (:attr:`NoveltyRule.useful`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.errors import MessageValue
from explorer.numerics import softmax
from explorer.texts import text
from explorer.weights import WEIGHTS_NAME

__all__ = [
    "RULES_NAME",
    "NoveltyRule",
    "Rate",
    "Rates",
    "best_probability",
    "calibrate",
    "default_rule",
    "probably_none",
    "read_rules",
    "rule_for",
    "write_rules",
]

#: File beside the weights.
RULES_NAME = "novelty.json"

#: Share of right answers that a measured rule may spoil with a wrong warning.
SPOILED = 0.1

#: Of 1,000 classes and fewer, and of more (of which several often fit one photo and share the probability).
_DEFAULT_THRESHOLDS = (0.1, 0.05)


@dataclass(frozen=True)
class Rate:
    """So many of so many."""

    hits: int
    count: int

    @property
    def share(self) -> float:
        """The rate itself; 0 of nothing."""
        return self.hits / self.count if self.count else 0.0

    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        if not self.count:
            return 0.0, 1.0
        z = 1.959963984540054
        scale = 1 + z * z / self.count
        middle = self.share + z * z / (2 * self.count)
        spread = z * math.sqrt(self.share * (1 - self.share) / self.count + (z / (2 * self.count)) ** 2)
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How often the rule warns.

    Attributes
    ----------
    right : Rate
        Of pictures of known classes, unseen in training and not used to set the rule, whose class the model names.
    wrong : Rate
        Of such pictures for which it names another class.
    outside : Rate
        Of photos that show none of its classes.
    """

    right: Rate
    wrong: Rate
    outside: Rate

    @property
    def known(self) -> Rate:
        """Of all pictures of known classes."""
        return Rate(self.right.hits + self.wrong.hits, self.right.count + self.wrong.count)


@dataclass(frozen=True, kw_only=True)
class NoveltyRule:
    """Warn if no class gets at least this probability.

    Attributes
    ----------
    threshold : float
    rates : Rates, optional
        ``None`` if nothing was measured for this model and patch size.
    """

    threshold: float
    rates: Rates | None = None

    @property
    def useful(self) -> bool:
        """Whether strange photos are surely warned of more often than photos whose class is recognised.

        A rule that was not measured is taken to be: its threshold is low enough to be rarely met.
        """
        if self.rates is None:
            return True
        return self.rates.outside.interval()[0] > self.rates.right.interval()[1]

    def sentence(self, count: int, language: str) -> str:
        """What to say about a photo that the rule warns of; ``count`` classes are known."""
        return text("models.novelty.none", language, count=count, threshold=_percent(self.threshold))

    def reliability(self, language: str) -> str:
        """How far to trust the warning, and its absence."""
        if self.rates is None:
            return text("models.novelty.unmeasured", language, threshold=_percent(self.threshold))
        outside = self.rates.outside
        low, high = outside.interval()
        values: dict[str, MessageValue] = {
            "threshold": _percent(self.threshold),
            "right": _percent(self.rates.right.share),
            "wrong": _percent(self.rates.wrong.share),
            "outside": _percent(outside.share),
            "low": _percent(low),
            "high": _percent(high),
            "photos": outside.count,
        }
        return text("models.novelty.measured" if self.useful else "models.novelty.useless", language, **values)


def best_probability(logits: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The largest probability.

    Parameters
    ----------
    logits : (…, K)

    Returns
    -------
    (…,)
    """
    best: NDArray[np.float32] = softmax(np.asarray(logits, np.float32)).max(axis=-1)
    return best


def probably_none(logits: NDArray[np.floating[Any]], rule: NoveltyRule) -> bool:
    """Whether to say that the photo probably shows none of the classes.

    Parameters
    ----------
    logits : (K,)
    rule : NoveltyRule
        Of the model and patch size that the logits come from.
    """
    return rule.useful and bool(best_probability(logits) < rule.threshold)


def default_rule(num_classes: int) -> NoveltyRule:
    """The cautious rule of a model for which nothing was measured."""
    return NoveltyRule(threshold=_DEFAULT_THRESHOLDS[num_classes > 1000])


def rule_for(folder: Path | None, num_classes: int, patch_size: int) -> NoveltyRule:
    """The rule of a model at a patch size.

    Parameters
    ----------
    folder : pathlib.Path, optional
        Where the model lies.
    num_classes : int
        𝐾.
    patch_size : int
        𝑃, as it is shown.

    Returns
    -------
    NoveltyRule
        What ``novelty.json`` says if it was measured with these very weights, else the default.
    """
    rules = read_rules(folder) if folder is not None else {}
    return rules.get(patch_size) or default_rule(num_classes)


def read_rules(folder: Path) -> Mapping[int, NoveltyRule]:
    """Measured rules by patch size; none if there is no file, or if it was measured with other weights."""
    try:
        content = json.loads((folder / RULES_NAME).read_text("utf-8"))
        if content["weights_sha256"] != _digest(folder / WEIGHTS_NAME):
            return {}
        return {int(size): _rule(entry) for size, entry in content["patch_sizes"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_rules(folder: Path, rules: Mapping[int, NoveltyRule], *, known: str, outside: str) -> None:
    """Keep measured rules beside the weights that they were measured with.

    Parameters
    ----------
    folder : pathlib.Path
    rules : mapping of int to NoveltyRule
        By patch size.
    known, outside : str
        What the pictures were, for a reader of the file.
    """
    entries = {}
    for size, rule in sorted(rules.items()):
        if rule.rates is None:
            raise ValueError("only measured rules are kept")
        rates = {name: [rate.hits, rate.count] for name, rate in vars(rule.rates).items()}
        entries[str(size)] = {"threshold": round(rule.threshold, 6), **rates}
    content = {
        "rule": "warn if no class gets at least the probability 'threshold'; rates are [warned, of so many]",
        "weights_sha256": _digest(folder / WEIGHTS_NAME),
        "known": known,
        "outside": outside,
        "patch_sizes": entries,
    }
    (folder / RULES_NAME).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def calibrate(
    known: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    outside: NDArray[np.floating[Any]],
    spoiled: float = SPOILED,
) -> NoveltyRule:
    """Set the threshold on half of the known pictures and measure it on the other half, and on strange photos.

    Parameters
    ----------
    known : (n, K)
        Logits of pictures that the model has not seen, of its own classes; neighbours should be alike, since every
        second one sets the threshold.
    labels : (n,) int
        Their classes.
    outside : (m, K)
        Logits of photos that show none of the classes. They do not influence the threshold.
    spoiled : float
        Share of right answers that may be warned of.

    Returns
    -------
    NoveltyRule
    """
    best = best_probability(known)
    right = np.asarray(known).argmax(axis=-1) == labels
    setting = np.arange(len(best)) % 2 == 0
    if not (right & setting).any():
        raise ValueError("the model names none of the pictures right: there is nothing to measure")
    threshold = float(np.quantile(best[right & setting], spoiled))
    rates = Rates(
        right=_rate(best[right & ~setting], threshold),
        wrong=_rate(best[~right & ~setting], threshold),
        outside=_rate(best_probability(outside), threshold),
    )
    return NoveltyRule(threshold=threshold, rates=rates)


def _rate(best: NDArray[np.float32], threshold: float) -> Rate:
    return Rate(int((best < threshold).sum()), len(best))


def _rule(entry: Mapping[str, Any]) -> NoveltyRule:
    rates = Rates(**{name: Rate(*map(int, entry[name])) for name in ("right", "wrong", "outside")})
    return NoveltyRule(threshold=float(entry["threshold"]), rates=rates)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _percent(share: float) -> str:
    """``4.3`` below ten percent, ``43`` above: two digits."""
    percent = 100 * share
    return f"{percent:.1f}" if percent < 9.95 else f"{percent:.0f}"
