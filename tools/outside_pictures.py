"""Fetch photos that show none of the bundled model's classes, to measure how well it notices that.

``python tools/outside_pictures.py FOLDER`` downloads Debian's package ``gcompris-qt-data`` (44 MB; photos for
children's games, by many authors under free licences) with ``apt-get`` and takes the photos that
``outside_pictures.tsv`` names: ``FOLDER/outside`` shows none of the 100 classes, ``FOLDER/known`` a few of them, from
the same source. They were picked by eye; what one could argue about (a kitten, a cow, a lake) was left out. The photos
are only measured with and are no part of the project.
"""

from __future__ import annotations

import csv
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "gcompris-qt-data"
LIST = Path(__file__).with_suffix(".tsv")


def main(target: Path) -> None:
    with LIST.open(encoding="utf-8", newline="") as stream:
        wanted = list(csv.DictReader(stream, delimiter="\t"))
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        # Not as root's helper user, who may not write here.
        subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", PACKAGE], cwd=work, check=True)
        (archive,) = work.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(archive), str(work / "tree")], check=True)
        bundles = {path.stem: path for path in (work / "tree").rglob("*.rcc")}
        for activity in sorted({row["activity"] for row in wanted}):
            content = dict(read_bundle(bundles[activity].read_bytes()))
            for row in wanted:
                if row["activity"] != activity:
                    continue
                (data,) = [data for path, data in content.items() if path.endswith(f"/{activity}/{row['path']}")]
                file = target / row["set"] / f"{activity}-{row['path'].removeprefix('resource/').replace('/', '-')}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
    for part in ("outside", "known"):
        print(f"{part}: {len(list((target / part).iterdir()))} photos")


def read_bundle(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Paths and contents of a Qt resource file; those that are stored compressed are left out."""
    magic, version, tree, contents, names = struct.unpack_from(">4sIIII", data)
    if magic != b"qres":
        raise ValueError("not a Qt resource file")
    size = 22 if version >= 2 else 14

    def walk(index: int, path: str) -> Iterator[tuple[str, bytes]]:
        name, flags = struct.unpack_from(">IH", data, tree + index * size)
        if index:
            (length,) = struct.unpack_from(">H", data, names + name)
            path += "/" + data[names + name + 6 : names + name + 6 + 2 * length].decode("utf-16-be")
        if flags & 2:
            count, first = struct.unpack_from(">II", data, tree + index * size + 6)
            for child in range(first, first + count):
                yield from walk(child, path)
        elif not flags & 5:
            (offset,) = struct.unpack_from(">I", data, tree + index * size + 10)
            (length,) = struct.unpack_from(">I", data, contents + offset)
            yield path, data[contents + offset + 4 : contents + offset + 4 + length]

    return walk(0, "")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
