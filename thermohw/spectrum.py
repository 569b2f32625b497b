# SPDX-License-Identifier: Apache-2.0
"""The modes of a program: which collective directions grow out of noise."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import eigsh

from thermohw.langevin.as_built import AsBuilt
from thermohw.program import Program

DENSE_UNITS = 4000
"""Up to this size all modes are computed; beyond it, the fastest-growing ones."""
LEADING = 64


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues of −J against the growth line 1/⟨x²⟩₀.

    A mode of −J with an eigenvalue above kT/⟨x²⟩₀ of the uncoupled units overcomes their stiffness and grows, until
    the quartic term stops it: it is a pattern that the computer generates. Spurious modes above the line are the
    first sign of a bad program or table.

    Attributes:
        eigenvalues: (modes,) of −J, in the unit of kT, descending; all of them, or the largest.
        growth_line: kT/⟨x²⟩₀, averaged over the units.
    """

    eigenvalues: NDArray[np.float64]
    growth_line: float

    @property
    def growing(self) -> int:
        """Get the number of modes above the growth line."""
        return int((self.eigenvalues > self.growth_line).sum())


def mode_spectrum(program: Program, kT: float = 1.0) -> Spectrum:
    """Get the eigenvalues of −J of a program and its growth line at a thermal energy kT."""
    line = float(np.mean(kT / AsBuilt.from_program(program, kT=kT).thermal_variance))
    matrix: Any = -program.matrix
    units = program.topology.units
    if units <= DENSE_UNITS:
        values = np.linalg.eigvalsh(matrix.toarray())
    else:
        start = np.random.default_rng(0).normal(size=units)  # fixed: the same program, the same numbers
        values = eigsh(matrix, k=LEADING, which="LA", v0=start, return_eigenvectors=False)
    return Spectrum(np.sort(np.asarray(values, np.float64))[::-1], line)
