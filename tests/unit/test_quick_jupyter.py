"""Jupyter's servers start without the parser of internationalised addresses, and lose nothing by it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

PARSER = "rfc3987_syntax"


def python(code: str) -> Any:
    """What code prints, as JSON, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "code",
    [
        "from explorer.serving import serve_page; import jupyter_events",
        "from explorer.quick_jupyter import import_jsonschema; import_jsonschema(); import jupyterlab.labapp",
    ],
)
def test_no_server_imports_the_parser(code: str) -> None:
    assert python(f"{code}\nprint(json.dumps([name in sys.modules for name in ('jsonschema', '{PARSER}')]))") == [
        True,
        False,
    ]


def test_it_can_be_imported_afterwards() -> None:
    code = f"""
from importlib.util import find_spec
from explorer.quick_jupyter import import_jsonschema
import_jsonschema()
print(json.dumps(find_spec("{PARSER}") is not None))
"""
    assert python(code) is True


def test_nothing_is_lost_that_schemas_of_jupyter_ask_for() -> None:
    code = """
from explorer.quick_jupyter import import_jsonschema
import_jsonschema()
from jsonschema import FormatChecker
print(json.dumps(sorted(FormatChecker.checkers)))
"""
    asked = {found for package in ("jupyter_server", "jupyter_events") for found in formats(package)}
    assert "uri" in asked
    assert "uri" in python(code)
    assert not asked & {"iri", "iri-reference"}


def formats(package: str) -> set[str]:
    """Formats that a package's schemas name."""

    def within(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["format"]} if isinstance(value.get("format"), str) else set()
            return own.union(*map(within, value.values()))
        return set().union(*map(within, value)) if isinstance(value, list) else set()

    root = Path(str(files(package)))
    return set().union(*(within(yaml.safe_load(path.read_text("utf-8"))) for path in root.rglob("*.y*ml")))


def test_lab_imports_no_server_of_the_page() -> None:
    code = "from explorer.serving import open_lab\nprint(json.dumps('voila' in sys.modules))"
    assert python(code) is False
