# SPDX-License-Identifier: Apache-2.0
"""Expected path statistics: against simulated ones within their error, and against plain quadrature to rounding."""

import re
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from training_examples import Floats, noising_paths, patterns, small_protocol

from thermohw.errors import TrainingError
from thermohw.testing import assert_mean
from thermohw.training import expected
from thermohw.training.expected import expected_moments
from thermohw.training.likelihood import maximize_likelihood
from thermohw.training.moments import DenseMoments, LowRankMoments, PathMoments
from thermohw.training.noising import NoisingProtocol
from thermohw.training.quadratic import PathQuadratic
from thermohw.training.unit_moments import UnitMoments, unit_moments

CHAINS = 1200
UPPER = np.triu_indices(22, 1)


def dense(moments: PathMoments) -> DenseMoments:
    """Get the second moments as matrices; the diagonal of C has no meaning."""
    second = moments.second
    if isinstance(second, LowRankMoments):
        return DenseMoments(np.diag(second.D) + second.G @ second.G.T, second.H @ second.G.T)
    assert isinstance(second, DenseMoments)
    return second


def compared(moments: PathMoments) -> dict[str, Floats]:
    """Get all that training uses of the moments, by name, each as a vector."""
    second = dense(moments)
    return {
        "mean": moments.mean,
        "force": moments.force,
        "diagonal": np.diagonal(second.S),
        "S": second.S[UPPER],
        "C + C^T": (second.C + second.C.T)[UPPER],
        "residual": np.array([moments.residual]),
    }


def sampled(protocol: NoisingProtocol) -> dict[str, Floats]:
    """Get time averages of simulated noisings, averaged over the images: (chains, components), chains independent."""
    total: dict[str, Any] = {}
    for image in range(len(protocol.fields)):
        path = noising_paths(protocol, image, CHAINS, seed=7)
        y = path[1:].transpose(1, 0, 2)
        onsite = (4 * protocol.J4 * y**2 + 2 * protocol.J2) * y
        r = (path[:-1] - path[1:]).transpose(1, 0, 2) / protocol.dt + onsite
        S = y.transpose(0, 2, 1) @ y / protocol.steps
        C = r.transpose(0, 2, 1) @ y / protocol.steps
        parts = {
            "mean": y.mean(axis=1),
            "force": r.mean(axis=1),
            "diagonal": np.diagonal(S, axis1=1, axis2=2),
            "S": S[:, *UPPER],
            "C + C^T": (C + C.transpose(0, 2, 1))[:, *UPPER],
            "residual": (r**2).mean(axis=1).sum(axis=1, keepdims=True),
        }
        total = {name: total.get(name, 0.0) + part / len(protocol.fields) for name, part in parts.items()}
    return total


NOISINGS: dict[str, dict[str, Any]] = {
    "sign pixels, quadratic ramp": {},
    "standardized pixels, linear ramp": {"pixels": "standardized", "ramp": "linear"},
    "bistable units, cosine ramp": {"J2": -5.0, "ramp": "cosine", "amplitude": 6.0, "hidden_amplitude": 9.0},
}


@pytest.mark.parametrize("name", NOISINGS)
def test_expected_statistics_are_those_of_simulated_noisings(name: str) -> None:
    protocol = small_protocol({"duration": 0.4, **NOISINGS[name]})
    truth, samples = compared(expected_moments(protocol)), sampled(protocol)
    for part in truth:
        assert_mean(samples[part], truth[part])
    # an amplitude that is off by 5 % would not pass
    weaker = compared(expected_moments(replace(protocol, fields=0.95 * protocol.fields)))
    for part in ("mean", "force", "diagonal", "S", "C + C^T"):
        with pytest.raises(AssertionError, match="standard errors of"):
            assert_mean(samples[part], weaker[part])


def test_residual_depends_on_the_time_step_as_simulated() -> None:
    """⟨r·r⟩ is almost all noise, 2 Δt a unit: only another time step or on-site energy shows in it."""
    protocol = small_protocol({"duration": 0.4})
    samples = sampled(protocol)["residual"]
    for other in (replace(protocol, dt=0.004), replace(protocol, J4=15.0)):
        with pytest.raises(AssertionError, match="standard errors of"):
            assert_mean(samples, [expected_moments(other).residual])


# One unit


def by_quadrature(bias: float, ramp: Floats, J2: float, J4: float, dt: float) -> dict[str, float]:
    """Propagate one unit by plain quadrature on a fine grid, and average over time; a second writing of the law."""
    x = np.linspace(-2.2, 2.2, 601)
    force = 2 * J2 * x + 4 * J4 * x**3
    density = np.exp(-(J2 * x**2 + J4 * x**4 + bias * x))
    density /= density.sum()
    means: list[float] = []
    drives: list[float] = []
    squares = residuals = 0.0
    for share in ramp:
        step = np.exp(-((x[:, None] - x + dt * (force + share * bias)) ** 2) / (4 * dt))  # to rows, from columns
        joint = step / step.sum(axis=0) * density
        r = (x - x[:, None]) / dt + force[:, None]
        density = joint.sum(axis=1)
        means.append(float(x @ density))
        drives.append(float((r * joint).sum()))
        squares += float(x**2 @ density)
        residuals += float((r**2 * joint).sum())
    y, d, steps = np.array(means), np.array(drives), len(ramp)
    return {
        "mean": y.mean(), "mean_force": d.mean(), "square": squares / steps, "residual": residuals / steps,
        "position²": (y**2).mean(), "position·force": (y * d).mean(),
    }  # fmt: skip


def by_table(moments: UnitMoments, column: int) -> dict[str, float]:
    position, force = moments.position[:, column], moments.force[:, column]
    scalars = ("mean", "mean_force", "square", "residual")
    table = {name: float(getattr(moments, name)[column]) for name in scalars}
    return {**table, "position²": float(position @ position), "position·force": float(position @ force)}


@pytest.mark.parametrize(
    ("J2", "J4", "dt", "tolerance"), [(10.0, 10.0, 1e-3, 1e-11), (-6.0, 10.0, 2e-3, 1e-8), (2.0, 20.0, 2e-3, 1e-8)]
)
def test_unit_moments_are_those_of_plain_quadrature(J2: float, J4: float, dt: float, tolerance: float) -> None:
    biases, ramp = np.array([0.0, 0.7, 20.0, 90.0]), np.linspace(1, 0, 30, endpoint=False) ** 2
    moments = unit_moments(biases, ramp, J2, J4, dt)
    for column, bias in enumerate(biases):
        expected_values, found = by_quadrature(bias, ramp, J2, J4, dt), by_table(moments, column)
        assert found == pytest.approx(expected_values, rel=tolerance, abs=1e-9)


def test_noising_at_constant_bias_stays_in_equilibrium() -> None:
    x = np.linspace(-2, 2, 4001)
    weights = np.exp(-(10 * x**2 + 10 * x**4 + 15 * x))
    mean, square = (float((weights * x**power).sum() / weights.sum()) for power in (1, 2))
    moments = unit_moments(np.array([15.0]), np.ones(400), 10.0, 10.0, 2e-4)
    assert float(moments.mean[0]) == pytest.approx(mean, rel=2e-3)  # the law's stationary error is of order Δt
    assert float(moments.square[0]) == pytest.approx(square, rel=4e-3)


def test_the_table_needs_memory_for_no_more_than_one_step() -> None:
    peaks: list[int] = []
    for steps in (200, 2000):
        ramp = np.linspace(1, 0, steps)
        tracemalloc.start()
        unit_moments(np.array([0.0, 20.0]), ramp, 10.0, 10.0, 1e-3)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize(("dt", "words"), [(0.02, "too large"), (1e-9, "too small")])
def test_a_time_step_out_of_reach_is_refused_with_one_that_is_not(dt: float, words: str) -> None:
    biases, ramp = np.array([0.0, 80.0]), np.linspace(1, 0, 3)
    with pytest.raises(TrainingError, match=words) as caught:
        unit_moments(biases, ramp, 10.0, 10.0, dt)
    advised = re.search(r"use at (?:most|least) ([\d.e-]+)", str(caught.value))
    assert advised is not None
    assert np.isfinite(unit_moments(biases, ramp, 10.0, 10.0, float(advised[1])).rows()).all()


def test_soft_and_strongly_biased_units_fit_on_the_grid() -> None:
    biases = np.array([1000.0])
    moments = unit_moments(biases, np.ones(3), 0.0, 1e-4, 1e-2)
    assert float(moments.mean[0]) == pytest.approx(-((1000 / 4e-4) ** (1 / 3)), rel=1e-3)


# From units to images


def assert_same(found: PathMoments, truth: PathMoments, tolerance: float) -> None:
    for part, values in compared(truth).items():
        np.testing.assert_allclose(
            compared(found)[part], values, rtol=0, atol=tolerance * np.abs(values).max(), err_msg=part
        )


@pytest.mark.parametrize(
    ("overrides", "tolerance"),
    [({}, 1e-5), ({"amplitude": 60.0}, 1e-5), ({"J2": -10.0, "amplitude": 30.0}, 1e-3)],
    ids=["standard", "strong", "bistable"],
)
def test_splines_between_tabulated_biases_are_accurate(
    monkeypatch: pytest.MonkeyPatch, overrides: dict[str, Any], tolerance: float
) -> None:
    protocol = small_protocol({"pixels": "standardized", "dt": 2.5e-3, "hidden_amplitude": 13.0, **overrides})
    splined = expected_moments(protocol)
    monkeypatch.setattr(expected, "FEW_MAGNITUDES", 10**6)
    direct = expected_moments(protocol)
    assert_same(splined, direct, tolerance)
    assert splined.residual != direct.residual  # the two are different computations


@pytest.mark.parametrize("columns", [10**6, 0], ids=["low rank", "dense"])
def test_statistics_do_not_depend_on_the_blocks_of_images(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(expected, "LOW_RANK_COLUMNS", columns)
    protocol = small_protocol({"pixels": "standardized"}, patterns(11))
    whole = expected_moments(protocol)
    assert isinstance(whole.second, LowRankMoments if columns else DenseMoments)
    assert whole.steps == 11 * protocol.steps
    for at_once in (1, 4, 10):
        monkeypatch.setattr(expected, "IMAGES_AT_ONCE", at_once)
        assert_same(expected_moments(protocol), whole, 1e-12)
    with ThreadPoolExecutor(1) as executor:
        assert_same(expected_moments(protocol, executor), whole, 1e-12)


@pytest.mark.parametrize("pixels", ["sign", "standardized"])
def test_low_rank_and_dense_statistics_train_the_same_program(monkeypatch: pytest.MonkeyPatch, pixels: str) -> None:
    protocol = small_protocol({"pixels": pixels})
    moments = [expected_moments(protocol)]
    monkeypatch.setattr(expected, "LOW_RANK_COLUMNS", 0)
    moments.append(expected_moments(protocol))
    assert isinstance(moments[0].second, LowRankMoments)
    assert isinstance(moments[1].second, DenseMoments)
    assert_same(moments[0], moments[1], 1e-12)
    quadratics = [PathQuadratic(each, protocol.topology, np.arange(16, 22)) for each in moments]
    first, second = (maximize_likelihood(quadratic).z for quadratic in quadratics)
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-5 * np.abs(first).max())


def test_the_mean_over_images_is_that_of_each_image() -> None:
    protocol = small_protocol({"pixels": "standardized"})
    whole = compared(expected_moments(protocol))
    single = [compared(expected_moments(replace(protocol, fields=field[None]))) for field in protocol.fields]
    for part, values in whole.items():
        average = np.mean([each[part] for each in single], axis=0)
        np.testing.assert_allclose(average, values, rtol=0, atol=1e-5 * np.abs(values).max())


def test_inverted_images_have_inverted_means_and_the_same_couplings() -> None:
    protocol = small_protocol({"pixels": "standardized"})
    upright, inverted = (compared(expected_moments(replace(protocol, fields=s * protocol.fields))) for s in (1, -1))
    for part, values in upright.items():
        sign = -1 if part in ("mean", "force") else 1
        np.testing.assert_array_equal(inverted[part], sign * values)
