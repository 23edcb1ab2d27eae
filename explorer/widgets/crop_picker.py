"""Moving the square that a model sees over a wide or a tall picture."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import traitlets
from PIL import Image

from explorer.images import Picture, SeesCrop, crop_box, encode_image
from explorer.texts import LANGUAGES
from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.main_shell import FrontEnd
from explorer.widgets.picture_input import picture_labels

__all__ = ["CropPicker"]

_LONGEST = 720


class CropPicker(FrontEnd):
    """The whole picture under the square that the model sees; the square is moved by dragging or arrow keys.

    Shows nothing for a picture that is square: its crop has (nearly) nowhere to go.

    Attributes
    ----------
    center_x, center_y : float
        Where the crop lies in its free travel, 0 to 1, as in :func:`explorer.images.crop_box`. Written by the front
        end while the square is moved, and free to be set.
    box_width, box_height : float
        The square's sides as parts of the picture's.
    shown : bool
        Whether there is a picture that is not square.
    language : str
        One of :data:`explorer.texts.LANGUAGES`; may change at any time.
    """

    _esm = bundle("crop_picker.js")
    _css = stylesheet("crop_picker.css")

    language = traitlets.Enum(tuple(LANGUAGES), default_value="en").tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)
    photo = traitlets.Unicode("").tag(sync=True)
    width = traitlets.Int(1).tag(sync=True)
    height = traitlets.Int(1).tag(sync=True)
    box_width = traitlets.Float(1.0).tag(sync=True)
    box_height = traitlets.Float(1.0).tag(sync=True)
    center_x = traitlets.Float(0.5).tag(sync=True)
    center_y = traitlets.Float(0.5).tag(sync=True)
    shown = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._picture: Picture | None = None
        super().__init__(**traits)
        self.labels = picture_labels(self.language)

    def show(self, picture: Picture | None, spec: SeesCrop | tuple[int, float, str]) -> None:
        """Show a picture and the square that a model of that kind sees of it.

        Parameters
        ----------
        picture : Picture or None
        spec : ModelSpec, Cropping or tuple
            As in :func:`explorer.images.crop_box`.
        """
        with self.hold_sync():
            if picture is None or picture.width == picture.height:
                self._picture, self.photo, self.shown = None, "", False
                return
            box = crop_box(picture.width, picture.height, spec)
            self.box_width = min(1.0, (box.right - box.left) / picture.width)
            self.box_height = min(1.0, (box.bottom - box.top) / picture.height)
            if picture is not self._picture:
                self._picture = picture
                self.width, self.height, self.photo = picture.width, picture.height, _preview(picture)
            self.shown = True

    @traitlets.validate("center_x", "center_y")
    def _inside(self, proposal: dict[str, Any]) -> float:
        value = float(proposal["value"])
        # NaN compares false with everything and would stay NaN in min and max.
        return min(1.0, max(0.0, value)) if math.isfinite(value) else 0.5

    @traitlets.observe("language")
    def _on_language(self, _change: Any) -> None:
        self.labels = picture_labels(self.language)


def _preview(picture: Picture) -> str:
    scale = min(1.0, _LONGEST / max(picture.width, picture.height))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = Image.fromarray(picture.pixels).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return "data:image/jpeg;base64," + base64.b64encode(encode_image(np.asarray(small), "jpeg", 85)).decode()
