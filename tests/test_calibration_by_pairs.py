# SPDX-License-Identifier: Apache-2.0
"""Records of calibration pair by pair about the lines: kept, judged, compensated by, gone on with; what they refuse."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calibration_examples import Lesser, as_toml, recipe
from cli_calls import call, call_json, refused
from numpy.typing import NDArray

from thermohw import CouplingTable, Program, SimulatedDevice, Topology
from thermohw.errors import CalibrationError, FileFormatError
from thermohw.estimation.compensation import Deviations, compensate
from thermohw.estimation.lines import gains_of_pairs
from thermohw.estimation.pairs import OWN, PairEstimates
from thermohw.estimation.pairs_file import load_pairs, save_pairs
from thermohw.estimation.probing import probe
from thermohw.estimation.readings import Readings
from thermohw.estimation.record import CalibrationRecord
from thermohw.nonideal import CouplingMismatch, LineGainMismatch, NonidealDevice, TemperatureOffset
from thermohw.storage import load_arrays, save_arrays

Floats = NDArray[np.float64]

NETWORK = Topology.layered(6, 3)
RNG = np.random.default_rng(5)
PROGRAM = Program(
    NETWORK, np.full(9, 1.0), np.full(9, 0.5), RNG.normal(0, 0.3, 9), RNG.normal(0, 0.8, len(NETWORK.pairs))
)
PAIRS = recipe(
    method="pairs", interval=0.02, readings=200, chains=200, settle=1.0, dt=2e-3, groups=20, amplitude=2.0,
    coupling_width=0.3,
)  # fmt: skip


def uneven() -> NonidealDevice:
    effects = [CouplingMismatch(std=0.3), LineGainMismatch(std=0.1), TemperatureOffset(offset=0.1)]
    return NonidealDevice(SimulatedDevice(), effects, 2)


def real(program: Program = PROGRAM) -> Program:
    with uneven() as device:
        device.program(program)
        return device.realised(seed=0)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> CalibrationRecord:
    with uneven() as device:
        return CalibrationRecord.of(probe(device, PROGRAM, PAIRS, tmp_path_factory.mktemp("pairs"), 1))


def pairs_of(record: CalibrationRecord) -> PairEstimates:
    assert record.pairs is not None
    return record.pairs


def test_a_record_holds_lines_and_pairs(record: CalibrationRecord) -> None:
    loaded = CalibrationRecord.load(record.folder)
    assert loaded.statement.method == "pairs" and loaded.estimates.method == "lines"
    assert "gains" in loaded.statement.parameters and "couplings" not in loaded.statement.parameters
    found, written = pairs_of(loaded), pairs_of(record)
    for name in (*OWN, "couplings", "directions"):
        np.testing.assert_array_equal(found.values[name], written.values[name])
        np.testing.assert_array_equal(found.errors[name], written.errors[name])
    np.testing.assert_array_equal(found.expected, gains_of_pairs(loaded.estimates) * PROGRAM.couplings)
    quality = loaded.statement.quality
    assert quality.unresolved == len(NETWORK.pairs) - found.resolved < len(NETWORK.pairs)
    assert quality.learnt == pytest.approx(found.learnt.mean()) and found.learnt.mean() > 0.5
    assert 1 < quality.condition < 1e6 and 1 < found.condition < 1e3
    named = [NETWORK.pairs.tolist().index(list(pair.units)) for pair in quality.least_known]
    np.testing.assert_array_equal(named, found.unresolved()[:3])


def test_the_readings_give_the_sums_that_a_run_would(record: CalibrationRecord) -> None:
    readings = Readings.load(record.folder, 1, record.request, PROGRAM)
    assert readings.trajectory is not None
    sums, states = readings.pair_moments(), readings.trajectory.astype(np.float64)
    now, later = states[:, :-2].reshape(-1, 9), states[:, 2:].reshape(-1, 9)
    assert sums.count == len(now) == 200 * 198
    np.testing.assert_allclose(sums.sums["cx"][2], (now**3).T @ later)
    np.testing.assert_allclose(sums.sums["xb"][2], np.outer(later.sum(axis=0), readings.moments.applied))


def test_couplings_are_better_known_than_by_their_lines(record: CalibrationRecord) -> None:
    gains = real().couplings / PROGRAM.couplings
    by_lines = Deviations.of(record.estimates, PROGRAM).gains
    by_pairs = Deviations.of(record.estimates, PROGRAM, pairs=record.pairs).gains

    def error(found: Floats) -> float:
        return float(np.sqrt(np.mean((PROGRAM.couplings * (found - gains)) ** 2)))

    assert error(by_pairs) < 0.5 * error(by_lines)
    scores = (pairs_of(record).values["couplings"] - real().couplings) / pairs_of(record).errors["couplings"]
    assert 0.4 < (scores**2).mean() < 2.2


def test_a_compensated_device_has_the_energies_that_were_wanted(record: CalibrationRecord) -> None:
    deviations = Deviations.of(record.estimates, PROGRAM, pairs=record.pairs)
    built = real(compensate(PROGRAM, deviations))  # at 1.1 kT
    wanted, before = 1.1 * PROGRAM.couplings, real().couplings
    left, was = (np.sqrt(np.mean((found - wanted) ** 2)) for found in (built.couplings, before))
    assert left < 0.35 * was
    np.testing.assert_allclose(built.J2, 1.1 * PROGRAM.J2, atol=0.25)


def example(J: Floats, expected: Floats, likely: Floats, variance: Floats, width: float) -> PairEstimates:
    """Get the posterior of couplings that readings alone put at `likely` with a variance, under one prior for all."""
    topology = Topology.complete(3)
    learnt = width**2 / (width**2 + variance)
    found = expected + learnt * (likely - expected)
    own = {name: np.ones(3) for name in OWN}
    values = {**own, "couplings": found, "directions": np.stack([found, found], axis=1)}
    errors = {**own, "couplings": width * np.sqrt(1 - learnt), "directions": np.ones((3, 2))}
    return PairEstimates(topology, values, errors, expected, learnt, 1.0, width)


def test_gains_are_those_of_a_prior_in_proportion_to_couplings(record: CalibrationRecord) -> None:
    J, relative = np.array([2.0, -0.5, 1e-3]), 0.1
    width = relative * float(np.sqrt(np.mean(J**2)))
    expected, likely, variance = 1.1 * J, np.array([2.5, -0.4, 0.2]), np.array([0.01, 0.02, 0.03])
    pairs = example(J, expected, likely, variance, width)
    program = Program(pairs.topology, np.ones(3), np.ones(3), np.zeros(3), J)
    small = record.estimates  # of other units: only its temperature counts here
    estimates = replace(small, topology=pairs.topology)
    gains = Deviations.of(estimates, program, pairs=pairs).gains
    own = (relative * J) ** 2
    np.testing.assert_allclose(gains * J, expected + own / (own + variance) * (likely - expected), rtol=1e-12)
    assert abs(pairs.values["couplings"][2] / J[2] - 1.1) > 10  # the control: a small coupling would have any gain
    silent = replace(program, couplings=np.array([2.0, -0.5, 0.0]))
    assert Deviations.of(estimates, silent, pairs=pairs).gains[2] == pytest.approx(gains[:2].mean(), rel=0.1)


def test_lines_that_are_programmed_as_zero_are_as_the_others(tmp_path: Path) -> None:
    couplings = np.where((NETWORK.pairs == 2).any(axis=1), 0.0, PROGRAM.couplings)
    program = replace(PROGRAM, couplings=couplings)
    with uneven() as device:
        estimates = probe(device, program, recipe(**(PAIRS.model_dump() | {"method": "lines"})), tmp_path, 1).estimate()
    assert np.isnan(estimates.values["gains"][2]).all()
    gains = gains_of_pairs(estimates)
    assert 0.2 < gains.min() and gains.max() < 3  # lines of three couplings, off by 0.3 each
    np.testing.assert_array_equal(compensate(program, Deviations.of(estimates, program)).couplings == 0, couplings == 0)


def test_an_interrupted_one_goes_on(record: CalibrationRecord, tmp_path: Path) -> None:
    place = tmp_path / "parts"
    shutil.copytree(record.folder, place)
    for name in ("pattern-003.npz", "pairs.npz", "record.json"):
        (place / name).unlink()
    with uneven() as device:
        again = probe(device, PROGRAM, PAIRS, place)
    assert again.measured == 1
    found = pairs_of(CalibrationRecord.of(again))
    np.testing.assert_array_equal(found.values["couplings"], pairs_of(record).values["couplings"])


def test_the_command_takes_shows_and_compensates_by_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    PROGRAM.save("net.npz")
    Path("pairs.toml").write_text(as_toml(PAIRS))
    told = call_json("calibrate", "net.npz", "--recipe", "pairs.toml", "--kt", 1.3, "--seed", 1, "--out", "one")
    assert [Path(file).name for file in told["files_drawn"]] == ["lines.png", "pairs.png"]
    assert told["quality"]["learnt"] > 0.3 and "pairs.npz" in told["files"]
    shown = call("calibration", "show", "one")
    assert shown.exit_code == 0, shown.output
    assert "couplings not resolved" in shown.stdout and "of the prior's variance" in shown.stdout
    assert call_json("calibration", "compare", "one", "one")["changes"]["gains"]["rms"] == 0
    for onsite in (True, False):
        keep = () if onsite else ("--keep-onsite",)
        folder = f"tables-{onsite}"
        call_json("export", "net.npz", "--calibration", "one", *keep, "--format", "npz", "--bits", 16, "--out", folder)
        program = CouplingTable.load(Path(folder) / "net-16bit.npz").program
        assert np.array_equal(program.J2, PROGRAM.J2) != onsite
        assert not np.allclose(program.biases, PROGRAM.biases, atol=1e-3)
    refused(("export", "net.npz", "--keep-onsite", "--out", "tables"), "--keep-onsite", "--calibration")
    refused(("calibrate", "net.npz", "--recipe", "pairs.toml", "--target-error", 0.1), "--target-error", "pairs")
    refused(("calibrate", "net.npz", "--recipe", "pairs.toml", "--csv", "--out", "two"), "npz")
    assert not Path("two").exists()


def test_what_cannot_be_done_pair_by_pair_is_refused(tmp_path: Path) -> None:
    with Lesser(SimulatedDevice(), trajectories=False) as device, pytest.raises(CalibrationError, match="snapshots"):
        probe(device, PROGRAM, PAIRS, tmp_path)
    with SimulatedDevice() as device, pytest.raises(CalibrationError, match="no lines"):
        probe(device, Program.uncoupled(Topology.from_pairs(3, 0, [])), PAIRS, tmp_path)
    many = Topology.from_pairs(5000, 0, [[0, 1]])
    with SimulatedDevice() as device, pytest.raises(CalibrationError, match=r"5000 units in 20 groups take 2\.2 GiB"):
        probe(device, replace(Program.uncoupled(many), couplings=np.ones(1)), PAIRS, tmp_path)
    with SimulatedDevice() as device, pytest.raises(CalibrationError, match="programmed as zero"):
        probe(device, replace(PROGRAM, couplings=0 * PROGRAM.couplings), PAIRS, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["couplings", "learnt", "values.J2", "errors.directions"])
def test_arrays_that_are_not_those_of_the_program_are_refused(
    record: CalibrationRecord, tmp_path: Path, name: str
) -> None:
    path = save_pairs(tmp_path / "pairs.npz", pairs_of(record))
    arrays = load_arrays(path, "thermohw-pair-estimates/1", ())
    if name == "couplings":
        with pytest.raises(CalibrationError, match="other pairs"):
            load_pairs(path, Program.uncoupled(Topology.complete(9)))
        return
    save_arrays(path, "thermohw-pair-estimates/1", {**arrays, name: arrays[name][:-1]})
    with pytest.raises(FileFormatError, match=f"{name} must be"):
        load_pairs(path, PROGRAM)
    del arrays[name]
    save_arrays(path, "thermohw-pair-estimates/1", arrays)
    with pytest.raises(FileFormatError, match=name):
        load_pairs(path, PROGRAM)


def test_a_record_without_its_pairs_or_with_others_is_refused(record: CalibrationRecord, tmp_path: Path) -> None:
    place = tmp_path / "copy"
    shutil.copytree(record.folder, place)
    pairs = pairs_of(record)
    save_pairs(place / "pairs.npz", replace(pairs, learnt=pairs.learnt / 2))
    with pytest.raises(FileFormatError, match="changed since"):
        CalibrationRecord.load(place)
