"""Torch's compiler is not imported before it is needed, and then it is there as ever."""

from __future__ import annotations

from tests.fresh_python import run_fresh

COMPILER = "torch._dynamo"


def test_a_picture_is_classified_without_it() -> None:
    code = f"""
import explorer
from explorer.samples import open_sample
trace = explorer.trace_image(explorer.load_model(), open_sample("coffee"))
explorer.load_model("deit_tiny_distilled_patch16_224", pretrained=False)
print(json.dumps(["{COMPILER}" in sys.modules, "{COMPILER}.utils" in sys.modules, int(trace.probs.argmax()) >= 0]))
"""
    assert run_fresh(code) == [False, False, True]


def test_what_timm_and_torchvision_want_of_it_waits_until_it_is_asked_for() -> None:
    code = f"""
from explorer.torch_compat import import_timm
import torch
mark = torch.compiler.disable
import_timm()
import importlib
asked = importlib.import_module("torchvision.ops.roi_align").is_compile_supported
before = "{COMPILER}" in sys.modules
answer = asked("cpu")
import torch._dynamo.utils
print(json.dumps([before, answer is torch._dynamo.utils.is_compile_supported("cpu"), torch.compiler.disable is mark]))
"""
    assert run_fresh(code) == [False, True, True]


def test_it_can_be_imported_meanwhile_and_is_left_alone_where_it_is_there() -> None:
    code = f"""
from explorer.torch_compiler import compiler_when_needed
with compiler_when_needed():
    import torch._dynamo.utils
    from torch._dynamo.utils import counters
import torch
whole, mark = sys.modules["{COMPILER}.utils"], torch.compiler.disable
layer = torch.nn.Linear(3, 2)
compiled = torch.compile(layer, backend="eager")
same = torch.equal(compiled(torch.ones(1, 3)), layer(torch.ones(1, 3)))
with compiler_when_needed():
    alone = sys.modules["{COMPILER}.utils"] is whole and torch.compiler.disable is mark
print(json.dumps([whole.counters is counters, whole.is_compile_supported("cpu"), same, alone]))
"""
    assert run_fresh(code) == [True, True, True, True]
