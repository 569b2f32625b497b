# SPDX-License-Identifier: Apache-2.0
"""The command line, on a small computer: what it writes, what it prints, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from cli_calls import call, call_json, refused

from thermohw import CouplingTable, Program, Samples, Topology, TrainingRun
from thermohw.training.rounding import distortion

SMALL = ("--hidden", "8", "--set", "duration=0.5", "--set", "dt=0.005")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pixels = np.zeros((2, 4, 4))
    pixels[0, :, :2] = 1
    pixels[1, ::2] = 1
    path = tmp_path_factory.mktemp("images") / "images.npz"
    np.savez(path, images=pixels, labels=np.array([4, 7]))
    return path


@pytest.fixture(scope="module")
def run_folder(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    result = call("train", "--images", f"npz:{images}", "--out", folder, *SMALL)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def samples_file(run_folder: Path) -> Path:
    file = run_folder.parent / "samples.npz"
    result = call("generate", run_folder, "--samples", 20, "--dt", 0.005, "--seed", 3, "--out", file)
    assert result.exit_code == 0, result.output
    return file


def test_train_writes_a_run(run_folder: Path) -> None:
    run = TrainingRun.load(run_folder)
    assert run.program.topology.visible == 16
    assert run.config.hidden == 8
    assert {path.name for path in run_folder.iterdir()} == {
        "program.npz", "config.json", "metrics.json", "references.npz", "moments.npz", "figures",
    }  # fmt: skip
    figures = {path.stem for path in (run_folder / "figures").glob("*.png")}
    assert {"noising", "convergence", "spectrum", "couplings", "receptive_fields"} <= figures


def test_train_takes_every_override(images: Path, tmp_path: Path) -> None:
    told = call_json(
        "train", "--images", f"npz:{images}", "--select", "7,4", "--preset", "whitelam2025", "--method", "likelihood",
        "--set", "statistics=expected", "--set", "amplitude=12.5", "--seed", 9, *SMALL, "--out", tmp_path / "run",
    )  # fmt: skip
    assert told["config"]["amplitude"] == 12.5
    assert told["config"]["seed"] == 9
    assert told["config"]["method"] == "likelihood"
    assert told["config"]["preset"] == "whitelam2025"


def test_generate_writes_reproducible_samples(run_folder: Path, samples_file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.npz"
    told = call_json("generate", run_folder, "--samples", 20, "--dt", 0.005, "--seed", 3, "--out", again)
    first, second = Samples.load(samples_file), Samples.load(again)
    assert np.array_equal(first.states, second.states)
    assert told["heat_kT"]["mean"] == pytest.approx(first.heat.mean())
    assert told["fidelity"]["classes"] == [4, 7]
    assert {path.stem for path in (tmp_path / "again-figures").glob("*.png")} == {
        "generation", "outcomes", "heat", "classes",
    }  # fmt: skip


def test_json_has_null_where_a_number_is_not_finite(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    call_json("train", "--images", f"npz:{images}", "--select", "4", "--out", folder, *SMALL)
    told = call_json("generate", folder, "--samples", 1, "--dt", 0.005, "--out", tmp_path / "s.npz")
    assert told["fidelity"]["purity"] is None  # there is no second reference
    assert told["heat_kT"]["standard_error"] is None  # nor a second sample


def test_generate_on_demand_uses_the_class_field(run_folder: Path, tmp_path: Path) -> None:
    told = call_json("generate", run_folder, "--label", 7, "--samples", 10, "--dt", 0.005, "--out", tmp_path / "s.npz")
    expected = TrainingRun.load(run_folder).program_for(7).digest
    assert told["provenance"]["program"] == expected
    assert told["fidelity"]["requested"] is not None


@pytest.mark.parametrize(
    "options",
    [
        ("--bits", 6, "--method", "mse"),
        ("--bits", 3, "--method", "likelihood", "--seed", 5, "--bias-bits", 4),
        ("--bits", 4, "--grid", "power-of-two", "--method", "nearest"),
    ],
)
def test_export_writes_tables_that_generate_takes(
    run_folder: Path, tmp_path: Path, options: tuple[str | int, ...]
) -> None:
    told = call_json("export", run_folder, *options, "--out", tmp_path)
    assert [Path(file).suffix for file in told["files"]] == [".json", ".csv", ".npz", ".h", ".bin"]
    tables = [CouplingTable.load(file) for file in told["files"]]
    assert {table.digest for table in tables} == {told["digest"]}
    for file in told["files"]:
        ran = call_json("generate", file, "--samples", 4, "--dt", 0.005, "--seed", 1, "--out", tmp_path / "s.npz")
        assert ran["provenance"]["program"] == tables[0].program.digest


def test_export_tells_distortion_and_modes(run_folder: Path, tmp_path: Path) -> None:
    run = TrainingRun.load(run_folder)
    options = ("export", run_folder, "--bits", 2, "--format", "json", "--out", tmp_path)
    told = {
        method: call_json(*options, "--method", method, "--grid", "ternary", "--seed", 1)
        for method in ("nearest", "mse", "likelihood")
    }
    assert run.moments is not None
    table = CouplingTable.quantize(run.program, 2, bias_bits=8, grid="ternary")
    assert told["nearest"]["distortion"] == pytest.approx(distortion(run.program, table.program, run.moments))
    assert told["likelihood"]["seed"] == "1"
    assert told["likelihood"]["digest"] == run.quantize(2, grid="ternary", seed=1).digest
    for method, each in told.items():
        assert (each["method"], each["grid"]) == (method, "ternary")
        modes = each["modes"]
        assert modes["spurious"] == max(0, modes["table"]["growing"] - modes["program"]["growing"])
        assert modes["program"]["leading"][0] == pytest.approx(run.metrics["leading_mode"])
    assert call_json(*options)["method"] == "likelihood"
    mere = call_json("export", run_folder / "program.npz", "--format", "json", "--out", tmp_path)
    assert (mere["method"], mere["distortion"]) == ("nearest", None)
    shown = call(*options, "--method", "nearest")
    assert shown.exit_code == 0
    assert "log-likelihood" in shown.stdout
    assert "growth line" in shown.stdout
    assert ("note: " in shown.stdout) == (told["nearest"]["modes"]["spurious"] > 0)


def test_generate_obeys_mobility_and_temperature(run_folder: Path, tmp_path: Path) -> None:
    told = call_json(
        "generate", run_folder, "--samples", 4, "--mobility", 2, "--kt", 0.5, "--dt", 0.005, "--duration", 1,
        "--integrator", "leimkuhler-matthews", "--out", tmp_path / "s.npz",
    )  # fmt: skip
    assert (told["provenance"]["device"]["mobility"], told["provenance"]["device"]["kT"]) == (2.0, 0.5)


def test_energy_tells_heat_and_advantage(run_folder: Path, samples_file: Path) -> None:
    told = call_json("energy", run_folder, "--from", samples_file)
    heat = Samples.load(samples_file).heat
    assert told["heat_kT"]["mean"] == pytest.approx(heat.mean())
    assert told["digital"]["energy_kT"] == pytest.approx(5.24e14, rel=1e-3)
    assert any(row["quantity"].startswith("advantage") for row in told["comparison"])
    assert call("energy", run_folder, "--from", samples_file).exit_code == 0
    assert call("energy", run_folder, "--samples", 4, "--dt", 0.005).exit_code == 0


def test_show_describes_each_kind_of_file(run_folder: Path, samples_file: Path, tmp_path: Path) -> None:
    table = CouplingTable.quantize(Program.load(run_folder / "program.npz"), 4)
    targets = {
        "trained run": run_folder,
        "program": run_folder / "program.npz",
        "samples": samples_file,
        "coupling table": table.save(tmp_path / "table.csv"),
    }
    for kind, target in targets.items():
        told = call_json("show", target, "--out", tmp_path / "figures")
        assert told["kind"] == kind
        assert all(Path(file).stat().st_size > 1000 for file in told["figures"])
    assert call("show", table.save(tmp_path / "table.npz"), "--out", tmp_path / "figures").exit_code == 0


def test_a_program_without_images_is_described(tmp_path: Path) -> None:
    program = Program.uncoupled(Topology.layered(5, 0), 10, 10)
    told = call_json("show", program.save(tmp_path / "p.npz"))
    assert told["modes of −J that grow"] == 0
    assert [Path(file).name for file in told["figures"]] == ["spectrum.png"]


def test_wrong_training_input_is_refused(images: Path, run_folder: Path, tmp_path: Path) -> None:
    source, out = ("train", "--images", f"npz:{images}"), ("--out", tmp_path / "run")
    refused((*source, *out, "--preset", "best"), "unknown preset 'best'", "contrast", "whitelam2025")
    refused((*source, *out, "--set", "amplitud=3"), "amplitud", "amplitude")
    refused((*source, *out, "--set", "amplitude=loud"), "amplitude", "number")
    refused((*source, *out, "--set", "amplitude"), "KEY=VALUE")
    refused((*source, *out, "--method", "magic"), "method", "likelihood")
    refused((*source, *out, "--hidden", -3), "hidden")
    refused((*source, *out, "--select", "4,x"), "--select", "0,1,2")
    refused((*source, *out, "--select", "5"), "class 5", "4, 7")
    refused(("train", "--images", "jpeg:x", *out), "jpeg:x", "mnist:")
    refused(("train", "--images", f"mnist:{tmp_path / 'absent'}", *out), "absent")
    refused(("train", "--images", f"npz:{tmp_path / 'absent.npz'}", *out), "absent.npz")
    assert not (tmp_path / "run" / "program.npz").exists()
    refused((*source, *SMALL, "--out", images / "run"), "cannot write", "images.npz")


def test_bad_images_are_refused(tmp_path: Path) -> None:
    good = np.arange(32.0).reshape(2, 4, 4)
    nan = good.copy()
    nan[1, 2, 3] = np.nan
    for name, pixels, words in (
        ("nan", nan, ("image 1", "NaN")),
        ("flat", np.ones((2, 4, 4)), ("image 0", "uniform")),
        ("line", np.arange(10.0), ("shape",)),
        ("empty", np.zeros((0, 4, 4)), ("shape",)),
    ):
        path = tmp_path / f"{name}.npz"
        np.savez(path, images=pixels)
        refused(("train", "--images", f"npz:{path}", "--out", tmp_path / "run"), name, *words)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "nan.npz").read_bytes()[:-40])
    refused(("train", "--images", f"npz:{tmp_path / 'cut.npz'}", "--out", tmp_path / "run"), "cut.npz")


def test_wrong_running_input_is_refused(run_folder: Path, samples_file: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "s.npz")
    refused(("generate", run_folder, *out, "--samples", 0), "n_samples", "at least 1")
    refused(("generate", run_folder, *out, "--dt", 0.25), "stability", "must be below")
    refused(("generate", run_folder, *out, "--dt", 0.0035), "whole number of steps")
    refused(("generate", run_folder, *out, "--duration", -1), "duration")
    refused(("generate", run_folder, *out, "--kt", 0), "kT")
    refused(("generate", run_folder, *out, "--device", "abacus"), "abacus", "ideal")
    refused(("generate", run_folder, *out, "--integrator", "rk4"), "rk4", "euler-maruyama")
    refused(("generate", run_folder, *out, "--label", 1), "class 1", "4, 7")
    refused(("generate", run_folder / "program.npz", *out, "--label", 4), "--label", "run's folder")
    refused(("generate", samples_file, *out), "samples, not a program")
    refused(("generate", tmp_path, *out), "no trained run")
    refused(("generate", tmp_path / "absent", *out), "does not exist")
    refused(("generate", run_folder, "--out", samples_file / "s.npz"), "cannot write")
    assert not (tmp_path / "s.npz").exists()


def test_wrong_export_input_is_refused(run_folder: Path, tmp_path: Path) -> None:
    refused(("export", run_folder, "--out", tmp_path, "--bits", 1), "2 … 16")
    refused(("export", run_folder, "--out", tmp_path, "--format", "json,xml"), "xml", "csv")
    refused(("export", run_folder, "--out", tmp_path, "--format", ""), "csv")
    refused(("export", run_folder, "--out", tmp_path, "--method", "median"), "median", "mse")
    refused(("export", run_folder, "--out", tmp_path, "--grid", "log"), "log", "power-of-two")
    refused(("export", run_folder, "--out", tmp_path, "--grid", "power-of-two", "--bits", 6), "2 … 5")
    refused(("export", run_folder, "--out", tmp_path, "--grid", "ternary"), "2 bits", "not 8")
    refused(("export", run_folder, "--out", tmp_path, "--bias-bits", 17), "2 … 16")
    program = run_folder / "program.npz"
    refused(("export", program, "--out", tmp_path, "--method", "likelihood"), "moments.npz", "train again")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["program.npz", "references.npz", "config.json", "metrics.json"])
def test_a_damaged_run_is_refused(run_folder: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in run_folder.glob("*.*"):
        (copy / file.name).write_bytes(file.read_bytes())
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    refused(("show", copy), name)
    (copy / name).unlink()
    refused(("show", copy), name if name != "program.npz" else "no trained run")


@pytest.mark.parametrize("suffix", [".json", ".csv", ".npz", ".h", ".bin"])
def test_a_truncated_table_is_refused(run_folder: Path, tmp_path: Path, suffix: str) -> None:
    program = Program.load(run_folder / "program.npz")
    file = CouplingTable.quantize(program, 8).save(tmp_path / f"table{suffix}")
    content = file.read_bytes()
    file.write_bytes(content[: 2 * len(content) // 3])
    refused(("generate", file, "--out", tmp_path / "s.npz"), file.name)


def test_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch, run_folder: Path, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("thermohw.cli.generating.run_plan", interrupt)
    result = call("generate", run_folder, "--out", tmp_path / "s.npz")
    assert result.exit_code == 130
    assert not (tmp_path / "s.npz").exists()


def test_the_demo_goes_the_whole_road(tmp_path: Path) -> None:
    told = call_json("demo", "--out", tmp_path / "demo", "--samples", 16)
    assert told["samples"] == 16
    assert told["metrics"]["growing_modes"] == 3
    assert told["fidelity"]["recognised"] > 0.9
    assert told["advantage"] > 1e11
    assert len(told["figures"]) == 10
    assert len(told["tables"]) == 5
    assert all(Path(file).exists() for file in [*told["figures"], *told["tables"]])


def test_train_reckons_with_a_profile(images: Path, tmp_path: Path) -> None:
    told = call_json(
        "train", "--images", f"npz:{images}", *SMALL, "--hardware-aware", "pessimistic", "--out", tmp_path / "run"
    )
    errors = told["config"]["errors"]
    assert errors["line"] == 0.05 and errors["gain"] < 0.7 and errors["crosstalk"] == 0.01


def test_train_noises_on_a_device(images: Path, tmp_path: Path) -> None:
    arguments = ("train", "--images", f"npz:{images}", *SMALL, "--device", "rc_chip", "--effects", "typical")
    sampled = ("--device-seed", 3, "--set", "statistics=sampled", "--set", "trajectories=400", "--set", "ridge=0.1")
    told = call_json(*arguments, *sampled, "--set", "unit_law=measured", "--out", tmp_path / "run")
    assert told["config"]["unit_law"] == "measured"
    refused((*arguments, "--device-seed", 3, "--out", tmp_path / "other"), "statistics=sampled")
    refused((*arguments, "--hardware-aware", "nonesuch", "--out", tmp_path / "third"), "unknown profile", "typical")
