"""What the page tells by colour can be told with any colour vision, and what is read has contrast enough."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import explorer
from explorer.figures.colors import CATEGORIES, COLORMAPS, OTHER_COLOR
from explorer.figures.encoder_facts import LENGTH_COLORS
from tests.color_vision import (
    VISIONS,
    closest,
    contrast,
    custom_properties,
    difference,
    lightness,
    parse,
    seen,
    to_lab,
)

WIDGETS = Path(explorer.__file__).parent / "widgets"
SHEETS = sorted(WIDGETS.parent.rglob("*.css"))
PROPERTIES = custom_properties(*SHEETS)

#: About 1 is the least that is noticed side by side, 2 to 3 at a glance. Across a chart or a photo, on a projector that
#: fades everything, it takes several times as much.
APART = 10
#: The sides of a signed scale are told apart in single cells of a pixel or two.
FAR_APART = 20
#: WCAG 2 AA: of text, and of large text and marks.
TEXT, LARGE = 4.5, 3.0

any_vision = pytest.mark.parametrize("vision", VISIONS)


# -- the tools themselves ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    # From the table of Sharma, Wu and Dalal (2005), the hard ones among them.
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_differences_are_those_of_the_paper(one: tuple[float, ...], other: tuple[float, ...], expected: float) -> None:
    assert difference(one, other) == pytest.approx(expected, abs=1e-4)
    assert difference(other, one) == pytest.approx(expected, abs=1e-4)


@any_vision
def test_grey_stays_grey(vision: str) -> None:
    greys = np.linspace(0, 1, 9)[:, None].repeat(3, axis=1)
    np.testing.assert_allclose(seen(greys, vision), greys, atol=2e-5)


@pytest.mark.parametrize(
    ("vision", "one", "other"),
    [
        ("protanopia", "#a34a00", "#5c6b00"),
        ("deuteranopia", "#d06a3c", "#8f9a30"),
        ("tritanopia", "#00a0a0", "#2f9ab5"),
    ],
)
def test_the_simulation_confuses_what_these_readers_confuse(vision: str, one: str, other: str) -> None:
    """So the tests below are able to fail."""
    with_all, without = (difference(*to_lab(seen(parse((one, other)), each))) for each in ("normal", vision))
    assert without < 0.5 * with_all


def test_contrast_is_wcags() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


# -- the page's colours ------------------------------------------------------------------------------------------------


@any_vision
@pytest.mark.parametrize(
    "colors", [(*CATEGORIES, OTHER_COLOR), tuple(LENGTH_COLORS.values())], ids=["categories", "lengths"]
)
def test_what_is_told_by_colour_is_told_with_any_vision(colors: tuple[str, ...], vision: str) -> None:
    apart, *which = closest(colors, vision)
    assert apart >= APART, which


def test_charts_in_the_browser_have_the_same_colours() -> None:
    found = re.search(r"colorway: \[theme\.accent, (.*?)\]", (WIDGETS / "js" / "plotly.js").read_text("utf-8"))
    assert found is not None
    lines = tuple(re.findall(r"#[0-9a-f]{6}", found[1]))
    assert (PROPERTIES["--vx-accent"], *lines) == CATEGORIES[: len(lines) + 1]


@any_vision
def test_amounts_grow_lighter_all_the_way(vision: str) -> None:
    steps = lightness(seen(parse(COLORMAPS["sequential"]), vision))
    assert np.all(np.diff(steps) > 0.5)
    # Its ends are as far apart as black on a projector and white are.
    assert steps[-1] - steps[0] > 60


@any_vision
def test_signs_are_told_apart_and_grow_darker_both_ways(vision: str) -> None:
    colors = seen(parse(COLORMAPS["diverging"]), vision)
    steps, middle = lightness(colors), len(colors) // 2
    assert np.all(np.diff(steps[: middle + 1]) > 0.5)
    assert np.all(np.diff(steps[middle:]) < -0.5)
    labs = to_lab(colors)
    # From a quarter of the scale on, a value is not taken for its opposite; and their weights are about the same.
    for step in range(middle // 4, middle + 1):
        assert difference(labs[middle - step], labs[middle + step]) > FAR_APART, step
        assert abs(steps[middle - step] - steps[middle + step]) < 12, step


@any_vision
def test_right_and_wrong_differ_by_more_than_their_marks(vision: str) -> None:
    assert closest((PROPERTIES["--vx-good"], PROPERTIES["--vx-bad"]), vision)[0] >= FAR_APART


# -- what is read ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["--vx-ink", "--vx-muted", "--vx-accent", "--vx-warn", "--vx-bad", "--vx-good"])
@pytest.mark.parametrize("ground", ["--vx-surface", "--vx-page"])
def test_text_has_contrast_on_the_page(text: str, ground: str) -> None:
    assert contrast(PROPERTIES[text], PROPERTIES[ground]) >= TEXT


def rules() -> list[tuple[str, dict[str, str]]]:
    """Every rule of the style sheets: its selector, and its declarations with the page's own colours put in."""
    found = []
    for sheet in SHEETS:
        css = re.sub(r"/\*.*?\*/", "", sheet.read_text("utf-8"), flags=re.DOTALL)
        for selector, body in re.findall(r"([^{};]+)\{([^{}]*)\}", css):
            declared = dict(part.split(":", 1) for part in body.split(";") if ":" in part)
            declared = {name.strip(): value.strip() for name, value in declared.items()}
            found.append((f"{sheet.name}: {' '.join(selector.split())}", declared))
    return found


def colour(value: str) -> str | None:
    """A plain colour, or the page's own by its name."""
    named = re.match(r"var\((--vx-[\w-]+)", value)
    value = PROPERTIES.get(named[1], "") if named else value
    return value if re.fullmatch(r"#[0-9a-fA-F]{3}|#[0-9a-fA-F]{6}", value) else None


def test_text_on_a_ground_of_its_own_has_contrast() -> None:
    checked, faint = 0, []
    for selector, declared in rules():
        text = colour(declared.get("color", ""))
        ground = colour(declared.get("background", declared.get("background-color", "")))
        if text is None or ground is None or ":disabled" in selector:
            continue
        checked += 1
        if (ratio := contrast(text, ground)) < TEXT:
            faint.append(f"{selector}: {ratio:.2f}")
    assert checked > 20
    assert faint == []


def test_no_text_is_faint_on_white() -> None:
    """Whatever names a colour for text alone stands on the page's own grounds, or says what it stands on."""
    faint = []
    for selector, declared in rules():
        text = colour(declared.get("color", ""))
        light = text is not None and contrast(text, PROPERTIES["--vx-surface"]) < TEXT
        own_ground = any(name.startswith("background") for name in declared)
        if light and not own_ground and ":disabled" not in selector and not _on_dark(selector):
            faint.append(f"{selector}: {text}")
    assert faint == []


def _on_dark(selector: str) -> bool:
    """White text on what a rule nearby has coloured: chosen segments, pressed buttons."""
    return ":checked" in selector or "[aria-pressed" in selector or "[aria-current" in selector


def test_lines_of_a_chart_are_seen_on_white() -> None:
    """But for the two that are light on purpose, which are drawn in areas, or wide."""
    faint = [color for color in CATEGORIES if contrast(color, "#ffffff") < LARGE]
    assert faint == ["#e69f00", "#6fb1ff", "#efe68a"]


def test_no_two_neighbours_of_the_palette_are_of_equal_weight() -> None:
    """In greyscale, lines that were given out one after another still differ."""
    weights = [float(lightness(parse(color))) for color in CATEGORIES]
    assert all(abs(one - other) > 3 for one, other in pairwise(weights))
