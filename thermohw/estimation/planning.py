# SPDX-License-Identifier: Apache-2.0
"""How long a calibration must be for a wanted error: from a short one, and errors that go as 1/√data."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from thermohw.device import Progress, ThermodynamicDevice
from thermohw.errors import CalibrationError
from thermohw.estimation.estimates import Estimates
from thermohw.estimation.probing import Probe, probe
from thermohw.estimation.recipes import Recipe
from thermohw.estimation.sums import LAGS
from thermohw.program import Program

FOLDER = "pilot"
"""Within the record's folder."""

LEAST_READINGS = 10


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a wanted error takes.

    Attributes:
        recipe: The recipe with as many readings as it takes.
        worst: The pair whose coupling is least known.
        pilot_error: Its standard error in the pilot, kT of the device.
        error: What it will be by the new recipe, kT.
        device_time: Of all trajectories one after another, in the device's clock.
        device_seconds: The same in its own seconds; None where it has no scale in SI units.
        wall_seconds: How long this machine and line will take, by the pilot's speed.
    """

    recipe: Recipe
    worst: tuple[int, int]
    pilot_error: float
    error: float
    device_time: float
    device_seconds: float | None
    wall_seconds: float

    def __str__(self) -> str:
        own = f"{self.device_time:.4g} in 1/(mobility · kT)"
        if self.device_seconds is not None:
            own = f"{self.device_seconds:.3g} s"
        return (
            f"{self.recipe.readings} readings a chain, for {self.error:.3g} kT at pair {self.worst}, which the pilot "
            f"knows to {self.pilot_error:.3g} kT: {own} of the device's time, "
            f"about {timedelta(seconds=round(self.wall_seconds))} by the pilot's speed"
        )

    def as_dict(self) -> dict[str, Any]:
        """Get the numbers for JSON."""
        return {
            "readings": self.recipe.readings,
            "pair": list(self.worst),
            "pilot_error_kT": self.pilot_error,
            "error_kT": self.error,
            "device_time": self.device_time,
            "device_seconds": self.device_seconds,
            "wall_seconds": self.wall_seconds,
        }


def run_pilot(
    device: ThermodynamicDevice, program: Program, recipe: Recipe, folder: Path, seed: int, progress: Progress | None
) -> Probe:
    """Probe a device with one chain a group, from noise of its own; kept within the record's folder.

    Raises:
        CalibrationError: As `probe`, whose other errors are raised too.
    """
    short = recipe.model_copy(update={"chains": recipe.groups})
    return probe(device, program, short, folder / FOLDER, (seed + 1) % 2**64, progress)


def check_wanted(error: float) -> None:
    """Refuse an error that nobody can want.

    Raises:
        CalibrationError: It is not a positive number.
    """
    if not (np.isfinite(error) and error > 0):
        raise CalibrationError(f"the wanted error must be a positive number of kT, got {error}")


def forecast(pilot: Probe, recipe: Recipe, wanted: float) -> Forecast:
    """Get what it takes that the coupling least known has a standard error of `wanted` (kT of the device).

    Errors go as one over the root of the number of products that moments are made of, chains · (readings − lags + 1).
    The pilot's errors are known to a share of 1/√(2 (groups − 1)) themselves.

    Raises:
        CalibrationError: The error is not positive, or the pilot knows no coupling.
    """
    check_wanted(wanted)
    spec, tried = pilot.request.device, pilot.request.recipe
    worst, error = _least_known(pilot.estimate(), spec.kT)
    moving = spec.trajectories
    lost = LAGS - 1 if moving else 0
    products = tried.chains * (tried.readings - lost) * (error / wanted) ** 2
    readings = max(LEAST_READINGS, int(np.ceil(products / recipe.chains)) + lost)
    try:
        planned = Recipe.model_validate(recipe.model_dump() | {"readings": readings})
    except ValueError as failure:
        raise CalibrationError(
            f"an error of {wanted:g} kT takes {readings} readings a chain, which is too many"
        ) from failure
    reached = error * np.sqrt(tried.chains * (tried.readings - lost) / (recipe.chains * (readings - lost)))
    time, before = _device_time(planned, moving), _device_time(tried, moving)
    seconds = None if spec.scale is None else time / (spec.mobility * spec.kT) * spec.scale.time
    wall = float(np.median(pilot.seconds)) * recipe.patterns * time / before
    return Forecast(planned, worst, error, float(reached), time, seconds, wall)


def _device_time(recipe: Recipe, moving: bool) -> float:
    """Get the length of all trajectories together, in the device's clock."""
    each = recipe.trajectory_time if moving else recipe.readings * recipe.settle
    return recipe.patterns * recipe.chains * each


def _least_known(estimates: Estimates, kT: float) -> tuple[tuple[int, int], float]:
    errors = estimates.standard_error("couplings") / kT
    if not errors.size or not np.isfinite(errors).any():
        reason = estimates.reasons.get("couplings", "it has none")
        raise CalibrationError(
            f"the pilot knows no coupling of this program, so that no error can be foretold: {reason}"
        )
    pair = int(np.nanargmax(errors))
    i, j = estimates.topology.pairs[pair].tolist()
    return (i, j), float(errors[pair])
