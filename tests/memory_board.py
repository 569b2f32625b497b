# SPDX-License-Identifier: Apache-2.0
"""A board in memory, for tests of the client: the protocol around an emulated device, and a line without waiting."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from thermohw import RunPlan, SimulatedDevice
from thermohw.device import ThermodynamicDevice
from thermohw.errors import ProtocolError, ThermoHWError, TransportError, TransportTimeout
from thermohw.langevin.schedule import BiasSchedule
from thermohw.protocol import Capability, LineLimits, SampleLayout, pack_samples
from thermohw.protocol.payloads import pack_times, unpack_program, unpack_schedule, unpack_states
from thermohw.protocol.sample_payload import present
from thermohw.protocol.scpi_errors import error_text
from thermohw.samples import Readout
from thermohw.tables import CouplingTable
from thermohw.transport import block, seal, unseal, without_checksum

LIMITS = LineLimits(
    line_bytes=256,
    block_bytes=2**20,
    upload_bytes=2**22,
    fetch_bytes=2**20,
    samples=4096,
    stored_bytes=2**24,
    knots=100,
)
DEFAULTS = {"DUR": 1.0, "DT": 0.0, "SAMP": 1, "FIRS": 0, "SEED": 0, "KEEP": "BOTH", "REC": 1, "INIT": "UNC"}
KEEPS: dict[Any, Any] = {"NONE": "none", "FIN": "final", "BOTH": "both", "TRAJ": "trajectory"}
INITIALS: dict[Any, Any] = {"UNC": "uncoupled", "UNB": "unbiased"}


class Refused(Exception):
    pass


class MemoryBoard:
    """What is asked for in full paths is answered; runs are over at once, after `polls` questions for progress."""

    def __init__(
        self,
        device: ThermodynamicDevice | None = None,
        *,
        limits: LineLimits = LIMITS,
        programs: tuple[Any, ...] = ("table", "float64"),
        heat: bool = True,
        polls: int = 1,
    ) -> None:
        self.device = device or SimulatedDevice()
        spec = self.device.spec.model_copy(update={"schedules": heat})
        self.capability = Capability(protocol="1.0", spec=spec, programs=programs, heat=heat, limits=limits)
        self.polls, self.buffer = polls, b""
        self.messages: list[bytes] = []
        self.checking = False
        self.restart()

    def restart(self) -> None:
        self.area = bytearray()
        self.codes: dict[str, int] = dict.fromkeys(("PROG", "PROG:BIAS", "PROG:SCH", "RUN:STAT"), 0)
        self.settings: dict[str, Any] = dict(DEFAULTS)
        self.schedule: BiasSchedule | None = None
        self.states: Any = None
        self.readout: Readout | None = None
        self.run, self.state, self.left, self.runs, self.error = 0, "IDLE", 0, 0, ""
        self.fetched: list[tuple[int, int]] = []

    # Lines

    def receive(self, data: bytes) -> bytes:
        """Take in bytes and get the answers."""
        self.buffer += data
        answers = b""
        while (end := self._end()) is not None:
            line, self.buffer = self.buffer[:end], self.buffer[end + 1 :]
            answers += self._answer(line)
        return answers

    def fall_silent(self) -> bytes:
        """Drop what is not complete."""
        dropped, self.buffer = self.buffer, b""
        return seal(b"!" + error_text(-363).encode(), 0) if dropped and self.checking else b""

    def _end(self) -> int | None:
        at = 0
        while found := re.compile(rb"\n|#([1-9])").search(self.buffer, at):
            if found[1] is None:
                return found.start()
            digits = self.buffer[found.end() : found.end() + int(found[1])]
            if len(digits) < int(found[1]):
                return None
            at = found.end() + (len(digits) + int(digits) if digits.isdigit() else 0)
        return None

    def _answer(self, line: bytes) -> bytes:
        try:
            sealed = unseal(line)
        except ThermoHWError:
            return seal(b"!" + error_text(-361).encode(), 0)
        if sealed is None:
            plain = line.strip() in (b"ABOR", b"*CLS")
            return b"" if plain or not line or not self.checking else seal(b"!" + error_text(-361).encode(), 0)
        self.messages.append(sealed.message)
        try:
            replies = self._carry_out(sealed.message)
        except Refused as refused:
            replies = [b"!" + str(refused).encode()]
        except ProtocolError as error:
            replies = [b"!" + error_text(-161, str(error)).encode()]
        return seal(b";".join(replies) or b"OK", sealed.tag)

    def _carry_out(self, message: bytes) -> list[bytes]:
        text, *tail = re.split(rb"#[1-9]", message, maxsplit=1)
        payload = tail[0][int(message[len(text) + 1 : len(text) + 2]) :] if tail else b""
        replies: list[bytes] = []
        for command in text.decode().split(";"):
            header, _, arguments = command.lstrip(":").partition(" ")
            reply = self._command(header, arguments.rstrip(",").split(","), payload)
            replies += [] if reply is None else [reply]
        return replies

    # Commands

    def _command(self, header: str, arguments: list[str], payload: bytes) -> bytes | None:
        path, _, last = header.rpartition(":")
        actions: dict[str, Callable[[], bytes | None]] = {
            "*IDN?": lambda: b"thermohw,memory,0,0.1.0 protocol 1.0",
            "SYST:CHEC": lambda: self._check(arguments[0]),
            "SYST:CAP?": lambda: block(self.capability.encode()),
            "UPL:DATA": lambda: self._upload(int(arguments[0]), payload),
            "RUN:PROG?": self._progress,
            "RUN:TIM?": self._times,
            "RUN:ERR?": lambda: b'"%s"' % self.error.encode(),
            "RUN:DT?": lambda: repr(self._dt()).encode(),
            "ABOR": self._abort,
            "INIT": lambda: self.start(int(arguments[0])),
            "FETC?": lambda: self._fetch(int(arguments[0]), int(arguments[1])),
        }
        if header in actions:
            return actions[header]()
        if last == "CRC?" and path in self.codes:
            return b"#H%08X" % self.codes[path]
        if last == "LOAD" and path in self.codes:
            return self._load(path, int(arguments[0]), int(arguments[1][2:], 16))
        if path == "RUN" and last.rstrip("?") in self.settings:
            if last.endswith("?"):
                return str(self.settings[last[:-1]]).encode()
            kind = type(DEFAULTS[last])
            self.settings[last] = kind(arguments[0])
            return None
        raise Refused(error_text(-113, header))

    def _check(self, argument: str) -> None:
        self.checking = argument == "ON"

    def _upload(self, offset: int, payload: bytes) -> None:
        data = bytes(without_checksum(payload, "upload"))
        if offset > len(self.area) or offset + len(data) > self.capability.limits.upload_bytes:
            raise Refused(error_text(-222, "offset"))
        if len(payload) > self.capability.limits.block_bytes:
            raise Refused(error_text(-223))
        self.area[offset : offset + len(data)] = data

    def _load(self, path: str, length: int, code: int) -> None:
        payload = bytes(self.area[:length])
        if int.from_bytes(payload[-4:], "little") != code:
            raise Refused(error_text(-161))
        units = 0 if path == "PROG" else self.device.held.units
        if path == "PROG":
            program = unpack_program(payload)
            if ("table" if isinstance(program, CouplingTable) else "float64") not in self.capability.programs:
                raise Refused(error_text(-161, "form of the program"))
            self.device.program(program)
            self.codes = dict.fromkeys(self.codes, 0)
            self.schedule = self.states = self.readout = None
            self.state = "READY"
        elif path == "PROG:SCH":
            self.schedule = unpack_schedule(payload, units)
        else:
            self.states = unpack_states(payload, units)
        self.codes[path] = code

    def start(self, run: int) -> None:
        if run == self.run:
            return
        if not self.codes["PROG"]:
            raise Refused(error_text(-221, "no program"))
        chosen = self.settings
        plan = RunPlan(
            chosen["DUR"],
            chosen["SAMP"],
            chosen["DT"] or None,
            self.schedule,
            self.states if chosen["INIT"] == "STAT" else INITIALS[chosen["INIT"]],
            chosen["REC"],
            KEEPS[chosen["KEEP"]],
            chosen["FIRS"],
            chosen["SEED"],
        )
        self.fetched, self.left, self.runs = [], self.polls, self.runs + 1
        try:
            readout = self.device.run(plan).readout()
        except ThermoHWError as error:
            self.run, self.state, self.error = run, "FAILED", str(error)
            return
        size = SampleLayout.of(readout).record_bytes * chosen["SAMP"]
        if size > self.capability.limits.stored_bytes:
            raise Refused(error_text(-223, f"{size} bytes of samples"))
        if not self.capability.heat:
            nothing = np.full(chosen["SAMP"], np.nan)
            readout = replace(readout, heat=nothing, work=nothing)
        self.run, self.state, self.readout = run, "DONE", readout

    def _progress(self) -> bytes:
        state = "RUNNING" if self.state == "DONE" and self.left > 0 else self.state
        self.left -= 1
        return f"{self.run},{state},{self.settings['SAMP']},{self.settings['SAMP']}".encode()

    def _dt(self) -> float:
        return 0.0 if self.readout is None or self.readout.dt is None else self.readout.dt

    def _times(self) -> bytes:
        if self.readout is None or self.readout.times is None:
            raise Refused(error_text(-230))
        return block(pack_times(self.readout.times))

    def _fetch(self, first: int, count: int) -> bytes:
        if self.readout is None:
            raise Refused(error_text(-230))
        if first + count > self.settings["SAMP"]:
            raise Refused(error_text(-222))
        self.fetched.append((first, count))
        layout = SampleLayout.of(self.readout)
        payload = pack_samples(self.readout, layout, self.run, first, count)
        if len(payload) > self.capability.limits.fetch_bytes and count > 1:
            raise Refused(error_text(-223))
        assert present(self.readout)
        return block(payload)

    def _abort(self) -> None:
        if self.left > 0 and self.state == "DONE":
            self.state, self.readout = "READY", None


class MemoryTransport:
    """A line to a board in memory that damages bytes on purpose and waits for nothing.

    Args:
        board: The other end.
        rate: Probability that a byte is flipped, dropped or doubled, one third each.
        seed: Of the damage.
        breaks_after: Number of writes after which the line breaks.
    """

    name = "memory"

    def __init__(self, board: MemoryBoard, rate: float = 0.0, seed: int = 0, breaks_after: int | None = None) -> None:
        self.board, self.rate, self.left = board, rate, breaks_after
        self.random = np.random.default_rng(seed)
        self.buffer = b""
        self.closed = False
        self.silences: list[float] = []

    def write(self, data: bytes) -> None:
        self._require_line()
        if self.left is not None:
            self.left -= 1
        self.buffer += self._damaged(self.board.receive(self._damaged(data)))

    def read_line(self, seconds: float) -> bytes:
        while b"\n" not in self.buffer:
            self._wait(seconds)
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def read_exactly(self, count: int, seconds: float) -> bytes:
        while len(self.buffer) < count:
            self._wait(seconds)
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def drain(self, seconds: float) -> None:
        self._require_line()
        if seconds >= self.board.capability.limits.quiet:
            self.board.fall_silent()
        self.buffer = b""

    def close(self) -> None:
        self.closed = True

    def _require_line(self) -> None:
        if self.closed or (self.left is not None and self.left <= 0):
            raise TransportError("memory broke")

    def _wait(self, seconds: float) -> None:
        self._require_line()
        self.silences.append(seconds)
        late = self._damaged(self.board.fall_silent()) if seconds >= self.board.capability.limits.quiet else b""
        if not late:
            raise TransportTimeout(f"memory fell silent for {seconds} s")
        self.buffer += late

    def _damaged(self, data: bytes) -> bytes:
        if not self.rate:
            return data
        hit = np.flatnonzero(self.random.random(len(data)) < self.rate)
        parts = bytearray()
        start = 0
        for place in hit.tolist():
            parts += data[start:place]
            kind = int(self.random.integers(3))
            if kind == 0:
                parts.append(data[place] ^ (1 << int(self.random.integers(8))))
            elif kind == 1:
                parts += data[place : place + 1] * 2
            start = place + 1
        return bytes(parts + data[start:])
