# SPDX-License-Identifier: Apache-2.0
"""A network of RC nodes with cubic conductances; the coordinate is the voltage of a node."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.analog import AnalogDevice
from thermohw.cards import REFERENCE_J2, RCCard
from thermohw.langevin.as_built import AsBuilt
from thermohw.program import Program
from thermohw.topology import Topology
from thermohw.units import PhysicalScale, thermal_energy

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RCComponents:
    """C dV_i/dt = −g1_i V_i − g3_i V_i³ − I_i − Σ_j G_ij V_j + noise, ⟨noise noise⟩ = 2 k_BT_eff g_n δ.

    Attributes:
        capacitance: C of every node, F.
        noise_conductance: g_n of every node, S.
        thermal_energy: k_BT_eff, J.
        linear_conductance: (units,) g1, S.
        cubic_conductance: (units,) g3, A/V³.
        bias_current: (units,) I, A.
        pairs: (pairs, 2) coupled nodes.
        coupling_conductance: (pairs,) G, S; the same in both directions.
    """

    capacitance: float
    noise_conductance: float
    thermal_energy: float
    linear_conductance: Floats
    cubic_conductance: Floats
    bias_current: Floats
    pairs: NDArray[np.int32]
    coupling_conductance: Floats


class RCCircuit(AnalogDevice[RCCard, RCComponents]):
    """An RC network, overdamped by construction.

    With k = k_BT_eff and x = V/x_u, the stationary density is exp(−C U/(k g_n)) for dV/dt = −U'(V)/C, so that
    g1 = 2 J2 k g_n/(C x_u²), g3 = 4 J4 k g_n/(C x_u⁴), G = J k g_n/(C x_u²), I = b k g_n/(C x_u), t0 = x_u² C²/(k g_n);
    x_u follows from the card's g1, which is that of a unit with J2 = 10 k_BT. Arguments: see `AnalogDevice`.
    """

    kind = RCCard

    def components(self, program: Program) -> RCComponents:
        """Get the component values, in SI units, that build a program, whether or not the card allows them."""
        parts, x_u, unit = self.card.components, self.scale.length, self._coupling_unit()
        return RCComponents(
            parts.capacitance.value,
            parts.noise_conductance.value,
            self.scale.energy,
            2 * program.J2 * unit,
            4 * program.J4 * unit / x_u**2,
            program.biases * unit * x_u,
            program.topology.pairs,
            program.couplings * unit,
        )

    def program_of(self, components: RCComponents, topology: Topology) -> Program:
        """Get the program that component values build."""
        x_u = self.scale.length
        unit = components.thermal_energy * components.noise_conductance / (components.capacitance * x_u**2)
        return Program(
            topology,
            components.linear_conductance / (2 * unit),
            components.cubic_conductance * x_u**2 / (4 * unit),
            components.bias_current / (unit * x_u),
            components.coupling_conductance / unit,
        )

    def _scale_of(self) -> PhysicalScale:
        parts, k = self.card.components, thermal_energy(self.card.temperature.value)
        C, g1, g_n = parts.capacitance.value, parts.conductance.value, parts.noise_conductance.value
        x_u = np.sqrt(2 * REFERENCE_J2 * k * g_n / (C * g1))
        return PhysicalScale(
            coordinate="voltage", unit="V", length=float(x_u), energy=k, time=float(x_u**2 * C**2 / (k * g_n))
        )

    def _reduced_mass(self) -> float:
        return 0.0

    def _coupling_unit(self) -> float:
        parts = self.card.components
        return self.scale.energy * parts.noise_conductance.value / (parts.capacitance.value * self.scale.length**2)

    def _bias_units(self, program: Program | None) -> Floats:
        return np.array([self._coupling_unit() * self.scale.length])

    def _integrated(self, components: RCComponents, topology: Topology) -> AsBuilt:
        return AsBuilt.from_program(self.program_of(components, topology))
