# SPDX-License-Identifier: Apache-2.0
"""Estimates with their replicates, as a file of a record."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from thermohw.errors import CalibrationError, FileFormatError
from thermohw.estimation.estimates import PARAMETERS, AnyMethod, Estimates
from thermohw.estimation.lines import RESULTS
from thermohw.program import Program
from thermohw.storage import load_arrays, parse_json, save_arrays

SCHEMA = "thermohw-estimates/1"
NAMES = (*PARAMETERS, "asymmetry")


def names_of(method: AnyMethod) -> tuple[str, ...]:
    """Get the names of the parameters that a method gives."""
    return RESULTS if method == "lines" else NAMES


def save_estimates(path: Path, estimates: Estimates) -> Path:
    """Write estimates as `.npz` (format: docs/formats.md), atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    names = names_of(estimates.method)
    arrays: dict[str, Any] = {f"values.{name}": estimates.values[name] for name in names}
    arrays |= {f"replicates.{name}": estimates.replicates[name] for name in names}
    arrays["method"] = np.array(estimates.method)
    arrays["reasons"] = np.array(json.dumps(dict(estimates.reasons), sort_keys=True))
    arrays["pairs"] = estimates.topology.pairs
    return save_arrays(path, SCHEMA, arrays)


def load_estimates(path: Path, program: Program) -> Estimates:
    """Read estimates of a program's units and pairs.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: It is damaged, edited or of another kind.
        CalibrationError: It holds estimates of other units or pairs.
    """
    topology = program.topology
    arrays = load_arrays(path, SCHEMA, ("method", "reasons", "pairs"))
    method, reasons = cast(AnyMethod, str(arrays["method"])), parse_json(str(arrays["reasons"]), str(path))
    if method not in get_args(AnyMethod) or not isinstance(reasons, Mapping):
        raise FileFormatError(f"{path}: the method {method!r} or the reasons are none that there are")
    if not np.array_equal(arrays["pairs"], topology.pairs):
        raise CalibrationError(f"{path}: estimates of other pairs than those of the record's program")
    names = names_of(method)
    missing = sorted({f"{kind}.{name}" for kind in ("values", "replicates") for name in names} - arrays.keys())
    if missing:
        raise FileFormatError(f"{path}: arrays missing: {', '.join(missing)}")
    shapes = {name: (len(topology.pairs) if name in ("couplings", "asymmetry") else topology.units,) for name in names}
    special = {"noise": (1,), "gains": (topology.units, 2)}
    groups = len(np.atleast_1d(arrays["replicates.noise"]))
    if groups < 2:
        raise FileFormatError(f"{path}: standard errors need at least 2 replicates, got {groups}")
    for name in names:
        own = special.get(name, shapes[name])
        for kind, shape in (("values", own), ("replicates", (groups, *own))):
            array = arrays[f"{kind}.{name}"]
            if array.shape != shape or array.dtype != np.float64:
                raise CalibrationError(f"{path}: {name} must be {shape} numbers, as the record's program has them")
    values, replicates = ({name: arrays[f"{kind}.{name}"] for name in names} for kind in ("values", "replicates"))
    told = {str(key): str(value) for key, value in cast(Mapping[Any, Any], reasons).items()}
    return Estimates(method, topology, values, replicates, told)
