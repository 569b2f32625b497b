# SPDX-License-Identifier: Apache-2.0
"""Heat, work and free energy of runs; the fluctuation relations that tie them together."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from thermohw.errors import PlanError, ProgramError
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.linear import linear_steady_state
from thermohw.langevin.observer import Observer, TrajectoryPiece
from thermohw.statistics import Estimate


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


def steady_heat_rates(built: AsBuilt) -> NDArray[np.float64]:
    """Get the mean heat that each unit of a linear computer gives to its bath in the steady state, (units,).

    In the unit of energy per time,
    ⟨F_i ∘ ẋ_i⟩ = μ_i [(H Σ Hᵀ)_ii − kT_i H_ii], H = 2 J2 + K, Σ the steady-state covariance: the mean of F_i times
    the probability current μ_i (F_i − kT_i ∂_i) p. All of it is housekeeping heat (Y. Oono and M. Paniconi,
    Prog. Theor. Phys. Suppl. 130, 29 (1998)); divided by kT_i and summed it is the rate of entropy production, k_B.

    Raises:
        ProgramError: The computer is not linear, has inertia, imperfect dynamics or no steady state.
    """
    drift, covariance = linear_steady_state(built)
    stiffness = drift / built.mobility[:, None]
    square = np.einsum("ij,jk,ik->i", stiffness, covariance, stiffness)
    return built.mobility * (square - built.kT * np.diag(stiffness))


@dataclass(frozen=True, eq=False)
class EntropySplit:
    """Entropy given to the baths by each sample, k_B, in its two parts.

    Attributes:
        excess: (samples,) share of the relaxation towards the steady state.
        housekeeping: (samples,) share of keeping the steady state up; zero with detailed balance.
    """

    excess: NDArray[np.float64]
    housekeeping: NDArray[np.float64]


def entropy_split(built: AsBuilt, initial: ArrayLike, final: ArrayLike, entropy: ArrayLike) -> EntropySplit:
    """Split the entropy that runs of a linear computer at constant biases gave to the baths.

    The excess part is −Δφ, φ = −ln p_s of the steady state, here (x − m)ᵀ Σ⁻¹ (x − m)/2 with A Σ + Σ Aᵀ = 2 μ kT
    (T. Hatano and S. Sasa, Phys. Rev. Lett. 86, 3463 (2001); T. Speck and U. Seifert, J. Phys. A 38, L581 (2005)).

    Args:
        built: The computer.
        initial: (samples, units) states at the start.
        final: (samples, units) states at the end.
        entropy: (samples,) Σ_i Q_i/kT_i of the runs, k_B.

    Raises:
        ProgramError: The computer is not linear, has inertia, imperfect dynamics, a kT = 0 or no steady state.
    """
    if not built.kT.all():
        raise ProgramError(f"the entropy of a bath needs kT > 0; unit {int(np.argmin(built.kT))} has kT = 0")
    drift, covariance = linear_steady_state(built)
    mean = np.linalg.solve(drift, -built.mobility * built.biases)
    inverse = np.linalg.inv(covariance)
    ends = (np.asarray(states, np.float64) - mean for states in (initial, final))
    before, after = (0.5 * np.einsum("si,ij,sj->s", x, inverse, x) for x in ends)
    excess = before - after
    return EntropySplit(excess, np.asarray(entropy, np.float64) - excess)
