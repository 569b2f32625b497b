# SPDX-License-Identifier: Apache-2.0
"""Journals: a run goes on in another process where a killed client left it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from memory_board import LIMITS, MemoryBoard
from serial_examples import PLAN, PROGRAM, opened

from thermohw import (
    RunPlan,
    SimulatedDevice,
)
from thermohw.backends import serial_journal
from thermohw.errors import FileFormatError
from thermohw.heat import HeatMeter


class Killed(BaseException):
    pass


def interrupted_run(board: MemoryBoard, folder: Path, plan: RunPlan, after: int) -> None:
    """Run a plan in a client that is killed after so many calls of its progress."""
    calls: list[int] = []

    def kill(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == after:
            raise Killed

    with pytest.raises(Killed):
        device = opened(board, journal=folder)
        device.program(PROGRAM)
        device.run(plan, progress=kill)


@pytest.mark.parametrize("keep", ["none", "both", "trajectory"])
@pytest.mark.parametrize("after", [1, 4, 7])
@pytest.mark.parametrize("forgotten", [False, True])
def test_another_process_goes_on_by_sample_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: Any, after: int, forgotten: bool
) -> None:
    monkeypatch.setattr(serial_journal, "FLUSH_SECONDS", 0.0)
    plan = replace(PLAN, keep=keep)
    board = MemoryBoard(polls=2, limits=LIMITS.model_copy(update={"samples": 8, "fetch_bytes": 150}))
    interrupted_run(board, tmp_path / "journal", plan, after)
    kept = sum(
        len(arrays["heat"]) for _, arrays in serial_journal.Journal(tmp_path / "journal", PROGRAM, plan).pieces()
    )
    if forgotten:
        board.restart()
    with opened(board, journal=tmp_path / "journal") as device:
        device.program(PROGRAM)
        found = device.run(plan)
    with SimulatedDevice() as emulator:
        emulator.program(PROGRAM)
        parts = [emulator.run(part) for part in plan.split(8)]
    for name in ("states", "heat", "trajectory"):
        whole = [getattr(part, name) for part in parts]
        assert whole[0] is None or np.array_equal(getattr(found, name), np.concatenate(whole)), name
    assert not (tmp_path / "journal").exists()
    if after == 4 and not forgotten:  # the first of two runs was over, and some of it fetched
        assert 0 < kept < 12
        assert board.runs == 2


def test_a_journal_is_of_one_plan_and_one_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_journal, "FLUSH_SECONDS", 0.0)
    board = MemoryBoard(limits=LIMITS.model_copy(update={"fetch_bytes": 150}))
    interrupted_run(board, tmp_path, PLAN, 6)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) > 1
    with opened(board, journal=tmp_path) as device:
        device.program(PROGRAM)
        device.run(replace(PLAN, seed=4))
        assert sorted(tmp_path.iterdir()) == kept
        runs = board.runs
        device.run(PLAN, [HeatMeter()])  # observers must see every sample
        assert board.runs == runs + 1
        assert sorted(tmp_path.iterdir()) == kept


def test_a_damaged_journal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_journal, "FLUSH_SECONDS", 0.0)
    board = MemoryBoard(limits=LIMITS.model_copy(update={"fetch_bytes": 150}))
    interrupted_run(board, tmp_path, PLAN, 6)
    for file in sorted(tmp_path.iterdir()):
        content = file.read_bytes()
        file.write_bytes(content[:-30] + bytes(30))
        with opened(board, journal=tmp_path) as device, pytest.raises(FileFormatError, match=file.name):
            device.program(PROGRAM)
            device.run(PLAN)
        file.write_bytes(content)
