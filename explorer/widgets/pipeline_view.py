"""The drawing of the whole pipeline."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets

from explorer.figures.overview import PipelineDrawing
from explorer.images import Pixels, encode_image
from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget

__all__ = ["PipelineView"]


class PipelineView(ExplorerWidget):
    """The pipeline from the photo to the class as one SVG, with today's numbers in it.

    Attributes
    ----------
    drawing : dict
        Rows, finished strings and sizes; see :meth:`show`.
    photo, pieces : bytes
        JPEG of the photo, PNG of its patches pulled apart.
    thumbnails : list of str
        Each drawn token's patch as the address of a PNG, "" for tokens that are none.
    strips : bytes
        float32, (4, rows, dims).
    """

    _esm = bundle("pipeline_view.js")
    _css = stylesheet()
    drawing = traitlets.Dict().tag(sync=True)
    photo = traitlets.Bytes(b"").tag(sync=True)
    pieces = traitlets.Bytes(b"").tag(sync=True)
    thumbnails = traitlets.List(traitlets.Unicode()).tag(sync=True)
    strips = traitlets.Bytes(b"").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._pieces: Pixels | None = None
        super().__init__(**traits)

    def show_photo(self, pixels: Pixels) -> None:
        """The photo as it is shown: the model's crop at the picture's own sharpness, (S, S, 3) uint8."""
        self.photo = encode_image(pixels, "jpeg", quality=88)

    def show(
        self,
        drawing: PipelineDrawing,
        *,
        names: Sequence[str],
        texts: Mapping[str, str],
        sizes: Mapping[str, str],
        chain: Sequence[str],
        stages: Mapping[str, Mapping[str, Any]],
        stem: str,
    ) -> None:
        """Draw.

        Parameters
        ----------
        drawing : PipelineDrawing
        names : sequence of str
            What each drawn row is called.
        texts, sizes : mapping of str to str
            Finished strings, and shapes as they are written.
        chain : sequence of str
            What happens between 𝒛_L and the logits.
        stages : mapping
            Stage to its ``number`` and ``name``: where the parts may lead, if the page has that stage.
        stem : str
            File name of saved pictures.
        """
        kinds = [
            "gap" if t is None else "prefix" if p else "patch"
            for t, p in zip(drawing.rows, drawing.prefix, strict=True)
        ]
        rows = [
            {"name": name, "kind": kind, "picked": place == drawing.picked, "read": place in drawing.read}
            for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
        ]
        with self.hold_sync():
            if self._pieces is None or not np.array_equal(self._pieces, drawing.pieces):
                self._pieces = drawing.pieces
                self.pieces = encode_image(drawing.pieces)
            self.thumbnails = [
                _address(tile) if kind == "patch" else "" for tile, kind in zip(drawing.thumbnails, kinds, strict=True)
            ]
            self.strips = np.ascontiguousarray(drawing.strips, dtype=np.float32).tobytes()
            self.drawing = {
                "rows": rows,
                "grid": list(drawing.grid),
                "place": drawing.place,
                "gap": drawing.gap,
                "dims": int(drawing.strips.shape[2]),
                "reaches": [float(reach) for reach in drawing.reaches],
                "texts": dict(texts),
                "sizes": dict(sizes),
                "chain": list(chain),
                "pooled": len(drawing.read) > 2,
                "stages": {stage: dict(entry) for stage, entry in stages.items()},
                "stem": stem,
            }


def _address(pixels: Pixels) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_image(pixels)).decode("ascii")
