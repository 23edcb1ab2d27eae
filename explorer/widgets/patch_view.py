"""A photo under the grid of its patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike

from explorer.figures.matrix import Scale
from explorer.widgets._esm import bundle, stylesheet
from explorer.widgets.base import ExplorerWidget, scale_state

__all__ = ["PatchView"]


class PatchView(ExplorerWidget):
    """A photo under a grid: pick a token, and see a value on each.

    Tokens are counted as everywhere: the ``R`` prefix tokens first, shown as chips beside the photo, then the places of
    the grid row by row. The count is that of the *whole* grid, also while some patches are dropped.

    Attributes
    ----------
    grid : tuple of int
        Rows and columns.
    prefix_names : list of str
        ``["CLS"]``, ``["CLS", "REG1", …]`` or nothing.
    kept : list of int or None
        Patches (0 … N−1) that are not dropped; ``None`` for all. Dropped ones are grey and cannot be picked.
    selected : int
        The picked token, −1 for none; set from either side.
    interactive : bool
        Whether a token can be picked here.
    pressable : bool
        Whether a click, or Enter on the picked token, is also a press; see :meth:`on_press`.
    marked : list of int
        Tokens under a veil of the accent colour.
    readouts : list of str
        What is said of each token, after its place, when it is pointed at; plain text.
    hint : str
        What is said below the photo while nothing is pointed at; by default how to pick a patch.
    title, caption, stem : str
        Plain text around the photo, and the file name of saved pictures.
    max_size : int
        Longest side of the photo in CSS pixels.
    """

    _esm = bundle("patch_view.js")
    _css = stylesheet()

    grid = traitlets.Tuple(traitlets.Int(min=0), traitlets.Int(min=0), default_value=(0, 0)).tag(sync=True)
    prefix_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    kept = traitlets.List(traitlets.Int(min=0), default_value=None, allow_none=True).tag(sync=True)
    selected = traitlets.Int(-1, min=-1).tag(sync=True)
    interactive = traitlets.Bool(True).tag(sync=True)
    pressable = traitlets.Bool(False).tag(sync=True)
    marked = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    readouts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    hint = traitlets.Unicode("").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    caption = traitlets.Unicode("").tag(sync=True)
    stem = traitlets.Unicode("photo").tag(sync=True)
    max_size = traitlets.Int(560, min=80).tag(sync=True)

    image = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    mime = traitlets.Unicode("image/jpeg", read_only=True).tag(sync=True)
    values = traitlets.Bytes(b"", read_only=True).tag(sync=True)
    scale = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("scale")
    def _no_scale(self) -> dict[str, Any]:
        return scale_state(Scale(low=0.0, high=1.0))

    def on_press(self, call: Callable[[int], None]) -> None:
        """Call with the token whenever one is pressed: also twice with the same, which no change of a trait tells."""

        def listen(_widget: Any, content: Any, _buffers: Any) -> None:
            if not isinstance(content, dict) or content.get("kind") != "press":
                return
            token = content.get("token")
            if isinstance(token, int) and 0 <= token < len(self.prefix_names) + self.grid[0] * self.grid[1]:
                call(token)

        self.on_msg(listen)

    def show_image(
        self,
        data: bytes,
        mime: str,
        *,
        grid: tuple[int, int] | None = None,
        prefix_names: Sequence[str] | None = None,
        kept: Sequence[int] | None = None,
    ) -> None:
        """Show another photo.

        Parameters
        ----------
        data : bytes
            An encoded picture, cut as the model sees it.
        mime : str
            ``image/jpeg``, ``image/png`` or ``image/webp``.
        grid, prefix_names, kept : optional
            The traits of these names, where they change with the photo. With a ``grid``, ``kept`` is set, too (to
            ``None`` unless given).
        """
        with self.hold_sync():
            self.set_trait("image", bytes(data))
            self.set_trait("mime", mime)
            if grid is not None:
                self.grid = grid
                self.kept = None if kept is None else [int(patch) for patch in kept]  # type: ignore[assignment]
            if prefix_names is not None:
                self.prefix_names = list(prefix_names)

    def show_values(self, values: ArrayLike | None, scale: Scale | None = None) -> None:
        """Lay a value over every patch, or take them away.

        Parameters
        ----------
        values : array_like or None, shape (N,) or (R + N,)
            One for each kept patch, in the order of the grid; with ``R`` more in front, one for each prefix token, too.
        scale : Scale, optional
            What the colours mean; needed with values.

        Raises
        ------
        ValueError
            If the count of values is neither.
        """
        if values is None:
            self.set_trait("values", b"")
            return
        if scale is None:
            raise ValueError("values need a scale")
        given = np.asarray(values, dtype=np.float32).ravel()
        places, prefix = self.grid[0] * self.grid[1], len(self.prefix_names)
        kept = np.arange(places) if self.kept is None else np.sort(np.asarray(self.kept, dtype=np.int64))
        tokens = np.full(prefix + places, np.nan, dtype=np.float32)
        if given.size == prefix + kept.size:
            tokens[:prefix] = given[:prefix]
        elif given.size != kept.size:
            raise ValueError(f"{given.size} values for {kept.size} patches and {prefix} prefix tokens")
        tokens[prefix + kept] = given[given.size - kept.size :]
        with self.hold_sync():
            self.set_trait("values", tokens.tobytes())
            self.set_trait("scale", scale_state(scale))

    @traitlets.observe("grid", "prefix_names", "kept")
    def _on_tokens(self, _change: Any) -> None:
        """Values and choice belong to the tokens that there were."""
        tokens = len(self.prefix_names) + self.grid[0] * self.grid[1]
        if len(self.values) != tokens * 4:
            self.set_trait("values", b"")
        if self.selected >= tokens:
            self.selected = -1
        self.marked = [token for token in self.marked if token < tokens]
