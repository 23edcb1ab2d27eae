"""The rule for photos of unknown things: what it says, how it is measured, and that it never outlives its weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from explorer import novelty
from explorer.novelty import (
    NoveltyRule,
    Rate,
    Rates,
    best_probability,
    calibrate,
    default_rule,
    probably_none,
    read_rules,
    rule_for,
    write_rules,
)
from explorer.resources import assets_path
from explorer.texts import LANGUAGES
from tests.hub_standin import small_vit


def answers(best: np.ndarray, classes: int = 10, winner: np.ndarray | int = 0) -> np.ndarray:
    """Logits (n, K) whose winner has exactly the given probability, the others an equal share of the rest."""
    probabilities = np.repeat(((1 - best) / (classes - 1))[:, None], classes, axis=1)
    probabilities[np.arange(len(best)), winner] = best
    return np.log(probabilities).astype(np.float32)


def rates(right: int, outside: int, count: int = 200) -> Rates:
    return Rates(right=Rate(right, count), wrong=Rate(30, count), outside=Rate(outside, count))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in small_vit().items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_best_probability() -> None:
    np.testing.assert_allclose(best_probability(answers(np.array([0.3, 0.9]))), [0.3, 0.9], rtol=1e-5)
    assert best_probability(np.array([1000.0, 0.0, 0.0])) == 1.0
    assert best_probability(np.zeros(4)) == pytest.approx(0.25)


def test_warns_below_the_threshold_only() -> None:
    rule = NoveltyRule(threshold=0.4)
    assert probably_none(answers(np.array([0.39]))[0], rule)
    assert not probably_none(answers(np.array([0.41]))[0], rule)


def test_threshold_spoils_the_promised_share() -> None:
    """Right answers get evenly spread probabilities in 0.5 … 1, wrong ones and strange photos 0.2 … 0.7."""
    random = np.random.default_rng(0)
    right, wrong, outside = random.uniform(0.5, 1, 4000), random.uniform(0.2, 0.7, 4000), random.uniform(0.2, 0.7, 300)
    known = np.concatenate([answers(right), answers(wrong, winner=1)])
    order = random.permutation(8000)
    labels = np.zeros(8000, np.int64)
    rule = calibrate(known[order], labels[order], answers(outside))
    assert rule.threshold == pytest.approx(0.55, abs=0.01)
    assert rule.rates is not None
    assert rule.rates.right.share == pytest.approx(0.10, abs=0.02)
    assert rule.rates.wrong.share == pytest.approx(0.70, abs=0.04)
    assert rule.rates.outside.share == pytest.approx(0.70, abs=0.08)
    assert rule.rates.outside.count == 300
    assert rule.rates.known.count == 4000, "only the half that did not set the threshold is counted"
    assert rule.useful
    # Strange photos have no say in the threshold.
    assert calibrate(known[order], labels[order], answers(outside[:3])).threshold == rule.threshold


def test_model_that_is_always_wrong_cannot_be_calibrated() -> None:
    with pytest.raises(ValueError, match="nothing to measure"):
        calibrate(answers(np.full(10, 0.5)), np.ones(10, np.int64), answers(np.full(3, 0.2)))


def test_useless_rule_never_warns() -> None:
    """Where strange photos look as familiar as known ones, a warning would mean nothing."""
    useless, useful = (NoveltyRule(threshold=0.4, rates=rates(20, outside)) for outside in (25, 60))
    uncertain = answers(np.array([0.2]))[0]
    assert not useless.useful
    assert not probably_none(uncertain, useless)
    assert useful.useful
    assert probably_none(uncertain, useful)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Reference values from Wilson's formula, to four digits.
    [(50, 100, 0.4038, 0.5962), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (2500, 5000, 0.4861, 0.5139)],
)
def test_wilson_interval_by_its_formula(hits: int, count: int, low: float, high: float) -> None:
    assert Rate(hits, count).interval() == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval() -> None:
    """Newcombe 1998, Table I: 81 of 263."""
    low, high = Rate(81, 263).interval()
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert Rate(0, 0).interval() == (0.0, 1.0)
    assert Rate(0, 20).interval()[0] == 0.0


def test_rules_are_kept_beside_the_weights(folder: Path) -> None:
    rules = {8: NoveltyRule(threshold=0.25, rates=rates(20, 60)), 16: NoveltyRule(threshold=0.3, rates=rates(19, 70))}
    write_rules(folder, rules, known="k", outside="o")
    assert read_rules(folder) == rules
    assert rule_for(folder, 3, 16) == rules[16]
    assert rule_for(folder, 3, 4) == default_rule(3) == rule_for(None, 3, 16)
    assert rule_for(folder, 3, 4).rates is None


def test_rules_of_other_weights_are_not_believed(folder: Path) -> None:
    write_rules(folder, {8: NoveltyRule(threshold=0.25, rates=rates(20, 60))}, known="k", outside="o")
    (folder / "model.safetensors").write_bytes(small_vit(seed=1)["model.safetensors"])
    assert read_rules(folder) == {}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weights_sha256": 1, "patch_sizes": {}}'])
def test_broken_file_is_no_rule(folder: Path, content: str) -> None:
    (folder / novelty.RULES_NAME).write_text(content, "utf-8")
    assert rule_for(folder, 1000, 16) == default_rule(1000)


def test_unmeasured_rules_are_not_written(folder: Path) -> None:
    with pytest.raises(ValueError, match="measured"):
        write_rules(folder, {8: default_rule(10)}, known="k", outside="o")


def test_default_is_cautious() -> None:
    assert default_rule(1000).threshold == 0.1
    assert default_rule(21843).threshold < 0.1
    # With few classes the best one always gets more: nothing is claimed.
    assert not probably_none(np.zeros(9), default_rule(9))


@pytest.mark.parametrize("language", LANGUAGES)
def test_words(language: str) -> None:
    good = NoveltyRule(threshold=0.21, rates=rates(20, 60))
    sign = "%" if language == "ja" else " %"
    assert f"21{sign}" in good.sentence(100, language)
    assert "100" in good.sentence(100, language)
    for part in (f"30{sign}", f"10{sign}", f"15{sign}", "24", "37", "200"):
        assert part in good.reliability(language)
    assert good.reliability(language) != NoveltyRule(threshold=0.21, rates=rates(20, 25)).reliability(language)
    assert f"5.0{sign}" in default_rule(21843).reliability(language)


@pytest.mark.parametrize("folder", sorted(assets_path("models").iterdir()), ids=lambda folder: folder.name)
def test_every_bundled_model_was_measured_at_its_own_patch_size(folder: Path) -> None:
    """Calibration is part of bringing in new weights (see CONTRIBUTING)."""
    native = json.loads((folder / "config.json").read_text("utf-8"))["model_args"]["patch_size"]
    measured = read_rules(folder)[native].rates
    assert measured is not None
    assert measured.outside.count >= 100
    assert measured.known.count >= 1000


def test_without_torch() -> None:
    code = "import sys, explorer.novelty; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
