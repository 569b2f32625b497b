# SPDX-License-Identifier: Apache-2.0
"""The energy of one unit on its own: quadratic, quartic, and the cosine of a Josephson junction."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
POINTS = 4001
"""Grid points of quadratures and of the search for wells."""


@dataclass(frozen=True, eq=False)
class OnSite:
    """V1(x) = J2 x² + J4 x⁴ + c cos(w x), each (units,); bounded below.

    Attributes:
        J2: Quadratic energies.
        J4: Quartic energies.
        cosine: c, energies.
        wavenumber: w, dimensionless.
    """

    J2: Floats
    J4: Floats
    cosine: Floats
    wavenumber: Floats

    def energy(self, x: Floats) -> Floats:
        """Get V1 of states (…, units); returns (…, units)."""
        quartic = (self.J4 * x**2 + self.J2) * x**2
        return quartic + self.cosine * np.cos(self.wavenumber * x) if self.cosine.any() else quartic

    def slope(self, x: Floats) -> Floats:
        """Get V1'(x) of states (…, units); returns (…, units)."""
        quartic = (4 * self.J4 * x**2 + 2 * self.J2) * x
        if not self.cosine.any():
            return quartic
        return quartic - self.cosine * self.wavenumber * np.sin(self.wavenumber * x)

    def stiffness(self, square: Floats) -> Floats:
        """Get an upper bound of V1'' for x² ≤ square, (units,); without cosine, V1'' at x² = square.

        The cosine counts with its largest curvature on the way, −c w² cos(min(w |x|, π)) for c > 0.
        """
        phase = np.where(self.cosine > 0, np.minimum(np.abs(self.wavenumber) * np.sqrt(square), np.pi), 0.0)
        return 2 * self.J2 + 12 * self.J4 * square - self.cosine * self.wavenumber**2 * np.cos(phase)

    def take(self, units: Any) -> "OnSite":
        """Get the energies of some units."""
        return OnSite(self.J2[units], self.J4[units], self.cosine[units], self.wavenumber[units])

    def reach(self, energy: Floats, bias: Floats) -> Floats:
        """Get an |x| beyond which V1(x) − |bias| |x| exceeds its minimum by more than `energy`; all (units,).

        Beyond the largest |x| with V1 = …: J2 x² + J4 x⁴ − |bias| |x| ≤ energy + 2 |c|, each term bounded on its own.
        """
        above = energy + 2 * np.abs(self.cosine)
        quadratic, quartic = np.maximum(self.J2, 0), np.where(self.J4 > 0, self.J4, 1.0)
        push = np.abs(bias)
        with_quartic = (
            np.sqrt(2 * np.maximum(-self.J2, 0) / quartic) + np.cbrt(4 * push / quartic) + (4 * above / quartic) ** 0.25
        )
        stiff = np.where(quadratic > 0, quadratic, 1.0)
        with_quadratic = 2 * push / stiff + np.sqrt(2 * above / stiff)
        both = np.minimum(with_quartic, with_quadratic)
        alone = np.where(self.J4 > 0, with_quartic, with_quadratic)
        return np.where((self.J4 > 0) & (quadratic > 0), both, alone)

    def wells(self, pull: Floats) -> Floats:
        """Get the largest |x| at which each unit rests under a constant force pull ≥ 0, (units,): V1'(x) = pull.

        With a cosine, to the resolution of a grid: rests closer together than its points may be missed.
        """
        kinds, which = np.unique(
            np.stack([self.J2, self.J4, self.cosine, self.wavenumber, pull], axis=1), axis=0, return_inverse=True
        )
        unit = OnSite(*kinds[:, :4].T)
        force = kinds[:, 4]
        far = unit.reach(np.zeros(len(kinds)), force)
        low, high = np.zeros(len(kinds)), far.copy()
        if unit.cosine.any():  # several wells: find the outermost change of sign on a grid
            none = np.zeros(len(kinds))
            far = OnSite(unit.J2, unit.J4, none, none).wells(force + np.abs(unit.cosine * unit.wavenumber))
            grid = far * np.linspace(0, 1, POINTS)[:, None]
            below = unit.slope(grid) < force
            last = np.where(below.any(axis=0), POINTS - 1 - below[::-1].argmax(axis=0), 0)
            low, high = far * last / (POINTS - 1), far * np.minimum(last + 1, POINTS - 1) / (POINTS - 1)
        else:  # V1' − pull rises for good beyond its minimum
            low = np.sqrt(np.maximum(-unit.J2, 0) / (6 * np.where(unit.J4 > 0, unit.J4, 1.0)))
        for _ in range(60):
            middle = 0.5 * (low + high)
            rising = unit.slope(middle) < force
            low, high = np.where(rising, middle, low), np.where(rising, high, middle)
        return (0.5 * (low + high))[which.ravel()]

    def thermal_variance(self, kT: Floats) -> Floats:
        """Get ⟨x²⟩ of each unit at thermal energies kT (units,), by quadrature; at kT = 0 the square of its well."""
        kinds, which = np.unique(
            np.stack([self.J2, self.J4, self.cosine, self.wavenumber, kT], axis=1), axis=0, return_inverse=True
        )
        unit = OnSite(*kinds[:, :4].T)
        temperature = kinds[:, 4]
        grid = unit.reach(40 * temperature, np.zeros(len(kinds))) * np.linspace(-1, 1, POINTS)[:, None]
        energy = unit.energy(grid)
        weight = np.exp(-(energy - energy.min(axis=0)) / np.where(temperature > 0, temperature, 1.0))
        variances = (weight * grid**2).sum(axis=0) / weight.sum(axis=0)
        rest = unit.wells(np.zeros(len(kinds))) ** 2
        return np.where(temperature > 0, variances, rest)[which.ravel()]
