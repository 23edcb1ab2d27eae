"""What a run tells while it trains, a line at a time, in the user's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explorer.texts import text
from explorer.training.evaluation import Accuracy

__all__ = ["report_line", "validation_line"]


def report_line(entry: Mapping[str, Any], progress: float, language: str) -> str:
    """How far the run is, and how long it will take.

    Parameters
    ----------
    entry : mapping
        What the log says of it: ``step``, ``seen``, ``minutes``, ``rate``, and ``loss`` by patch size.
    progress : float
        0 to 1.
    language : str
    """
    parts = [
        text(
            "training.line.report",
            language,
            done=f"{100 * progress:5.1f}",
            step=entry["step"],
            seen=entry["seen"],
            rate=f"{entry['rate']:.2e}",
            losses=" ".join(f"{patch}:{value:.3f}" for patch, value in entry["loss"].items()),
        )
    ]
    if 0 < progress < 1:
        parts.append(text("training.line.left", language, minutes=f"{entry['minutes'] * (1 / progress - 1):.0f}"))
    return "  ".join(parts)


def validation_line(step: int, size: int, accuracy: Accuracy, language: str, *, network: str = "vit") -> str:
    """How the averaged weights did on pictures that were held back.

    Parameters
    ----------
    step : int
    size : int
        The patch size of a ViT, the side of the pictures of a convolutional network, in pixels.
    accuracy : Accuracy
    language : str
    network : str
        The settings' kind of network.
    """
    key = "training.line.validation" if network == "vit" else "training.line.validation_side"
    return text(key, language, step=step, size=size, accuracy=accuracy.line())
