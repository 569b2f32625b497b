# SPDX-License-Identifier: Apache-2.0
"""Probing: a device run under one pattern of applied biases after another, and read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thermohw.backends.analog import SETTLING
from thermohw.device import DeviceSpec, Progress, ThermodynamicDevice
from thermohw.errors import CalibrationError, PlanError
from thermohw.estimation.basis import Basis, Floats
from thermohw.estimation.estimates import AnyMethod, Estimates, estimate
from thermohw.estimation.excitation import applied_biases
from thermohw.estimation.lines import FEATURES, LineMoments, estimate_lines
from thermohw.estimation.measuring import measure, runs_of
from thermohw.estimation.moments import LaggedMoments
from thermohw.estimation.pair_moments import MATRICES, PairMoments
from thermohw.estimation.pairs import PairEstimates, PairPrior, estimate_pairs
from thermohw.estimation.readings import Readings, check_csv, file_of
from thermohw.estimation.recipes import Recipe
from thermohw.estimation.request import Request, identity
from thermohw.estimation.sums import LAGS, PRODUCTS
from thermohw.langevin.noise import choose_seed
from thermohw.program import Program

MOST_BYTES = 2**30
"""Largest sums of a run, bytes; while it goes on there are several copies of them."""


MOST_OF_READINGS = 2**31
"""Largest readings of a pattern, bytes."""

MOST_INERTIA = 0.2
"""Longest memory of a unit's velocity, in intervals between readings."""


@dataclass(frozen=True, eq=False)
class Probe:
    """What probing gave.

    Attributes:
        folder: Where the readings stand.
        request: What was asked.
        program: What the device holds of the program, without applied biases.
        moments: Sums over all patterns.
        seconds: (patterns,) wall time of each.
        measured: Patterns measured by this call; the others were there already.
    """

    folder: Path
    request: Request
    program: Program
    moments: LaggedMoments | LineMoments
    seconds: Floats
    measured: int

    @property
    def method(self) -> AnyMethod:
        """Get how estimates can be made: as the recipe says, or by states alone where the motion says nothing."""
        request = self.request
        return request.recipe.method if _moves_by_law(request.device, request.recipe) else "snapshots"

    def estimate(self) -> Estimates:
        """Estimate the device's parameters.

        Raises:
            CalibrationError: Too few readings, features that did not vary independently, or noise that cannot be told.
        """
        noise, method = self.request.recipe.noise, self.method
        if isinstance(self.moments, LineMoments):
            return estimate_lines(self.moments, noise)
        assert method != "lines" and method != "pairs"  # moments are as the recipe says
        return estimate(self.moments, self.program.topology, method, noise)

    def estimate_pairs(self, lines: Estimates) -> PairEstimates | None:
        """Estimate couplings one by one from the readings in the folder, about their lines; None if nobody asked.

        Raises:
            CalibrationError: Lines that are no prior: a mobility or temperature that is not positive.
            FileFormatError: A file of readings is damaged.
            StorageError: It cannot be read.
        """
        recipe, program = self.request.recipe, self.program
        if recipe.method != "pairs":
            return None
        prior = PairPrior.of(lines, program, recipe.coupling_width)
        total = PairMoments(np.zeros(program.units))
        for number in range(recipe.patterns):
            total.absorb(Readings.load(self.folder, number, self.request, program).pair_moments())
        return estimate_pairs(total, prior)


def probe(
    device: ThermodynamicDevice,
    program: Program,
    recipe: Recipe,
    folder: Path,
    seed: int | None = None,
    progress: Progress | None = None,
    *,
    as_csv: bool = False,
) -> Probe:
    """Run a device under the patterns of a recipe and read it; patterns that the folder holds are not run again.

    What is applied to each unit is what the device says it holds, so that saturation and codes are reckoned with. All
    patterns are parts of one ensemble: the chains are numbered on from pattern to pattern.

    Args:
        device: Any device; one without trajectories gives states at the end of runs, a run a reading.
        program: What is calibrated.
        recipe: How.
        folder: Of the record.
        seed: Of an emulator's noise; None: the folder's, or chosen.
        progress: Called with (trajectories done, all).
        as_csv: Keep readings as CSV.

    Raises:
        CalibrationError: The folder holds another calibration; the device cannot be calibrated in this way; or too many
            units or readings.
        DeviceLimitError: The program does not fit the device.
        PlanError: The recipe asks for too many trajectories or steps.
        FileFormatError: What the folder holds is damaged.
        StorageError: The folder cannot be read or written.
    """
    _check(device, program, recipe, as_csv)
    device.program(program)
    held = device.held
    request = _claim(device, program, recipe, folder, seed)
    held.save(folder / "program.npz")
    size, limit = recipe.amplitude * device.spec.kT, device.spec.bias_limit
    patterns = applied_biases(recipe.patterns, held.topology, held.biases, size, limit)
    total, seconds, measured = None, np.zeros(recipe.patterns), 0
    runs = runs_of(recipe, device)
    for number, applied in enumerate(patterns):
        if file_of(folder, number).exists():
            readings = Readings.load(folder, number, request, held if recipe.by_lines else None)
        else:
            shown = _shifted(progress, number * runs, recipe.patterns * runs)
            readings = measure(device, held, applied, request, number, shown)
            readings.save(folder, as_csv)
            measured += 1
        seconds[number] = readings.seconds
        if total is None:
            total = readings.moments
        else:
            total.absorb(readings.moments)
        if progress is not None:
            progress((number + 1) * runs, recipe.patterns * runs)
    assert total is not None  # a recipe has patterns
    return Probe(folder, request, held, total, seconds, measured)


def _claim(device: ThermodynamicDevice, program: Program, recipe: Recipe, folder: Path, seed: int | None) -> Request:
    """Claim the folder for this calibration, with the seed given, the folder's, or a new one."""
    known = Request.read(folder)
    chosen = seed if seed is not None else known.seed if known is not None else choose_seed()
    if not 0 <= chosen < 2**64:
        raise PlanError(f"seed must lie in 0 … 2⁶⁴ − 1, got {chosen}")
    request = Request(
        recipe=recipe, seed=chosen, device=identity(device.spec), asked=program.digest, program=device.held.digest
    )
    request.bind(folder)
    return request


def _check(device: ThermodynamicDevice, program: Program, recipe: Recipe, as_csv: bool) -> None:
    """Refuse, before anything is written, what cannot be done."""
    spec, units = device.spec, program.topology.units
    if recipe.by_lines and not len(program.couplings):
        raise CalibrationError("the program has no couplings, so that there are no lines: take the method both")
    if recipe.method == "pairs" and not program.couplings.any():
        raise CalibrationError(
            "all couplings are programmed as zero, so that their prior has no width: take the method both"
        )
    if not _moves_by_law(spec, recipe) and recipe.method not in ("snapshots", "both"):
        why = "cannot read out states during a run"
        if spec.trajectories:
            why = f"has inertia, m* = {_inertia(spec):.3g}, which outlasts the {recipe.interval:g} between readings"
        raise CalibrationError(f"{spec.name} {why}; a recipe for it has the method snapshots, or both")
    if recipe.settle < SETTLING * _inertia(spec):
        raise CalibrationError(
            f"{spec.name} has inertia, m* = {_inertia(spec):.3g}: its units still ring after the recipe's settle of "
            f"{recipe.settle:g}, which must be {SETTLING * _inertia(spec):.3g} or more"
        )
    if not spec.trajectories and not recipe.settle:
        raise CalibrationError(f"{spec.name} is read at the end of runs; settle must be the length of such a run")
    numbers = units * len(FEATURES) ** 2 if recipe.by_lines else Basis(units).size ** 2
    size = recipe.groups * PRODUCTS * numbers * 8
    if recipe.method == "pairs":
        size = max(size, LAGS * len(MATRICES) * units**2 * 8)
    if size > MOST_BYTES:
        raise CalibrationError(
            f"the sums of {units} units in {recipe.groups} groups take {size / 2**30:.1f} GiB; at most "
            f"{MOST_BYTES / 2**30:g} GiB are held: fewer groups, fewer units, or line by line (method lines)"
        )
    readings = recipe.chains * (recipe.skipped + recipe.readings) * units * 4
    if readings > MOST_OF_READINGS:
        raise CalibrationError(
            f"the readings of a pattern take {readings / 2**30:.3g} GiB; at most {MOST_OF_READINGS / 2**30:g} GiB are "
            "held: fewer readings or chains, and more patterns"
        )
    if as_csv and recipe.method == "pairs":
        raise CalibrationError("the method pairs goes through the readings once more: keep them as npz")
    if as_csv:
        check_csv(recipe.chains * recipe.readings * units)


def _inertia(spec: DeviceSpec) -> float:
    """Get the time in which friction stops a unit, m μ, in the device's clock."""
    return spec.mass * spec.mobility**2 * spec.kT


def _moves_by_law(spec: DeviceSpec, recipe: Recipe) -> bool:
    """Get whether readings show the overdamped motion that is fitted."""
    return spec.trajectories and _inertia(spec) <= MOST_INERTIA * recipe.interval


def _shifted(progress: Progress | None, before: int, total: int) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, _: progress(before + done, total)
