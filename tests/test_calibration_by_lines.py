# SPDX-License-Identifier: Apache-2.0
"""Records of calibration line by line: measured, judged, kept, compared, compensated by; what they refuse."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibration_examples import Lesser, as_toml, recipe
from cli_calls import call, call_json, refused
from numpy.typing import NDArray

from thermohw import CouplingTable, Program, RunPlan, Samples, SimulatedDevice, Topology
from thermohw.errors import CalibrationError, FileFormatError
from thermohw.estimation.compensation import Deviations
from thermohw.estimation.lines import LineMoments
from thermohw.estimation.probing import probe
from thermohw.estimation.readings import Readings
from thermohw.estimation.record import CalibrationRecord
from thermohw.nonideal import ColouredNoise, LineGainMismatch, NonidealDevice, TemperatureOffset

NETWORK = Topology.layered(6, 3)
RNG = np.random.default_rng(5)
PROGRAM = Program(
    NETWORK, np.full(9, 1.0), np.full(9, 0.5), RNG.normal(0, 0.3, 9), RNG.normal(0, 0.8, len(NETWORK.pairs))
)
LINES = recipe(method="lines", interval=0.02, readings=200, chains=200, settle=1.0, dt=2e-3, groups=20, amplitude=2.0)


def uneven(temperature: float = 0.2) -> NonidealDevice:
    return NonidealDevice(SimulatedDevice(), [LineGainMismatch(std=0.3), TemperatureOffset(offset=temperature)], 1)


def real_couplings() -> NDArray[np.float64]:
    with uneven() as device:
        device.program(PROGRAM)
        return device.realised(seed=0).couplings


def true_gains() -> NDArray[np.float64]:
    """Get by how much couplings to each unit are too strong, from visible and from hidden units; NaN where none are."""
    asked, got = (NETWORK.symmetric_matrix(values).toarray() for values in (PROGRAM.couplings, real_couplings()))
    with np.errstate(invalid="ignore"):
        found = [
            (asked[:, layer] * got[:, layer]).sum(axis=1) / (asked[:, layer] ** 2).sum(axis=1)
            for layer in (slice(0, 6), slice(6, 9))
        ]
    return np.stack(found, axis=1)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> CalibrationRecord:
    with uneven() as device:
        return CalibrationRecord.of(probe(device, PROGRAM, LINES, tmp_path_factory.mktemp("lines"), 1))


def test_a_record_holds_what_lines_tell(record: CalibrationRecord) -> None:
    loaded = CalibrationRecord.load(record.folder)
    assert loaded.statement.method == "lines"
    assert "couplings" not in loaded.statement.parameters
    gains = loaded.estimates.values["gains"]
    assert gains.shape == (9, 2) and np.isnan(gains[:6, 0]).all()
    np.testing.assert_array_equal(gains, record.estimates.values["gains"])
    assert loaded.statement.parameters["gains"].values[0] is None
    found = {change.name: change for change in loaded.deviations()}
    assert found["gains"].agreement is not None and found["gains"].agreement.p < 1e-3  # not as programmed
    errors = loaded.estimates.standard_error("gains").reshape(-1, 2)
    assert np.nanmean(((gains - true_gains()) / errors) ** 2) < 3 < np.nanmean(((gains - 1) / errors) ** 2)
    quality = loaded.statement.quality
    assert quality.temperature is not None and quality.temperature.p < 1e-3
    assert quality.temperature_ratio == pytest.approx(1.2, abs=0.05)
    assert 1 < quality.condition < 1e6 and quality.reciprocity is None
    assert quality.whiteness is not None and quality.whiteness.p > 1e-3
    real, found_gains = real_couplings() / PROGRAM.couplings, Deviations.of(loaded.estimates, PROGRAM).gains
    assert np.corrcoef(real, found_gains)[0, 1] > 0.8


def test_noise_with_a_memory_is_told(tmp_path: Path) -> None:
    effects = [LineGainMismatch(std=0.3), ColouredNoise(correlation_time=0.02)]
    with NonidealDevice(SimulatedDevice(), effects, 1) as device:
        quality = CalibrationRecord.of(probe(device, PROGRAM, LINES, tmp_path / "record", 1)).statement.quality
    assert quality.whiteness is not None and quality.whiteness.p < 1e-6
    assert quality.autocorrelation is not None and abs(quality.autocorrelation) > 0.05
    net = PROGRAM.save(tmp_path / "net.npz")
    told = call("export", net, "--calibration", tmp_path / "record", "--format", "npz", "--out", tmp_path)
    assert "not the device's" in told.stderr


def watched(device: NonidealDevice, monkeypatch: pytest.MonkeyPatch) -> list[RunPlan]:
    """Get a list that fills with the plans that a device runs."""
    plans: list[RunPlan] = []
    run = device.run

    def noted(plan: RunPlan, *others: Any) -> Samples:
        plans.append(plan)
        return run(plan, *others)

    monkeypatch.setattr(device, "run", noted)
    return plans


def test_an_interrupted_one_goes_on_with_the_same_sums(
    record: CalibrationRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "parts"
    shutil.copytree(record.folder, place)
    for name in ("pattern-001.npz", "record.json"):
        (place / name).unlink()
    device = uneven()
    plans = watched(device, monkeypatch)
    with device:
        again = probe(device, PROGRAM, LINES, place)
    assert again.measured == 1
    settling, reading = plans  # it settles in a run of its own, at a step of its own
    assert (settling.duration, reading.duration) == pytest.approx((1.0, 199 * 0.02))
    assert settling.seed != reading.seed and not isinstance(reading.initial, str)
    assert isinstance(again.moments, LineMoments)
    for name, value in CalibrationRecord.of(again).estimates.values.items():
        np.testing.assert_array_equal(value, record.estimates.values[name])
    with pytest.raises(FileFormatError, match="not those of 9 units"):
        Readings.load(place, 0, again.request)  # not sums of pairs


def test_records_of_both_kinds_share_what_units_have(record: CalibrationRecord, tmp_path: Path) -> None:
    with uneven(0.0) as device:
        pairs = CalibrationRecord.of(
            probe(device, PROGRAM, recipe(**(LINES.model_dump() | {"method": "both"})), tmp_path, 1)
        )
    changes = {change.name: change for change in record.changes_since(pairs)}
    assert "gains" not in changes and "couplings" not in changes
    assert np.mean(changes["kT"].values) == pytest.approx(0.2, abs=0.05)


def test_the_command_takes_shows_and_compensates_by_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    PROGRAM.save("net.npz")
    Path("lines.toml").write_text(as_toml(LINES))
    told = call_json("calibrate", "net.npz", "--recipe", "lines.toml", "--kt", 1.3, "--seed", 1, "--out", "one")
    assert told["deviations"]["gains"]["known"] == 12
    assert [Path(file).name for file in told["files_drawn"]] == ["lines.png"]
    shown = call("calibration", "show", "one")
    assert shown.exit_code == 0, shown.output
    assert "gains of lines" in shown.stdout and "line by line" in shown.stdout
    compared = call_json("calibration", "compare", "one", "one")
    assert compared["changes"]["gains"]["rms"] == 0
    exported = call("export", "net.npz", "--calibration", "one", "--format", "npz", "--out", "tables", "--json")
    assert "not the device's" not in exported.stderr
    files = json.loads(exported.stdout)["files"]
    assert CouplingTable.load(files[0]).provenance["calibration"] == "one"
    refused(("calibrate", "net.npz", "--recipe", "lines.toml", "--target-error", 0.1), "--target-error", "lines")


def test_what_has_no_lines_is_refused(tmp_path: Path) -> None:
    with Lesser(SimulatedDevice(), trajectories=False) as device, pytest.raises(CalibrationError, match="snapshots"):
        probe(device, PROGRAM, LINES, tmp_path)
    lonely = Program.uncoupled(Topology.from_pairs(3, 0, []))
    with SimulatedDevice() as device, pytest.raises(CalibrationError, match="no lines"):
        probe(device, lonely, LINES, tmp_path)
    with SimulatedDevice() as device, pytest.raises(CalibrationError, match="method lines"):
        large = Program.uncoupled(Topology.layered(700, 10))
        probe(device, large, recipe(), tmp_path)
    assert not list(tmp_path.iterdir())
