"""What can be changed in a run of a model, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.errors import ExplorerError
from explorer.numerics import Array

__all__ = ["OWN", "Intervention"]


class _Own:
    """The type of :data:`OWN`; a single value, also after pickling."""

    def __repr__(self) -> str:
        return "OWN"

    def __reduce__(self) -> str:
        return "OWN"


#: Stands for the model's own position embeddings.
OWN: Final = _Own()


@dataclass(frozen=True, eq=False, kw_only=True)
class Intervention:
    """Changes to one run of a model; with none of them the run is the model's own.

    Layers and heads are counted from 0, patches row by row from 0 on the whole grid. Everything is stored as tuples
    (sorted and without repetitions, but for ``permutation``, which keeps its order) and the array as a read-only copy,
    so that interventions can be compared, hashed and pickled.

    Parameters
    ----------
    pos_embed : array, OWN or None
        In place of the model's 𝑬_pos. ``None`` adds nothing. An array has a row for every place of the grid,
        (N, D), and then prefix tokens get none (slide 14), or for every token, (R + N, D).
    permutation : sequence of int, optional
        The content of place ``n`` comes from place ``permutation[n]`` of the photo, and gets 𝑬_pos of place ``n``.
    kept : iterable of int, optional
        Only the tokens of these patches of the photo are processed; the others are dropped after 𝑬_pos was added.
    masked : iterable of int
        Patches of the photo whose pixels are blanked: set to the mean colour that the model subtracts.
    masked_heads : iterable of (layer, head)
        Heads whose output 𝑨𝒗 is set to zero.
    msa_off, mlp_off : iterable of int
        Layers in which the residual stream passes by the attention, or the MLP.

    Raises
    ------
    ValueError
        If it would make sense for no model: ``pos_embed`` is an array of other than two dimensions, ``permutation`` has
        not every number from 0 to N - 1 once, ``kept`` is empty, or a number is negative. Whether it fits a certain
        model is :meth:`check`'s to say.
    """

    pos_embed: ArrayLike | _Own | None = OWN
    permutation: Iterable[int] | None = None
    kept: Iterable[int] | None = None
    masked: Iterable[int] = ()
    masked_heads: Iterable[tuple[int, int]] = ()
    msa_off: Iterable[int] = ()
    mlp_off: Iterable[int] = ()

    def __post_init__(self) -> None:
        if self.pos_embed is not None and not isinstance(self.pos_embed, _Own):
            table = np.array(self.pos_embed, dtype=np.float32)
            if table.ndim != 2:
                raise ValueError(f"pos_embed is a table of rows, not an array of {table.ndim} dimensions")
            table.setflags(write=False)
            object.__setattr__(self, "pos_embed", table)
        if self.permutation is not None:
            order = tuple(int(place) for place in self.permutation)
            if sorted(order) != list(range(len(order))):
                raise ValueError("permutation must hold every number from 0 to N - 1 once")
            object.__setattr__(self, "permutation", order)
        if self.kept is not None:
            kept = _sorted_places("kept", self.kept)
            if not kept:
                raise ValueError("kept must name at least one patch")
            object.__setattr__(self, "kept", kept)
        for name in ("masked", "msa_off", "mlp_off"):
            object.__setattr__(self, name, _sorted_places(name, getattr(self, name)))
        heads = tuple(sorted({(int(layer), int(head)) for layer, head in self.masked_heads}))
        if any(number < 0 for pair in heads for number in pair):
            raise ValueError("masked_heads must not be negative")
        object.__setattr__(self, "masked_heads", heads)

    def _key(self) -> tuple[object, ...]:
        table = self.pos_embed
        first = (table.shape, table.tobytes()) if isinstance(table, np.ndarray) else table
        return (first, *(getattr(self, field.name) for field in fields(self)[1:]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervention) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return self != Intervention()

    @property
    def order(self) -> tuple[int, ...] | None:
        """:attr:`permutation` as the tuple that it is stored as."""
        return self.permutation  # type: ignore[return-value]

    @property
    def kept_patches(self) -> tuple[int, ...] | None:
        """:attr:`kept` as the tuple that it is stored as."""
        return self.kept  # type: ignore[return-value]

    @property
    def table(self) -> Array | None:
        """The array that replaces 𝑬_pos; None where it is the model's own or nothing."""
        return self.pos_embed if isinstance(self.pos_embed, np.ndarray) else None

    def masked_in(self, layer: int) -> tuple[int, ...]:
        """The heads of a layer that are switched off."""
        return tuple(head for at, head in self.masked_heads if at == layer)

    def layout(self, num_patches: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which tokens there are.

        Parameters
        ----------
        num_patches : int
            Places of the whole grid.

        Returns
        -------
        places, patch_index : (N,) int64 arrays
            For every patch token the place whose 𝑬_pos it gets, and the patch of the photo that it shows.
        """
        places = np.arange(num_patches)
        shown = places if self.order is None else np.array(self.order, dtype=np.int64)
        if self.kept_patches is not None:
            stays = np.isin(shown, self.kept_patches)
            places, shown = places[stays], shown[stays]
        return places, shown

    def positions(self, own: Array) -> Array:
        """The 𝑬_pos (R + N, D) of the whole grid that is added.

        Parameters
        ----------
        own : (R + N, D) array
            The model's.
        """
        if isinstance(self.pos_embed, _Own):
            return own
        table = np.zeros_like(own)
        if self.table is not None:
            table[len(own) - len(self.table) :] = self.table
        return table

    def check(self, *, depth: int, heads: int, num_prefix: int, num_patches: int, dim: int) -> None:
        """Make sure that this fits a model.

        Raises
        ------
        ExplorerError
            ``intervention-…``, if it names a layer, a head or a patch that the model has not, or has a table of
            another size.
        """
        layers = {layer for layer, _ in self.masked_heads} | {*self.msa_off, *self.mlp_off}
        if layers and max(layers) >= depth:
            raise ExplorerError("intervention-layer", layer=max(layers) + 1, depth=depth)
        if self.masked_heads and (head := max(head for _, head in self.masked_heads)) >= heads:
            raise ExplorerError("intervention-head", head=head + 1, heads=heads)
        named = {*self.masked, *(self.kept_patches or ())}
        if named and max(named) >= num_patches:
            raise ExplorerError("intervention-patch", patch=max(named), patches=num_patches)
        if self.order is not None and len(self.order) != num_patches:
            raise ExplorerError("intervention-permutation", given=len(self.order), patches=num_patches)
        if self.table is not None:
            rows, cols = self.table.shape
            if cols != dim or rows not in (num_patches, num_prefix + num_patches):
                raise ExplorerError("intervention-positions", rows=rows, cols=cols, patches=num_patches, dim=dim)

    def to_json(self) -> dict[str, Any]:
        """All but the table, as JSON can hold it."""
        own = isinstance(self.pos_embed, _Own)
        return {"pos_embed": "own" if own else "table" if self.table is not None else "none"} | {
            field.name: getattr(self, field.name) for field in fields(self)[1:]
        }

    @classmethod
    def from_json(cls, values: dict[str, Any], table: Array | None) -> Intervention:
        """The inverse of :meth:`to_json`."""
        kind = values["pos_embed"]
        chosen = OWN if kind == "own" else table
        return cls(pos_embed=chosen, **{key: value for key, value in values.items() if key != "pos_embed"})


def _sorted_places(name: str, places: Iterable[int]) -> tuple[int, ...]:
    result = tuple(sorted({int(place) for place in places}))
    if result and result[0] < 0:
        raise ValueError(f"{name} must not be negative")
    return result
