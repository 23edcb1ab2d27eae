"""The way around a torchvision whose operators do not fit torch: taken where it is needed, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: A torchvision that does on import what the real one does: it registers its operators' shapes.
PACKAGE = {
    "torchvision/__init__.py": "from torchvision import early, _meta_registrations, late\n",
    "torchvision/early.py": "imported = True\n",
    "torchvision/late.py": "imported = True\n",
    "timm/__init__.py": "import torchvision\nassert torchvision.late.imported\n",
}
REPORT = (
    "import sys\n"
    "from explorer.torch_compat import import_timm\n"
    "assert import_timm() is sys.modules['timm']\n"
    "assert import_timm() is sys.modules['timm']\n"
    "import torchvision\n"
    "print(hasattr(torchvision._meta_registrations, 'registered'), torchvision.early.imported)\n"
)


def run(folder: Path, registrations: str) -> subprocess.CompletedProcess[str]:
    for name, content in {**PACKAGE, "torchvision/_meta_registrations.py": registrations}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(root)])}
    command = [sys.executable, "-c", REPORT]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_operators_that_can_be_loaded_are_left_alone(tmp_path: Path) -> None:
    answer = run(tmp_path, "registered = True\n")
    assert answer.stdout.split() == ["True", "True"], answer.stderr


def test_operators_that_cannot_be_loaded_are_gone_around(tmp_path: Path) -> None:
    answer = run(tmp_path, "raise RuntimeError('operator torchvision::nms does not exist')\n")
    assert answer.stdout.split() == ["False", "True"], answer.stderr


@pytest.mark.parametrize(
    "failure", ["RuntimeError('out of luck')", "ImportError('libjpeg.so: cannot open'),", "OSError('no such disk')"]
)
def test_any_other_failure_is_not_hidden(tmp_path: Path, failure: str) -> None:
    answer = run(tmp_path, f"raise {failure.rstrip(',')}\n")
    assert answer.returncode != 0
    assert failure.split("'")[1] in answer.stderr


def test_timm_works_with_what_is_installed_here() -> None:
    code = (
        "from explorer.torch_compat import import_timm\n"
        "import torch\n"
        "timm = import_timm()\n"
        "model = timm.create_model('vit_tiny_patch16_224', depth=1).eval()\n"
        "print(tuple(model(torch.zeros(1, 3, 224, 224)).shape))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=150)
    assert answer.stdout.strip() == "(1, 1000)", answer.stderr
