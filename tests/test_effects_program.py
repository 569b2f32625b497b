# SPDX-License-Identifier: Apache-2.0
"""Effects on what a device holds: each has the law that it states, at both ends of its range."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import kolmogorov_smirnov
from nonideal_examples import quartic, random_program, written
from numpy.typing import NDArray
from scipy import stats

from thermohw import CouplingTable, Program, Topology
from thermohw.nonideal import (
    EFFECTS,
    BiasOffset,
    CouplingDrift,
    CouplingMismatch,
    LineGainMismatch,
    OnsiteMismatch,
    ProgrammingNoise,
    Quantization,
    StuckCouplings,
)
from thermohw.nonideal.draws import DEVICE, WRITING, Draws, positive_factors
from thermohw.nonideal.effect import ProgramEffect
from thermohw.testing import assert_mean

Floats = NDArray[np.float64]


LARGE = random_program(Topology.layered(100, 120))
UNITS = Program.uncoupled(Topology.from_pairs(50_000, 0, []), 1.5, 2.0, 1.0)
SMALL = random_program(Topology.layered(3, 4))


def errors(effect: ProgramEffect, program: Program = LARGE, device: int = 1, run: int = 2) -> Floats:
    return written(effect, program, device, run).couplings - program.couplings


def gains(effect: ProgramEffect, program: Program = LARGE, device: int = 1) -> Floats:
    """What couplings are multiplied with, (pairs,)."""
    return written(effect, quartic(program.topology, np.ones(len(program.couplings))), device).couplings


def assert_standard_normal(values: Floats) -> None:
    """Mean, variance and distribution of independent values (samples,)."""
    assert_mean(values, 0)
    assert_mean(values**2, 1)
    assert kolmogorov_smirnov(values, lambda x: np.asarray(stats.norm.cdf(x))) > 1e-3


def assert_independent(first: Floats, second: Floats) -> None:
    assert_mean((first - first.mean()) * (second - second.mean()), 0)


def assert_same_program(first: Program, second: Program) -> None:
    for name in ("J2", "J4", "biases", "couplings"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


# Draws


def test_names_of_draws_do_not_share_their_numbers() -> None:
    draws = Draws(3, DEVICE)
    for other in (draws.normals("gain", 1, np.arange(9000)), Draws(3, WRITING).normals("gain", np.arange(9000))):
        assert_independent(draws.normals("offset", np.arange(9000)), other)
        assert_independent(draws.normals("gain", np.arange(9000)), other)


@pytest.mark.parametrize("relative", [0.01, 1.0])
def test_positive_factors_have_mean_one_and_the_spread_asked_for(relative: float) -> None:
    factors = positive_factors(relative, Draws(4, DEVICE).normals("factors", np.arange(200_000)))
    assert factors.min() > 0
    assert_mean(factors, 1)
    assert_mean((factors - 1) ** 2, relative**2)
    with pytest.raises(AssertionError):
        assert_mean((factors - 1) ** 2, 1.2 * relative**2)


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_at_its_defaults_is_off(name: str) -> None:
    effect = EFFECTS[name]()
    assert not effect.active
    if isinstance(effect, ProgramEffect):
        assert_same_program(written(effect, LARGE, elapsed=1e6), LARGE)


@pytest.mark.parametrize("effect", [CouplingDrift(t0=0.1, elapsed=1e9), StuckCouplings(stuck_at="any"), Quantization()])
def test_zero_strength_with_other_settings_is_off(effect: ProgramEffect) -> None:
    assert not effect.active
    assert_same_program(written(effect, LARGE, elapsed=1e6), LARGE)


# Quantization


@pytest.mark.parametrize("method", ["nearest", "mse"])
@pytest.mark.parametrize(("bits", "bias_bits"), [(2, 16), (16, 2), (5, 7)])
def test_quantization_is_that_of_a_table(bits: int, bias_bits: int, method: Literal["nearest", "mse"]) -> None:
    effect = Quantization(coupling_bits=bits, bias_bits=bias_bits, method=method)
    table = CouplingTable.quantize(
        SMALL, bits, bias_bits=bias_bits, scale="max" if method == "nearest" else "mse"
    ).program
    assert_same_program(written(effect, SMALL), table)
    other = Quantization(coupling_bits=bits + (1 if bits < 16 else -1), bias_bits=bias_bits, method=method)
    assert written(other, SMALL).digest != table.digest


@pytest.mark.parametrize("bits", [2, 16])
def test_quantization_is_idempotent(bits: int) -> None:
    effect = Quantization(coupling_bits=bits, bias_bits=bits)
    once = written(effect, LARGE)
    twice = written(effect, once)
    np.testing.assert_allclose(twice.couplings, once.couplings, rtol=1e-14, atol=0)
    np.testing.assert_allclose(twice.biases, once.biases, rtol=1e-14, atol=0)
    assert not np.allclose(once.couplings, LARGE.couplings, rtol=1e-14, atol=0)


@pytest.mark.parametrize("bits", [8, 16])
def test_rounding_errors_are_uniform_over_a_step(bits: int) -> None:
    """At few bits the values of a cell are not uniform, and neither are the errors."""
    step = 1 / (2 ** (bits - 1) - 1)
    effect = Quantization(coupling_bits=bits, coupling_range=1.0)
    uniform = np.random.default_rng(1).uniform(-1, 1, len(LARGE.couplings))
    error = errors(effect, quartic(LARGE.topology, uniform))
    assert_mean(error, 0)
    assert_mean(error**2, step**2 / 12)
    with pytest.raises(AssertionError):
        assert_mean(error**2, step**2 / 10)


@given(bits=st.integers(2, 16), end=st.floats(0.01, 100))
def test_a_fixed_range_saturates(bits: int, end: float) -> None:
    held = written(Quantization(coupling_bits=bits, coupling_range=end, bias_bits=bits, bias_range=2 * end), SMALL)
    levels = 2 ** (bits - 1) - 1
    for values, asked, largest in (
        (held.couplings, SMALL.couplings, end),
        (held.biases, SMALL.biases, 2 * end),
    ):
        codes = values / (largest / levels)
        np.testing.assert_allclose(codes, np.rint(codes), atol=1e-9)
        assert np.abs(values).max() <= largest * (1 + 1e-12)
        clipped = np.clip(asked, -largest, largest)
        assert np.abs(values - clipped).max() <= 0.5 * largest / levels * (1 + 1e-9)


# Programming noise


@pytest.mark.parametrize("std", [1e-3, 10.0])
def test_additive_programming_noise(std: float) -> None:
    effect = ProgrammingNoise(prog_noise_std=std, bias_noise_std=std)
    written_program = written(effect, LARGE)
    full_scale, bias_scale = np.abs(LARGE.couplings).max(), np.abs(LARGE.biases).max()
    normals = (written_program.couplings - LARGE.couplings) / (std * full_scale)
    assert_standard_normal(normals)
    assert_standard_normal((written_program.biases - LARGE.biases) / (std * bias_scale))
    assert (normals[LARGE.couplings == 0] != 0).all()
    with pytest.raises(AssertionError):
        assert_standard_normal(1.1 * normals)


@pytest.mark.parametrize("std", [1e-3, 10.0])
def test_proportional_programming_noise(std: float) -> None:
    effect = ProgrammingNoise(prog_noise_std=std, bias_noise_std=std, proportional=True)
    written_program = written(effect, LARGE)
    used = LARGE.couplings != 0
    assert (written_program.couplings[~used] == 0).all()
    assert_standard_normal(((written_program.couplings / np.where(used, LARGE.couplings, 1) - 1) / std)[used])
    assert_standard_normal((written_program.biases / LARGE.biases - 1) / std)


def test_programming_noise_is_of_the_run_and_not_of_the_device() -> None:
    effect = ProgrammingNoise(prog_noise_std=0.1)
    assert np.array_equal(errors(effect, device=1, run=5), errors(effect, device=2, run=5))
    assert_independent(errors(effect, run=5), errors(effect, run=6))
    with pytest.raises(AssertionError):
        assert_independent(errors(effect, run=5), errors(effect, run=5))


# Mismatch


@pytest.mark.parametrize("std", [1e-3, 10.0])
def test_coupling_mismatch(std: float) -> None:
    relative = (gains(CouplingMismatch(std=std)) - 1) / std
    assert_standard_normal(relative)
    offsets = errors(CouplingMismatch(additive_std=std)) / (std * np.abs(LARGE.couplings).max())
    assert_standard_normal(offsets)
    assert_independent(relative, offsets)
    both = written(CouplingMismatch(std=std, additive_std=std), LARGE).couplings
    expected = LARGE.couplings * (1 + std * relative) + std * np.abs(LARGE.couplings).max() * offsets
    np.testing.assert_allclose(both, expected, rtol=1e-9, atol=1e-12)
    with pytest.raises(AssertionError):
        assert_standard_normal(1.1 * relative)


def test_coupling_mismatch_is_of_the_device_and_not_of_the_run() -> None:
    effect = CouplingMismatch(std=0.1)
    assert np.array_equal(errors(effect, run=5), errors(effect, run=6))
    assert_independent(gains(effect, device=1), gains(effect, device=2))


def of_pairs(effect: ProgramEffect, topology: Topology) -> dict[tuple[int, int], float]:
    values = gains(effect, quartic(topology, np.ones(len(topology.pairs))))
    return {(int(i), int(j)): float(value) for (i, j), value in zip(topology.pairs, values, strict=True)}


@pytest.mark.parametrize(
    "effect",
    [
        CouplingMismatch(std=0.2, additive_std=0.1),
        LineGainMismatch(std=0.2, common_std=0.1),
        StuckCouplings(stuck_prob=0.5, stuck_at="any"),
        ProgrammingNoise(prog_noise_std=0.1),
    ],
)
def test_a_coupler_keeps_its_error_in_every_topology(effect: ProgramEffect) -> None:
    whole = of_pairs(effect, Topology.complete(12, 8))
    for other in (Topology.grid(4, 5), Topology.layered(15, 5), Topology.random_regular(5, 15, 4, 1)):
        part = of_pairs(effect, other)
        assert part == {pair: whole[pair] for pair in part}
    assert len(set(whole.values())) > 2


def test_errors_of_couplers_that_share_a_unit_are_independent() -> None:
    """The sums of a unit's errors tell errors of couplers from those of lines."""
    units, std = 220, 0.1
    complete = quartic(Topology.complete(units), np.ones(units * (units - 1) // 2))

    def row_sums(effect: ProgramEffect) -> Floats:
        matrix = complete.topology.symmetric_matrix(gains(effect, complete) - 1)
        return np.asarray(matrix.sum(axis=1)) / (std * np.sqrt(units - 1))

    assert_mean(row_sums(CouplingMismatch(std=std)) ** 2, 1)
    with pytest.raises(AssertionError):
        assert_mean(row_sums(LineGainMismatch(std=std)) ** 2, 1)


@pytest.mark.parametrize("std", [0.01, 1.0])
def test_line_gains_are_shared_by_the_couplings_of_a_unit(std: float) -> None:
    """E[G_ij G_ik] − 1 = σ², E[G_ij²] − 1 = (1 + σ²)² − 1, and nothing for pairs without a common unit."""
    chains = 4 * np.arange(40_000)[:, None, None] + np.array([[[0, 1], [1, 2], [2, 3]]])
    topology = Topology.from_pairs(160_000, 0, chains.reshape(-1, 2))
    chain = gains(LineGainMismatch(std=std), quartic(topology, np.ones(120_000))).reshape(-1, 3)
    deviation = chain - 1
    assert_mean(deviation, 0)
    assert_mean(deviation[:, 0] ** 2, (1 + std**2) ** 2 - 1)
    assert_mean(deviation[:, 0] * deviation[:, 1], std**2)
    assert_mean(deviation[:, 0] * deviation[:, 2], 0)
    with pytest.raises(AssertionError):
        assert_mean(deviation[:, 0] * deviation[:, 1], 0)


@pytest.mark.parametrize("std", [0.01, 1.0])
def test_the_common_gain_is_one_number_a_device(std: float) -> None:
    effect = LineGainMismatch(common=0.5, common_std=std)
    three = quartic(Topology.complete(3), np.ones(3))
    wholes = np.array([gains(effect, three, device) for device in range(1500)])
    assert (wholes == wholes[:, :1]).all()
    assert_standard_normal((wholes[:, 0] / 1.5 - 1) / std)
    assert np.array_equal(gains(LineGainMismatch(common=0.5)), np.full(len(LARGE.couplings), 1.5))


@pytest.mark.parametrize("std", [1e-3, 100.0])
def test_bias_offsets(std: float) -> None:
    offsets = written(BiasOffset(std=std, common=3.0), UNITS).biases - UNITS.biases
    assert_standard_normal((offsets - 3) / std)
    assert np.array_equal(written(BiasOffset(common=3.0), SMALL).biases, SMALL.biases + 3)
    again = written(BiasOffset(std=std, common=3.0), UNITS, device=2).biases - UNITS.biases
    assert_independent(offsets, again)


@pytest.mark.parametrize("std", [0.01, 1.0])
def test_onsite_energies_differ_by_factors(std: float) -> None:
    changed = written(OnsiteMismatch(J2_std=std, J4_std=std), UNITS)
    J2, J4 = changed.J2 / UNITS.J2, changed.J4 / UNITS.J4
    spread = np.sqrt(np.log1p(std**2))
    for factors in (J2, J4):
        assert_mean(factors, 1)
        assert_mean((factors - 1) ** 2, std**2)
        assert_standard_normal(np.log(factors) / spread + spread / 2)
    assert_independent(np.log(J2), np.log(J4))
    only_J2 = written(OnsiteMismatch(J2_std=std), UNITS)
    assert np.array_equal(only_J2.J4, UNITS.J4)
    assert np.array_equal(only_J2.J2, changed.J2)


# Stuck couplings


@pytest.mark.parametrize("probability", [0.01, 0.99])
def test_couplings_stick_with_the_probability(probability: float) -> None:
    program = quartic(LARGE.topology, np.full(len(LARGE.couplings), 0.5))
    stuck = written(StuckCouplings(stuck_prob=probability), program).couplings == 0
    assert_mean(stuck, probability)
    with pytest.raises(AssertionError):
        assert_mean(stuck, 0.5 * probability)


@pytest.mark.parametrize(("at", "level"), [("zero", 0), ("min", -1), ("max", 1)])
def test_couplings_stick_at_a_level(at: Literal["zero", "min", "max"], level: float) -> None:
    held = written(StuckCouplings(stuck_prob=1.0, stuck_at=at), LARGE)
    assert np.array_equal(held.couplings, np.full(len(LARGE.couplings), level * np.abs(LARGE.couplings).max()))


def test_couplings_stick_at_three_levels_alike() -> None:
    held = written(StuckCouplings(stuck_prob=1.0, stuck_at="any"), LARGE).couplings / np.abs(LARGE.couplings).max()
    for level in (-1, 0, 1):
        assert_mean(held == level, 1 / 3)
    assert set(held) == {-1.0, 0.0, 1.0}


def test_more_couplings_stick_beside_those_that_did() -> None:
    program = quartic(LARGE.topology, np.ones(len(LARGE.couplings)))
    few, many = (written(StuckCouplings(stuck_prob=p), program).couplings == 0 for p in (0.1, 0.3))
    assert (many | ~few).all()
    assert few.any() and not few.all()


# Drift


@pytest.mark.parametrize(("nu", "nu_std"), [(0.01, 0.002), (1.9, 0.3)])
def test_couplings_fade_by_a_power_law(nu: float, nu_std: float) -> None:
    effect = CouplingDrift(nu=nu, nu_std=nu_std, t0=20.0, elapsed=10.0)
    used = LARGE.couplings != 0
    logs = [np.log(written(effect, LARGE, elapsed=t).couplings[used] / LARGE.couplings[used]) for t in (0.0, 1e3, 1e6)]
    ages = np.log1p(np.array([10.0, 1010.0, 1_000_010.0]) / 20.0)
    exponents = [-log / age for log, age in zip(logs, ages, strict=True)]
    np.testing.assert_allclose(exponents[1], exponents[0], rtol=1e-9)
    np.testing.assert_allclose(exponents[2], exponents[0], rtol=1e-9)
    assert_standard_normal((exponents[0] - nu) / nu_std)


def test_drift_starts_from_what_was_written_and_never_grows() -> None:
    effect = CouplingDrift(nu=0.05, nu_std=2.0)
    assert_same_program(written(effect, LARGE), LARGE)
    later = np.abs(written(effect, LARGE, elapsed=100.0).couplings)
    assert (later <= np.abs(LARGE.couplings)).all()
