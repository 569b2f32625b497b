# SPDX-License-Identifier: Apache-2.0
"""`thermohw record` writes a test that passes, is clean, and fails as soon as the client says something else."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_calls import call, refused
from served import served

from thermohw import SimulatedDevice
from thermohw.backends import open_device

ROOT = Path(__file__).parents[1]


def replay(file: Path) -> None:
    """Run the test that a file holds."""
    described = importlib.util.spec_from_file_location(file.stem, file)
    assert described is not None and described.loader is not None
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    module.test_the_recorded_exchange_replays()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recorded") / "test_recorded.py"
    with served(SimulatedDevice()) as url:
        result = call("record", url, "--out", file)
    assert result.exit_code == 0, result.output
    assert "exchanges" in result.stdout
    return file


def test_the_test_that_it_writes_passes(recorded: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", recorded.name],
        cwd=recorded.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
    replay(recorded)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('b"ABOR', 'b"ABOX', "differs at byte 3"),
        ('STATES = "', 'STATES = "0', ""),
        (":RUN:SAMP 8;", ":RUN:SAMP 9;", "differs at byte"),
    ],
)
def test_the_test_that_it_writes_can_fail(recorded: Path, tmp_path: Path, old: str, new: str, words: str) -> None:
    text = recorded.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "changed.py"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(AssertionError, match=words or None):
        replay(file)


def test_what_it_writes_is_formatted_and_without_fault(recorded: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.is_file():
        pytest.skip("ruff is not installed")
    configuration = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    for command in (["check", *configuration], ["format", "--check", *configuration]):
        run = subprocess.run(
            [str(ruff), *command, recorded.name], cwd=recorded.parent, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr


def test_a_board_with_inertia_and_limits_can_be_recorded(tmp_path: Path) -> None:
    file = tmp_path / "test_cantilever.py"
    with served(open_device("mechanical_cantilever")) as url:
        result = call("record", url, "--out", file)
    assert result.exit_code == 0, result.output
    replay(file)


def test_a_line_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    refused(["record", tmp_path / "none", "--out", tmp_path / "test_none.py"], "cannot open", "none")
    assert not (tmp_path / "test_none.py").exists()
