# SPDX-License-Identifier: Apache-2.0
"""Calibration pair by pair with a prior: the law of motion where there are data, the prior where there are none."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from thermohw import Program, RunPlan, SimulatedDevice, Topology
from thermohw.errors import CalibrationError
from thermohw.estimation import Estimates, LaggedMoments, estimate
from thermohw.estimation.bordered import Block, Modes, solve
from thermohw.estimation.excitation import applied_biases
from thermohw.estimation.lines import LineMoments, estimate_lines
from thermohw.estimation.pair_blocks import groups_of
from thermohw.estimation.pair_moments import PairMoments, without_noise
from thermohw.estimation.pairs import PairEstimates, PairPrior, estimate_pairs
from thermohw.nonideal import BiasOffset, CouplingMismatch, Effect, MobilityMismatch, NonidealDevice, ReadoutNoise

Floats = NDArray[np.float64]

NETWORK = Topology.layered(8, 4)
UNITS = NETWORK.units
RNG = np.random.default_rng(2)
PROGRAM = Program(
    NETWORK,
    np.full(UNITS, 1.0),
    np.full(UNITS, 0.5),
    RNG.normal(0, 0.3, UNITS),
    RNG.normal(0, 0.5, len(NETWORK.pairs)),
)
NOISE = 0.05
EFFECTS: list[Effect] = [CouplingMismatch(std=0.2), BiasOffset(std=0.3), MobilityMismatch(std=0.2)]


def flat_prior(program: Program, coupling_width: float, unit_width: float = 1.0) -> PairPrior:
    one = np.ones(program.units)
    values = {"J2": program.J2, "J4": program.J4, "biases": program.biases, "mobility": one}
    return PairPrior(program, values, {name: unit_width * one for name in values}, one, coupling_width)


def sums(applied: Floats, readings: NDArray[Any], interval: float = 0.1) -> PairMoments:
    """Get the sums over readings (readings, chains, units)."""
    moments = PairMoments(applied, interval)
    moments.take(readings)
    return moments


def read(
    device_seed: int, chains: int, relative: float, noise: float = NOISE
) -> tuple[PairEstimates, Estimates, NonidealDevice]:
    """Calibrate a device by pairs, and by the estimator of small networks."""
    device = NonidealDevice(SimulatedDevice(), [*EFFECTS, ReadoutNoise(std=noise)], device_seed)
    lines, pairs, full = LineMoments(np.zeros(UNITS), 20, program=PROGRAM), PairMoments(np.zeros(UNITS)), None
    for number, applied in enumerate(applied_biases(4, NETWORK, PROGRAM.biases, 2.0, None)):
        device.program(PROGRAM.with_biases(PROGRAM.biases + applied))
        of_lines, moments = LineMoments(applied, 20, 50, program=PROGRAM), LaggedMoments(applied, 20, 50)
        plan = RunPlan(
            4.0, chains, 1e-3, record_every=20, keep="trajectory", first_chain=chains * number, seed=device_seed
        )
        trajectory = device.run(plan, [of_lines, moments]).trajectory
        assert trajectory is not None
        lines.absorb(of_lines)
        pairs.absorb(sums(applied, trajectory[:, 50:].swapaxes(0, 1), of_lines.interval))
        full = moments if full is None else full + moments
    assert full is not None
    device.program(PROGRAM)
    prior = PairPrior.of(estimate_lines(lines, noise), PROGRAM, relative)
    return estimate_pairs(pairs, prior), estimate(full, NETWORK, "trajectories", noise), device


def test_with_a_wide_prior_it_is_the_law_of_motion() -> None:
    found, full, device = read(4, 160, 20.0)
    real, built = device.realised(seed=0), device.as_built
    assert built is not None
    truth = {name: getattr(real, name) for name in ("J2", "J4", "biases", "couplings")} | {"mobility": built.mobility}
    for name, value in truth.items():
        apart = (found.values[name] - full.values[name]) / found.errors[name]
        assert (apart**2).mean() < 0.5**2, name  # the same data, other interpolation
        assert np.median(found.errors[name] / full.standard_error(name)) == pytest.approx(1, abs=0.2)
        deviations = (found.values[name] - value) / found.errors[name]
        assert (deviations**2).mean() < 2.5, (name, deviations)
    assert found.resolved == len(NETWORK.pairs) and not len(found.unresolved())
    assert found.condition == pytest.approx(15, rel=0.5)
    asked = (PROGRAM.couplings - real.couplings) / found.errors["couplings"]
    assert (asked**2).mean() > 1.5  # the control: as programmed it is not


def test_noise_of_readings_is_in_the_errors_of_what_is_a_units_own() -> None:
    """x³ moves faster and is noisier than partners' states: weights made for these would say 20 % too little."""
    found, full, _ = read(4, 160, 20.0, noise=0.15)
    for name in ("J2", "J4"):
        ratio = np.median(found.errors[name] / full.standard_error(name))
        assert ratio == pytest.approx(1, abs=0.12), name


@pytest.mark.parametrize("relative", [0.2, 0.5])
def test_intervals_cover_whether_readings_or_the_prior_decide(relative: float) -> None:
    scores: list[Floats] = []
    for seed in range(8):
        found, _, device = read(seed, 20, relative)
        real = device.realised(seed=0).couplings
        rms = np.sqrt((PROGRAM.couplings**2).mean())
        weight = np.abs(PROGRAM.couplings) / rms  # errors are in proportion, the prior's width is the same for all
        kept = (weight > 0.4) & (weight < 1.6)
        scores.append((found.values["couplings"] - real)[kept] / found.errors["couplings"][kept])
        shares = found.learnt
        assert 0 <= shares.min() and 0.1 < np.median(shares) < 0.9 and shares.max() < 1
    covered = float((np.abs(np.concatenate(scores)) < 1.96).mean())
    assert 0.9 < covered < 0.99, covered  # 160 to 200 couplings: 0.95 ± 0.017
    assert (np.abs(np.concatenate(scores)) < 0.98).mean() < 0.8  # the control: half as wide does not do


def test_many_partners_do_not_bias_what_few_readings_tell() -> None:
    """Few readings, many partners: more instruments than unknowns would put mobilities a third of an error too low."""
    topology, interval = Topology.layered(80, 40), 0.005
    one = np.ones(topology.units)
    couplings = np.random.default_rng(6).normal(0, 0.2, len(topology.pairs))
    program = Program(topology, 10 * one, 10 * one, 0 * one, couplings)
    prior = flat_prior(program, 0.02)
    prior = replace(prior, widths=prior.widths | {"J2": 5 * one, "J4": 5 * one})
    means: list[float] = []
    errors: list[float] = []
    for seed in range(6):
        moments, device = PairMoments(0 * one), SimulatedDevice()
        for number, applied in enumerate(applied_biases(8, topology, program.biases, 4.0, None)):
            device.program(program.with_biases(applied))
            plan = RunPlan(32 * interval, 8, interval / 80, record_every=80, keep="trajectory", seed=seed)
            trajectory = device.run(replace(plan, first_chain=8 * number)).trajectory
            assert trajectory is not None
            moments.absorb(sums(applied, trajectory.swapaxes(0, 1), interval))
        found = estimate_pairs(moments, prior)
        means.append(float(found.values["mobility"].mean()))
        errors.append(float(found.errors["mobility"].mean()))
    assert abs(np.mean(means) - 1) < 0.2 * np.mean(errors)
    assert np.std(means) / 6**0.5 < 0.05 * np.mean(errors)


def test_without_readings_the_prior_stays() -> None:
    prior = flat_prior(PROGRAM, 0.07, 0.3)
    for moments in (PairMoments(np.zeros(UNITS)), few_readings()):
        found = estimate_pairs(moments, prior)
        np.testing.assert_allclose(found.values["couplings"], PROGRAM.couplings, atol=0.02 * moments.count / 3)
        np.testing.assert_allclose(found.errors["couplings"], 0.07, rtol=0.02)
        assert found.resolved == 0 and found.learnt.max() < 0.05
        assert len(found.unresolved()) == len(NETWORK.pairs)
    np.testing.assert_array_equal(estimate_pairs(PairMoments(np.zeros(UNITS)), prior).values["J2"], PROGRAM.J2)


def few_readings() -> PairMoments:
    """Fewer readings than units: their second moments have no inverse."""
    device = SimulatedDevice()
    device.program(PROGRAM.with_biases(PROGRAM.biases + 1))
    trajectory = device.run(RunPlan(0.04, 3, 0.001, record_every=20, keep="trajectory", seed=1)).trajectory
    assert trajectory is not None
    moments = sums(np.ones(UNITS), trajectory.swapaxes(0, 1), 0.02)
    assert moments.count == 3
    return moments


def test_pairs_known_least_are_named_first() -> None:
    """Two units that always move together: a force between them looks like one of each on itself."""
    program = Program(Topology.complete(3), np.ones(3), np.ones(3), np.zeros(3), np.array([0.3, -0.2, 0.1]))
    states = np.random.default_rng(1).normal(size=(1000, 50, 3))
    states[:, :, 1] = states[:, :, 0]
    moments = sums(np.ones(3), states)
    prior = flat_prior(program, 0.1)
    prior.widths["mobility"] *= 0.01
    found = estimate_pairs(moments, prior)
    assert found.learnt[1:].min() > 0.6 and found.learnt[0] < 0.1
    assert program.topology.pairs[found.unresolved()].tolist() == [[0, 1]]
    assert found.condition > 1e9


def exact_moments(program: Program, interval: float) -> PairMoments:
    """Moments of a linear network at equilibrium, kT = μ = 1, by Wick's theorem."""
    stiffness = program.matrix.toarray() + np.diag(2 * program.J2)
    rates, modes = np.linalg.eigh(stiffness)
    moments = PairMoments(np.zeros(program.units), interval)
    moments.count = 1e9
    squares = np.diag((modes / rates) @ modes.T)
    for lag in range(3):
        later: Floats = (modes * np.exp(-rates * lag * interval) / rates) @ modes.T
        own = np.diag(later)
        found = {"xx": later, "cx": 3 * squares[:, None] * later, "xc": 3 * later * squares}
        for name, values in {**found, "cc": 9 * squares**2 * own + 6 * own**3}.items():
            moments.sums[name][lag] = moments.count * values
    moments.sums["one"][:] = moments.count
    return moments


def test_the_interval_costs_its_fourth_power() -> None:
    topology = Topology.complete(3)
    program = Program(topology, np.array([1.0, 1.5, 2.0]), np.zeros(3), np.zeros(3), np.array([0.5, -0.4, 0.3]))
    asked = replace(program, couplings=np.zeros(3), J2=np.ones(3))
    prior = flat_prior(asked, 10.0)
    widths = prior.widths | {"mobility": np.full(3, 1e-6)}  # nothing is applied: energies are in units of mobility
    errors: list[Floats] = []
    for interval in (0.05, 0.1, 0.2):
        found = estimate_pairs(exact_moments(program, interval), replace(prior, widths=widths))
        errors.append(found.values["couplings"] - program.couplings)
        rates = np.linalg.eigvalsh(program.matrix.toarray() + np.diag(2 * program.J2))
        assert np.abs(errors[-1]).max() < (rates.max() * interval) ** 4 / 180 * rates.max()
    np.testing.assert_allclose(errors[1] / errors[0], 16, rtol=0.1)
    np.testing.assert_allclose(errors[2] / errors[1], 16, rtol=0.3)


def test_noise_of_readings_is_taken_out() -> None:
    rng = np.random.default_rng(3)
    states = rng.normal(size=(3, 200_000, 2))
    for lag in (1, 2):
        states[lag] = 0.6 * states[lag - 1] + 0.8 * states[lag]
    means: list[dict[str, Floats]] = []
    for noise in (0.0, 0.5):
        means.append(sums(np.array([1.0, -1.0]), states + noise * rng.normal(size=states.shape)).means())
    clean = without_noise(means[1], 0.25)
    for name, value in means[0].items():
        size = 5 * 20 / np.sqrt(states.shape[1])  # spread of the most scattered product, x⁶, by root N
        np.testing.assert_allclose(clean[name], value, atol=size * (1 if name != "cc" else 5), err_msg=name)
    assert abs(means[1]["cc"] - means[0]["cc"]).min() > 0.5  # the control


def test_sums_are_those_that_they_say() -> None:
    states, b = np.random.default_rng(4).normal(size=(5, 3, 2)), np.array([1.5, -0.5])
    moments = sums(b, states)
    assert moments.count == 9
    for lag in range(3):
        x, later = states[:3].reshape(9, 2), states[lag : lag + 3].reshape(9, 2)
        expected = {"xx": x.T @ later, "cx": (x**3).T @ later, "xc": x.T @ later**3, "x": later.sum(axis=0)}
        expected |= {"xb": np.outer(later.sum(axis=0), b), "c": (later**3).sum(axis=0)}
        expected |= {"cc": ((x * later) ** 3).sum(axis=0), "cb": (later**3).sum(axis=0) * b}
        for name, values in expected.items():
            np.testing.assert_allclose(moments.sums[name][lag], values, err_msg=name)
    for name, values in {"b": 9 * b, "bb": 9 * b**2, "one": np.full(2, 9.0)}.items():
        np.testing.assert_allclose(moments.sums[name], values)
    moments.take(states[:2])  # no product goes over two intervals
    assert moments.count == 9


@pytest.mark.parametrize("varied", [6, 4])
def test_a_border_and_one_basis_solve_as_the_matrices_written_out(varied: int) -> None:
    rng, units, s, o = np.random.default_rng(7), 5, 6, 3
    features = rng.normal(size=(50, s + units * o))
    features[:, varied:s] = 0.0
    later = 0.8 * features + 0.3 * rng.normal(size=features.shape) * (features != 0)
    both: Floats = features.T @ later / 50
    own_rows = s + np.arange(units * o).reshape(units, o)
    apart = [both[np.ix_(rows, rows)] for rows in (np.concatenate([np.arange(s), own]) for own in own_rows)]
    blocks = np.stack(apart)
    moments = Block(both[:s, :s], blocks[:, :s, s:], blocks[:, s:, :s], blocks[:, s:, s:])
    modes = Modes.of(moments.common, features[:, :s].T @ features[:, :s] / 50)
    right, k, pinned = rng.normal(size=(units, s + o)), rng.uniform(1, 3, units), np.array([-1, 0, 1, 2, -1])
    right[:, varied:s] = 0.0
    precision, own = rng.uniform(0.1, 1, units), rng.uniform(0.1, 1, (units, o))
    found = solve(moments, modes, (right[:, :s], right[:, s:]), k, (precision, own), pinned)
    for unit in range(units):
        kept = np.setdiff1d(np.arange(s + o), [pinned[unit]])
        matrix: Floats = k[unit] * blocks[unit] + np.diag(np.concatenate([np.full(s, precision[unit]), own[unit]]))
        inverse: Floats = np.linalg.inv(matrix[np.ix_(kept, kept)]).astype(np.float64)
        beta, variances = np.zeros(s + o), np.zeros(s + o)
        beta[kept], variances[kept] = inverse @ (k[unit] * right[unit, kept]), np.diag(inverse)
        np.testing.assert_allclose(found.common[unit], beta[:s], atol=1e-10)
        np.testing.assert_allclose(found.own[unit], beta[s:], atol=1e-10)
        np.testing.assert_allclose(found.variances[unit], variances[:s], atol=1e-10)
        symmetric: Floats = (inverse + inverse.T) / 2
        np.testing.assert_allclose(found.covariances[unit], symmetric[-o:, -o:], atol=1e-10)
        np.testing.assert_allclose(found.crossed[unit][kept[:-o]], symmetric[:-o, -o:], atol=1e-10)
        rows: Floats = np.concatenate([found.rows.common[unit], found.rows.own[unit]], axis=1)
        np.testing.assert_allclose(rows[:, kept], inverse[-o:], atol=1e-10)
        np.testing.assert_allclose(moments.between(found.rows)[unit], rows @ blocks[unit] @ rows.T, atol=1e-10)


def test_units_without_partners_are_known_too() -> None:
    topology = Topology.from_pairs(4, 0, [[0, 1]])
    program = Program(topology, np.ones(4), np.ones(4), np.zeros(4), np.array([0.5]))
    moments, interval = PairMoments(np.zeros(4)), 0.02
    for number, applied in enumerate(applied_biases(4, topology, program.biases, 2.0, None)):
        device = SimulatedDevice()
        device.program(program.with_biases(applied))
        plan = RunPlan(1.0, 200, 1e-3, record_every=20, keep="trajectory", first_chain=200 * number, seed=3)
        trajectory = device.run(plan).trajectory
        assert trajectory is not None
        moments.absorb(sums(applied, trajectory.swapaxes(0, 1), interval))
    found = estimate_pairs(moments, flat_prior(program, 0.5, 10.0))
    assert (found.errors["mobility"] < 0.1).all()  # the prior's is 10
    assert (np.abs(found.values["mobility"] - 1) < 4.5 * found.errors["mobility"]).all()


def test_units_with_the_same_partners_share_a_group() -> None:
    sizes = sorted((len(group.units), len(group.common), int(group.position.max())) for group in groups_of(NETWORK))
    assert sizes == [(4, 12, 11), (8, 4, -1)]
    ring = Topology.grid(1, 5, periodic=True)
    groups = groups_of(ring)
    assert sorted(unit for group in groups for unit in group.units.tolist()) == list(range(5))


def test_what_does_not_belong_together_is_refused() -> None:
    moments = PairMoments(np.zeros(3))
    with pytest.raises(CalibrationError, match="moments of 3 units, a prior of 12"):
        estimate_pairs(moments, flat_prior(PROGRAM, 0.1))
    with pytest.raises(CalibrationError, match="do not add"):
        moments.absorb(PairMoments(np.zeros(4)))
    with pytest.raises(CalibrationError, match="do not add"):
        PairMoments(np.zeros(3), interval=0.1).absorb(PairMoments(np.zeros(3), interval=0.2))
    with pytest.raises(CalibrationError, match="width of the prior"):
        flat_prior(PROGRAM, 0.0)
    with pytest.raises(CalibrationError, match="must be positive, is 0 at unit 0"):
        flat_prior(PROGRAM, 1.0, 0.0)
