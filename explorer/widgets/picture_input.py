"""How a picture comes in: one of the samples, or a file by button, drop or paste."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from explorer.errors import ExplorerError
from explorer.images import MAX_BYTES, Picture, clean_name
from explorer.samples import sample_of, sample_thumbnail, samples
from explorer.texts import LANGUAGES, catalogue, text
from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.main_shell import FrontEnd
from explorer.widgets.uploads import PIECE_BYTES, Upload, data_url, is_count, thumbnail

__all__ = ["PIECE_BYTES", "PictureInput", "picture_labels"]

_SECTION = "pictures."


class PictureInput(FrontEnd):
    """Sample photos, an upload button, drop and paste.

    A file comes in pieces of at most 4 MB. The front end announces it, and sends each piece only when it is asked
    for, so that a slow connection is never flooded and JupyterLab's limit never met. A new file takes the place of
    one under way. What the front end says is checked: nothing that it sends can fill the memory or stop the kernel.

    Parameters
    ----------
    language : str
        One of :data:`explorer.texts.LANGUAGES`; may change at any time.

    Attributes
    ----------
    busy : bool
        Whether a file is being received or opened.
    progress : float
        Part of it that has arrived, 0 to 1.
    file_name : str
        Its name: text by a stranger.
    selected_sample : str
        The sample that was chosen last, or "" after an upload. Setting it marks a sample and calls nobody.
    """

    _esm = bundle("picture_input.js")
    _css = stylesheet("picture_input.css")

    language = traitlets.Enum(tuple(LANGUAGES), default_value="en").tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)
    samples = traitlets.List(traitlets.Dict()).tag(sync=True)
    selected_sample = traitlets.Unicode("").tag(sync=True)
    current = traitlets.Dict().tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    progress = traitlets.Float(0.0).tag(sync=True)
    file_name = traitlets.Unicode("").tag(sync=True)
    max_bytes = traitlets.Int(MAX_BYTES).tag(sync=True)
    piece_bytes = traitlets.Int(PIECE_BYTES).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._upload: Upload | None = None
        self._picture_callbacks: list[Callable[[bytes, str], None]] = []
        self._sample_callbacks: list[Callable[[str], None]] = []
        self._error_callbacks: list[Callable[[ExplorerError], None]] = []
        super().__init__(**traits)
        self._name_things()
        self.on_msg(self._receive)

    def on_picture(self, callback: Callable[[bytes, str], None]) -> None:
        """Call ``callback(data, name)`` with every file that has arrived; it may be anything but too large."""
        self._picture_callbacks.append(callback)

    def on_sample(self, callback: Callable[[str], None]) -> None:
        """Call ``callback(id)`` when a sample is chosen; the name is that of a sample that is there."""
        self._sample_callbacks.append(callback)

    def on_error(self, callback: Callable[[ExplorerError], None]) -> None:
        """Call ``callback(error)`` when a file is too large to be sent, or does not arrive whole."""
        self._error_callbacks.append(callback)

    def show_current(self, picture: Picture | None) -> None:
        """Show a picture, small, on the button that opens the samples.

        Parameters
        ----------
        picture : Picture or None
        """
        with self.hold_sync():
            self.selected_sample = "" if picture is None else sample_of(picture.digest) or ""
            self.current = {} if picture is None else {"name": picture.name, "thumbnail": thumbnail(picture)}

    @traitlets.observe("language")
    def _name_things(self, _change: Any = None) -> None:
        with self.hold_sync():
            self.labels = picture_labels(self.language)
            self.samples = [
                {
                    "id": entry.id,
                    "title": text(entry.title_key, self.language),
                    "credit": f"{entry.credit} · {entry.licence}",
                    "thumbnail": data_url(sample_thumbnail(entry.id)),
                }
                for entry in samples()
            ]

    def _receive(self, _widget: Any, content: Any, buffers: Sequence[Any] | None) -> None:
        """Take a message of the front end, of which nothing is believed."""
        message = content if isinstance(content, Mapping) else {}
        match message.get("kind"):
            case "begin":
                self._begin(message)
            case "piece":
                self._take_piece(message, list(buffers or []))
            case "cancel":
                if self._upload is not None and message.get("upload") == self._upload.number:
                    self._drop(ExplorerError("picture-upload-broken") if message.get("failed") is True else None)
            case "sample":
                self._choose_sample(message.get("id"))

    def _choose_sample(self, sample_id: Any) -> None:
        if not any(entry.id == sample_id for entry in samples()):
            return
        self._drop()  # whoever chooses a sample while a file arrives wants the sample
        self.selected_sample = sample_id
        for callback in self._sample_callbacks:
            callback(sample_id)

    def _begin(self, message: Mapping[str, Any]) -> None:
        number, size, name = message.get("upload"), message.get("size"), message.get("name")
        if not is_count(number) or not is_count(size):
            return
        self._drop()
        shown_name = clean_name(name) if isinstance(name, str) else ""
        if size > MAX_BYTES:
            self.send({"kind": "stop", "upload": number})
            error = ExplorerError("picture-too-many-bytes", megabytes=-(-size // 1024**2), limit=MAX_BYTES >> 20)
            self._report(error.of_file(shown_name))
            return
        self._upload = Upload(number, size, shown_name)
        with self.hold_sync():
            self.file_name, self.progress, self.busy = self._upload.name, 0.0, True
        self._go_on()

    def _take_piece(self, message: Mapping[str, Any], buffers: list[Any]) -> None:
        upload = self._upload
        if upload is None or message.get("upload") != upload.number:
            # A piece of a file whose place was taken, or of none: its sender may stop.
            if is_count(message.get("upload")):
                self.send({"kind": "stop", "upload": message["upload"]})
            return
        if not upload.take(message.get("offset"), buffers):
            self._drop(ExplorerError("picture-upload-broken"))
            return
        self.progress = len(upload.data) / upload.size
        self._go_on()

    def _go_on(self) -> None:
        """Ask for the next piece, or hand over the file when it is whole."""
        upload = self._upload
        if upload is None:
            return
        if len(upload.data) < upload.size:
            self.send({"kind": "next", "upload": upload.number, "received": len(upload.data)})
            return
        self._upload = None
        self.send({"kind": "stop", "upload": upload.number})
        self.selected_sample = ""
        try:
            for callback in self._picture_callbacks:
                callback(bytes(upload.data), upload.name)
        finally:
            self._rest()

    def _drop(self, error: ExplorerError | None = None) -> None:
        """Forget the file under way, and say why if it is nobody's wish."""
        if self._upload is None:
            return
        name = self._upload.name
        self.send({"kind": "stop", "upload": self._upload.number})
        self._upload = None
        self._rest()
        if error is not None:
            self._report(error.of_file(name))

    def _report(self, error: ExplorerError) -> None:
        for callback in self._error_callbacks:
            callback(error)

    def _rest(self) -> None:
        with self.hold_sync():
            self.busy, self.progress, self.file_name = False, 0.0, ""


def picture_labels(language: str) -> dict[str, str]:
    """The front end's words about pictures, placeholders still in them."""
    return {key.removeprefix(_SECTION): words for key, words in catalogue(language).items() if key.startswith(_SECTION)}
