# SPDX-License-Identifier: Apache-2.0
"""What both estimators share: the law that they look for, each unit's features, and linear systems that can be bad."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import CalibrationError
from thermohw.estimation.basis import Basis, Floats, scale_of
from thermohw.topology import Topology

WORST_CONDITION = 1e10
"""Of a unit's normal equations with features scaled to one: beyond it their digits are lost."""


@dataclass(frozen=True, eq=False)
class Law:
    """Parameters of dx_i = −μ_i (2 J2_i x_i + 4 J4_i x_i³ + b_i + B_i + Σ_j K_ij x_j) dt + √(2 μ_i kT_i) dW_i.

    Attributes:
        J2: (units,) quadratic on-site energies.
        J4: (units,) quartic on-site energies.
        biases: (units,) b, without the applied B.
        couplings: (pairs, 2) K_ij and K_ji of the pairs i < j: what each end feels of the other.
        mobility: (units,) μ; NaN where nothing is known of it.
        kT: (units,) thermal energies.
    """

    J2: Floats
    J4: Floats
    biases: Floats
    couplings: Floats
    mobility: Floats
    kT: Floats

    @staticmethod
    def of_slopes(slopes: Floats, mobility: Floats, kT: Floats, topology: Topology) -> "Law":
        """Get the law of ∂V/∂x_i as coefficients (units, units + 3) of x_i, x_i³, 1 and x_j, in this order."""
        i, j = topology.pairs.T
        matrix = slopes[:, 3:]
        couplings = np.column_stack([matrix[i, j], matrix[j, i]])
        return Law(slopes[:, 0] / 2, slopes[:, 1] / 4, slopes[:, 2], couplings, mobility, kT)

    def slopes(self, topology: Topology) -> Floats:
        """Get the coefficients that `of_slopes` takes."""
        i, j = topology.pairs.T
        slopes = np.zeros((len(self.J2), len(self.J2) + 3))
        slopes[:, 0], slopes[:, 1], slopes[:, 2] = 2 * self.J2, 4 * self.J4, self.biases
        slopes[i, 3 + j], slopes[j, 3 + i] = self.couplings.T
        return slopes


@dataclass(frozen=True, eq=False)
class Regressors:
    """The features that a unit's force is made of.

    Attributes:
        unit: The unit.
        columns: (regressors,) their positions in the basis: x, x³, 1, B, then the partners' x.
        partners: (partners,) the units that may be coupled to it.
    """

    unit: int
    columns: NDArray[Any]
    partners: NDArray[Any]

    @staticmethod
    def of_all(topology: Topology, basis: Basis) -> "list[Regressors]":
        """Get those of every unit."""
        found: list[Regressors] = []
        for unit, partners in enumerate(topology.partners):
            own = [basis.power(1, unit), basis.power(3, unit), basis.one, basis.applied(unit)]
            found.append(Regressors(unit, np.array([*own, *basis.power(1, partners)], np.int64), partners))
        return found

    def solve(self, matrix: Floats, right: Floats) -> Floats:
        """Solve for the coefficients of the regressors.

        Args:
            matrix: (features, features) of the whole basis.
            right: (features,) likewise.

        Raises:
            CalibrationError: The regressors did not vary independently.
        """
        small = matrix[np.ix_(self.columns, self.columns)]
        varied = np.diag(small) != 0
        if not varied.all():
            what = ("x", "x³", "1", "applied bias")
            flat = int(np.argmin(varied))
            name = what[flat] if flat < len(what) else f"x of unit {self.partners[flat - len(what)]}"
            raise CalibrationError(f"unit {self.unit}: its {name} never differed from zero, so nothing is known of it")
        return solve_scaled(small, right[self.columns], self.unit)

    def spread(self, coefficients: Floats, units: int) -> Floats:
        """Get a row (units + 3,) of `Law.slopes` from coefficients of the regressors."""
        row = np.zeros(units + 3)
        row[:3] = coefficients[:3]
        row[3 + self.partners] = coefficients[4:]
        return row


def scaled_condition(matrix: Floats) -> float:
    """Get the condition number of second moments or normal equations whose features are scaled to one."""
    return float(np.linalg.cond(_scaled(matrix)[0])) if matrix.size else 1.0


def solve_scaled(matrix: Floats, right: Floats, unit: int) -> Floats:
    """Solve a unit's normal equations, features scaled to one.

    Raises:
        CalibrationError: The features did not vary independently.
    """
    scaled, scale = _scaled(matrix)
    if not np.linalg.cond(scaled) <= WORST_CONDITION:
        raise CalibrationError(
            f"unit {unit}: its features did not vary independently; apply biases of both signs, in more runs"
        )
    return np.linalg.solve(scaled, right / scale) / scale


def _scaled(matrix: Floats) -> tuple[Floats, Floats]:
    scale = scale_of(matrix)
    return matrix / np.outer(scale, scale), scale
