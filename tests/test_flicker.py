# SPDX-License-Identifier: Apache-2.0
"""Flicker noise: its spectrum as stated and as it acts on a unit, its variance and memory, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from thermohw.errors import PlanError, ProgramError
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Memory, NoiseKey
from thermohw.langevin.flicker import LEAST_HOLD, Flicker
from thermohw.langevin.noise import FLICKER, FLICKER_STREAMS
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.testing import assert_mean

Floats = NDArray[np.float64]
KEY = NoiseKey(19)
DT, STEPS, CHAINS, UNITS = 0.0025, 2**13, 192, 8
PINK = Flicker(corner=2.0, lowest=0.12, highest=7.9)
"""Nearly the highest frequency that the step allows, and two and a half periods of the lowest in a series."""
MOBILITY, kT = 0.5, 0.7


# The spectrum that is stated


def test_the_density_is_that_of_one_over_f_noise() -> None:
    wide = Flicker(corner=0.3, lowest=3e-4, highest=3e3)
    middle = np.geomspace(0.3, 3, 400)
    np.testing.assert_allclose(wide.density(middle) * middle / 0.3, 1, atol=0.0034)
    for end, inward in ((3e-4, 4.0), (3e3, 0.25)):
        assert wide.density(end) * end / 0.3 == pytest.approx(0.72, abs=0.01)
        assert wide.density(inward * end) * inward * end / 0.3 == pytest.approx(0.93, abs=0.01)
    assert wide.density(1e-5) == pytest.approx(float(wide.density(1e-7)), rel=1e-3)
    assert wide.density(1e5) == pytest.approx(100 * float(wide.density(1e6)), rel=1e-3)


@pytest.mark.parametrize("octaves", [0.1, 2.0, 5.0, 26.0])
def test_processes_span_the_band_and_no_more_than_a_factor_four_apart(octaves: float) -> None:
    band = Flicker(1.0, 0.5, 0.5 * 2.0**octaves)
    assert 1 / (2 * np.pi * band.times[[-1, 0]]) == pytest.approx([band.lowest, band.highest])
    ratios = band.times[1:] / band.times[:-1]
    assert ratios.max() < 4 * (1 + 1e-9) and ratios == pytest.approx(np.full(len(ratios), ratios[0]))
    assert len(band.times) == 2 or ratios[0] > 2  # few processes: the next lower number would be too few
    assert len(band.times) <= FLICKER_STREAMS and FLICKER + FLICKER_STREAMS <= 16


def held_density(flicker: Flicker, dt: float, frequency: Floats) -> Floats:
    """The density of processes that stand still from renewal to renewal, from the numbers that engines use."""
    renewal = flicker.renewal(dt)
    hold, turn = renewal.holds * dt, 2 * np.pi * frequency[:, None] * renewal.holds * dt
    jumps = renewal.kick**2 / dt / (1 - 2 * renewal.decay * np.cos(turn) + renewal.decay**2)
    return (hold * np.sinc(turn / (2 * np.pi)) ** 2 * jumps).sum(axis=1)


@pytest.mark.parametrize("dt", [DT, DT / 10])
def test_holding_the_processes_hardly_changes_the_density(dt: float) -> None:
    frequency = np.geomspace(0.01, PINK.highest, 1000)
    stated = PINK.density(frequency)
    np.testing.assert_allclose(held_density(PINK, dt, frequency), stated, rtol=0.04)
    beyond = np.linspace(1, 4, 1000) * PINK.highest  # between renewals' harmonics, which leave notches
    np.testing.assert_allclose(held_density(PINK, dt, beyond), PINK.density(beyond), rtol=0.1)
    renewal = PINK.renewal(dt)
    assert renewal.holds[0] >= LEAST_HOLD and (renewal.holds % renewal.holds[0] == 0).all()
    np.testing.assert_allclose(renewal.kick**2 / (1 - renewal.decay**2), renewal.size**2, rtol=1e-12)
    slow = replace(PINK, highest=2 * PINK.highest, lowest=2 * PINK.lowest)  # the control: another band
    assert np.abs(slow.density(frequency) / stated - 1).max() > 0.3


# The noise that units feel


def free(flicker: Flicker | None) -> AsBuilt:
    """Units that nothing but noise moves."""
    none = np.zeros(UNITS)
    noise = AsBuilt(UNITS, none, none, none, np.zeros((UNITS, UNITS)), np.full(UNITS, MOBILITY), np.full(UNITS, kT))
    return replace(noise, flicker=flicker)


@pytest.fixture(scope="module")
def felt() -> Floats:
    """φ at each step (steps, chains · units): what flicker noise adds to a path, over √(2 μ kT) Δt."""
    paths: list[Floats] = []
    for flicker in (PINK, None):
        states, record = np.zeros((CHAINS, UNITS)), np.empty((STEPS, CHAINS, UNITS))
        engine = OverdampedEngine(Dynamics(free(flicker), DT, dtype=np.float64))
        engine.advance(states, KEY, STEPS, np.zeros(CHAINS), record)
        paths.append(record.reshape(STEPS, -1))
    return np.diff(paths[0] - paths[1], axis=0, prepend=0) / (np.sqrt(2 * MOBILITY * kT) * DT)


def test_the_spectrum_that_units_feel_is_the_stated_one(felt: Floats) -> None:
    """Periodograms with a Hann window, against their exact expectation for the stated density."""
    window = np.hanning(STEPS)[:, None]
    window /= np.sqrt((window**2).sum())
    power = np.abs(np.fft.rfft(window * felt, axis=0)) ** 2 * DT
    frequency = np.fft.rfftfreq(STEPS, DT)
    fine = np.fft.fftfreq(4 * STEPS, DT)
    leak = np.abs(np.fft.fft(window[:, 0], 4 * STEPS)) ** 2
    smeared = np.real(np.fft.ifft(np.fft.fft(leak) * np.fft.fft(PINK.density(fine)))) / (4 * STEPS)
    expected = smeared[: 2 * STEPS + 1 : 4]
    bands = {"below": (0.04, 0.06), "lowest": (0.09, 0.15), "middle": (0.8, 1.2), "highest": (7.5, 8.3)}
    bands["above"] = (25.0, 27.0)
    seen, law, pink = np.empty((len(bands), felt.shape[1])), np.empty(len(bands)), np.empty(len(bands))
    for row, (low, high) in enumerate(bands.values()):
        inside = (frequency >= low) & (frequency <= high)
        seen[row], law[row] = power[inside].mean(axis=0), expected[inside].mean()
        pink[row] = (PINK.corner / frequency[inside]).mean()
    assert_mean((seen.T / law).reshape(CHAINS, UNITS, -1).mean(axis=1), held_share(bands), 4)
    np.testing.assert_allclose(law[2] / pink[2], 0.93, atol=0.02)  # within the band it is corner/f
    assert law[0] < 0.5 * pink[0] and law[-1] < 0.5 * pink[-1]  # outside it is not
    for wrong in (1.1, np.array([1, 1, 1, 1, 1.1])):
        with pytest.raises(AssertionError):
            assert_mean((seen.T / law).reshape(CHAINS, UNITS, -1).mean(axis=1), wrong, 4)


def held_share(bands: dict[str, tuple[float, float]]) -> Floats:
    """The density of the held processes over that of the free ones, the mean over each band."""
    shares: list[float] = []
    for low, high in bands.values():
        frequency = np.linspace(low, high, 50)
        shares.append(float((held_density(PINK, DT, frequency) / PINK.density(frequency)).mean()))
    return np.array(shares)


def test_it_has_its_variance_from_the_first_step_on_and_is_independent_of_the_rest(felt: Floats) -> None:
    total = len(PINK.times) * PINK.variance
    for step in (0, 1, 500, STEPS - 1):
        assert_mean(felt[step] ** 2, total, 4)
        with pytest.raises(AssertionError):
            assert_mean(felt[step] ** 2, 1.4 * total, 4)
    at = felt[1000].reshape(CHAINS, UNITS)
    assert_mean(at[:, 1:] * at[:, :-1], 0, 4)  # units
    assert_mean(at[1:] * at[:-1], 0, 4)  # chains
    white = Memory.of(Dynamics(free(PINK), DT, dtype=np.float64), KEY, CHAINS)
    for one in range(len(PINK.times)):
        for other in range(one):
            assert_mean((white.flicker[one] * white.flicker[other]).ravel(), 0, 4)  # processes


@pytest.mark.parametrize("late", [1, 500])
def test_it_remembers_each_process_for_its_own_time(late: int) -> None:
    """Between renewals by the same hold, the covariance decays as that of an Ornstein–Uhlenbeck process."""
    dynamics = Dynamics(free(PINK), DT, dtype=np.float64)
    memory, engine = Memory.of(dynamics, KEY, CHAINS), OverdampedEngine(dynamics)
    before, states = memory.flicker.copy(), np.zeros((CHAINS, UNITS))
    engine.advance(states, KEY, late, np.zeros(CHAINS), np.empty((0, CHAINS, UNITS)), None, memory)
    renewal = PINK.renewal(DT)
    renewals = -(-late // renewal.holds)
    products = (before * memory.flicker).reshape(len(PINK.times), -1).T
    assert_mean(products, renewal.size**2 * renewal.decay**renewals, 4)
    np.testing.assert_allclose(memory.drive, memory.flicker.sum(axis=0), rtol=1e-12)


# What is refused


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0, 0.1, 1.0), "corner frequency"),
        ((np.inf, 0.1, 1.0), "corner frequency"),
        ((1.0, 0.0, 1.0), "0 < lowest < highest"),
        ((1.0, 1.0, 1.0), "0 < lowest < highest"),
        ((1.0, 1.0, np.nan), "0 < lowest < highest"),
        ((1.0, 1e-9, 1.0), r"takes 16 processes, at most 14 go: .* lowest must be at least 1\.49e-08"),
    ],
)
def test_impossible_flicker_noise_is_refused(values: tuple[float, float, float], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        Flicker(*values)
    Flicker(1.0, 1.5e-8, 1.0)  # what the last message advises


def test_a_step_too_large_for_the_band_is_refused_with_the_one_that_goes() -> None:
    with pytest.raises(PlanError, match=r"at most 0\.00252, got 0\.0026; .* may be 7\.65$"):
        PINK.renewal(0.0026)
    assert PINK.renewal(0.00251).holds[0] == LEAST_HOLD
    assert replace(PINK, highest=7.65).renewal(0.0026).holds[0] == LEAST_HOLD
