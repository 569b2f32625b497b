# SPDX-License-Identifier: Apache-2.0
"""Excess 1/f noise as a sum of Ornstein–Uhlenbeck processes, each held for a share of its correlation time."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import PlanError, ProgramError
from thermohw.langevin.noise import FLICKER, FLICKER_STREAMS

RATIO = 4.0
"""Largest ratio of neighbouring correlation times: a ripple of ±0.33 % in the middle of a band."""
LEAST_HOLD = 4
"""Steps for which the fastest process is held at least; more often would cost as much as the white noise."""


@dataclass(frozen=True)
class Flicker:
    """Noise φ(t), relative to each unit's white noise: adds √(2 μ kT) φ dt to dx, of spectral density corner/|f|.

    φ = Σ_j z_j, independent Ornstein–Uhlenbeck processes of correlation times τ_j = 1/(2π f_j), f_j spaced evenly in
    ln f from `lowest` to `highest`, and of variance 2 ln(ratio) · corner each, ratio that of neighbours (at most 4):

        S(f) = Σ_j 4 ln(ratio) · corner · τ_j/(1 + (2π f τ_j)²)          two-sided; that of the white noise is 1

    S f/corner is 1 ± 0.0033 in the middle of the band, 0.93 a factor 4 inside its ends and 0.72 at them; S is flat
    below, and falls as 1/f² above. (The superposition is that of A. L. McWhorter, in Semiconductor Surface Physics,
    University of Pennsylvania Press 1957.)

    Attributes:
        corner: Frequency at which corner/f equals the white noise's density, 1/time.
        lowest: Lower end of the band, 1/time.
        highest: Upper end of the band, 1/time.

    Raises:
        ProgramError: A frequency out of order, or a band wider than 13 factors of 4.
    """

    corner: float
    lowest: float
    highest: float

    def __post_init__(self) -> None:
        if not 0 < self.corner < np.inf:
            raise ProgramError(f"the corner frequency of flicker noise must be positive and finite, got {self.corner}")
        if not 0 < self.lowest < self.highest < np.inf:
            raise ProgramError(
                f"flicker noise needs 0 < lowest < highest frequency; got {self.lowest} and {self.highest}"
            )
        if len(self.times) > FLICKER_STREAMS:
            widest = RATIO ** (FLICKER_STREAMS - 1)
            raise ProgramError(
                f"flicker noise from {self.lowest:g} to {self.highest:g} takes {len(self.times)} processes, at most "
                f"{FLICKER_STREAMS} go: highest/lowest may be {widest:.3g}, so lowest must be at least "
                f"{self.highest / widest:.3g}"
            )

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """Get the correlation times τ_j (processes,), shortest first."""
        factors = np.log(self.highest / self.lowest) / np.log(RATIO)
        count = 1 + max(1, int(np.ceil(factors * (1 - 1e-12))))
        return 1 / (2 * np.pi * np.geomspace(self.highest, self.lowest, count))

    @property
    def variance(self) -> float:
        """Get the variance of each process, 1/time."""
        return 2 * float(np.log(self.times[1] / self.times[0])) * self.corner

    def density(self, frequency: ArrayLike) -> NDArray[np.float64]:
        """Get the two-sided spectral density of φ at frequencies, of their shape; that of the white noise is 1."""
        phase = 2 * np.pi * np.asarray(frequency, np.float64)[..., None] * self.times
        return 2 * self.variance * (self.times / (1 + phase**2)).sum(axis=-1)

    @property
    def longest_step(self) -> float:
        """Get the longest time step that the fastest process allows."""
        return float(self.times[0] / (2 * LEAST_HOLD))

    def renewal(self, dt: float) -> "Renewal":
        """Get how the processes are advanced in steps of dt.

        The fastest is held for a half of its correlation time, the others for about a quarter of theirs, in multiples
        of that; from one hold to the next each is advanced exactly.

        Raises:
            PlanError: The fastest process would be held for less than 4 steps.
        """
        fastest = int(self.times[0] / (2 * dt) * (1 + 1e-9))
        if fastest < LEAST_HOLD:
            raise PlanError(
                f"flicker noise up to the frequency {self.highest:.4g} needs a time step of at most "
                f"{self.longest_step:.3g}, got {dt:.3g}; at that step its highest frequency may be "
                f"{1 / (4 * np.pi * LEAST_HOLD * dt):.3g}"
            )
        holds = fastest * np.maximum(1, (self.times / (4 * fastest * dt)).astype(np.int64))
        passed = holds * dt / self.times
        size = np.sqrt(self.variance * dt)
        return Renewal(holds, np.exp(-passed), size * np.sqrt(-np.expm1(-2 * passed)), float(size))


@dataclass(frozen=True, eq=False)
class Renewal:
    """How flicker noise moves from hold to hold: z_j ← decay_j z_j + kick_j η; its sum stands beside the white noise.

    A step's normal number g becomes g + Σ_j z_j: the processes come multiplied by √dt.

    Attributes:
        holds: (processes,) steps for which each is held, multiples of the first.
        decay: (processes,) e^{−hold · dt/τ}.
        kick: (processes,) √(dt · variance · (1 − decay²)).
        size: √(dt · variance), the standard deviation of each.
    """

    holds: NDArray[np.int64]
    decay: NDArray[np.float64]
    kick: NDArray[np.float64]
    size: float

    @staticmethod
    def stream(process: int) -> int:
        """Get the stream of the noise that drives a process, by number step // hold + 1 at multiples of its hold."""
        return FLICKER + process
