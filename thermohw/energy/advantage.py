# SPDX-License-Identifier: Apache-2.0
"""How much less energy a thermodynamic computer needs, and what is counted in saying so."""

from dataclasses import dataclass

from thermohw.energy.digital import DigitalBaseline
from thermohw.statistics import Estimate


@dataclass(frozen=True)
class Advantage:
    """Ratio of the digital energy to the thermodynamic one, a sample.

    Attributes:
        ratio: Digital energy over thermodynamic energy.
        standard_error: Of the ratio, from that of the thermodynamic energy; the digital figure is taken as given.
        counts: What the thermodynamic energy counts.
        digital_kT: Digital energy a sample, k_BT.
        thermodynamic_kT: Thermodynamic energy a sample, k_BT.
    """

    ratio: float
    standard_error: float
    counts: str
    digital_kT: float
    thermodynamic_kT: Estimate


def intrinsic_advantage(heat: Estimate, baseline: DigitalBaseline) -> Advantage:
    """Get the paper's advantage: the heat of the dynamics alone against the digital arithmetic alone.

    Programming, readout, static power and cooling of the device, and memory traffic of the digital computer, are not
    counted.

    Args:
        heat: Mean heat a sample, k_BT.
        baseline: The digital computer.
    """
    ratio = baseline.energy_kT / heat.mean if heat.mean > 0 else float("nan")
    error = abs(ratio * heat.standard_error / heat.mean) if heat.mean > 0 else float("nan")
    return Advantage(ratio, error, "intrinsic: heat of the dynamics only", baseline.energy_kT, heat)
