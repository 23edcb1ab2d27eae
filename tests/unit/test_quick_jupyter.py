"""Jupyter's servers start without the parser of internationalised addresses, and lose nothing by it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fresh_python import run_fresh

PARSER = "rfc3987_syntax"


@pytest.mark.parametrize(
    "code",
    [
        "from explorer.serving import serve_page; import jupyter_events",
        "from explorer.quick_jupyter import import_jsonschema; import_jsonschema(); import jupyterlab.labapp",
    ],
)
def test_no_server_imports_the_parser(code: str) -> None:
    assert run_fresh(f"{code}\nprint(json.dumps([name in sys.modules for name in ('jsonschema', '{PARSER}')]))") == [
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
    assert run_fresh(code) is True


def test_nothing_is_lost_that_schemas_of_jupyter_ask_for() -> None:
    code = """
from explorer.quick_jupyter import import_jsonschema
import_jsonschema()
from jsonschema import FormatChecker
print(json.dumps(sorted(FormatChecker.checkers)))
"""
    asked = {found for package in ("jupyter_server", "jupyter_events") for found in formats(package)}
    assert "uri" in asked
    assert "uri" in run_fresh(code)
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
    assert run_fresh(code) is False
