# SPDX-License-Identifier: Apache-2.0
"""How much less energy a thermodynamic computer needs, and what is counted in saying so."""

import math
from dataclasses import dataclass
from typing import Any

from thermohw.energy.digital import DigitalBaseline, DigitalCost
from thermohw.energy.ledger import Ledger, finite, scaled
from thermohw.statistics import Estimate
from thermohw.units import ROOM_TEMPERATURE, thermal_energy

SIGMAS = 3.0
"""Standard errors by which a denominator must differ from zero, for an error to be propagated to first order."""

NEGLIGIBLE = 1e-3
"""Relative standard error below which text only says so."""

INTRINSIC = "intrinsic: heat of the dynamics only"
SYSTEM = "system: heat, programming, readout, static power and cooling"


@dataclass(frozen=True)
class Advantage:
    """Ratio of the digital energy to the thermodynamic one, a sample.

    Attributes:
        ratio: Digital energy over thermodynamic energy; NaN where the latter is not positive.
        standard_error: Of the ratio, from that of the thermodynamic energy; the digital figure is taken as given. NaN
            where it is not defined.
        counts: What the thermodynamic energy counts.
        digital_kT: Digital energy a sample, k_BT at the temperature of the comparison.
        thermodynamic_kT: Thermodynamic energy a sample, in the same unit.
        upper_bound: Whether rows of the device are unknown, so that the true ratio is smaller.
        reason: Why a number is NaN or a bound; empty if neither.
    """

    ratio: float
    standard_error: float
    counts: str
    digital_kT: float
    thermodynamic_kT: Estimate
    upper_bound: bool = False
    reason: str = ""

    def __str__(self) -> str:
        if math.isnan(self.ratio):
            return "undefined"
        bound = "≤ " if self.upper_bound else ""
        return f"{bound}{self.ratio:.3g}{error_text(self.standard_error, self.ratio)}"

    def as_dict(self) -> dict[str, Any]:
        """Get the advantage for JSON; what is not defined is null."""
        return {
            "ratio": finite(self.ratio),
            "standard_error": finite(self.standard_error),
            "counts": self.counts,
            "upper_bound": self.upper_bound,
            "reason": self.reason,
        }


def error_text(standard_error: float, value: float) -> str:
    """Get " ± 3e+08" for a standard error, in the unit of the value."""
    if math.isnan(standard_error):
        return " ± undefined"
    return f" ± {standard_error:.1g}" if standard_error >= NEGLIGIBLE * abs(value) else f" ± <{100 * NEGLIGIBLE:g} %"


def intrinsic_advantage(
    heat: Estimate, baseline: DigitalBaseline, device_thermal_energy: float | None = None
) -> Advantage:
    """Get the paper's advantage: the heat of the dynamics alone against the digital arithmetic alone.

    Programming, readout, static power and cooling of the device, and memory traffic of the digital computer, are not
    counted. Both energies are taken in joules: a device of another temperature emits another heat.

    Args:
        heat: Mean heat a sample, in the device's own k_BT_eff.
        baseline: The digital computer.
        device_thermal_energy: k_BT_eff of the device, J; if None, k_BT at the baseline's temperature, as in the paper.
    """
    unit = thermal_energy(baseline.temperature)
    own = unit if device_thermal_energy is None else device_thermal_energy
    return _advantage(baseline.energy_kT, scaled(heat, own / unit), INTRINSIC)


def system_advantage(ledger: Ledger, digital: DigitalCost) -> Advantage:
    """Get the advantage with every row of the ledger counted, against the digital computer's `energy`.

    While rows are unknown it is an upper bound.

    Args:
        ledger: The device's.
        digital: The digital computer's energy a sample.
    """
    unit = thermal_energy(ROOM_TEMPERATURE)
    missing = "; ".join(f"{name}: {what}" for name, what in ledger.missing.items())
    return _advantage(digital.energy / unit, scaled(ledger.total, 1 / unit), SYSTEM, missing)


def _advantage(digital: float, device: Estimate, counts: str, missing: str = "") -> Advantage:
    bound = bool(missing)
    if not device.mean > 0:
        reason = f"the thermodynamic energy is {device.mean:.3g} k_BT a sample, not positive"
        return Advantage(math.nan, math.nan, counts, digital, device, bound, reason)
    ratio = digital / device.mean
    error, reason = propagated(ratio / device.mean, device.mean, device.standard_error)
    return Advantage(ratio, error, counts, digital, device, bound, "; ".join(filter(None, (missing, reason))))


def propagated(derivative: float, denominator: float, standard_error: float) -> tuple[float, str]:
    """Get the first-order standard error |derivative| · standard_error, or NaN and the reason why it is not defined.

    Args:
        derivative: Of the result by the denominator.
        denominator: What the result was divided by.
        standard_error: Of the denominator.
    """
    if math.isnan(standard_error):
        return math.nan, "no standard error from fewer than two samples"
    if abs(denominator) < SIGMAS * standard_error:
        return math.nan, f"the denominator is within {SIGMAS:g} standard errors of zero"
    return abs(derivative) * standard_error, ""


@dataclass(frozen=True)
class BreakEven:
    """Samples per programming from which on a device needs less energy a sample than a digital computer.

    Attributes:
        samples: Where both are equal, None if never or not known. Below one, the device is ahead from the first sample.
        standard_error: Of `samples`, from that of the heat; NaN where it is not defined.
        lower_bound: Whether rows of the device are unknown, so that the true number is larger, or there is none.
        reason: Why there is no number, or no error; empty if there are both.
    """

    samples: float | None
    standard_error: float
    lower_bound: bool
    reason: str = ""

    def __str__(self) -> str:
        if self.samples is None:
            return self.reason.partition(":")[0]
        if self.samples < 1:
            return "≥ 1" if self.lower_bound else "1"
        bound = "≥ " if self.lower_bound else ""
        return f"{bound}{self.samples:.3g}{error_text(self.standard_error, self.samples)}"

    def as_dict(self) -> dict[str, Any]:
        """Get the break-even for JSON; what is not defined is null."""
        return {**vars(self), "standard_error": finite(self.standard_error)}


def break_even(ledger: Ledger, digital: DigitalCost) -> BreakEven:
    """Find the samples per programming n at which the device's system energy equals a digital computer's.

    With P the energy of one programming and R that of all other rows, P/n + R = D at n = P/(D − R).

    Args:
        ledger: The device's, at any number of samples per programming.
        digital: The digital computer's energy a sample, D.
    """
    programming = ledger.row("programming").energy
    bound = ledger.lower_bound
    rest = ledger.total.mean - (programming.mean if programming is not None else 0.0)
    margin, error = digital.energy - rest, ledger.total.standard_error
    if math.isnan(margin):
        return BreakEven(None, math.nan, bound, "unknown: there is no sample to take the heat from")
    if margin <= 0:
        least = "at least " if bound else ""
        reason = f"never: {least}{rest:.3g} J a sample without programming, digital {digital.energy:.3g} J"
        return BreakEven(None, math.nan, bound, reason)
    if programming is None:
        return BreakEven(None, math.nan, bound, f"unknown: {ledger.row('programming').missing}")
    samples = programming.mean * ledger.samples_per_programming / margin
    deviation, reason = propagated(samples / margin, margin, error)
    return BreakEven(samples, deviation, bound, reason)
