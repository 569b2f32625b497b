# SPDX-License-Identifier: Apache-2.0
"""Statistical physics of the engines: each law within its stated error, and a control that must fail."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from thermohw import BiasSchedule, Program, RunPlan, Samples, SimulatedDevice, Topology
from thermohw.heat import HeatMeter, jarzynski_free_energy
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Integrator, NoiseKey
from thermohw.langevin.linear import LinearEngine
from thermohw.path import PathStatistics, irreversibility, path_log_probability, reverse_log_probability
from thermohw.statistics import Estimate
from thermohw.testing import Boltzmann, assert_mean

Floats = NDArray[np.float64]


def unit(J2: float, J4: float, bias: float = 0.0) -> Program:
    return Program.uncoupled(Topology.layered(1, 0), J2, J4, [bias])


def pair(J2: float, J4: float, coupling: float, biases: tuple[float, float]) -> Program:
    topology = Topology.complete(2)
    return Program(topology, np.full(2, J2), np.full(2, J4), np.array(biases), np.array([coupling]))


def moments(x: Floats) -> Floats:
    """Get x_i, x_i² and, for two units, x_0 x_1 of states (…, units)."""
    return np.concatenate([x, x**2, x[..., :1] * x[..., -1:]], axis=-1)


SYSTEMS = {
    "monostable": unit(10, 10),
    "biased": unit(10, 10, -12.0),
    "bistable": unit(-6, 4, 0.4),
    "coupled": pair(10, 10, -28.0, (1.0, -0.5)),
    "coupled bistable": pair(-3, 3, -1.5, (0.3, 0.0)),
    "linear pair": pair(2, 0, 1.5, (1.0, -2.0)),
}


def _uniform_probability(values: Floats) -> float:
    """Get the Kolmogorov–Smirnov p-value of values being uniform in (0, 1)."""
    return float(stats.kstest(values, "uniform").pvalue)


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("kT", [1.0, 0.5])
def test_long_runs_reach_the_boltzmann_density(name: str, kT: float) -> None:
    program = SYSTEMS[name]
    truth = Boltzmann.of(program, kT)
    with SimulatedDevice(kT=kT, integrator="leimkuhler-matthews") as device:
        device.program(program)
        rough = "linear" in name
        duration = 12.0 if "bistable" in name else 3.0
        states = device.run(RunPlan(duration, 20_000, 0.25 if rough else 0.0025, seed=11)).states.astype(np.float64)
    assert_mean(moments(states), truth.mean(moments))
    assert _uniform_probability(truth.cumulative(states[:, 0])) > 1e-4
    shifted = states[:, 0] + 0.05 * states[:, 0].std()
    assert _uniform_probability(truth.cumulative(shifted)) < 1e-4


@pytest.mark.parametrize(("mobility", "kT"), [(1.0, 1.0), (3.0, 0.4), (0.2, 2.5)])
def test_equipartition(mobility: float, kT: float) -> None:
    rng = np.random.default_rng(5)
    topology = Topology.layered(4, 3)
    program = Program(topology, np.full(7, 2.0), np.zeros(7), rng.normal(size=7), 0.4 * rng.normal(size=15))
    with SimulatedDevice(mobility, kT, engine="overdamped", integrator="leimkuhler-matthews") as device:
        device.program(program)
        x = device.run(RunPlan(6 / (mobility * 2), 40_000, 0.01 / mobility, seed=2)).states.astype(np.float64)
    shares = x * program.gradient(x)  # ⟨x_i ∂_iV⟩ = kT
    assert_mean(shares, kT)
    with pytest.raises(AssertionError, match="standard errors"):
        assert_mean(shares, 1.07 * kT)


def test_linear_engine_has_exact_moments_at_any_step() -> None:
    rng = np.random.default_rng(8)
    units, start = 4, np.array([1.0, -2.0, 0.5, 0.0])
    couplings = rng.normal(size=(units, units))
    np.fill_diagonal(couplings, 0)
    built = AsBuilt(
        units, np.full(units, 2.0), np.zeros(units), rng.normal(size=units), couplings,
        np.array([1.0, 2.0, 0.5, 1.5]), np.array([1.0, 0.3, 2.0, 0.0]),
    )  # fmt: skip
    assert not built.symmetric
    time, chains = 0.3, 40_000
    mean, covariance = _moments_by_integration(built, start, time)
    for steps in (1, 3):
        x = np.tile(start, (chains, 1))
        LinearEngine(Dynamics(built, time / steps, dtype=np.float64)).advance(
            x, NoiseKey(4), steps, np.zeros(chains), np.empty((0, chains, units))
        )
        assert_mean(x, mean)
        products = (x - mean)[:, :, None] * (x - mean)[:, None, :]
        assert_mean(products.reshape(chains, -1), covariance.ravel())
        with pytest.raises(AssertionError, match="standard errors"):
            assert_mean(products.reshape(chains, -1), 1.05 * covariance.ravel())


def _moments_by_integration(built: AsBuilt, start: Floats, time: float) -> tuple[Floats, Floats]:
    """Integrate dm/dt = −A m − μ b and dC/dt = −A C − C Aᵀ + 2 μ kT by the midpoint rule."""
    drift = built.mobility[:, None] * (built.couplings.toarray() + np.diag(2 * built.J2))
    mean, covariance, steps = start.copy(), np.zeros((len(start),) * 2), 20_000
    dt = time / steps

    def rates(m: Floats, c: Floats) -> tuple[Floats, Floats]:
        return -drift @ m - built.mobility * built.biases, -drift @ c - c @ drift.T + np.diag(
            2 * built.mobility * built.kT
        )

    for _ in range(steps):
        dm, dc = rates(mean, covariance)
        dm, dc = rates(mean + 0.5 * dt * dm, covariance + 0.5 * dt * dc)
        mean, covariance = mean + dt * dm, covariance + dt * dc
    return mean, covariance


def test_linear_engine_has_the_right_time_correlation() -> None:
    program = pair(2, 0, 1.5, (0.0, 0.0))
    stiffness = np.array([[4.0, 1.5], [1.5, 4.0]])
    with SimulatedDevice() as device:
        device.program(program)
        plan = RunPlan(3.2, 40_000, 0.2, record_every=1, keep="trajectory", seed=3)
        trajectory = device.run(plan).trajectory
    assert trajectory is not None
    late, later = trajectory[:, 15].astype(np.float64), trajectory[:, 16].astype(np.float64)
    values, vectors = np.linalg.eigh(stiffness)
    expected = vectors @ np.diag(np.exp(-values * 0.2) / values) @ vectors.T
    products = (later[:, :, None] * late[:, None, :]).reshape(len(late), -1)
    assert_mean(products, expected.ravel())


def _stationary_errors(integrator: Integrator, steps: list[float]) -> tuple[Floats, Floats]:
    """Get ⟨x⁴⟩ − truth of a quartic unit at each Δt, and its standard error."""
    program = unit(10, 10)
    truth = float(Boltzmann.of(program).mean(lambda x: x[:, 0] ** 4))
    errors: list[tuple[float, float]] = []
    for dt in steps:
        with SimulatedDevice(integrator=integrator) as device:
            device.program(program)
            every = round(0.096 / dt)
            plan = RunPlan(24 * every * dt, 120_000, dt, record_every=every, keep="trajectory", seed=6)
            trajectory = device.run(plan).trajectory
        assert trajectory is not None
        estimate = Estimate.of((trajectory[:, 5:, 0].astype(np.float64) ** 4).mean(axis=1))
        errors.append((estimate.mean - truth, estimate.standard_error))
    return np.array([error for error, _ in errors]), np.array([sigma for _, sigma in errors])


@pytest.mark.parametrize(
    ("integrator", "steps", "order"),
    [("euler-maruyama", [0.004, 0.008, 0.016], 1), ("leimkuhler-matthews", [0.016, 0.024, 0.032], 2)],
)
def test_stationary_error_has_the_order_of_the_integrator(
    integrator: Integrator, steps: list[float], order: int
) -> None:
    errors, sigmas = _stationary_errors(integrator, steps)
    assert (np.abs(errors[1:]) > 5 * sigmas[1:]).all()  # the errors are seen at all
    slope, covariance = np.polyfit(np.log(steps), np.log(np.abs(errors)), 1, w=np.abs(errors) / sigmas, cov="unscaled")
    uncertainty = float(np.sqrt(covariance[0, 0]))
    assert abs(slope[0] - order) < 5 * uncertainty + 0.35 * order  # 0.35: the next orders, at these steps
    assert abs(slope[0] - (3 - order)) > 5 * uncertainty + 0.35


def _ramp(start: Floats, end: Floats, time: float) -> BiasSchedule:
    return BiasSchedule(np.array([0.0, time]), np.stack([start, end]))


def test_jarzynski_holds_exactly_for_linear_computers_at_any_step() -> None:
    topology = Topology.complete(3)
    program = Program(topology, np.full(3, 2.0), np.zeros(3), np.zeros(3), np.array([0.8, -0.5, 0.3]))
    stiffness = np.asarray(program.matrix.toarray() + 4 * np.eye(3), np.float64)
    before, after = np.array([1.0, 0.0, -1.0]), np.array([-1.0, 1.5, 0.5])
    inverse = np.linalg.inv(stiffness)
    difference = -0.5 * float(after @ inverse @ after - before @ inverse @ before)
    initial = np.random.default_rng(1).multivariate_normal(-inverse @ before, inverse, 40_000)
    for dt in (0.5, 0.05):
        with SimulatedDevice() as device:
            device.program(program)
            plan = RunPlan(0.5, 40_000, dt, _ramp(before, after, 0.5), initial, seed=4)
            work = device.run(plan).work
        _assert_free_energy(work, difference)


def test_jarzynski_holds_for_a_quartic_unit() -> None:
    before, after = np.array([-4.0]), np.array([6.0])
    difference = Boltzmann.of(unit(10, 10, 6.0)).free_energy - Boltzmann.of(unit(10, 10, -4.0)).free_energy
    with SimulatedDevice(integrator="leimkuhler-matthews") as device:
        device.program(unit(10, 10))
        plan = RunPlan(0.05, 200_000, 0.0005, _ramp(before, after, 0.05), seed=4)
        _assert_free_energy(device.run(plan).work, difference)


def _assert_free_energy(work: Floats, difference: float) -> None:
    estimate = jarzynski_free_energy(work)
    assert abs(estimate.mean - difference) < 5 * estimate.standard_error
    mean = Estimate.of(work)
    assert mean.mean - difference > 10 * mean.standard_error  # the second law: the work exceeds it
    wrong = jarzynski_free_energy(-work)
    assert abs(wrong.mean - difference) > 10 * wrong.standard_error


def test_the_first_law_holds_on_each_trajectory() -> None:
    rng = np.random.default_rng(9)
    topology = Topology.layered(6, 5)
    program = Program(topology, np.full(11, 5.0), np.full(11, 8.0), np.zeros(11), rng.normal(size=len(topology.pairs)))
    schedule = _ramp(rng.normal(size=11), rng.normal(size=11), 0.4)
    samples, meter = _measured(program, schedule, 1e-3)
    first = program.with_biases(schedule.at(0)).energy(samples.initial_states)
    last = program.with_biases(schedule.at(0.4)).energy(samples.states)
    np.testing.assert_allclose(samples.heat, first - last + samples.work, atol=1e-4)
    assert np.abs(samples.work).min() > 1e-4
    assert samples.heat.std() > 0.1
    deviations = [np.sqrt(np.mean((meter.heat - samples.heat) ** 2))]
    for dt in (5e-4, 2.5e-4):
        samples, meter = _measured(program, schedule, dt)
        deviations.append(np.sqrt(np.mean((meter.heat - samples.heat) ** 2)))
    assert deviations[0] < 0.1 * samples.heat.std()
    assert deviations[2] < 0.4 * deviations[0]  # the path's heat tends to the first law's


def _measured(program: Program, schedule: BiasSchedule, dt: float) -> tuple[Samples, HeatMeter]:
    meter = HeatMeter()
    with SimulatedDevice(precision="float64") as device:
        device.program(program)
        return device.run(RunPlan(0.4, 300, dt, schedule, seed=1), (meter,)), meter


@pytest.fixture(scope="module")
def relaxing() -> Callable[[float], tuple[Program, Floats]]:
    """Paths (steps + 1, chains, units) of an uncoupled computer, by time step."""
    topology = Topology.complete(4)
    program = Program(topology, np.full(4, 3.0), np.full(4, 2.0), np.array([1.0, -0.5, 0.0, 0.3]), np.zeros(6))

    def run(dt: float) -> tuple[Program, Floats]:
        with SimulatedDevice(precision="float64") as device:
            device.program(program)
            trajectory = device.run(RunPlan(0.5, 3000, dt, keep="trajectory", seed=1)).trajectory
        assert trajectory is not None
        return program, trajectory.transpose(1, 0, 2).astype(np.float64)

    return run


def test_the_fluctuation_relation_holds_as_the_step_shrinks(
    relaxing: Callable[[float], tuple[Program, Floats]],
) -> None:
    steps = np.array([0.02, 0.01, 0.005, 0.0025])
    untrained, trained, heat_alone = np.empty((3, len(steps)))
    for k, dt in enumerate(steps):
        program, path = relaxing(float(dt))
        other = Program(program.topology, program.J2, program.J4, np.zeros(4), 2 * np.array([1, -1, 0.5, 0.3, -0.7, 1]))
        same, different = irreversibility(program, program, path, dt), irreversibility(program, other, path, dt)
        assert not same.activity.any()
        untrained[k] = np.sqrt(np.mean(same.residual**2))
        trained[k] = np.sqrt(np.mean(different.residual**2))
        heat_alone[k] = np.sqrt(np.mean((different.log_ratio - different.heat) ** 2))
    assert np.polyfit(np.log(steps), np.log(untrained), 1)[0] == pytest.approx(1, abs=0.15)
    assert np.polyfit(np.log(steps), np.log(trained), 1)[0] > 0.5
    assert trained[-1] < 0.2 * heat_alone[-1]
    assert heat_alone[-1] > 0.7 * heat_alone[0]  # without the time-symmetric term nothing vanishes


def test_path_probabilities_are_those_of_the_noise(relaxing: Callable[[float], tuple[Program, Floats]]) -> None:
    program, path = relaxing(0.01)
    drift = path[:-1] - 0.01 * program.gradient(path[:-1])
    densities = np.asarray(stats.norm.logpdf(path[1:], drift, np.sqrt(2 * 0.01))).sum(axis=(0, 2))
    constant = -0.5 * (len(path) - 1) * 4 * np.log(4 * np.pi * 0.01)
    np.testing.assert_allclose(path_log_probability(program, path, 0.01) + constant, densities, rtol=1e-9)
    # the noise that made the steps is normal: −2 ln P is χ² with steps · units degrees of freedom
    degrees = (len(path) - 1) * 4
    assert_mean(-2 * path_log_probability(program, path, 0.01), degrees)
    with pytest.raises(AssertionError, match="standard errors"):
        assert_mean(-2 * path_log_probability(program.with_biases(program.biases + 2), path, 0.01), degrees)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_path_statistics_give_the_probability_of_any_parameters(direction: str) -> None:
    rng = np.random.default_rng(2)
    topology, dt, mobility, kT = Topology.layered(3, 2), 0.01, 1.7, 0.6
    J2, J4 = rng.uniform(1, 2, 5), rng.uniform(1, 2, 5)
    path = rng.normal(size=(30, 4, 5))
    statistics = PathStatistics(J2, J4, "forward" if direction == "forward" else "reverse", mobility, kT)
    statistics.add_steps(path[:, :1], dt)
    others = statistics.fresh()
    others.add_steps(path[:, 1:], dt)
    total = statistics + others
    for _ in range(3):
        program = Program(topology, J2, J4, rng.normal(size=5), rng.normal(size=len(topology.pairs)))
        J, b = program.matrix.toarray(), program.biases
        scale = mobility * dt
        square = total.w + 2 * scale * (np.sum(J * total.C) + b @ total.q)
        square += scale**2 * (np.trace(J @ total.S @ J) + 2 * b @ J @ total.m + total.n * b @ b)
        function = path_log_probability if direction == "forward" else reverse_log_probability
        direct = function(program, path, dt, mobility, kT).sum()
        assert -square / (4 * mobility * kT * dt) == pytest.approx(direct, rel=1e-10)
