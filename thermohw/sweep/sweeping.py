# SPDX-License-Identifier: Apache-2.0
"""Sweeps: programs on many devices, at several strengths of an effect."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from thermohw.backends import SimulatedDevice
from thermohw.device import Progress
from thermohw.errors import DeviceLimitError, PlanError, TrainingError
from thermohw.nonideal import Effect, NonidealDevice
from thermohw.nonideal.effect import ProgramEffect
from thermohw.parallel import available_cores, map_blocks
from thermohw.program import Program
from thermohw.sweep.axis import Axis
from thermohw.sweep.judge import Judge
from thermohw.sweep.measuring import Bench, Opener, SweepSettings, Task
from thermohw.sweep.points import Point, PointFile
from thermohw.sweep.results import Curve, Level, Sweep
from thermohw.training import TrainingRun


def sweep(
    subject: TrainingRun | Program,
    axes: Sequence[Axis],
    *,
    label: str = "program",
    rivals: Mapping[str, Program] | None = None,
    background: Sequence[Effect] = (),
    settings: SweepSettings | None = None,
    opener: Opener = SimulatedDevice,
    folder: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Measure how programs fare on imperfect devices, against the strength of an effect.

    All programs are judged by the subject's training: fidelity against its references, likelihood by its path moments
    in units of its own program's. Devices and the noise of their runs are the same at all strengths and for all
    programs, so that differences stand out; points of the same effects are measured once.

    Args:
        subject: A training; or a program alone, of which only the heat is told.
        axes: What is varied, one at a time.
        label: What the subject's program is called.
        rivals: Other programs by their labels, with as many visible units.
        background: Effects present at all points; a varied effect among them keeps its other fields.
        settings: What is run at each point.
        opener: Opens the device under the effects; each point opens one and runs it on one thread.
        folder: Where points are kept as they are finished; those already there are not measured again.
        workers: Points at a time; None for one a core. Results do not depend on it.
        progress: Called with (done, total).

    Raises:
        DeviceLimitError: A device cannot hold a program, or have an effect; or none of them could run.
        PlanError: No axis, no worker, or a label that stands twice.
        TrainingError: A rival with another number of visible units.
        StorageError: The folder cannot be written.
        FileFormatError: The folder's points are damaged, or another file.
    """
    judge = Judge(subject.program, subject) if isinstance(subject, TrainingRun) else Judge(subject)
    chosen = settings or SweepSettings()
    _check_choices(axes, label, rivals or {}, workers)
    programs = {label: judge.program, **(rivals or {})}
    name = _check_devices(opener, judge, programs, axes, background)
    bench = Bench(opener, judge, chosen)
    grid = _Grid.of(bench, programs, axes, background)
    file = PointFile(None if folder is None else Path(folder))
    kept = file.load()
    points = {key: kept[key] for key in grid.tasks if key in kept}
    reused = len(points)
    for point in _measured(bench, file, [task for key, task in grid.tasks.items() if key not in kept], workers):
        points[point.key] = point
        if progress is not None:
            progress(len(points), len(grid.tasks))
    failures = [point.failure for point in points.values()]
    if all(failures):
        raise DeviceLimitError(f"no device of this sweep could run; the first one: {failures[0]}")
    curves = grid.curves(points)
    return Sweep(name, tuple(background), chosen, curves, _remarks(judge, programs, axes), len(points) - reused, reused)


@dataclass(frozen=True, eq=False)
class _Grid:
    """The points of a sweep.

    Attributes:
        programs: By their labels.
        places: Keys of the points, one a device, by label, axis and value.
        tasks: Each point once, by its key.
    """

    programs: Mapping[str, Program]
    places: Mapping[tuple[str, Axis, float | None], list[str]]
    tasks: Mapping[str, Task]

    @staticmethod
    def of(
        bench: Bench, programs: Mapping[str, Program], axes: Sequence[Axis], background: Sequence[Effect]
    ) -> "_Grid":
        places: dict[tuple[str, Axis, float | None], list[str]] = {}
        tasks: dict[str, Task] = {}
        for axis in axes:
            for value in axis.values:
                effects = axis.effects(background, value)
                for label, program in programs.items():
                    row = [Task(program, effects, seed) for seed in bench.settings.device_seeds]
                    keys = [bench.key(task) for task in row]
                    places[label, axis, value] = keys
                    tasks |= dict(zip(keys, row, strict=True))
        return _Grid(programs, places, tasks)

    def curves(self, points: Mapping[str, Point]) -> tuple[Curve, ...]:
        """Average the points over devices."""
        levels: dict[tuple[str, Axis], list[Level]] = {}
        for (label, axis, value), keys in self.places.items():
            levels.setdefault((label, axis), []).append(Level.of(value, [points[key] for key in keys]))
        return tuple(
            Curve(label, self.programs[label].digest, axis, tuple(found)) for (label, axis), found in levels.items()
        )


def _measured(bench: Bench, file: PointFile, tasks: Sequence[Task], workers: int | None) -> Iterator[Point]:
    """Measure points, and keep each as soon as it is there; yields them in the order of the tasks."""

    def measure(task: Task) -> Point:
        point = bench.measure(task)
        file.add(point)
        return point

    with ThreadPoolExecutor(workers or available_cores()) as pool:
        yield from map_blocks(measure, tasks, pool)


def _check_choices(axes: Sequence[Axis], label: str, rivals: Mapping[str, Program], workers: int | None) -> None:
    if not axes:
        raise PlanError("a sweep needs an effect to vary")
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"{name} is varied twice; give all its values at once")
    if label in rivals:
        raise PlanError(f"two programs are called {label!r}; each needs a label of its own")
    if workers is not None and workers < 1:
        raise PlanError(f"a sweep needs at least 1 worker, got {workers}")


def _check_devices(
    opener: Opener, judge: Judge, programs: Mapping[str, Program], axes: Sequence[Axis], background: Sequence[Effect]
) -> str:
    """Refuse, before anything runs, what no point could do; returns the device's name."""
    with opener() as device:
        for label, program in programs.items():
            if judge.run is not None and program.topology.visible != judge.topology.visible:
                raise TrainingError(
                    f"{label} has {program.topology.visible} visible units, the references {judge.topology.visible}"
                )
            device.program(program)
        for axis in axes:
            for value in axis.values:
                NonidealDevice(device, axis.effects(background, value), 0)
        return device.spec.name


def _remarks(judge: Judge, programs: Mapping[str, Program], axes: Sequence[Axis]) -> tuple[str, ...]:
    """Say what is not measured, or cannot depend on an effect."""
    if judge.run is None:
        return ("no fidelity and no likelihood: these need a run's folder, with references and path moments",)
    if judge.quadratic is None:
        return ("no likelihood: this run has no path moments; train it again",)
    remarks = [
        f"no likelihood of {label}: it couples other pairs than the run's program, whose path moments are known"
        for label, program in programs.items()
        if not judge.judges_likelihood(program)
    ]
    remarks += [
        f"the likelihood is that of couplings and biases, in which {axis.effect.name()} has no part"
        for axis in axes
        if not issubclass(axis.effect, ProgramEffect)
    ]
    return tuple(remarks)
