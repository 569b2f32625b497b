# SPDX-License-Identifier: Apache-2.0
"""What has been fetched of a run, kept in a folder so that another process can go on (format: docs/formats.md)."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import FileFormatError
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.storage import digest_arrays, load_arrays, require_writable, save_arrays

RUN_SCHEMA = "thermohw-serial-run/1"
SAMPLES_SCHEMA = "thermohw-serial-samples/1"

FLUSH_SECONDS = 2.0
"""Samples that would be lost if the client were killed, in seconds of fetching."""

FLUSH_BYTES = 2**24
"""Likewise in bytes."""

Piece = tuple[int, Mapping[str, NDArray[Any]]]


@dataclass(frozen=True)
class Runs:
    """Which runs of a board make up a plan.

    Attributes:
        part: Samples of each run; the last may have fewer.
        numbers: Numbers of the runs on the board, by the parts' order; 0: not started yet.
        dt: Time step that the board stated, NaN before, 0 where it has none.
        times: (recorded,) times of the recorded states, empty before.
    """

    part: int
    numbers: tuple[int, ...]
    dt: float = np.nan
    times: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def started(self, part: int, number: int) -> "Runs":
        """Get the runs once a part has started."""
        return replace(self, numbers=(*self.numbers[:part], number, *self.numbers[part + 1 :]))


class Journal:
    """Keeps the fetched samples of one plan on one program; other plans may have theirs in the same folder.

    Args:
        folder: Where.
        program: The program that the board holds.
        plan: The plan, with its seed.

    Raises:
        StorageError: The folder cannot be written.
    """

    def __init__(self, folder: Path, program: Program, plan: RunPlan) -> None:
        self._folder = require_writable(folder)
        self._key = _digest(program, plan)
        self._plan = plan
        self._waiting: list[Piece] = []
        self._flushed = time.monotonic()

    def runs(self) -> Runs | None:
        """Get the runs that were started before; None if there is nothing to go on with.

        Raises:
            FileFormatError: The file is damaged, or not of such a plan.
        """
        if not self._runs_file.is_file():
            return None
        names = ("part", "numbers", "dt", "times", "plan")
        arrays = load_arrays(self._runs_file, RUN_SCHEMA, names)
        try:
            found = Runs(
                int(arrays["part"]), tuple(int(n) for n in arrays["numbers"]), float(arrays["dt"]), arrays["times"]
            )
            fits = found.part >= 1 and len(found.numbers) == -(-self._plan.n_samples // found.part)
        except (TypeError, ValueError) as error:
            raise FileFormatError(f"{self._runs_file}: {error}") from error
        if not fits or str(arrays["plan"]) != self._key:
            raise FileFormatError(f"{self._runs_file}: not of {self._plan.n_samples} samples of this plan")
        return found

    def pieces(self) -> list[Piece]:
        """Get the samples fetched before: the number of the first of each piece, and arrays by their names.

        Raises:
            FileFormatError: A file is damaged, or beyond the plan's samples.
        """
        found: list[Piece] = []
        for file in sorted(self._folder.glob(f"samples-{self._key[:16]}-*.npz")):
            arrays = load_arrays(file, SAMPLES_SCHEMA, ("first", "heat", "work"))
            first = int(arrays.pop("first"))
            lengths = {len(array) for array in arrays.values()}
            if len(lengths) != 1 or not 0 <= first <= first + max(lengths) <= self._plan.n_samples:
                raise FileFormatError(f"{file}: its samples are not those of {self._plan.n_samples} of a plan")
            found.append((first, arrays))
        return found

    def note(self, runs: Runs) -> None:
        """Keep which runs make up the plan."""
        arrays = {name: np.asarray(value) for name, value in asdict(runs).items()}
        arrays["numbers"] = arrays["numbers"].astype(np.int64)
        save_arrays(self._runs_file, RUN_SCHEMA, {**arrays, "plan": np.array(self._key)})

    def add(self, piece: Piece) -> None:
        """Keep samples, at the latest some seconds later."""
        self._waiting.append(piece)
        size = sum(array.nbytes for _, arrays in self._waiting for array in arrays.values())
        if size > FLUSH_BYTES or time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits, which are samples without a gap, into one file."""
        if self._waiting:
            first = self._waiting[0][0]
            names = self._waiting[0][1].keys()
            joined = {name: np.concatenate([arrays[name] for _, arrays in self._waiting]) for name in names}
            file = self._folder / f"samples-{self._key[:16]}-{first:010d}.npz"
            save_arrays(file, SAMPLES_SCHEMA, {**joined, "first": np.array(first)})
            self._waiting = []
        self._flushed = time.monotonic()

    def remove(self) -> None:
        """Forget the plan: it is complete. The folder goes too if nothing else is in it."""
        self._waiting = []
        for file in (*self._folder.glob(f"samples-{self._key[:16]}-*.npz"), self._runs_file):
            file.unlink(missing_ok=True)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    @property
    def _runs_file(self) -> Path:
        return self._folder / f"run-{self._key[:16]}.npz"


def _digest(program: Program, plan: RunPlan) -> str:
    """Get what tells plans apart, 64 hex digits: program, plan and seed."""
    told: dict[str, Any] = {
        name: getattr(plan, name)
        for name in ("duration", "n_samples", "dt", "record_every", "keep", "first_chain", "seed")
    }
    arrays: dict[str, NDArray[Any]] = {}
    if isinstance(plan.initial, str):
        told["initial"] = plan.initial
    else:
        arrays["initial"] = plan.initial
    if plan.bias_schedule is not None:
        arrays |= {"times": plan.bias_schedule.times, "biases": plan.bias_schedule.biases}
    text = json.dumps({**told, "program": program.digest, "arrays": digest_arrays(arrays)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
