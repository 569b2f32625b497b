# SPDX-License-Identifier: Apache-2.0
"""`thermohw sweep`: what it writes, what it goes on from, and what it refuses."""

import json
from pathlib import Path

import pytest
from cli_calls import call, call_json, refused
from PIL import Image
from training_examples import patterns

from thermohw import CouplingTable, RunPlan, SimulatedDevice, train

QUICK = ("--devices", 2, "--samples", 4, "--duration", 0.05, "--dt", 0.005)
EFFECT = ("--effect", "coupling_mismatch", "--values", "0,0.5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "small"
    run = train(patterns(), "contrast", overrides={"hidden": 24, "crop_start": 3})
    run.save(path)
    run.quantize(bits=3).save(path.with_name("three.json"))
    return path


def test_a_sweep_is_told_written_and_drawn(folder: Path, tmp_path: Path) -> None:
    told = call_json("sweep", folder, *EFFECT, *QUICK, "--out", tmp_path)
    assert told["schema"] == "thermohw-sweep/1"
    assert (told["measured"], told["reused"], told["device"]) == (4, 0, "ideal")
    (curve,) = told["curves"]
    assert (curve["label"], curve["effect"], curve["field"]) == ("small", "coupling_mismatch", "std")
    plain, strong = curve["levels"]
    assert (plain["value"], plain["devices"], strong["value"]) == (0, 2, 0.5)
    assert plain["measures"]["likelihood"]["mean"] == 1 > strong["measures"]["likelihood"]["mean"]
    assert set(plain["measures"]) == {
        "recognised", "correlation", "purity", "diversity", "upright", "likelihood", "heat",
    }  # fmt: skip
    files = {Path(name).name for name in told.pop("files")}
    assert files == {"sweep.json", "sweep.png"}
    assert json.loads((tmp_path / "sweep.json").read_text()) == told
    with Image.open(tmp_path / "sweep.png") as image:
        assert min(image.size) > 500
    assert (tmp_path / "points.jsonl").read_text().count("\n") == 5


def test_a_second_sweep_adds_to_the_first(folder: Path) -> None:
    first = call("sweep", folder, *EFFECT, *QUICK)
    assert first.exit_code == 0, first.output
    assert "4 points measured, 0 there already" in first.stdout
    assert "coupling_mismatch.std: σ, relative standard deviation" in first.stdout
    assert "±" in first.stdout
    bits = ("--effect", "quantization.coupling_bits", "--values", "4,off")
    three = folder.with_name("three.json")
    more = call_json("sweep", folder, *EFFECT, *bits, *QUICK, "--against", f"table={three}", "--against", three)
    assert (more["measured"], more["reused"]) == (8, 4)  # tables of one program are the same points
    assert {curve["label"] for curve in more["curves"]} == {"small", "table", "three"}
    off = more["curves"][-1]["levels"][-1]
    assert off["value"] is None
    assert (folder / "sweep" / "points.jsonl").read_text().count("\n") == 13


def test_one_list_of_values_goes_for_all_effects(folder: Path, tmp_path: Path) -> None:
    several = ("--effect", "bias_offset", *EFFECT, "--out", tmp_path)
    told = call_json("sweep", folder, *several, *QUICK)
    assert [curve["effect"] for curve in told["curves"]] == ["bias_offset", "coupling_mismatch"]
    assert [[level["value"] for level in curve["levels"]] for curve in told["curves"]] == [[0, 0.5], [0, 0.5]]
    assert told["measured"] == 6  # without any effect, both are the same


def test_a_background_is_there_at_all_points(folder: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'schema = "thermohw-effects/1"\nname = "mine"\ndescription = "aged"\n[coupling_drift]\nelapsed = 3600.0\n'
    )
    drift = ("--effect", "coupling_drift", "--values", "0,0.1", "--effects", profile, "--out", tmp_path / "aged")
    told = call_json("sweep", folder, *drift, *QUICK)
    assert told["background"] == {"coupling_drift": {"elapsed": 3600.0}}
    young, aged = (level["measures"]["likelihood"]["mean"] for level in told["curves"][0]["levels"])
    assert aged < young == 1
    alone = ("--effect", "coupling_drift", "--values", "0,0.1", "--out", tmp_path / "none")
    refused(("sweep", folder, *alone, *QUICK), "does nothing by itself", "elapsed")


def test_a_card_and_a_program_alone(folder: Path, tmp_path: Path) -> None:
    told = call_json(
        "sweep", folder / "program.npz", *EFFECT, *QUICK, "--device", "rc_board", "--clip", "--out", tmp_path
    )
    assert (told["device"], told["clip"]) == ("rc_board", True)
    assert set(told["curves"][0]["levels"][0]["measures"]) == {"heat"}
    assert "run's folder" in told["remarks"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--effect", "mismatch", "--values", "0"), ("unknown effect 'mismatch'", "coupling_mismatch")),
        (("--effect", "rails.height", "--values", "1"), ("no number 'height'", "it has limit")),
        (("--effect", "coupling_mismatch", "--values", "0,x"), ("must be numbers", "or off")),
        (("--effect", "coupling_mismatch", "--values", "nan"), ("finite",)),
        (("--effect", "coupling_mismatch", "--values", "-1"), ("greater than or equal to 0",)),
        (("--effect", "coupling_mismatch", "--values", ","), ("at least one value",)),
        ((*EFFECT, "--values", "1"), ("1 --effect need as many --values",)),
        ((*EFFECT, "--devices", 0), ("at least 1 device",)),
        ((*EFFECT, "--samples", 0), ("n_samples",)),
        ((*EFFECT, "--dt", 0.04), ("whole number of steps",)),
        ((*EFFECT, "--effects", "nothing"), ("unknown profile",)),
        ((*EFFECT, "--device", "nothing"), ("unknown device",)),
        ((*EFFECT, "--against", "a=nowhere"), ("nowhere does not exist",)),
        ((*EFFECT, *(("--effect", "coupling_mismatch.std", "--values", "1"))), ("varied twice",)),
    ],
)
def test_wrong_calls_are_refused(
    folder: Path, tmp_path: Path, arguments: tuple[object, ...], words: tuple[str]
) -> None:
    refused(("sweep", folder, *QUICK, "--out", tmp_path / "none", *arguments), *words)
    assert not (tmp_path / "none").exists()


def test_programs_need_labels_and_must_fit(folder: Path, tmp_path: Path) -> None:
    table = folder.with_name("three.json")
    asked = ("sweep", folder, *EFFECT, *QUICK, "--out", tmp_path / "none")
    refused((*asked, "--against", table, "--against", table), "label of its own")
    refused((*asked, "--against", f"small={table}"), "label of its own")
    refused((*asked, *[part for n in range(6) for part in ("--against", f"{n}={table}")]), "up to 6 effects", "7")


def test_what_holds_no_program_is_refused(folder: Path, tmp_path: Path) -> None:
    refused(("sweep", tmp_path, *EFFECT), "holds no trained run")
    with SimulatedDevice() as device:
        device.program(CouplingTable.load(folder.with_name("three.json")))
        device.run(RunPlan(0.05, 2, 0.005, seed=1)).save(tmp_path / "samples.npz")
    refused(("sweep", tmp_path / "samples.npz", *EFFECT), "holds samples, not a program")


def test_a_foreign_file_of_points_is_kept(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "points.jsonl").write_text('{"mine": 1}\n')
    refused(("sweep", folder, *EFFECT, *QUICK, "--out", tmp_path), "points.jsonl", "choose another folder")
    assert (tmp_path / "points.jsonl").read_text() == '{"mine": 1}\n'
