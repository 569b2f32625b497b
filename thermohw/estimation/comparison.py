# SPDX-License-Identifier: Apache-2.0
"""Estimates compared: with what was programmed, or with earlier ones of the same device."""

from dataclasses import dataclass

import numpy as np

from thermohw.device import DeviceSpec
from thermohw.errors import CalibrationError
from thermohw.estimation.agreement import Agreement, agreement, normal_scores
from thermohw.estimation.basis import Floats
from thermohw.estimation.estimates import Estimates
from thermohw.estimation.estimates_file import names_of
from thermohw.program import Program
from thermohw.topology import Topology


@dataclass(frozen=True, eq=False)
class Difference:
    """Differences of one parameter.

    Attributes:
        name: Of the parameter.
        values: (units,) or (pairs,), in the unit of the program's energies, or of mobility.
        errors: Their standard errors.
        freedom: Degrees of freedom of a standard error.
        agreement: With no difference; None where nothing is known.
    """

    name: str
    values: Floats
    errors: Floats
    freedom: int
    agreement: Agreement | None

    @property
    def scores(self) -> Floats:
        """Get the normal scores of the differences that are known."""
        known = np.isfinite(self.values) & (self.errors > 0)
        return normal_scores(self.values[known] / self.errors[known], self.freedom)


def deviations(estimates: Estimates, program: Program, spec: DeviceSpec) -> list[Difference]:
    """Compare estimates with what was programmed and with what the device states, parameter by parameter.

    The noise of readings, of which nothing is programmed, is left out.
    """
    units = np.ones(program.units)
    nominal = {name: getattr(program, name) for name in ("J2", "J4", "biases", "couplings")}
    nominal |= {"mobility": spec.mobility * units, "kT": spec.kT * units, "asymmetry": np.zeros(len(program.couplings))}
    nominal |= {"gains": np.ones(2 * program.units)}
    return [
        _difference(name, estimates.values[name].ravel() - nominal[name], estimates.standard_error(name), estimates)
        for name in names_of(estimates.method)
        if name in nominal
    ]


def compare(earlier: Estimates, later: Estimates) -> list[Difference]:
    """Compare estimates, later minus earlier, parameter by parameter.

    Degrees of freedom are those of the fewer groups: on the safe side.

    Raises:
        CalibrationError: They are of different units or pairs.
    """
    here, there = earlier.topology, later.topology
    if not here.same_as(there):
        raise CalibrationError(
            f"{here.units} units and {len(here.pairs)} pairs cannot be compared with {there.units} units and "
            f"{len(there.pairs)} pairs: records must be of the same units and pairs"
        )
    fewer = min(earlier, later, key=lambda estimates: estimates.groups)
    return [
        _difference(
            name,
            (later.values[name] - earlier.values[name]).ravel(),
            np.hypot(earlier.standard_error(name), later.standard_error(name)),
            fewer,
        )
        for name in names_of(earlier.method)
        if name in names_of(later.method)  # one made line by line and one made pair by pair share the units' own
    ]


def _difference(name: str, values: Floats, errors: Floats, estimates: Estimates) -> Difference:
    freedom = estimates.groups - 1
    return Difference(
        name, values, errors, freedom, agreement(values, errors, freedom, _labels(name, estimates.topology))
    )


def _labels(name: str, topology: Topology) -> list[str]:
    if name in ("couplings", "asymmetry"):
        return [f"pair ({i}, {j})" for i, j in topology.pairs.tolist()]
    if name == "gains":
        return [f"unit {unit} to {layer} units" for unit in range(topology.units) for layer in ("visible", "hidden")]
    return ["readings"] if name == "noise" else [f"unit {unit}" for unit in range(topology.units)]
