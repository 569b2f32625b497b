# SPDX-License-Identifier: Apache-2.0
"""Rounding of a trained program that keeps its likelihood: the errors are laid where the training's Hessian is flat.

Nearest rounding makes coherent errors: a trained J has low rank and few distinct values, so that equal values err
alike, and the errors add up to spurious modes. Here each coupling is rounded in turn, those still open in its row make
good for its error, and a little random dither keeps the errors incoherent; coordinate descent on the grid then lowers
what is left of the distortion

    δ = ½ dᵀ H d = f(table) − f(program) − ∇f(program)·d,       d = (rounded − trained) couplings and biases,

with f the negative log-likelihood per unit time of `PathQuadratic`, H its Hessian. (Sequential rounding with error
feedback: E. Frantar et al., ICLR 2023, and the references there.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import TrainingError
from thermohw.langevin.noise import choose_seed
from thermohw.program import Program
from thermohw.tables import CouplingTable, Grid
from thermohw.tables.content import BIASES
from thermohw.tables.grids import GridName
from thermohw.tables.quantize import choose_scale, nearest_codes
from thermohw.training.moments import PathMoments
from thermohw.training.pair_kernel import project
from thermohw.training.quadratic import PathQuadratic
from thermohw.training.reduction import ReducedMoments, reduce_moments
from thermohw.training.rounding_kernel import descend
from thermohw.training.sequential_kernel import round_rows

Floats = NDArray[np.float64]
CLIPS = 0.85 ** np.arange(10)
"""Largest level over the largest magnitude of a block: the values tried."""
TRIAL_SWEEPS = 4
"""Sweeps after which the scales are compared."""
SWEEPS = 128
"""Sweeps of the descent at the best scales, at most; a few dozen suffice."""
DITHER = 0.5
"""Width of the random dither of sequential rounding, in codes."""
MIN_BIAS_BITS = 8
"""Bits a bias, unless the couplings have more: biases are few."""


def round_to_likelihood(
    program: Program,
    moments: PathMoments,
    bits: int,
    *,
    bias_bits: int | None = None,
    grid: GridName = "uniform",
    seed: int | None = None,
    gains: Floats | None = None,
) -> CouplingTable:
    """Round a program to the levels of a grid at little loss of likelihood.

    Biases are rounded to the nearest level first, and the couplings make good for their errors as far as they can. The
    scale of each block of couplings is chosen among `CLIPS` by the distortion reached.

    Args:
        program: The trained program.
        moments: Path moments of its training; energies in the same unit.
        bits: Bits a coupling.
        bias_bits: Bits a bias; None: as `bits`, but no fewer than 8.
        grid: Levels of the couplings; those of the biases are uniform.
        seed: Of dither and random rounding; None chooses one. The table records it.
        gains: (pairs,) what the device makes of a programmed coupling, over it; None: 1. The errors that count are then
            those of the device's couplings.

    Raises:
        TableError: Bits outside the grid's range, an unknown grid, or an energy that is no longer bounded below.
        TrainingError: The moments are of another number of units.
    """
    levels = Grid(bits, grid)
    bias_bits = max(bits, MIN_BIAS_BITS) if bias_bits is None else bias_bits
    bias_scale = choose_scale(program.biases, bias_bits)
    bias_codes = nearest_codes(program.biases, bias_scale, bias_bits)
    key = choose_seed() if seed is None else seed
    problem = RoundingProblem(
        program,
        moments,
        levels,
        bias_codes * bias_scale - program.biases,
        reduce_moments(moments.second),
        key,
        gains,
    )
    rounded = problem.best()
    blocks = {block: float(scale) for block, scale in zip(problem.blocks, rounded.scales, strict=True)}
    found = {"seed": str(key), "moments.reduction-error": f"{problem.reduced.error:.3g}"}
    return CouplingTable.of_codes(
        program,
        levels,
        problem.codes(rounded),
        {**blocks, BIASES: bias_scale},
        bias_codes,
        bias_bits,
        "likelihood",
        found,
    )


def distortion(program: Program, rounded: Program, moments: PathMoments, gains: Floats | None = None) -> float:
    """Get δ = ½ dᵀ H d per unit time of a rounded program's distance d to the trained one, in couplings and biases.

    With the gains (pairs,) of a device's couplings d is the distance on the device.

    Raises:
        TrainingError: The moments are of another number of units.
    """
    quadratic = full_quadratic(program, moments)
    error = rounded.couplings - program.couplings
    d = quadratic.pack(error if gains is None else gains * error, rounded.biases - program.biases)
    return float(0.5 * d @ quadratic.hessian_product(d))


def full_quadratic(program: Program, moments: PathMoments) -> PathQuadratic:
    """Get f as a function of all couplings and biases of a program.

    Raises:
        TrainingError: The moments are of another number of units.
    """
    units = program.topology.units
    if len(moments.mean) != units:
        raise TrainingError(f"the path moments are of {len(moments.mean)} units, the program has {units}")
    return PathQuadratic(moments, program.topology, np.arange(units))


@dataclass(frozen=True, eq=False)
class Rounded:
    """A state of the descent.

    Attributes:
        index: (pairs,) number of each coupling's level on the grid.
        scales: (blocks,) energy a code.
        distortion: δ.
        moved: Couplings that the last sweep moved; 0 at a minimum.
    """

    index: NDArray[np.int32]
    scales: Floats
    distortion: float
    moved: int


@dataclass(frozen=True, eq=False)
class RoundingProblem:
    """A program to be rounded, with all that the descent needs.

    Attributes:
        program: The trained program.
        moments: Path moments of its training.
        grid: Levels of the couplings.
        shift: (units,) errors of the rounded biases.
        reduced: Second moments as the descent sees them.
        seed: Of the random rounding.
        gains: (pairs,) what the device makes of a programmed coupling, over it; None: 1.
    """

    program: Program
    moments: PathMoments
    grid: Grid
    shift: Floats
    reduced: ReducedMoments
    seed: int
    gains: Floats | None = None

    @cached_property
    def quadratic(self) -> PathQuadratic:
        """Get f, with the moments as they are."""
        return full_quadratic(self.program, self.moments)

    @cached_property
    def blocks(self) -> dict[str, NDArray[np.bool_]]:
        """Get the masks of the blocks (pairs,)."""
        return self.program.topology.blocks

    @cached_property
    def block_of(self) -> NDArray[np.int32]:
        """Get the number of each pair's block, (pairs,)."""
        numbers = np.zeros(len(self.program.couplings), np.int32)
        for number, mask in enumerate(self.blocks.values()):
            numbers[mask] = number
        return numbers

    @cached_property
    def exact(self) -> Floats:
        """Get the couplings (pairs,) to come near to, as the device has them."""
        return self.program.couplings if self.gains is None else self.gains * self.program.couplings

    def steps(self, scales: Floats) -> Floats:
        """Get what a code is worth on the device, (pairs,), at scales (blocks,)."""
        steps = scales[self.block_of]
        return steps if self.gains is None else self.gains * steps

    def scales(self, clips: Floats) -> Floats:
        """Get the energies a code (blocks,) whose outermost levels are `clips` (blocks,) of the largest magnitudes."""
        couplings = self.program.couplings
        return np.array(
            [
                choose_scale(couplings[mask], self.grid, clip=float(clip))
                for clip, mask in zip(clips, self.blocks.values(), strict=True)
            ]
        )

    def codes(self, rounded: Rounded) -> NDArray[np.int32]:
        """Get the codes (pairs,) of a state."""
        return self.grid.codes[rounded.index].astype(np.int32)

    def error(self, index: NDArray[np.int32], scales: Floats) -> Floats:
        """Get the errors of the couplings, (pairs,), as the device has them."""
        return self.grid.codes[index] * self.steps(scales) - self.exact

    def measure(self, error: Floats) -> float:
        """Get δ for errors (pairs,) of the couplings, with those of the biases."""
        d = self.quadratic.pack(error, self.shift)
        return float(0.5 * d @ self.quadratic.hessian_product(d))

    def dithered(self, scales: Floats) -> NDArray[np.int32]:
        """Round up or down at random, (pairs,) numbers of levels: the same random numbers whatever the scales."""
        generator = np.random.default_rng([self.seed, 0])
        couplings = self.program.couplings
        codes = self.grid.dithered(couplings, scales[self.block_of], generator)
        return np.searchsorted(self.grid.codes, codes).astype(np.int32)

    def sequential(self, scales: Floats, dither: float = DITHER) -> NDArray[np.int32]:
        """Round row by row with error feedback, (pairs,) numbers of levels; `dither` in codes."""
        topology, couplings, reduced = self.program.topology, self.program.couplings, self.reduced
        codes = self.grid.nearest(couplings / scales[self.block_of], 1.0)
        index = np.searchsorted(self.grid.codes, codes).astype(np.int32)
        starts = np.searchsorted(topology.pairs[:, 0], np.arange(topology.units + 1))
        noise = dither * (np.random.default_rng([self.seed, 1]).random(len(couplings)) - 0.5)
        round_rows(
            topology.pairs, starts, self.exact, index, self.steps(scales), self.grid.codes.astype(np.float64),
            reduced.D, reduced.G, np.zeros_like(reduced.G), reduced.diagonal, self.moments.mean, self.shift, noise,
        )  # fmt: skip
        return index

    def descended(self, index: NDArray[np.int32], scales: Floats, sweeps: int) -> Rounded:
        """Descend from a state, which is left as it is, by at most so many sweeps."""
        index, moments, reduced = index.copy(), self.moments, self.reduced
        pairs = self.program.topology.pairs
        projected = np.zeros_like(reduced.G)
        project(pairs, self.error(index, scales), reduced.G, projected)
        levels = self.grid.codes.astype(np.float64)
        moved = descend(
            pairs, self.exact, index, self.steps(scales), levels, reduced.D, reduced.G, projected,
            reduced.diagonal, moments.mean, self.shift, sweeps,
        )  # fmt: skip
        return Rounded(index, scales, self.measure(self.error(index, scales)), moved)

    def best(self) -> Rounded:
        """Choose the scales, first one clip for all blocks, then block by block; round in sequence, and descend.

        The scales are chosen by descents from random rounding: these cost less, and have their best scales close by.
        """
        clips = np.ones(len(self.blocks))
        if not len(clips):
            return self.descended(np.zeros(0, np.int32), np.zeros(0), 1)
        tried = _Trials(self.trial)
        clips = min((np.full(len(clips), clip) for clip in CLIPS), key=tried)
        for number in range(len(clips) if len(clips) > 1 else 0):
            others = [np.where(np.arange(len(clips)) == number, clip, clips) for clip in CLIPS]
            clips = min([clips, *others], key=tried)
        scales = self.scales(clips)
        return self.descended(self.sequential(scales), scales, SWEEPS)

    def trial(self, clips: Floats) -> float:
        """Get δ after a short descent at some clips (blocks,)."""
        scales = self.scales(clips)
        return self.descended(self.dithered(scales), scales, TRIAL_SWEEPS).distortion


class _Trials:
    """Distortions of the clips already tried."""

    def __init__(self, trial: Callable[[Floats], float]) -> None:
        self.trial = trial
        self.found: dict[tuple[float, ...], float] = {}

    def __call__(self, clips: Floats) -> float:
        key = tuple(clips.tolist())
        if key not in self.found:
            self.found[key] = self.trial(clips)
        return self.found[key]
