# SPDX-License-Identifier: Apache-2.0
"""`thermohw calibrate` and `thermohw calibration`: what they write, go on from, tell and refuse."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from calibration_examples import TRIANGLE
from cli_calls import call, call_json, refused
from PIL import Image
from served import served

from thermohw import SimulatedDevice
from thermohw.estimation.sealed import read_sealed, write_sealed
from thermohw.estimation.statement import FILE, SCHEMA

RECIPE = """schema = "thermohw-recipe/1"
name = "tiny"
description = "for tests"
method = "both"
interval = 0.01
readings = 12
chains = 20
patterns = 4
amplitude = 5.0
settle = 0.1
dt = 0.001
groups = 10
noise = 0.0
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program and a recipe, in which commands run."""
    monkeypatch.chdir(tmp_path)
    TRIANGLE.save("net.npz")
    Path("tiny.toml").write_text(RECIPE)
    Path("aging.toml").write_text(RECIPE + "valid_days = 1e-9\n")
    Path("slow.toml").write_text(
        'schema = "thermohw-effects/1"\nname = "slow"\ndescription = "slow"\n'
        '[readout_bandwidth]\ntime_constant = 0.1\nsource = "tests"\nstatus = "assumed"\n'
    )
    return tmp_path


TINY = ("calibrate", "net.npz", "--recipe", "tiny.toml")


def test_a_calibration_is_written_told_and_drawn(lab: Path) -> None:
    told = call_json(*TINY, "--device", "rc_board", "--effects", "typical", "--device-seed", 3, "--seed", 1)
    place = Path("calibration") / "net-rc_board"
    assert (told["record"], told["measured"], told["patterns"]) == (str(place), 4, 4)
    assert told["request"]["device"]["details"]["device_seed"] == "3"
    assert told["request"]["device"]["details"]["integrator"] == "euler-maruyama"  # motion without a memory
    couplings, found = told["parameters"]["couplings"], told["deviations"]["couplings"]
    assert len(couplings["values"]) == len(couplings["standard_errors"]) == found["known"] == 3
    mean = sum(value - wanted for value, wanted in zip(couplings["values"], TRIANGLE.couplings, strict=True)) / 3
    assert found["mean"] == pytest.approx(mean)
    assert 0 < found["typical_error"] < 3
    written = json.loads((place / "record.json").read_text())
    assert {key: told[key] for key in written if key in told} == {key: written[key] for key in written if key in told}
    with Image.open(place / "figures" / "calibration.png") as image:
        assert min(image.size) > 500


def test_the_same_command_goes_on_and_other_ones_are_refused(lab: Path) -> None:
    assert call_json(*TINY, "--effects", "typical")["measured"] == 4  # seeds chosen
    place = Path("calibration") / "net-ideal"
    (place / "pattern-002.npz").unlink()
    again = call(*TINY, "--effects", "typical")
    assert again.exit_code == 0, again.output
    assert "1 patterns measured, 3 there already" in again.stdout
    for word in ("couplings", "mobility", "residuals white", "couplings reciprocal", "temperature as stated"):
        assert word in again.stdout
    refused((*TINY, "--effects", "pessimistic"), "another device: details.effects", "choose another folder")
    refused((*TINY, "--effects", "typical", "--device-seed", 5), "another device: details.device_seed")
    refused((*TINY, "--effects", "typical", "--seed", 5), "another seed")
    refused(("calibrate", "net.npz", "--effects", "typical", "--recipe", "aging.toml"), "another recipe: valid_days")
    TRIANGLE.with_biases(TRIANGLE.biases + 1).save("net.npz")
    refused((*TINY, "--effects", "typical"), "another program")
    assert call_json(*TINY, "--effects", "typical", "--out", "other")["measured"] == 4


def test_a_record_is_shown_and_compared(lab: Path) -> None:
    call_json(*TINY, "--out", "one", "--seed", 1)
    call_json("calibrate", "net.npz", "--recipe", "aging.toml", "--out", "two", "--seed", 2, "--kt", 4.0, "--csv")
    shown = call("calibration", "show", "two")
    assert shown.exit_code == 0, shown.output
    assert "recipe tiny, seed 2" in shown.stdout
    assert "calibrate again" in " ".join(shown.stderr.split())
    assert "calibrate again" not in call("calibration", "show", "one").stderr
    assert (Path("two") / "pattern-000.csv").is_file()
    told = call_json("calibration", "compare", "one", "two", "--out", "figures")
    assert told["changes"]["kT"]["mean"] == pytest.approx(3, abs=1.5)
    assert told["changes"]["kT"]["agreement"]["p"] < 1e-3 < told["changes"]["mobility"]["agreement"]["p"]
    assert told["files"] == [str(Path("figures") / "changes.png")]
    spoken = call("calibration", "compare", "one", "two", "--out", "figures")
    assert "Changes from" in spoken.stdout
    assert "not of one device" in spoken.stderr
    assert "older one" not in spoken.stderr
    late = read_sealed(Path("one") / FILE, SCHEMA) | {"date": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    write_sealed(Path("one") / FILE, SCHEMA, late)
    assert "second record is the older one" in call("calibration", "compare", "one", "two", "--out", "figures").stderr
    sound = (Path("one") / "pattern-001.npz").read_bytes()
    (Path("one") / "pattern-001.npz").write_bytes(sound[:-1])
    refused(("calibration", "show", "one"), "pattern-001.npz", "changed since")
    refused(("calibration", "show", "nowhere"), "holds no record")


def test_a_wanted_error_is_planned_and_carried_out(lab: Path) -> None:
    wish = (*TINY, "--target-error", 1.5, "--seed", 1, "--out", "planned")
    plan: dict[str, Any] = call_json(*wish, "--plan-only")["plan"]
    assert not (Path("planned") / "record.json").exists()
    assert plan["error_kT"] <= 1.5 < plan["pilot_error_kT"] * 3
    told = call_json(*wish)
    assert told["plan"]["readings"] == told["request"]["recipe"]["readings"] == plan["readings"]
    again = call(*wish[:-4], "--out", "planned")  # the pilot's seed is the folder's
    assert again.exit_code == 0, again.output
    assert "0 patterns measured, 4 there already" in again.stdout
    assert f"{plan['readings']} readings a chain" in again.stdout
    told = call_json(*TINY, "--target-error", 1.5, "--device", "rc_chip", "--plan-only", "--out", "chip")
    assert told["plan"]["device_seconds"] > 0


def test_a_board_is_calibrated_over_its_line(lab: Path) -> None:
    with served(SimulatedDevice(kT=2.0)) as url:
        told = call_json(*TINY, "--device", url, "--out", "board", "--seed", 1)
    assert "instrument" in told["request"]["device"]["details"]
    assert told["quality"]["temperature_ratio"] == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--recipe", "fast"), ("unknown recipe", "quick, snapshots, standard")),
        (("--recipe", "tiny.toml", "--plan-only"), ("--target-error",)),
        (("--recipe", "tiny.toml", "--target-error", "-1"), ("positive",)),
        (("--recipe", "tiny.toml", "--device", "nothing"), ("unknown device",)),
        (("--recipe", "tiny.toml", "--device-seed", "1"), ("give --effects too",)),
    ],
)
def test_wrong_calls_are_refused(lab: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    refused(("calibrate", "net.npz", *arguments), *words)
    assert not (lab / "calibration").exists()


def test_a_record_is_told_where_no_figure_can_be_written(lab: Path) -> None:
    call_json(*TINY, "--out", "one", "--seed", 1)
    shutil.rmtree(Path("one") / "figures")
    (Path("one") / "figures").write_text("in the way")
    for command in (("show", "one"), ("compare", "one", "one")):
        told = call("calibration", *command)
        assert told.exit_code == 0, told.output
        assert "note: no figures:" in told.stderr and "couplings" in told.stdout


def test_a_recipe_may_begin_as_some_editors_do(lab: Path) -> None:
    Path("tiny.toml").write_text("\ufeff" + RECIPE)
    assert call_json(*TINY, "--out", "one")["measured"] == 4


def test_what_speaks_against_a_fit_is_noted(lab: Path) -> None:
    Path("tiny.toml").write_text(RECIPE.replace("interval = 0.01", "interval = 0.4"))
    told = call(*TINY, "--out", "long")
    assert "energies are from states alone, as those of equilibrium" in told.stderr
    assert "mobility not known: the interval is too long" in told.stderr
    refused((*TINY, "--device", "mechanical_cantilever"), "inertia", "still ring", "must be 12.2 or more")
    longer = RECIPE.replace("settle = 0.1", "settle = 13.0").replace("interval = 0.01", "interval = 0.1")
    Path("tiny.toml").write_text(longer.replace("readings = 12", "readings = 40"))
    told = call(*TINY, "--device", "mechanical_cantilever", "--out", "inertia")
    assert "units have inertia: energies are from states alone" in told.stderr
    Path("tiny.toml").write_text(RECIPE.replace("readings = 12", "readings = 200"))
    slow = call(*TINY, "--effects", "slow.toml", "--device-seed", 1, "--out", "slow")
    assert "mobilities are 0.0" in slow.stderr and "times the stated one" in slow.stderr
    assert "times the stated one" not in call(*TINY, "--out", "quick").stderr
    Path("tiny.toml").write_text(RECIPE.replace("amplitude = 5.0", "amplitude = 1e-6"))
    told = call(*TINY, "--out", "unseen")
    assert "kT not known: the applied biases are not seen to act" in told.stderr
    refused(
        ("export", "net.npz", "--calibration", "unseen", "--out", "no"), "nothing can be compensated", "not seen to act"
    )
