# SPDX-License-Identifier: Apache-2.0
"""A trained program with what is needed to use and judge it, and its folder of files."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import FileFormatError, StorageError, TrainingError
from thermohw.program import Program
from thermohw.storage import load_arrays, parse_json, read_text, save_arrays, write_atomically
from thermohw.tables import CouplingTable
from thermohw.tables.grids import GridName
from thermohw.training.config import TrainingConfig, parse_config
from thermohw.training.moments import PathMoments
from thermohw.training.quantized import RoundingMethod, quantize_program

REFERENCES_SCHEMA = "thermohw-references/1"
_REFERENCE_ARRAYS = ("references", "reference_labels", "classes", "fields", "curve")


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A trained program, and what is needed to use and judge it.

    Attributes:
        program: What to load onto a device; energies in k_BT.
        config: How it was trained.
        metrics: Figures of the training, for JSON.
        references: (references, visible) images to compare samples with.
        reference_labels: (references,) their classes.
        image_shape: (rows, columns).
        classes: (classes,) labels that can be asked for, ascending.
        fields: (classes, hidden) noising field of each class on the hidden units, k_BT.
        curve: (points, 2) convergence of the training.
        moments: Expected path moments of the noising at μ = kT = 1, which hold the Hessian; None where unknown.
    """

    program: Program
    config: TrainingConfig
    metrics: dict[str, Any]
    references: NDArray[np.float64]
    reference_labels: NDArray[np.int64]
    image_shape: tuple[int, int]
    classes: NDArray[np.int64]
    fields: NDArray[np.float64]
    curve: NDArray[np.float64] = field(repr=False)
    moments: PathMoments | None = field(default=None, repr=False)

    def program_for(self, label: int, strength: float = 0.2) -> Program:
        """Get the program that generates one class on demand: a share of its noising field held on the hidden units.

        The program's own hidden biases give way to `strength` times the class's field; nothing is trained anew.

        Raises:
            TrainingError: The class was not trained, or there are no hidden units to hold a field on.
        """
        if label not in self.classes:
            raise TrainingError(f"class {label} was not trained; there are {', '.join(map(str, self.classes))}")
        if self.fields.shape[1] == 0:
            raise TrainingError("class on demand needs hidden units; this program has none")
        held = strength * self.fields[int(np.searchsorted(self.classes, label))]
        return self.program.with_biases(np.concatenate([self.program.biases[: self.program.topology.visible], held]))

    def quantize(
        self,
        bits: int,
        method: RoundingMethod = "likelihood",
        *,
        grid: GridName = "uniform",
        bias_bits: int | None = None,
        seed: int | None = None,
    ) -> CouplingTable:
        """Round the program to a coupling table; `quantize_program` says how.

        Raises:
            TableError: Bits outside the grid's range, an unknown method or grid, or an energy no longer bounded below.
            TrainingError: The method needs the path moments, which this run does not have: train again.

        Warns:
            SpuriousModesWarning: More modes grow in the table than in the program.
        """
        return quantize_program(
            self.program, bits, method, grid=grid, bias_bits=bias_bits, seed=seed, moments=self.moments
        ).table

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write `program.npz`, `config.json`, `metrics.json`, `references.npz` and `moments.npz`, each atomically.

        The program comes last, and the others name its digest: files of two trainings do not pass for one. Where the
        moments are unknown, those of an earlier training in the folder are removed.

        Raises:
            StorageError: The folder cannot be written.
        """
        path, digest = Path(folder), self.program.digest
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _REFERENCE_ARRAYS}
        arrays |= {"image_shape": np.array(self.image_shape), "program": np.array(digest)}
        metrics = {**self.metrics, "program": digest}
        save_arrays(path / "references.npz", REFERENCES_SCHEMA, arrays)
        if self.moments is not None:
            self.moments.save(path / "moments.npz", digest)
        else:
            _remove(path / "moments.npz")
        write_atomically(path / "config.json", self.config.model_dump_json(indent=1) + "\n")
        write_atomically(path / "metrics.json", json.dumps(metrics, indent=1, sort_keys=True) + "\n")
        self.program.save(path / "program.npz")
        return path

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> "TrainingRun":
        """Read a run written by `save`.

        Raises:
            StorageError: The folder or a file in it is missing.
            FileFormatError: A file is damaged, edited, of another kind or of another run.
        """
        path = Path(folder)
        program = Program.load(path / "program.npz")
        arrays = load_arrays(path / "references.npz", REFERENCES_SCHEMA, (*_REFERENCE_ARRAYS, "image_shape", "program"))
        config, metrics = _read_object(path / "config.json"), _read_object(path / "metrics.json")
        owners = {"references.npz": str(arrays["program"]), "metrics.json": metrics.get("program")}
        moments = None
        if (path / "moments.npz").exists():
            moments, owners["moments.npz"] = PathMoments.load(path / "moments.npz", program.topology.units)
        for name, digest in owners.items():
            if digest != program.digest:
                raise FileFormatError(
                    f"{path / name} belongs to another program than program.npz: the folder mixes two trainings"
                )
        if not _fit(arrays, program):
            raise FileFormatError(f"{path / 'references.npz'}: the shapes of its arrays do not fit program.npz")
        rows, columns = arrays["image_shape"].tolist()
        try:
            settings = parse_config(config, str(path / "config.json"))
        except TrainingError as error:
            raise FileFormatError(str(error)) from error
        return TrainingRun(
            program,
            settings,
            metrics,
            image_shape=(rows, columns),
            **{name: arrays[name] for name in _REFERENCE_ARRAYS},
            moments=moments,
        )


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror or error}") from error


def _read_object(path: Path) -> dict[str, Any]:
    content = parse_json(read_text(path), str(path))
    if not isinstance(content, dict):
        raise FileFormatError(f"{path}: must be a JSON object")
    return cast(dict[str, Any], content)


def _fit(arrays: dict[str, NDArray[Any]], program: Program) -> bool:
    """Tell whether the arrays of `references.npz` have the shapes that go with a program."""
    topology, classes, labels = program.topology, arrays["classes"].size, arrays["reference_labels"].size
    shapes = {
        "image_shape": (2,),
        "references": (labels, topology.visible),
        "reference_labels": (labels,),
        "classes": (classes,),
        "fields": (classes, topology.hidden),
        "curve": (arrays["curve"].size // 2, 2),
    }
    fit = all(arrays[name].shape == shape for name, shape in shapes.items())
    return fit and int(arrays["image_shape"].prod()) == topology.visible
