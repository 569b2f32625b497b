# SPDX-License-Identifier: Apache-2.0
"""Streams of bytes that an instrument may get to see: sound lines, wrong ones, damage of every kind, and noise."""

import random
import re
import struct
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
from instrument_bench import PATIENCE, PROGRAM, Bench, HeldDevice

from thermohw import BiasSchedule, CouplingTable, RunPlan
from thermohw.device import Progress
from thermohw.errors import DeviceLimitError
from thermohw.langevin.observer import Observer
from thermohw.protocol import LineLimits
from thermohw.protocol.payloads import pack_biases, pack_program, pack_schedule, pack_states
from thermohw.samples import Readout
from thermohw.transport import block, seal, with_checksum

LIMITS = LineLimits(
    line_bytes=256, block_bytes=2048, upload_bytes=4096, fetch_bytes=1024, samples=16, stored_bytes=2048, knots=3
)
"""Small, so that streams reach them."""

LONGEST_RUN = 50
"""Steps of a run, so that none takes long."""

PAYLOADS = (
    pack_program(PROGRAM),
    CouplingTable.quantize(PROGRAM, 4).to_bytes(),
    pack_biases([0.5] * 5),
    pack_schedule(BiasSchedule(np.array([0.0, 1.0]), np.zeros((2, 5)))),
    pack_schedule(None),
    pack_states(np.ones((2, 5))),
    with_checksum(struct.pack("<2I", 2**32 - 1, 2**32 - 1)),
    b"",
    bytes(range(256)),
    bytes(3000),
)
NUMBERS = b"0 1 2 3 16 17 255 256 -1 0.5 1e-9 1e9 1e999 nan 4294967295 4294967296 18446744073709551616".split()
NUMBERS += b"#HFF #H 7e 1V + 1_0".split()
WORDS = b"ON OFF NONE FIN FINAL BOTH TRAJ UNC UNB STAT FINALE".split()
SETTINGS = b"RUN:DUR RUN:DT RUN:SAMP RUN:FIRS RUN:SEED RUN:KEEP RUN:REC RUN:INIT *ESE *SRE SYST:CHEC".split()
LOADS = b"PROG:DATA PROG:BIAS PROG:SCH RUN:STAT".split()
STORED = b"PROG PROG:BIAS PROG:SCH RUN:STAT".split()
QUERIES = (
    b"*IDN? *ESR? *STB? *OPC? *TST? SYST:ERR? SYST:ERR:NEXT? SYST:VERS? SYST:CAP? RUN:PROG? RUN:TIM? RUN:ERR? "
    b"STAT:OPER? STAT:OPER:COND? RUN:DT? PROG:CRC? PROG:BIAS:CRC? RUN:STAT:CRC? FETC? MEAS? *XYZ?"
).split()
ACTIONS = b"*RST *CLS *OPC *WAI INIT INIT ABOR INITIATE:IMMEDIATE SYSTEM SYS:ERR? : *".split()
READY = (
    b"RUN:DUR 0.1;DT 0.05;SAMP 2;KEEP TRAJ;INIT UNC",
    b"PROG:DATA " + block(PAYLOADS[0]) + b";:INIT",
    b"INIT;*OPC?;:FETC? 0,2",
    b"RUN:STAT " + block(PAYLOADS[5]) + b";INIT STAT;SAMP 2;:INIT 9;*WAI",
)


class Streams:
    """An endless row of streams.

    Args:
        seed: Of the streams.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def next(self) -> bytes:
        """Get the next stream."""
        rng = self.rng
        if rng.random() < 0.1:
            return rng.randbytes(rng.randrange(1, 400))
        stream = bytearray(b"".join(self._line() for _ in range(rng.randrange(1, 5))))
        if rng.random() < 0.02:
            stream *= 20
        if rng.random() < 0.6:
            for _ in range(rng.randrange(1, 5)):
                self._damage(stream)
        return bytes(stream)

    def pieces(self, stream: bytes) -> list[bytes]:
        """Cut a stream as a line might."""
        places = sorted(self.rng.randrange(len(stream) + 1) for _ in range(self.rng.randrange(3)))
        return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]

    def _line(self) -> bytes:
        rng = self.rng
        commands = [self._command() for _ in range(1 if rng.random() < 0.6 else rng.randrange(2, 6))]
        line = rng.choice((b";:", b";", b" ; :")).join(commands)
        if rng.random() < 0.02:
            line += b"A" * rng.randrange(300)
        return seal(line, rng.randrange(1, 256)) if rng.random() < 0.5 else line + rng.choice((b"\n", b"\r\n"))

    def _command(self) -> bytes:
        rng = self.rng
        kind = rng.random()
        if kind < 0.2:
            return rng.choice(READY)
        if kind < 0.45:
            return rng.choice(SETTINGS) + rng.choice((b"", b"?", *[b" " + rng.choice((*NUMBERS, *WORDS))] * 6))
        if kind < 0.6:
            return rng.choice(QUERIES)
        if kind < 0.7:
            return rng.choice(ACTIONS) + rng.choice((b"", b"", b" 1", b" 4294967295", b" 1,2"))
        if kind < 0.8:
            return b"FETC? %b,%b" % (rng.choice(NUMBERS), rng.choice(NUMBERS))
        return self._load()

    def _load(self) -> bytes:
        rng = self.rng
        payload = rng.choice(PAYLOADS)
        kind = rng.random()
        if kind < 0.5:
            return rng.choice(LOADS) + b" " + block(payload)
        if kind < 0.75:
            return b"UPL:DATA %b,%b" % (rng.choice(NUMBERS), block(with_checksum(payload[: rng.randrange(600)])))
        if kind < 0.9:
            parts = (rng.choice(STORED), block(with_checksum(payload)), len(payload), payload[-4:][::-1].hex().encode())
            return b"UPL:DATA 0,%b;:%b:LOAD %d,#H%b" % (parts[1], parts[0], *parts[2:])
        return rng.choice((b"PROG:DATA #0", b"PROG:DATA #9999999999", b"*RST #13abc", b"UPL:DATA #3200,1"))

    def _damage(self, stream: bytearray) -> None:
        rng = self.rng
        if not stream:
            return
        at = rng.randrange(len(stream))
        match rng.randrange(7):
            case 0:
                stream[at] ^= 1 << rng.randrange(8)
            case 1:
                del stream[at]
            case 2:
                stream.insert(at, stream[at])
            case 3:
                del stream[at:]
            case 4:
                stream[at:at] = rng.choice((b"#", b"\n", b";", b"#9", b" ~01", b'"', b",", b"\0", b"\xff"))
            case 5:
                stream[at : at + rng.randrange(20)] = rng.randbytes(rng.randrange(20))
            case _:
                stream[at:at] = stream[rng.randrange(len(stream)) :][:40]


class ShortRuns(HeldDevice):
    """A device that refuses runs that would take long, and holds others while its gate is shut."""

    def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
        if plan.duration > 10 or plan.steps(plan.dt or plan.duration) > LONGEST_RUN:
            raise DeviceLimitError(f"a run of {plan.duration:g} would take long")
        return super()._run(plan, observers, progress)


class Attacked:
    """An instrument under streams, which has to serve after each.

    Args:
        seed: Of the streams.

    Attributes:
        bench: Where it stands.
        errors: How often each error was met, by its number.
        states: How often each state was.
        largest: Longest answer to one stream, bytes.
    """

    def __init__(self, seed: int) -> None:
        self.device = ShortRuns()
        self.bench = Bench(self.device, LIMITS)
        self.streams = Streams(seed)
        self.errors: Counter[int] = Counter()
        self.states: Counter[str] = Counter()
        self.largest = 0
        self._identity = self.bench.send(b"*IDN?\n")

    def attack(self) -> bytes:
        """Send one stream, cut into pieces, and return it; after a quiet, `*CLS` must be enough to be served."""
        bench, shut = self.bench, self.streams.rng.random() < 0.1
        if shut:
            self.device.gate.clear()
        else:
            self.device.gate.set()
        stream = self.streams.next()
        answers = b"".join(bench.send(piece) for piece in self.streams.pieces(stream))
        bench.now += LIMITS.quiet
        bench.session.tick(bench.now)
        if not shut:
            self._settle()
        answers += bench.answers()
        self._note(answers)
        assert bench.session.hungry and bench.session.deadline is None, stream
        assert bench.send(b"*CLS\n") == b"", stream
        assert bench.send(b"*IDN?\n") == self._identity, stream
        assert bench.send(b"SYST:CHEC?;ERR?\n") == b'0;0,"No error"\n', stream
        self.device.gate.set()
        self._settle()
        bench.answers()  # a checked line that waited is answered at last
        return stream

    def _settle(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.bench.instrument.running:
            assert time.monotonic() < deadline, "a run does not end"
            time.sleep(1e-4)

    def _note(self, answers: bytes) -> None:
        status = self.bench.instrument.status
        self.largest = max(self.largest, len(answers))
        self.states[self.bench.instrument.state] += 1
        self.errors.update(int(number) for number in re.findall(rb"!(-\d{3}),\"", answers))
        if self.streams.rng.random() < 0.5:
            return  # the queue is left for `*CLS` to clear
        while not (error := status.next_error()).startswith("0,"):
            self.errors[int(error.partition(",")[0])] += 1
