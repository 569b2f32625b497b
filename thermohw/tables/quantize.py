# SPDX-License-Identifier: Apache-2.0
"""Rounding of values to the levels of a grid (see `grids`): the choice of the scale, the codes, and the errors made."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import TableError
from thermohw.tables.grids import MAX_BITS as MAX_BITS
from thermohw.tables.grids import MIN_BITS as MIN_BITS
from thermohw.tables.grids import Grid
from thermohw.tables.grids import levels_of as levels_of

ScaleRule = Literal["max", "mse"]
"""`max`: the largest magnitude is the largest level. `mse`: the least mean squared error, clipping included."""

_MAX_SWEPT = 2**21  # changes of a code that one exact sweep of the scale sorts: a quarter of a second
_GRID = 257  # scales tried between two ends before the interval is narrowed


@dataclass(frozen=True)
class BlockErrors:
    """How far a block's levels are from the values that they stand for.

    Attributes:
        values: Number of values in the block.
        clipped: How many lie beyond the outermost levels by more than half a step.
        rms: Root mean square of the errors, in the unit of the values.
        largest: Largest magnitude of an error, in the unit of the values.
        relative_rms: `rms` over the root mean square of the values; 0 where both vanish.
    """

    values: int
    clipped: int
    rms: float
    largest: float
    relative_rms: float


def choose_scale(values: NDArray[np.float64], bits: int | Grid, rule: ScaleRule = "max", clip: float = 1.0) -> float:
    """Choose the energy per code for `values` (values,).

    A block without a value other than zero gets the scale 1: any positive scale is right, since all codes are zero.

    Args:
        values: (values,) the numbers to quantize.
        bits: Bits a code, 2 … 16, of the uniform grid; or another grid.
        rule: `max` gives clip · max|v| / (largest code). `mse` minimises Σ (v − scale · code)² over the scale, each
            code being the nearest. The minimum is exact where the number of positive codes times that of distinct
            magnitudes is at most 2²¹; above, it is that of an interval around the best of a scan, searched exactly.
        clip: Fraction of the largest magnitude that the outermost level of `max` stands for, in (0, 1]; larger values
            saturate.

    Raises:
        TableError: Unknown rule, `bits` outside 2 … 16, or a `clip` that is outside (0, 1] or has no meaning.
    """
    grid = _grid(bits)
    if rule not in get_args(ScaleRule):
        raise TableError(f"unknown scale rule {rule!r}; known: {', '.join(get_args(ScaleRule))}")
    if not 0 < clip <= 1:
        raise TableError(f"clip is the fraction of the largest magnitude kept, in (0, 1], got {clip}")
    if rule == "mse" and clip != 1:
        raise TableError("the mse rule chooses the clipping itself: leave clip at 1")
    largest = float(np.abs(values).max(initial=0.0))
    if clip * largest < np.finfo(np.float64).tiny * grid.largest:
        return 1.0
    if rule == "max":
        return clip * largest / grid.largest
    return _least_squares_scale(np.abs(values) / largest, grid) * largest


def nearest_codes(values: NDArray[np.float64], scale: float, bits: int | Grid) -> NDArray[np.int32]:
    """Get the code of the level nearest to each value (values,), on a grid or on the uniform one of `bits` bits.

    Raises:
        TableError: `bits` outside 2 … 16.
    """
    return _grid(bits).nearest(values, scale)


def block_errors(values: NDArray[np.float64], codes: NDArray[np.int32], scale: float, bits: int | Grid) -> BlockErrors:
    """Compare values (values,) with the levels code · scale that stand for them."""
    if not values.size:
        return BlockErrors(0, 0, 0.0, 0.0, 0.0)
    with np.errstate(over="ignore"):  # a level beyond the largest float64 makes an infinite error
        errors = codes * scale - values
    clipped = int(np.count_nonzero(np.abs(values) > _grid(bits).reach * scale))
    rms, size = _root_mean_square(errors), _root_mean_square(values)
    relative = 0.0 if rms == 0 else rms / size if size > 0 else float("inf")
    return BlockErrors(values.size, clipped, rms, float(np.abs(errors).max()), relative)


def _grid(bits: int | Grid) -> Grid:
    return bits if isinstance(bits, Grid) else Grid(bits)


def _root_mean_square(values: NDArray[np.float64]) -> float:
    largest = float(np.abs(values).max())
    if not np.isfinite(largest):
        return largest
    # Divided by the largest first: squares of very small or very large energies leave the range of a float64.
    return largest * float(np.sqrt(np.mean((values / largest) ** 2))) if largest > 0 else 0.0


def _least_squares_scale(magnitudes: NDArray[np.float64], grid: Grid) -> float:
    """Minimise Σ (m − s · code(m, s))² over s; `magnitudes` (values,) have the maximum 1."""
    curve = _ErrorCurve(magnitudes, grid)
    # The optimum is s = Σ m c / Σ c². As c ≤ L, the largest code, rises with m, s ≥ Σ m c / (L Σ c) ≥ mean(m) / L
    # (Chebyshev's sum inequality); as m ≤ 1 and c ≤ c², s ≤ 1.
    low, high = float(magnitudes.mean()) / grid.largest, 1.0
    while curve.changes(low, high) > _MAX_SWEPT:
        scan = np.geomspace(low, high, _GRID)
        best = int(np.argmin([curve.error(scale) for scale in scan]))
        for reach in (128, 64, 32, 16, 8, 4, 2):  # as much around the best as can be swept
            low, high = float(scan[max(best - reach, 0)]), float(scan[min(best + reach, _GRID - 1)])
            if curve.changes(low, high) <= _MAX_SWEPT:
                break
    # Above 2²¹ changes the interval is chosen by a scan: never be worse than the plain rule.
    return min((curve.best_scale(low, high), 1 / grid.largest), key=curve.error)


class _ErrorCurve:
    """The squared error as a function of the scale s, from sorted distinct magnitudes and their running sums.

    With the codes c of the scale s the error is Σ m² − 2 s A + s² B, where A = Σ m c and B = Σ c². The code of m rises
    from c to its successor c' where s falls below m / ((c + c')/2): A grows by m (c' − c) there and B by c'² − c².
    """

    def __init__(self, magnitudes: NDArray[np.float64], grid: Grid) -> None:
        self.distinct, self.counts = np.unique(magnitudes, return_counts=True)
        codes = grid.magnitudes.astype(np.float64)
        self.thresholds = 0.5 * (codes[1:] + codes[:-1])
        self.steps, self.square_steps = np.diff(codes), np.diff(codes**2)
        self.counts_from = _sums_from(self.counts.astype(np.float64))
        self.sums_from = _sums_from(self.counts * self.distinct)
        self.squares = float((self.counts * self.distinct**2).sum())

    def moments(self, scale: float) -> tuple[float, float]:
        """Get A and B at a scale."""
        above = np.searchsorted(self.distinct, scale * self.thresholds, side="right")
        first = float((self.steps * self.sums_from[above]).sum())
        return first, float((self.square_steps * self.counts_from[above]).sum())

    def error(self, scale: float) -> float:
        """Get the squared error at a scale."""
        first, second = self.moments(scale)
        return self.squares - 2 * scale * first + scale**2 * second

    def changes(self, low: float, high: float) -> int:
        """Count the changes of a code while the scale falls from `high` to `low`."""
        starts, ends = self._changing(low, high)
        return int((ends - starts).sum())

    def best_scale(self, low: float, high: float) -> float:
        """Get the scale of least error, exactly, among those whose codes occur between `low` and `high`.

        Codes that stay fixed have their least error Σ m² − A²/B at s = A/B, and the nearest codes at that s are at
        least as good: so the largest A²/B over the sequence of codes is the minimum.
        """
        starts, ends = self._changing(low, high)
        lengths = ends - starts
        code = np.repeat(np.arange(len(lengths)), lengths)
        magnitude = np.arange(len(code)) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        order = np.argsort(-self.distinct[magnitude] / self.thresholds[code], kind="stable")
        magnitude, code = magnitude[order], code[order]
        counts = self.counts[magnitude]
        first, second = self.moments(high)
        first_sums = first + np.concatenate([[0.0], np.cumsum(counts * self.steps[code] * self.distinct[magnitude])])
        second_sums = second + np.concatenate([[0.0], np.cumsum(counts * self.square_steps[code])])
        gain = np.divide(first_sums**2, second_sums, out=np.zeros_like(first_sums), where=second_sums > 0)
        best = int(np.argmax(gain))
        return float(first_sums[best] / second_sums[best])

    def _changing(self, low: float, high: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Get, for each code but the largest, the range of distinct magnitudes that pass from it to its successor."""
        starts = np.searchsorted(self.distinct, low * self.thresholds, side="right")
        return starts, np.searchsorted(self.distinct, high * self.thresholds, side="right")


def _sums_from(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Get, at index i, the sum of `values` from i on; one longer than `values`."""
    return np.concatenate([np.cumsum(values[::-1])[::-1], [0.0]])
