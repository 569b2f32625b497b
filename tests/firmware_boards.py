# SPDX-License-Identifier: Apache-2.0
"""The reference firmware, built and started for tests: as a process of this computer, and on a board in QEMU."""

import os
import re
import shutil
import subprocess
import tty
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIRMWARE = ROOT / "firmware"
TOOLS = {"make": shutil.which("make"), "a C compiler": shutil.which("gcc") or shutil.which("cc")}
MISSING = [name for name, path in TOOLS.items() if path is None]
MISSING_FOR_ARM = [name for name in ("make", "arm-none-eabi-gcc", "qemu-system-arm") if shutil.which(name) is None]
FLAGS = "-O1"  # compiles faster than the firmware's own choice
MACHINE = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none"]


def make(folder: Path, *targets: str, **variables: str | Path) -> subprocess.CompletedProcess[str]:
    """Run make with its outputs in a folder."""
    command = ["make", f"BUILD={folder}", f"CC={TOOLS['a C compiler']}", f"CFLAGS={FLAGS}", *targets]
    command += [f"{name}={value}" for name, value in variables.items()]
    return subprocess.run(command, cwd=FIRMWARE, capture_output=True, text=True, timeout=300, check=False)


@contextmanager
def host_board(folder: Path) -> Generator[str]:
    """Start the firmware as a process at the other end of a pseudo-terminal; gives the terminal's name."""
    master, slave = os.openpty()
    try:
        tty.setraw(slave)
        with _ended(subprocess.Popen([folder / "host"], stdin=master, stdout=master)):
            yield os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


@contextmanager
def emulated_board(folder: Path) -> Generator[str]:
    """Start the firmware on an emulated board; gives the name of the terminal that its serial port is."""
    command = [*MACHINE, "-serial", "pty", "-kernel", folder / "mps2_an386.elf"]
    with _ended(subprocess.Popen(command, stdout=subprocess.PIPE)) as board:
        assert board.stdout is not None
        told = board.stdout.readline().decode()
        found = re.search(r"redirected to (\S+)", told)
        assert found, told
        held = os.open(found[1], os.O_RDWR | os.O_NOCTTY)  # QEMU looks once a second for whoever opens it anew
        try:
            tty.setraw(held)
            yield found[1]
        finally:
            os.close(held)


@contextmanager
def _ended(board: subprocess.Popen[bytes]) -> Generator[subprocess.Popen[bytes]]:
    """End a process that must not have ended by itself."""
    with board:
        try:
            yield board
            assert board.poll() is None, f"the board ended by itself, with exit status {board.returncode}"
        finally:
            board.terminate()
