# SPDX-License-Identifier: Apache-2.0
"""Estimates of what a device really is, with standard errors that come from the data themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.stats import t as students_t

from thermohw.estimation.basis import Floats
from thermohw.estimation.moments import LaggedMoments, Moments
from thermohw.estimation.regression import Law
from thermohw.estimation.snapshots import fit_energies
from thermohw.estimation.trajectories import LEAST_MEMORY, LEAST_MEMORY_OF_MOBILITY, fit_law, fit_mobility, memory
from thermohw.topology import Topology

Method = Literal["trajectories", "snapshots", "both"]
AnyMethod = Literal["trajectories", "snapshots", "both", "lines", "pairs"]
"""Those of `estimate`, that of `estimate_lines`, and that of `estimate_pairs` about the latter."""

PARAMETERS = ("J2", "J4", "biases", "couplings", "mobility", "kT", "noise")

PRIOR_FREEDOM = 20
"""Degrees of freedom by which the mean variance of couplings moderates that of one."""

LEAST_RESPONSE = 3.0
"""Of units to the applied biases, in standard errors: below it energies have no unit, and ratios no standard errors."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates with their jackknife replicates, from which all standard errors and covariances follow.

    Attributes:
        method: How they were made: `trajectories`, all from the motion; `snapshots`, from states alone; `both`,
            energies from states and mobilities from the motion; `lines`, unit by unit (`estimate_lines`).
        topology: Units and pairs.
        values: By name: `J2`, `J4`, `biases`, `mobility`, `kT` (units,); `couplings` (pairs,), the mean of both
            directions by their errors; `asymmetry` (pairs,) K_ij − K_ji; `noise` (1,) standard deviation of readings.
            NaN where there is no estimate.
        replicates: (groups, …) the same, each made without one group of chains.
        reasons: Why a parameter is NaN, by its name.
    """

    method: AnyMethod
    topology: Topology
    values: Mapping[str, Floats]
    replicates: Mapping[str, Floats]
    reasons: Mapping[str, str]

    @property
    def groups(self) -> int:
        """Get the number of groups of chains."""
        return len(next(iter(self.replicates.values())))

    def standard_error(self, name: str) -> Floats:
        """Get the jackknife standard errors of a parameter's components, as one list.

        That of the noise is NaN where replicates are at its bound, zero.
        """
        replicates = self.replicates[name].reshape(self.groups, -1)
        at_bound = name == "noise" and bool((replicates == 0).any())
        return np.full(1, np.nan) if at_bound else jackknife_errors(replicates)

    def covariance(self, name: str, other: str | None = None) -> Floats:
        """Get the covariance matrix of a parameter's components, or of two parameters'."""
        return self._deviations(name).T @ self._deviations(other or name)

    def interval(self, name: str, level: float = 0.95) -> tuple[Floats, Floats]:
        """Get the ends of the confidence intervals at a level, by Student's t with G − 1 degrees of freedom."""
        value = self.values[name]
        width = float(students_t.ppf((1 + level) / 2, self.groups - 1)) * self.standard_error(name).reshape(value.shape)
        return value - width, value + width

    def _deviations(self, name: str) -> Floats:
        return _jackknife_deviations(self.replicates[name].reshape(self.groups, -1))


def jackknife_errors(replicates: Floats) -> Floats:
    """Get standard errors from replicates (groups, …), each made without one group: √[(G − 1)/G Σ_g (θ_g − ⟨θ⟩)²]."""
    return np.asarray(np.sqrt((_jackknife_deviations(replicates) ** 2).sum(axis=0)))


def _jackknife_deviations(replicates: Floats) -> Floats:
    return (replicates - replicates.mean(axis=0)) * np.sqrt((len(replicates) - 1) / len(replicates))


def estimate(
    moments: LaggedMoments, topology: Topology, method: Method = "both", noise: float | None = None
) -> Estimates:
    """Estimate the law of motion of a device from readings under several applied biases.

    Args:
        moments: Of the readings.
        topology: Pairs that may be coupled.
        method: `trajectories`: all from the motion; `snapshots`: energies from the states alone, which must be those of
            equilibrium; `both`: from the motion where the interval is short enough, else energies from the states, and
            mobilities from the motion as long as states remember; `Estimates.method` says which.
        noise: Standard deviation of the noise of readings; None: estimated from the motion, 0 for `snapshots`.

    Raises:
        CalibrationError: Too few readings, features that did not vary independently, or noise that cannot be told.
    """
    whole = moments.means()
    variance = _variance_of(method, noise)
    made = _choose(method, 1.0 if method == "snapshots" else _least_memory(whole, topology, variance))
    fit, reasons = made.fit, dict(made.reasons)
    laws = [_parameters(part, topology, variance, fit) for part in (whole, *map(moments.means, range(moments.groups)))]
    values = {name: laws[0][name] for name in PARAMETERS}
    replicates = {name: np.stack([law[name] for law in laws[1:]]) for name in PARAMETERS}
    response = "mobility" if fit is fit_law else "kT"
    if (unseen := unseen_response(response, values[response], replicates[response])) is not None:
        reasons = dict.fromkeys(PARAMETERS[:-1], unseen) | reasons
    values, replicates = without_unknown(values, reasons), without_unknown(replicates, reasons)
    return combined(Estimates(made.method, topology, values, replicates, reasons))


def without_unknown(source: Mapping[str, Floats], reasons: Mapping[str, str]) -> dict[str, Floats]:
    """Get values or replicates by name, NaN where there is a reason why there is no estimate."""
    return {name: np.full_like(found, np.nan) if name in reasons else found for name, found in source.items()}


def combined(directed: Estimates) -> Estimates:
    """Put the two directions (pairs, 2) of `couplings` together: their mean by their errors, and `asymmetry`."""
    weights = _direction_weights(directed)
    values, replicates = dict(directed.values), dict(directed.replicates)
    for source in (values, replicates):
        directions = source["couplings"]
        source["asymmetry"] = directions[..., 0] - directions[..., 1]
        source["couplings"] = (directions * weights).sum(axis=-1)
    return replace(directed, values=values, replicates=replicates)


def _variance_of(method: Method, noise: float | None) -> Callable[[Moments], float]:
    if noise is not None:
        return lambda moments: moments.stated_variance(noise)
    return Moments.noise_variance if method != "snapshots" else lambda moments: 0.0


def _least_memory(whole: Moments, topology: Topology, variance: Callable[[Moments], float]) -> float:
    clean = whole.without_noise(variance(whole))
    return float(memory(clean, topology, fit_energies(clean, topology)).min())


@dataclass(frozen=True)
class _Choice:
    """A fit, what it is called, and why it leaves parameters out."""

    method: Method
    fit: Callable[[Moments, Topology], Law]
    reasons: Mapping[str, str]


def _choose(method: Method, left: float) -> _Choice:
    """Choose a fit by the method and the least autocorrelation of a force that is left after an interval."""
    words = "the interval is too long: a force keeps less than {:g} of its autocorrelation over it"
    if method == "snapshots":
        return _Choice("snapshots", fit_energies, {"mobility": "states alone say nothing about mobility"})
    if left >= LEAST_MEMORY:
        return _Choice("trajectories", fit_law, {})
    if method == "trajectories":
        return _Choice(method, fit_law, dict.fromkeys(PARAMETERS[:-1], words.format(LEAST_MEMORY)))
    if left >= LEAST_MEMORY_OF_MOBILITY:
        return _Choice("both", _fit_states_then_mobility, {})
    return _Choice("snapshots", fit_energies, {"mobility": words.format(LEAST_MEMORY_OF_MOBILITY)})


def unseen_response(name: str, values: Floats, replicates: Floats) -> str | None:
    """Say so where the applied biases, which give all else its unit, are not seen to act; None where they are.

    Args:
        name: `mobility`, or `kT`, whose inverse is the response of states alone.
        values: (units,) estimates.
        replicates: (groups, units) the same, each made without one group of chains.
    """
    if name == "kT":
        values, replicates = 1 / values, 1 / replicates
    response, error = float(np.median(values)), float(np.median(jackknife_errors(replicates)))
    if response >= LEAST_RESPONSE * error:
        return None
    what = "mobility" if name == "mobility" else "1/kT"
    return (
        f"the applied biases are not seen to act ({what} {response:.2g} ± {error:.2g}, a typical unit's): larger ones, "
        "more readings, or a device that is slower, by inertia or its readout, than the recipe reckons with"
    )


def _fit_states_then_mobility(moments: Moments, topology: Topology) -> Law:
    law = fit_energies(moments, topology)
    mobility = fit_mobility(moments, topology, law)
    return Law(law.J2, law.J4, law.biases, law.couplings, mobility, law.kT)


def _parameters(
    moments: Moments,
    topology: Topology,
    variance: Callable[[Moments], float],
    fit: Callable[[Moments, Topology], Law],
) -> dict[str, Floats]:
    found = variance(moments)
    law = fit(moments.without_noise(found), topology)
    return {**{name: getattr(law, name) for name in PARAMETERS[:-1]}, "noise": np.array([found**0.5])}


def _direction_weights(directed: Estimates) -> Floats:
    """Get the weights (pairs, 2) of the two directions of a coupling: inverse variances.

    Those of single ones are as noisy as their few groups, and weights that follow the noise would lead replicates to
    understate errors: they are moderated by all pairs' mean, as in Smyth, Stat. Appl. Genet. Mol. Biol. 3, 3 (2004).
    """
    variances, freedom = directed.standard_error("couplings").reshape(-1, 2) ** 2, directed.groups - 1
    if not variances.size:
        return variances
    precision = 1 / (PRIOR_FREEDOM * variances.mean() + freedom * variances)
    return precision / precision.sum(axis=1, keepdims=True)
