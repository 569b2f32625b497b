# SPDX-License-Identifier: Apache-2.0
"""The reference firmware: its unit tests, the protocol's transcripts, and its paths against the reference engine."""

import os
import re
import select
import shutil
import struct
import subprocess
import sys
import time
import tty
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from firmware_boards import FIRMWARE, FLAGS, MACHINE, MISSING, MISSING_FOR_ARM, ROOT, make
from numpy.typing import NDArray

from thermohw import CouplingTable, Program, RunPlan, SimulatedDevice, Topology
from thermohw.samples import Samples
from thermohw.tables.binary import encode

QUIET = 0.25

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not on the path: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("firmware")
    made = make(folder, "host")
    assert made.returncode == 0, made.stderr
    return folder


class Line:
    """A line to a board: what is written to one end and read from the other.

    Args:
        write_to: File descriptor of the board's input.
        read_from: File descriptor of its output.
    """

    def __init__(self, write_to: int, read_from: int) -> None:
        self._write_to, self._read_from = write_to, read_from
        self._received = b""

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._write_to, data[:4096]) :]

    def receive(self, count: int) -> bytes:
        while len(self._received) < count:
            ready = select.select([self._read_from], [], [], 60)[0]
            assert ready, f"nothing came for a minute; {self._received[:80]!r} was there"
            self._received += os.read(self._read_from, 65536)
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def reply(self) -> bytes:
        """Get an answer without its line feed; of a block, head and payload."""
        answer = self.receive(1)
        if answer == b"#" and (digit := self.receive(1)) != b"H":
            length = self.receive(int(digit))
            answer = b"#" + digit + length + self.receive(int(length) + 1)
            return answer[:-1]
        if answer == b"#":
            answer += b"H"
        while not answer.endswith(b"\n"):
            answer += self.receive(1)
        return answer[:-1]

    def ask(self, message: bytes) -> bytes:
        self.send(message + b"\n")
        return self.reply()

    def ask_payload(self, message: bytes) -> bytes:
        reply = self.ask(message)
        assert reply.startswith(b"#")
        payload = reply[2 + int(reply[1:2]) :]
        assert zlib.crc32(payload[:-4]) == int.from_bytes(payload[-4:], "little")
        return payload[:-4]


def opened(command: list[str | Path]) -> tuple[subprocess.Popen[bytes], Line]:
    board = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert board.stdin is not None and board.stdout is not None
    return board, Line(board.stdin.fileno(), board.stdout.fileno())


def closed(board: subprocess.Popen[bytes]) -> None:
    assert board.stdin is not None and board.stdout is not None
    board.stdin.close()
    board.wait(timeout=60)
    board.stdout.close()


@pytest.fixture
def line(build: Path) -> Iterator[Line]:
    """A line to the firmware as a process; it must end by itself, without a complaint, when the line does."""
    board, line = opened([build / "host"])
    yield line
    closed(board)
    assert board.returncode == 0


def block(content: bytes) -> bytes:
    return b"#%d%d" % (len(str(len(content))), len(content)) + content


def with_checksum(content: bytes) -> bytes:
    return content + zlib.crc32(content).to_bytes(4, "little")


def sealed(message: bytes, tag: int) -> bytes:
    marked = message + b" ~%02X" % tag
    return marked + b"%08X" % zlib.crc32(marked)


# Unit tests


def test_unit_tests_pass(build: Path) -> None:
    made = make(build, "test")
    assert made.returncode == 0, made.stderr
    reports = re.findall(r"^tests/test_(\w+)\.c: (\d+) checks, 0 failed$", made.stdout, re.MULTILINE)
    assert {name for name, _ in reports} == {path.stem[5:] for path in (FIRMWARE / "tests").glob("test_*.c")}
    assert min(int(checks) for _, checks in reports) > 50


@pytest.mark.parametrize(
    ("file", "right", "wrong", "test"),
    [
        ("crc32.c", "0xEDB88320", "0xEDB88321", "numbers"),
        ("number.c", "rest || more", "rest || !more", "numbers"),
        (
            "line.c",
            "left == 0)\n            line->state = IN_TEXT",
            "left == 0 || byte == 10)\n line->state = 0",
            "line",
        ),
        ("table.c", "pair.j <= before.j", "0", "table"),
        ("langevin.c", "sqrt(2 * kT * dt)", "sqrt(kT * dt)", "langevin"),
        ("job.c", "if (error && job", "if (error == 1 && job", "instrument"),
    ],
)
def test_unit_tests_catch_a_mistake(build: Path, tmp_path: Path, file: str, right: str, wrong: str, test: str) -> None:
    altered = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, altered, ignore=shutil.ignore_patterns("build"))
    shutil.copytree(build, tmp_path / "objects")  # so that only the altered file is compiled anew
    text = (altered / file).read_text(encoding="utf-8")
    assert text.count(right) == 1
    (altered / file).write_text(text.replace(right, wrong), encoding="utf-8")
    program = tmp_path / "objects" / f"test_{test}"
    program.unlink(missing_ok=True)
    command = ["make", f"BUILD={tmp_path / 'objects'}", f"CFLAGS={FLAGS}", str(program)]
    made = subprocess.run(command, cwd=altered, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stderr
    run = subprocess.run([program], cwd=altered, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 1 and "not so:" in run.stderr


def test_fuzzing_starts_from_inputs_that_pass(build: Path, tmp_path: Path) -> None:
    made = make(build, "replay")
    assert made.returncode == 0, made.stderr
    subprocess.run([sys.executable, FIRMWARE / "fuzz" / "seeds.py", tmp_path], check=True, timeout=60)
    seeds = sorted(tmp_path.iterdir())
    run = subprocess.run([build / "replay", *seeds], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, f"{len(seeds)} inputs\n") and len(seeds) > 10


# The protocol's transcripts


def transcripts() -> list[tuple[str, str]]:
    """Get the lines of section 8 of the protocol: direction and text."""
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8").partition("## 8. ")[2]
    lines = re.findall(r"^    ([→←]) (.*?)(?: {3,}\(.*\))?$", text, re.MULTILINE)
    assert len(lines) > 20
    return lines


TABLE = CouplingTable.quantize(
    Program(Topology.complete(2), np.array(1.0), np.array(1.0), np.array([1.0, -0.5]), np.array([1.5])), 8
)
TRANSCRIPT_TABLE = CouplingTable(
    TABLE.topology, TABLE.codes, TABLE.bias_codes, TABLE.J2, TABLE.J4, TABLE.scales, TABLE.bits, "nearest", {}
)


def as_sent(text: str) -> bytes:
    """Get the bytes of a transcript's line, its block filled in."""
    head, mark, rest = text.partition("#3188…")
    assert rest == ""
    return head.encode("ascii") + (block(encode(TRANSCRIPT_TABLE)) if mark else b"")


def as_answered(text: str, name: bytes, samples: bytes) -> bytes:
    """Get what a board of another name and another limit answers instead of a transcript's line."""
    words = text.encode("ascii").replace(b",ideal,", b",%s," % name).replace(b"1048576", samples)
    return words if words[-11:-10] != b"~" else sealed(words[:-12], int(words[-10:-8], 16))


def follow_transcripts(line: Line, name: bytes, samples: bytes) -> None:
    for direction, text in transcripts():
        if direction == "→":
            line.send(as_sent(text) + b"\n")
        elif text.endswith("…"):
            head = text[:-1].encode("ascii")
            answer = line.reply()
            assert answer.startswith(head) and len(answer) == len(head) + int(head[2:])
        else:
            assert line.reply() == as_answered(text, name, samples)


def test_transcripts_state_their_checksums() -> None:
    tables, fitting = encode(TRANSCRIPT_TABLE), 0
    for direction, text in transcripts():
        if found := re.fullmatch(r"(.*) ~([0-9A-F]{2})[0-9A-F]{8}", text):
            damaged = direction == "→" and "SXMP" in text
            assert (text.encode() == sealed(found[1].encode(), int(found[2], 16))) != damaged
            fitting += not damaged
        if found := re.fullmatch(r"#H([0-9A-F]{8})", text):
            assert int(found[1], 16) == int.from_bytes(tables[-4:], "little")
            fitting += 1
    assert fitting == 10


def test_the_process_follows_the_transcripts(line: Line) -> None:
    follow_transcripts(line, b"host", b"65536")


# QEMU and pseudo-terminals


def test_the_board_follows_the_transcripts(build: Path) -> None:
    if MISSING_FOR_ARM:
        pytest.skip(f"not on the path: {', '.join(MISSING_FOR_ARM)}")
    made = make(build, "arm")
    assert made.returncode == 0, made.stderr
    board, line = opened([*MACHINE, "-serial", "stdio", "-kernel", build / "mps2_an386.elf"])
    try:
        follow_transcripts(line, b"mps2_an386", b"65536")
    finally:
        board.terminate()
        closed(board)


def test_any_byte_passes_a_pseudo_terminal(build: Path) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    board = subprocess.Popen([build / "host"], stdin=slave, stdout=slave)
    try:
        line = Line(master, master)
        states = np.frombuffer(bytes(range(256)) * 4, np.uint8).copy()
        states[3::4] &= 0x3F  # finite
        content = with_checksum(struct.pack("<2I", 128, 2) + states.tobytes())
        line.send(b"PROG:DATA " + block(encode(TRANSCRIPT_TABLE)) + b"\nRUN:STAT " + block(content) + b"\n")
        assert line.ask(b"RUN:STAT:CRC?;:SYST:ERR?") == b'#H%08X;0,"No error"' % int.from_bytes(content[-4:], "little")
        line.ask(b"RUN:INIT STAT;SAMP 128;DUR 1e-9;DT 1e-9;:INIT;*OPC?")
        records = np.frombuffer(line.ask_payload(b"FETC? 0,128")[32:], np.uint8).reshape(128, 32)
        assert np.array_equal(records[:, 24:].ravel(), states)
    finally:
        board.terminate()
        board.wait(timeout=60)
        os.close(master)
        os.close(slave)


# Broken lines


def test_a_piece_of_a_line_costs_one_quiet(line: Line) -> None:
    line.send(b"PROG:DATA #41000" + b"*IDN?\n" * 10)
    time.sleep(2 * QUIET)
    assert line.ask(b"SYST:ERR?") == b'-363,"Input buffer overrun"'
    assert line.ask(b"*IDN?").startswith(b"thermohw,host,")


def test_garbage_does_not_stop_the_board(line: Line) -> None:
    generator = np.random.default_rng(5)
    for _ in range(20):
        line.send(generator.integers(0, 256, 2000, np.uint8).tobytes())
        time.sleep(1.2 * QUIET)
        line.send(b"*CLS\n*IDN?\n")
        while not line.reply().startswith(b"thermohw,host,"):
            pass


# Physics


def run(line: Line, plan: RunPlan) -> dict[str, NDArray[np.float32]]:
    """Run a plan that keeps trajectories; returns states by the names of `Samples`."""
    assert isinstance(plan.initial, str)
    line.send(
        b"RUN:DUR %r;DT %r;SAMP %d;FIRS %d;SEED %d;KEEP TRAJ;REC %d;INIT %s;:INIT;*OPC?\n"
        % (
            plan.duration,
            plan.dt,
            plan.n_samples,
            plan.first_chain,
            plan.seed,
            plan.record_every,
            plan.initial.encode(),
        )
    )
    assert line.reply() == b"1"
    payload = line.ask_payload(b"FETC? 0,%d" % plan.n_samples)
    magic, version, parts, _, first, count, units, recorded, size = struct.unpack("<4s2H6I", payload[:32])
    assert (magic, version, parts, first, count) == (b"THWS", 1, 19, 0, plan.n_samples)
    records = np.frombuffer(payload[32:], np.uint8).reshape(count, size)
    assert np.isnan(records[:, :16].copy().view(np.float64)).all()
    states = records[:, 16:].copy().view(np.float32).reshape(count, recorded + 2, units)
    return {"states": states[:, 0], "initial_states": states[:, 1], "trajectory": states[:, 2:]}


def example(topology: Topology) -> CouplingTable:
    generator = np.random.default_rng(topology.units)
    units, pairs = topology.units, len(topology.pairs)
    J2, J4, biases = generator.uniform(-3, 3, units), generator.uniform(0.5, 2, units), generator.normal(size=units)
    return CouplingTable.quantize(Program(topology, J2, J4, biases, generator.normal(size=pairs) / units**0.5), 8)


def assert_same_paths(found: dict[str, NDArray[np.float32]], expected: Samples) -> None:
    for name, states in found.items():
        np.testing.assert_allclose(states, getattr(expected, name), rtol=0, atol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    "topology",
    [
        Topology.from_pairs(1, 0, []),
        Topology.from_pairs(5, 2, [(0, 1), (1, 5), (3, 6), (5, 6)]),
        Topology.layered(5, 3),
        Topology.layered(3, 6, hidden_couplings=False),
        Topology.complete(64),
    ],
    ids=["single", "listed", "layered", "bipartite", "all-to-all"],
)
def test_paths_are_those_of_the_reference_engine(line: Line, topology: Topology) -> None:
    table = example(topology)
    line.send(b"PROG:DATA " + block(encode(table)) + b"\n")
    for initial in ("uncoupled", "unbiased"):
        plan = RunPlan(0.5, 12, 0.005, None, initial, 20, "trajectory", 2**32 - 20, 2**64 - 3)
        with SimulatedDevice(engine="reference", precision="float64") as device:
            device.program(table)
            expected = device.run(plan)
        found = run(line, plan)
        assert_same_paths(found, expected)
        times = np.frombuffer(line.ask_payload(b"RUN:TIM?"), np.float64)
        assert expected.times is not None
        np.testing.assert_allclose(times, expected.times, rtol=1e-14)
        other = run(line, RunPlan(0.5, 12, 0.005, None, initial, 20, "trajectory", 2**32 - 20, 2**64 - 4))
        assert np.abs(other["states"] - expected.states).max() > 0.1


@pytest.mark.parametrize(
    "topology",
    [Topology.layered(3, 2), Topology.complete(0, 4), Topology.from_pairs(2, 0, [])],
    ids=["3+2", "0+4", "2"],
)
def test_a_table_that_was_compiled_in_runs_after_power_on(build: Path, tmp_path: Path, topology: Topology) -> None:
    table = example(topology)
    table.save(tmp_path / "table.h")
    shutil.copytree(build, tmp_path / "objects")
    made = make(tmp_path / "objects", "host", TABLE=tmp_path / "table.h")
    assert made.returncode == 0, made.stderr
    board, line = opened([tmp_path / "objects" / "host"])
    plan = RunPlan(0.1, 5, 0.005, None, "uncoupled", 20, "trajectory", 0, 3)
    held = run(line, plan)
    line.send(b"*RST\nINIT\n")
    assert line.ask(b"SYST:ERR?").startswith(b"-221,")
    line.send(b"PROG:DATA " + block(encode(table)) + b"\n")
    sent = run(line, plan)
    closed(board)
    for name, states in held.items():
        assert np.array_equal(states, sent[name])
