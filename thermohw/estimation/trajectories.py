# SPDX-License-Identifier: Apache-2.0
"""The law of motion from readings in time: least squares forward in time, without the bias of a finite interval."""

import numpy as np

from thermohw.estimation.basis import Floats
from thermohw.estimation.interpolation import integrated, integrated_at_equilibrium
from thermohw.estimation.moments import Moments
from thermohw.estimation.regression import Law, Regressors
from thermohw.topology import Topology

LEAST_MEMORY = 0.4
"""Least autocorrelation of a unit's force after one interval at which energies are fitted to the motion.

Bias of J4 at 0.6: below 1 %; at 0.45: 3 %; at 0.15: 25 %.
"""

LEAST_MEMORY_OF_MOBILITY = 0.02
"""The same for mobilities of units whose energies are known.

Bias down to 0.02: 2 to 4 %; where nothing is left the mobility is too low, by half at twice that interval.
"""


def fit_law(moments: Moments, topology: Topology) -> Law:
    """Fit the law of motion to moments of states Δ apart.

    For any function g of the state at time 0,

        ⟨g(0) [x_i(Δ) − x_i(0)]⟩ = −μ_i θ_i · ∫_0^Δ ⟨g(0) f_i(s)⟩ ds,     f_i = (x_i, x_i³, 1, B_i, x_j …)

    exactly: the generator's identity, with no Euler step and no stationarity. With g = f_i it is linear least squares
    in θ_i = (2 J2, 4 J4, b, 1, K_ij …), and as Δ → 0 the forward likelihood. `integrated` says how the integral
    is made of what is measured. Applied biases B are known energies: their coefficient is the mobility, and all else
    follows in their unit. μ_i kT_i = ½ d⟨x_i²⟩/dt − ⟨x_i · drift_i⟩, the mean of both ends of an interval for the last.

    Raises:
        CalibrationError: Features did not vary independently: too few readings, or no applied biases.
    """
    here, there, _, later = moments.products
    middle = (here + later) / 2
    integral, units = integrated(moments.products, moments.interval), topology.units
    slopes, mobility, diffusion = np.zeros((units, units + 3)), np.zeros(units), np.zeros(units)
    for regressors in Regressors.of_all(topology, moments.basis):
        unit = regressors.unit
        drift = regressors.solve(integral, (there - here)[:, unit])
        mobility[unit] = -drift[3]
        slopes[unit] = regressors.spread(drift, units) / drift[3]
        growth = (later - here)[unit, unit] / (2 * moments.interval)
        diffusion[unit] = growth - middle[unit, regressors.columns] @ drift
    return Law.of_slopes(slopes, mobility, diffusion / mobility, topology)


def fit_mobility(moments: Moments, topology: Topology, law: Law) -> Floats:
    """Fit the mobilities (units,) of units whose energies are known, to moments of equilibrium states Δ apart.

    With x_i for g above and the force f_i = −∂V/∂x_i − B_i,

        μ_i = ⟨x_i(0) [x_i(Δ) − x_i(0)]⟩ / ∫_0^Δ ⟨x_i(0) f_i(s)⟩ ds

    States relax more slowly than forces, so that this holds at longer intervals than `fit_law`.
    """
    unit = np.arange(topology.units)
    change = (moments.products[1] - moments.products[0])[unit, unit]
    force = forces(moments, topology, law)
    integral = integrated_at_equilibrium(moments.products, moments.interval)
    return np.asarray(change / (integral[unit] * force).sum(axis=1))


def memory(moments: Moments, topology: Topology, law: Law) -> Floats:
    """Get the autocorrelation of each unit's force after one interval, (units,): ⟨f_i(0) f_i(Δ)⟩/⟨f_i²⟩."""
    force = forces(moments, topology, law)
    here, there = (np.diag(force @ moments.products[lag] @ force.T) for lag in (0, 1))
    return np.asarray(there / here)


def forces(moments: Moments, topology: Topology, law: Law) -> Floats:
    """Get the units' forces as combinations of features, (units, features)."""
    slopes, basis = law.slopes(topology), moments.basis
    unit = np.arange(topology.units)
    force = np.zeros((topology.units, basis.size))
    force[:, basis.power(1, unit)] = -slopes[:, 3:]
    force[unit, basis.power(1, unit)] -= slopes[:, 0]
    force[unit, basis.power(3, unit)] = -slopes[:, 1]
    force[:, basis.one] = -slopes[:, 2]
    force[unit, basis.applied(unit)] = -1.0
    return force
