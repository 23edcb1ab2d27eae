"""The table of models that were trained alike but for 𝑬_pos, in each one's card.

``python -m explorer.training.siblings assets/models/pos-*`` writes it anew into the cards, after an export.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.training.export import course_of
from explorer.training.settings import TrainSettings, read_settings

__all__ = ["sibling_table", "write_sibling_tables"]

_TITLE = "## Beside its siblings"
#: The section of a card that it goes before.
_NEXT = "## Where it fails"

_WORDS = {
    "learned": "learned",
    "sin1d": "1-D sinusoidal (slide 14), frozen",
    "sin2d": "2-D sinusoidal (slide 16), frozen",
    "none": "none",
}

_ROW = re.compile(r"^\| (?P<patch>\d+) × \d+ \| (?P<cells>.+) \|$", re.MULTILINE)


def sibling_table(folders: Sequence[Path]) -> str:
    """What differs between models that were trained alike, and what came of it, in Markdown.

    Parameters
    ----------
    folders : sequence of Path
        Exported models, cards included: the accuracies are the cards', which ``vit-explorer evaluate`` counted.

    Raises
    ------
    ExplorerError
        ``training-siblings``, if they differ in more than name and 𝑬_pos; ``training-card``, if a card has no
        accuracy.
    """
    recipes = [read_settings(folder / "settings.json") for folder in folders]
    for folder, recipe in zip(folders, recipes, strict=True):
        if (_alike(recipe), _seen(folder)) != (_alike(recipes[0]), _seen(folders[0])):
            raise ExplorerError("training-siblings", one=folders[0].name, other=folder.name)
    lines = ["| model | E_pos | top-1 | 95 % interval | top-5 |", "| --- | --- | ---: | --- | ---: |"]
    for folder, recipe in zip(folders, recipes, strict=True):
        top1, interval, top5 = _accuracy(folder, recipe.patch_size)
        lines.append(f"| `{recipe.name}` | {_WORDS[recipe.position]} | {top1} | {interval} | {top5} |")
    return "\n".join(lines)


def write_sibling_tables(folders: Sequence[Path]) -> None:
    """Put the table into each card, in place of an older one.

    Parameters
    ----------
    folders : sequence of Path
    """
    table = sibling_table(folders)
    recipe = read_settings(folders[0] / "settings.json")
    said = textwrap.fill(
        f"Trained alike, from the same seed ({recipe.seed}) and on the same {_seen(folders[0]):,} pictures, they "
        "differ in E_pos alone. One run each: another seed would move every number a little, and where intervals "
        f"overlap, nothing is decided. At patch {recipe.patch_size}, on the held-back pictures:",
        120,
        break_on_hyphens=False,
    )
    for folder in folders:
        card = folder / "README.md"
        text = re.sub(rf"^{_TITLE}\n.*?(?=^## )", "", card.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        card.write_text(text.replace(_NEXT, f"{_TITLE}\n\n{said}\n\n{table}\n\n{_NEXT}", 1), "utf-8")


def _alike(settings: TrainSettings) -> dict[str, object]:
    """All of a recipe but what siblings may differ in."""
    return {name: value for name, value in json.loads(settings.to_json()).items() if name not in ("name", "position")}


def _seen(folder: Path) -> int:
    """Pictures that a model was trained on, counted as often as it saw them."""
    course = course_of(folder)
    if course is None:
        raise ExplorerError("training-card", path=str(folder))
    return int(course["seen"])


def _accuracy(folder: Path, patch_size: int) -> tuple[str, str, str]:
    """Top-1, its interval and top-5, as the card has them."""
    for row in _ROW.finditer((folder / "README.md").read_text("utf-8")):
        if int(row["patch"]) == patch_size:
            top1, interval, top5, _ = row["cells"].split(" | ")
            return top1, interval, top5
    raise ExplorerError("training-card", path=str(folder))


def main() -> None:
    """Write the table of the folders that are named."""
    folders = [Path(name) for name in sys.argv[1:]]
    write_sibling_tables(folders)
    print(sibling_table(folders))


if __name__ == "__main__":
    main()
