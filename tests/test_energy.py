# SPDX-License-Identifier: Apache-2.0
"""Energy per sample and the paper's advantage."""

import numpy as np
import pytest

from thermohw.energy import intrinsic_advantage, load_baseline
from thermohw.statistics import Estimate
from thermohw.units import BOLTZMANN, joules_to_kT, kT_to_joules


def test_the_baseline_is_the_papers() -> None:
    baseline = load_baseline()
    assert baseline.macs == 10 * (784 * 128 + 128 * 128 + 128 * 784)
    assert baseline.macs / 10 == pytest.approx(2.2e5, rel=0.02)
    assert joules_to_kT(baseline.energy_per_mac.value) == pytest.approx(2.4e8, rel=0.01)
    assert baseline.energy_kT == pytest.approx(5e14, rel=0.06)
    assert baseline.energy == pytest.approx(2.17088e-6)


def test_reduced_and_SI_energies_convert_both_ways() -> None:
    assert kT_to_joules(1, 300) == pytest.approx(300 * 1.380649e-23)
    assert joules_to_kT(kT_to_joules(2.9e3, 4.2), 4.2) == pytest.approx(2.9e3)
    assert BOLTZMANN == 1.380649e-23


def test_the_papers_heat_gives_its_advantage() -> None:
    advantage = intrinsic_advantage(Estimate(2.9e3, 350 / 1000**0.5, 350, 1000), load_baseline())
    assert advantage.ratio > 1e11
    assert advantage.ratio == pytest.approx(5.24e14 / 2.9e3, rel=1e-3)
    assert advantage.standard_error / advantage.ratio == pytest.approx(350 / 1000**0.5 / 2.9e3)


def test_the_error_of_the_advantage_is_that_of_repeated_estimates() -> None:
    rng = np.random.default_rng(3)
    baseline = load_baseline()
    repeats = [intrinsic_advantage(Estimate.of(rng.normal(1000, 200, 400)), baseline) for _ in range(300)]
    spread = np.std([repeat.ratio for repeat in repeats])
    assert spread == pytest.approx(np.mean([repeat.standard_error for repeat in repeats]), rel=0.15)


@pytest.mark.parametrize("mean", [0.0, -4.0])
def test_no_advantage_is_claimed_where_no_heat_is_emitted(mean: float) -> None:
    advantage = intrinsic_advantage(Estimate(mean, 1.0, 30.0, 900), load_baseline())
    assert np.isnan(advantage.ratio)
    assert np.isnan(advantage.standard_error)
