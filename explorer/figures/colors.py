"""The colours of every picture: *cividis* for amounts, blue–white–orange for signed values, eight for kinds.

All can be told apart with any colour vision (``tests/unit/test_color_vision.py`` simulates them), and in greyscale the
first is a plain ramp. Both maps are kept as 33 stops with straight lines between them;
``explorer/widgets/js/colors.js`` holds the same stops, and a test compares them.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["CATEGORIES", "COLORMAPS", "OTHER_COLOR", "Colormap", "plotly_colorscale"]

Colormap = Literal["sequential", "diverging"]

_SEQUENTIAL = (
    "00224e 00285b 002e6a 053371 1a386f 273e6e 32436d 3b496c 434e6c 4b546c 535a6d "
    "5a5f6e 61656f 686a71 6f7073 767676 7d7c78 848279 8c8878 938e78 9b9476 a39a74 "
    "aba072 b4a76f bcae6c c4b468 cdbb63 d5c25e dec958 e7d150 f0d846 f9e03a fee838"
)
_DIVERGING = (
    "004275 014c86 045797 0362aa 046ebc 1779cb 2e85d5 4192de 549ee6 67aaed 7ab5f2 "
    "8ec1f7 a2cdfa b6d8fb cbe2fc e0edfa f6f6f6 f7e8db f5dac3 f1ccaa edbe93 e7b07c "
    "e0a165 d9934e d08635 c77816 b96d07 a96407 9a5a03 8a5002 7b4703 6d3e01 5e3500"
)

#: Stops at equal distances, as ``rrggbb``.
COLORMAPS: dict[Colormap, tuple[str, ...]] = {
    "sequential": tuple(_SEQUENTIAL.split()),
    "diverging": tuple(_DIVERGING.split()),
}

#: Of things that differ in kind, the page's accent first: three of Okabe and Ito's, and five that stay apart from them
#: and from each other without red, green or blue cones. The last is for areas alone: a line of it on white is faint.
CATEGORIES = ("#c4006a", "#0072b2", "#e69f00", "#00563b", "#6fb1ff", "#131c2e", "#6b7f00", "#efe68a")
#: Of all that have no colour of their own.
OTHER_COLOR = "#b4bbc6"


def plotly_colorscale(colormap: Colormap) -> list[list[float | str]]:
    """One of the colour maps in the form that plotly takes: ``[[0.0, "#00224e"], …, [1.0, "#fee838"]]``."""
    stops = COLORMAPS[colormap]
    return [[index / (len(stops) - 1), f"#{stop}"] for index, stop in enumerate(stops)]
