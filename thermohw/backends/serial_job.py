# SPDX-License-Identifier: Apache-2.0
"""A plan under way on a board: its parts run one after another, and their samples are fetched."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.serial_gathering import Gathering
from thermohw.backends.serial_journal import Journal, Runs
from thermohw.backends.serial_run import Board
from thermohw.device import DeviceSpec, Progress
from thermohw.errors import InstrumentError
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics
from thermohw.langevin.ensemble import RECORD_BYTES, Keep
from thermohw.langevin.observer import Observer, TrajectoryPiece
from thermohw.plan import RunPlan
from thermohw.program import Program


class SerialJob:
    """A plan under way: its parts run one after another, and their samples are gathered."""

    def __init__(
        self,
        board: Board,
        plan: RunPlan,
        keep: Keep,
        observers: Sequence[Observer],
        progress: Progress | None,
        journal: Journal | None,
        held: Program,
    ) -> None:
        self._board, self._plan, self._held = board, plan, held
        self._keep: Keep = keep
        self._observers, self._journal = observers, journal
        self._progress = progress
        self.gathering = Gathering(plan, board.capability.heat)

    def carry_out(self, runs: Runs, numbers: Iterator[int]) -> Runs:
        """Run all parts; returns the runs with what the board said of their times.

        Args:
            runs: Those that were started before, if any.
            numbers: Of those to come.

        Raises:
            TooMuchForBoard: A part does not fit into the board.
            InstrumentError: The board lost a run, or failed.
        """
        if self._journal is not None:
            for first, arrays in self._journal.pieces():
                self.gathering.put(first, arrays)
        for index, plan in enumerate(self._plan.split(runs.part)):
            first = plan.first_chain - self._plan.first_chain
            rows = range(first, first + plan.n_samples)
            if not self.gathering.missing(rows):
                continue
            if not self._goes_on(runs.numbers[index]):
                runs = runs.started(index, next(numbers))
                self._note(runs)
                self._board.start(plan, self._keep, runs.numbers[index])
            run = runs.numbers[index]
            self._board.wait(run, lambda done, first=first: self._tell(first + done // 2))
            runs = self._timed(runs)
            self._note(runs)
            self._fetch(run, rows, runs)
        return runs

    def _goes_on(self, run: int) -> bool:
        """Get whether the board still works on a run that was started before, or holds it."""
        if not run:
            return False
        told = self._board.progress()
        return told.run == run and told.state in ("RUNNING", "DONE")

    def _timed(self, runs: Runs) -> Runs:
        """Add the time step and the times of the records, which all parts share."""
        dt = self._board.number("RUN:DT?")
        times = self._board.times() if self._keep == "trajectory" else np.empty(0)
        if np.isfinite(runs.dt) and not (dt == runs.dt and np.array_equal(times, runs.times)):
            raise InstrumentError(
                f"{self._board.link.name} took the step {runs.dt:g} in one part of a run and {dt:g} later"
            )
        return replace(runs, dt=dt, times=times)

    def _note(self, runs: Runs) -> None:
        if self._journal is not None:
            self._journal.note(runs)

    def _fetch(self, run: int, rows: range, runs: Runs) -> None:
        """Fetch the samples of a run that are not there yet, and show them to the observers."""
        units, recorded = self._held.units, len(runs.times)
        try:
            for gap in self.gathering.missing(rows):
                wanted = range(gap.start - rows.start, gap.stop - rows.start)
                layout = self._board.layout(run, wanted.start, self._keep, units, recorded)
                for first, arrays in self._board.transfer.fetch(run, layout, wanted):
                    self.gathering.put(rows.start + first, arrays)
                    if self._journal is not None:
                        self._journal.add((rows.start + first, arrays))
                    if self._observers:
                        self._show(self._plan.first_chain + rows.start + first, arrays, runs)
                    self._tell(rows.start + (len(rows) + first + len(arrays["heat"])) // 2)
                if self._journal is not None:
                    self._journal.flush()  # a piece holds no gap
        except BaseException:
            if self._journal is not None:
                self._journal.flush()
            raise

    def _tell(self, done: int) -> None:
        if self._progress is not None:
            self._progress(done, self._plan.n_samples)

    def _show(self, first_chain: int, arrays: Mapping[str, NDArray[Any]], runs: Runs) -> None:
        """Show trajectories to the observers, in pieces as emulators do."""
        spec: DeviceSpec = self._board.capability.spec
        built = replace(AsBuilt.from_program(self._held, spec.mobility, spec.kT), mass=np.array(spec.mass))
        spacing = self._plan.record_every
        dt = runs.dt or float(runs.times[1:2].sum() / spacing) or self._plan.duration
        dynamics = Dynamics(built, dt, self._plan.bias_schedule)
        states = np.ascontiguousarray(arrays["trajectory"].transpose(1, 0, 2), np.float32)
        at_once = max(1, RECORD_BYTES // max(1, states[0].nbytes))
        watching = [observer.fresh() for observer in self._observers]
        for start, watcher in itertools.product(range(0, len(states) - 1, at_once), watching):
            piece = states[start : start + at_once + 1]
            watcher.observe(TrajectoryPiece(piece, dynamics, first_chain, start * spacing, spacing))
        for observer, seen in zip(self._observers, watching, strict=True):
            observer.absorb(seen)
