# SPDX-License-Identifier: Apache-2.0
"""Which units a computer has (visible, hidden) and which pairs of them may be coupled."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import ProgramError


@dataclass(frozen=True, eq=False)
class Topology:
    """Units and the pairs that may be coupled.

    Units are numbered visible first: 0 … visible−1, then hidden. Build one with `layered`, `sparse_layered`,
    `complete`, `grid`, `random_regular` or `from_pairs`; the constructor itself takes pairs that are already in order.

    Attributes:
        visible: Number of visible units.
        hidden: Number of hidden units.
        pairs: (pairs, 2) int32, i < j in each row, rows in lexicographic order, none twice.

    Raises:
        ProgramError: No unit at all, or pairs that are not as stated above.
    """

    visible: int
    hidden: int
    pairs: NDArray[np.int32]

    def __post_init__(self) -> None:
        if self.visible < 0 or self.hidden < 0 or self.units < 1:
            raise ProgramError(
                f"a topology needs at least one unit, got {self.visible} visible and {self.hidden} hidden"
            )
        pairs = _pair_rows(self.pairs).astype(np.int32)  # a copy: the topology's own, as it is frozen
        _check_pairs(pairs, self.units)
        pairs.flags.writeable = False
        object.__setattr__(self, "pairs", pairs)

    @property
    def units(self) -> int:
        """Get the number of units, visible and hidden together."""
        return self.visible + self.hidden

    @cached_property
    def blocks(self) -> dict[str, NDArray[np.bool_]]:
        """Get the layer block of each pair: masks (pairs,) under `visible-visible`, `visible-hidden`, `hidden-hidden`.

        Blocks without a pair are left out.
        """
        hidden_ends = (self.pairs >= self.visible).sum(axis=1)
        names = ("visible-visible", "visible-hidden", "hidden-hidden")
        masks = {name: hidden_ends == ends for ends, name in enumerate(names)}
        return {name: mask for name, mask in masks.items() if mask.any()}

    @cached_property
    def partners(self) -> tuple[NDArray[np.int64], ...]:
        """Get for each unit those that it may be coupled to, (partners,) each, in ascending order."""
        matrix: Any = self.symmetric_matrix(np.ones(len(self.pairs)))
        ends = matrix.indptr[1:-1]
        return tuple(np.sort(part).astype(np.int64) for part in np.split(matrix.indices, ends))

    @staticmethod
    def from_pairs(visible: int, hidden: int, pairs: ArrayLike) -> "Topology":
        """Build a topology from any list of pairs (pairs, 2), in any order and orientation.

        Raises:
            ProgramError: A pair names a missing unit, couples a unit to itself, or stands twice.
        """
        ordered = np.sort(_pair_rows(pairs), axis=1)
        return Topology(visible, hidden, ordered[np.lexsort((ordered[:, 1], ordered[:, 0]))])

    @staticmethod
    def layered(visible: int, hidden: int, *, hidden_couplings: bool = True) -> "Topology":
        """Build the paper's topology: every visible–hidden pair and, by default, every hidden–hidden pair."""
        units = visible + hidden
        first_partner = np.maximum(np.arange(units) + 1, visible)
        if not hidden_couplings:
            first_partner[visible:] = units
        return Topology(visible, hidden, _pairs_with_later(first_partner))

    @staticmethod
    def sparse_layered(
        visible: int, hidden: int, partners: int, seed: int, *, hidden_couplings: bool = True
    ) -> "Topology":
        """Build a layered topology with few pairs: each hidden unit has so many visible partners, drawn at random.

        By default it has at most as many hidden partners too, of a random regular graph.

        Raises:
            ProgramError: More partners than visible units, or a negative number.
        """
        if not 0 <= partners <= visible:
            raise ProgramError(f"partners must lie in 0 … {visible}, the number of visible units, got {partners}")
        rng = np.random.default_rng([seed, 1])
        drawn = np.array([rng.choice(visible, partners, replace=False) for _ in range(hidden)], np.int64).ravel()
        pairs = np.stack([drawn, visible + np.repeat(np.arange(hidden), partners)], axis=1)
        if hidden_couplings and hidden:
            within = Topology.random_regular(hidden, 0, min(partners, hidden - 1), seed).pairs
            pairs = np.concatenate([pairs, visible + within])
        return Topology.from_pairs(visible, hidden, pairs)

    @staticmethod
    def complete(visible: int, hidden: int = 0) -> "Topology":
        """Build the all-to-all topology."""
        return Topology(visible, hidden, _pairs_with_later(np.arange(visible + hidden) + 1))

    @staticmethod
    def grid(rows: int, columns: int, *, periodic: bool = False, diagonals: bool = False) -> "Topology":
        """Build a rows × columns grid of visible units with nearest-neighbour pairs.

        Args:
            rows: Number of rows.
            columns: Number of columns; unit number = row · columns + column.
            periodic: Couple opposite edges (a torus).
            diagonals: Couple diagonal neighbours too (the king's graph).

        Raises:
            ProgramError: Fewer than one row or column.
        """
        if rows < 1 or columns < 1:
            raise ProgramError(f"a grid needs at least one row and one column, got {rows} × {columns}")
        row, column = np.divmod(np.arange(rows * columns), columns)
        steps = [(0, 1), (1, 0)] + ([(1, 1), (1, -1)] if diagonals else [])
        found: set[tuple[int, int]] = set()
        for down, right in steps:
            other_row, other_column = row + down, column + right
            if periodic:
                other_row, other_column = other_row % rows, other_column % columns
            inside = (other_row < rows) & (other_column >= 0) & (other_column < columns)
            ends = np.stack([row * columns + column, other_row * columns + other_column], axis=1)[inside]
            found.update((min(a, b), max(a, b)) for a, b in ends.tolist() if a != b)
        return Topology.from_pairs(rows * columns, 0, np.array(sorted(found), np.int32).reshape(-1, 2))

    @staticmethod
    def random_regular(visible: int, hidden: int, degree: int, seed: int) -> "Topology":
        """Build a random graph in which every unit has at most `degree` partners (configuration model, no repeats).

        Raises:
            ProgramError: The degree is negative, or not below the number of units.
        """
        units = visible + hidden
        if not 0 <= degree < units:
            raise ProgramError(f"degree must lie in 0 … {units - 1}, got {degree}")
        ends = np.random.default_rng(seed).permutation(np.repeat(np.arange(units), degree))
        matched = np.sort(ends[: ends.size // 2 * 2].reshape(-1, 2), axis=1)
        return Topology.from_pairs(visible, hidden, np.unique(matched[matched[:, 0] != matched[:, 1]], axis=0))

    def symmetric_matrix(self, values: NDArray[np.float64]) -> Any:
        """Get the symmetric coupling matrix, a (units, units) `scipy.sparse.csr_array`, of per-pair values (pairs,)."""
        from scipy import sparse

        first, second = self.pairs[:, 0], self.pairs[:, 1]
        rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
        both = np.concatenate([values, values])
        return sparse.coo_array((both, (rows, columns)), shape=(self.units, self.units)).tocsr()

    def same_as(self, other: "Topology") -> bool:
        """Tell whether two topologies have the same units and the same pairs."""
        return (self.visible, self.hidden) == (other.visible, other.hidden) and np.array_equal(self.pairs, other.pairs)


def _pair_rows(pairs: ArrayLike) -> NDArray[Any]:
    """Get pairs as integers (pairs, 2) that int32 can hold."""
    try:
        rows = np.asarray(pairs)
    except ValueError as error:
        raise ProgramError(f"pairs must be integers of shape (pairs, 2): {error}") from error
    if rows.size == 0:
        return np.empty((0, 2), np.int32)
    if rows.ndim != 2 or rows.shape[1] != 2 or rows.dtype.kind not in "iu":
        raise ProgramError(f"pairs must be integers of shape (pairs, 2), got {rows.dtype} {rows.shape}")
    if rows.max() >= 2**31 or rows.min() < -(2**31):
        raise ProgramError(f"unit numbers must lie in 0 … 2³¹ − 1, got {rows.min()} … {rows.max()}")
    return rows


def _pairs_with_later(first_partner: NDArray[np.int_]) -> NDArray[np.int32]:
    """Get the pairs (pairs, 2) of each unit i with all units from first_partner[i] > i on, in lexicographic order."""
    partners = np.maximum(len(first_partner) - first_partner, 0)
    first = np.repeat(np.arange(len(first_partner)), partners)
    second = np.arange(len(first)) + np.repeat(first_partner - np.cumsum(partners) + partners, partners)
    return np.stack([first, second], axis=1).astype(np.int32)


def _check_pairs(pairs: NDArray[np.int32], units: int) -> None:
    if not len(pairs):
        return
    outside = (pairs < 0) | (pairs >= units)
    if outside.any():
        row = int(np.argmax(outside.any(axis=1)))
        raise ProgramError(f"pair {tuple(pairs[row].tolist())} (row {row}) names a unit outside 0 … {units - 1}")
    wrong = pairs[:, 0] >= pairs[:, 1]
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ProgramError(
            f"pair {tuple(pairs[row].tolist())} (row {row}) must have i < j; a unit has no self-coupling"
        )
    number = pairs[:, 0].astype(np.int64) * units + pairs[:, 1]
    steps = np.diff(number)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
        what = "stands twice" if steps[row - 1] == 0 else "is out of order"
        raise ProgramError(f"pair {tuple(pairs[row].tolist())} (row {row}) {what}; rows must increase")
