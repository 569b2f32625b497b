# SPDX-License-Identifier: Apache-2.0
"""A board on a serial line, or whatever speaks its protocol (docs/protocol.md)."""

import logging
import secrets
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from thermohw.backends.serial_job import SerialJob
from thermohw.backends.serial_journal import Journal, Runs
from thermohw.backends.serial_link import LinkStatistics, SerialLink
from thermohw.backends.serial_run import Board, TooMuchForBoard
from thermohw.backends.serial_table import finest_table, is_exact
from thermohw.backends.serial_transfer import Transfer
from thermohw.device import Progress, ThermodynamicDevice
from thermohw.errors import InstrumentError
from thermohw.langevin.ensemble import Keep
from thermohw.langevin.observer import Observer
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.protocol import Capability
from thermohw.protocol.capability import MAX_CAPABILITY_BYTES
from thermohw.protocol.payloads import pack_program
from thermohw.samples import Readout
from thermohw.tables import CouplingTable
from thermohw.transport import SerialTransport, Transport

_log = logging.getLogger(__name__)


class SerialDevice(ThermodynamicDevice):
    """A board at the other end of a line.

    What a board says of itself is checked and then taken as its spec. A board that holds codes only gets the finest
    table of each program; `held` is then what the codes stand for. Runs that are too long for the board's memory are
    made in parts. Damage on the line is repaired and a broken line opened again without the caller's help; an
    interrupted run leaves the board stopped.

    Args:
        url: Device name (`/dev/ttyACM0`, `COM3`, a link to a pseudo-terminal), or a URL that pyserial knows
            (`socket://board:5025`, `rfc2217://…`).
        baudrate: Of a real serial port.
        timeout: Longest silence before an answer, s.
        retries: How often a question is repeated whose answer does not get through.
        transport: Opens the line instead, once at first and again whenever it breaks.
        journal: Folder in which fetched samples are kept until their run is complete: the same plan, with its seed,
            goes on from there in another process. Runs with observers are not kept.
        run_numbers: Numbers of the runs, 1 … 2³² − 1; random if not given, so that no old run is taken for a new one.

    Raises:
        TransportError: The line cannot be opened, or nobody answers.
        ProtocolError: Who answers does not speak the protocol, or makes no sense.
    """

    def __init__(
        self,
        url: str,
        *,
        baudrate: int = 115_200,
        timeout: float = 1.0,
        retries: int = 50,
        transport: Callable[[], Transport] | None = None,
        journal: Path | None = None,
        run_numbers: Iterator[int] | None = None,
    ) -> None:
        link = SerialLink(transport or (lambda: SerialTransport(url, baudrate)), url, timeout, retries)
        link.open()
        try:
            identity = link.ask("*IDN?")[:200]
            capability = Capability.read(link.ask_block("SYST:CAP?", MAX_CAPABILITY_BYTES), url)
            printable = "".join(letter if letter.isprintable() else "?" for letter in identity)
            details = {**capability.spec.details, "instrument": printable, "url": url}
            super().__init__(capability.spec.model_copy(update={"details": details}))
        except BaseException:
            link.part()
            raise
        link.name = f"{capability.spec.name} at {url}"
        link.quiet = capability.limits.quiet
        self._link = link
        self._board = Board(link, Transfer(link, capability.limits), capability)
        self._journal_folder = journal
        self._numbers = run_numbers or iter(lambda: 1 + secrets.randbelow(2**32 - 1), 0)
        self._finest: tuple[Program, CouplingTable] | None = None
        self._code = 0
        self._leave = weakref.finalize(self, link.part)  # at the interpreter's end too
        _log.info("%s: %s", link.name, printable)

    @property
    def capability(self) -> Capability:
        """Get what the board says of itself."""
        return self._board.capability

    @property
    def statistics(self) -> LinkStatistics:
        """Get what has happened on the line so far."""
        return self._link.statistics

    def _accept(self, program: Program) -> Program:
        """Get the program that the board will hold: this one, or the nearest that 16 bits can tell."""
        self._check_limits(program)
        if "float64" in self.capability.programs:
            return program
        table = finest_table(program)
        held = program if is_exact(table, program) else table.program
        self._finest = held, table
        return held

    def _program(self, program: Program) -> None:
        if "float64" in self.capability.programs:
            self._put_program(pack_program(program))
        else:
            known = self._finest is not None and self._finest[0] is program
            table = self._finest[1] if known and self._finest else finest_table(program)
            self._put_program(table.to_bytes())

    def _load_table(self, table: CouplingTable) -> None:
        if "table" in self.capability.programs:
            self._put_program(table.to_bytes())
        else:
            self._program(table.program)

    def _put_program(self, payload: bytes) -> None:
        """Load a program unless the board holds it, with its own biases."""
        self._code = int.from_bytes(payload[-4:], "little")
        if self._board.transfer.held("PROG", "PROG:BIAS") != [self._code, 0]:
            self._board.transfer.load("PROG", payload)

    def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
        watching = bool(observers)
        folder = None if watching else self._journal_folder
        journal = None if folder is None else Journal(folder, self.held, plan)
        try:
            readout = self._carry_out(plan, observers, progress, journal)
        except BaseException:
            self._link.abort()
            raise
        if journal is not None:
            journal.remove()
        return readout

    def _carry_out(
        self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None, journal: Journal | None
    ) -> Readout:
        board, held = self._board, self.held
        if board.transfer.held("PROG") != [self._code]:
            raise InstrumentError(
                f"{self._link.name} does not hold the program any more that was loaded: it restarted, or somebody else "
                "works with it; program it again"
            )
        keep = self._keep(plan, bool(observers))
        known = None if journal is None else journal.runs()
        part = board.fitting(plan, keep, held.units) if known is None else known.part
        while True:
            runs = known or Runs(part, (0,) * -(-plan.n_samples // part))
            job = SerialJob(board, plan, keep, observers, progress, journal, held)
            try:
                runs = job.carry_out(runs, self._numbers)
            except TooMuchForBoard:
                if part == 1 or job.gathering.done.any():
                    raise
                known, part = None, (part + 1) // 2
            else:
                return job.gathering.readout(held, self.capability, runs.dt, runs.times)

    def _keep(self, plan: RunPlan, watching: bool) -> Keep:
        """Get what the board is to keep: what the plan wants, and what heat and observers need."""
        if watching:
            return "trajectory"
        if not self.capability.heat and plan.bias_schedule is None and plan.keep in ("none", "final"):
            return "both"
        return plan.keep

    def _close(self) -> None:
        statistics = self.statistics
        _log.info("%s: %d exchanges, %d retries, %d reconnects", self._link.name, *vars(statistics).values())
        self._leave()
