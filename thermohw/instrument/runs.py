# SPDX-License-Identifier: Apache-2.0
"""One run of a device in a thread of its own, so that the line stays answered meanwhile."""

import logging
import threading
from collections.abc import Callable

from thermohw.backends.emulated import default_step
from thermohw.device import ThermodynamicDevice
from thermohw.errors import DeviceLimitError, ThermoHWError
from thermohw.instrument.command_error import reason
from thermohw.plan import RunPlan
from thermohw.protocol import SampleLayout
from thermohw.protocol.sample_payload import PARTS
from thermohw.samples import Readout

_TIME_BYTES = 8
_POLL = 0.02

_log = logging.getLogger(__name__)


class _Stopped(Exception):
    """Raised inside a run that is to end."""


class Run:
    """A run that goes on, or has ended.

    Args:
        number: What the client calls it.
        plan: What to run.
        device: Holds the program.
        after: A run of the same device that was stopped, and may still wind down: it is waited for.
        ended: Called in the run's thread at its end.

    Attributes:
        number: What the client calls it.
        plan: What is run.
        done: Samples that are done.
        readout: What came out, once it is done.
        failure: Why there is none, once it has failed.
    """

    def __init__(
        self,
        number: int,
        plan: RunPlan,
        device: ThermodynamicDevice,
        after: "Run | None",
        ended: Callable[[], None],
    ) -> None:
        self.number = number
        self.plan = plan
        self.done = 0
        self.readout: Readout | None = None
        self.failure: str | None = None
        self._stopping = threading.Event()
        self._begun = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, args=(device, after, ended), daemon=True)
        self._thread.start()

    @property
    def going(self) -> bool:
        """Get whether it goes on."""
        return self.readout is None and self.failure is None

    @property
    def alive(self) -> bool:
        """Get whether it still uses the device, though it may have been stopped."""
        return self._thread.is_alive()

    def stop(self) -> bool:
        """Ask it to end without samples, which it does when its device next tells its progress.

        Returns whether it had begun to use the device.
        """
        with self._lock:
            self._stopping.set()
            return self._begun

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has released the device; returns whether it has."""
        self._thread.join(seconds)
        return not self.alive

    def _work(self, device: ThermodynamicDevice, after: "Run | None", ended: Callable[[], None]) -> None:
        try:
            self._begin(after)
            readout = device.run(self.plan, (), self._progress).readout()
            self._progress(self.plan.n_samples, self.plan.n_samples)
            self.readout = readout
        except _Stopped:
            self.failure = "it was stopped"
        except (ThermoHWError, MemoryError) as error:
            self.failure = reason(error)
        except Exception as error:  # whatever a device does: the instrument goes on
            _log.exception("run %d failed", self.number)
            self.failure = f"{type(error).__name__}: {error}"
        ended()

    def _begin(self, after: "Run | None") -> None:
        while after is not None and not after.wait(_POLL) and not self._stopping.is_set():
            pass
        with self._lock:
            if self._stopping.is_set():
                raise _Stopped
            self._begun = True

    def _progress(self, done: int, total: int) -> None:
        self.done = min(done, self.plan.n_samples)
        if self._stopping.is_set():
            raise _Stopped


def stored_bytes(plan: RunPlan, device: ThermodynamicDevice) -> int:
    """Get how many bytes the samples of a run will take, as far as its device lets know beforehand.

    Raises:
        DeviceLimitError: The device cannot record trajectories.
        PlanError: The duration is not a whole number of steps.
    """
    built = device.as_built
    inertial = device.spec.mass > 0 if built is None else built.inertial
    parts = 0 if built is None or built.balanced else PARTS["entropy"]
    if plan.keep != "none":
        parts |= PARTS["states"] | (PARTS["velocities"] if inertial else 0)
    if plan.keep in ("both", "trajectory"):
        parts |= PARTS["initial_states"] | (PARTS["initial_velocities"] if inertial else 0)
    recorded = 0
    if plan.dt is not None:
        plan.steps(plan.dt)
    if plan.keep == "trajectory":
        if not device.spec.trajectories:
            raise DeviceLimitError(f"{device.spec.name} cannot read out states during a run")
        dt = plan.dt if plan.dt is not None or built is None else default_step(plan, built)
        recorded = 1 if dt is None else plan.steps(dt) // plan.record_every + 1
        parts |= PARTS["trajectory"]
    layout = SampleLayout(parts, device.held.units, recorded)
    return plan.n_samples * layout.record_bytes + _TIME_BYTES * recorded
