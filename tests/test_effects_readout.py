# SPDX-License-Identifier: Apache-2.0
"""Effects on how a device is read: each has the law that it states, in final states, trajectories and observers."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import kolmogorov_smirnov
from numpy.typing import NDArray
from scipy import stats

from thermohw import PathStatistics, Program, RunPlan, Samples, SimulatedDevice, Topology
from thermohw.langevin import ensemble
from thermohw.langevin.observer import Observer, TrajectoryPiece
from thermohw.nonideal import (
    GainOffset,
    NonidealDevice,
    ReadoutBandwidth,
    ReadoutNoise,
    ReadoutQuantization,
    SamplingJitter,
    TemperatureOffset,
)
from thermohw.nonideal.draws import DEVICE, READING, Draws
from thermohw.nonideal.effect import Effect, Reading, ReadoutEffect
from thermohw.testing import assert_mean

Floats = NDArray[np.float64]
J2, UNITS = 2.0, 32
RATE, VARIANCE = 2 * J2, 1 / (2 * J2)
LINEAR = Program.uncoupled(Topology.from_pairs(UNITS, 0, []), J2, 0.0)
ALL: list[Effect] = [
    GainOffset(gain_std=0.1, offset_std=0.1),
    ReadoutBandwidth(time_constant=0.1),
    SamplingJitter(std=0.02),
    ReadoutNoise(std=0.1),
    ReadoutQuantization(bits=9),
]


def run(effects: Sequence[Effect], plan: RunPlan, program: Program = LINEAR, device_seed: int = 1) -> Samples:
    with NonidealDevice(SimulatedDevice(), effects, device_seed) as device:
        device.program(program)
        return device.run(plan)


def trajectory(samples: Samples) -> Floats:
    """(samples, records + 1, units)."""
    assert samples.trajectory is not None
    return samples.trajectory.astype(np.float64)


def read(effect: ReadoutEffect, states: Floats, device: int = 1, run: int = 2, step: int = 3) -> Floats:
    return effect.on_states(states, Reading(Draws(device, DEVICE), Draws(run, READING), 0, step))


def assert_standard_normal(values: Floats) -> None:
    assert_mean(values, 0)
    assert_mean(values**2, 1)
    assert kolmogorov_smirnov(values, lambda x: np.asarray(stats.norm.cdf(x))) > 1e-3


# Noise


@pytest.mark.parametrize("std", [1e-3, 100.0])
def test_readout_noise_is_fresh_in_every_reading(std: float) -> None:
    plan = RunPlan(0.5, 40, 0.01, keep="trajectory", seed=1)
    ideal, noisy = run([], plan), run([ReadoutNoise(std=std)], plan)
    noise = (trajectory(noisy) - trajectory(ideal)) / std
    assert_standard_normal(noise.ravel())
    for axis in range(3):
        along = np.moveaxis(noise, axis, 0)
        assert_mean((along[1:] * along[:-1]).ravel(), 0)
        assert_mean((along[20:] * along[:-20]).ravel(), 0)
    assert_mean((noise * trajectory(ideal)).ravel(), 0)
    with pytest.raises(AssertionError):
        assert_standard_normal(1.1 * noise.ravel())


def test_readout_noise_is_of_the_run_and_spares_heat_and_work() -> None:
    plans = [RunPlan(0.5, 400, seed=seed) for seed in (1, 2)]
    first, second = ((run([ReadoutNoise(std=0.5)], plan).states - run([], plan).states).ravel() for plan in plans)
    assert_mean(first * second, 0)
    other_device = run([ReadoutNoise(std=0.5)], plans[0], device_seed=2)
    same = run([ReadoutNoise(std=0.5)], plans[0])
    assert np.array_equal(other_device.states, same.states)
    assert np.array_equal(same.heat, run([], plans[0]).heat)


@pytest.mark.parametrize("effects", [[effect] for effect in ALL] + [ALL], ids=lambda effects: f"{effects[-1].name()}")
def test_first_and_last_states_of_a_trajectory_are_those_of_the_samples(effects: list[Effect]) -> None:
    for precision in ("float32", "float64"):
        with NonidealDevice(SimulatedDevice(precision=precision), effects, 1) as device:
            device.program(Program.uncoupled(Topology.from_pairs(5, 0, []), 1.0, 1.0))
            both = device.run(RunPlan(0.5, 300, 0.01, seed=1))
            every = device.run(RunPlan(0.5, 300, 0.01, keep="trajectory", record_every=5, seed=1))
            final = device.run(RunPlan(0.5, 300, 0.01, keep="final", seed=1))
        assert every.trajectory is not None
        assert np.array_equal(every.trajectory[:, 0], every.initial_states)
        assert np.array_equal(every.trajectory[:, -1], every.states)
        assert np.array_equal(every.states, both.states)
        assert np.array_equal(final.states, both.states) and not len(final.initial_states)
        assert np.array_equal(every.initial_states, both.initial_states)


# Converter


@pytest.mark.parametrize(("bits", "levels"), [(2, [-2, -1, 0, 1]), (3, np.arange(-2, 2, 0.5).tolist())])
def test_a_converter_has_two_to_the_bits_levels_and_saturates(bits: int, levels: list[float]) -> None:
    states = np.linspace(-10, 10, 4001)[:, None]
    readings = read(ReadoutQuantization(bits=bits, span=2.0), states)
    assert np.unique(readings).tolist() == levels
    assert (np.diff(readings[:, 0]) >= 0).all()
    assert (readings[0, 0], readings[-1, 0]) == (levels[0], levels[-1])


@pytest.mark.parametrize("bits", [4, 16])
def test_errors_of_many_bits_are_uniform_over_a_step(bits: int) -> None:
    step = 2 * 4.0 / 2**bits
    plan = RunPlan(0.5, 2000, seed=1)
    error = run([ReadoutQuantization(bits=bits, span=4.0)], plan).states.astype(np.float64) - run([], plan).states
    assert np.abs(error).max() <= step / 2 * (1 + 1e-6)
    assert_mean(error.ravel(), 0)
    assert_mean(error.ravel() ** 2, step**2 / 12)
    with pytest.raises(AssertionError):
        assert_mean(error.ravel() ** 2, step**2 / 10)


@given(st.integers(2, 24), st.floats(0.01, 100), st.floats(-1000, 1000))
def test_a_reading_is_the_nearest_level(bits: int, span: float, state: float) -> None:
    effect = ReadoutQuantization(bits=bits, span=span)
    step = 2 * span / 2**bits
    reading = float(read(effect, np.array([[state]]))[0, 0])
    assert abs(reading - np.clip(state, -span, span - step)) <= step / 2 * (1 + 1e-9)
    assert read(effect, np.array([[reading]]))[0, 0] == reading


# Gains and offsets


@pytest.mark.parametrize("std", [1e-3, 10.0])
def test_channels_have_gains_and_offsets_of_their_own(std: float) -> None:
    zero, one = np.zeros((1, 20_000)), np.ones((1, 20_000))
    effect = GainOffset(gain_error=0.5, gain_std=std, offset=2.0, offset_std=std)
    offsets = read(effect, zero)[0]
    gains = read(effect, one)[0] - offsets
    assert_standard_normal((offsets - 2) / std)
    assert_standard_normal((gains / 1.5 - 1) / std)
    assert_mean((gains - 1.5) * (offsets - 2), 0)
    assert np.array_equal(read(effect, one, run=7, step=8), read(effect, one))
    assert_mean((read(effect, zero, device=2)[0] - 2) * (offsets - 2), 0)
    assert np.array_equal(read(GainOffset(gain_error=1.0, offset=0.5), one), 2.5 * one)


# Bandwidth


@pytest.mark.parametrize(("constant", "dt"), [(0.05, 0.002), (1.0, 0.02)])
def test_a_slow_readout_loses_variance(constant: float, dt: float) -> None:
    """The stationary variance is σ²/(1 + r τ); of steps Δt, with p = e^{−Δt/τ} and q = e^{−r Δt}, as below."""
    plan = RunPlan(12 * constant + 1, 250, dt, seed=3)
    states = run([ReadoutBandwidth(time_constant=constant)], plan).states.astype(np.float64)
    p, q = np.exp(-dt / constant), np.exp(-RATE * dt)
    stepped = VARIANCE * (1 - p) ** 2 / (1 - p**2) * (1 + p * q) / (1 - p * q)
    assert stepped == pytest.approx(VARIANCE / (1 + RATE * constant), rel=0.05)
    assert_mean((states**2).mean(axis=1), stepped)
    with pytest.raises(AssertionError):
        assert_mean((states**2).mean(axis=1), VARIANCE)


def test_a_readout_that_is_far_too_slow_shows_where_a_run_began() -> None:
    samples = run([ReadoutBandwidth(time_constant=1e9)], RunPlan(1.0, 20, 0.01, seed=3, keep="trajectory"))
    np.testing.assert_allclose(trajectory(samples), np.repeat(trajectory(samples)[:, :1], 101, axis=1), atol=1e-6)
    assert np.ptp(samples.initial_states) > 1


@pytest.mark.parametrize("record_every", [1, 7])
def test_a_slow_readout_is_a_filter_of_one_pole(record_every: int) -> None:
    constant, dt = 0.13, 0.01
    exact = trajectory(run([], RunPlan(0.5, 20, dt, seed=3, keep="trajectory")))
    plan = RunPlan(0.5, 20, dt, seed=3, keep="trajectory", record_every=record_every)
    slow = run([ReadoutBandwidth(time_constant=constant)], plan)
    share = 1 - np.exp(-dt / constant)
    expected = exact.copy()
    for k in range(1, exact.shape[1]):
        expected[:, k] = expected[:, k - 1] + share * (exact[:, k] - expected[:, k - 1])
    np.testing.assert_allclose(trajectory(slow), expected[:, ::record_every], atol=1e-5)
    np.testing.assert_allclose(slow.states, expected[:, -1], atol=1e-5)
    assert slow.times is not None
    np.testing.assert_allclose(slow.times, dt * np.arange(0, 51, record_every))


# Jitter


def lag_square(window: float, dt: float) -> float:
    """Mean of (x(t) − y)² over delays in (0, window), y interpolated linearly between steps of the linear unit."""
    late = (np.arange(100_000) + 0.5) / 100_000 * window / dt
    near, share = np.floor(late), late % 1
    q = np.exp(-RATE * dt)
    weights = 1 + (1 - share) ** 2 + share**2 + 2 * share * (1 - share) * q
    return float(VARIANCE * (weights - 2 * (1 - share) * q**near - 2 * share * q ** (near + 1)).mean())


@pytest.mark.parametrize(("std", "dt"), [(0.004, 1e-3), (0.5, 0.02)])
def test_jitter_moves_readings_by_the_law_of_the_states(std: float, dt: float) -> None:
    """Of the continuous process: 2σ² (1 − (1 − e^{−r w})/(r w)), w = √12 · s.d. of the instants."""
    window = np.sqrt(12) * std
    plan = RunPlan(round(1.2 * window / dt) * dt, 700, dt, seed=4)
    moved = run([SamplingJitter(std=std)], plan).states.astype(np.float64) - run([], plan).states
    expected = lag_square(window, dt)
    assert expected == pytest.approx(2 * VARIANCE * (1 + np.expm1(-RATE * window) / (RATE * window)), rel=0.06)
    assert_mean((moved**2).mean(axis=1), expected)
    with pytest.raises(AssertionError):
        assert_mean((moved**2).mean(axis=1), 1.2 * expected)


def test_all_units_are_read_at_one_instant_of_the_window() -> None:
    """Without noise a reading tells when it was taken."""
    rates = np.linspace(0.5, 1.5, UNITS)
    program = Program.uncoupled(LINEAR.topology, rates / 2, 0.0)
    effects: list[Effect] = [TemperatureOffset(offset=-1), SamplingJitter(std=0.1)]
    plan = RunPlan(0.5, 2000, 0.01, initial=np.ones((2000, UNITS)), keep="trajectory", record_every=10, seed=5)
    delays = trajectory(run(effects, plan, program))
    delays = 0.1 * np.arange(6)[:, None] + np.log(delays) / rates
    np.testing.assert_allclose(delays, np.repeat(delays[..., :1], UNITS, axis=-1), atol=1e-4)
    window = np.sqrt(12) * 0.1
    late = delays[:, 4:, 0]
    assert kolmogorov_smirnov(late.ravel() / window, lambda x: np.clip(x, 0, 1)) > 1e-3
    assert_mean((late - window / 2) ** 2, 0.1**2)
    assert_mean((late[:, 0] - window / 2) * (late[:, 1] - window / 2), 0)
    assert (delays[:, 0] == 0).all() and (delays[:, 1] <= 0.1 + 1e-4).all()


# Observers, pieces and parts


class TestObservers:
    def statistics(self, effects: Sequence[Effect], record_every: int = 1) -> tuple[PathStatistics, Samples]:
        observer = PathStatistics(LINEAR.J2, LINEAR.J4, mobility=1.0, kT=1.0)
        with NonidealDevice(SimulatedDevice(), effects, 1) as device:
            device.program(LINEAR)
            plan = RunPlan(0.5, 100, 0.01, keep="trajectory", record_every=record_every, seed=6)
            return observer, device.run(plan, [observer])

    def test_they_see_noise_in_the_second_moments(self) -> None:
        std = 0.3
        observer, samples = self.statistics([ReadoutNoise(std=std)])
        ideal, _ = self.statistics([])
        growth = np.trace(observer.S - ideal.S) / (observer.n * UNITS)
        error = np.sqrt((4 * std**2 * VARIANCE + 2 * std**4) / (observer.n * UNITS))
        assert abs(growth - std**2) < 5 * error < 0.1 * std**2
        seen = trajectory(samples)[:, 1:].reshape(-1, UNITS)
        np.testing.assert_allclose(observer.S, seen.T @ seen, rtol=1e-4, atol=1e-2)

    @pytest.mark.parametrize("effects", [ALL[:1], ALL[3:], ALL], ids=["channels", "noise and converter", "all"])
    def test_they_see_the_readings_that_are_kept(self, effects: list[Effect]) -> None:
        observer, samples = self.statistics(effects, record_every=7)
        seen = trajectory(samples)
        assert seen.shape == (100, 8, UNITS) and observer.n == 700
        np.testing.assert_allclose(observer.m, seen[:, 1:].sum(axis=(0, 1)), rtol=1e-4, atol=1e-2)
        changes = np.diff(seen, axis=1)
        residual = -changes + 0.07 * 2 * J2 * seen[:, 1:]
        np.testing.assert_allclose(observer.q, residual.sum(axis=(0, 1)), rtol=1e-3, atol=1e-2)
        assert samples.states.shape == (100, UNITS)
        assert not np.array_equal(samples.states, seen[:, -1])  # step 50 is no multiple of 7

    def test_they_see_the_same_without_a_trajectory(self) -> None:
        observer, kept = self.statistics(ALL, record_every=7)
        alone = PathStatistics(LINEAR.J2, LINEAR.J4, mobility=1.0, kT=1.0)
        with NonidealDevice(SimulatedDevice(), ALL, 1) as device:
            device.program(LINEAR)
            samples = device.run(RunPlan(0.5, 100, 0.01, keep="none", record_every=7, seed=6), [alone])
        assert not len(samples.states)
        assert np.array_equal(alone.S, observer.S) and np.array_equal(alone.C, observer.C)
        assert np.array_equal(kept.heat, samples.heat)


class Recorder(Observer):
    """Keeps the pieces that it sees of a single block."""

    def __init__(self) -> None:
        self.pieces: list[TrajectoryPiece] = []

    def fresh(self) -> "Recorder":
        return Recorder()

    def observe(self, piece: TrajectoryPiece) -> None:
        self.pieces.append(piece)

    def absorb(self, other: Observer) -> None:
        self.pieces += self.same_kind(other).pieces


@pytest.mark.parametrize("effects", [ALL[3:], ALL], ids=["each by itself", "with memory"])
def test_pieces_that_observers_see_follow_each_other(effects: list[Effect], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble, "RECORD_BYTES", 4 * 10 * UNITS * 4)
    recorder = Recorder()
    with NonidealDevice(SimulatedDevice(), effects, 1) as device:
        device.program(LINEAR)
        samples = device.run(RunPlan(0.5, 10, 0.01, keep="trajectory", record_every=3, seed=7), [recorder])
    assert samples.trajectory is not None and len(recorder.pieces) > 3
    seen = [recorder.pieces[0].states[:1], *(piece.states[1:] for piece in recorder.pieces)]
    assert np.array_equal(np.concatenate(seen).swapaxes(0, 1), samples.trajectory)
    step = 0
    for piece in recorder.pieces:
        assert (piece.first_step, piece.spacing, piece.interval) == (step, 3, pytest.approx(0.03))
        assert np.array_equal(piece.states[0], samples.trajectory[:, step // 3])
        step += 3 * (len(piece.states) - 1)


@pytest.mark.parametrize("effects", [ALL[3:], ALL], ids=["each by itself", "with memory"])
def test_pieces_of_a_trajectory_join_without_a_seam(effects: list[Effect], monkeypatch: pytest.MonkeyPatch) -> None:
    plan = RunPlan(0.5, 30, 0.01, keep="trajectory", record_every=3, seed=7)
    whole = run(effects, plan)
    monkeypatch.setattr(ensemble, "RECORD_BYTES", 4 * 4 * UNITS * 30)
    pieces = run(effects, plan)
    assert np.array_equal(trajectory(pieces), trajectory(whole))
    assert np.array_equal(pieces.states, whole.states)


@pytest.mark.parametrize("effects", [ALL[:1], ALL[3:], ALL], ids=["channels", "noise and converter", "all"])
def test_chains_in_parts_are_those_of_the_whole(effects: list[Effect]) -> None:
    plan = RunPlan(0.3, 50, 0.01, keep="trajectory", record_every=4, seed=8)
    program = Program.uncoupled(LINEAR.topology, 1.0, 1.0)
    whole = run(effects, plan, program)
    parts = [run(effects, part, program) for part in plan.split(17)]
    for name in ("states", "initial_states", "trajectory", "heat"):
        together = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(together, getattr(whole, name), rtol=0, atol=1e-5)


@pytest.mark.parametrize("effects", [ALL[3:4], ALL], ids=["each by itself", "with memory"])
def test_a_run_that_is_shorter_than_its_records_shows_its_start(effects: list[Effect]) -> None:
    samples = run(effects, RunPlan(0.1, 6, 0.01, keep="trajectory", record_every=100, seed=9))
    assert samples.trajectory is not None and samples.times is not None
    assert samples.trajectory.shape == (6, 1, UNITS) and samples.times.tolist() == [0.0]
    assert np.array_equal(samples.trajectory[:, 0], samples.initial_states)
