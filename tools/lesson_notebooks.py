"""Make the notebooks of ``notebooks/lessons`` from their texts, or the texts from the notebooks.

    python tools/lesson_notebooks.py            # texts (.py, percent format) to notebooks (.ipynb)
    python tools/lesson_notebooks.py --back     # notebooks that were edited in JupyterLab to texts

Both ways outputs, execution counts and whatever JupyterLab notes in a notebook are left behind, so that a text and its
notebook say the same, byte for byte, however often this is run.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import jupytext
from nbformat import NotebookNode

LESSONS = Path(__file__).resolve().parents[1] / "notebooks" / "lessons"
PERCENT = {"extension": ".py", "format_name": "percent"}
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def texts() -> list[Path]:
    """The text of every lesson, in every language."""
    return sorted(LESSONS.glob("*/*.py"))


def to_notebook(text: str) -> str:
    """A lesson's text as a notebook, without outputs."""
    cells = []
    for number, cell in enumerate(jupytext.reads(text, PERCENT).cells):
        tags = cell.metadata.get("tags")
        written: dict[str, Any] = {
            "cell_type": cell.cell_type,
            "id": f"cell-{number:02}",
            "metadata": {"tags": list(tags)} if tags else {},
            "source": cell.source.splitlines(keepends=True),
        }
        if cell.cell_type == "code":
            written |= {"execution_count": None, "outputs": []}
        cells.append(written)
    notebook = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def to_text(notebook: str) -> str:
    """A notebook's cells as text in percent format, without a header."""
    read: NotebookNode = jupytext.reads(notebook, "ipynb")
    read.metadata = NotebookNode(
        {"jupytext": {"notebook_metadata_filter": "-all", "cell_metadata_filter": "tags,-all"}}
    )
    return str(jupytext.writes(read, PERCENT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--back", action="store_true", help="from notebooks to texts")
    back = parser.parse_args().back
    sources = sorted(LESSONS.glob("*/*.ipynb")) if back else texts()
    for source in sources:
        target = source.with_suffix(".py" if back else ".ipynb")
        made = (to_text if back else to_notebook)(source.read_text("utf-8"))
        if not target.exists() or target.read_text("utf-8") != made:
            target.write_text(made, "utf-8")
            print(target.relative_to(LESSONS))


if __name__ == "__main__":
    main()
