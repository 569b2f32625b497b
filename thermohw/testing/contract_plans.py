# SPDX-License-Identifier: Apache-2.0
"""Programs' energies and run plans in the scale of a device."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thermohw.device import ThermodynamicDevice
from thermohw.langevin.ensemble import Keep
from thermohw.langevin.schedule import BiasSchedule
from thermohw.plan import RunPlan


def clock(device: ThermodynamicDevice) -> float:
    """Get the device's time unit: 1/(mobility · kT), or √(m/kT) where inertia makes that the longer one."""
    return max(1 / (device.spec.mobility * device.spec.kT), (device.spec.mass / device.spec.kT) ** 0.5)


def energies(device: ThermodynamicDevice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Get the on-site energies J2 = J4 = kT of the contract's programs, which relax within one unit of the clock."""
    return np.array(device.spec.kT), np.array(device.spec.kT)


def plan_for(
    device: ThermodynamicDevice,
    samples: int,
    *,
    steps: int = 40,
    time_step: float = 0.01,
    bias_schedule: BiasSchedule | None = None,
    initial: Literal["uncoupled", "unbiased"] | NDArray[Any] = "uncoupled",
    record_every: int = 1,
    keep: Keep = "both",
    first_chain: int = 0,
    seed: int | None = 1,
) -> RunPlan:
    """Get a plan of `steps` steps of `time_step` in the device's clock; the rest as in `RunPlan`."""
    dt = time_step * clock(device)
    return RunPlan(
        steps * dt,
        samples,
        dt,
        bias_schedule,
        initial,
        record_every,
        keep,
        first_chain,
        seed,
    )
