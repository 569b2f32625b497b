# SPDX-License-Identifier: Apache-2.0
"""A network of mechanical oscillators of any quality factor; the coordinate is the deflection."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.analog import AnalogDevice
from thermohw.cards import REFERENCE_J2, MechanicalCard
from thermohw.langevin.as_built import AsBuilt
from thermohw.program import Program
from thermohw.topology import Topology
from thermohw.units import PhysicalScale, thermal_energy

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MechanicalComponents:
    """m z_i'' = −γ z_i' − k1_i z_i − k3_i z_i³ − F_i − Σ_j κ_ij z_j + noise, ⟨noise noise⟩ = 2 γ k_BT δ.

    Attributes:
        mass: m of every oscillator, kg.
        friction: γ of every oscillator, kg/s.
        thermal_energy: k_BT, J.
        stiffness: (units,) k1, N/m.
        cubic_stiffness: (units,) k3, N/m³.
        force: (units,) F, N; it enters the energy as +F z.
        pairs: (pairs, 2) coupled oscillators.
        coupling_stiffness: (pairs,) κ, N/m.
    """

    mass: float
    friction: float
    thermal_energy: float
    stiffness: Floats
    cubic_stiffness: Floats
    force: Floats
    pairs: NDArray[np.int32]
    coupling_stiffness: Floats


class MechanicalOscillator(AnalogDevice[MechanicalCard, MechanicalComponents]):
    """Oscillators with inertia, overdamped or not.

    With k = k_BT and x = z/x_u: k1 = 2 J2 k/x_u², k3 = 4 J4 k/x_u⁴, κ = J k/x_u², F = b k/x_u, t0 = x_u² γ/k and
    m* = (m/γ)/t0, so that m*·2 J2 = Q² = k1 m/γ²; x_u follows from the card's k1, which is that of a unit with
    J2 = 10 k_BT. Arguments: see `AnalogDevice`.
    """

    kind = MechanicalCard

    def components(self, program: Program) -> MechanicalComponents:
        """Get the component values, in SI units, that build a program, whether or not the card allows them."""
        mass, friction = self._inertia_and_friction()
        x_u, unit = self.scale.length, self._coupling_unit()
        return MechanicalComponents(
            mass,
            friction,
            self.scale.energy,
            2 * program.J2 * unit,
            4 * program.J4 * unit / x_u**2,
            program.biases * unit * x_u,
            program.topology.pairs,
            program.couplings * unit,
        )

    def program_of(self, components: MechanicalComponents, topology: Topology) -> Program:
        """Get the program that component values build."""
        x_u = self.scale.length
        unit = components.thermal_energy / x_u**2
        return Program(
            topology,
            components.stiffness / (2 * unit),
            components.cubic_stiffness * x_u**2 / (4 * unit),
            components.force / (unit * x_u),
            components.coupling_stiffness / unit,
        )

    def _inertia_and_friction(self) -> tuple[float, float]:
        """Get the mass, kg, and the friction, kg/s."""
        parts = self.card.components
        k1, frequency = parts.stiffness.value, 2 * np.pi * parts.resonance_frequency.value
        return float(k1 / frequency**2), float(k1 / (frequency * parts.quality_factor.value))

    def _scale_of(self) -> PhysicalScale:
        k, friction = thermal_energy(self.card.temperature.value), self._inertia_and_friction()[1]
        x_u = float(np.sqrt(2 * REFERENCE_J2 * k / self.card.components.stiffness.value))
        return PhysicalScale(coordinate="deflection", unit="m", length=x_u, energy=k, time=x_u**2 * friction / k)

    def _reduced_mass(self) -> float:
        mass, friction = self._inertia_and_friction()
        return mass / friction / self.scale.time

    def _coupling_unit(self) -> float:
        return self.scale.energy / self.scale.length**2

    def _bias_units(self, program: Program | None) -> Floats:
        return np.array([self.scale.energy / self.scale.length])

    def _integrated(self, components: MechanicalComponents, topology: Topology) -> AsBuilt:
        quartic = AsBuilt.from_program(self.program_of(components, topology))
        return replace(quartic, mass=np.array(self.spec.mass))
