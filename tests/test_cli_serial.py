# SPDX-License-Identifier: Apache-2.0
"""Boards on the command line: `--device URL` gives what the device behind it gives, and refuses what a board is not."""

import os
from pathlib import Path

import numpy as np
import pytest
from calibration_examples import TRIANGLE, as_toml, recipe
from cli_calls import call, call_json, refused
from served import served

from thermohw import Program, Samples, SimulatedDevice, Topology
from thermohw.backends import is_line
from thermohw.estimation import CalibrationRecord
from thermohw.langevin.engine import Integrator

OPTIONS = ("--samples", 20, "--duration", 0.5, "--dt", 0.01, "--seed", 3)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    energies = np.linspace(-1, 1, 6), np.linspace(-0.5, 0.5, 15)
    return Program(Topology.complete(6), np.array(1.0), np.array(1.0), *energies).save(
        tmp_path_factory.mktemp("programs") / "program.npz"
    )


@pytest.mark.parametrize("line", ["tcp", "pty"])
def test_a_board_generates_what_its_device_does(program: Path, tmp_path: Path, line: str) -> None:
    with served(SimulatedDevice(), line) as url:
        told = call_json("generate", program, "--out", tmp_path / "board.npz", "--device", url, *OPTIONS)
    call_json("generate", program, "--out", tmp_path / "ideal.npz", *OPTIONS)
    board, ideal = (Samples.load(tmp_path / name) for name in ("board.npz", "ideal.npz"))
    assert np.array_equal(board.states, ideal.states)
    assert np.array_equal(board.heat, ideal.heat)
    assert told["provenance"]["device"]["details"]["url"] == url


def test_effects_of_program_and_readout_go_with_a_board(program: Path, tmp_path: Path) -> None:
    profile = tmp_path / "noisy.toml"
    header = 'schema = "thermohw-effects/1"\nname = "noisy"\ndescription = "a poor converter"\n'
    effect = '[readout_noise]\nstd = 0.1\nsource = "this test"\nstatus = "assumed"\n'
    profile.write_text(header + effect, encoding="utf-8")
    with served(SimulatedDevice()) as url:
        imperfect = ("--effects", profile, "--device-seed", 1, *OPTIONS)
        call_json("generate", program, "--out", tmp_path / "board.npz", "--device", url, *imperfect)
        call_json("generate", program, "--out", tmp_path / "ideal.npz", *imperfect)
        board, ideal = (Samples.load(tmp_path / name) for name in ("board.npz", "ideal.npz"))
        assert np.array_equal(board.states, ideal.states)
        refused(
            ("generate", program, "--out", tmp_path / "b.npz", "--device", url, "--effects", "typical", *OPTIONS),
            "changes the equation of motion",
        )


@pytest.mark.parametrize(
    ("option", "word"),
    [
        (("--mobility", 2), "--mobility"),
        (("--kt", 2), "--kt"),
        (("--integrator", "leimkuhler-matthews"), "--integrator"),
        (("--overdamped",), "--overdamped"),
        (("--clip",), "--clip"),
    ],
)
def test_options_of_emulators_are_refused(program: Path, tmp_path: Path, option: tuple[object, ...], word: str) -> None:
    arguments = ("generate", program, "--out", tmp_path / "a.npz", "--device", "socket://127.0.0.1:9", *option)
    refused(arguments, word, "is for emulated devices; socket://127.0.0.1:9 is a board")


@pytest.mark.parametrize("integrator", ["euler-maruyama", "leimkuhler-matthews"])
def test_a_board_is_calibrated_as_its_device_is(tmp_path: Path, integrator: Integrator) -> None:
    TRIANGLE.save(tmp_path / "net.npz")
    (tmp_path / "short.toml").write_text(as_toml(recipe()), encoding="utf-8")
    arguments = ("calibrate", tmp_path / "net.npz", "--recipe", tmp_path / "short.toml", "--seed", 1, "--out")
    with served(SimulatedDevice(integrator=integrator)) as url:
        result = call(*arguments, tmp_path / "board", "--device", url)
    assert result.exit_code == 0, result.output
    assert ("share their noise" in result.stderr) == (integrator == "leimkuhler-matthews")
    call_json(*arguments, tmp_path / "ideal")
    board, ideal = (CalibrationRecord.load(tmp_path / name).estimates for name in ("board", "ideal"))
    same = np.allclose(board.values["couplings"], ideal.values["couplings"], atol=1e-6)
    assert same == (integrator == "euler-maruyama")


def test_a_journal_goes_with_a_board_only(program: Path, tmp_path: Path) -> None:
    out = ("generate", program, "--out", tmp_path / "a.npz", "--journal", tmp_path / "journal")
    refused(out, "--journal", "ideal is an emulated device")
    with served(SimulatedDevice()) as url:
        result = call(*out, "--device", url, *OPTIONS)
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "journal").exists()


def test_a_board_that_is_not_there_is_told(program: Path, tmp_path: Path) -> None:
    missing = "/dev/" + "thermohw-none"
    refused(("generate", program, "--out", tmp_path / "a.npz", "--device", missing), "cannot open", missing)


def test_which_names_are_lines(tmp_path: Path) -> None:
    master, slave = os.openpty()
    link = tmp_path / "board"
    link.symlink_to(os.ttyname(slave))
    lines = ["socket://board:5025", "rfc2217://board:4000", "COM3", "com12", "/dev/" + "ttyACM0", str(link)]
    others = ["ideal", "rc_board", "COM", "COM3.toml", str(tmp_path / "card.toml"), str(tmp_path), "a\0b", "x" * 5000]
    assert [is_line(name) for name in lines] == [True] * len(lines)
    assert [is_line(name) for name in others] == [False] * len(others)
    os.close(master)
    os.close(slave)
