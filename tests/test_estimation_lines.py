# SPDX-License-Identifier: Apache-2.0
"""Calibration unit by unit: its moments are those of all pairs, contracted, and its errors are as stated."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from thermohw import Program, RunPlan, SimulatedDevice, Topology
from thermohw.errors import CalibrationError
from thermohw.estimation import Estimates, LaggedMoments
from thermohw.estimation.estimates import jackknife_errors
from thermohw.estimation.lines import LineMoments, estimate_lines
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics
from thermohw.langevin.observer import TrajectoryPiece
from thermohw.nonideal import (
    BiasOffset,
    CouplingMismatch,
    Effect,
    LineGainMismatch,
    MobilityMismatch,
    NonidealDevice,
    ReadoutNoise,
    TemperatureOffset,
)

Floats = NDArray[np.float64]

NETWORK = Topology.layered(8, 4)
UNITS = NETWORK.units


def network() -> Program:
    rng = np.random.default_rng(2)
    couplings = rng.normal(0, 0.5, len(NETWORK.pairs))
    return Program(NETWORK, np.full(UNITS, 1.0), np.full(UNITS, 0.5), rng.normal(0, 0.3, UNITS), couplings)


PROGRAM = network()
PATTERNS = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])[1:].T  # (4 runs, 3 columns)


def test_moments_are_those_of_all_pairs_contracted() -> None:
    states = np.random.default_rng(1).normal(size=(7, 6, UNITS))
    applied = np.random.default_rng(2).normal(size=UNITS)
    piece = TrajectoryPiece(states, Dynamics(AsBuilt.from_program(PROGRAM), 0.1), 0, 0, 1)
    lines, pairs = LineMoments(applied, groups=2, program=PROGRAM), LaggedMoments(applied, groups=2)
    for moments in (lines, pairs):
        moments.observe(piece)
    basis, matrix = pairs.basis, PROGRAM.matrix.toarray()
    clean, whole = lines.means().without_noise(0.1), pairs.means().without_noise(0.1)
    for unit in range(UNITS):
        rows = np.zeros((7, basis.size))
        for at, column in enumerate([basis.power(1, unit), basis.power(3, unit), basis.power(5, unit)]):
            rows[at, column] = 1
        rows[3, :8], rows[4, 8:UNITS] = matrix[unit, :8], matrix[unit, 8:]
        rows[5, basis.applied(unit)] = rows[6, basis.one] = 1
        np.testing.assert_allclose(lines.products[:, :, unit], rows @ pairs.products @ rows.T, atol=1e-9)
        np.testing.assert_allclose(clean.products[:, unit], rows @ whole.products @ rows.T, atol=1e-9)
    np.testing.assert_allclose(lines.counts, pairs.counts)


SETTLED = RunPlan(10.0, 160, 1e-3, record_every=20, keep="none")


def calibrated(
    effects: list[Effect], noise: float | None = None, plan: RunPlan = SETTLED, skip: int = 50
) -> tuple[Estimates, AsBuilt, Program]:
    """Read a device with these effects under four patterns of applied biases; get estimates and the truth."""
    device = NonidealDevice(SimulatedDevice(), effects, device_seed=4)
    total: LineMoments | None = None
    for number, pattern in enumerate(PATTERNS):
        applied = 2.0 * pattern[np.arange(UNITS) % 3]
        device.program(PROGRAM.with_biases(PROGRAM.biases + applied))
        moments = LineMoments(applied, groups=40, skip=skip, program=PROGRAM)
        device.run(replace(plan, first_chain=plan.n_samples * number, seed=number), [moments])
        total = moments if total is None else total + moments
    assert total is not None
    device.program(PROGRAM)
    built = device.as_built
    assert built is not None
    return estimate_lines(total, noise), built, device.realised(seed=0)


def gains(real: Program) -> Floats:
    """Get how much stronger couplings to each unit are on the whole, from visible and from hidden units."""
    asked, got = (program.matrix.toarray() for program in (PROGRAM, real))
    blocks = (slice(0, 8), slice(8, UNITS))
    with np.errstate(invalid="ignore"):
        found = [(asked[:, block] * got[:, block]).sum(axis=1) / (asked[:, block] ** 2).sum(axis=1) for block in blocks]
    return np.stack(found, axis=1)


def test_units_and_lines_are_found_within_their_errors() -> None:
    effects: list[Effect] = [
        LineGainMismatch(std=0.2),
        BiasOffset(std=0.3),
        MobilityMismatch(std=0.2),
        TemperatureOffset(offset=0.1),
        ReadoutNoise(std=0.05),
    ]
    found, built, real = calibrated(effects)
    truth = {"J2": real.J2, "J4": real.J4, "biases": real.biases, "mobility": built.mobility, "kT": built.kT}
    for name, value in {**truth, "noise": np.array([0.05])}.items():
        deviations = (found.values[name] - value) / found.standard_error(name)
        assert np.abs(deviations).max() < 4.5 and (deviations**2).mean() < 3, (name, deviations)
    errors = found.standard_error("gains").reshape(-1, 2)
    assert np.isnan(errors[:8, 0]).all() and np.isfinite(errors[:, 1]).all()  # visible units are not coupled
    known = np.isfinite(errors)
    assert (((found.values["gains"] - gains(real)) / errors)[known] ** 2).mean() < 3
    assert (((found.values["gains"] - 1) / errors)[known] ** 2).mean() > 10  # the control: couplings as programmed


def test_what_pairs_do_not_share_averages_out() -> None:
    found, _, real = calibrated([CouplingMismatch(std=0.1)], noise=0.0)
    deviations = (found.values["gains"] - gains(real)) / found.standard_error("gains").reshape(-1, 2)
    assert np.nanmean(deviations**2) < 3


def test_the_temperature_of_a_device_that_has_not_settled_is_found_too() -> None:
    """States grow from zero during all readings: with the drift's power at an interval's start kT is 2.7 % too low."""
    plan = RunPlan(0.2, 8000, 1e-3, record_every=20, keep="none", initial=np.zeros((8000, UNITS)))
    found, built, _ = calibrated([], 0.0, plan, skip=0)
    error = float(jackknife_errors(found.replicates["kT"].mean(axis=1)))
    assert found.values["kT"].mean() == pytest.approx(built.kT.mean(), abs=4 * error)
    assert error < 0.027 / 8  # the control


def test_without_applied_biases_nothing_has_a_unit() -> None:
    states = np.random.default_rng(3).normal(size=(9, 8, UNITS))
    moments = LineMoments(np.zeros(UNITS), groups=4, program=PROGRAM)
    moments.observe(TrajectoryPiece(states, Dynamics(AsBuilt.from_program(PROGRAM), 0.1), 0, 0, 1))
    with pytest.raises(CalibrationError, match="no bias was applied"):
        estimate_lines(moments, 0.0)


@pytest.mark.parametrize("noise", [None, 0.0])
def test_a_dead_unit_is_named(noise: float | None) -> None:
    states = np.random.default_rng(1).normal(size=(20, 6, UNITS))
    states[:, :, 5] = 0
    lines = LineMoments(np.ones(UNITS), groups=2, program=PROGRAM)
    lines.observe(TrajectoryPiece(states, Dynamics(AsBuilt.from_program(PROGRAM), 0.1), 0, 0, 1))
    with pytest.raises(CalibrationError, match="unit 5: it never differed from zero"):
        estimate_lines(lines, noise)


def test_intervals_of_gains_are_those_of_each() -> None:
    values = np.array([[1.0, 0.9], [1.1, np.nan]])
    replicates = values + np.array([-0.1, 0.0, 0.1]).reshape(3, 1, 1) * np.array([[1.0, 2.0], [3.0, 4.0]])
    found = Estimates("lines", Topology.complete(2), {"gains": values}, {"gains": replicates}, {})
    low, high = found.interval("gains")
    assert low.shape == values.shape
    np.testing.assert_allclose((high - low)[0, 1] / (high - low)[0, 0], 2)
