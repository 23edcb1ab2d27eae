"""Names of the classes: a model's own, else ImageNet's as timm carries them; Japanese where we have them.

Neither torch nor timm is imported: timm's lists of WordNet synsets and their words are read as the text files that
they are.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.texts import text
from explorer.weights import CONFIG_NAME, read_config

__all__ = ["LABELS_NAME", "Labels", "imagenet_labels", "japanese_names", "labels_for", "read_label_table"]

#: File beside the weights with ``wordnet_id``, ``name_en`` and ``name_ja``, one class a row.
LABELS_NAME = "labels.tsv"

#: timm's lists of ImageNet's subsets, by the number of classes; nothing else tells them apart.
_SUBSETS: Mapping[int, str] = {
    1000: "imagenet_synsets.txt",
    11221: "imagenet21k_miil_synsets.txt",
    11821: "imagenet12k_synsets.txt",
    21841: "imagenet22k_synsets.txt",
    21842: "imagenet22k_ms_synsets.txt",
    21843: "imagenet21k_goog_synsets.txt",
}

#: What of ``config.json`` names classes; timm takes the names out of the table that it hands on.
_CONFIG_KEYS = ("label_names", "label_descriptions")

#: What is no writing: control characters, and halves of characters (JSON can hold them, UTF-8 and so the page cannot).
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Labels:
    """Names of a model's classes.

    Attributes
    ----------
    ids : tuple of str
        What identifies each class: its WordNet synset (``n02123045``), or the name in the model's configuration.
    en, ja : tuple of str
        Names, as long as ``ids``; ``""`` where there is none.

    Notes
    -----
    Empty where a model has no class head, or one of which nothing is known.
    """

    ids: tuple[str, ...] = ()
    en: tuple[str, ...] = ()
    ja: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.en) == len(self.ja):
            raise ValueError("every class needs an id, an English and a Japanese name")

    def __len__(self) -> int:
        return len(self.ids)

    def name(self, index: int, language: str = "en") -> str:
        """A class's name in one language, else in English, else its number in words."""
        if not 0 <= index < len(self.ids):
            return text("models.class-unnamed", language, index=index)
        own = self.ja[index] if language == "ja" else ""
        return own or self.en[index] or text("models.class-unnamed", language, index=index)

    def names(self, language: str = "en") -> tuple[str, ...]:
        """All names, in the order of the logits."""
        return tuple(self.name(index, language) for index in range(len(self.ids)))


def labels_for(pretrained_cfg: Mapping[str, object], folder: Path | None = None) -> Labels:
    """The names of a model's classes.

    Looked for in this order: ``labels.tsv`` in the folder; ``label_names`` in its ``config.json`` or in the
    configuration; ImageNet's, where the number of classes is that of one of its subsets.

    Parameters
    ----------
    pretrained_cfg : mapping
        timm's configuration of the weights: ``num_classes``, ``label_names``, ``label_descriptions``. The number of
        classes counts, where it is said, and not the one in the folder.
    folder : pathlib.Path, optional
        Where the model was loaded from.

    Returns
    -------
    Labels
        Empty if nothing is known.

    Raises
    ------
    ExplorerError
        ``labels-broken``, if ``labels.tsv`` is there but cannot be read, or has not one row for each class.
    """
    config = dict(pretrained_cfg)
    if folder is not None and (folder / CONFIG_NAME).is_file():
        told = read_config(folder)
        config |= {key: told[key] for key in _CONFIG_KEYS if key in told}
        # Of a model that is loaded it is the head's own number, which no file can make larger.
        config.setdefault("num_classes", told.get("num_classes"))
    count = config.get("num_classes")
    classes = count if isinstance(count, int) else 0
    if folder is not None and (folder / LABELS_NAME).is_file():
        labels = read_label_table(folder / LABELS_NAME)
        if classes and len(labels) != classes:
            raise ExplorerError("labels-broken", file=LABELS_NAME)
        return labels
    named = _configured(config, classes)
    if named is not None:
        return named
    return imagenet_labels(classes)


def read_label_table(path: Path) -> Labels:
    """Read a ``labels.tsv``.

    Raises
    ------
    ExplorerError
        ``labels-broken``.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        ids, en, ja = (
            tuple(_written(row[column].strip()) for row in rows) for column in ("wordnet_id", "name_en", "name_ja")
        )
    except (OSError, KeyError, AttributeError, UnicodeDecodeError, csv.Error) as error:
        raise ExplorerError("labels-broken", file=path.name) from error
    return Labels(ids, en, ja)


@cache
def imagenet_labels(num_classes: int) -> Labels:
    """Names of an ImageNet subset, known by its number of classes.

    Parameters
    ----------
    num_classes : int
        1,000 for ImageNet-1k, 21,843 for the whole of it as Google's models were trained on, and four others.

    Returns
    -------
    Labels
        Empty if no subset has so many.
    """
    list_name = _SUBSETS.get(num_classes)
    listing = _timm_text(list_name) if list_name else ""
    ids = tuple(listing.split())
    if len(ids) != num_classes:
        return Labels()
    return _synset_labels(ids)


@cache
def japanese_names() -> Mapping[str, str]:
    """Our own Japanese names of synsets: all of ImageNet-1k."""
    source = (files("explorer") / "labels_ja.tsv").read_text("utf-8")
    rows = csv.DictReader(io.StringIO(source), delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row["wordnet_id"]: row["name_ja"] for row in rows}


def _configured(config: Mapping[str, object], classes: int) -> Labels | None:
    """Names that the model's own configuration gives, as a list or as a table from index to name."""
    given = config.get("label_names")
    described = config.get("label_descriptions")
    descriptions = described if isinstance(described, dict) else {}
    if isinstance(given, dict):
        # Each class is looked for by its number (in JSON a string): other keys, however large, do not matter.
        ids = [str(given.get(index, given.get(str(index), ""))) for index in range(classes)]
    elif isinstance(given, list | tuple):
        ids = [str(name) for name in given]
    else:
        return None
    if not ids or len(ids) != classes:
        return None
    synsets = _synset_labels(ids) if all(_is_synset(name) for name in ids) else None
    if synsets is not None and all(synsets.en) and not descriptions:
        return synsets
    ours = japanese_names()
    en = tuple(_written(str(descriptions.get(name, name))) for name in ids)
    return Labels(tuple(map(_written, ids)), en, tuple(ours.get(name, "") for name in ids))


def _written(name: str) -> str:
    return _UNWRITABLE.sub("\ufffd", name)


def _is_synset(name: str) -> bool:
    return len(name) == 9 and name[0] == "n" and name[1:].isdecimal()


def _synset_labels(ids: Sequence[str]) -> Labels:
    words = _words()
    ours = japanese_names()
    return Labels(tuple(ids), _distinct_names(ids, words), tuple(ours.get(name, "") for name in ids))


def _distinct_names(ids: Sequence[str], words: Mapping[str, str]) -> tuple[str, ...]:
    """The first word of each synset; where two share it (both cranes), more is said, until they differ."""
    names = [words.get(key, "") for key in ids]
    meanings = _meanings()
    longer: tuple[Callable[[str, str], str], ...] = (
        lambda _key, name: name.split(", ")[0],
        lambda _key, name: name,
        lambda key, name: f"{name} ({meanings.get(key, key)})",
        lambda key, name: f"{name} ({key})",
    )
    result = [""] * len(ids)
    open_indices = [index for index, name in enumerate(names) if name]
    for say in longer:
        for index in open_indices:
            result[index] = say(ids[index], names[index])
        counts = Counter(result)
        open_indices = [index for index in open_indices if counts[result[index]] > 1]
    return tuple(result)


@cache
def _words() -> Mapping[str, str]:
    return dict(_pairs(_timm_text("imagenet_synset_to_lemma.txt")))


@cache
def _meanings() -> Mapping[str, str]:
    """A synset's definition, up to its first pause."""
    definitions = _pairs(_timm_text("imagenet_synset_to_definition.txt"))
    return {name: meaning.split(";")[0].split(",")[0].strip() for name, meaning in definitions}


def _pairs(source: str) -> Iterator[tuple[str, str]]:
    for line in source.splitlines():
        key, tab, value = line.partition("\t")
        if tab:
            yield key, value.strip().strip('"')


def _timm_text(name: str) -> str:
    """One of timm's data files, found without importing timm; empty if it is not there."""
    spec = find_spec("timm")
    for root in (spec.submodule_search_locations or []) if spec else []:
        path = Path(root, "data", "_info", name)
        if path.is_file():
            return path.read_text("utf-8")
    return ""
