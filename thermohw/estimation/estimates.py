# SPDX-License-Identifier: Apache-2.0
"""Estimates of what a device really is, with standard errors that come from the data themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t as students_t

from thermohw.estimation.basis import Floats
from thermohw.estimation.moments import LaggedMoments, Moments
from thermohw.estimation.regression import Law
from thermohw.estimation.snapshots import fit_energies
from thermohw.estimation.trajectories import LEAST_MEMORY, fit_law, fit_mobility, memory
from thermohw.topology import Topology

Method = Literal["trajectories", "snapshots", "both"]
AnyMethod = Literal["trajectories", "snapshots", "both", "lines", "pairs"]
"""Those of `estimate`, that of `estimate_lines`, and that of `estimate_pairs` about the latter."""

PARAMETERS = ("J2", "J4", "biases", "couplings", "mobility", "kT", "noise")


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates with their jackknife replicates, from which all standard errors and covariances follow.

    Attributes:
        method: How they were made; `lines`: unit by unit (`estimate_lines`).
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
        """Get the jackknife standard errors of a parameter's components, as one list."""
        return jackknife_errors(self.replicates[name].reshape(self.groups, -1))

    def covariance(self, name: str, other: str | None = None) -> Floats:
        """Get the covariance matrix of a parameter's components, or of two parameters'."""
        return self._deviations(name).T @ self._deviations(other or name)

    def interval(self, name: str, level: float = 0.95) -> tuple[Floats, Floats]:
        """Get the ends of the confidence intervals at a level, by Student's t with G − 1 degrees of freedom."""
        width = float(students_t.ppf((1 + level) / 2, self.groups - 1)) * self.standard_error(name)
        return self.values[name] - width, self.values[name] + width

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
            equilibrium; `both`: from the motion where the interval is short enough, else energies from the states and
            mobilities from the motion.
        noise: Standard deviation of the noise of readings; None: estimated from the motion, 0 for `snapshots`.

    Raises:
        CalibrationError: Too few readings, features that did not vary independently, or noise that cannot be told.
    """
    whole = moments.means()
    variance = _variance_of(method, noise)
    resolved = method != "snapshots" and _resolved(whole, topology, variance)
    fit, reasons = _fit(method, resolved)
    laws = [_parameters(part, topology, variance, fit) for part in (whole, *map(moments.means, range(moments.groups)))]
    values = {name: laws[0][name] for name in PARAMETERS}
    replicates = {name: np.stack([law[name] for law in laws[1:]]) for name in PARAMETERS}
    for name in reasons:
        values[name] = np.full_like(values[name], np.nan)
        replicates[name] = np.full_like(replicates[name], np.nan)
    both = Estimates(method, topology, values, replicates, reasons)
    weights = _direction_weights(both, len(topology.pairs))
    for source in (values, replicates):
        directions = source["couplings"]
        source["asymmetry"] = directions[..., 0] - directions[..., 1]
        source["couplings"] = (directions * weights).sum(axis=-1)
    return both


def _variance_of(method: Method, noise: float | None) -> Callable[[Moments], float]:
    if noise is not None:
        return lambda moments: noise**2
    return Moments.noise_variance if method != "snapshots" else lambda moments: 0.0


def _resolved(whole: Moments, topology: Topology, variance: Callable[[Moments], float]) -> bool:
    clean = whole.without_noise(variance(whole))
    return bool((memory(clean, topology, fit_energies(clean, topology)) >= LEAST_MEMORY).all())


def _fit(method: Method, resolved: bool) -> tuple[Callable[[Moments, Topology], Law], dict[str, str]]:
    if method == "snapshots":
        return fit_energies, {"mobility": "states alone say nothing about mobility"}
    if resolved:
        return fit_law, {}
    if method == "both":
        return _fit_states_then_mobility, {}
    words = f"the interval is too long: a force keeps less than {LEAST_MEMORY:g} of its autocorrelation over it"
    return fit_law, dict.fromkeys(PARAMETERS[:-1], words)


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


def _direction_weights(both: Estimates, pairs: int) -> Floats:
    """Get the weights (pairs, 2) of the two directions of a coupling: inverse variances."""
    errors = both.standard_error("couplings").reshape(pairs, 2)
    precision = 1 / errors**2
    return precision / precision.sum(axis=1, keepdims=True)
