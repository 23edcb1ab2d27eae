"""How colours look to those who see fewer of them: simulation, and how far two colours are apart.

The three dichromacies after Machado, Oliveira and Fernandes (2009, IEEE TVCG 15(6), "A Physiologically-based Model for
Simulation of Color Vision Deficiency"), severity 1, in linear RGB; differences are CIEDE2000 (Sharma and others, 2005).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "VISIONS",
    "closest",
    "contrast",
    "custom_properties",
    "difference",
    "lightness",
    "parse",
    "seen",
    "to_lab",
]

Colors = NDArray[np.float64]

#: By the name of the dichromacy, what it makes of linear RGB; ``normal`` leaves colours as they are.
VISIONS: dict[str, Colors] = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
#: White of a screen (D65).
_WHITE = _TO_XYZ.sum(axis=1)


def parse(colors: str | Iterable[str]) -> Colors:
    """``#rgb`` or ``rrggbb`` as (…, 3) values 0 … 1."""
    if not isinstance(colors, str):
        return np.stack([parse(color) for color in colors])
    digits = colors.strip().removeprefix("#")
    if not re.fullmatch(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}", digits):
        raise ValueError(f"{colors!r} is not a plain colour")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    return np.array([int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)])


def linear(rgb: Colors) -> Colors:
    """Light of the screen's values."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def seen(rgb: Colors, vision: str) -> Colors:
    """The colours (…, 3) that look to everybody as the given ones do to one with this vision."""
    light = np.clip(linear(np.asarray(rgb, float)) @ VISIONS[vision].T, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def to_lab(rgb: Colors) -> Colors:
    """CIELAB (…, 3) of the screen's values."""
    ratio = linear(np.asarray(rgb, float)) @ _TO_XYZ.T / _WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def lightness(rgb: Colors) -> Colors:
    """L* (…), 0 for black, 100 for white."""
    return to_lab(rgb)[..., 0]


def difference(one: Sequence[float] | Colors, other: Sequence[float] | Colors) -> float:
    """CIEDE2000 between two colours in CIELAB."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = 0.0 if grey else h2 - h1
    turn -= 360 * np.sign(turn) * (abs(turn) > 180)
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    # Half-way along the shorter arc; where one is grey, the other's own hue.
    h_mean = h1 + h2 if grey else (h1 + turn / 2) % 360
    t = (
        1
        - 0.17 * np.cos(np.radians(h_mean - 30))
        + 0.24 * np.cos(np.radians(2 * h_mean))
        + 0.32 * np.cos(np.radians(3 * h_mean + 6))
        - 0.20 * np.cos(np.radians(4 * h_mean - 63))
    )
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / np.sqrt(20 + (l_mean - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    r_c = 2 * np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7))
    r_t = -r_c * np.sin(np.radians(60 * np.exp(-(((h_mean - 275) / 25) ** 2))))
    d_l, d_c, d_h = (l2 - l1) / s_l, (c2 - c1) / s_c, d_hue / s_h
    return float(np.sqrt(d_l**2 + d_c**2 + d_h**2 + r_t * d_c * d_h))


def closest(colors: Iterable[str], vision: str) -> tuple[float, str, str]:
    """The two of some colours that are hardest to tell apart with a vision: their difference, and both."""
    return min((difference(*to_lab(seen(parse(pair), vision))), *pair) for pair in combinations(list(colors), 2))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2, 1 … 21."""
    light, dark = sorted((float(linear(parse(color)) @ _TO_XYZ[1]) for color in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def custom_properties(*sheets: Path) -> dict[str, str]:
    """The colours that style sheets name: ``--vx-accent`` to ``#c4006a``; what is no plain colour is left out."""
    found: dict[str, str] = {}
    for sheet in sheets:
        found |= dict(re.findall(r"(--[\w-]+):\s*(#[0-9a-fA-F]{3,6})\s*;", sheet.read_text("utf-8")))
    return found
