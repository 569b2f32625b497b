# SPDX-License-Identifier: Apache-2.0
"""Records of calibration: whole, of one device and program, judged, compared, and planned."""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibration_examples import TRIANGLE, Lesser, recipe
from hypothesis import given, settings
from hypothesis import strategies as st

from thermohw import MechanicalOscillator, SimulatedDevice, Topology
from thermohw.device import ThermodynamicDevice
from thermohw.errors import CalibrationError, FileFormatError, StorageError, ThermoHWError
from thermohw.estimation import Estimates, LaggedMoments
from thermohw.estimation.agreement import agreement, normal_scores
from thermohw.estimation.planning import forecast, run_pilot
from thermohw.estimation.probing import probe
from thermohw.estimation.quality import residual_autocorrelations
from thermohw.estimation.recipes import Recipe
from thermohw.estimation.record import CalibrationRecord
from thermohw.estimation.sealed import file_digest, read_sealed, write_sealed
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics
from thermohw.langevin.observer import TrajectoryPiece
from thermohw.nonideal import (
    BiasOffset,
    ColouredNoise,
    Effect,
    NonidealDevice,
    NonreciprocalCouplings,
    ReadoutNoise,
    TemperatureOffset,
)
from thermohw.program import Program

LONGER = recipe(dt=None, readings=100, chains=100, groups=20, noise=None, settle=0.3, valid_days=30.0)
Make = Callable[..., CalibrationRecord]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Make records of the ideal device with effects."""

    def made(
        *effects: Effect, how: Recipe | None = None, seed: int = 1, program: Program = TRIANGLE
    ) -> CalibrationRecord:
        with NonidealDevice(SimulatedDevice(), effects, 1) as device:
            return CalibrationRecord.of(probe(device, program, how or LONGER, tmp_path_factory.mktemp("record"), seed))

    return made


@pytest.fixture(scope="module")
def ideal(make: Make) -> CalibrationRecord:
    return make()


@pytest.fixture(scope="module")
def short(make: Make) -> CalibrationRecord:
    return make(how=recipe())


def test_a_record_comes_back_as_it_was_written(ideal: CalibrationRecord) -> None:
    back = CalibrationRecord.load(ideal.folder)
    assert back.statement == ideal.statement
    assert back.program.digest == TRIANGLE.digest == back.request.program
    for name, values in ideal.estimates.values.items():
        np.testing.assert_array_equal(back.estimates.values[name], values)
        np.testing.assert_array_equal(back.estimates.standard_error(name), ideal.estimates.standard_error(name))
    told = json.loads((ideal.folder / "record.json").read_text())
    assert told["schema"] == "thermohw-calibration/1"
    assert told["parameters"]["couplings"]["values"] == ideal.estimates.values["couplings"].tolist()
    assert set(told["files"]) == {path.name for path in ideal.folder.iterdir()} - {"record.json"}
    assert told["date"].endswith("Z")


def test_a_record_that_stands_is_kept_and_checked(short: CalibrationRecord, tmp_path: Path) -> None:
    """Its date is that of the measurement, and what was changed since is not sealed anew."""
    place = Path(shutil.copytree(short.folder, tmp_path / "record"))
    before = (place / "record.json").read_bytes()
    with NonidealDevice(SimulatedDevice(), [], 1) as device:
        probed = probe(device, TRIANGLE, recipe(), place, 1)
    assert CalibrationRecord.of(probed).statement == short.statement
    assert (place / "record.json").read_bytes() == before
    (place / "estimates.npz").write_bytes((place / "program.npz").read_bytes())
    with pytest.raises(FileFormatError, match=r"estimates\.npz: not the file that the record was made of"):
        CalibrationRecord.of(probed)


def test_what_is_not_known_is_null_with_its_reason(make: Make) -> None:
    record = CalibrationRecord.load(make(how=recipe(method="snapshots")).folder)
    assert record.statement.parameters["mobility"].values == (None, None, None)
    assert "mobility" in record.statement.reasons
    assert record.statement.quality.whiteness is None
    assert record.statement.quality.autocorrelation is None


def test_a_record_is_of_one_device_and_program(ideal: CalibrationRecord) -> None:
    with NonidealDevice(SimulatedDevice(), [], 1) as device:
        ideal.applies_to(device, TRIANGLE)
        with pytest.raises(CalibrationError, match="another program"):
            ideal.applies_to(device, replace(TRIANGLE, J2=TRIANGLE.J2 + 1))
    with SimulatedDevice(precision="float64", integrator="leimkuhler-matthews") as device:
        ideal.applies_to(device, TRIANGLE)  # how an emulator integrates is not what it is
    with SimulatedDevice(mobility=1.1) as other, pytest.raises(CalibrationError, match=r"mobility is 1\.0 there, 1\.1"):
        ideal.applies_to(other, TRIANGLE)
    with Lesser(SimulatedDevice(), name="board 7") as board, pytest.raises(CalibrationError, match="board 7"):
        ideal.applies_to(board, TRIANGLE)


def test_an_old_record_is_told(ideal: CalibrationRecord, caplog: pytest.LogCaptureFixture) -> None:
    assert timedelta(0) <= ideal.age < timedelta(hours=1)
    assert ideal.outdated is None
    aged = ideal.statement.model_copy(update={"date": ideal.statement.date - timedelta(days=31)})
    old = replace(ideal, statement=aged)
    assert "made 31 days ago" in str(old.outdated)
    with caplog.at_level(logging.WARNING), NonidealDevice(SimulatedDevice(), [], 1) as device:
        ideal.applies_to(device, TRIANGLE)
        assert not caplog.messages
        old.applies_to(device, TRIANGLE)
    assert "calibrate again" in caplog.messages[0]
    timeless = old.statement.request.model_copy(update={"recipe": recipe()})
    assert replace(old, statement=aged.model_copy(update={"request": timeless})).outdated is None


# Damage


FILES = ["record.json", "request.json", "estimates.npz", "program.npz", "pattern-001.npz"]


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40)
@given(data=st.data())
def test_damage_is_an_error_or_the_same_record(short: CalibrationRecord, name: str, data: st.DataObject) -> None:
    path = short.folder / name
    sound = path.read_bytes()
    place = data.draw(st.integers(0, len(sound) - 1))
    damage = data.draw(
        st.one_of(
            st.just(sound[:place]),
            st.integers(1, 255).map(lambda change: sound[:place] + bytes([sound[place] ^ change]) + sound[place + 1 :]),
            st.binary(min_size=1, max_size=8).map(lambda extra: sound[:place] + extra + sound[place:]),
        )
    )
    path.write_bytes(damage)
    try:
        assert CalibrationRecord.load(short.folder).statement == short.statement  # spaces in JSON say nothing
        assert name == "record.json"
    except ThermoHWError as error:
        assert isinstance(error, FileFormatError | CalibrationError)
    finally:
        path.write_bytes(sound)


def test_files_of_several_calibrations_are_told_apart(short: CalibrationRecord, make: Make, tmp_path: Path) -> None:
    other = make(how=recipe(), seed=2)
    place = tmp_path / "mixed"
    for name in ("estimates.npz", "request.json"):
        shutil.copytree(short.folder, place)
        shutil.copy(other.folder / name, place)
        with pytest.raises(FileFormatError, match="not the file that the record was made of"):
            CalibrationRecord.load(place)
        reseal(place)  # with the right digest, it is still another calibration's
        with pytest.raises(CalibrationError, match="not of one calibration"):
            CalibrationRecord.load(place)
        shutil.rmtree(place)
    shutil.copytree(short.folder, place)
    pair = Program.uncoupled(TRIANGLE.topology.from_pairs(3, 0, [(0, 1)]))
    pair.save(place / "program.npz")
    reseal(place)
    with pytest.raises(CalibrationError, match="other pairs"):
        CalibrationRecord.load(place)


def reseal(place: Path) -> None:
    """State the digests of the files as they are."""
    content = read_sealed(place / "record.json", "thermohw-calibration/1")
    content["files"] = {name: file_digest(place / name) for name in content["files"]}
    write_sealed(place / "record.json", "thermohw-calibration/1", content)


def test_what_is_no_record_is_refused(short: CalibrationRecord, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no record"):
        CalibrationRecord.load(tmp_path)
    place = tmp_path / "part"
    shutil.copytree(short.folder, place)
    (place / "record.json").unlink()
    with pytest.raises(StorageError, match="not finished"):
        CalibrationRecord.load(place)
    content = read_sealed(short.folder / "record.json", "thermohw-calibration/1")
    faults: list[tuple[dict[str, Any], str]] = [
        ({"files": {**content["files"], "../secret": "0"}}, "list of files"),
        ({"files": {}}, "list of files"),
        ({"seconds": -1}, "seconds"),
        ({"parameters": {"J2": {"values": [], "errors": []}}}, "parameters.J2"),
    ]
    for changes, words in faults:
        write_sealed(place / "record.json", "thermohw-calibration/1", {**content, **changes})
        with pytest.raises(FileFormatError, match=words):
            CalibrationRecord.load(place)
    write_sealed(place / "record.json", "thermohw-calibration/2", content)
    with pytest.raises(FileFormatError, match="expected 'thermohw-calibration/1'"):
        CalibrationRecord.load(place)


# Quality


def test_a_good_fit_is_found_good(ideal: CalibrationRecord) -> None:
    quality = ideal.statement.quality
    for judged, count in ((quality.whiteness, 3), (quality.reciprocity, 3), (quality.temperature, 3)):
        assert judged is not None
        assert judged.count == count
        assert judged.p > 1e-3
    assert quality.temperature_ratio == pytest.approx(1, abs=0.05)
    assert 1 < quality.condition < 1e4
    assert quality.pairs == 3
    for found in ideal.deviations():
        assert found.agreement is None or found.agreement.p > 1e-3, found.name


def test_noise_of_readings_alone_leaves_the_fit_good(make: Make) -> None:
    record = make(ReadoutNoise(std=0.05))
    assert record.statement.quality.whiteness is not None
    assert record.statement.quality.whiteness.p > 1e-3
    assert record.estimates.values["noise"][0] == pytest.approx(0.05, rel=0.1)


def test_noise_with_a_memory_is_seen_in_the_residuals(make: Make) -> None:
    white = make(ColouredNoise(correlation_time=0.003)).statement.quality.whiteness
    assert white is not None
    assert white.p < 1e-9
    assert white.deviation > 5


def test_couplings_that_are_not_reciprocal_are_seen(make: Make) -> None:
    quality = make(NonreciprocalCouplings(std=0.8)).statement.quality
    assert quality.reciprocity is not None and quality.whiteness is not None
    assert quality.reciprocity.p < 1e-4
    assert quality.whiteness.p > 1e-3


def test_another_temperature_is_seen(make: Make) -> None:
    quality = make(TemperatureOffset(offset=0.2)).statement.quality
    assert quality.temperature is not None
    assert quality.temperature.p < 1e-6
    assert quality.temperature_ratio == pytest.approx(1.2, abs=0.06)


def test_couplings_lost_in_their_errors_are_named(make: Make) -> None:
    weak = replace(TRIANGLE, couplings=np.array([4.0, 0.0, 0.0]))
    quality = make(program=weak).statement.quality
    assert quality.unresolved == 2
    assert {pair.units for pair in quality.least_known} == {(0, 2), (1, 2)}
    errors = [pair.standard_error for pair in quality.least_known]
    assert errors == sorted(errors, reverse=True)


def test_few_groups_are_reckoned_with() -> None:
    ratios = np.random.default_rng(1).standard_t(4, 20_000)
    assert np.mean(normal_scores(ratios, 4) ** 2) == pytest.approx(1, abs=0.05)
    assert np.mean(ratios**2) > 1.5  # the control
    np.testing.assert_allclose(normal_scores(np.array([-2.0, 0.0, 2.0]), 1e9), [-2, 0, 2], atol=1e-6)
    assert agreement(np.array([np.nan, 1.0]), np.array([1.0, 0.0]), 4, ["a", "b"]) is None


# Drift


def test_two_records_of_one_device_agree_and_drift_is_found(ideal: CalibrationRecord, make: Make) -> None:
    again = make(seed=2)
    for change in again.changes_since(ideal):
        assert change.agreement is None or change.agreement.p > 1e-3, change.name
    drifted = {change.name: change for change in make(BiasOffset(std=4.0), seed=3).changes_since(ideal)}
    assert drifted["biases"].agreement is not None and drifted["couplings"].agreement is not None
    assert drifted["biases"].agreement.p < 1e-6
    assert drifted["couplings"].agreement.p > 1e-3


def test_records_of_different_programs_are_not_compared(ideal: CalibrationRecord, make: Make) -> None:
    other = make(how=recipe(), program=replace(TRIANGLE, J4=TRIANGLE.J4 + 1))
    with pytest.raises(CalibrationError, match="different programs"):
        other.changes_since(ideal)


# Planning


def test_as_many_readings_are_planned_as_the_wanted_error_takes(tmp_path: Path) -> None:
    how = LONGER.model_copy(update={"noise": 0.0})
    with SimulatedDevice() as device:
        pilot = run_pilot(device, TRIANGLE, how, tmp_path, 1, None)
        assert pilot.request.recipe.chains == how.groups
        plan = forecast(pilot, how, 0.2)
        assert plan.error == pytest.approx(0.2, rel=0.02)
        assert plan.device_time == pytest.approx(4 * 100 * (0.3 + 0.01 * (plan.recipe.readings - 1)))
        assert plan.device_seconds is None
        record = CalibrationRecord.of(probe(device, TRIANGLE, plan.recipe, tmp_path, 1))
    reached = float(record.estimates.standard_error("couplings").max())
    assert reached == pytest.approx(0.2, rel=0.4)  # of errors known to 1/√38 each, the largest of three
    assert plan.pilot_error > 2 * reached
    finer = forecast(pilot, how, 0.1)
    assert finer.recipe.readings == pytest.approx(4 * plan.recipe.readings, rel=0.05)
    assert finer.wall_seconds > 2 * plan.wall_seconds


def test_times_are_told_in_the_devices_own_seconds(tmp_path: Path) -> None:
    from thermohw.backends import open_device

    device: ThermodynamicDevice
    with open_device("rc_board") as device:
        plan = forecast(run_pilot(device, TRIANGLE, recipe(), tmp_path, 1, None), recipe(), 1.0)
        assert device.spec.scale is not None
        assert plan.device_seconds == pytest.approx(plan.device_time * device.spec.scale.time)
    assert " s of the device's time" in str(plan)


def test_errors_that_cannot_be_had_are_refused(tmp_path: Path) -> None:
    with SimulatedDevice() as device:
        pilot = run_pilot(device, TRIANGLE, recipe(), tmp_path / "some", 1, None)
        with pytest.raises(CalibrationError, match="positive"):
            forecast(pilot, recipe(), 0.0)
        with pytest.raises(CalibrationError, match="too many"):
            forecast(pilot, recipe(), 1e-6)
        alone = Program.uncoupled(TRIANGLE.topology.from_pairs(2, 0, []))
        uncoupled = run_pilot(device, alone, recipe(), tmp_path / "none", 1, None)
        with pytest.raises(CalibrationError, match="knows no coupling"):
            forecast(uncoupled, recipe(), 0.1)


def test_residuals_are_measured_by_their_own_size_before_a_device_has_settled() -> None:
    """x(1) = a x(0) + r(1), x(2) = a x(1) + r(2), and r(2) knows of x(0): −a ⟨x(0) r(2)⟩/⟨r(1)²⟩ by definition."""
    rng, a, spread = np.random.default_rng(1), 0.5, 2.0
    noise = rng.normal(0, 1.0, (2, 20_000, 1))
    first = rng.normal(0, spread, (20_000, 1))
    second = a * first + noise[0]
    third = a * second + noise[1] + 0.1 * first
    moments = LaggedMoments(np.ones(1), groups=20)
    program = Program.uncoupled(Topology.complete(1))
    dynamics = Dynamics(AsBuilt.from_program(program), 0.1)
    moments.observe(TrajectoryPiece(np.stack([first, second, third]), dynamics, 0, 0, 1))
    silent = {"noise": np.zeros(1)}, {"noise": np.zeros((20, 1))}
    found = Estimates("trajectories", program.topology, *silent, {})
    correlations, errors = residual_autocorrelations(moments, found)
    assert correlations[0] == pytest.approx(-a * 0.1 * spread**2, abs=5 * errors[0])
    assert errors[0] < 0.02


def test_other_files_in_the_folder_do_not_matter(short: CalibrationRecord, tmp_path: Path) -> None:
    place = Path(shutil.copytree(short.folder, tmp_path / "record"))
    (place / "record.json").unlink()
    (place / "pattern-000.npz.bak").write_bytes(b"")
    with NonidealDevice(SimulatedDevice(), [], 1) as device:
        CalibrationRecord.of(probe(device, TRIANGLE, recipe(), place, 1))
    CalibrationRecord.load(place)


def test_which_fit_was_made_is_told(make: Make) -> None:
    assert make(how=recipe(interval=0.01)).statement.method == "trajectories"
    assert make(how=recipe(dt=None, interval=0.05, readings=100, chains=100)).statement.method == "both"
    assert make(how=recipe(dt=None, interval=0.3, readings=100, chains=100)).statement.method == "snapshots"


def test_units_with_inertia_are_known_by_their_states(tmp_path: Path) -> None:
    with MechanicalOscillator("mechanical_cantilever") as device:
        for method in ("trajectories", "lines"):
            with pytest.raises(CalibrationError, match=r"has inertia, .* which outlasts the"):
                probe(device, TRIANGLE, recipe(method=method), tmp_path / method, 1)
        how = recipe(dt=None, interval=0.5, readings=60, chains=200, settle=15.0, groups=20)
        found = CalibrationRecord.of(probe(device, TRIANGLE, how, tmp_path / "both", 1))
    assert found.statement.method == "snapshots"
    assert np.isnan(found.estimates.values["mobility"]).all()
    for difference in found.deviations():
        assert difference.agreement is None or difference.agreement.p > 1e-3, difference.name
