# SPDX-License-Identifier: Apache-2.0
"""Calibration unit by unit: what a big network's lines are, from as many numbers as it has units, not pairs."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import CalibrationError
from thermohw.estimation.basis import POWERS, SAME_TIME, Floats, even_without_noise, hermite
from thermohw.estimation.estimates import Estimates, jackknife_errors, unseen_response, without_unknown
from thermohw.estimation.interpolation import integrated
from thermohw.estimation.means import ReadingMeans
from thermohw.estimation.regression import solve_scaled
from thermohw.estimation.shrinkage import pooled, shrunk, towards
from thermohw.estimation.sums import LAGS, ReadingSums
from thermohw.program import Program, dense_if_full

FEATURES = ("x", "x³", "x⁵", "force of visible units", "force of hidden units", "applied bias", "1")
VISIBLE_FORCE, HIDDEN_FORCE, APPLIED, ONE = range(3, 7)
REGRESSORS = np.array([0, 1, VISIBLE_FORCE, HIDDEN_FORCE, APPLIED, ONE])
"""The features that a unit's drift is made of; x⁵ serves the interpolation alone."""

RESULTS = ("J2", "J4", "biases", "gains", "mobility", "kT", "noise")


@dataclass(eq=False)
class LineMoments(ReadingSums):
    """Sums of products of each unit's own features f_i, (groups, 4, units, features, features).

    f_i = (x_i, x_i³, x_i⁵, Σ_j∈visible J_ij x_j, Σ_j∈hidden J_ij x_j, B_i, 1), with the programmed couplings J: the
    regression then asks by how much the device's couplings to a unit are too strong on the whole, not pair by pair.

    Attributes:
        program: What is programmed, without the applied biases.
    """

    program: Program = field(kw_only=True)

    @property
    def _shape(self) -> tuple[int, ...]:
        return len(self.applied), len(FEATURES), len(FEATURES)

    def fresh(self) -> Self:
        """Get an empty one with the same settings."""
        return type(self)(self.applied, self.groups, self.skip, self.interval, program=self.program)

    def means(self, without: int | None = None) -> "LineMeans":
        """Get the means over all groups, or all but one.

        Raises:
            CalibrationError: A group has no readings.
        """
        return LineMeans(self.interval, self.averages(without), self._squares)

    def _sums(self, states: Floats, starts: int, lags: int = LAGS) -> Floats:
        features = self._moving(states)
        sums = np.zeros((lags, *self._shape))
        for a, now in enumerate(features):
            for lag in range(lags):
                for b in range(a if lag == 0 else 0, len(features)):
                    later = features[b][lag : lag + starts]
                    sums[lag, :, a, b] = np.einsum("tcu,tcu->u", now[:starts], later)
                    if lag == 0:
                        sums[lag, :, b, a] = sums[lag, :, a, b]
                end = now[lag : lag + starts].sum(axis=(0, 1))
                start = now[:starts].sum(axis=(0, 1)) if lag else end
                for at, value in ((APPLIED, self.applied), (ONE, np.ones(len(self.applied)))):
                    sums[lag, :, a, at], sums[lag, :, at, a] = start * value, end * value
        count = starts * states.shape[1]
        sums[..., APPLIED, APPLIED] = count * self.applied**2
        sums[..., APPLIED, ONE] = sums[..., ONE, APPLIED] = count * self.applied
        sums[..., ONE, ONE] = count
        return sums

    def _moving(self, states: Floats) -> list[Floats]:
        """Get the features that change in time, (readings, chains, units) each."""
        visible, matrix = self.program.topology.visible, self._operators
        flat = states.reshape(-1, states.shape[-1])
        parts = (flat[:, :visible], flat[:, visible:])
        forces = [
            np.asarray((block @ part.T).T).reshape(states.shape) for block, part in zip(matrix, parts, strict=True)
        ]
        cube = states**3
        return [states, cube, cube * states**2, *forces]

    @cached_property
    def _squares(self) -> tuple[Any, Any]:
        visible, squares = self.program.topology.visible, self.program.matrix.power(2)
        return squares[:, :visible], squares[:, visible:]

    @cached_property
    def _operators(self) -> tuple[Any, Any]:
        visible, matrix = self.program.topology.visible, self.program.matrix
        return dense_if_full(matrix[:, :visible]), dense_if_full(matrix[:, visible:])


@dataclass(frozen=True, eq=False)
class LineMeans(ReadingMeans):
    """Means of products of each unit's features, (4, units, features, features).

    Attributes:
        squares: Sparse (units, visible) and (units, hidden): J_ij², by which noise of readings enters the forces.
    """

    squares: tuple[Any, Any]

    def without_noise(self, variance: ArrayLike) -> Self:
        """Get the moments of the states behind readings with noise of this variance, (units,) or one for all."""
        units = self.products.shape[1]
        s2 = np.broadcast_to(np.asarray(variance, np.float64), (units,))
        change = np.tile(np.eye(len(FEATURES)), (units, 1, 1))
        for at, power in enumerate(POWERS):
            for lower, factor in hermite(power, s2).items():
                change[:, at, POWERS.index(lower)] = factor
        clean = change @ self.products @ change.transpose(0, 2, 1)
        pairs = [(a, b) for a in range(len(POWERS)) for b in range(len(POWERS))]
        to_visible, to_hidden = self.squares
        visible = to_visible.shape[1]
        for at in SAME_TIME:
            even = {POWERS[a] + POWERS[b]: self.products[at][:, a, b] for a, b in pairs}
            found = even_without_noise(even, s2)
            for a, b in pairs:
                clean[at][:, a, b] = found[POWERS[a] + POWERS[b]]
            clean[at][:, VISIBLE_FORCE, VISIBLE_FORCE] -= to_visible @ s2[:visible]
            clean[at][:, HIDDEN_FORCE, HIDDEN_FORCE] -= to_hidden @ s2[visible:]
        return replace(self, products=clean)

    def own(self, product: Floats) -> Floats:
        """Get the elements x_i x_i, (units,), of one product."""
        return product[:, 0, 0]


def estimate_lines(moments: LineMoments, noise: float | None = None) -> Estimates:
    """Estimate each unit's parameters, and by how much the couplings to it are stronger than programmed.

    dx_i = −μ_i (2 J2_i x_i + 4 J4_i x_i³ + b_i + B_i + g_i^v Σ_j∈visible J_ij x_j + g_i^h Σ_j∈hidden J_ij x_j) dt
           + √(2 μ_i kT_i) dW_i

    by the same least squares as `fit_law`, of six unknowns a unit. Errors of single couplings that the others do not
    share average out in g; they are what is left in the fit.

    Args:
        moments: Of the readings.
        noise: Standard deviation of the noise of readings; None: estimated from the motion.

    Returns:
        `J2`, `J4`, `biases`, `mobility`, `kT` (units,), `gains` (units, 2) of couplings to visible and to hidden units,
        NaN where there are none, and `noise` (1,), each with jackknife replicates; all but the noise NaN, with the
        reason, where the applied biases are not seen to act.

    Raises:
        CalibrationError: Too few readings, features that did not vary independently, or noise that cannot be told.
    """
    laws = [_fit(moments.means(without), noise) for without in (None, *range(moments.groups))]
    replicates = {name: np.stack([law[name] for law in laws[1:]]) for name in RESULTS}
    unseen = unseen_response("mobility", laws[0]["mobility"], replicates["mobility"])
    reasons = {} if unseen is None else dict.fromkeys(map(str, RESULTS[:-1]), unseen)
    values, replicates = without_unknown(laws[0], reasons), without_unknown(replicates, reasons)
    return Estimates("lines", moments.program.topology, values, replicates, reasons)


def gains_of_pairs(lines: Estimates) -> Floats:
    """Get the gains (pairs,) of couplings from those of their lines: g_ij = ḡ · g_i/⟨g_i⟩ · g_j/⟨g_j⟩, layer by layer.

    ḡ is what all couplings between two layers share. Both ends tell it, one of them perhaps much better: the means over
    their lines are weighed by the jackknife errors of these means. Lines are shrunk towards their mean, and ḡ towards 1
    where it is hardly known. Nothing is known of lines that are programmed as zero: they are as the others, or 1.
    """
    topology = lines.topology
    values, replicates = lines.values["gains"], lines.replicates["gains"]
    errors = lines.standard_error("gains").reshape(-1, 2)
    layer = (np.arange(topology.units) >= topology.visible).astype(np.int64)
    scatter, mean, precision = np.zeros((topology.units, 2)), np.zeros((2, 2)), np.zeros((2, 2))
    for own in (0, 1):
        for other in (0, 1):
            rows = (layer == own) & np.isfinite(values[:, other])
            if rows.any():
                mean[own, other] = values[rows, other].mean()
                error = float(jackknife_errors(replicates[:, rows, other].mean(axis=1)))
                precision[own, other] = 1 / max(error**2, np.finfo(np.float64).tiny)
                found = shrunk(values[rows, other], pooled(errors[rows, other]))
                scatter[rows, other] = found - found.mean()
    weight = precision + precision.T
    common = np.ones((2, 2))
    for one, two in np.argwhere(weight > 0):
        measured = mean[one, two] * precision[one, two] + mean[two, one] * precision[two, one]
        common[one, two] = towards(1.0, float(measured / weight[one, two]), float(weight[one, two]) ** -0.5)
    relative = 1 + scatter / common[layer]
    pairs: NDArray[np.int32] = topology.pairs
    first, second = layer[pairs[:, 0]], layer[pairs[:, 1]]
    return np.asarray(common[first, second] * relative[pairs[:, 0], second] * relative[pairs[:, 1], first])


def _fit(means: LineMeans, noise: float | None) -> dict[str, Floats]:
    variance = means.noise_variance() if noise is None else means.stated_variance(noise)
    clean = means.without_noise(variance)
    here, there, _, later = clean.products
    change, integral = (there - here)[:, :, 0], integrated(clean.products, clean.interval)
    units = len(here)
    drift = np.full((units, len(FEATURES)), np.nan)
    present = np.diagonal(here, axis1=1, axis2=2) > 0
    if not present[:, APPLIED].all():
        unit = int(np.argmin(present[:, APPLIED]))
        raise CalibrationError(f"unit {unit}: no bias was applied to it, so nothing is known of it")
    for unit in range(units):
        used = REGRESSORS[present[unit, REGRESSORS]]
        drift[unit, used] = solve_scaled(integral[unit][np.ix_(used, used)], change[unit, used], unit)
    mobility = -drift[:, APPLIED]
    power = np.nansum((here + later)[:, 0] / 2 * drift, axis=1)
    diffusion = (later - here)[:, 0, 0] / (2 * clean.interval) - power
    energies = -drift / mobility[:, None]
    return {
        "J2": energies[:, 0] / 2,
        "J4": energies[:, 1] / 4,
        "biases": energies[:, ONE],
        "gains": energies[:, VISIBLE_FORCE : HIDDEN_FORCE + 1],
        "mobility": mobility,
        "kT": diffusion / mobility,
        "noise": np.array([variance**0.5]),
    }
