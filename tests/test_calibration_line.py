# SPDX-License-Identifier: Apache-2.0
"""Calibration over a line: a bad line changes nothing, and the firmware is found to be what was loaded."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_calls import call_json
from firmware_boards import MISSING, MISSING_FOR_ARM, emulated_board, host_board, make
from served import served

from thermohw import Program, SerialDevice, SimulatedDevice, Topology
from thermohw.device import ThermodynamicDevice
from thermohw.estimation import CalibrationRecord, Recipe, probe
from thermohw.estimation.comparison import deviations
from thermohw.estimation.estimates_file import NAMES
from thermohw.estimation.readings import Readings
from thermohw.instrument import FaultRates

FAULTS = FaultRates(flips=1e-5, drops=1e-5, duplicates=1e-5)


def layered(visible: int, hidden: int) -> Program:
    """Get a soft program of every kind of pair: units relax in about a tenth of 1/(mobility · kT)."""
    topology, generator = Topology.layered(visible, hidden), np.random.default_rng(4)
    units = topology.units
    J2, J4 = np.linspace(1.5, 2.5, units), np.linspace(2.5, 1.5, units)
    couplings = 0.8 * generator.normal(size=len(topology.pairs))
    return Program(topology, J2, J4, 0.5 * generator.normal(size=units), couplings)


def recipe(chains: int, readings: int) -> Recipe:
    return Recipe(
        name="soft", description="for tests", method="trajectories", interval=0.04, readings=readings, chains=chains,
        patterns=8, amplitude=2.0, settle=0.6, groups=20, noise=0.0,
    )  # fmt: skip


def calibrated(device: ThermodynamicDevice, program: Program, how: Recipe, folder: Path) -> CalibrationRecord:
    return CalibrationRecord.of(probe(device, program, how, folder, seed=3))


# A line with faults


def machine() -> ThermodynamicDevice:
    return SimulatedDevice(0.8, 1.2, integrator="euler-maruyama")


def test_a_bad_line_changes_nothing(tmp_path: Path) -> None:
    program, how = layered(5, 3), recipe(chains=40, readings=60)
    with machine() as device:
        direct = calibrated(device, program, how, tmp_path / "direct")
    with served(machine(), "pty", faults=FAULTS, fault_seed=1) as url, SerialDevice(url) as board:
        found = calibrated(board, program, how, tmp_path / "line")
        assert board.statistics.retries > 2
    for number in range(how.patterns):
        one, other = (Readings.load(record.folder, number, record.request) for record in (direct, found))
        assert one.trajectory is not None and other.trajectory is not None
        np.testing.assert_array_equal(one.trajectory, other.trajectory)
    for name in NAMES:  # sums are made of other pieces, so that their last bits differ
        np.testing.assert_allclose(found.estimates.values[name], direct.estimates.values[name], rtol=1e-8, atol=1e-9)
        error = direct.estimates.standard_error(name)
        np.testing.assert_allclose(found.estimates.standard_error(name), error, rtol=1e-6, atol=1e-9)


def test_commands_over_a_bad_line_write_the_same_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layered(5, 3).save("net.npz")
    how = recipe(chains=20, readings=40).model_dump(exclude_none=True)
    lines = [f"{key} = {value!r}\n" for key, value in {"schema": "thermohw-recipe/1", **how}.items()]
    Path("soft.toml").write_text("".join(lines), encoding="utf-8")
    options = ("calibrate", "net.npz", "--recipe", "soft.toml", "--seed", 3)
    with served(machine(), "pty", faults=FAULTS, fault_seed=2) as url:
        found = call_json(*options, "--device", url, "--out", "line")
    direct = call_json(*options, "--mobility", 0.8, "--kt", 1.2, "--out", "direct")
    other = call_json(*options[:-1], 4, "--mobility", 0.8, "--kt", 1.2, "--out", "other")
    assert found["measured"] == how["patterns"]
    for name in NAMES:
        values, expected, control = (told["parameters"][name]["values"] for told in (found, direct, other))
        assert values == pytest.approx(expected, rel=1e-8, abs=1e-9), name
        assert name == "noise" or values != pytest.approx(control, rel=1e-3, abs=1e-3), name


# The firmware


def assert_as_loaded(record: CalibrationRecord, program: Program) -> None:
    """Check that a board is what was loaded, in standard errors, and that something else is told apart."""
    found = record.deviations()
    assert record.program.digest != program.digest  # its codes are what counts
    for each in found:
        assert np.isfinite(each.values).all() and (each.errors > 0).all(), each.name
        assert each.agreement is not None and 1e-3 < each.agreement.p < 1 - 1e-4, (each.name, each.agreement)
    assert max(np.abs(each.scores).max() for each in found) < 4
    quality = record.statement.quality
    for judged in (quality.whiteness, quality.reciprocity, quality.temperature):
        assert judged is not None and judged.p > 1e-3
    for name in ("J2", "J4", "biases", "couplings"):  # the control: one number off by twelve standard errors
        wrong = getattr(record.program, name).copy()
        wrong[1] += 12 * record.estimates.standard_error(name)[1]
        differences = deviations(record.estimates, replace(record.program, **{name: wrong}), record.request.device)
        refuted = next(each.agreement for each in differences if each.name == name)
        where = f"pair {tuple(program.topology.pairs[1].tolist())}" if name == "couplings" else "unit 1"
        assert refuted is not None and refuted.p < 1e-3 and refuted.worst == where, refuted


def on_a_board(
    start: Callable[[Path], AbstractContextManager[str]], folder: Path, program: Program, how: Recipe
) -> CalibrationRecord:
    with start(folder) as terminal, SerialDevice(terminal) as board:
        return calibrated(board, program, how, folder / "record")


@pytest.mark.skipif(bool(MISSING), reason=f"not on the path: {', '.join(MISSING)}")
def test_the_firmware_is_what_was_loaded(tmp_path: Path) -> None:
    assert make(tmp_path, "host").returncode == 0
    program = layered(7, 5)
    assert_as_loaded(on_a_board(host_board, tmp_path, program, recipe(chains=200, readings=60)), program)


@pytest.mark.skipif(bool(MISSING_FOR_ARM), reason=f"not on the path: {', '.join(MISSING_FOR_ARM)}")
def test_the_firmware_on_an_emulated_board_is_what_was_loaded(tmp_path: Path) -> None:
    assert make(tmp_path, "arm").returncode == 0
    program = layered(4, 2)
    assert_as_loaded(on_a_board(emulated_board, tmp_path, program, recipe(chains=60, readings=60)), program)
