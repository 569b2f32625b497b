# SPDX-License-Identifier: Apache-2.0
"""Calibration pair by pair of networks with more couplings than readings can tell: least squares with a prior."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import CalibrationError
from thermohw.estimation.basis import Floats
from thermohw.estimation.bordered import Block, Modes, Solution, solve
from thermohw.estimation.estimates import Estimates
from thermohw.estimation.lines import gains_of_pairs
from thermohw.estimation.pair_blocks import FORCE, Group, groups_of, products
from thermohw.estimation.pair_moments import PairMoments, of_hermite, without_noise
from thermohw.estimation.regression import scaled_condition
from thermohw.estimation.sums import LAGS
from thermohw.program import Program
from thermohw.topology import Topology

WIDENING = 10.0
"""Prior widths of a unit's parameters, in standard errors by lines: the same readings must not speak twice."""

OWN = ("J2", "J4", "biases", "mobility")
"""A unit's own parameters."""

LEARNT = 0.5
"""Share of a coupling's prior variance that the readings must have removed for it to count as resolved."""


@dataclass(frozen=True, eq=False)
class PairPrior:
    """What is held of a device before its pairs are looked at: independent Gaussians, energies in the program's unit.

    Attributes:
        program: Units and pairs, and the centre of the couplings.
        values: Centres (units,) of `J2`, `J4`, `biases` and `mobility`.
        widths: Standard deviations about these.
        kT: (units,) thermal energies; taken as known.
        coupling_width: Standard deviation of a coupling about its centre.
        noise: Standard deviation of the noise of readings; taken as known.

    Raises:
        CalibrationError: A width, mobility or thermal energy that is not positive.
    """

    program: Program
    values: dict[str, Floats]
    widths: dict[str, Floats]
    kT: Floats
    coupling_width: float
    noise: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.coupling_width) and self.coupling_width > 0):
            raise CalibrationError(f"the width of the prior must be a positive energy, got {self.coupling_width:g}")
        positive = {"mobility": self.values["mobility"], "kT": self.kT}
        positive |= {f"width of {name}": width for name, width in self.widths.items()}
        for name, found in positive.items():
            wrong = np.flatnonzero(~(np.isfinite(found) & (found > 0)))
            if wrong.size:
                raise CalibrationError(
                    f"the prior's {name} must be positive, is {found[wrong[0]]:.3g} at unit {wrong[0]}: where lines "
                    "were found so, take more readings, or larger applied biases"
                )

    @staticmethod
    def of(lines: Estimates, program: Program, relative: float = 0.1) -> "PairPrior":
        """Get the prior of a device: units and the gains of couplings as their lines have them.

        Args:
            lines: By `estimate_lines`; widths are ten of their standard errors.
            program: What was programmed, without the applied biases.
            relative: Width of the couplings' prior over their r.m.s.

        Raises:
            CalibrationError: No couplings are programmed, or lines that were not found.
        """
        if lines.reasons:
            raise CalibrationError(f"lines are no prior for pairs: {next(iter(lines.reasons.values()))}")
        width = relative * float(np.sqrt(np.mean(program.couplings**2))) if len(program.couplings) else 0.0
        values = {name: lines.values[name] for name in OWN}
        widths = {name: WIDENING * lines.standard_error(name) for name in OWN}
        expected = replace(program, couplings=gains_of_pairs(lines) * program.couplings)
        return PairPrior(expected, values, widths, lines.values["kT"], width, float(lines.values["noise"][0]))


@dataclass(frozen=True, eq=False)
class PairEstimates:
    """Posterior means and standard deviations.

    Attributes:
        topology: Units and pairs.
        values: `J2`, `J4`, `biases`, `mobility` (units,); `couplings` (pairs,), from both ends of each pair;
            `directions` (pairs, 2) K_ij and K_ji, from one end each.
        errors: Standard deviations of the same.
        expected: (pairs,) centre of the couplings' prior.
        learnt: (pairs,) share of each coupling's prior variance that the readings removed.
        condition: Largest condition number of partners' second moments, features scaled to one.
        coupling_width: Of the prior.
    """

    topology: Topology
    values: dict[str, Floats]
    errors: dict[str, Floats]
    expected: Floats
    learnt: Floats
    condition: float
    coupling_width: float

    def standard_error(self, name: str) -> Floats:
        """Get the standard deviations of a parameter's components."""
        return self.errors[name]

    @property
    def resolved(self) -> int:
        """Get the number of couplings of whose variance the readings removed half."""
        return int((self.learnt >= LEARNT).sum())

    def unresolved(self) -> NDArray[np.int64]:
        """Get the numbers of the pairs that are known from the prior rather than from readings, the worst first."""
        order = np.argsort(self.learnt, kind="stable")
        return order[self.learnt[order] < LEARNT]


def estimate_pairs(moments: PairMoments, prior: PairPrior) -> PairEstimates:
    """Estimate every coupling of a network, unit by unit, from sums of units by units.

        ⟨g(0) [x_i(2Δ) − x_i(0)]⟩ = −μ_i θ_i · ∫_0^2Δ ⟨g(0) f_i(s)⟩ ds,      ∫ ≈ ⅓Δ [C(0) + 4 C(Δ) + C(2Δ)]

    as `fit_law`, but over two intervals by Simpson's rule for C(s) = ⟨g(0) f_i(s)⟩, of relative error (Δ/τ)⁴/180 for
    forces that relax in τ: no interpolation of x⁵ and of all units together is needed. With M this matrix for g = f_i,
    r the left side, N products and a prior of precision π, the posterior of the coefficients β is

        (k M + π) β = k r,      k = N ⟨M⟩/⟨Ω⟩,      Ω = 4 μ_i kT_i Δ [C(0) + C(Δ)] + 2 s² [C(0) − C(2Δ)]

    with the covariance H⁻¹ (k² Ω/N + π) H⁻ᵀ, H = k M + π, in place of which couplings take H⁻¹, much the same for them.
    Ω/N is the covariance of r with readings' noise of variance s², each product sharing half of its noise with the
    next, and ⟨⟩ the mean over the partners' states. (Mᵀ Ω⁻¹ M in place of k M would make use of more equations than
    there are unknowns, which biases what few readings tell of many partners.) Unknown are how far couplings are from
    the prior's, and the coefficients of x, x³, 1, and of the whole force as the prior has it with B_i in it, which is
    −μ_i. Both ends of a pair are put together as if the other units' readings said nothing more of it.

    Raises:
        CalibrationError: Moments and prior are of different numbers of units.
    """
    program, units = prior.program, prior.program.units
    if len(moments.applied) != units:
        raise CalibrationError(f"moments of {len(moments.applied)} units, a prior of {units}")
    raw, s2 = moments.means(), prior.noise**2
    states, readings = without_noise(raw, s2), of_hermite(raw, s2)
    shift, variance = np.zeros((units, units)), np.zeros((units, units))
    own, covariances, condition = np.zeros((units, 4)), np.zeros((units, 4, 4)), 1.0
    for group in groups_of(program.topology):
        found, worst = _solve(group, states, readings, moments, prior)
        at = np.ix_(group.units, group.common)
        own[group.units], covariances[group.units] = found.own, found.covariances
        shift[at], variance[at] = _couplings(found, prior.values["mobility"][group.units])
        condition = max(condition, worst)
    return _put_together(shift, variance, own, covariances, condition, prior)


def _solve(
    group: Group, states: dict[str, Floats], readings: dict[str, Floats], moments: PairMoments, prior: PairPrior
) -> tuple[Solution, float]:
    """Get the posterior of a group of units, and the condition number of their partners' second moments."""
    expected = prior.program.matrix, prior.values
    zero, one, two = (products(group, states, lag, *expected) for lag in range(LAGS))
    mobility = prior.values["mobility"][group.units]
    slope = (zero + one * 4.0 + two) * (moments.interval / 3)
    right = (
        two.right[:, :, 0] - zero.right[:, :, 0] + mobility[:, None] * slope.right[:, :, FORCE],
        two.own[:, :, 0] - zero.own[:, :, 0] + mobility[:, None] * slope.own[:, :, FORCE],
    )
    read = products(group, readings, 0, *expected)
    moved, misread = read + one, read + two * -1.0
    diffusion, noise = 4 * mobility * prior.kT[group.units] * moments.interval, 2 * prior.noise**2
    spread = diffusion * _size(moved, zero) + noise * _size(misread, zero)
    weights = moments.count * _size(slope, zero) / np.where(spread > 0, spread, 1.0)
    scale = np.stack([2 * mobility, 4 * mobility, mobility, np.ones_like(mobility)], axis=1)
    widths = scale * np.stack([prior.widths[name][group.units] for name in OWN], axis=1)
    modes = Modes.of(slope.common, zero.common)
    precisions = 1 / (mobility * prior.coupling_width) ** 2, 1 / widths**2
    found = solve(slope, modes, right, weights, precisions, group.position)
    # the prior is of couplings, the coefficients are −μ times these: once more with the μ found
    precisions = 1 / ((mobility - found.own[:, FORCE]) * prior.coupling_width) ** 2, precisions[1]
    found = solve(slope, modes, right, weights, precisions, group.position)
    rows, each = found.rows, (slice(None), None, None)
    spread_own = diffusion[each] * moved.between(rows) + noise * misread.between(rows)
    held = precisions[0][each] * rows.common @ rows.common.transpose(0, 2, 1)
    held += (rows.own * precisions[1][:, None]) @ rows.own.transpose(0, 2, 1)
    covariances = weights[each] ** 2 / max(moments.count, 1.0) * spread_own + held
    found = replace(found, covariances=(covariances + covariances.transpose(0, 2, 1)) / 2)
    return found, scaled_condition(zero.common)


def _size(products: Block, states: Block) -> float:
    """Get the mean of products of partners' states over those at one time; of units' own without partners."""
    values, variances = (
        np.diag(block.common) if block.common.size else block.own[:, 0, 0] for block in (products, states)
    )
    varied = variances > 0
    return float(np.mean(values[varied] / variances[varied])) if varied.any() else 0.0


def _couplings(found: Solution, mobility: Floats) -> tuple[Floats, Floats]:
    """Get how far couplings are from their prior, −d/μ (units, s), and their variances to first order."""
    mu = (mobility - found.own[:, FORCE])[:, None]
    shift = -found.common / mu
    variance = found.variances - 2 * shift * found.crossed[:, :, FORCE]
    variance += shift**2 * found.covariances[:, FORCE, FORCE][:, None]
    return shift, variance / mu**2


def _put_together(
    shift: Floats, variance: Floats, own: Floats, covariances: Floats, condition: float, prior: PairPrior
) -> PairEstimates:
    program, (i, j) = prior.program, prior.program.topology.pairs.T
    mobility = prior.values["mobility"] - own[:, FORCE]
    factors = np.array([2.0, 4.0, 1.0])
    energies = -own[:, :FORCE] / (mobility[:, None] * factors)
    slopes = factors * energies  # own coefficients are −μ times these
    spread = np.einsum("uaa->ua", covariances)[:, :FORCE] - 2 * slopes * covariances[:, :FORCE, FORCE]
    spread += slopes**2 * covariances[:, FORCE, FORCE][:, None]
    errors = np.sqrt(spread) / (mobility[:, None] * factors)
    values = {name: prior.values[name] + energies[:, at] for at, name in enumerate(OWN[:FORCE])}
    found = {name: errors[:, at] for at, name in enumerate(OWN[:FORCE])}
    values["mobility"], found["mobility"] = mobility, np.sqrt(covariances[:, FORCE, FORCE])
    both = np.stack([shift[i, j], shift[j, i]], axis=1)
    variances = np.stack([variance[i, j], variance[j, i]], axis=1)
    width = prior.coupling_width**2
    precision = np.maximum((1 / variances).sum(axis=1) - 1 / width, 1 / variances.max(axis=1))
    values["directions"], found["directions"] = program.couplings[:, None] + both, np.sqrt(variances)
    values["couplings"] = program.couplings + (both / variances).sum(axis=1) / precision
    found["couplings"] = 1 / np.sqrt(precision)
    learnt = np.clip(1 - 1 / (precision * width), 0.0, 1.0)
    return PairEstimates(program.topology, values, found, program.couplings, learnt, condition, prior.coupling_width)
