# SPDX-License-Identifier: Apache-2.0
"""Training against errors of couplings: the expected quadratic, the range, and where errors come from."""

import numpy as np
import pytest
from numpy.typing import NDArray

from thermohw.errors import TrainingError
from thermohw.nonideal import CouplingDrift, CouplingMismatch, Crosstalk, Effect, LineGainMismatch, StuckCouplings
from thermohw.nonideal.crosstalk import leakage
from thermohw.testing import assert_mean
from thermohw.topology import Topology
from thermohw.training.coupling_errors import CouplingErrors
from thermohw.training.likelihood import maximize_likelihood
from thermohw.training.moments import DenseMoments, PathMoments
from thermohw.training.quadratic import PathQuadratic

Floats = NDArray[np.float64]
TOPOLOGY = Topology.layered(4, 3)
UNITS = TOPOLOGY.units
ALL = CouplingErrors(gain=0.8, common=0.2, line=0.15, pair=0.3, additive=0.4, crosstalk=0.05)
KINDS = [
    CouplingErrors(gain=0.7),
    CouplingErrors(common=0.3),
    CouplingErrors(line=0.3),
    CouplingErrors(pair=0.5),
    CouplingErrors(additive=0.5),
    CouplingErrors(crosstalk=0.1),
    ALL,
]


def quadratic(errors: CouplingErrors = CouplingErrors(), ridge: float = 0.0) -> PathQuadratic:  # noqa: B008
    rng = np.random.default_rng(1)
    y = rng.normal(size=(40, UNITS)) + 0.5
    r = rng.normal(size=(40, UNITS))
    second = DenseMoments(y.T @ y / 40, r.T @ y / 40)
    moments = PathMoments(1.3, 0.7, y.mean(axis=0), r.mean(axis=0), second, float((r**2).sum() / 40), 1e-3, 40)
    return PathQuadratic(moments, TOPOLOGY, np.arange(4, UNITS), ridge, errors)


def realisation(errors: CouplingErrors, couplings: Floats, rng: np.random.Generator) -> Floats:
    i, j = TOPOLOGY.pairs.T
    lines = 1 + errors.line * rng.normal(size=UNITS)
    whole = errors.gain * (1 + errors.common * rng.normal())
    own = 1 + errors.pair * rng.normal(size=len(i))
    leaked = couplings + errors.crosstalk * (leakage(TOPOLOGY) @ couplings)
    return whole * lines[i] * lines[j] * own * leaked + errors.additive * rng.normal(size=len(i))


def drawn_values(errors: CouplingErrors, z: Floats, draws: int = 4_000) -> Floats:
    plain, rng = quadratic(), np.random.default_rng(3)
    couplings, biases = plain.unpack(z)
    values = [plain.value(plain.pack(realisation(errors, couplings, rng), biases)) for _ in range(draws)]
    return np.array(values)


@pytest.mark.parametrize("errors", KINDS, ids=lambda errors: str(errors.model_dump(exclude_defaults=True)))
def test_the_expected_quadratic_is_the_mean_over_devices(errors: CouplingErrors) -> None:
    z = np.random.default_rng(2).normal(size=quadratic().size)
    values = drawn_values(errors, z)
    expected = quadratic(errors).value(z)
    if np.ptp(values) < 1e-9:
        assert expected == pytest.approx(values[0], rel=1e-12)
    else:
        assert_mean(values, expected, sigmas=4)
        with pytest.raises(AssertionError):
            assert_mean(values, quadratic().value(z), sigmas=4)


def test_gradient_hessian_and_curvature_belong_together() -> None:
    aware = quadratic(ALL, ridge=0.3)
    hessian = np.stack([aware.hessian_product(column) for column in np.eye(aware.size)])
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)
    z, step = np.random.default_rng(4).normal(size=aware.size), 1e-6
    slopes = [(aware.value(z + step * e) - aware.value(z - step * e)) / (2 * step) for e in np.eye(aware.size)]
    np.testing.assert_allclose(aware.gradient(z), slopes, rtol=1e-6, atol=1e-7)
    without = quadratic(ALL.model_copy(update={"crosstalk": 0.0}), ridge=0.3)
    diagonal = [without.hessian_product(e) @ e for e in np.eye(without.size)]
    np.testing.assert_allclose(without.curvature, diagonal, rtol=1e-12)


def test_training_against_errors_beats_plain_training_on_the_expected_value() -> None:
    plain, aware = maximize_likelihood(quadratic()).z, maximize_likelihood(quadratic(ALL)).z
    assert quadratic(ALL).value(aware) < quadratic(ALL).value(plain) - 1e-4
    assert quadratic().value(plain) < quadratic().value(aware) - 1e-4


def test_a_known_gain_is_divided_out() -> None:
    plain = maximize_likelihood(quadratic()).z
    aware = maximize_likelihood(quadratic(CouplingErrors(gain=0.5))).z
    pairs = len(TOPOLOGY.pairs)
    np.testing.assert_allclose(0.5 * aware[:pairs], plain[:pairs], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(aware[pairs:], plain[pairs:], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_within_a_range_the_solution_meets_the_conditions_of_an_optimum(share: float) -> None:
    free = maximize_likelihood(quadratic()).z
    pairs = len(TOPOLOGY.pairs)
    limit = share * float(np.abs(free[:pairs]).max())
    bounded = quadratic(CouplingErrors(limit=limit))
    z = maximize_likelihood(bounded).z
    gradient, scale = bounded.gradient(z), float(np.abs(bounded.linear).max())
    at_limit = np.abs(z[:pairs]) == limit  # exactly, or the solver would wait for a gradient that cannot vanish
    assert at_limit.any() and not at_limit.all()
    assert (gradient[:pairs][at_limit] * np.sign(z[:pairs][at_limit]) <= 1e-4 * scale).all()
    assert np.abs(gradient[:pairs][~at_limit]).max() < 1e-4 * scale
    clipped = free.copy()
    clipped[:pairs] = np.clip(free[:pairs], -limit, limit)
    assert bounded.value(z) < bounded.value(clipped)


def test_a_range_that_is_wide_enough_changes_nothing() -> None:
    assert np.array_equal(
        maximize_likelihood(quadratic(CouplingErrors(limit=1e6))).z, maximize_likelihood(quadratic()).z
    )


def test_effects_make_the_errors_that_they_draw() -> None:
    effects: list[Effect] = [
        CouplingMismatch(std=0.3),
        LineGainMismatch(std=0.1, common=-0.2, common_std=0.05),
        Crosstalk(coupling=0.02),
        StuckCouplings(stuck_prob=0.2),
        CouplingDrift(nu=0.1, elapsed=20 * (np.e - 1)),
    ]
    errors = CouplingErrors.of(effects, limit=3.0)
    assert errors.gain == pytest.approx(0.8 * 0.8 * np.exp(-0.1))
    assert (errors.common, errors.line, errors.crosstalk, errors.limit) == (0.05, 0.1, 0.02, 3.0)
    assert errors.pair == pytest.approx(np.sqrt(1.09 / 0.8 - 1))
    assert not CouplingErrors.of([]).present


def test_couplings_stuck_at_one_end_are_refused() -> None:
    with pytest.raises(TrainingError, match="stuck"):
        CouplingErrors.of([StuckCouplings(stuck_prob=0.1, stuck_at="max")])
