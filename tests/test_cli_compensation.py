# SPDX-License-Identifier: Apache-2.0
"""`thermohw export --calibration`: tables for a device as it is, and records that are not of it."""

import hashlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from calibration_examples import TRIANGLE
from cli_calls import call, call_json, refused
from test_cli_calibrate import RECIPE

from thermohw import CouplingTable, Program, Topology
from thermohw.estimation.compensation import Deviations, compensate
from thermohw.estimation.record import CalibrationRecord
from thermohw.estimation.sealed import read_sealed, write_sealed
from thermohw.estimation.statement import FILE, SCHEMA

DEVICE = ("--device", "ideal", "--effects", "typical", "--device-seed", 3)
EXPORT = ("export", "net.npz", "--calibration", "monday", "--format", "npz", "--bits", 16, "--bias-bits", 16)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program and the record `monday` of an imperfect device."""
    place = tmp_path_factory.mktemp("measured")
    TRIANGLE.save(place / "net.npz")
    (place / "tiny.toml").write_text(RECIPE.replace("readings = 12", "readings = 200") + "valid_days = 30.0\n")
    arguments = (place / "net.npz", "--recipe", place / "tiny.toml", *DEVICE, "--seed", 1)
    call_json("calibrate", *arguments, "--out", place / "monday")
    return place


@pytest.fixture
def lab(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which commands run."""
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_table_is_compensated_and_tells_by_what(lab: Path) -> None:
    told = call("export", *EXPORT[1:], *DEVICE, "--out", "tables")
    assert told.exit_code == 0, told.output
    assert "compensated by monday" in told.stderr
    assert "another program" not in told.stderr and "calibrate again" not in told.stderr
    table = CouplingTable.load(Path("tables") / "net-16bit.npz")
    record = CalibrationRecord.load("monday")
    wanted = compensate(TRIANGLE, Deviations.of(record.estimates, TRIANGLE))
    np.testing.assert_allclose(table.program.couplings, wanted.couplings, rtol=1e-3)
    np.testing.assert_allclose(table.program.biases, wanted.biases, rtol=1e-3, atol=1e-3)
    assert np.abs(table.program.couplings / TRIANGLE.couplings - 1).max() > 0.005  # the control: not as wanted
    digest = hashlib.sha256((Path("monday") / FILE).read_bytes()).hexdigest()
    facts = table.provenance
    assert (facts["calibration"], facts["calibration.sha256"], facts["wanted"]) == ("monday", digest, TRIANGLE.digest)
    assert facts["program"] == wanted.digest and facts["device"] == record.request.device.name
    plain = call_json("export", "net.npz", "--format", "npz", "--out", "plain")
    assert "calibration" not in CouplingTable.load(plain["files"][0]).provenance


def test_the_device_need_not_be_named_but_must_not_be_another(lab: Path) -> None:
    assert call_json(*EXPORT, "--out", "tables")["files"]
    refused((*EXPORT, "--out", "no", *DEVICE[:4], "--device-seed", 4), "another device: details.device_seed", "monday")
    refused((*EXPORT, "--out", "no", "--device", "rc_board"), "another device: name is", "name the record's device")
    refused((*EXPORT, "--out", "no", "--device", "ideal"), "another device: details.", "name the record's device")
    assert "integrator" not in call(*EXPORT, "--out", "no", "--device", "ideal").stderr  # of which no device is made
    refused((*EXPORT, "--out", "no", "--device", "nothing"), "unknown device")
    refused(("export", "net.npz", "--out", "no", "--effects", "typical"), "--calibration")
    refused(("export", "net.npz", "--format", "npz", "--out", "no", "--device", "ideal"), "--device", "--calibration")
    refused(("export", "net.npz", "--calibration", "nowhere", "--out", "no"), "holds no record")
    assert "path moments" in call(*EXPORT, "--out", "no", "--method", "likelihood").stderr
    assert not Path("no").exists()


def test_other_programs_of_the_same_pairs_are_compensated_with_a_note(lab: Path) -> None:
    TRIANGLE.with_biases(TRIANGLE.biases + 1).save("net.npz")
    told = call(*EXPORT, "--out", "tables")
    assert told.exit_code == 0 and "of another program of the same pairs" in told.stderr
    Program.uncoupled(Topology.complete(4)).save("net.npz")
    refused((*EXPORT, "--out", "no"), "3 units and 3 pairs", "4 units and 6 pairs")


def test_an_old_record_warns_and_a_damaged_one_is_refused(lab: Path) -> None:
    path = Path("monday") / FILE
    content = read_sealed(path, SCHEMA)
    write_sealed(path, SCHEMA, content | {"date": (datetime.now(UTC) - timedelta(days=31)).isoformat()})
    told = call(*EXPORT, "--out", "tables")
    assert told.exit_code == 0 and "calibrate again" in " ".join(told.stderr.split())
    edited = json.loads(path.read_text())
    edited["seconds"] = 1.0
    path.write_text(json.dumps(edited))
    refused((*EXPORT, "--out", "no"), "checksum")


def test_what_the_device_cannot_hold_is_refused(lab: Path) -> None:
    call_json("calibrate", "net.npz", "--recipe", "tiny.toml", "--device", "rc_board", "--seed", 1, "--out", "board")
    limit = CalibrationRecord.load("board").request.device.bias_limit
    assert limit is not None
    TRIANGLE.with_biases(np.array([2 * limit, 0.0, 0.0])).save("net.npz")
    export = ("export", "net.npz", "--calibration", "board", "--format", "npz", "--out", "tables")
    refused(export, "largest bias", "rc_board", "--clip")
    assert call_json(*export, "--clip")["files"]
