# SPDX-License-Identifier: Apache-2.0
"""An instrument on the bench: driven in memory, and devices whose runs go on for as long as a test wants."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from thermohw import BiasSchedule, Program, RunPlan, SimulatedDevice, Topology
from thermohw.device import Progress, ThermodynamicDevice
from thermohw.errors import DivergenceError
from thermohw.instrument import Instrument
from thermohw.instrument.instrument import LIMITS
from thermohw.instrument.session import Session
from thermohw.langevin.observer import Observer
from thermohw.protocol import LineLimits, SampleLayout, unpack_samples
from thermohw.protocol.payloads import pack_program
from thermohw.samples import Readout
from thermohw.transport import block, seal, unseal

PROGRAM = replace(
    Program.uncoupled(Topology.layered(3, 2), 1.0, 2.0, np.linspace(-1, 1, 5)), couplings=np.linspace(-0.9, 0.8, 7)
)
UNITS = PROGRAM.units
RAMP = BiasSchedule(np.array([0.0, 0.4]), np.stack([np.zeros(UNITS), np.linspace(-1, 1, UNITS)]))
STARTS = np.linspace(-1, 1, 6 * UNITS, dtype=np.float32).reshape(6, UNITS)
LOAD = b"PROG:DATA " + block(pack_program(PROGRAM))
PATIENCE = 120.0
"""Longest wait for what has to happen, s: kernels may have to be compiled first, on a busy machine."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


class HeldDevice(SimulatedDevice):
    """A device whose runs go on until they are let go.

    Attributes:
        gate: Lets runs go.
        stubborn: Whether runs do not tell their progress meanwhile, so that nothing can stop them.
        fault: What a run raises then.
        began: Runs that have begun.
    """

    def __init__(self, stubborn: bool = False, fault: Exception | None = None) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.stubborn = stubborn
        self.fault = fault
        self.began = 0

    def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
        self.began += 1
        while not self.gate.wait(0.002):
            if progress is not None and not self.stubborn:
                progress(1, plan.n_samples)
        if self.fault is not None:
            raise self.fault
        return super()._run(plan, observers, progress)


DIVERGED = DivergenceError("unit 3 diverged at t = 0.5")


class Bench:
    """An instrument driven in memory, through the session of one client.

    Attributes:
        instrument: The instrument.
        now: The clock that the session sees, s.
    """

    def __init__(self, device: ThermodynamicDevice | None = None, limits: LineLimits = LIMITS) -> None:
        self.instrument = Instrument(device or SimulatedDevice(), limits)
        self.session = Session(self.instrument)
        self.now = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.instrument.close(0.2)

    def send(self, data: bytes) -> bytes:
        """Send bytes; returns what is answered at once."""
        self.session.receive(data, self.now)
        return self.answers()

    def answers(self) -> bytes:
        """Get what is answered without another word."""
        replies: list[bytes] = []
        while self.session.busy:
            replies += self.session.replies()
        return b"".join(replies)

    def ask(self, message: str | bytes) -> str:
        """Send a plain line; returns its answer."""
        line = message.encode() if isinstance(message, str) else message
        return self.send(line + b"\n").decode("latin-1").removesuffix("\n")

    def ask_checked(self, message: str | bytes, tag: int = 1) -> str:
        """Send a checked line; returns its answer, which must be one checked line of its tag."""
        line = message.encode() if isinstance(message, str) else message
        return opened(self.send(seal(line, tag)), tag)

    def ask_block(self, message: str) -> bytes:
        """Send a query; returns the payload that it is answered with."""
        answer = self.send(message.encode() + b"\n")
        digits = int(answer[1:2])
        assert answer[:1] == b"#" and answer[-1:] == b"\n"
        assert int(answer[2 : 2 + digits]) == len(answer) - 3 - digits
        return answer[2 + digits : -1]

    def error(self) -> str:
        """Take the oldest error."""
        return self.ask("SYST:ERR?")

    def refused(self, message: str | bytes, number: int, *words: str) -> None:
        """Check that a plain line is refused, once."""
        assert self.ask(message) == ""
        error = self.error()
        assert error.startswith(f'{number},"'), error
        for word in words:
            assert word in error
        assert self.error() == '0,"No error"'

    def done(self, message: str | bytes) -> None:
        """Check that a plain line without a reply is carried out."""
        assert self.ask(message) == ""
        assert self.error() == '0,"No error"'

    def loaded(self) -> Self:
        """Load the program."""
        self.done(LOAD)
        return self

    def run(self, settings: str = "") -> None:
        """Run to the end."""
        self.done(settings or "*WAI")
        self.done("INIT")
        until(lambda: not self.instrument.running)
        assert self.ask("RUN:PROG?").split(",")[1] == "DONE", self.error()

    def samples(self, layout: SampleLayout, first: int, count: int) -> dict[str, NDArray[Any]]:
        """Fetch samples of the last run."""
        run = int(self.ask("RUN:PROG?").split(",")[0])
        return dict(unpack_samples(self.ask_block(f"FETC? {first},{count}"), run, first, count, layout))


def opened(answer: bytes, tag: int) -> str:
    """Read one checked line of a tag."""
    assert answer.endswith(b"\n")
    sealed = unseal(answer[:-1])
    assert sealed is not None and sealed.tag == tag
    return sealed.message.decode("latin-1")
