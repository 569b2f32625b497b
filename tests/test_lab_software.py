# SPDX-License-Identifier: Apache-2.0
"""Laboratory software that knows nothing of this package works a served device by its protocol: PyVISA, pymeasure."""

import json
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from thermohw import CouplingTable, Program, RunPlan, SimulatedDevice, Topology
from thermohw.samples import Samples

pyvisa: Any = pytest.importorskip("pyvisa", reason="needs PyVISA: the extra `lab`")
pytest.importorskip("pyvisa_py", reason="needs PyVISA-py: the extra `lab`")

PATIENCE = 20_000  # of PyVISA, ms
UNITS = 7
TABLE = CouplingTable.quantize(
    Program(
        Topology.layered(4, 3), np.array(1.0), np.array(0.5), np.linspace(-1, 1, UNITS), np.linspace(-0.5, 0.6, 15)
    ),
    6,
)
BIASES = np.linspace(0.75, -1.25, UNITS).astype("<f4")
SETTINGS = "RUN:DUR 0.4;DT 0.02;SAMP 300;FIRS 3;SEED 77;KEEP BOTH;INIT UNB"


@pytest.fixture(scope="module")
def expected() -> Samples:
    """The samples of the device that is served, without a line."""
    with SimulatedDevice() as device:
        device.program(TABLE.program.with_biases(BIASES.astype(np.float64)))
        return device.run(RunPlan(0.4, 300, 0.02, None, "unbiased", keep="both", first_chain=3, seed=77))


@pytest.fixture(scope="module", params=["terminal", "tcp"])
def resource(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The VISA resource of a device that a process of its own serves; the server ends in order."""
    link = tmp_path_factory.mktemp("served") / "board"
    line = ["--pty", str(link)] if request.param == "terminal" else ["--tcp", "127.0.0.1:0"]
    command = [sys.executable, "-c", "from thermohw.cli import app; app()", "serve", "--device", "ideal", *line]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        told = server.stdout.readline()
        if request.param == "terminal":
            yield f"ASRL{link}::INSTR"
        else:
            found = re.search(r"socket://127\.0\.0\.1:(\d+) ", told)
            assert found, told
            yield f"TCPIP::127.0.0.1::{found[1]}::SOCKET"
        server.send_signal(signal.SIGTERM)
        errors = server.communicate(timeout=30)[1]
    assert server.returncode == 0 and errors.endswith("closed\n") and "Traceback" not in errors
    assert not link.is_symlink()


def with_checksum(content: bytes) -> bytes:
    return content + zlib.crc32(content).to_bytes(4, "little")


def read_samples(payload: bytes, first: int, count: int) -> dict[str, NDArray[Any]]:
    """Read a payload of samples with initial and final states, from the tables of docs/protocol.md alone."""
    assert zlib.crc32(payload[:-4]) == int.from_bytes(payload[-4:], "little")
    magic, version, parts, _, *numbers, size = struct.unpack("<4s2H6I", payload[:32])
    assert (magic, version, parts, numbers) == (b"THWS", 1, 3, [first, count, UNITS, 0])
    fields = [("heat", "<f8"), ("work", "<f8"), ("states", "<f4", UNITS), ("initial_states", "<f4", UNITS)]
    record = np.dtype(fields)
    assert size == record.itemsize
    records = np.frombuffer(payload[32:-4], record)
    return {name: records[name] for name in record.names or ()}


def assert_same(found: dict[str, NDArray[Any]], expected: Samples, rows: slice) -> None:
    assert len(found) == 4
    for name, array in found.items():
        assert np.array_equal(array, getattr(expected, name)[rows]), name


@pytest.fixture
def visa(resource: str) -> Iterator[Any]:
    """A VISA session of the served device."""
    manager = pyvisa.ResourceManager("@py")
    instrument = manager.open_resource(
        resource, read_termination="\n", write_termination="\n", timeout=PATIENCE, chunk_size=2**16
    )
    instrument.write("*RST")
    yield instrument
    instrument.close()
    manager.close()


def write_block(visa: Any, command: str, payload: bytes) -> None:
    visa.write_binary_values(f"{command} ", payload, datatype="B")


def fetch(visa: Any, first: int, count: int) -> bytes:
    return bytes(visa.query_binary_values(f"FETC? {first},{count}", datatype="B", container=bytearray))


def test_a_visa_session_gets_the_devices_samples(visa: Any, expected: Samples) -> None:
    assert visa.query("*IDN?").split(",")[:2] == ["thermohw", "ideal"]
    told = bytes(visa.query_binary_values("SYST:CAP?", datatype="B", container=bytearray))
    assert told == with_checksum(told[:-4]) and json.loads(told[:-4])["protocol"] == "1.0"
    payload, biases = TABLE.to_bytes(), with_checksum(BIASES.tobytes())
    write_block(visa, "PROG:DATA", payload)
    write_block(visa, "PROG:BIAS", biases)
    codes = visa.query("PROG:CRC?;BIAS:CRC?").split(";")
    assert [int(code.removeprefix("#H"), 16).to_bytes(4, "little") for code in codes] == [payload[-4:], biases[-4:]]
    visa.write(SETTINGS)
    assert visa.query("INIT 5;*OPC?") == "1"
    assert visa.query("RUN:PROG?") == "5,DONE,300,300"
    assert_same(read_samples(fetch(visa, 0, 300), 0, 300), expected, slice(None))
    assert_same(read_samples(fetch(visa, 290, 10), 290, 10), expected, slice(290, None))
    assert visa.query("SYST:ERR?") == '0,"No error"'


def test_a_visa_session_is_told_what_was_wrong(visa: Any) -> None:
    payload = bytearray(TABLE.to_bytes())
    payload[40] ^= 1
    write_block(visa, "PROG:DATA", bytes(payload))
    visa.write("RUN:SAMP 0")
    visa.write("INIT")
    answers = [visa.query("SYST:ERR?") for _ in range(4)]
    assert [answer.partition(",")[0] for answer in answers] == ["-161", "-222", "-221", "0"]
    assert visa.query("PROG:CRC?") == "#H00000000"


def test_a_visa_session_follows_a_long_run_and_stops_it(visa: Any) -> None:
    write_block(visa, "PROG:DATA", TABLE.to_bytes())
    visa.write("RUN:DUR 5;DT 0.001;SAMP 1000000;KEEP NONE;:INIT 1")
    assert visa.query("RUN:PROG?").startswith("1,RUNNING,")
    assert int(visa.query("STAT:OPER?")) & 16
    visa.write("ABOR")
    assert visa.query("RUN:PROG?;:SYST:ERR?") == '1,READY,0,1000000;0,"No error"'
    deadline = time.monotonic() + PATIENCE / 1000
    write_block(visa, "PROG:DATA", TABLE.to_bytes())
    while (error := visa.query("SYST:ERR?")) != '0,"No error"':
        assert error.startswith("-221,") and "winds down" in error and time.monotonic() < deadline
        write_block(visa, "PROG:DATA", TABLE.to_bytes())


def board_class() -> Any:
    """Get an instrument's class as a laboratory writes it with pymeasure."""
    instruments: Any = pytest.importorskip("pymeasure.instruments", reason="needs pymeasure: the extra `lab`")
    validators: Any = pytest.importorskip("pymeasure.instruments.validators")
    base: Any = type("Base", (instruments.SCPIMixin, instruments.Instrument), {})

    class Board(base):
        samples = base.control(
            "RUN:SAMP?",
            "RUN:SAMP %d",
            "Control the number of samples of a run.",
            cast=int,
            validator=validators.strict_range,
            values=[0, 2**20],
            check_set_errors=True,
        )
        duration = base.control("RUN:DUR?", "RUN:DUR %.17g", "Control the length of a run.", check_set_errors=True)
        seed = base.control("RUN:SEED?", "RUN:SEED %d", "Control the noise.", cast=int, check_set_errors=True)
        progress = base.measurement("RUN:PROG?", "Get run, state, samples done and in all.", cast=str)

        def load(self, command: str, payload: bytes) -> None:
            self.write_binary_values(f"{command} ", payload, datatype="B", termination="\n")
            assert self.check_errors() == []

        def fetch(self, first: int, count: int) -> bytes:
            self.write(f"FETC? {first},{count}")
            digits = int(self.read_bytes(2)[1:])
            length = int(self.read_bytes(digits))
            return bytes(self.read_bytes(length + 1)[:-1])

    return Board


def test_a_pymeasure_instrument_gets_the_devices_samples(resource: str, expected: Samples) -> None:
    board = board_class()(
        resource,
        "board",
        visa_library="@py",
        includeSCPI=False,
        read_termination="\n",
        write_termination="\n",
        timeout=PATIENCE,
    )
    board.reset()
    assert board.id.startswith("thermohw,ideal,")
    board.load("PROG:DATA", TABLE.to_bytes())
    board.load("PROG:BIAS", with_checksum(BIASES.tobytes()))
    board.write(SETTINGS)
    board.samples, board.duration, board.seed = 300, 0.4, 77
    assert (board.samples, board.duration, board.seed) == (300, 0.4, 77)
    board.write("INIT 8")
    assert board.complete == "1"
    assert board.progress == ["8", "DONE", "300", "300"]
    assert_same(read_samples(board.fetch(0, 300), 0, 300), expected, slice(None))
    board.samples = 0
    assert board.check_errors() == []  # told and taken out of the queue when it was set
    assert board.samples == 300
    board.adapter.close()
    board.adapter.manager.close()
