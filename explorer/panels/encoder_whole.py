"""A whole layer of stage 4 at a glance, for slides: what the picked token is before and after each half of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explorer.figures.encoder import STEPS, step_parts, strip_scales
from explorer.figures.encoder_parts import Strip
from explorer.figures.matrix import Scale
from explorer.panels.encoder_words import array_symbol
from explorer.trace import BlockTrace
from explorer.widgets.encoder_flow import FlowArrow, FlowStrip, FlowView

if TYPE_CHECKING:
    from explorer.panels.encoder import EncoderPanel

__all__ = ["layer_flows"]

#: What stands between two strips: the steps, as stage 4 names them, that lead from one to the other.
_MSA = ("qkv", "scores", "softmax", "weighted", "concat", "project")


def layer_flows(panel: EncoderPanel, row: BlockTrace, head: int) -> tuple[FlowView, FlowView]:
    """The two halves of a layer: 𝒛ₗ₋₁ to 𝒛′ₗ, and 𝒛′ₗ to 𝒛ₗ.

    Parameters
    ----------
    panel : EncoderPanel
        Whose words are used.
    row : BlockTrace
        Of one token; see :func:`explorer.figures.encoder.open_layer`.
    head : int

    Returns
    -------
    tuple of FlowView
    """
    steps = {step: step_parts(step, row, head) for step in STEPS}
    found = {part.array: part for parts in steps.values() for part in parts if isinstance(part, Strip)}

    def added(branch: str) -> str:
        return f"{branch}-scaled" if f"{branch}-scaled" in found else branch

    scales: dict[Any, Scale] = {name: strip_scales((found[name],))[name] for name in ("norm1", "norm2", "mlp_hidden")}
    # What is added shares a scale, measured on what is shown: before LayerScale it may be a thousand times as large.
    for names in (("z_in", added("msa"), "z_mid"), ("z_mid", added("mlp"), "z_out")):
        shown = strip_scales(tuple(replace(found[name], share="residual") for name in names))
        scales |= {(name, names[-1]): shown[name] for name in names}

    def strip(array: str, total: str = "") -> FlowStrip:
        part, scale = found[array], scales[(array, total) if total else array]
        return FlowStrip(
            symbol=array_symbol(array, row, head),
            title=panel.say(f"array.{array}"),
            shape=f"1 × {len(part.values)}",
            values=part.values,
            scale=scale,
        )

    def arrow(*names: str) -> FlowArrow:
        return FlowArrow(text=" → ".join(panel.say(f"{name}.name") for name in names).replace("U_msa", "Uₘₛₐ"))

    first = (strip("z_in", "z_mid"), arrow("norm1"), strip("norm1"), arrow(*_MSA), strip(added("msa"), "z_mid"))
    second = (strip("z_mid", "z_out"), arrow("norm2"), strip("norm2"), arrow("mlp"), strip("mlp_hidden"))
    halves = (
        (*first, arrow("residual1"), strip("z_mid", "z_mid")),
        (*second, strip(added("mlp"), "z_out"), arrow("residual2"), strip("z_out", "z_out")),
    )
    flows = (FlowView(language=panel.state.language), FlowView(language=panel.state.language))
    for flow, items, name in zip(flows, halves, ("msa", "mlp"), strict=True):
        flow.show(items, alt="", stem=panel.stem(name, layer=row.layer))
    return flows
