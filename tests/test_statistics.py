# SPDX-License-Identifier: Apache-2.0
"""Means with standard errors, the effective sample size, and the assertion and quadrature that other tests rest on."""

import re
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, signal

from thermohw import Program, Topology
from thermohw.errors import ProgramError
from thermohw.statistics import Estimate, effective_sample_size
from thermohw.testing import Boltzmann, assert_mean


def autoregression(series: int, steps: int, memory: float, seed: int) -> NDArray[np.float64]:
    """Stationary x_{k+1} = memory · x_k + noise with unit variance, (series, steps)."""
    noise = np.random.default_rng(seed).normal(size=(series, steps)) * np.sqrt(1 - memory**2)
    noise[:, 0] /= np.sqrt(1 - memory**2)
    lfilter: Any = signal.lfilter
    return lfilter([1.0], [1.0, -memory], noise, axis=1)


@pytest.mark.parametrize("memory", [-0.6, 0.0, 0.5, 0.9, 0.98])
def test_effective_sample_size_of_an_autoregression(memory: float) -> None:
    steps = 200_000
    sizes = np.array([effective_sample_size(series) for series in autoregression(12, steps, memory, 1)])
    ratio = steps * (1 - memory) / (1 + memory) / sizes  # of variances of the mean: what a standard error uses
    assert ratio.mean() == pytest.approx(1, abs=0.03 if memory < 0.95 else 0.06)


def test_effective_sample_size_predicts_the_spread_of_means() -> None:
    series = autoregression(2000, 2000, 0.9, 2)
    predicted = np.mean([1 / effective_sample_size(one) for one in series[:50]])
    assert series.mean(axis=1).var() / predicted == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("series", [np.ones(20), np.zeros(1), np.array([1.0, 2.0])])
def test_effective_sample_size_of_little(series: NDArray[np.float64]) -> None:
    assert effective_sample_size(series) >= 1


def test_estimate_of_a_known_sample() -> None:
    estimate = Estimate.of([1, 2, 3, 4])
    assert (estimate.mean, estimate.count) == (2.5, 4)
    assert estimate.standard_deviation == pytest.approx(np.sqrt(5 / 3))
    assert estimate.standard_error == pytest.approx(np.sqrt(5 / 12))
    assert str(Estimate(1234.5, 12.0, 1.0, 9)) == "1234 ± 1e+01"


@pytest.mark.parametrize("count", [0, 1])
def test_an_error_that_is_not_defined_is_not_zero(count: int) -> None:
    assert np.isnan(Estimate.of(np.ones(count)).standard_error)


# assert_mean


@pytest.mark.parametrize("along", ["chains", "steps"])
@pytest.mark.parametrize("shift", [-0.2, 0.2])
def test_a_wrong_mean_is_caught_on_both_sides(along: Literal["chains", "steps"], shift: float) -> None:
    samples = np.random.default_rng(3).normal(1.0, 1.0, 2000)
    assert_mean(samples, 1.0, along=along)
    with pytest.raises(AssertionError, match=r"mean = 1\.02766 but the truth is .*: \d+\.\d standard errors of 0\.02"):
        assert_mean(samples, 1.0 + shift, along=along)


def test_the_worst_component_is_named() -> None:
    samples = np.random.default_rng(4).normal(size=(500, 2, 3))
    truth = np.zeros((2, 3))
    assert_mean(samples, truth)
    truth[1, 2] = 0.5
    with pytest.raises(AssertionError, match=re.escape("mean[1, 2] = ")):
        assert_mean(samples, truth)


@pytest.mark.parametrize("components", [1, 20])
@pytest.mark.parametrize(("memory", "along"), [(0.0, "chains"), (0.9, "steps")])
def test_false_alarms_are_as_rare_as_stated(components: int, memory: float, along: Literal["chains", "steps"]) -> None:
    trials, alarms = 1000, 0
    series = autoregression(trials * components, 1000 if memory else 15, memory, 5).reshape(trials, components, -1)
    for trial in series:
        try:
            assert_mean(trial.T, 0.0, sigmas=2, along=along)
        except AssertionError:
            alarms += 1
    stated = 0.0455 * trials
    # a series' standard error is itself estimated, which makes its tails somewhat heavier than Student's t
    assert 0.6 * stated < alarms < (2.5 if memory else 1.4) * stated


def test_a_correlated_series_taken_for_independent_chains_fails() -> None:
    series = autoregression(200, 1000, 0.9, 6)
    failures = 0
    for one in series:
        try:
            assert_mean(one, 0.0, sigmas=3)
        except AssertionError:
            failures += 1
    assert failures > 60


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([1.0, 2.0, 1.5], "3 effective samples"),
        ([*range(20), np.nan], "not finite"),
        (np.full(30, 2.0), "no spread"),
        (np.repeat([0.0, 1.0], 500), "effective samples"),
    ],
)
def test_samples_without_a_standard_error_are_refused(samples: list[float], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert_mean(samples, 1.0, along="steps")


def test_a_constant_is_its_own_mean() -> None:
    assert_mean(np.full(30, 2.0), 2.0)


# Quadrature


def test_quadrature_of_one_unit_agrees_with_scipy() -> None:
    program, kT = Program.uncoupled(Topology.complete(1), -3.0, 2.0, 0.7), 0.6
    exact = Boltzmann.of(program, kT)

    def weighted(x: float, power: int) -> float:
        return x**power * float(np.exp(-program.energy([x]) / kT))

    Z, first, fourth = (integrate.quad(weighted, -4, 4, args=(power,), epsabs=1e-13)[0] for power in (0, 1, 4))
    assert exact.mean(lambda x: x[:, 0]) == pytest.approx(first / Z, rel=1e-9)
    assert exact.mean(lambda x: x[:, 0] ** 4) == pytest.approx(fourth / Z, rel=1e-9)
    assert exact.free_energy == pytest.approx(-kT * np.log(Z), rel=1e-9)
    below = integrate.quad(weighted, -4, 0.3, args=(0,), epsabs=1e-13)[0]
    assert exact.cumulative(0.3) == pytest.approx(below / Z, abs=1e-6)


def test_quadrature_of_a_gaussian_pair_is_exact() -> None:
    program = Program(Topology.complete(2), np.array([1.0, 2.0]), np.zeros(2), np.array([0.5, -1.0]), np.array([1.2]))
    stiffness = np.array([[2.0, 1.2], [1.2, 4.0]])
    exact = Boltzmann.of(program, 0.3)
    mean = -np.linalg.solve(stiffness, [0.5, -1.0])
    np.testing.assert_allclose(exact.mean(lambda x: x), mean, rtol=1e-9)
    second = exact.mean(lambda x: x[:, :, None] * x[:, None, :])
    np.testing.assert_allclose(second - np.outer(mean, mean), 0.3 * np.linalg.inv(stiffness), rtol=1e-9)
    assert exact.cumulative(mean[1], unit=1) == pytest.approx(0.5, abs=1e-5)


def test_quadrature_is_for_one_or_two_units() -> None:
    with pytest.raises(ProgramError, match="has 3"):
        Boltzmann.of(Program.uncoupled(Topology.complete(3)))
