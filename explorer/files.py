"""Files that a reader asked for: their names, and how they are written."""

from __future__ import annotations

import os
from pathlib import Path

from explorer.errors import ExplorerError

__all__ = ["named_file", "write_file"]


def named_file(path: str | os.PathLike[str], ending: str) -> Path:
    """The file that is meant by a path, whether or not its ending was given.

    Parameters
    ----------
    path : path
    ending : str
        With its point, in small letters.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ExplorerError
        ``file-not-writable``, where the path names nothing but a folder: ``.``, ``..``, ``/`` or an empty one.
    """
    file = Path(path)
    if file.name in ("", ".."):
        raise ExplorerError("file-not-writable", file=str(file))
    return file if file.suffix.lower() == ending else file.with_name(f"{file.name}{ending}")


def write_file(file: Path, data: bytes) -> Path:
    """Write a file, and give it back.

    Parameters
    ----------
    file : pathlib.Path
    data : bytes

    Raises
    ------
    ExplorerError
        ``file-not-writable``.
    """
    try:
        file.write_bytes(data)
    except OSError as error:
        raise ExplorerError("file-not-writable", file=str(file)) from error
    return file
