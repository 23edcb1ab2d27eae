"""The state of a page as the query of a link, and back.

A link says which sample, model and sizes are shown, which layer, head and token are picked, the language, the
stage, the experiment and whether the guided tour is on; never an uploaded picture. What arrives in one may be a
stranger's: every value is checked against what this page itself offers, and nothing of it is repeated on the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlencode

from explorer.catalog import known_models
from explorer.resources import named_model
from explorer.samples import samples
from explorer.sizes import MIN_PATCH_SIZE
from explorer.texts import LANGUAGES

__all__ = ["PAGE_STAGES", "LinkValues", "link_query", "read_link"]

#: The stages that a link can lead to, in the page's order.
PAGE_STAGES = (
    "overview",
    "patches",
    "embedding",
    "position",
    "encoder",
    "attention",
    "classification",
    "experiments",
)

#: Words of a link that are no numbers.
_MEAN = "mean"
_NUMBER = re.compile(r"[0-9]{1,5}", re.ASCII)
_TOKEN = re.compile(r"(p|t)([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class LinkValues:
    """What a link asks for; None where it says nothing.

    Parameters
    ----------
    sample : str
        Name of a sample photo.
    model : str
        Name of a model of the page's list.
    patch_size, image_size : int
        In pixels.
    layer : int
        Counted from 0, unlike in the link.
    head : int
        Counted from 0; −1 for the mean over the heads.
    prefix : int
        Number of a prefix token (CLS is 0), where one is picked.
    patch : int
        Number of a patch of the photo, where one is picked.
    lang, stage, experiment : str
    tour : bool
        Whether the guided tour is on; False is never in a link.
    """

    sample: str | None = None
    model: str | None = None
    patch_size: int | None = None
    image_size: int | None = None
    layer: int | None = None
    head: int | None = None
    prefix: int | None = None
    patch: int | None = None
    lang: str | None = None
    stage: str | None = None
    experiment: str | None = None
    tour: bool | None = None

    def __bool__(self) -> bool:
        """Whether anything but the language is asked for."""
        return any(getattr(self, field.name) is not None for field in fields(self) if field.name != "lang")


def read_link(
    parameters: Mapping[str, str], experiments: tuple[str, ...] = ()
) -> tuple[LinkValues, tuple[str, ...], bool]:
    """Check what a page's address asks for.

    Parameters
    ----------
    parameters : mapping of str to str
        Query parameters; hostile until they were here.
    experiments : tuple of str
        Names of the experiments that the page has.

    Returns
    -------
    values : LinkValues
        What can be shown. Numbers are whole and not negative, but may be too large for the model: they are
        clamped where they are used.
    ignored : tuple of str
        Names of parameters of ours whose values are of no use.
    unknown : bool
        Whether there are parameters that are not ours.
    """
    readers: dict[str, Callable[[str], dict[str, str | int] | None]] = {
        "sample": _among("sample", tuple(entry.id for entry in samples())),
        "model": _among("model", tuple(model.name for model in known_models())),
        "patch-size": _number("patch_size", MIN_PATCH_SIZE),
        "image-size": _number("image_size", 1),
        "layer": _number("layer", 1, 1),
        "head": lambda value: {"head": -1} if value == _MEAN else _number("head", 1, 1)(value),
        "token": _token,
        "lang": _among("lang", tuple(LANGUAGES)),
        "stage": _among("stage", PAGE_STAGES),
        "experiment": _among("experiment", experiments),
        "tour": lambda value: {"tour": True} if value == "1" else None,
    }
    found: dict[str, str | int] = {}
    ignored = []
    for name, read in readers.items():
        if name not in parameters:
            continue
        values = read(parameters[name])
        if values is None:
            ignored.append(name)
        else:
            found |= values
    return LinkValues(**found), tuple(ignored), not parameters.keys() <= readers.keys()  # type: ignore[arg-type]


def link_query(values: LinkValues) -> str:
    """The query of a link (without its question mark) that asks for some values; the inverse of :func:`read_link`.

    Parameters
    ----------
    values : LinkValues
    """
    token = None
    if values.prefix is not None:
        token = f"t{values.prefix}"
    elif values.patch is not None:
        token = f"p{values.patch}"
    head = None if values.head is None else _MEAN if values.head < 0 else values.head + 1
    pairs = {
        "sample": values.sample,
        "model": None if values.model is None else named_model(values.model),
        "patch-size": values.patch_size,
        "image-size": values.image_size,
        "layer": None if values.layer is None else values.layer + 1,
        "head": head,
        "token": token,
        "lang": values.lang,
        "stage": values.stage,
        "experiment": values.experiment,
        "tour": 1 if values.tour else None,
    }
    return urlencode({name: value for name, value in pairs.items() if value is not None})


def _among(field: str, allowed: tuple[str, ...]) -> Callable[[str], dict[str, str | int] | None]:
    return lambda value: {field: value} if value in allowed else None


def _number(field: str, least: int, first: int = 0) -> Callable[[str], dict[str, str | int] | None]:
    def read(value: str) -> dict[str, str | int] | None:
        if not _NUMBER.fullmatch(value) or int(value) < least:
            return None
        return {field: int(value) - first}

    return read


def _token(value: str) -> dict[str, str | int] | None:
    found = _TOKEN.fullmatch(value)
    return None if found is None else {"patch" if found[1] == "p" else "prefix": int(found[2])}
