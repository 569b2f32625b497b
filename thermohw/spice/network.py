# SPDX-License-Identifier: Apache-2.0
"""Voltages and times to be expected of an RC network, from its components.

Unit i on its own is p ∝ exp(−W(V)/θ) with W = g1 V²/2 + g3 V⁴/4 + I_b V and θ = k_BT_eff g_n/C.
"""

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.rc_circuit import RCComponents
from thermohw.errors import ProgramError

DIVERGED = 30.0
"""A node that exceeds this many times the largest rms voltage of a unit on its own has run away."""


def rms_voltages(components: RCComponents) -> NDArray[np.float64]:
    """Get an upper bound on the rms voltage of each unit on its own, (units,), V.

    By the virial theorem g3⟨V⁴⟩ + g1⟨V²⟩ + I_b⟨V⟩ = θ, and ⟨V⁴⟩ ≥ ⟨V²⟩², |⟨V⟩| ≤ s = √⟨V²⟩: s is at most the only
    positive root of g3 s⁴ + g1 s² − |I_b| s − θ. The bound is exact for linear units without bias.

    Raises:
        ProgramError: A unit that no conductance of its own confines.
    """
    linear, cubic, bias = components.linear_conductance, components.cubic_conductance, components.bias_current
    loose = np.flatnonzero(~((cubic > 0) | ((cubic == 0) & (linear > 0))))
    if loose.size:
        unit = int(loose[0])
        raise ProgramError(
            f"unit {unit} is not confined: g3 = {cubic[unit]:g} A/V³, g1 = {linear[unit]:g} S; "
            "g3 must be positive, or zero with a positive g1"
        )
    theta = components.thermal_energy * components.noise_conductance / components.capacitance
    return np.array([
        max(root.real for root in np.roots([g3, 0, g1, -abs(current), -theta]) if root.imag == 0)
        for g1, g3, current in zip(linear, cubic, bias, strict=True)
    ])  # fmt: skip


def fastest_relaxation(components: RCComponents) -> float:
    """Get the relaxation time of the network's fastest mode, s: C over the largest eigenvalue of g1 + 3 g3 s² + G.

    Couplings included, it is at most that of the fastest unit on its own. s is `rms_voltages`.

    Raises:
        ProgramError: A unit that no conductance of its own confines.
    """
    conductance = np.diag(
        components.linear_conductance + 3 * components.cubic_conductance * rms_voltages(components) ** 2
    )
    first, second = components.pairs.T
    conductance[first, second] = conductance[second, first] = components.coupling_conductance
    return float(components.capacitance / np.linalg.eigvalsh(conductance)[-1])


def voltage_limit(components: RCComponents) -> float:
    """Get the voltage that no node reaches unless its integration has run away, V.

    Raises:
        ProgramError: A unit that no conductance of its own confines.
    """
    return DIVERGED * float(rms_voltages(components).max())
