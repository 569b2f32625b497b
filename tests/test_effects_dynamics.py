# SPDX-License-Identifier: Apache-2.0
"""Effects on the equation of motion and on the drive, run on the ideal device: each has the law that it states."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from laws import kolmogorov_smirnov
from numpy.typing import NDArray
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.linalg import solve_discrete_lyapunov

from thermohw import BiasSchedule, Program, RunPlan, Samples, SimulatedDevice, Topology
from thermohw.backends import open_device
from thermohw.errors import DeviceLimitError
from thermohw.langevin.as_built import AsBuilt
from thermohw.nonideal import (
    BiasSettling,
    ColouredNoise,
    ExcessNoise,
    Inertia,
    MobilityMismatch,
    NonidealDevice,
    NonreciprocalCouplings,
    Rails,
    TemperatureGradient,
    TemperatureOffset,
)
from thermohw.nonideal.draws import DEVICE, Draws
from thermohw.nonideal.effect import DynamicsEffect, Effect
from thermohw.testing import Boltzmann, assert_mean

Floats = NDArray[np.float64]
J2, UNITS = 2.0, 64
LINEAR = Program.uncoupled(Topology.from_pairs(UNITS, 0, []), J2, 0.0)
PAIRS = Topology.from_pairs(UNITS, 0, 2 * np.arange(UNITS // 2)[:, None] + [[0, 1]])
QUARTIC = Program.uncoupled(Topology.from_pairs(UNITS, 0, []), 1.0, 2.0)
RATE = 2 * J2
"""Rate of the linear units at mobility 1; their variance is kT/RATE, and kT/RATE/(1 − RATE dt/2) of Euler–Maruyama."""
STEP = 0.02


def coupled(program: Program, couplings: float | Floats) -> Program:
    return replace(program, couplings=np.broadcast_to(couplings, len(program.topology.pairs)))


def run(effects: list[Effect], program: Program, plan: RunPlan, device_seed: int = 1, kT: float = 1.0) -> Samples:
    with NonidealDevice(SimulatedDevice(kT=kT), effects, device_seed) as device:
        device.program(program)
        return device.run(plan)


def altered(effect: DynamicsEffect, program: Program, device_seed: int = 1) -> AsBuilt:
    return effect.on_dynamics(AsBuilt.from_program(program), Draws(device_seed, DEVICE))


def unit_squares(samples: Samples) -> Floats:
    return samples.states.astype(np.float64) ** 2


def fails(check: Callable[[], None]) -> None:
    """The negative control: the same check against a law that is wrong must fail."""
    with pytest.raises(AssertionError):
        check()


# Temperatures


@pytest.mark.parametrize("offset", [0.1, 100.0])
def test_a_temperature_offset_heats_all_units(offset: float) -> None:
    samples = run([TemperatureOffset(offset=offset)], LINEAR, RunPlan(2.0, 2000, seed=2))
    assert_mean(unit_squares(samples).mean(axis=1), (1 + offset) / RATE)
    fails(lambda: assert_mean(unit_squares(samples).mean(axis=1), (1 + 0.5 * offset) / RATE))


@pytest.mark.parametrize(
    "effect", [TemperatureOffset(std=0.3), TemperatureOffset(std=1.0), TemperatureGradient(span=1.9)]
)
def test_each_unit_has_its_own_temperature(effect: DynamicsEffect) -> None:
    temperatures = altered(effect, LINEAR).kT
    samples = run([effect], LINEAR, RunPlan(2.0, 4000, STEP, seed=2))
    assert_mean(unit_squares(samples), temperatures / RATE / (1 - RATE * STEP / 2))
    fails(lambda: assert_mean(unit_squares(samples), 1 / RATE))


@pytest.mark.parametrize("std", [0.01, 1.0])
def test_temperatures_and_mobilities_are_lognormal(std: float) -> None:
    many = Program.uncoupled(Topology.from_pairs(50_000, 0, []), 1.0, 1.0)
    spread = np.sqrt(np.log1p(std**2))
    temperatures = altered(TemperatureOffset(offset=1.0, std=std), many).kT / 2
    mobilities = altered(MobilityMismatch(std=std), many).mobility
    for factors in (temperatures, mobilities):
        assert_mean(factors, 1)
        assert_mean((factors - 1) ** 2, std**2)
        normals = np.log(factors) / spread + spread / 2
        assert kolmogorov_smirnov(normals, lambda x: np.asarray(stats.norm.cdf(x))) > 1e-3
    assert_mean(np.log(temperatures) * np.log(mobilities), np.log(temperatures).mean() * np.log(mobilities).mean())


@pytest.mark.parametrize("span", [0.01, -1.99])
def test_a_gradient_is_linear_and_keeps_the_mean(span: float) -> None:
    temperatures = altered(TemperatureGradient(span=span), LINEAR).kT
    np.testing.assert_allclose(np.diff(temperatures), span / (UNITS - 1), rtol=1e-9)
    assert temperatures.mean() == pytest.approx(1)
    single = Program.uncoupled(Topology.complete(1), 1.0, 1.0)
    assert altered(TemperatureGradient(span=span), single).kT.tolist() == [1.0]


# Mobility and inertia


@pytest.mark.parametrize("std", [0.05, 1.0])
def test_each_unit_relaxes_at_its_own_rate(std: float) -> None:
    effects: list[Effect] = [MobilityMismatch(std=std), TemperatureOffset(offset=-1.0)]
    rates = RATE * altered(MobilityMismatch(std=std), LINEAR).mobility
    plan = RunPlan(0.2, 2, initial=np.ones((2, UNITS)), keep="trajectory", dt=0.05, seed=1)
    samples = run(effects, LINEAR, plan)
    assert samples.trajectory is not None and samples.times is not None
    expected = np.exp(-rates * samples.times[:, None])
    np.testing.assert_allclose(samples.trajectory, np.stack([expected, expected]), rtol=1e-5, atol=1e-6)
    assert np.ptp(rates) > 2 * std


def test_mobilities_leave_the_equilibrium_alone() -> None:
    program = coupled(Program.uncoupled(PAIRS, 1.0, 1.0, np.tile([1.0, -0.5], UNITS // 2)), 1.5)
    one = Boltzmann.of(coupled(Program.uncoupled(Topology.complete(2), 1.0, 1.0, [1.0, -0.5]), 1.5))
    samples = run([MobilityMismatch(std=0.3)], program, RunPlan(4.0, 1000, 0.004, seed=3))
    product = samples.states.astype(np.float64).reshape(1000, -1, 2).prod(axis=2).mean(axis=1)
    assert_mean(product, float(one.mean(lambda x: x.prod(axis=-1))))


def test_inertia_is_that_of_the_equation_of_motion() -> None:
    """The correlation of a damped oscillator: m x'' = −2 J2 x − x'/μ from rest, without noise."""
    mass, time = 0.5, 0.6
    rest = RunPlan(time, 200, 1e-3, initial=np.ones((200, UNITS)), seed=4)
    samples = run([Inertia(mass=mass)], LINEAR, rest)
    flow = solve_ivp(lambda t, y: [y[1], -(RATE * y[0] + y[1]) / mass], (0, time), [1.0, 0.0], rtol=1e-9)
    assert_mean(samples.states.mean(axis=1), flow.y[0, -1])
    fails(lambda: assert_mean(samples.states.mean(axis=1), np.exp(-RATE * time)))


@pytest.mark.parametrize("mass", [1e-4, 1.0])
def test_inertia_is_told_and_keeps_equipartition(mass: float) -> None:
    with NonidealDevice(SimulatedDevice(), [Inertia(mass=mass)], 1) as device:
        assert device.spec.mass == mass
        assert device.spec.details["integrator"] == "baoab"
        device.program(QUARTIC)
        samples = device.run(RunPlan(2.0, 500, 0.005, seed=5))
        assert samples.velocities is not None and device.as_built is not None
        states = samples.states.astype(np.float64)
        assert_mean((states * -device.as_built.force(states)).mean(axis=1), 1.0)


def test_a_device_with_inertia_of_its_own_gets_no_more() -> None:
    with open_device("mechanical_cantilever") as child, pytest.raises(DeviceLimitError, match="inertia of their own"):
        NonidealDevice(child, [Inertia(mass=0.1)], 1)
    heavy = replace(AsBuilt.from_program(LINEAR), mass=np.ones(UNITS))
    with pytest.raises(DeviceLimitError, match="inertia of their own"):
        Inertia(mass=0.1).on_dynamics(heavy, Draws(1, DEVICE))


# Non-reciprocal couplings


@pytest.mark.parametrize(("std", "common"), [(0.01, 0.0), (0.01, -0.5), (10.0, 10.0)])
def test_couplings_are_asymmetric_about_those_asked_for(std: float, common: float) -> None:
    topology = Topology.complete(150)
    program = coupled(Program.uncoupled(topology, 1.0, 1.0), np.random.default_rng(1).normal(size=len(topology.pairs)))
    felt = altered(NonreciprocalCouplings(std=std, common=common), program).couplings.toarray()
    intended = program.matrix.toarray()
    np.testing.assert_allclose((felt + felt.T) / 2, intended, rtol=1e-9, atol=1e-12)
    first, second = topology.pairs.T
    asymmetry = (felt - felt.T)[first, second] / (2 * intended[first, second])
    assert_mean((asymmetry - common) / std, 0)
    assert_mean(((asymmetry - common) / std) ** 2, 1)
    assert kolmogorov_smirnov((asymmetry - common) / std, lambda x: np.asarray(stats.norm.cdf(x))) > 1e-3
    fails(lambda: assert_mean(((asymmetry - common) / std) ** 2, 1.1))


def test_couplings_that_act_one_way_only() -> None:
    """Unit 1 does not pull at unit 0: Σ = M Σ Mᵀ + 2 kT Δt, M = 1 − K Δt, is the covariance of the linear pair."""
    program = coupled(Program.uncoupled(PAIRS, J2, 0.0), 2.0)
    built = altered(NonreciprocalCouplings(common=-1.0), program)
    assert built.couplings.toarray()[0, 1] == 0 and built.couplings.toarray()[1, 0] == 4.0
    samples = run([NonreciprocalCouplings(common=-1.0)], program, RunPlan(4.0, 1000, STEP, seed=6))
    states = samples.states.astype(np.float64).reshape(1000, -1, 2)
    observed = np.stack([states[..., 0] ** 2, states.prod(axis=-1), states[..., 1] ** 2], axis=-1).mean(axis=1)

    def covariance(felt: Floats) -> Floats:
        forward = np.eye(2) - STEP * felt
        return np.asarray(solve_discrete_lyapunov(forward, 2 * STEP * np.eye(2)), np.float64)[[0, 0, 1], [0, 1, 1]]

    assert_mean(observed, covariance(np.array([[RATE, 0.0], [4.0, RATE]])))
    fails(lambda: assert_mean(observed, covariance(np.array([[RATE, 4.0], [0.0, RATE]]))))
    fails(lambda: assert_mean(observed, covariance(np.array([[RATE, 2.0], [2.0, RATE]]))))


# Rails, coloured noise and excess noise


@pytest.mark.parametrize("limit", [0.3, 6.0])
def test_rails_cut_the_boltzmann_density_off(limit: float) -> None:
    samples = run([Rails(limit=limit)], LINEAR, RunPlan(1.0, 1000, 5e-4, seed=7))
    assert np.abs(samples.states).max() <= limit
    end = limit * np.sqrt(RATE)
    variance = float(stats.truncnorm.var(-end, end)) / RATE
    assert_mean(unit_squares(samples).mean(axis=1), variance)
    if limit < 1:
        fails(lambda: assert_mean(unit_squares(samples).mean(axis=1), 1 / RATE))


@pytest.mark.parametrize("correlation", [0.05, 1.0])
def test_coloured_noise_cools_fast_units(correlation: float) -> None:
    effect = ColouredNoise(correlation_time=correlation)
    samples = run([effect], LINEAR, RunPlan(3.0 + 4 * correlation, 300, 0.004, seed=8))
    assert_mean(unit_squares(samples).mean(axis=1), 1 / RATE / (1 + RATE * correlation))
    fails(lambda: assert_mean(unit_squares(samples).mean(axis=1), 1 / RATE))


@pytest.mark.parametrize("corner", [0.5, 5.0])
def test_excess_noise_adds_the_variance_of_its_spectrum(corner: float) -> None:
    """White noise adds kT/r, and each process of variance v and time τ adds 2 kT v/(r (r + 1/τ))."""
    effect = ExcessNoise(corner_frequency=corner, lowest_frequency=0.2, highest_frequency=5.0)
    built = altered(effect, LINEAR)
    assert built.flicker is not None
    excess = 2 * (built.flicker.variance / (RATE * (RATE + 1 / built.flicker.times))).sum()
    samples = run([effect], LINEAR, RunPlan(8.0, 500, 0.002, seed=9))
    assert_mean(unit_squares(samples).mean(axis=1), 1 / RATE + excess)
    fails(lambda: assert_mean(unit_squares(samples).mean(axis=1), 1 / RATE))


def test_frequencies_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lowest_frequency 5 must be below highest_frequency 5"):
        ExcessNoise(lowest_frequency=5.0, highest_frequency=5.0)


# Settling of biases


def ramp(time: float, end: float, units: int = 2) -> BiasSchedule:
    return BiasSchedule(np.array([0, time]), np.array([[0.0], [end]]).repeat(units, axis=1))


@pytest.mark.parametrize("settling", [1e-3, 0.3, 50.0])
def test_biases_settle_exponentially(settling: float) -> None:
    """Of a ramp s t: s (t − τ (1 − e^{−t/τ})); after it, the rest decays as e^{−t/τ}."""
    slope, end, duration = 5.0, 0.4, 1.0
    schedule = ramp(end, slope * end)
    felt = BiasSettling(settling_time=settling).settled(schedule, duration)
    times = felt.times
    rising = slope * (times + settling * np.expm1(-times / settling))
    at_end = slope * (end + settling * np.expm1(-end / settling))
    late = slope * end + (at_end - slope * end) * np.exp(-np.maximum(times - end, 0) / settling)
    expected = np.where(times <= end, rising, late)
    np.testing.assert_allclose(felt.biases, np.stack([expected] * 2, axis=1), rtol=1e-9, atol=1e-12)
    assert times[0] == 0 and times[-1] == duration and end in times


def test_knots_are_close_enough_together() -> None:
    """Between knots the felt biases are linear: the error is of the second order in their distance."""
    felt = BiasSettling(settling_time=0.1).settled(BiasSchedule(np.array([0, 1e-6]), np.array([[0.0], [1.0]])), 1.0)
    times = np.linspace(0.001, 1, 1000)
    seen = np.array([felt.at(time)[0] for time in times])
    np.testing.assert_allclose(seen, -np.expm1(-times / 0.1), atol=1e-3)


def test_a_driver_can_rise_only_so_fast() -> None:
    limited = BiasSettling(slew_rate=2.0).settled(ramp(0.1, 1.0), 1.0)
    np.testing.assert_allclose(limited.biases[:, 0], np.minimum(2 * limited.times, 1.0), rtol=1e-9, atol=1e-12)
    fast_enough = BiasSettling(slew_rate=20.0).settled(ramp(0.1, 1.0), 1.0)
    np.testing.assert_allclose(fast_enough.biases[:, 0], np.minimum(10 * fast_enough.times, 1.0), atol=1e-12)
    both = BiasSettling(settling_time=0.05, slew_rate=2.0).settled(ramp(0.1, -1.0), 2.0)
    slopes = np.diff(both.biases[:, 0]) / np.diff(both.times)
    assert slopes.min() >= -2 * (1 + 1e-9) and (slopes <= 0).all()
    assert both.biases[-1, 0] == pytest.approx(-1, abs=1e-9)


def test_a_constant_schedule_and_none_stay_as_they_are() -> None:
    effect = BiasSettling(settling_time=0.1, slew_rate=1.0)
    held = effect.settled(BiasSchedule(np.zeros(1), np.full((1, 2), 0.7)), 1.0)
    np.testing.assert_allclose(held.biases, 0.7, rtol=1e-14)
    plan = RunPlan(1.0, 2)
    assert effect.on_plan(plan) is plan


def test_units_follow_the_late_biases_and_work_is_theirs() -> None:
    """Without noise: dx/dt = −(2 J2 x + b(t)) with the felt b, and W = ∫ ḃ x dt; with the schedule's own b it fails."""
    settling, time, end, duration = 0.2, 0.3, 3.0, 1.0
    effects: list[Effect] = [TemperatureOffset(offset=-1.0), BiasSettling(settling_time=settling)]
    plan = RunPlan(duration, 2, 5e-4, ramp(time, end, UNITS), seed=1)
    samples = run(effects, LINEAR, plan)

    def flow(t: float, y: Floats, late: bool) -> list[float]:
        x, felt, _ = y
        target, slope = (end * t / time, end / time) if t < time else (end, 0.0)
        rate = (target - felt) / settling if late else slope
        return [-(RATE * x + felt), rate, rate * x]

    late, prompt = (
        solve_ivp(flow, (0, duration), [0.0, 0.0, 0.0], args=(how,), rtol=1e-8, max_step=0.01).y[:, -1]
        for how in (True, False)
    )
    np.testing.assert_allclose(samples.states, late[0], rtol=3e-3)
    np.testing.assert_allclose(samples.work, UNITS * late[2], rtol=3e-3)
    energy = J2 * late[0] ** 2 + late[1] * late[0]
    np.testing.assert_allclose(samples.heat, UNITS * late[2] - UNITS * energy, rtol=1e-2)
    assert abs(late[2] / prompt[2] - 1) > 0.1
