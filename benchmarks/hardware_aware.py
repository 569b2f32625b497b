# SPDX-License-Identifier: Apache-2.0
"""Programs trained plainly and against a device's errors, on the same devices with the same noise.

    python benchmarks/hardware_aware.py mnist:DIR [--devices 8] [--samples 32] [--out DIR] [--figure FILE.png]

Preset `contrast`, one exemplar each of 0, 1 and 2, on three computers. In each case both programs run on the same
device instances; the aware one was trained on what the effects do on average over devices. Cells hold the mean of the
plain program, and the aware one's difference from it, in brackets in standard errors over devices, pair by pair; in
square brackets how many devices, where some have no value. Whole profiles run on half as many samples. With --out
finished points are kept, so that a run that was stopped goes on where it was.
"""

import argparse
import math
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thermohw import Program, TrainingRun, datasets, train
from thermohw.backends import open_device
from thermohw.errors import TrainingError
from thermohw.figures import save
from thermohw.figures.canvas import BLUE
from thermohw.images import Images
from thermohw.nonideal import (
    CouplingDrift,
    CouplingMismatch,
    Crosstalk,
    Effect,
    LineGainMismatch,
    Quantization,
    load_profile,
)
from thermohw.parallel import available_cores, map_blocks
from thermohw.statistics import Estimate
from thermohw.sweep.judge import Judge
from thermohw.sweep.measuring import Bench, SweepSettings, Task
from thermohw.sweep.points import Measure, Point, PointFile
from thermohw.training import load_config
from thermohw.training.coupling_errors import CouplingErrors
from thermohw.training.likelihood import maximize_likelihood
from thermohw.training.quadratic import PathQuadratic

DURATION, DT = 2.5, 2.5e-3
DAY = 86_400.0
OVERDRIVE = 1.25

COMPUTERS: dict[str, dict[str, Any]] = {
    "512 hidden units": {},
    "64 hidden units": {"hidden": 64, "hidden_code": "random", "hidden_amplitude": 60.0},
    "512 hidden units, 32 partners each": {"partners": 32},
}
MEASURES: dict[Measure, tuple[str, int]] = {
    "recognised": ("recognised", 3),
    "correlation": ("correlation", 3),
    "diversity": ("diversity", 3),
    "likelihood": ("likelihood gain", 4),
    "heat": ("heat (k_BT)", 0),
}
"""Title and decimals of each."""


@dataclass(frozen=True)
class Case:
    """One kind of error at one strength.

    Attributes:
        kind: In words.
        strength: Of the error; NaN where it is a whole profile.
        effects: Of the devices.
        clipped: Largest |J| that the devices hold over that of the plain program; None: no limit.
        scale: Of the plain program's couplings, as a control: what scaling alone does.
    """

    kind: str
    strength: float
    effects: tuple[Effect, ...] = ()
    clipped: float | None = None
    scale: float = 1.0

    def __str__(self) -> str:
        return self.kind if np.isnan(self.strength) else f"{self.kind} {self.strength:g}"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a case.

    Attributes:
        case: The case.
        plain: Points of the plain program, one a device.
        aware: Points of the aware program on the same devices.
    """

    case: Case
    plain: list[Point]
    aware: list[Point]

    @property
    def failures(self) -> tuple[int, int]:
        """Get how many devices could not run the plain and the aware program."""
        plain, aware = (sum(point.failure is not None for point in points) for points in (self.plain, self.aware))
        return plain, aware

    def estimates(self, measure: Measure) -> tuple[Estimate, Estimate, Estimate]:
        """Get the means over devices: plain, aware, and aware less plain device by device."""
        pairs = [
            (one.measures[measure], other.measures[measure])
            for one, other in zip(self.plain, self.aware, strict=True)
            if measure in one.measures and measure in other.measures
        ]
        plain, aware = np.array(pairs, np.float64).reshape(-1, 2).T
        return Estimate.of(plain), Estimate.of(aware), Estimate.of(aware - plain)


class CouplingJudge(Judge):
    """Judges by the likelihood that training maximises: of couplings alone, without the biases that are held."""

    @cached_property
    def quadratic(self) -> PathQuadratic | None:
        """Get the likelihood of the couplings; None where the training's path moments are not known."""
        if self.run is None or self.run.moments is None:
            return None
        return PathQuadratic(self.run.moments, self.topology, np.arange(0))

    @cached_property
    def digest(self) -> str:
        """Get a digest that keeps these points apart from those of a sweep."""
        return f"couplings alone, {Judge(self.program, self.run).digest}"


def cases() -> list[Case]:
    """Get all cases: random errors, systematic ones, and everything at once."""
    nan, profile = float("nan"), load_profile("pessimistic").effects
    unrounded = tuple(effect for effect in profile if not isinstance(effect, Quantization))
    gain = CouplingErrors.of(profile).gain
    return [
        Case("no errors", nan),
        *(Case("mismatch of couplings", std, (CouplingMismatch(std=std),)) for std in (0.05, 0.1, 0.2, 0.4)),
        *(Case("gain of a device", std, (LineGainMismatch(common_std=std),)) for std in (0.1, 0.2, 0.3)),
        Case(f"gain of a device 0.2, plain × {OVERDRIVE}", nan, (LineGainMismatch(common_std=0.2),), scale=OVERDRIVE),
        *(Case("gain of each line", std, (LineGainMismatch(std=std),)) for std in (0.1, 0.2, 0.4)),
        *(Case("crosstalk", share, (Crosstalk(coupling=share),)) for share in (0.02, 0.05, 0.1, 0.2)),
        *(Case("range of couplings", share, clipped=share) for share in (0.5, 0.25)),
        Case("known gain error", -0.3, (LineGainMismatch(common=-0.3),)),
        Case("a day's drift, ν =", 0.05, (CouplingDrift(nu=0.05, elapsed=DAY),)),
        Case("pessimistic", nan, profile),
        Case(f"pessimistic, plain × {1 / gain:.2f}", nan, profile, scale=1 / gain),
        Case("pessimistic, not rounded", nan, unrounded),
    ]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One computer, and where its programs are measured.

    Attributes:
        run: The plain training.
        settings: Devices, samples and noise.
        file: Where points are kept.
        kept: Finished points, by their keys.
    """

    run: TrainingRun
    settings: SweepSettings
    file: PointFile
    kept: dict[str, Point]

    def outcome(self, case: Case) -> Outcome:
        """Train against a case's errors, and measure both programs."""
        trained = self.run.program
        plain, limit = case.scale * trained.couplings, None
        if case.clipped is not None:
            limit = case.clipped * float(np.abs(plain).max())
            plain = np.clip(plain, -limit, limit)
        programs = [replace(trained, couplings=plain), self.aware(CouplingErrors.of(case.effects, limit))]
        with ThreadPoolExecutor(available_cores()) as pool:
            plain_points, aware_points = self._measured(case, programs, pool)
        return Outcome(case, plain_points, aware_points)

    def aware(self, errors: CouplingErrors) -> Program:
        """Get what `train` makes of these errors: its path moments are those of the plain training."""
        program, moments = self.run.program, self.run.moments
        assert moments is not None  # expected moments go with closed-form training
        quadratic = PathQuadratic(moments, program.topology, np.arange(0), errors=errors)
        return replace(program, couplings=maximize_likelihood(quadratic).z) if errors.present else program

    def _measured(self, case: Case, programs: list[Program], pool: Executor) -> list[list[Point]]:
        samples = max(self.settings.samples // 2, 1) if len(case.effects) > 1 else self.settings.samples
        opener = partial(open_device, "ideal", integrator="leimkuhler-matthews")
        bench = Bench(opener, CouplingJudge(self.run.program, self.run), replace(self.settings, samples=samples))

        def measure(task: Task) -> Point:
            point = bench.measure(task)
            self.file.add(point)
            return point

        rows = [[Task(program, case.effects, seed) for seed in bench.settings.device_seeds] for program in programs]
        tasks = {bench.key(task): task for row in rows for task in row}
        missing = [task for key, task in tasks.items() if key not in self.kept]
        self.kept.update((point.key, point) for point in map_blocks(measure, missing, pool))
        return [[self.kept[bench.key(task)] for task in row] for row in rows]


def cell(outcome: Outcome, measure: Measure) -> str:
    """Get "plain ± standard error, difference of the aware one (in its standard errors) [devices, where not all]"."""
    plain, _, difference = outcome.estimates(measure)
    digits = MEASURES[measure][1]
    least = 1e-9 * abs(plain.mean)  # differences below are rounding
    shown = f"{plain.mean:.{digits}f}"
    if not plain.standard_error <= least:
        shown += f" ± {plain.standard_error:.{digits}f}"
    if abs(difference.mean) <= least:
        shown += ", 0"
    else:
        shown += f", {difference.mean:+{'.0f' if abs(difference.mean) >= 10 else '.2g'}}"
        errors = difference.mean / difference.standard_error if difference.standard_error > least else math.inf
        shown += f" ({errors:+.{0 if abs(errors) >= 10 else 1}f})" if math.isfinite(errors) else ""
    if difference.count < len(outcome.plain):
        shown += f" [{difference.count}]"
    return shown.replace("-", "−")


def compare(images: Images, name: str, settings: SweepSettings, folder: Path | None) -> list[Outcome]:
    """Print the table of one computer, a row as soon as it is there."""
    run = train(images, load_config("contrast", COMPUTERS[name]))
    modes, strongest = run.metrics["growing_modes"], float(np.abs(run.program.couplings).max())
    print(f"\n{name}: {len(run.program.couplings)} couplings, max |J| = {strongest:.3g} k_BT, {modes} growing modes\n")
    print(f"| error | {' | '.join(title for title, _ in MEASURES.values())} |")
    print(f"|{'---|' * (len(MEASURES) + 1)}", flush=True)
    file = PointFile(folder)
    comparison = Comparison(run, settings, file, file.load())
    found: list[Outcome] = []
    for case in cases():
        try:
            outcome = comparison.outcome(case)
        except TrainingError as error:  # the other rows are not to be lost
            reason = str(error).replace("|", r"\|")
            print(f"| {case} (not trained: {reason}) |{' |' * len(MEASURES)}", flush=True)
            continue
        failed = f" (cannot run: {outcome.failures})" if any(outcome.failures) else ""
        print(f"| {case}{failed} | {' | '.join(cell(outcome, measure) for measure in MEASURES)} |", flush=True)
        found.append(outcome)
    return found


def draw(found: dict[str, list[Outcome]], devices: int) -> Figure:
    """Draw correlation, and of the first computer the likelihood, against the strength of each error."""
    kinds = ("mismatch of couplings", "gain of a device", "gain of each line", "crosstalk", "range of couplings")
    rows: list[tuple[str, Measure]] = [(name, "correlation") for name in found]
    rows.insert(1, (rows[0][0], "likelihood"))
    figure = Figure(figsize=(10.4, 1.6 * len(rows) + 0.7), layout="constrained")
    panels = cast(list[list[Axes]], figure.subplots(len(rows), len(kinds), sharex="col", sharey="row").tolist())
    for line, (name, measure) in zip(panels, rows, strict=True):
        line[0].set_ylabel("\n".join((*name.split(", "), MEASURES[measure][0])), fontsize=8)
        free = [outcome for outcome in found[name] if outcome.case.kind == "no errors"]
        for axes, kind in zip(line, kinds, strict=True):
            at_zero = 1.0 if kind == "range of couplings" else 0.0
            points = [(o.case.strength, o) for o in found[name] if o.case.kind == kind]
            _draw_pair(axes, sorted([(at_zero, free[0]), *points], key=lambda point: point[0]), measure)
    for axes, kind in zip(panels[0], kinds, strict=True):
        axes.set_title(kind, fontsize=9)
    words = ("relative standard deviation",) * 3 + ("share of a neighbour", "share of the largest |J|")
    for axes, word in zip(panels[-1], words, strict=True):
        axes.set_xlabel(word, fontsize=8)
    panels[0][0].legend(fontsize=8, frameon=False, loc="lower left")
    figure.supxlabel(f"mean ± standard error over {devices} devices, the same for both programs", fontsize=8)
    return figure


def _draw_pair(axes: Axes, points: list[tuple[float, Outcome]], measure: Measure) -> None:
    # curves that coincide lie nested, the plain one wider, so that neither hides the other
    for index, (label, colour, width) in enumerate((("plain", "0.6", 2.6), ("aware", BLUE, 1.1))):
        estimates = [outcome.estimates(measure)[index] for _, outcome in points]
        means, errors = [each.mean for each in estimates], [each.standard_error for each in estimates]
        strengths = [strength for strength, _ in points]
        axes.errorbar(strengths, means, errors, color=colour, lw=width, capsize=1.5 + width)
        axes.plot(strengths, means, "os"[index], color=colour, ms=2.5 + 1.4 * width, label=label)
    if len(points) == 1:
        axes.text(0.5, 0.5, "no convergence", transform=axes.transAxes, ha="center", fontsize=8, color="0.4")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.92", linewidth=0.6)
    axes.tick_params(labelsize=8)


def main() -> None:
    """Print a table for each computer, and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", help="mnist:DIR or another source with classes 0, 1 and 2")
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--out", type=Path, help="folder where finished points are kept")
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    images = datasets.load(arguments.images).select([0, 1, 2], 1, 0)
    settings = SweepSettings(arguments.devices, arguments.samples, DURATION, DT)
    started = time.perf_counter()
    found = {name: compare(images, name, settings, arguments.out) for name in COMPUTERS}
    print(f"\n{time.perf_counter() - started:.0f} s")
    if arguments.figure is not None:
        save(draw(found, arguments.devices), arguments.figure)


if __name__ == "__main__":
    main()
