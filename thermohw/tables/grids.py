# SPDX-License-Identifier: Apache-2.0
"""Grids of levels: which integer codes a coupling of b bits may have. A code stands for the energy code · scale.

With L = 2^(b−1) − 1, a `uniform` grid has the codes −L … L, and a `power-of-two` grid, for boards that shift instead of
multiplying, as many: 0, ±1, ±2, ±4, … ±2^(L−1). `ternary` is the uniform grid of two bits: −1, 0, 1.
"""

import operator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import TableError

GridName = Literal["uniform", "power-of-two", "ternary"]

MIN_BITS, MAX_BITS = 2, 16
MAX_POWER_BITS = 5  # six would need codes up to 2^30


def levels_of(bits: int) -> int:
    """Get L = 2^(bits−1) − 1, the largest code of `bits` bits.

    Raises:
        TableError: `bits` is not an integer in 2 … 16.
    """
    try:
        count = operator.index(bits)
    except TypeError:
        count = 0
    if not MIN_BITS <= count <= MAX_BITS:
        raise TableError(f"bits must be an integer in {MIN_BITS} … {MAX_BITS}, got {bits!r}")
    return 2 ** (count - 1) - 1


@dataclass(frozen=True)
class Grid:
    """A set of levels, symmetric about zero.

    Attributes:
        bits: Bits that tell its 2^bits − 1 levels apart.
        name: `uniform`, `power-of-two` or `ternary`.

    Raises:
        TableError: An unknown name, or bits that the grid cannot have.
    """

    bits: int
    name: GridName = "uniform"

    def __post_init__(self) -> None:
        if self.name not in get_args(GridName):
            raise TableError(f"unknown grid {self.name!r}; there are: {', '.join(get_args(GridName))}")
        levels_of(self.bits)
        if self.name == "ternary" and self.bits != MIN_BITS:
            raise TableError(f"the ternary grid has {MIN_BITS} bits, not {self.bits}; take uniform for more")
        if self.name == "power-of-two" and self.bits > MAX_POWER_BITS:
            raise TableError(f"the power-of-two grid has {MIN_BITS} … {MAX_POWER_BITS} bits, got {self.bits}")

    @staticmethod
    def of_table(stored_bits: int, name: str) -> "Grid":
        """Get the grid of a table's codes of `stored_bits` bits, uniform unless `name` and bits are of another."""
        nominal = stored_bits.bit_length()
        if name == "power-of-two" and 2 ** (nominal - 1) == stored_bits:
            return Grid(nominal, "power-of-two")
        return Grid(stored_bits)

    @cached_property
    def magnitudes(self) -> NDArray[np.int64]:
        """Get the codes from zero up, ascending, (levels_of(bits) + 1,)."""
        count = levels_of(self.bits)
        positive = 2 ** np.arange(count) if self.name == "power-of-two" else np.arange(1, count + 1)
        return np.concatenate([[0], positive])

    @property
    def largest(self) -> int:
        """Get the largest code."""
        return int(self.magnitudes[-1])

    @property
    def codes(self) -> NDArray[np.int64]:
        """Get all codes, ascending, (2^bits − 1,)."""
        return np.concatenate([-self.magnitudes[:0:-1], self.magnitudes])

    @property
    def stored_bits(self) -> int:
        """Get the bits of a two's-complement number that holds every code: a table's bits."""
        return 2 ** (self.bits - 1) if self.name == "power-of-two" else self.bits

    @property
    def reach(self) -> float:
        """Get the magnitude, in codes, from which a value counts as clipped: half a step beyond the largest code."""
        return self.largest + 0.5 * float(self.magnitudes[-1] - self.magnitudes[-2])

    def nearest(self, values: NDArray[np.float64], scale: float) -> NDArray[np.int32]:
        """Get the code of the level nearest to each value (values,); of two at the same distance the even one."""
        if self.name != "power-of-two":
            return np.clip(np.rint(values / scale), -self.largest, self.largest).astype(np.int32)
        middles = 0.5 * (self.magnitudes[1:] + self.magnitudes[:-1])
        numbers = np.searchsorted(middles, np.abs(values) / scale, side="right")
        return (np.sign(values) * self.magnitudes[numbers]).astype(np.int32)

    def dithered(
        self, values: NDArray[np.float64], scale: float | NDArray[np.float64], generator: np.random.Generator
    ) -> NDArray[np.int32]:
        """Round each value (values,) up or down at random; the mean is the value, within the outermost levels.

        Args:
            values: (values,).
            scale: Energy a code, of all or (values,).
            generator: Of the random numbers, one a value.
        """
        codes = self.codes
        inside = np.clip(values / scale, codes[0], codes[-1])
        below = np.clip(np.searchsorted(codes, inside, side="right") - 1, 0, len(codes) - 2)
        share = (inside - codes[below]) / (codes[below + 1] - codes[below])
        return codes[below + (generator.random(len(values)) < share)].astype(np.int32)
