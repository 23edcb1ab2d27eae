"""Code in a Python of its own: for what a process imports, and when."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

__all__ = ["run_fresh"]


def run_fresh(code: str) -> Any:
    """What code prints last, as JSON; ``json`` and ``sys`` are there for it."""
    command = [sys.executable, "-c", f"import json, sys\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=150)
    return json.loads(done.stdout.splitlines()[-1])
