# SPDX-License-Identifier: Apache-2.0
"""Two sets of estimates of one program compared: whether a device has drifted, or two devices differ."""

from dataclasses import dataclass

import numpy as np

from thermohw.errors import CalibrationError
from thermohw.estimation.agreement import Agreement, agreement
from thermohw.estimation.basis import Floats
from thermohw.estimation.estimates import Estimates
from thermohw.estimation.estimates_file import NAMES


@dataclass(frozen=True, eq=False)
class Drift:
    """Differences of one parameter, later minus earlier.

    Attributes:
        name: Of the parameter.
        differences: (units,) or (pairs,).
        errors: Their standard errors, from both.
        agreement: With no difference; None where none is known.
    """

    name: str
    differences: Floats
    errors: Floats
    agreement: Agreement | None


def compare(earlier: Estimates, later: Estimates) -> list[Drift]:
    """Compare estimates parameter by parameter.

    Degrees of freedom are those of the fewer groups: on the safe side.

    Raises:
        CalibrationError: They are of different units or pairs.
    """
    topology = earlier.topology
    if not topology.same_as(later.topology):
        raise CalibrationError(
            f"{topology.units} units and {len(topology.pairs)} pairs cannot be compared with {later.topology.units} units "
            f"and {len(later.topology.pairs)} pairs: records must be of the same units and pairs"
        )
    pairs = [f"pair ({i}, {j})" for i, j in topology.pairs.tolist()]
    units = [f"unit {unit}" for unit in range(topology.units)]
    freedom = min(earlier.groups, later.groups) - 1
    found: list[Drift] = []
    for name in NAMES:
        differences = later.values[name] - earlier.values[name]
        errors = np.hypot(earlier.standard_error(name), later.standard_error(name))
        names = pairs if name in ("couplings", "asymmetry") else ["readings"] if name == "noise" else units
        found.append(Drift(name, differences, errors, agreement(differences, errors, freedom, names)))
    return found
