"""How long the bundled model takes to load, ours beside timm's own way."""

from __future__ import annotations

import statistics
import subprocess
import sys

from explorer.resources import assets_path

__all__ = ["loading"]

#: Seconds that timm takes to be imported beside torch, and then the bundled model to be there, ours or timm's own way.
LOADING = """
import sys, time
import torch
from explorer.torch_compat import import_timm
began = time.perf_counter()
timm = import_timm()
imported = time.perf_counter()
if sys.argv[1] == "page":
    import explorer
    explorer.load_model("bundled")
else:
    timm.create_model("local-dir:" + sys.argv[2], pretrained=True).eval()
print(imported - began, time.perf_counter() - imported)
"""


def loading(rounds: int = 5) -> dict[str, list[float]]:
    """Medians for both, each in processes of its own, by turns: seconds to import timm, and to load after it."""
    times: dict[str, list[list[float]]] = {"page": [], "plain": []}
    for _ in range(rounds):
        for home, taken in times.items():
            command = [sys.executable, "-c", LOADING, home, str(assets_path("models", "flexi").resolve())]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            taken.append([float(part) for part in done.stdout.split()])
    return {home: [statistics.median(column) for column in zip(*taken, strict=True)] for home, taken in times.items()}
