# SPDX-License-Identifier: Apache-2.0
"""Physical constants (CODATA, through scipy) and the step between reduced and SI quantities.

Reduced units: energy in k_BT of the device, x dimensionless, time in 1/(mu k_BT).
"""

from scipy import constants

BOLTZMANN = float(constants.k)
"""Boltzmann constant, J/K (exact, SI 2019)."""

ROOM_TEMPERATURE = 300.0
"""Room temperature used for energy comparisons, K (1 pJ is then 2.41e8 k_BT, as in the paper)."""


def thermal_energy(temperature: float = ROOM_TEMPERATURE) -> float:
    """Get k_B T in joules at a temperature in kelvin."""
    return BOLTZMANN * temperature


def joules_to_kT(energy: float, temperature: float = ROOM_TEMPERATURE) -> float:
    """Convert an energy in joules to units of k_B T at a temperature in kelvin."""
    return energy / thermal_energy(temperature)


def kT_to_joules(energy: float, temperature: float = ROOM_TEMPERATURE) -> float:
    """Convert an energy in units of k_B T at a temperature in kelvin to joules."""
    return energy * thermal_energy(temperature)
