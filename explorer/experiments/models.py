"""Two models, one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.labels import Labels
from explorer.trace import Trace

if TYPE_CHECKING:
    from explorer.images import Picture
    from explorer.models import ExplorerModel

__all__ = ["ModelsResult", "compare_models"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelsResult:
    """Two models' runs on one picture, each at the size that it sees.

    Attributes
    ----------
    one, other : Trace
    labels, other_labels : Labels
        Names of the classes of each.
    """

    one: Trace
    other: Trace
    labels: Labels
    other_labels: Labels

    @property
    def same_class(self) -> bool | None:
        """Whether both name the same class (by its id); None where one of them names none, or ids are not known."""
        if self.one.logits is None or self.other.logits is None:
            return None
        first, second = int(self.one.logits.argmax()), int(self.other.logits.argmax())
        if first >= len(self.labels) or second >= len(self.other_labels):
            return None
        return self.labels.ids[first] == self.other_labels.ids[second]


def compare_models(
    model: ExplorerModel,
    other: ExplorerModel,
    picture: Picture | bytes | str,
    *,
    crop: tuple[float, float] = (0.5, 0.5),
    **sizes: Any,
) -> ModelsResult:
    """Run two models on the same picture.

    Parameters
    ----------
    model, other : ExplorerModel
    picture : Picture, bytes, or path
    crop : (float, float)
        Where the square lies that both see, as for :func:`explorer.trace_image`.
    **sizes
        ``patch_size`` and ``image_size`` of the first; the other has its own.

    Returns
    -------
    ModelsResult
    """
    from explorer.engine import trace_image

    return ModelsResult(
        one=trace_image(model, picture, crop=crop, **sizes),
        other=trace_image(other, picture, crop=crop),
        labels=model.labels,
        other_labels=other.labels,
    )
