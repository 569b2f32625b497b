# SPDX-License-Identifier: Apache-2.0
"""Calibration: moments behind noise, exact laws of linear computers, and nonlinear ones within their stated errors."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy import linalg
from scipy.stats import t as students_t

from thermohw import Program, RunPlan, SimulatedDevice, Topology
from thermohw.errors import CalibrationError
from thermohw.estimation import Estimates, LaggedMoments, Law, estimate
from thermohw.estimation.basis import Basis
from thermohw.estimation.estimates import Method, combined
from thermohw.estimation.moments import Moments
from thermohw.estimation.snapshots import fit_energies
from thermohw.estimation.trajectories import fit_law, fit_mobility, memory
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics
from thermohw.langevin.observer import TrajectoryPiece
from thermohw.nonideal import NonidealDevice, ReadoutNoise

Floats = NDArray[np.float64]

PAIR = Topology.complete(2)
NODES, WEIGHTS = hermegauss(10)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def grid(dimensions: int) -> tuple[Floats, Floats]:
    """Get nodes (points, dimensions) and weights of Gauss-Hermite quadrature for independent standard normals."""
    axes = np.meshgrid(*[NODES] * dimensions, indexing="ij")
    weights = np.ones(1)
    for _ in range(dimensions):
        weights = np.outer(weights, WEIGHTS).ravel()
    return np.stack([axis.ravel() for axis in axes], axis=-1), weights


def linear_moments(
    interval: float, K: Floats, mobility: Floats, kT: float, biases: Floats, share: float = 1.0
) -> Moments:
    """Get the exact moments of the linear computer V = x K x/2 + b x under four applied biases.

    It starts about its equilibrium, with a share of its covariance.
    """
    basis = Basis(2)
    drift = np.diag(mobility) @ K
    covariance = kT * np.linalg.inv(K)
    decay = linalg.expm(-drift * interval)
    now = np.linalg.cholesky(share * covariance)
    later = np.linalg.cholesky(covariance - decay @ covariance @ decay.T)
    points, weights = grid(4)
    products = np.zeros((4, basis.size, basis.size))
    patterns = [(1.0, 0.5), (-1.0, 0.5), (1.0, -0.5), (-1.0, -0.5)]
    for applied in patterns:
        mean = -np.linalg.solve(K, biases + applied)
        first = points[:, :2] @ now.T
        second = first @ decay.T + points[:, 2:] @ later.T
        spread = basis.spread(np.array(applied))
        F, G = (basis.states(mean + states) @ spread.T for states in (first, second))
        products[0] += F.T @ (weights[:, None] * F) / len(patterns)
        products[1] += F.T @ (weights[:, None] * G) / len(patterns)
        products[3] += G.T @ (weights[:, None] * G) / len(patterns)
    return Moments(interval, products, basis)


STIFFNESS = np.array([[3.0, -1.2], [-1.2, 2.0]])


@pytest.mark.parametrize("interval", [1e-3, 0.1, 1.0])
def test_a_linear_law_is_found_exactly_at_any_interval(interval: float) -> None:
    mobility, kT, biases = np.array([0.8, 1.3]), 1.1, np.array([0.3, -0.2])
    law = fit_law(linear_moments(interval, STIFFNESS, mobility, kT, biases), PAIR)
    np.testing.assert_allclose(law.J2, [1.5, 1.0], rtol=1e-5)
    np.testing.assert_allclose(law.J4, 0, atol=1e-5)
    np.testing.assert_allclose(law.biases, biases, atol=1e-5)
    np.testing.assert_allclose(law.couplings, [[-1.2, -1.2]], rtol=1e-5)
    np.testing.assert_allclose(law.mobility, mobility, rtol=1e-5)
    np.testing.assert_allclose(law.kT, kT, rtol=1e-5)


@pytest.mark.parametrize("share", [0.1, 1.5])
def test_the_temperature_of_a_device_that_has_not_settled_is_found_too(share: float) -> None:
    mobility, kT, interval = np.array([0.8, 1.3]), 1.1, 0.05
    moments = linear_moments(interval, STIFFNESS, mobility, kT, np.zeros(2), share)
    law = fit_law(moments, PAIR)
    np.testing.assert_allclose(law.J2, [1.5, 1.0], rtol=1e-5)
    rate = np.linalg.eigvalsh(np.diag(mobility) @ STIFFNESS).max()
    np.testing.assert_allclose(law.kT, kT, rtol=abs(share - 1) * (2 * rate * interval) ** 2 / 12)
    here, _, _, later = moments.products
    drift = -mobility * np.einsum("ij,ij->i", STIFFNESS, here[:2, :2])
    power_at_the_start = (later - here).diagonal()[:2] / (2 * interval) - drift
    assert np.abs(power_at_the_start / mobility / kT - 1).min() > 0.02  # the control


def test_an_euler_step_would_not_find_it() -> None:
    """The control: correlations held constant over the interval, which is the Euler regression."""
    moments = linear_moments(0.1, STIFFNESS, np.ones(2), 1.0, np.zeros(2))
    columns = np.array([0, 1, 6, 7, 8])
    change: Floats = (moments.products[1] - moments.products[0])[columns, 0]
    here: Floats = 0.1 * moments.products[0][np.ix_(columns, columns)]
    slopes = np.linalg.solve(here, change)
    assert -slopes[0] < 0.9 * STIFFNESS[0, 0]


def test_couplings_need_not_be_reciprocal() -> None:
    K = np.array([[3.0, -1.2], [0.4, 2.0]])
    interval, basis = 0.2, Basis(2)
    covariance = linalg.solve_continuous_lyapunov(K, 2 * np.eye(2))
    decay = linalg.expm(-K * interval)
    points, weights = grid(4)
    products = np.zeros((4, basis.size, basis.size))
    for applied in [(1.0, 0.5), (-1.0, 0.5), (1.0, -0.5), (-1.0, -0.5)]:
        mean = -np.linalg.solve(K, np.array(applied))
        first = points[:, :2] @ np.linalg.cholesky(covariance).T
        second = first @ decay.T + points[:, 2:] @ np.linalg.cholesky(covariance - decay @ covariance @ decay.T).T
        spread = basis.spread(np.array(applied))
        F, G = (basis.states(mean + states) @ spread.T for states in (first, second))
        products[0] += F.T @ (weights[:, None] * F) / 4
        products[1] += F.T @ (weights[:, None] * G) / 4
        products[3] += G.T @ (weights[:, None] * G) / 4
    law = fit_law(Moments(interval, products, basis), PAIR)
    np.testing.assert_allclose(law.couplings, [[-1.2, 0.4]], atol=1e-5)
    np.testing.assert_allclose(law.kT, 1, rtol=1e-5)


@pytest.mark.parametrize("interval", [0.05, 0.5])
def test_energies_and_mobilities_of_a_linear_computer_are_exact(interval: float) -> None:
    mobility = np.array([0.8, 1.3])
    moments = linear_moments(interval, STIFFNESS, mobility, 1.1, np.array([0.3, -0.2]))
    law = fit_energies(moments, PAIR)
    np.testing.assert_allclose(law.J2, [1.5, 1.0], rtol=1e-6)
    np.testing.assert_allclose(law.couplings, [[-1.2, -1.2]], rtol=1e-6)
    np.testing.assert_allclose(law.kT, 1.1, rtol=1e-6)
    assert np.isnan(law.mobility).all()
    np.testing.assert_allclose(fit_mobility(moments, PAIR, law), mobility, rtol=1e-5)


def test_the_memory_of_forces_is_that_of_the_linear_law() -> None:
    moments = linear_moments(0.1, np.diag([2.0, 5.0]), np.ones(2), 1.0, np.zeros(2))
    law = Law(np.array([1.0, 2.5]), np.zeros(2), np.zeros(2), np.zeros((1, 2)), np.ones(2), np.ones(2))
    np.testing.assert_allclose(memory(moments, PAIR, law), np.exp([-0.2, -0.5]), rtol=1e-6)


def test_moments_of_states_are_found_behind_noisy_readings() -> None:
    """Exact, by quadrature over the noise: two correlated states, read at three times with noise of their own."""
    basis, s2 = Basis(2), np.array([0.04, 0.09])
    noise, weights = grid(4)
    now, later = np.array([0.7, -1.1]), np.array([0.4, 0.9])
    spread = basis.spread(np.array([0.3, -0.2]))
    features = [basis.states(state) @ spread.T for state in (now, later)]
    read = [
        basis.states(state + noise[:, at : at + 2] * np.sqrt(s2)) @ spread.T for state, at in ((now, 0), (later, 2))
    ]
    times = ((0, 0), (0, 1), (0, 1), (1, 1))
    exact = np.stack([np.outer(features[a], features[b]) for a, b in times])
    noisy = np.stack([read[a].T @ (weights[:, None] * read[b]) for a, b in times])
    np.testing.assert_allclose(basis.without_noise(noisy, s2), exact, atol=1e-10)
    assert np.abs(basis.without_noise(noisy, 0.9 * s2) - exact).max() > 1e-3


# What is kept of trajectories


def piece(states: Floats, first_chain: int = 0, first_step: int = 0) -> TrajectoryPiece:
    """Get readings (records + 1, chains, units), 0.1 apart."""
    built = AsBuilt.from_program(Program.uncoupled(Topology.complete(states.shape[2])))
    return TrajectoryPiece(states, Dynamics(built, 0.05), first_chain, first_step, 2)


def test_moments_are_the_products_that_they_say() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(9, 5, 2))
    moments = LaggedMoments(np.array([0.5, -1.0]), groups=2, skip=3)
    moments.observe(piece(states))
    kept = states[3:]
    for group in (0, 1):
        chains = kept[:, group::2]
        F = np.concatenate([chains, chains**3, chains**5], axis=-1)
        F = np.concatenate([F, np.tile([0.5, -1.0, 1.0], (*F.shape[:2], 1))], axis=-1)
        assert moments.counts[group] == 4 * chains.shape[1]
        for lag in range(3):
            expected = np.einsum("tci,tcj->ij", F[:4], F[lag : lag + 4])
            np.testing.assert_allclose(moments.products[group, lag], expected)
        np.testing.assert_allclose(moments.products[group, 3], np.einsum("tci,tcj->ij", F[1:5], F[1:5]), atol=1e-9)


@pytest.mark.parametrize("cuts", [(4,), (1, 2, 3), (2, 5, 8), (7,)])
def test_pieces_add_up_to_the_whole(cuts: tuple[int, ...]) -> None:
    states = np.random.default_rng(1).normal(size=(10, 4, 3))
    whole, parts = (LaggedMoments(np.zeros(3), groups=2, skip=2) for _ in range(2))
    whole.observe(piece(states))
    ends = [0, *cuts, 9]
    for first, last in pairwise(ends):
        parts.observe(piece(states[first : last + 1], first_step=2 * first))
    for name, total in whole.arrays().items():
        np.testing.assert_allclose(parts.arrays()[name], total)


def test_runs_add_up_and_intervals_must_agree() -> None:
    states = np.random.default_rng(2).normal(size=(6, 4, 1))
    one, other = LaggedMoments(np.array([1.0]), groups=2), LaggedMoments(np.array([-1.0]), groups=2)
    one.observe(piece(states))
    other.observe(piece(states, first_chain=1))
    total = one + other
    np.testing.assert_allclose(total.products, one.products + other.products)
    assert total.means().products[0][3, 4] == 0  # applied biases cancel
    with pytest.raises(CalibrationError, match="apart"):
        total.observe(replace(piece(states), spacing=3))
    with pytest.raises(CalibrationError, match="groups have no readings"):
        LaggedMoments(np.zeros(1)).means()


# Nonlinear computers


NETWORK = Topology.from_pairs(4, 0, [[0, 1], [1, 2], [2, 3], [0, 3]])
TRUTH = Program(
    NETWORK,
    np.array([0.5, 0.7, 0.4, 0.6]),
    np.array([0.4, 0.5, 0.3, 0.45]),
    np.array([0.2, -0.3, 0.1, 0.0]),
    np.array([0.6, -0.5, 0.4, 0.3]),
)
MOBILITY, KT = 0.8, 1.1


def readings(interval: float, records: int, noise: float, chains: int = 640, dt: float = 1e-3) -> LaggedMoments:
    """Read a simulated computer under 16 patterns of applied biases, from equilibrium after two time units."""
    every = max(round(interval / dt), 1)
    skip = int(np.ceil(2.0 / interval))
    total: LaggedMoments | None = None
    for number in range(16):
        applied = 1.5 * np.array([1 if number >> unit & 1 else -1 for unit in range(4)])
        moments = LaggedMoments(applied, groups=40, skip=skip)
        with NonidealDevice(SimulatedDevice(MOBILITY, KT), [ReadoutNoise(std=noise)], device_seed=1) as device:
            device.program(TRUTH.with_biases(TRUTH.biases + applied))
            duration = (skip + records) * interval
            plan = RunPlan(duration, chains // 16, interval / every, record_every=every, keep="none", seed=5 + number)
            device.run(replace(plan, first_chain=number * plan.n_samples), [moments])
        total = moments if total is None else total + moments
    assert total is not None
    return total


def scores(found: Estimates, *, mobility: bool = True) -> dict[str, Floats]:
    """Get the deviations from the truth in standard errors."""
    truth = {"J2": TRUTH.J2, "J4": TRUTH.J4, "biases": TRUTH.biases, "couplings": TRUTH.couplings, "kT": KT}
    truth |= {"asymmetry": 0.0} | ({"mobility": MOBILITY} if mobility else {})
    return {name: (found.values[name] - value) / found.standard_error(name) for name, value in truth.items()}


def assert_true(found: Estimates, *, mobility: bool = True) -> None:
    for name, deviations in scores(found, mobility=mobility).items():
        assert np.abs(deviations).max() < 4, (name, deviations)
        assert (deviations**2).mean() < 4, (name, deviations)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_trajectories_give_the_law_of_motion(noise: float) -> None:
    moments = readings(0.05, 120, noise)
    found = estimate(moments, NETWORK, "trajectories")
    assert_true(found)
    assert found.values["noise"][0] == pytest.approx(noise, abs=4 * found.standard_error("noise")[0] + 5e-3)
    if noise:  # the control: readings taken for states
        ignored = estimate(moments, NETWORK, "trajectories", noise=0.0)
        assert max(np.abs(values).max() for values in scores(ignored).values()) > 6


def test_no_error_of_noise_is_told_at_its_bound() -> None:
    found = estimate(readings(0.05, 60, 0.0, chains=320), NETWORK, "trajectories")
    assert found.values["noise"][0] < 0.02 and (found.replicates["noise"] == 0).any()
    assert np.isnan(found.standard_error("noise")).all()


@pytest.mark.parametrize("groups", [2, 4, 20])
def test_errors_of_couplings_are_right_with_few_groups(groups: int) -> None:
    """Both directions are known alike: weights that followed their noisy errors would make too little of it."""
    runs, pairs, size = 400, 3, 0.3
    rng = np.random.default_rng(groups)
    means = rng.normal(0, size * groups**0.5, (runs, groups, pairs, 2))
    replicates = (means.sum(axis=1, keepdims=True) - means) / (groups - 1)
    ratios = np.zeros((runs, pairs))
    for run in range(runs):
        directed = {"couplings": means[run].mean(axis=0)}, {"couplings": replicates[run]}
        both = combined(Estimates("trajectories", Topology.complete(3), *directed, {}))
        ratios[run] = both.values["couplings"] / both.standard_error("couplings")
    within = np.abs(ratios) < students_t.ppf(0.975, groups - 1)
    assert within.mean() == pytest.approx(0.95, abs=0.025)


def test_states_alone_give_the_energies() -> None:
    found = estimate(readings(0.5, 40, 0.04, dt=2e-3), NETWORK, "snapshots", noise=0.04)
    assert_true(found, mobility=False)
    assert np.isnan(found.values["mobility"]).all() and np.isnan(found.standard_error("mobility")).all()
    assert "mobility" in found.reasons


def test_long_intervals_are_told_and_served_by_states_and_motion() -> None:
    moments = readings(0.5, 40, 0.0, dt=2e-3)
    alone = estimate(moments, NETWORK, "trajectories", noise=0.0)
    assert np.isnan(alone.values["J2"]).all() and "too long" in alone.reasons["J2"]
    assert_true(estimate(moments, NETWORK, "both", noise=0.0))


def test_no_mobility_is_told_from_states_that_have_forgotten() -> None:
    found = estimate(readings(3.0, 20, 0.0, dt=5e-3), NETWORK, "both", noise=0.0)
    assert_true(found, mobility=False)
    assert np.isnan(found.values["mobility"]).all() and "too long" in found.reasons["mobility"]


@pytest.mark.parametrize("method", ["trajectories", "snapshots"])
def test_applied_biases_that_do_nothing_give_nothing_a_unit(method: Method) -> None:
    """States that do not know of the biases: the mobility is chance, and so are ratios to it."""
    rng = np.random.default_rng(2)
    total: LaggedMoments | None = None
    for sign in (1.0, -1.0):
        walk = np.zeros((60, 80, 2))
        for step in range(1, 60):
            walk[step] = 0.9 * walk[step - 1] + rng.normal(0, 0.3, (80, 2))
        moments = LaggedMoments(sign * np.array([1.0, 0.7]), groups=8)
        moments.observe(piece(walk))
        total = moments if total is None else total + moments
    assert total is not None
    found = estimate(total, PAIR, method, noise=0.0)
    for name in ("J2", "J4", "biases", "couplings", "kT"):
        assert np.isnan(found.values[name]).all() and "not seen to act" in found.reasons[name]


def test_a_dead_unit_is_named_and_ends_the_search_for_noise() -> None:
    states = np.random.default_rng(3).normal(size=(60, 80, 2))
    states[:, :, 1] = 0
    moments = LaggedMoments(np.ones(2), groups=4)
    moments.observe(piece(states))
    with pytest.raises(CalibrationError, match="unit 1: it never differed from zero"):
        estimate(moments, PAIR, "trajectories")


@pytest.mark.parametrize("noise", [-0.1, np.nan])
def test_noise_is_a_standard_deviation(noise: float) -> None:
    moments = LaggedMoments(np.ones(2), groups=4)
    moments.observe(piece(np.random.default_rng(3).normal(size=(60, 80, 2))))
    with pytest.raises(CalibrationError, match="must be a standard deviation"):
        estimate(moments, PAIR, "snapshots", noise=noise)


@pytest.mark.parametrize("method", ["trajectories", "both", "snapshots"])
def test_noise_beyond_the_readings_is_refused(method: Method) -> None:
    moments = readings(0.05, 20, 0.0, chains=320)
    with pytest.raises(CalibrationError, match="stated noise of readings, 10, exceeds the readings"):
        estimate(moments, NETWORK, method, noise=10.0)


def test_unknown_noise_is_told_where_the_interval_allows() -> None:
    assert readings(0.05, 60, 0.05, chains=320).means().noise_variance() ** 0.5 == pytest.approx(0.05, rel=0.1)


def test_without_applied_biases_nothing_has_a_unit() -> None:
    states = np.random.default_rng(3).normal(size=(60, 80, 2))
    moments = LaggedMoments(np.zeros(2), groups=4)
    moments.observe(piece(states))
    with pytest.raises(CalibrationError, match="unit 0: its applied bias never differed from zero"):
        estimate(moments, PAIR, "snapshots")
