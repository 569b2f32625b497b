# SPDX-License-Identifier: Apache-2.0
"""Heat, work and free energy of runs; the fluctuation relations that tie them together."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from thermohw.errors import PlanError
from thermohw.langevin.observer import Observer, TrajectoryPiece
from thermohw.statistics import Estimate


def heat_emitted(energy_drop: ArrayLike, work: ArrayLike) -> NDArray[np.float64]:
    """Get the heat given to the bath by the first law, Q = V[x(0)] − V[x(t_f)] + W, all in one energy unit."""
    return np.asarray(energy_drop, np.float64) + np.asarray(work, np.float64)


def jarzynski_free_energy(work: ArrayLike, kT: float = 1.0) -> Estimate:
    """Estimate ΔF = −kT ln⟨e^{−W/kT}⟩ from works (samples,) of runs that start in equilibrium.

    C. Jarzynski, Phys. Rev. Lett. 78, 2690 (1997). The standard error is the delta method's; it is trustworthy
    while the work's standard deviation is not many kT.
    """
    values = np.asarray(work, np.float64) / kT
    mean = float(-kT * (logsumexp(-values) - np.log(values.size)))
    weights = np.exp(-(values - values.min()))
    spread = Estimate.of(weights / weights.mean())
    return Estimate(mean, kT * spread.standard_error, kT * spread.standard_deviation, values.size)


@dataclass(eq=False)
class HeatMeter(Observer):
    """Measures the heat along each path as the Stratonovich work of the force, Q = Σ_k ½ [F(x_k) + F(x_{k+1})]·Δx_k.

    Q is an energy in the unit of the device's kT: divide by kT for the k_BT of `Samples.heat`.

    Needs no potential, so it holds for non-reciprocal couplings too; with one, it tends to the first law's heat as
    Δt → 0 (K. Sekimoto, Stochastic Energetics, Springer 2010). The force of a step is that at the step's biases;
    record every step, or the rule is that much coarser.
    """

    _by_first_chain: dict[int, NDArray[np.float64]] = field(default_factory=dict[int, NDArray[np.float64]])

    @property
    def heat(self) -> NDArray[np.float64]:
        """Get the heat (chains,), in the unit of the device's kT, in the order of the chains."""
        parts = [self._by_first_chain[chain] for chain in sorted(self._by_first_chain)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def fresh(self) -> Self:
        """Get an empty meter."""
        return type(self)()

    def observe(self, piece: TrajectoryPiece) -> None:
        """Take in a piece of trajectories.

        Raises:
            PlanError: The units have inertia: part of the work of the force is then kinetic energy, not heat.
        """
        built = piece.dynamics.as_built
        if built.inertial:
            raise PlanError("the work of the force is not the heat where units have inertia; use Samples.heat")
        heat = self._by_first_chain.setdefault(piece.first_chain, np.zeros(len(piece.states[0])))
        for k in range(len(piece.states) - 1):
            before, after = piece.states[k].astype(np.float64), piece.states[k + 1].astype(np.float64)
            bias = piece.dynamics.biases_at(piece.first_step + k * piece.spacing)
            force = 0.5 * (built.force(before, bias) + built.force(after, bias))
            heat += (force * (after - before)).sum(axis=1)

    def absorb(self, other: Observer) -> None:
        """Add another meter's chains to these; chains of another run with the same numbers stand beside them.

        Raises:
            PlanError: The other is no heat meter.
        """
        for first_chain, heat in self.same_kind(other)._by_first_chain.items():
            known = self._by_first_chain.get(first_chain, np.zeros(0))
            self._by_first_chain[first_chain] = np.concatenate([known, heat])
