# SPDX-License-Identifier: Apache-2.0
"""The entropy that a device out of equilibrium gives to its baths, split into excess and housekeeping."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from thermohw.device import ThermodynamicDevice
from thermohw.heat import entropy_split
from thermohw.nonideal.device import NonidealDevice
from thermohw.plan import RunPlan
from thermohw.samples import Samples
from thermohw.statistics import Estimate


@dataclass(frozen=True)
class EntropyProduction:
    """Entropy given to the baths in the course of a run, k_B a sample.

    Attributes:
        total: Σ_i Q_i/kT_i.
        excess: Share of the relaxation towards the steady state; its mean vanishes there.
        housekeeping: What keeping the steady state up takes, zero with detailed balance.
        method: How they were told apart.
    """

    total: Estimate
    excess: Estimate
    housekeeping: Estimate
    method: str

    def as_dict(self) -> dict[str, Any]:
        """Get the figures for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"no detailed balance: entropy given to the baths {self.total} k_B a sample, of which excess {self.excess} "
            f"and housekeeping {self.housekeeping} ({self.method})"
        )


def entropy_production(device: ThermodynamicDevice, plan: RunPlan, samples: Samples) -> EntropyProduction | None:
    """Split the entropy production of a run that a device has just done, as T. Speck and U. Seifert do.

    J. Phys. A 38, L581 (2005). Of a linear computer at constant biases the split is exact for each sample, where its
    noise is white and its states are read exactly. Of others the steady state's density is not known: housekeeping is
    the mean entropy production of a second stretch of the same length, taken to be steady, and excess is the rest; the
    device runs again for that.

    Args:
        device: Still holds the program.
        plan: What was run.
        samples: What came of it.

    Returns:
        None where there is nothing to split: a potential and one temperature, or hardware.
    """
    built, entropy = device.as_built, samples.entropy
    if built is None or entropy is None or not np.isfinite(entropy).all():
        return None
    total = Estimate.of(entropy)
    exact = built.linear and built.ideal_noise and not built.inertial
    if isinstance(device, NonidealDevice):
        exact = exact and device.reads_exactly
    if exact and plan.bias_schedule is None and len(samples.initial_states):
        split = entropy_split(built, samples.initial_states, samples.states, entropy)
        return EntropyProduction(total, Estimate.of(split.excess), Estimate.of(split.housekeeping), "exact, linear")
    twice = replace(plan, duration=2 * plan.duration, dt=samples.dt, seed=samples.seed, keep="none", record_every=1)
    longer = device.run(twice).entropy
    assert longer is not None  # as it was
    second = longer - entropy
    method = f"second stretch of {plan.duration:g} taken as steady"
    return EntropyProduction(total, Estimate.of(entropy - second), Estimate.of(second), method)
