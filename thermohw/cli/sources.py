# SPDX-License-Identifier: Apache-2.0
"""What a command is pointed at: a run's folder, a program, a coupling table, or samples."""

from dataclasses import dataclass
from pathlib import Path

from thermohw.errors import FileFormatError, StorageError, TrainingError
from thermohw.program import SCHEMA as PROGRAM_SCHEMA
from thermohw.program import Program
from thermohw.samples import SCHEMA as SAMPLES_SCHEMA
from thermohw.samples import Samples
from thermohw.storage import schema_of
from thermohw.tables import CouplingTable
from thermohw.training import TrainingRun


@dataclass(frozen=True, eq=False)
class Source:
    """What was found at a path; exactly one of the fields is set.

    Attributes:
        path: Where.
        run: A trained run.
        program: A program.
        table: A coupling table.
        samples: Samples.
    """

    path: Path
    run: TrainingRun | None = None
    program: Program | None = None
    table: CouplingTable | None = None
    samples: Samples | None = None

    def runnable(self) -> Program:
        """Get the program that this source holds.

        Raises:
            FileFormatError: It holds samples.
        """
        if self.run is not None:
            return self.run.program
        if self.table is not None:
            return self.table.program
        if self.program is not None:
            return self.program
        raise FileFormatError(f"{self.path} holds samples, not a program; give a run's folder, a program or a table")

    def on_demand(self, label: int | None, hold: float) -> Program:
        """Get the program that generates a class, by a held share of its noising field; any class if label is None.

        Raises:
            FileFormatError: It holds samples.
            TrainingError: A class is asked for, and this is not a run, or the class was not trained.
        """
        if label is None:
            return self.runnable()
        if self.run is None:
            raise TrainingError(f"--label needs a run's folder; {self.path} holds a program alone")
        return self.run.program_for(label, hold)

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """Get (rows, columns) of the images that the visible units show: the run's, or a square if they fill one."""
        if self.run is not None:
            return self.run.image_shape
        visible = self.samples.visible if self.samples is not None else self.runnable().topology.visible
        side = round(visible**0.5)
        return (side, side) if visible and side * side == visible else None


def open_source(path: Path) -> Source:
    """Find out what stands at a path and load it.

    Raises:
        StorageError: Nothing is there, or a folder without a run.
        FileFormatError: The file is damaged or of no kind that the package knows.
    """
    if path.is_dir():
        if not (path / "program.npz").exists():
            raise StorageError(
                f"{path} holds no trained run (no program.npz); make one with `thermohw train … --out {path}`"
            )
        return Source(path, run=TrainingRun.load(path))
    if not path.exists():
        raise StorageError(f"{path} does not exist; give a run's folder, a program, a table or samples")
    if path.suffix != ".npz":
        return Source(path, table=CouplingTable.load(path))
    schema = schema_of(path)
    if schema == PROGRAM_SCHEMA:
        return Source(path, program=Program.load(path))
    if schema == SAMPLES_SCHEMA:
        return Source(path, samples=Samples.load(path))
    return Source(path, table=CouplingTable.load(path))
