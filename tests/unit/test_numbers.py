from __future__ import annotations

import pytest

from explorer.panels.numbers import difference, figures, percents


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (2.2908, "2.291"),
        (-0.0004844, "−0.0004844"),
        (-1.3139e-5, "−1.314 × 10⁻⁵"),
        (0.0, "0"),
        (123456.0, "1.235 × 10⁵"),
    ],
)
def test_a_number_keeps_four_figures_and_a_true_minus(value: float, printed: str) -> None:
    assert figures(value).replace("\N{NO-BREAK SPACE}", " ") == printed


def test_a_difference_is_scientific_or_nothing() -> None:
    assert difference(-2.42e-8) == "−2.4\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10⁻⁸"
    assert difference(0.0) == "0"


@pytest.mark.parametrize(
    ("part", "printed"), [(0.00612, "0.61"), (0.0612, "6.1"), (0.61, "61"), (0.994, "99"), (0.996, "100"), (1.4, "140")]
)
def test_a_part_of_a_whole_is_never_written_with_an_exponent(part: float, printed: str) -> None:
    assert percents(part) == printed
