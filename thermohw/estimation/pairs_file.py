# SPDX-License-Identifier: Apache-2.0
"""Estimates of couplings one by one, as a file of a record."""

from pathlib import Path

import numpy as np

from thermohw.errors import CalibrationError, FileFormatError
from thermohw.estimation.pairs import OWN, PairEstimates
from thermohw.program import Program
from thermohw.storage import load_arrays, save_arrays

SCHEMA = "thermohw-pair-estimates/1"
NAMES = (*OWN, "couplings", "directions")
_OTHERS = ("pairs", "expected", "learnt", "condition", "coupling_width")


def save_pairs(path: Path, found: PairEstimates) -> Path:
    """Write estimates as `.npz` (format: docs/formats.md), atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    arrays = {f"values.{name}": found.values[name] for name in NAMES}
    arrays |= {f"errors.{name}": found.errors[name] for name in NAMES}
    arrays |= {"pairs": found.topology.pairs, "expected": found.expected, "learnt": found.learnt}
    arrays |= {"condition": np.array(found.condition), "coupling_width": np.array(found.coupling_width)}
    return save_arrays(path, SCHEMA, arrays)


def load_pairs(path: Path, program: Program) -> PairEstimates:
    """Read estimates of a program's units and pairs.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: It is damaged, edited or of another kind.
        CalibrationError: It holds estimates of other units or pairs.
    """
    topology = program.topology
    kinds = [f"{kind}.{name}" for kind in ("values", "errors") for name in NAMES]
    arrays = load_arrays(path, SCHEMA, (*kinds, *_OTHERS))
    if not np.array_equal(arrays["pairs"], topology.pairs):
        raise CalibrationError(f"{path}: estimates of other pairs than those of the record's program")
    pairs = len(topology.pairs)
    shapes: dict[str, tuple[int, ...]] = {name: (topology.units,) for name in OWN}
    shapes |= {"couplings": (pairs,), "directions": (pairs, 2)}
    wanted = {f"{kind}.{name}": shape for name, shape in shapes.items() for kind in ("values", "errors")}
    wanted |= {"expected": (pairs,), "learnt": (pairs,), "condition": (), "coupling_width": ()}
    for name, shape in wanted.items():
        if arrays[name].shape != shape or arrays[name].dtype != np.float64:
            raise FileFormatError(f"{path}: {name} must be {shape} numbers, as the record's program has them")
    values, errors = ({name: arrays[f"{kind}.{name}"] for name in NAMES} for kind in ("values", "errors"))
    condition, width = float(arrays["condition"]), float(arrays["coupling_width"])
    return PairEstimates(topology, values, errors, arrays["expected"], arrays["learnt"], condition, width)
