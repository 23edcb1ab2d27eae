"""The open head and all heads of its layer as a picture, without a page."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from explorer.figures.attention_layers import AttentionLayers, LayerSummary, on_grid
from explorer.figures.colors import COLORMAPS
from explorer.numerics import Array

if TYPE_CHECKING:
    from explorer.widgets.attention_view import AttentionView

__all__ = ["draw"]

_MEAN, _ROLLOUT = -1, -2
#: How much of the colour covers the photo, as on the page.
_COVER = 0.64
_INK, _PAPER, _ACCENT = "#1b1f24", "#ffffff", "#c4006a"

Pixels = NDArray[np.uint8]


def draw(view: AttentionView, layers: AttentionLayers, width: int) -> bytes:
    """Draw what is open: the photo under the open head, its colour bar, and below it every head of the layer.

    Parameters
    ----------
    view : AttentionView
    layers : AttentionLayers
    width : int
        In pixels.

    Returns
    -------
    bytes
        A PNG. Numbers and names of tokens alone are written into it: Pillow's own font has no Japanese.
    """
    trace, summary = layers.trace, layers.summary(view.layer)
    margin = width // 40
    heads = [*range(len(trace.q[0])), _MEAN]
    gap = width // 160
    tile = (width - 2 * margin - gap * (len(heads) - 1)) // len(heads)
    tile = min(tile, width // 8)
    photo_side = int(width * 0.6)
    text = max(16, width // 60)
    font = ImageFont.load_default(text)
    top = margin + 2 * text
    paper = Image.new("RGB", (width, top + photo_side + margin + tile + 2 * text + margin), _PAPER)
    pen = ImageDraw.Draw(paper)
    rows = _rows(view, layers)
    photo = Image.open(BytesIO(view.image)).convert("L").convert("RGB")

    name = {_MEAN: "mean", _ROLLOUT: "rollout"}.get(view.head, f"head {view.head + 1}")
    token = trace.prefix_names[view.token] if view.token < trace.num_prefix else _patch(layers, view.token)
    arrow = "->" if view.direction == "looks" else "<-"
    pen.text((margin, margin), f"layer {view.layer + 1}   {name}   {token} {arrow}", _INK, font)

    high = _high(view, layers, summary, view.head, rows[view.head])
    at = (margin, top)
    paper.paste(_overlaid(layers, photo, rows[view.head], high, photo_side, log=view.log), at)
    if view.token >= trace.num_prefix:
        cell = photo_side / max(trace.grid)
        row, col = divmod(int(trace.patch_index[view.token - trace.num_prefix]), trace.grid[1])
        x, y = at[0] + col * cell, at[1] + row * cell
        pen.rectangle((x, y, x + cell, y + cell), outline=_ACCENT, width=max(3, width // 400))
    _bar(paper, (at[0] + photo_side + margin, top), (width // 50, photo_side), high, font, log=view.log)
    chips_at = at[0] + photo_side + margin + width // 50 + margin + 5 * text
    for index, prefix in enumerate(trace.prefix_names):
        y = top + index * 2 * text
        color = _colors(rows[view.head][index : index + 1], high, log=view.log)[0]
        pen.rectangle((chips_at, y, chips_at + 1.5 * text, y + 1.5 * text), fill=tuple(int(c) for c in color))
        pen.text((chips_at + 2 * text, y), f"{prefix}  {rows[view.head][index]:.4f}", _INK, font)

    below = top + photo_side + margin
    for index, head in enumerate(heads):
        x = margin + index * (tile + gap)
        scale = _high(view, layers, summary, head, rows[head])
        paper.paste(_overlaid(layers, photo, rows[head], scale, tile, log=view.log), (x, below))
        color = _ACCENT if head == view.head else _INK
        if head == view.head:
            pen.rectangle((x, below, x + tile, below + tile), outline=_ACCENT, width=max(3, width // 500))
        label = "mean" if head == _MEAN else str(head + 1)
        pen.text((x + tile / 2, below + tile + text / 3), label, color, font, anchor="ma")
    buffer = BytesIO()
    paper.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _rows(view: AttentionView, layers: AttentionLayers) -> dict[int, Array]:
    """Weights of the token in each head, the mean over them, and the rollout if it is open."""
    block = layers.trace.blocks[view.layer]
    looks = view.direction == "looks"
    weights = block.attention_rows(view.token) if looks else block.attention_columns(view.token)
    rows = dict(enumerate(weights))
    rows[_MEAN] = weights.mean(axis=0)
    if view.head == _ROLLOUT:
        matrix = layers.rollouts.up_to(view.layer)
        rows[_ROLLOUT] = matrix[view.token] if looks else matrix[:, view.token]
    return rows


def _high(view: AttentionView, layers: AttentionLayers, summary: LayerSummary, head: int, row: Array) -> float:
    if head == _ROLLOUT:
        high = float(np.percentile(layers.rollouts.up_to(view.layer), 99.5))
    elif not view.per_head:
        high = summary.high
    else:
        high = summary.mean_high if head == _MEAN else float(summary.head_highs[head])
    return high if high > 0 else max(float(row.max()), 1e-12)


def _patch(layers: AttentionLayers, token: int) -> str:
    trace = layers.trace
    row, col = divmod(int(trace.patch_index[token - trace.num_prefix]), trace.grid[1])
    return f"patch ({row}, {col})"


def _overlaid(
    layers: AttentionLayers, photo: Image.Image, row: Array, high: float, side: int, *, log: bool
) -> Image.Image:
    grid = on_grid(layers.trace, row)
    colors = Image.fromarray(_colors(grid, high, log=log)).resize((side, side), Image.Resampling.NEAREST)
    under = photo.resize((side, side), Image.Resampling.LANCZOS)
    mixed = Image.blend(under, colors, _COVER)
    known = Image.fromarray((~np.isnan(grid)).astype(np.uint8) * 255).resize((side, side), Image.Resampling.NEAREST)
    return Image.composite(mixed, under, known)


def _colors(values: Array, high: float, *, log: bool) -> Pixels:
    stops = np.array(
        [[int(stop[at : at + 2], 16) for at in (0, 2, 4)] for stop in COLORMAPS["sequential"]], dtype=float
    )
    known = np.nan_to_num(np.asarray(values, dtype=np.float64))
    share = np.log(np.maximum(known, 1e-300) / (high / 1000)) / np.log(1000) if log else known / high
    place = np.clip(share, 0, 1) * (len(stops) - 1)
    channels = [np.interp(place, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def _bar(
    paper: Image.Image,
    at: tuple[int, int],
    size: tuple[int, int],
    high: float,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    *,
    log: bool,
) -> None:
    shares = np.linspace(1, 0, 256)
    values = (high / 1000 * 1000**shares if log else high * shares).astype(np.float32)
    bar = Image.fromarray(_colors(values[:, None], high, log=log)).resize(size)
    paper.paste(bar, at)
    pen = ImageDraw.Draw(paper)
    for index, place in ((0, 0.0), (128, 0.5), (255, 1.0)):
        anchor = ("la", "lm", "ld")[int(place * 2)]
        position = (at[0] + size[0] * 1.4, at[1] + size[1] * place)
        pen.text(position, f"{values[index]:.3g}", _INK, font, anchor=anchor)
