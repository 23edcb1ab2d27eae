"""What is said about the package in several places is the same everywhere, and true of the code."""

from __future__ import annotations

import ast
import doctest
import json
import re
import shutil
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import explorer

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

#: conda-forge's names where they differ.
CONDA_NAMES = {"pytorch": "torch"}


def requirements(*extras: str) -> dict[str, Requirement]:
    listed = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    return {canonicalize_name(found.name): found for found in map(Requirement, listed)}


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def test_conda_environment_has_the_names_and_bounds_of_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    listed = [line for line in environment["dependencies"] if isinstance(line, str)]
    by_pip = next(line["pip"] for line in environment["dependencies"] if isinstance(line, dict))
    found: dict[str, str] = {}
    for line in [*listed, *(line for line in by_pip if not line.startswith("-e"))]:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        found[CONDA_NAMES.get(name, name)] = str(requirement.specifier)
    assert found.pop("python") == PROJECT["requires-python"]
    assert found.pop("pip") == ""
    assert found == {name: str(requirement.specifier) for name, requirement in requirements("lab", "export").items()}
    assert "-e ." in by_pip


def test_no_dependency_is_named_twice() -> None:
    for listed in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        names = [canonicalize_name(Requirement(line).name) for line in listed]
        assert len(names) == len(set(names)), sorted(names)


@pytest.mark.parametrize("extra", ["export", "lab", "test", "dev"])
def test_tested_versions_lie_within_the_bounds(extra: str) -> None:
    versions = pinned()
    for name, requirement in requirements(extra).items():
        assert name in versions, f"{name} has no tested version in constraints.txt"
        assert requirement.specifier.contains(versions[name]), f"{name} {versions[name]} is outside {requirement}"


def test_torch_is_pinned_to_versions_that_fit_each_other() -> None:
    # Without a build's name behind them (+cpu), so that the same file serves machines with other builds.
    assert {name: pinned()[name] for name in ("torch", "torchvision")} == {"torch": "2.13.0", "torchvision": "0.28.0"}


def test_bounds_are_closed_above() -> None:
    open_ended = [
        name
        for name, requirement in requirements("lab", "export").items()
        if not any(part.operator == "<" for part in requirement.specifier)
    ]
    assert not open_ended


def test_every_import_is_a_declared_dependency() -> None:
    distributions = packages_distributions()
    declared = set(requirements("lab", "export"))
    imported: dict[str, Path] = {}
    for path in sorted((ROOT / "explorer").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            imported.update({name.partition(".")[0]: path for name in names})
    for name, path in imported.items():
        if name in sys.stdlib_module_names or name == "explorer":
            continue
        owners = {canonicalize_name(owner) for owner in distributions.get(name, [])}
        assert owners & declared, f"{path.relative_to(ROOT)} imports {name}, which pyproject.toml does not name"


def test_the_notebook_is_one_import_and_one_call() -> None:
    notebook = json.loads((ROOT / "notebooks" / "explorer.ipynb").read_text("utf-8"))
    (cell,) = notebook["cells"]
    assert "".join(cell["source"]) == "from explorer import Dashboard\n\nDashboard()"
    assert cell["outputs"] == []
    assert cell["execution_count"] is None


def test_the_licence_is_the_one_that_is_named() -> None:
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")


def test_make_has_the_commands_that_the_readme_names() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"`?\bmake (\w+)", (ROOT / "README.md").read_text("utf-8")))
    assert {"run", "test"} <= named
    assert named <= targets


def test_nothing_names_a_package_host_or_this_machine() -> None:
    forbidden = re.compile(r"pypi\.org|pythonhosted|deb\.debian\.org|registry\.npmjs|" + re.escape(str(ROOT)))
    for name in ("Makefile", "constraints.txt", "environment.yml", "pyproject.toml", ".ci/run", "README.md"):
        assert not forbidden.search((ROOT / name).read_text("utf-8")), name


def test_the_first_lines_that_one_reads_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of ``import explorer``, run as it stands."""
    shutil.copy(ROOT / "assets" / "samples" / "chelsea.jpg", tmp_path / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(explorer)
    assert result.attempted >= 4
    assert result.failed == 0
