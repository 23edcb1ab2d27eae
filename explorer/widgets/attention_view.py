"""Attention that follows the hand: worked out in the browser, for any token, in every head at once."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import traitlets

from explorer.figures.attention_layers import MAX_ROLLOUT_TOKENS, AttentionLayers
from explorer.trace import Trace
from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget
from explorer.worker import Deliver, kernel_delivery

__all__ = ["MEAN", "ROLLOUT", "AttentionView"]

#: Value of :attr:`AttentionView.head` that stands for the mean over a layer's heads.
MEAN = -1
#: Value of :attr:`AttentionView.head` that stands for the rollout up to the layer.
ROLLOUT = -2

#: Runs with fewer attention weights than these are summarised at once; larger ones beside the page's own work.
_AT_ONCE = 2_000_000
#: A layer with fewer of them comes along with its run; a larger one is sent when the browser asks for it.
_SENT_AT_ONCE = 500_000


class AttentionView(ExplorerWidget):
    """Shows all attention of a trace; see :meth:`show`.

    The browser asks for a layer once, receives ``q``, ``k`` and every query's log-sum-exp as float32, keeps them, and
    works out 𝑨 = exp(𝒒𝒌ᵀ/√D_h − lse) itself. Hovering sends nothing; a click writes ``token``, ``layer`` or ``head``.

    Attributes
    ----------
    layer, head, token : int
        What is open, from 0; set from either side. ``head`` may be :data:`MEAN` or :data:`ROLLOUT`.
    direction : {"looks", "seen"}
        Where the token looks, or who looks at it.
    log : bool
        A logarithmic scale.
    per_head : bool
        Every head to its own scale, instead of one for all heads of a layer.
    wall_kind : {"token", "matrix"}
        What the wall's small pictures are of: the chosen token on the photo, or the whole T × T matrix.
    wall_order : {"head", "distance"}
        How each layer's heads are sorted on the wall.
    stem : str
        File name of saved pictures.
    """

    _esm = bundle("attention_view.js")
    _css = stylesheet() + stylesheet("attention_view.css")
    _sections: ClassVar[tuple[str, ...]] = ("widgets", "attention", "page")

    layer = traitlets.Int(0, min=0).tag(sync=True)
    head = traitlets.Int(0, min=ROLLOUT).tag(sync=True)
    token = traitlets.Int(0, min=0).tag(sync=True)
    direction = traitlets.Enum(("looks", "seen"), default_value="looks").tag(sync=True)
    log = traitlets.Bool(False).tag(sync=True)
    per_head = traitlets.Bool(False).tag(sync=True)
    wall_kind = traitlets.Enum(("token", "matrix"), default_value="token").tag(sync=True)
    wall_order = traitlets.Enum(("head", "distance"), default_value="head").tag(sync=True)
    stem = traitlets.Unicode("attention").tag(sync=True)

    #: The run's sizes: ``key`` (another number for another run), ``layers heads tokens dim grid prefix rollout``,
    #: ``uniform``, the distance of a head that looks everywhere alike, ``opened``, the layer that comes along, or -1.
    run = traitlets.Dict(read_only=True).tag(sync=True)
    #: That layer as it is sent when it is asked for, its arrays one after the other.
    opened = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    #: (T, T) float32: the rollout up to that layer, where it comes along; its scale ends at the run's ``rolled_high``.
    rolled = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    #: (N,) int32: every patch token's place on the photo.
    places = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    image = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    mime = traitlets.Unicode("image/jpeg", read_only=True).tag(sync=True)
    #: (L, h) float32, ``nan`` where it is not worked out yet.
    distances = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    #: (L, 2 + h) float32: where the scales end of a layer, of the mean over its heads, of each head.
    highs = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    #: (L, h, rows, cols) float32 and its last two sizes.
    wall = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    wall_shape = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(0, 0), read_only=True).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._layers: AttentionLayers | None = None
        self._key = 0
        self._worker: threading.Thread | None = None
        super().__init__(**traits)
        self.on_msg(self._on_message)

    @property
    def trace(self) -> Trace | None:
        """The run that is shown."""
        return None if self._layers is None else self._layers.trace

    @property
    def layers(self) -> AttentionLayers | None:
        """What is known of the run's layers."""
        return self._layers

    def show(self, trace: Trace, image: bytes, mime: str = "image/jpeg", *, layer: int, head: int, token: int) -> None:
        """Show another run.

        Parameters
        ----------
        trace : Trace
        image : bytes
            The photo, encoded, cut as the model sees it.
        mime : str
        layer, head, token : int
            What is open.
        """
        self._key += 1
        layers = self._layers = AttentionLayers(trace)
        opened = min(layer, len(trace.q) - 1) if layers.weights <= _SENT_AT_ONCE * len(trace.q) else -1
        with self.hold_sync(), self.hold_trait_notifications():
            self.set_trait(
                "run",
                {
                    "key": self._key,
                    "layers": trace.spec.depth,
                    "heads": trace.spec.heads,
                    "tokens": trace.num_tokens,
                    "dim": trace.q.shape[-1],
                    "grid": list(trace.grid),
                    "prefix": list(trace.prefix_names),
                    "rollout": trace.num_tokens <= MAX_ROLLOUT_TOKENS,
                    "uniform": layers.uniform_distance,
                    "opened": opened,
                },
            )
            self.set_trait("opened", b"" if opened < 0 else b"".join(_layer_bytes(layers, opened)))
            self.set_trait("places", trace.patch_index.astype(np.int32).tobytes())
            self.set_trait("image", bytes(image))
            self.set_trait("mime", mime)
            self.layer, self.head, self.token = layer, head, token
            self._tell_summaries()
            self._fill_wall()
        if layers.weights <= _AT_ONCE:
            self._summarise(layers, self._key, lambda call: call())
        else:
            arguments = (layers, self._key, kernel_delivery())
            self._worker = threading.Thread(target=self._summarise, args=arguments, daemon=True)
            self._worker.start()

    def wait(self, timeout: float | None = None) -> None:
        """Block until the summaries are worked out (for scripts and tests; a page never waits)."""
        if self._worker is not None:
            self._worker.join(timeout)

    def settle(self) -> AttentionLayers:
        """Have the summaries of all layers now (for a file: a page does not wait for them).

        Returns
        -------
        AttentionLayers

        Raises
        ------
        ValueError
            If nothing is shown yet.
        """
        layers = self._layers
        if layers is None:
            raise ValueError("nothing is shown yet")
        self.wait()
        for layer in range(len(layers.trace.q)):
            layers.summary(layer)
        self._tell_summaries()
        return layers

    def still(self) -> dict[str, Any]:
        """Traits of a front end that nobody answers: the open layer and the wall are there, the rollout if it is open.

        Raises
        ------
        ValueError
            If nothing is shown yet.
        """
        layers = self.settle()
        direction: Literal["seen", "looks"] = "seen" if self.direction == "seen" else "looks"
        whole = self.wall_kind == "matrix"
        wall = layers.matrix_thumbnails() if whole else layers.token_thumbnails(self.token, direction)
        rolled, high = (b"", 0.0) if self.head != ROLLOUT else _rolled(layers, self.layer)
        return {
            "run": dict(self.run) | {"rollout": False, "opened": self.layer, "rolled_high": high},
            "rolled": rolled,
            "opened": b"".join(_layer_bytes(layers, self.layer)),
            "highs": self.highs,
            "distances": self.distances,
            "wall_shape": wall.shape[2:],
            "wall": wall.tobytes(),
        }

    # -- what is worked out beside the page's own work -------------------------------------------------------------

    def _summarise(self, layers: AttentionLayers, key: int, deliver: Deliver) -> None:
        count = len(layers.trace.q)
        # The open layer first, then those that are looked at next.
        order = sorted(range(count), key=lambda layer: (abs(layer - self.layer), layer))
        for place, layer in enumerate(order):
            if key != self._key:
                return
            layers.summary(layer)
            deliver(partial(self._summarised, key, place == count - 1))
        # Where they are sent before they are asked for, a layer that is opened must not wait for its own.
        for layer in range(count if layers.small else 0):
            if key != self._key:
                return
            layers.rollouts.up_to(layer)

    def _summarised(self, key: int, last: bool) -> None:
        if key != self._key:
            return
        with self.hold_sync():
            self._tell_summaries()
            if last:
                self._fill_wall()

    def _tell_summaries(self) -> None:
        layers = self._layers
        if layers is None:
            return
        depth, heads = layers.trace.q.shape[:2]
        distances = np.full((depth, heads), np.nan, dtype=np.float32)
        highs = np.full((depth, 2 + heads), np.nan, dtype=np.float32)
        for layer in range(depth):
            summary = layers.known(layer)
            if summary is not None:
                distances[layer] = summary.distance
                highs[layer] = [summary.high, summary.mean_high, *summary.head_highs]
        self.set_trait("distances", distances.tobytes())
        self.set_trait("highs", highs.tobytes())

    @traitlets.observe("token", "direction", "wall_kind")
    def _on_wall(self, change: Any) -> None:
        if change.name != "token" or self.wall_kind == "token":
            self._fill_wall()

    def _fill_wall(self) -> None:
        """The wall's small pictures, unless they still need layers that are being summarised."""
        layers = self._layers
        if layers is None or self.token >= layers.trace.num_tokens:
            return
        complete = all(layers.known(layer) is not None for layer in range(len(layers.trace.q)))
        if self.wall_kind == "token" and (complete or self.direction == "looks"):
            pictures = layers.token_thumbnails(self.token, "seen" if self.direction == "seen" else "looks")
        elif self.wall_kind == "matrix" and complete:
            pictures = layers.matrix_thumbnails()
        else:
            self.set_trait("wall", b"")
            return
        with self.hold_sync():
            self.set_trait("wall_shape", pictures.shape[2:])
            self.set_trait("wall", pictures.tobytes())

    # -- what the browser asks -------------------------------------------------------------------------------------

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        layers = self._layers
        if not isinstance(content, dict) or layers is None or content.get("key") != self._key:
            return
        layer = content.get("layer")
        if not isinstance(layer, int) or not 0 <= layer < len(layers.trace.q):
            return
        if content.get("kind") == "layer":
            self._send_layer(layers, layer)
        elif content.get("kind") == "rollout" and layers.trace.num_tokens <= MAX_ROLLOUT_TOKENS:
            if layers.weights <= _AT_ONCE or layers.rollouts.known(layer):
                self._roll_out(layers, self._key, layer, lambda call: call())
            else:
                arguments = (layers, self._key, layer, kernel_delivery())
                threading.Thread(target=self._roll_out, args=arguments, daemon=True).start()

    def _send_layer(self, layers: AttentionLayers, layer: int) -> None:
        self.send({"kind": "layer", "key": self._key, "layer": layer}, buffers=_layer_bytes(layers, layer))

    def _roll_out(self, layers: AttentionLayers, key: int, layer: int, deliver: Deliver) -> None:
        rolled, high = _rolled(layers, layer)
        deliver(lambda: self._send_rollout(key, layer, rolled, high))

    def _send_rollout(self, key: int, layer: int, matrix: bytes, high: float) -> None:
        if key == self._key:
            self.send({"kind": "rollout", "key": key, "layer": layer, "high": high}, buffers=[matrix])

    # -- a picture without a page ----------------------------------------------------------------------------------

    def png(self, width: int = 1600) -> bytes:
        """What is open, as a PNG: the photo under the open head, and every head of the layer.

        Drawn here from the same numbers, so that it needs no page; the buttons on the page save what is seen there.

        Parameters
        ----------
        width : int
            In pixels.

        Returns
        -------
        bytes

        Raises
        ------
        ValueError
            If nothing is shown yet.
        """
        from explorer.widgets.attention_png import draw

        if self._layers is None:
            raise ValueError("nothing is shown yet")
        return draw(self, self._layers, width)


def _rolled(layers: AttentionLayers, layer: int) -> tuple[bytes, float]:
    """The rollout up to a layer, and where its scale ends."""
    matrix = layers.rollouts.up_to(layer)
    return np.ascontiguousarray(matrix, dtype=np.float32).tobytes(), float(np.percentile(matrix, 99.5))


def _layer_bytes(layers: AttentionLayers, layer: int) -> list[bytes]:
    """``q``, ``k`` and every query's log-sum-exp of a layer, and where its scales end."""
    summary = layers.summary(layer)
    q, k = layers.trace.q[layer], layers.trace.k[layer]
    highs = np.array([summary.high, summary.mean_high, *summary.head_highs], dtype=np.float32)
    arrays = (np.ascontiguousarray(array, dtype=np.float32) for array in (q, k, summary.log_sum_exp, highs))
    return [array.tobytes() for array in arrays]
