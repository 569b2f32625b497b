# SPDX-License-Identifier: Apache-2.0
"""An instrument around a device: what it holds, and its states (docs/protocol.md, section 4), without any line."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from thermohw import __version__
from thermohw.device import DeviceSpec, ThermodynamicDevice
from thermohw.errors import DeviceLimitError, DeviceStateError
from thermohw.instrument.command_error import CommandError
from thermohw.instrument.registers import StatusRegisters
from thermohw.instrument.runs import Run, stored_bytes
from thermohw.instrument.settings import Settings
from thermohw.instrument.upload import UploadArea
from thermohw.langevin.schedule import BiasSchedule
from thermohw.program import Program
from thermohw.protocol import VERSION, Capability, LineLimits, SampleLayout, pack_samples
from thermohw.protocol.payloads import pack_times, unpack_biases, unpack_program, unpack_schedule, unpack_states
from thermohw.protocol.sample_payload import HEADER
from thermohw.samples import Readout
from thermohw.transport.blocks import CHECKSUM_BYTES

LIMITS = LineLimits(
    line_bytes=4096,
    block_bytes=64 * 2**20,
    upload_bytes=256 * 2**20,
    fetch_bytes=64 * 2**20,
    samples=2**24,
    stored_bytes=2**31,
    knots=2**20,
)
"""What an emulated instrument takes."""

WIND_DOWN = 5.0
"""Longest that a load waits for a run that was stopped to release the device, s."""

What = Literal["program", "biases", "schedule", "states"]
State = Literal["IDLE", "READY", "RUNNING", "DONE", "FAILED"]


class Instrument:
    """A device as an instrument: settings, loads, runs and their samples. Used by one thread.

    Refusals are `CommandError`s, or errors of the package that `CommandError.of` gives a number.

    Args:
        device: Whatever can run a program; it is closed with the instrument.
        limits: What goes over the line and into memory.
        ended: Called in another thread whenever a run ends.

    Attributes:
        status: Error queue and registers.
        settings: Of the next run.
        upload: The upload area.
        capability: What the instrument says of itself.
        last_failure: Why the last run that failed did.

    Raises:
        DeviceLimitError: What the device says of itself does not go over a line.
    """

    def __init__(
        self, device: ThermodynamicDevice, limits: LineLimits = LIMITS, ended: Callable[[], None] | None = None
    ) -> None:
        self.status = StatusRegisters()
        self.settings = Settings()
        self.upload = UploadArea(limits.upload_bytes)
        self.capability = _capability(device.spec, limits)
        self.last_failure = ""
        self._device = device
        self._ended = ended
        self._last_number = 0
        self._run: Run | None = None
        self._stopped: Run | None = None
        self._settled = True
        self._dt_used = False  # whether the step of the last run is what counts, not the setting
        self._forget_program()

    @property
    def identity(self) -> str:
        """Get maker, model, serial number, firmware and protocol."""
        spec = self.capability.spec
        name = "".join(letter if letter.isprintable() and letter not in ',;"' else " " for letter in spec.name)
        serial = spec.details.get("device_seed", "0")
        plain = name.encode("ascii", "replace").decode()
        return f"thermohw,{plain},{serial},{__version__} protocol {VERSION}"

    @property
    def limits(self) -> LineLimits:
        """Get what goes over the line and into memory."""
        return self.capability.limits

    @property
    def running(self) -> bool:
        """Get whether a run goes on."""
        return self._run is not None and self._run.going

    @property
    def state(self) -> State:
        """Get the state of the state machine."""
        if self._program is None:
            return "IDLE"
        if self._run is None:
            return "READY"
        if self._run.going:
            return "RUNNING"
        return "FAILED" if self._run.readout is None else "DONE"

    @property
    def progress(self) -> tuple[int, State, int, int]:
        """Get number of the last run, state, samples done and samples in all."""
        state, run = self.state, self._run
        if run is None:
            return self._last_number, state, 0, self.settings.samples
        return run.number, state, run.plan.n_samples if state == "DONE" else run.done, run.plan.n_samples

    @property
    def dt(self) -> float:
        """Get the time step that was used; before a run the one that was set."""
        readout = None if self._run is None else self._run.readout
        return self.settings.dt if readout is None or not self._dt_used else readout.dt or 0.0

    def settle(self) -> None:
        """Take note of a run that has ended since: its failure goes into the error queue."""
        run = self._run
        if run is not None and not run.going and not self._settled:
            self._settled = True
            if run.failure is not None:
                self.last_failure = run.failure
                self.status.report(CommandError(-200, run.failure))
        if not self.running:
            self.status.complete()

    def set(self, **values: Any) -> None:
        """Change settings.

        Raises:
            CommandError: A run goes on.
        """
        self._require_idle()
        self.settings = replace(self.settings, **values)
        self._dt_used &= "dt" not in values

    def checksum(self, what: What) -> int:
        """Get the last four bytes of the payload that is loaded; 0 if there is none."""
        return self._checksums.get(what, 0)

    def load(self, what: What, payload: bytes | bytearray) -> None:
        """Load a payload.

        Raises:
            CommandError: A run goes on, no program is there, or there is too much.
            ProtocolError: The payload is damaged.
            DeviceLimitError: The device cannot hold it.
        """
        self._require_idle()
        if what == "program":
            self._load_program(bytes(payload))
        elif self._program is None:
            raise CommandError(-221, f"{what} come after a program: none is loaded")
        else:
            self._load_besides(what, bytes(payload), self._program)
        self._checksums[what] = int.from_bytes(payload[-CHECKSUM_BYTES:], "little")

    def initiate(self, number: int | None = None) -> None:
        """Start a run. One of the same number that goes on, or has ended with its samples here, is left alone.

        Raises:
            CommandError: Another run goes on, no program is there, or states do not fit; too many samples.
            PlanError: The settings do not go together.
        """
        run = self._run
        if run is not None and number == run.number:
            return
        if self.running:
            raise CommandError(-213, f"run {self._last_number} goes on")
        if self._program is None:
            raise CommandError(-221, "no program is loaded")
        plan = self.settings.plan(self._schedule, self._states)
        if self._stopped is not None and not self._stopped.alive:
            self._stopped = None
        needed, limit = stored_bytes(plan, self._device), self.limits.stored_bytes
        if needed > limit:
            raise CommandError(-223, f"the samples take {needed} bytes, {limit} are there; run parts, by RUN:FIRSt")
        self._forget_samples()
        self._last_number = self._last_number % (2**32 - 1) + 1 if number is None else number
        self._settled, self._dt_used = False, True
        self._run = Run(self._last_number, plan, self._device, self._stopped, self._ended or (lambda: None))

    def abort(self) -> None:
        """Stop the run that goes on; its samples are lost, those of a finished run stay.

        An emulated device is safe between runs: nothing drives its couplings and biases then.
        """
        run = self._run
        if run is not None and run.going:
            if run.stop():
                self._stopped = run
            self._run = None

    def fetch(self, first: int, count: int) -> bytes:
        """Get the payload of samples of the last run.

        Raises:
            CommandError: There are none, not as many, or they are too long for one reply.
        """
        readout = self._readout()
        present = len(readout.heat)
        if first + count > present:
            raise CommandError(
                -222, f"samples 0 ... {present - 1} are there, asked for {first} ... {first + count - 1}"
            )
        assert self._program is not None  # samples are forgotten with their program
        layout = replace(SampleLayout.of(readout), units=self._program.units)
        size = HEADER.size + count * layout.record_bytes + CHECKSUM_BYTES
        self._require_fetchable(size)
        return pack_samples(readout, layout, self._last_number, first, count)

    def times(self) -> bytes:
        """Get the payload of the times of the recorded states.

        Raises:
            CommandError: There are none.
        """
        times = self._readout().times
        if times is None:
            raise CommandError(-230, "the last run recorded no trajectory")
        self._require_fetchable(times.nbytes + CHECKSUM_BYTES)
        return pack_times(times)

    def reset(self) -> None:
        """Stop, and forget program, settings, samples and the upload area."""
        self.abort()
        self._forget_program()
        self.settings = Settings()
        self.upload.clear()

    def close(self, seconds: float = WIND_DOWN) -> bool:
        """Stop, and close the device; returns whether the run has released it within so many seconds."""
        self.abort()
        released = self._stopped is None or self._stopped.wait(seconds)
        self._device.close()
        return released

    def _require_idle(self) -> None:
        if self.running:
            raise CommandError(-221, f"run {self._last_number} goes on")

    def _require_fetchable(self, size: int) -> None:
        if size > self.limits.fetch_bytes:
            raise CommandError(-223, f"a reply may have {self.limits.fetch_bytes} bytes, this one has {size}")

    def _readout(self) -> Readout:
        readout = None if self._run is None else self._run.readout
        if readout is None:
            raise CommandError(-230, f"there are no samples: the state is {self.state}")
        return readout

    def _forget_samples(self) -> None:
        self._run = None

    def _forget_program(self) -> None:
        self._program: Program | None = None
        self._schedule: BiasSchedule | None = None
        self._states: NDArray[np.float32] | None = None
        self._checksums: dict[What, int] = {}
        self._forget_samples()

    def _program_device(self, program: Any) -> None:
        """Program the device; where that fails halfway, no program is left."""
        if self._stopped is not None and not self._stopped.wait(WIND_DOWN):
            raise CommandError(-221, "the run that was stopped still winds down; ask again")
        self._stopped = None
        try:
            self._device.program(program)
        except Exception:
            try:
                _ = self._device.held
            except DeviceStateError:
                self._forget_program()
            raise

    def _load_program(self, payload: bytes) -> None:
        program = unpack_program(payload)
        self._program_device(program)
        self._forget_program()
        self._program = program if isinstance(program, Program) else program.program

    def _load_besides(self, what: What, payload: bytes, program: Program) -> None:
        if what == "biases":
            changed = program.with_biases(unpack_biases(payload, program.units))
            self._program_device(changed)
            self._program = changed
        elif what == "states":
            self._states = unpack_states(payload, program.units)
        else:
            self._load_schedule(payload, program)

    def _load_schedule(self, payload: bytes, program: Program) -> None:
        schedule = unpack_schedule(payload, program.units)
        knots = 0 if schedule is None else len(schedule.times)
        if knots > self.limits.knots:
            raise CommandError(-223, f"a schedule may have {self.limits.knots} knots, this one has {knots}")
        if schedule is not None and not self.capability.spec.schedules:
            raise CommandError(-221, f"{self.capability.spec.name} cannot change biases during a run")
        self._schedule = schedule


def _capability(spec: DeviceSpec, limits: LineLimits) -> Capability:
    try:
        return Capability(protocol=VERSION, spec=spec, programs=("table", "float64"), limits=limits)
    except ValidationError as error:
        raise DeviceLimitError(f"{spec.name} cannot be told over a line: {error.errors()[0]['msg']}") from error
