# SPDX-License-Identifier: Apache-2.0
"""Programs that make a calibrated device do what was wanted."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import CalibrationError, ProgramError
from thermohw.estimation.basis import Floats
from thermohw.estimation.estimates import Estimates, jackknife_errors
from thermohw.program import Program
from thermohw.topology import Topology

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
    def of(estimates: Estimates, program: Program, kT: float = 1.0) -> "Deviations":
        """Get the deviations from the estimates of a device that held a program.

        Each kind is shrunk towards its mean over the device by what its own scatter exceeds its errors (empirical
        Bayes): an estimate that is mostly error changes little, and what all share is kept in full. Pairs and units
        without an estimate, or programmed as zero, get the mean.

        Args:
            estimates: By pairs, or by lines: then a coupling's gain is g_ij = g_i g_j/⟨g⟩ of its two lines, by block.
            program: What the device held, without the applied biases.
            kT: Thermal energy of the spec.

        Raises:
            CalibrationError: The estimates are of another topology, or have no temperature.
        """
        if not estimates.topology.same_as(program.topology):
            raise CalibrationError("the estimates are of another topology than the program")
        heating = _weighted_mean(estimates.values["kT"], _pooled(estimates.standard_error("kT"))) / kT
        if not np.isfinite(heating):
            raise CalibrationError("the estimates have no temperature, so nothing can be compensated for it")
        factors = {name: _shrunk(*_relative(estimates, name, getattr(program, name))) for name in ("J2", "J4")}
        offsets = _shrunk(estimates.values["biases"] - program.biases, _pooled(estimates.standard_error("biases")))
        if estimates.method == "lines":
            gains = _line_gains(estimates, program.topology)
        else:
            gains = _shrunk(*_relative(estimates, "couplings", program.couplings))
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
        CalibrationError: A coupling that is wanted is stuck, or what is left is not bounded below.
    """
    stuck = (np.abs(deviations.gains) < LEAST_GAIN) & (wanted.couplings != 0)
    if stuck.any():
        pair = tuple(wanted.topology.pairs[int(np.argmax(stuck))].tolist())
        raise CalibrationError(
            f"{int(stuck.sum())} couplings do not follow what is programmed, the first at {pair}: leave these pairs out"
        )
    heating = deviations.heating
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


def _relative(estimates: Estimates, name: str, programmed: Floats) -> tuple[Floats, Floats]:
    """Get estimates and their errors over what is programmed, NaN where that is zero."""
    known = np.where(programmed == 0, np.nan, programmed)
    return estimates.values[name] / known, _pooled(estimates.standard_error(name)) / np.abs(known)


def _pooled(errors: Floats) -> Floats:
    """Get the r.m.s. error of a kind for each: weights from single jackknife errors would be as noisy as these are."""
    known = np.isfinite(errors)
    typical = float(np.sqrt((errors[known] ** 2).mean())) if known.any() else np.nan
    return np.where(known, typical, np.nan)


def _shrunk(values: Floats, errors: Floats) -> Floats:
    """Shrink estimates towards their mean: by the scatter that their errors do not explain (DerSimonian and Laird)."""
    mean = _weighted_mean(values, errors)
    known = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if not known.any():
        return np.full(values.shape, mean if np.isfinite(mean) else 1.0)
    weights = 1 / errors[known] ** 2
    scatter = (weights * (values[known] - mean) ** 2).sum() - (known.sum() - 1)
    spread = max(float(scatter / (weights.sum() - (weights**2).sum() / weights.sum())), 0.0) if known.sum() > 1 else 0.0
    shrunk = np.full(values.shape, mean)
    shrunk[known] += (values[known] - mean) * spread / (spread + errors[known] ** 2)
    return shrunk


def _weighted_mean(values: Floats, errors: Floats) -> float:
    known = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if not known.any():
        return float("nan")
    return float(np.average(values[known], weights=1 / errors[known] ** 2))


def _line_gains(estimates: Estimates, topology: Topology) -> Floats:
    """Get the gains (pairs,) of couplings from those of lines: g_ij = ḡ · g_i/⟨g_i⟩ · g_j/⟨g_j⟩, layer by layer.

    ḡ is what all couplings between two layers share. Both ends tell it, one of them perhaps much better: the means over
    their lines are weighed by the jackknife errors of these means.
    """
    values, replicates = estimates.values["gains"], estimates.replicates["gains"]
    errors = estimates.standard_error("gains").reshape(-1, 2)
    layer = (np.arange(topology.units) >= topology.visible).astype(np.int64)
    relative, mean, precision = np.full((topology.units, 2), np.nan), np.zeros((2, 2)), np.zeros((2, 2))
    for own in (0, 1):
        for other in (0, 1):
            rows = (layer == own) & np.isfinite(values[:, other])
            if rows.any():
                mean[own, other] = values[rows, other].mean()
                error = float(jackknife_errors(replicates[:, rows, other].mean(axis=1)))
                precision[own, other] = 1 / max(error**2, np.finfo(np.float64).tiny)
                shrunk = _shrunk(values[rows, other], _pooled(errors[rows, other]))
                relative[rows, other] = shrunk / shrunk.mean()
    weight = precision + precision.T
    common = (mean * precision + (mean * precision).T) / np.where(weight > 0, weight, 1.0)
    pairs: NDArray[np.int32] = topology.pairs
    one, two = layer[pairs[:, 0]], layer[pairs[:, 1]]
    return np.asarray(common[one, two] * relative[pairs[:, 0], two] * relative[pairs[:, 1], one])
