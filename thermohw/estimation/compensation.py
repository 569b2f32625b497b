# SPDX-License-Identifier: Apache-2.0
"""Programs that make a calibrated device do what was wanted."""

from dataclasses import dataclass, replace

import numpy as np

from thermohw.errors import CalibrationError, ProgramError
from thermohw.estimation.basis import Floats
from thermohw.estimation.estimates import Estimates
from thermohw.estimation.lines import gains_of_pairs
from thermohw.estimation.pairs import PairEstimates
from thermohw.estimation.shrinkage import pooled, shrunk, towards, weighted_mean
from thermohw.program import Program

MOST_OFF = 3.0
"""Temperature over the stated one beyond which, or below its inverse, the law that was fitted is not the device's."""

LEAST_GAIN = 0.05
"""A coupling whose estimated gain is below it is as good as stuck: no programmed value mends it."""


@dataclass(frozen=True, eq=False)
class Deviations:
    """What a device makes of a program: J' = gain · J, b' = b + offset, J2' = f2 · J2, J4' = f4 · J4, at heating · kT.

    Attributes:
        gains: (pairs,) of couplings.
        offsets: (units,) of biases, in the unit of the program's energies.
        J2: (units,) factors f2.
        J4: (units,) factors f4.
        heating: Thermal energy over that of the spec.
    """

    gains: Floats
    offsets: Floats
    J2: Floats
    J4: Floats
    heating: float

    @staticmethod
    def of(estimates: Estimates, program: Program, kT: float = 1.0, pairs: PairEstimates | None = None) -> "Deviations":
        """Get the deviations from the estimates of a device that held a program.

        Each kind is shrunk towards its mean over the device by what its own scatter exceeds its errors (empirical
        Bayes), and the mean towards the spec's where it is hardly known (`PLAUSIBLE`): an estimate that is mostly error
        changes little, and what all share is kept. Pairs and units without an estimate, or programmed as zero, get the
        mean.

        Args:
            estimates: Of couplings one by one, or of lines: then a coupling's gain is that of its two lines
                (`gains_of_pairs`).
            program: What the device held, without the applied biases.
            kT: Thermal energy of the spec.
            pairs: What is known of the couplings one by one beside the lines; on-site energies and biases are then its.

        Raises:
            CalibrationError: The estimates are of another topology, or their temperature is none, or not credible.
        """
        if not estimates.topology.same_as(program.topology):
            raise CalibrationError("the estimates are of another topology than the program")
        thermal, error = weighted_mean(estimates.values["kT"], pooled(estimates.standard_error("kT")))
        if not np.isfinite(thermal):
            reason = estimates.reasons.get("kT", "it is not finite")
            raise CalibrationError(f"the estimates have no temperature, so that nothing can be compensated: {reason}")
        if not kT / MOST_OFF <= thermal <= kT * MOST_OFF:
            raise CalibrationError(
                f"the estimated kT is {thermal / kT:.2g} times the stated one: the law that was fitted is not the "
                "device's, so that nothing can be compensated"
            )
        heating = towards(1.0, thermal / kT, error / kT)
        known = estimates if pairs is None else pairs
        factors = {name: shrunk(*_relative(known, name, getattr(program, name))) for name in ("J2", "J4")}
        offsets = shrunk(known.values["biases"] - program.biases, pooled(known.standard_error("biases")), 0.0, kT)
        if pairs is not None:
            gains = _gains_one_by_one(pairs, program)
        elif estimates.method == "lines":
            gains = gains_of_pairs(estimates)
        else:
            gains = shrunk(*_relative(estimates, "couplings", program.couplings))
        return Deviations(gains, offsets, factors["J2"], factors["J4"], heating)


def compensate(wanted: Program, deviations: Deviations, *, onsite: bool = True) -> Program:
    """Get the program that makes a device with these deviations have the Boltzmann density of the wanted one.

    J = heating · J_wanted/gain, b = heating · b_wanted − offset, and likewise J2 and J4 where the device can set them.
    Energies cannot mend mobilities that differ: these change how fast each unit goes, not where it comes to rest.

    Args:
        wanted: What is wanted, for a device as its spec says.
        deviations: Of the device.
        onsite: Whether J2 and J4 can be programmed; otherwise they stay.

    Raises:
        CalibrationError: A coupling or on-site energy that is wanted is stuck, or what is left is not bounded below.
    """
    stuck = (np.abs(deviations.gains) < LEAST_GAIN) & (wanted.couplings != 0)
    if stuck.any():
        pair = tuple(wanted.topology.pairs[int(np.argmax(stuck))].tolist())
        raise CalibrationError(
            f"{int(stuck.sum())} couplings do not follow what is programmed, the first at {pair}: leave these pairs out"
        )
    heating = deviations.heating
    for name, factors in (("J2", deviations.J2), ("J4", deviations.J4)):
        if onsite and not (factors > LEAST_GAIN).all():
            unit = int(np.argmin(factors))
            raise CalibrationError(
                f"{name} of unit {unit} is estimated at {factors[unit]:.2g} times the programmed one: take more "
                "readings, or leave on-site energies as they are"
            )
    try:
        found = replace(
            wanted,
            couplings=heating * wanted.couplings / deviations.gains,
            biases=heating * wanted.biases - deviations.offsets,
        )
        if not onsite:
            return found
        return replace(found, J2=heating * wanted.J2 / deviations.J2, J4=heating * wanted.J4 / deviations.J4)
    except ProgramError as error:
        raise CalibrationError(f"the compensated program cannot run: {error}") from error


def _relative(estimates: Estimates | PairEstimates, name: str, programmed: Floats) -> tuple[Floats, Floats]:
    """Get estimates and their errors over what is programmed, NaN where that is zero."""
    known = np.where(programmed == 0, np.nan, programmed)
    return estimates.values[name] / known, pooled(estimates.standard_error(name)) / np.abs(known)


def _gains_one_by_one(pairs: PairEstimates, program: Program) -> Floats:
    """Get the gains (pairs,) of couplings whose errors are held to be in proportion to them.

    The prior behind `pairs` is as wide for all, w J_rms. A posterior about K⁰ that has moved by s, of whose variance
    the readings removed the share l, is under a prior of width w |J| about the same centre

        K⁰ + s J²/(l J² + (1 − l) J_rms²)

    so that small couplings of which little is known keep the centre's gain.
    """
    J, learnt = program.couplings, pairs.learnt
    programmed = J != 0
    if not programmed.any():
        return np.ones(len(J))
    known = np.where(programmed, J, 1.0)
    share = known / (learnt * known**2 + (1 - learnt) * np.mean(J**2))
    gains = pairs.expected / known + (pairs.values["couplings"] - pairs.expected) * share
    return np.where(programmed, gains, gains[programmed].mean())
