"""Where the files lie that come with the program but are no Python: assets and notebooks.

In a checkout they lie beside the package (``assets/``, ``notebooks/``), in an installed wheel inside it
(``explorer/_assets``, ``explorer/_notebooks``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

__all__ = ["BUNDLED_NAME", "assets_path", "named_model", "notebooks_path", "page_style"]

#: The bundled model that the page opens with; ``bundled`` is its other name.
BUNDLED_NAME = "flexi"

_PACKAGE = Path(__file__).resolve().parent


def assets_path(*parts: str) -> Path:
    """Path of a file or folder among the assets.

    Parameters
    ----------
    *parts : str
        Path below ``assets``: ``assets_path("models", "flexi")``. It need not exist.

    Returns
    -------
    pathlib.Path
    """
    return _folder("assets").joinpath(*parts)


def named_model(name: str) -> str:
    """A model's own name: of the two that the bundled model has, the one of its folder and of the page's list.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    return BUNDLED_NAME if name == "bundled" else name


def notebooks_path(*parts: str) -> Path:
    """Path of a file or folder among the notebooks.

    Parameters
    ----------
    *parts : str
        Path below ``notebooks``: ``notebooks_path("explorer.ipynb")``. It need not exist.

    Returns
    -------
    pathlib.Path
    """
    return _folder("notebooks").joinpath(*parts)


@cache
def page_style(*, stages: bool = True) -> str:
    """The page's style sheets in the order in which they apply: colours and letters, the page's parts, the stages.

    Parameters
    ----------
    stages : bool
        With those of the single stages.

    Returns
    -------
    str
    """
    folder = _PACKAGE / "widgets"
    patterns = ["explorer.css", "page_*.css", *(["stage_*.css"] if stages else [])]
    return "\n".join(path.read_text("utf-8") for pattern in patterns for path in sorted(folder.glob(pattern)))


def _folder(name: str) -> Path:
    installed = _PACKAGE / f"_{name}"
    return installed if installed.is_dir() else _PACKAGE.parent / name
