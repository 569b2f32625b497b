# SPDX-License-Identifier: Apache-2.0
"""Exact samples of the uncoupled equilibrium."""

import numpy as np
import pytest
from scipy import stats

from thermohw import Program, Topology
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import NoiseKey
from thermohw.langevin.equilibrium import UncoupledEquilibrium
from thermohw.testing import Boltzmann, assert_mean

UNITS = [  # J2, J4, bias, kT
    (10.0, 10.0, 0.0, 1.0),
    (10.0, 10.0, 60.0, 1.0),
    (-20.0, 10.0, 0.0, 1.0),
    (-20.0, 10.0, 1.5, 1.0),
    (0.0, 3.0, -2.0, 0.2),
    (4.0, 0.0, 5.0, 2.0),
    (10.0, 1e-3, 0.0, 1.0),
    (1e-6, 1e-8, 0.0, 1.0),
]


def built(rows: list[tuple[float, float, float, float]]) -> AsBuilt:
    J2, J4, bias, kT = (np.array(column) for column in zip(*rows, strict=True))
    units = len(rows)
    return AsBuilt(units, J2, J4, bias, np.zeros((units, units)), np.ones(units), kT)


def test_moments_are_those_of_the_boltzmann_density() -> None:
    x = UncoupledEquilibrium.of(built(UNITS)).sample(NoiseKey(3), 200_000, np.float64)
    for column, (J2, J4, bias, kT) in enumerate(UNITS):
        truth = Boltzmann.of(Program.uncoupled(Topology.layered(1, 0), J2, J4, [bias]), kT)
        powers = x[:, [column]] ** np.array([1, 2, 4])
        exact = truth.mean(lambda states: states ** np.array([1, 2, 4]))
        assert_mean(powers, exact)
        with pytest.raises(AssertionError, match="standard errors"):
            assert_mean(powers, exact * 1.05 + 0.05 * np.sqrt(exact[1]))
        assert stats.kstest(truth.cumulative(x[:50_000, column]), "uniform").pvalue > 1e-4


def test_units_are_independent() -> None:
    x = UncoupledEquilibrium.of(built([(10.0, 10.0, 0.0, 1.0)] * 5)).sample(NoiseKey(9), 100_000, np.float64)
    first, second = np.triu_indices(5, 1)
    assert_mean(x[:, first] * x[:, second], 0.0)


def test_a_chain_depends_on_its_number_and_the_seed_alone() -> None:
    equilibrium = UncoupledEquilibrium.of(built(UNITS))
    whole = equilibrium.sample(NoiseKey(7, 100), 50, np.float64)
    part = equilibrium.sample(NoiseKey(7, 120), 10, np.float64)
    assert np.array_equal(whole[20:30], part)
    assert not np.isin(whole, equilibrium.sample(NoiseKey(8, 100), 50, np.float64)).any()
    np.testing.assert_allclose(equilibrium.sample(NoiseKey(7, 100), 50, np.float32), whole, rtol=1e-6)


def test_without_temperature_units_sit_at_their_minimum() -> None:
    rows = [(10.0, 10.0, 8.0, 0.0), (-20.0, 10.0, 0.5, 0.0), (4.0, 0.0, 2.0, 0.0), (1.0, 1.0, 0.0, 0.0)]
    x = UncoupledEquilibrium.of(built(rows)).sample(NoiseKey(1), 3, np.float64)
    assert np.ptp(x, axis=0).max() < 1e-12
    for column, (J2, J4, bias, _) in enumerate(rows):
        grid = np.linspace(-2, 2, 400_001)
        best = grid[np.argmin(J2 * grid**2 + J4 * grid**4 + bias * grid)]
        assert x[0, column] == pytest.approx(best, abs=1e-3)


def test_other_biases_replace_the_built_ones() -> None:
    computer = built([(10.0, 10.0, 30.0, 1.0)])
    x = UncoupledEquilibrium.of(computer, np.zeros(1)).sample(NoiseKey(2), 50_000, np.float64)
    assert_mean(x, 0.0)
    assert_mean(x**2, computer.thermal_variance)
