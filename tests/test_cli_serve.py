# SPDX-License-Identifier: Apache-2.0
"""`thermohw serve`: what it prints, whom it serves, how it ends, and which options it refuses."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from cli_calls import refused
from instrument_bench import LOAD, PATIENCE

from thermohw.transport import SerialTransport

COMMAND = "from thermohw.cli import app; app()"


@contextlib.contextmanager
def serving(*arguments: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Serve in a process of its own; yields it with the URL that it prints."""
    command = [sys.executable, "-c", COMMAND, "serve", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert "thermohw generate RUN --out samples.npz --device " in told
            yield process, told.split()[-1]
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send a signal; returns what was logged until the end, which must be in order."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, "")
    assert err.endswith("closed\n")
    assert "Traceback" not in err
    return err


def ask(url: str, message: bytes) -> bytes:
    with contextlib.closing(SerialTransport(url)) as line:
        line.write(message + b"\n")
        return line.read_line(PATIENCE)


def test_a_terminal_is_served_until_ctrl_c(tmp_path: Path) -> None:
    link = tmp_path / "board"
    with serving("--device", "rc_board", "--pty", str(link), "--effects", "rc_board", "--device-seed", "5") as served:
        process, url = served
        assert url == str(link)
        assert ask(url, b"*IDN?").startswith(b"thermohw,rc_board,5,")
        assert "connected" in ended(process, signal.SIGINT)
    assert not os.path.lexists(link)


def test_a_port_is_served_until_terminated_even_in_the_middle_of_a_run() -> None:
    with serving("--tcp", "0", "--faults", "delays=0.5", "--fault-seed", "3", "--line-rate", "1000000") as served:
        process, url = served
        assert url.startswith("socket://127.0.0.1:")
        message = LOAD + b";:RUN:SAMP 1000000;DUR 10;:INIT;:RUN:PROG?"
        assert b",RUNNING," in ask(url, message)
        log = ended(process, signal.SIGTERM)
        assert "faults of the line: delays=0.5, seed 3" in log
        assert "127.0.0.1:" in log


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tcp", "nowhere"], ["HOST:PORT"]),
        (["--tcp", "127.0.0.1:99999"], ["HOST:PORT"]),
        (["--tcp", "0", "--pty", "board"], ["--pty and --tcp"]),
        (["--faults", "floods=1"], ["flips, drops"]),
        (["--faults", "flips=2"], ["flips", "0.3"]),
        (["--fault-seed", "1"], ["--faults"]),
        (["--faults", "disconnects=1"], ["--pty LINK"]),
        (["--device", "toaster"], ["toaster"]),
        (["--device-seed", "1"], ["--effects"]),
        (["--pty", __file__], ["no link to a pseudo-terminal"]),
        (["--device", "josephson_flux", "--overdamped"], ["josephson_flux"]),
    ],
)
def test_options_that_do_not_go_are_refused(arguments: list[str], words: list[str]) -> None:
    refused(["serve", *arguments], *words)
