# SPDX-License-Identifier: Apache-2.0
"""The readings of one pattern of applied biases, with their sums, as files of a record."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import CalibrationError, FileFormatError
from thermohw.estimation.basis import Floats
from thermohw.estimation.lines import LineMoments
from thermohw.estimation.moments import LaggedMoments
from thermohw.estimation.pair_moments import PairMoments
from thermohw.estimation.request import Request
from thermohw.estimation.sealed import file_digest
from thermohw.program import Program
from thermohw.storage import load_arrays, save_arrays, write_atomically

SCHEMA = "thermohw-calibration-readings/3"
MOST_IN_CSV = 2_000_000
"""Numbers that go into a CSV file."""
READINGS_AT_ONCE = 4096
"""Readings of all units whose powers are held at a time."""

_NAMES = ("number", "request", "csv", "applied", "interval", "dt", "seconds", "counts", "products")


@dataclass(frozen=True, eq=False)
class Readings:
    """What one pattern of applied biases gave.

    Attributes:
        number: Of the pattern.
        request: Digest of what was asked, so that readings of one calibration are not taken for another's.
        moments: Sums over the readings, in groups of chains.
        trajectory: (chains, readings, units) the readings themselves; None where they are not at hand.
        dt: Time step of an emulator, device's time unit; NaN for hardware.
        seconds: Wall time of the run.
    """

    number: int
    request: str
    moments: LaggedMoments | LineMoments
    trajectory: NDArray[np.float32] | None
    dt: float
    seconds: float

    def pair_moments(self) -> PairMoments:
        """Get the sums of all pairs over the readings, a few chains at a time.

        Raises:
            CalibrationError: The readings are not at hand.
        """
        if self.trajectory is None:
            raise CalibrationError(f"pattern {self.number}: of its readings only the sums are at hand")
        total = PairMoments(self.moments.applied, interval=self.moments.interval)
        chains, readings, _ = self.trajectory.shape
        together = max(READINGS_AT_ONCE // readings, 1)
        for first in range(0, chains, together):
            total.take(self.trajectory[first : first + together].transpose(1, 0, 2))
        return total

    def save(self, folder: Path, as_csv: bool = False) -> list[Path]:
        """Write the readings and their sums as `.npz`, or the readings as CSV beside the sums.

        Raises:
            CalibrationError: Too many readings for CSV.
            StorageError: A file cannot be written.
        """
        path = file_of(folder, self.number)
        arrays = {
            "number": np.array(self.number),
            "request": np.array(self.request),
            "csv": np.array(""),
            "applied": self.moments.applied,
            "interval": np.array(self.moments.interval),
            "dt": np.array(self.dt),
            "seconds": np.array(self.seconds),
            **self.moments.arrays(),
        }
        if self.trajectory is None:
            return [save_arrays(path, SCHEMA, arrays)]
        if not as_csv:
            return [save_arrays(path, SCHEMA, {**arrays, "readings": self.trajectory})]
        written = write_atomically(path.with_suffix(".csv"), _csv(self.trajectory))
        arrays["csv"] = np.array(file_digest(written))
        return [save_arrays(path, SCHEMA, arrays), written]  # the sums last: they say that the pattern is there

    @staticmethod
    def load(folder: Path, number: int, request: Request, lines_of: Program | None = None) -> "Readings":
        """Read the readings of a pattern.

        Args:
            folder: Of the record.
            number: Of the pattern.
            request: What was asked.
            lines_of: The program under calibration, where the sums are of its lines.

        Raises:
            StorageError: The file cannot be read.
            FileFormatError: Damaged, edited, or of another pattern, device, program or recipe.
        """
        path = file_of(folder, number)
        arrays = load_arrays(path, SCHEMA, _NAMES)
        if str(arrays["request"]) != request.digest or arrays["number"].shape or int(arrays["number"]) != number:
            raise FileFormatError(f"{path}: holds readings of another calibration or pattern")
        digest, text = str(arrays["csv"]), path.with_suffix(".csv")
        if digest and file_digest(text) != digest:
            raise FileFormatError(f"{text}: not the readings that were measured: it was changed since")
        counts, products, applied = arrays["counts"], arrays["products"], arrays["applied"]
        if counts.ndim != 1 or applied.ndim != 1 or len(counts) < 2:
            raise FileFormatError(f"{path}: counts and applied must be lists of numbers")
        interval, moments = float(arrays["interval"]), None
        if lines_of is not None and lines_of.units == len(applied):
            moments = LineMoments(applied, len(counts), interval=interval, program=lines_of)
        elif lines_of is None:
            moments = LaggedMoments(applied, len(counts), interval=interval)
        if moments is None or products.shape != moments.products.shape:
            raise FileFormatError(f"{path}: sums of shape {products.shape} are not those of {len(applied)} units")
        moments.counts, moments.products = counts, products
        trajectory = arrays.get("readings")
        if trajectory is not None and (trajectory.ndim != 3 or trajectory.shape[2] != len(applied)):
            raise FileFormatError(f"{path}: readings of shape {trajectory.shape} are not those of {len(applied)} units")
        return Readings(number, request.digest, moments, trajectory, float(arrays["dt"]), float(arrays["seconds"]))


def file_of(folder: Path, number: int) -> Path:
    """Get where the readings of a pattern stand."""
    return folder / f"pattern-{number:03d}.npz"


def snapshot_moments(states: NDArray[np.float32], applied: Floats, groups: int, first: int) -> LaggedMoments:
    """Get the sums over independent states (runs, units), the first of which has a number; NaN at all lags but 0."""
    moments = LaggedMoments(applied, groups)
    spread = moments.basis.spread(moments.applied)
    moments.products[:, 1:] = np.nan
    for group in range(groups):
        features = moments.basis.states(states[(group - first) % groups :: groups].astype(np.float64))
        moments.products[group, 0] = spread @ (features.T @ features) @ spread.T
        moments.counts[group] = len(features)
    return moments


def check_csv(values: int) -> None:
    """Refuse, before anything is measured, more readings than go into a CSV file.

    Raises:
        CalibrationError: More.
    """
    if values > MOST_IN_CSV:
        raise CalibrationError(
            f"{values} numbers a pattern are too many for CSV (at most {MOST_IN_CSV}); keep them as npz"
        )


def _csv(trajectory: NDArray[np.float32]) -> str:
    """Get readings as text: a row a reading with its chain and number; float32 in the fewest digits that tell it."""
    chains, readings, units = trajectory.shape
    text = io.StringIO()
    text.write(",".join(["chain", "reading", *(f"x{unit}" for unit in range(units))]) + "\n")
    for chain in range(chains):
        for reading in range(readings):
            text.write(",".join([str(chain), str(reading), *map(str, trajectory[chain, reading])]) + "\n")
    return text.getvalue()
