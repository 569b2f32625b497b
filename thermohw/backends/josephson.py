# SPDX-License-Identifier: Apache-2.0
"""A network of rf SQUIDs with compound junctions at half a flux quantum; the coordinate is the phase."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.analog import AnalogDevice
from thermohw.cards import REFERENCE_J2, REFERENCE_J4, JosephsonCard
from thermohw.errors import DeviceLimitError, ProgramError
from thermohw.langevin.as_built import AsBuilt
from thermohw.program import Program
from thermohw.topology import Topology
from thermohw.units import REDUCED_FLUX_QUANTUM, PhysicalScale, thermal_energy

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JosephsonComponents:
    """U = Σ_i [½ E_L,i (φ_i − φ_x,i)² + E_J,i cos φ_i] + Σ_(ij) φ0² Γ_ij φ_i φ_j, E_L = φ0²/L, E_J = φ0 I_c.

    φ0² C_J φ'' = −(φ0²/R) φ' − ∂U/∂φ + noise, ⟨noise noise⟩ = 2 (φ0²/R) k_BT δ.

    Attributes:
        capacitance: C_J of every junction, F.
        resistance: Shunt R of every junction, ohm.
        thermal_energy: k_BT, J.
        inductance: (units,) L, H.
        critical_current: (units,) I_c to which the compound junction is tuned, A.
        external_phase: (units,) φ_x beyond half a flux quantum that a loop alone would need, rad.
        pairs: (pairs, 2) coupled loops.
        inverse_inductance: (pairs,) Γ, 1/H, off-diagonal elements of the inverse inductance matrix.
    """

    capacitance: float
    resistance: float
    thermal_energy: float
    inductance: Floats
    critical_current: Floats
    external_phase: Floats
    pairs: NDArray[np.int32]
    inverse_inductance: Floats

    @property
    def mutual_inductance(self) -> Floats:
        """Get the mutual inductance M = −Γ L_i L_j of each pair, (pairs,), H, to first order in M/L."""
        first, second = self.pairs.T
        return -self.inverse_inductance * self.inductance[first] * self.inductance[second]

    @property
    def applied_flux(self) -> Floats:
        """Get the flux to apply beyond half a flux quantum, (units,), Wb: coupled loops pass it on to each other.

        The energy of coupled loops is ½ φ0² (φ − φ_x)ᵀ (1/L + Γ) (φ − φ_x), so that (1/L + Γ) φ_x = external_phase/L.
        """
        inverse = np.diag(1 / self.inductance)
        first, second = self.pairs.T
        inverse[first, second] = inverse[second, first] = self.inverse_inductance
        phase = np.asarray(np.linalg.solve(inverse, self.external_phase / self.inductance), np.float64)
        return REDUCED_FLUX_QUANTUM * phase


class JosephsonJunction(AnalogDevice[JosephsonCard, JosephsonComponents]):
    """Phases in the true potential, cosine included, with inertia.

    With k = k_BT and x = φ/x_u, matching the potential to fourth order: J2 = (E_L − E_J) x_u²/2k, J4 = E_J x_u⁴/24k,
    φ0² Γ = J k/x_u², φ_x = −b k/(E_L x_u), t0 = x_u² φ0²/(R k), m* = R C_J/t0. What is integrated is the cosine itself.
    x_u follows from the card's L, which is that of a unit with J2 = J4 = 10 k_BT: E_L x_u⁴ − 2 J2 k x_u² − 24 J4 k = 0.
    Arguments: see `AnalogDevice`.

    Raises:
        DeviceLimitError: A junction would need a critical current beyond the card's, or a negative inductance.
    """

    kind = JosephsonCard

    def components(self, program: Program) -> JosephsonComponents:
        """Get the component values, in SI units, that build a program, whether or not the card's ranges allow them.

        Raises:
            DeviceLimitError: A unit would need a critical current beyond the junction's, or no inductances build it.
        """
        parts, k, x_u = self.card.components, self.scale.energy, self.scale.length
        junction, inductive = self._energies(program)
        current = junction / REDUCED_FLUX_QUANTUM
        largest = parts.critical_current.value
        if (current > largest).any():
            unit = int(np.argmax(current))
            raise DeviceLimitError(
                f"{self.card.name}: {int((current > largest).sum())} units need a critical current above the "
                f"junction's {largest:.4g} A, the worst {current[unit]:.4g} A at unit {unit} with J4 = "
                f"{program.J4[unit]:.4g} k_BT"
            )
        self._require_positive_inductances(program, inductive)
        return JosephsonComponents(
            parts.capacitance.value,
            parts.resistance.value,
            k,
            REDUCED_FLUX_QUANTUM**2 / inductive,
            current,
            -program.biases * k / (inductive * x_u),
            program.topology.pairs,
            program.couplings * self._coupling_unit(),
        )

    def program_of(self, components: JosephsonComponents, topology: Topology) -> Program:
        """Get the program that component values build, with the cosine taken to fourth order."""
        k, x_u = components.thermal_energy, self.scale.length
        inductive = REDUCED_FLUX_QUANTUM**2 / components.inductance
        junction = REDUCED_FLUX_QUANTUM * components.critical_current
        return Program(
            topology,
            (inductive - junction) * x_u**2 / (2 * k),
            junction * x_u**4 / (24 * k),
            -components.external_phase * inductive * x_u / k,
            components.inverse_inductance / self._coupling_unit(),
        )

    def _energies(self, program: Program) -> tuple[Floats, Floats]:
        """Get E_J and E_L of each unit, (units,), J.

        Raises:
            DeviceLimitError: A unit needs E_L ≤ 0, which no inductance has.
        """
        k, x_u = self.scale.energy, self.scale.length
        junction = 24 * k * program.J4 / x_u**4
        inductive = 2 * k * program.J2 / x_u**2 + junction
        if (inductive <= 0).any():
            unit = int(np.argmin(inductive))
            raise DeviceLimitError(
                f"{self.card.name}: no inductance builds unit {unit}: J2 = {program.J2[unit]:.4g}, J4 = "
                f"{program.J4[unit]:.4g} k_BT; J2 must exceed −12 J4/x_u² = {-12 * program.J4[unit] / x_u**2:.4g} k_BT"
            )
        return junction, inductive

    def _require_positive_inductances(self, program: Program, inductive: Floats) -> None:
        """Refuse couplings that the parabolas alone do not hold: the cosine, unlike a quartic term, is bounded.

        Raises:
            DeviceLimitError: The inverse inductance matrix 1/L + Γ is not positive definite.
        """
        parabola = inductive * self.scale.length**2 / (2 * self.scale.energy)
        try:
            Program(program.topology, parabola, np.array(0.0), program.biases, program.couplings)
        except ProgramError as error:
            raise DeviceLimitError(
                f"{self.card.name}: no inductances build these couplings, the inverse inductance matrix must be "
                f"positive definite; with J2 = E_L x_u²/2k_BT, {error}"
            ) from error

    def _scale_of(self) -> PhysicalScale:
        parts, k = self.card.components, thermal_energy(self.card.temperature.value)
        inductive = REDUCED_FLUX_QUANTUM**2 / parts.inductance.value
        slope = REFERENCE_J2 * k / inductive
        square = slope + np.sqrt(slope**2 + 24 * REFERENCE_J4 * k / inductive)
        friction = REDUCED_FLUX_QUANTUM**2 / parts.resistance.value
        return PhysicalScale(
            coordinate="phase", unit="rad", length=float(np.sqrt(square)), energy=k, time=float(square * friction / k)
        )

    def _reduced_mass(self) -> float:
        parts = self.card.components
        return parts.resistance.value * parts.capacitance.value / self.scale.time

    def _coupling_unit(self) -> float:
        return self.scale.energy / (self.scale.length * REDUCED_FLUX_QUANTUM) ** 2

    def _bias_units(self, program: Program | None) -> Floats:
        k, x_u = self.scale.energy, self.scale.length
        if program is None:
            return np.array([-k * self.card.components.inductance.value / (REDUCED_FLUX_QUANTUM**2 * x_u)])
        return -k / (self._energies(program)[1] * x_u)

    def _integrated(self, components: JosephsonComponents, topology: Topology) -> AsBuilt:
        program, k, x_u = self.program_of(components, topology), components.thermal_energy, self.scale.length
        inductive = REDUCED_FLUX_QUANTUM**2 / components.inductance
        return AsBuilt(
            topology.visible,
            inductive * x_u**2 / (2 * k),
            np.array(0.0),
            program.biases,
            program.matrix,
            np.array(1.0),
            np.array(1.0),
            REDUCED_FLUX_QUANTUM * components.critical_current / k,
            np.full(topology.units, x_u),
            np.array(self.spec.mass),
        )
