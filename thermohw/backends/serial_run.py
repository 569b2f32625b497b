# SPDX-License-Identifier: Apache-2.0
"""One run on a board: settings, start, waiting for its end, and the samples of all runs of a plan gathered."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.serial_link import Refusal, SerialLink
from thermohw.backends.serial_transfer import Transfer
from thermohw.errors import DeviceLimitError, InstrumentError, ProtocolError
from thermohw.langevin.ensemble import Keep
from thermohw.plan import RunPlan
from thermohw.protocol import Capability, SampleLayout
from thermohw.protocol.payloads import pack_schedule, pack_states, unpack_times
from thermohw.protocol.sample_payload import PARTS
from thermohw.transport.checked_lines import SEAL_BYTES

TOO_MUCH = -223
"""The error of a run whose samples do not fit into the board."""

MAX_TIMES_BYTES = 2**30

_WORDS: dict[str, str] = {
    "none": "NONE",
    "final": "FIN",
    "both": "BOTH",
    "trajectory": "TRAJ",
    "uncoupled": "UNC",
    "unbiased": "UNB",
}
_ENDS = ("states", "initial_states", "trajectory")
_KEPT: dict[Keep, tuple[str, ...]] = {"none": (), "final": _ENDS[:1], "both": _ENDS[:2], "trajectory": _ENDS}
_POLLS = 0.01, 1.02, 0.2  # first interval, growth, longest interval, s: a run ends at most 2 % of its time unnoticed
_PROGRESS = re.compile(
    r"\s*([0-9]{1,10})\s*,\s*(IDLE|READY|RUNNING|DONE|FAILED)\s*,\s*([0-9]{1,10})\s*,\s*([0-9]{1,10})\s*"
)


class TooMuchForBoard(InstrumentError):
    """A run whose samples do not fit into the board's memory; fewer might."""


@dataclass(frozen=True)
class Progress:
    """What a board says of its run."""

    run: int
    state: str
    done: int
    total: int


@dataclass(frozen=True)
class Board:
    """A board that was identified, with a line to it."""

    link: SerialLink
    transfer: Transfer
    capability: Capability

    def progress(self) -> Progress:
        """Ask how far the run is.

        Raises:
            ProtocolError: The answer makes no sense.
        """
        reply = self.link.ask("RUN:PROG?")
        found = _PROGRESS.fullmatch(reply)
        if found is None:
            raise ProtocolError(
                f"{self.link.name} answered RUN:PROGress? with {reply[:60]!r}; run,state,done,all was awaited"
            )
        return Progress(int(found[1]), found[2], int(found[3]), int(found[4]))

    def number(self, query: str) -> float:
        """Ask for one finite number.

        Raises:
            ProtocolError: The answer is none.
        """
        reply = self.link.ask(query)
        try:
            value = float(reply) if len(reply) < 40 else np.nan
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise ProtocolError(f"{self.link.name} answered {query} with {reply[:60]!r}; a number was awaited")
        return value

    def start(self, plan: RunPlan, keep: Keep, run: int) -> None:
        """Set everything that a plan states and start run number `run`.

        Raises:
            TooMuchForBoard: The samples do not fit into the board.
            InstrumentError: The board refuses, or holds other settings than it was given.
        """
        self._load(plan)
        initial = plan.initial if isinstance(plan.initial, str) else None
        settings = {
            "DUR": repr(float(plan.duration)),
            "DT": repr(float(plan.dt or 0)),
            "SAMP": str(plan.n_samples),
            "FIRS": str(plan.first_chain),
            "SEED": str(plan.seed),
            "KEEP": _WORDS[keep],
            "REC": str(plan.record_every),
            "INIT": "STAT" if initial is None else _WORDS[initial],
        }
        for line in self._lines([f"RUN:{name} {value}" for name, value in settings.items()]):
            self.link.ask(line)
        for name in ("DUR", "SAMP", "FIRS", "REC"):
            held = self.number(f"RUN:{name}?")
            if abs(held - float(settings[name])) > 1e-6 * abs(held):
                raise InstrumentError(f"{self.link.name} was told RUN:{name} {settings[name]} and holds {held:g}")
        try:
            self.link.ask(f"INIT {run}")
        except Refusal as refusal:
            if refusal.number == TOO_MUCH:
                raise TooMuchForBoard(str(refusal)) from refusal
            raise

    def wait(self, run: int, progress: Callable[[int], None]) -> None:
        """Wait for the end of a run; `progress` is called with the number of samples done.

        Raises:
            InstrumentError: The run failed, or the board lost it.
        """
        pause, growth, longest = _POLLS
        while (told := self.progress()).state != "DONE" or told.run != run:
            if told.run == run and told.state == "FAILED":
                raise InstrumentError(f"{self.link.name}: run {run} failed: {self.link.ask('RUN:ERR?')[:300]}")
            if told.run != run or told.state != "RUNNING":
                raise InstrumentError(
                    f"{self.link.name} lost run {run}: it is at run {told.run}, {told.state}. It restarted, or "
                    "somebody else works with it; nothing of the run is kept, start it again"
                )
            progress(told.done)
            time.sleep(pause)
            pause = min(growth * pause, longest)

    def times(self) -> NDArray[np.float64]:
        """Get the times of the recorded states.

        Raises:
            ProtocolError: They are no times.
        """
        return unpack_times(self.link.ask_block("RUN:TIM?", MAX_TIMES_BYTES))

    def layout(self, run: int, sample: int, keep: Keep, units: int, recorded: int) -> SampleLayout:
        """Get how the samples of a run are laid out: what was asked for, and velocities and entropy where there are."""
        parts = sum(PARTS[name] for name in _KEPT[keep])
        optional = PARTS["entropy"]
        optional |= PARTS["velocities"] if parts & PARTS["states"] else 0
        optional |= PARTS["initial_velocities"] if parts & PARTS["initial_states"] else 0
        return self.transfer.layout(run, sample, parts, optional, units, recorded)

    def fitting(self, plan: RunPlan, keep: Keep, units: int) -> int:
        """Get how many samples of a plan fit into one run; where the step is the board's choice, as far as is known.

        Raises:
            DeviceLimitError: Not even one.
        """
        limits = self.capability.limits
        recorded = plan.steps(plan.dt) // plan.record_every + 1 if keep == "trajectory" and plan.dt else 0
        vectors = len([name for name in _KEPT[keep] if name != "trajectory"])
        inertial = 2 if self.capability.spec.mass else 1
        record = 16 + 4 * units * (inertial * vectors + recorded)
        if record > limits.stored_bytes:
            raise DeviceLimitError(
                f"{self.link.name} stores {limits.stored_bytes} bytes of samples, and one of this plan takes {record}"
            )
        return min(plan.n_samples, limits.samples, limits.stored_bytes // record)

    def _load(self, plan: RunPlan) -> None:
        """Load the schedule and the initial states, unless the board holds them; end another's schedule."""
        if self.capability.spec.schedules:
            schedule, most = plan.bias_schedule, self.capability.limits.knots
            if schedule is not None and len(schedule.times) > most:
                raise DeviceLimitError(f"{self.link.name} takes {most} knots, the schedule has {len(schedule.times)}")
            self.put("PROG:SCH", pack_schedule(schedule), or_none=schedule is None)
        if not isinstance(plan.initial, str):
            self.put("RUN:STAT", pack_states(plan.initial))

    def put(self, path: str, payload: bytes, or_none: bool = False) -> None:
        """Load a payload unless the board holds it already; or, where that is as good, none."""
        stated = int.from_bytes(payload[-4:], "little")
        held = self.transfer.held(path)[0]
        if held != stated and not (or_none and held == 0):
            self.transfer.load(path, payload)

    def _lines(self, commands: list[str]) -> list[str]:
        """Join commands to as few lines as the board takes."""
        room = self.capability.limits.line_bytes - SEAL_BYTES - 1
        lines: list[str] = []
        for command in commands:
            if lines and len(lines[-1]) + len(command) + 2 <= room:
                lines[-1] += ";:" + command
            else:
                lines.append(command)
        return lines
