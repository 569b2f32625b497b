# SPDX-License-Identifier: Apache-2.0
"""Boards on bad lines, and ends that are killed: the benchmarks of the line in short."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from served import served

from thermohw import Program, RunPlan, SerialDevice, SimulatedDevice, Topology
from thermohw.errors import TransportError
from thermohw.instrument import FaultRates

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PROGRAM = Program(
    Topology.complete(16), np.array(1.0), np.array(1.0), np.linspace(-1, 1, 16), np.linspace(-0.4, 0.5, 120)
)
PLAN = RunPlan(0.1, 4000, 0.01, seed=5)
ARRAYS = ("states", "initial_states", "heat", "work")


@pytest.mark.parametrize("line", ["tcp", "pty"])
def test_every_sample_arrives_once_and_exact(line: str, tmp_path: Path) -> None:
    """Through 1e-4 faults a byte and a line that breaks all the time, as far as the line can be told to."""
    faults = FaultRates(flips=4e-5, drops=3e-5, duplicates=3e-5, disconnects=0.5 if line == "tcp" else None)
    with (
        served(SimulatedDevice(), line, baud=8_000_000, faults=faults, fault_seed=3) as url,
        SerialDevice(url) as board,
        SimulatedDevice() as device,
    ):
        board.program(PROGRAM)
        device.program(PROGRAM)
        found, expected = board.run(PLAN), device.run(PLAN)
        statistics = board.statistics
    for name in ARRAYS:
        assert getattr(found, name).tobytes() == getattr(expected, name).tobytes(), name
    assert len(np.unique(found.states, axis=0)) == PLAN.n_samples  # or a sample in another's place would pass
    assert statistics.retries > 20
    assert statistics.reconnects > 0 or line == "pty"


def test_a_line_too_bad_for_anything_ends_in_an_error() -> None:
    faults = FaultRates(flips=0.1, drops=0.1, duplicates=0.1)
    with (
        served(SimulatedDevice(), "tcp", faults=faults) as url,
        pytest.raises(TransportError, match="does not answer SYST:CHEC ON in checked lines"),
    ):
        SerialDevice(url, timeout=0.1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs the server that forks")
def test_whoever_is_killed_the_next_session_works() -> None:
    command = [sys.executable, str(BENCHMARKS / "line_kill.py"), "--kills", "2"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("PASSED\n")
    right = next(line for line in done.stdout.splitlines() if line.startswith("next session right"))
    assert right.split()[-2:] == ["1", "1"]  # server, client
