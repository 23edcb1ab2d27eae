"""Classes of one's own, each a name and a few pictures by button, drop and paste; and new ones to be classified."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import traitlets

from explorer.errors import ExplorerError
from explorer.experiments.head_file import MAX_CLASSES, clean_class_name
from explorer.images import MAX_BYTES, Picture, clean_name, open_picture
from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget
from explorer.widgets.uploads import PIECE_BYTES, Upload, is_count, thumbnail

__all__ = ["MAX_PICTURES", "MAX_TOTAL", "CardPicture", "ClassPictures", "PictureClass"]

#: Most pictures of a class; a teacher's set, kept in memory.
MAX_PICTURES = 40
#: Most bytes that the pictures of all cards may take: a hundred photos of a phone.
MAX_TOTAL = 500 * 1024 * 1024
#: What messages call the group of new pictures, and a file that is a head, not a picture.
_NEW, _FILE = -1, -2
#: Most bytes of such a file; a head of ten classes on the widest ViT is 60 kB.
_MAX_FILE = 5_000_000
_ids = itertools.count()


@dataclass(frozen=True, eq=False, kw_only=True)
class CardPicture:
    """A picture as a card keeps it: its file, mostly a tenth of its pixels, which are decoded when they are needed.

    Attributes
    ----------
    content : bytes or Picture
        The file; the picture itself where there is none, as of the page's.
    name, digest : str
        As of :class:`~explorer.images.Picture`.
    thumbnail : str
        It, small, as a ``data:`` address.
    """

    content: bytes | Picture
    name: str
    digest: str
    thumbnail: str

    @classmethod
    def of(cls, picture: Picture, file: bytes | None = None) -> CardPicture:
        """A picture, and the file that it was decoded from if that is at hand."""
        content = picture if file is None else file
        return cls(content=content, name=picture.name, digest=picture.digest, thumbnail=thumbnail(picture, 144))

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return len(self.content) if isinstance(self.content, bytes) else int(self.content.pixels.nbytes)


@dataclass
class PictureClass:
    """A class: what it is called, and its pictures.

    Parameters
    ----------
    name : str
        Text by whoever sits there.
    pictures : list of CardPicture

    Attributes
    ----------
    id : int
        What messages call it, and no other class: its place changes when one before it is removed.
    """

    name: str
    pictures: list[CardPicture] = field(default_factory=list)
    id: int = field(default_factory=lambda: next(_ids), init=False)


class ClassPictures(ExplorerWidget):
    """A card for every class, and one for new pictures.

    Names and pictures are kept here, in Python; the front end is shown small pictures, and says what is to be changed.
    None of what it says is believed: classes and pictures have limits, files come in pieces as for
    :class:`~explorer.widgets.picture_input.PictureInput`, and are opened as any picture is.

    Attributes
    ----------
    cards : list of dict
        What is shown of the classes: ``id``, ``name``, and ``pictures`` with ``id``, ``thumbnail``, ``name`` and
        ``note`` each.
    new : list of dict
        The same of the new pictures; ``note`` is the answer to one.
    takes_new : bool
        Whether new pictures can be given.
    busy : bool
        Whether a file is being received.
    can_add : bool
        Whether the page has a picture that can be added.
    can_save : bool
        Whether there is something to save.
    """

    _sections = ("class-pictures", "pictures", "widgets")
    _esm = bundle("class_pictures.js")
    _css = stylesheet()

    cards = traitlets.List(traitlets.Dict()).tag(sync=True)
    new = traitlets.List(traitlets.Dict()).tag(sync=True)
    takes_new = traitlets.Bool(False).tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    can_add = traitlets.Bool(False).tag(sync=True)
    can_save = traitlets.Bool(False).tag(sync=True)
    max_bytes = traitlets.Int(MAX_BYTES).tag(sync=True)
    piece_bytes = traitlets.Int(PIECE_BYTES).tag(sync=True)
    max_classes = traitlets.Int(MAX_CLASSES).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.classes: list[PictureClass] = []
        self.new_pictures: list[CardPicture] = []
        #: What is said below each new picture, and below those of the classes.
        self.answers: list[str] = []
        self.notes: list[list[str]] = []
        self._upload: tuple[Upload, int] | None = None
        self._changed: list[Callable[[], None]] = []
        self._new_given: list[Callable[[], None]] = []
        self._current: list[Callable[[], Picture | None]] = []
        self._error: list[Callable[[ExplorerError], None]] = []
        self._file: list[Callable[[bytes, str], None]] = []
        self._saving: list[Callable[[], None]] = []
        self.on_msg(self._receive)

    # -- for whoever shows it --------------------------------------------------------------------------------------

    def on_classes(self, call: Callable[[], None]) -> None:
        """Call when a class, its name or its pictures were changed by the user."""
        self._changed.append(call)

    def on_new(self, call: Callable[[], None]) -> None:
        """Call when :attr:`new_pictures` were changed by the user."""
        self._new_given.append(call)

    def on_current(self, call: Callable[[], Picture | None]) -> None:
        """Ask this for the page's picture, when that is to be added."""
        self._current.append(call)

    def on_error(self, call: Callable[[ExplorerError], None]) -> None:
        """Call with what is wrong with a file."""
        self._error.append(call)

    def on_file(self, call: Callable[[bytes, str], None]) -> None:
        """Call with the content and the name of a file that is to be loaded."""
        self._file.append(call)

    def on_save(self, call: Callable[[], None]) -> None:
        """Call when what there is to save is wanted; :meth:`download` gives it."""
        self._saving.append(call)

    def download(self, content: bytes, name: str) -> None:
        """Hand the reader a file."""
        self.send({"kind": "file", "name": name}, buffers=[content])

    def use(self, classes: Sequence[PictureClass], new: Sequence[CardPicture] = ()) -> None:
        """Other classes in place of these."""
        self.classes = list(classes)
        self.new_pictures, self.answers, self.notes = list(new), [], []
        self.refresh()

    def refresh(self) -> None:
        """Tell the front end what there is."""
        notes = [*self.notes, *[[]] * len(self.classes)]
        with self.hold_sync():
            self.cards = [
                {"id": each.id, "name": each.name, "pictures": self._all_shown(each.pictures, said)}
                for each, said in zip(self.classes, notes, strict=False)
            ]
            self.new = self._all_shown(self.new_pictures, self.answers)

    def _all_shown(self, pictures: Sequence[CardPicture], notes: Sequence[str]) -> list[dict[str, str]]:
        padded = [*notes, *[""] * len(pictures)]
        return [
            {"id": picture.digest, "thumbnail": picture.thumbnail, "name": picture.name, "note": note}
            for picture, note in zip(pictures, padded, strict=False)
        ]

    # -- what the front end says -----------------------------------------------------------------------------------

    def _receive(self, _widget: Any, content: Any, buffers: Sequence[Any] | None) -> None:
        message: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        where: Any = message.get("class")
        match message.get("kind"):
            case "add-class" if len(self.classes) < MAX_CLASSES:
                self.classes.append(PictureClass(""))
                self._told(self.classes[-1].id)
            case "remove-class" if (known := self._class(where)) is not None:
                self.classes.remove(known)
                self._told(where)
            case "name" if (known := self._class(where)) is not None and isinstance(message.get("name"), str):
                known.name = clean_class_name(message["name"])
                self._told(where)
            case "remove" if (pictures := self._pictures(where)) is not None:
                # By what it is, not by its place: that may have changed since the user pressed.
                for given in [each for each in pictures if each.digest == message.get("picture")]:
                    pictures.remove(given)
                    self._told(where)
            case "current" if self._pictures(where) is not None:
                for call in self._current:
                    if (picture := call()) is not None:
                        self._add(where, CardPicture.of(picture))
            case "save" if self.can_save:
                for give in self._saving:
                    give()
            case "begin":
                self._begin(message, where)
            case "piece":
                self._take(message, list(buffers or []))
            case "cancel":
                if self._stop(message.get("upload")) and message.get("failed") is True:
                    self._report(ExplorerError("picture-upload-broken"))

    def _class(self, where: Any) -> PictureClass | None:
        """The class that a message means; None if there is none, or none any more."""
        return next((each for each in self.classes if is_count(where) and each.id == where), None)

    def _pictures(self, where: Any) -> list[CardPicture] | None:
        """The pictures of the group that a message means; None where none can be given."""
        if where == _NEW:
            return self.new_pictures if self.takes_new else None
        known = self._class(where)
        return None if known is None else known.pictures

    def _takes(self, where: Any) -> bool:
        return where == _FILE or self._pictures(where) is not None

    def _told(self, where: int) -> None:
        if where == _NEW:
            self.answers = []
        else:
            self.notes = []
        self.refresh()
        for call in self._new_given if where == _NEW else self._changed:
            call()

    def _add(self, where: int, picture: CardPicture) -> None:
        """Put a picture into a class; one that is there already is not taken twice."""
        pictures = self._pictures(where)
        if pictures is None or any(picture.digest == each.digest for each in pictures):
            return
        if len(pictures) >= MAX_PICTURES:
            self._report(ExplorerError("experiment-too-many-pictures", limit=MAX_PICTURES))
            return
        kept = itertools.chain(self.new_pictures, *(each.pictures for each in self.classes))
        if sum(each.nbytes for each in kept) + picture.nbytes > MAX_TOTAL:
            self._report(ExplorerError("experiment-pictures-too-large", limit=MAX_TOTAL >> 20))
            return
        pictures.append(picture)
        self._told(where)

    def _begin(self, message: Mapping[str, Any], where: Any) -> None:
        number, size, name = message.get("upload"), message.get("size"), message.get("name")
        if not is_count(number):
            return
        if not is_count(size) or not self._takes(where):
            # Its class may have been removed a moment ago. Unanswered, the front end would wait, and all files with it.
            self.send({"kind": "stop", "upload": number})
            return
        if self._upload is not None:
            self._stop(self._upload[0].number)
        if where == _FILE and size > _MAX_FILE:
            self.send({"kind": "stop", "upload": number})
            self._report(ExplorerError("head-unreadable", file=clean_name(name) if isinstance(name, str) else ""))
            return
        if size > MAX_BYTES:
            self.send({"kind": "stop", "upload": number})
            self._report(ExplorerError("picture-too-many-bytes", megabytes=-(-size // 1024**2), limit=MAX_BYTES >> 20))
            return
        self._upload = Upload(number, size, clean_name(name) if isinstance(name, str) else ""), where
        self.busy = True
        self._go_on()

    def _take(self, message: Mapping[str, Any], buffers: list[Any]) -> None:
        if self._upload is None or message.get("upload") != self._upload[0].number:
            if is_count(message.get("upload")):
                self.send({"kind": "stop", "upload": message["upload"]})
            return
        upload, where = self._upload
        if not self._takes(where):
            # Its class was removed while the file was on the way.
            self._stop(upload.number)
            return
        if not upload.take(message.get("offset"), buffers):
            self._stop(upload.number)
            self._report(ExplorerError("picture-upload-broken"))
            return
        self._go_on()

    def _go_on(self) -> None:
        if self._upload is None:
            return
        upload, where = self._upload
        if len(upload.data) < upload.size:
            self.send({"kind": "next", "upload": upload.number, "received": len(upload.data)})
            return
        self._stop(upload.number)
        if where == _FILE:
            for take in self._file:
                take(bytes(upload.data), upload.name)
            return
        file = bytes(upload.data)
        try:
            picture = open_picture(file, upload.name)
        except ExplorerError as error:
            self._report(error)
            return
        self._add(where, CardPicture.of(picture, file))

    def _stop(self, number: Any) -> bool:
        """Take no more of an upload; whether it was the one under way."""
        if self._upload is None or self._upload[0].number != number:
            return False
        self._upload = None
        self.busy = False
        self.send({"kind": "stop", "upload": number})
        return True

    def _report(self, error: ExplorerError) -> None:
        for call in self._error:
            call(error)
