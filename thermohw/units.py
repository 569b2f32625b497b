# SPDX-License-Identifier: Apache-2.0
"""Physical constants (CODATA, through scipy), quantities with their source, and the step between reduced and SI.

Reduced units: energy in k_BT of the device, x dimensionless, time in 1/(mu k_BT).
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from scipy import constants

BOLTZMANN = float(constants.k)
"""Boltzmann constant, J/K (exact, SI 2019)."""

REDUCED_FLUX_QUANTUM = float(constants.hbar / (2 * constants.e))
"""Reduced flux quantum φ0 = ħ/2e = Φ0/2π, Wb."""

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


Status = Literal["measured", "fitted", "datasheet", "assumed"]
"""How a number is known."""


class Quantity(BaseModel):
    """A physical number with its unit, source and status."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: float
    unit: str
    source: str = Field(min_length=1)
    status: Status


class PhysicalScale(BaseModel):
    """What one reduced unit is in SI units, for one device.

    x = coordinate/length, energies in k_BT_eff = `energy`, times in t0 = `time`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    coordinate: str = Field(description="what x stands for, such as voltage")
    unit: str = Field(description="SI unit of the coordinate")
    length: float = Field(gt=0, description="x_u, one reduced unit of x, in `unit`")
    energy: float = Field(gt=0, description="k_BT_eff, thermal energy of the device's own noise, J")
    time: float = Field(gt=0, description="t0, the reduced unit of time, s")
