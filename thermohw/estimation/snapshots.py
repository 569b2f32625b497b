# SPDX-License-Identifier: Apache-2.0
"""Energies from equilibrium states alone: score matching, which needs no time and no mobility."""

import numpy as np

from thermohw.estimation.moments import Moments
from thermohw.estimation.regression import Law, Regressors
from thermohw.topology import Topology


def fit_energies(moments: Moments, topology: Topology) -> Law:
    """Fit V/kT to the moments of equilibrium states.

    For p ∝ e^{−V/kT} and any g, ⟨g ∂_iV/kT⟩ = ⟨∂_i g⟩; with g = ∂_iV it is score matching (Hyvärinen, J. Mach. Learn.
    Res. 6, 695 (2005)), which is linear here:

        ⟨f_i f_iᵀ⟩ θ_i/kT_i = ⟨∂_i f_i⟩,     f_i = (x_i, x_i³, 1, B_i, x_j …),     ∂_i f_i = (1, 3 x_i², 0, 0, 0 …)

    The coefficient of the applied bias B is 1/kT_i. The mobility is NaN: states say nothing about it.

    Raises:
        CalibrationError: Features did not vary independently: too few states, or no applied biases.
    """
    here, units = moments.products[0], topology.units
    slopes, kT = np.zeros((units, units + 3)), np.zeros(units)
    for regressors in Regressors.of_all(topology, moments.basis):
        unit = regressors.unit
        divergence = np.zeros(len(here))
        divergence[regressors.columns[:2]] = 1.0, 3 * here[unit, unit]
        found = regressors.solve(here, divergence)
        kT[unit] = 1 / found[3]
        slopes[unit] = regressors.spread(found, units) * kT[unit]
    return Law.of_slopes(slopes, np.full(units, np.nan), kT, topology)
