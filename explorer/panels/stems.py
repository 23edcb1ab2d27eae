"""File names of saved pictures, all made in one place: stage, model, patch size, layer, head, and what is drawn."""

from __future__ import annotations

import re
import unicodedata

from explorer.resources import named_model
from explorer.state import MEAN_OF_HEADS
from explorer.trace import Trace
from explorer.widgets.attention_view import ROLLOUT

__all__ = ["picture_stem"]

#: Longest name of a model in a file's name: the front ends cut at 120 letters, and what comes behind it tells pictures
#: of one model apart. All of timm's names are shorter.
_LONGEST = 60


def picture_stem(
    stage: str, *what: str | int, run: Trace | None = None, layer: int | None = None, head: int | None = None
) -> str:
    """A file name, without its ending, that every file system takes.

    Parameters
    ----------
    stage : str
    *what : str or int
        What else tells the picture from others of its stage.
    run : Trace, optional
        Whose model and patch size are named.
    layer : int, optional
        From 0; only where the picture is of one layer.
    head : int, optional
        From 0, :data:`~explorer.state.MEAN_OF_HEADS` or :data:`~explorer.widgets.attention_view.ROLLOUT`; only where
        the picture is of one head.

    Returns
    -------
    str
    """
    parts: list[str | int] = [stage]
    if run is not None:
        # Of a folder its own name: where it lies is nobody's business whom the picture is given to.
        name = named_model(run.spec.name).replace("\\", "/").rstrip("/").rpartition("/")[2]
        parts += [_safe(name)[:_LONGEST].rstrip("-.") or "model", f"patch{run.patch_size}"]
    if layer is not None:
        parts.append(f"layer{layer + 1}")
    if head is not None:
        parts.append({MEAN_OF_HEADS: "mean", ROLLOUT: "rollout"}.get(head, f"head{head + 1}"))
    return "-".join(filter(None, (_safe(str(part)) for part in (*parts, *what))))


def _safe(part: str) -> str:
    """Letters and digits of any script, and what joins them; accents are joined to their letters first."""
    return re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", part)).strip("-.")
