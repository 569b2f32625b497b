# SPDX-License-Identifier: Apache-2.0
"""Estimates with their replicates, as a file of a record."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from thermohw.errors import CalibrationError, FileFormatError
from thermohw.estimation.estimates import PARAMETERS, Estimates, Method
from thermohw.program import Program
from thermohw.storage import load_arrays, parse_json, save_arrays

SCHEMA = "thermohw-estimates/1"
NAMES = (*PARAMETERS, "asymmetry")


def save_estimates(path: Path, estimates: Estimates) -> Path:
    """Write estimates as `.npz` (format: docs/formats.md), atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    arrays: dict[str, Any] = {f"values.{name}": estimates.values[name] for name in NAMES}
    arrays |= {f"replicates.{name}": estimates.replicates[name] for name in NAMES}
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
    names = [f"{kind}.{name}" for kind in ("values", "replicates") for name in NAMES]
    arrays = load_arrays(path, SCHEMA, (*names, "method", "reasons", "pairs"))
    method, reasons = str(arrays["method"]), parse_json(str(arrays["reasons"]), str(path))
    if method not in get_args(Method) or not isinstance(reasons, Mapping):
        raise FileFormatError(f"{path}: the method {method!r} or the reasons are none that there are")
    if not np.array_equal(arrays["pairs"], topology.pairs):
        raise CalibrationError(f"{path}: estimates of other pairs than those of the record's program")
    sizes = {name: len(topology.pairs) if name in ("couplings", "asymmetry") else topology.units for name in NAMES}
    groups = len(np.atleast_1d(arrays["replicates.noise"]))
    for name, size in (sizes | {"noise": 1}).items():
        for kind, shape in (("values", (size,)), ("replicates", (groups, size))):
            array = arrays[f"{kind}.{name}"]
            if array.shape != shape or array.dtype != np.float64:
                raise CalibrationError(f"{path}: {name} must be {shape} numbers, as the record's program has them")
    values, replicates = ({name: arrays[f"{kind}.{name}"] for name in NAMES} for kind in ("values", "replicates"))
    told = {str(key): str(value) for key, value in cast(Mapping[Any, Any], reasons).items()}
    return Estimates(cast(Method, method), topology, values, replicates, told)
