# SPDX-License-Identifier: Apache-2.0
"""Digital baselines as data: one TOML file each, in `baselines/` or anywhere."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from thermohw.energy.digital import DigitalBaseline, DigitalCost
from thermohw.energy.simulation import LangevinBaseline
from thermohw.energy.workload import Workload
from thermohw.errors import FileFormatError
from thermohw.storage import read_text

PAPER_BASELINE = "whitelam2025"
"""The digital denoiser that the paper compares with."""

Baseline = DigitalBaseline | LangevinBaseline

_FOLDER = Path(__file__).parent / "baselines"
_READER: TypeAdapter[Baseline] = TypeAdapter(Annotated[Baseline, Field(discriminator="kind")])
_MAX_BYTES = 2**20


def baseline_names() -> list[str]:
    """Get the names of the baselines that ship with the package, the paper's first, then by alphabet."""
    names = sorted(path.stem for path in _FOLDER.glob("*.toml"))
    return sorted(names, key=lambda name: name != PAPER_BASELINE)


def read_baseline(name: str | Path) -> Baseline:
    """Read a baseline of any kind.

    Args:
        name: One of `baseline_names()`, or the path of a `.toml` file.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: No baseline has that name, or the file is damaged, incomplete, or states a wrong unit.
    """
    path = Path(name)
    if path.suffix != ".toml":
        if str(name) not in baseline_names():
            names = ", ".join(baseline_names())
            raise FileFormatError(f"no digital baseline {str(name)!r}; there are {names}, or give a .toml file")
        path = _FOLDER / f"{name}.toml"
    return parse_baseline(read_text(path, _MAX_BYTES), path.name)


def parse_baseline(text: str, where: str) -> Baseline:
    """Read a baseline from TOML text.

    Args:
        text: The text.
        where: What a message calls it.

    Raises:
        FileFormatError: Not TOML, or not a baseline; the message names the key.
    """
    try:
        return _READER.validate_python(tomllib.loads(text))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise FileFormatError(f"{where}: not a digital baseline: {faults}") from error
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{where}: not TOML: {error}") from error


def load_baseline(name: str | Path = PAPER_BASELINE) -> DigitalBaseline:
    """Read a baseline that is a denoiser, the paper's if no other is named.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: As for `read_baseline`, or the baseline is a simulation, whose cost depends on the program.
    """
    baseline = read_baseline(name)
    if isinstance(baseline, LangevinBaseline):
        raise FileFormatError(f"{name} simulates a program; read it with read_baseline, here a denoiser is needed")
    return baseline


def digital_costs(workload: Workload, names: Iterable[str | Path] | None = None) -> list[DigitalCost]:
    """Get what a sample costs on each baseline.

    Args:
        workload: The program and the steps of its simulation.
        names: As for `read_baseline`; all that ship with the package if None.

    Raises:
        StorageError: A file cannot be read.
        FileFormatError: As for `read_baseline`.
    """
    costs: list[DigitalCost] = []
    for name in baseline_names() if names is None else names:
        baseline = read_baseline(name)
        match baseline:
            case DigitalBaseline():
                costs.append(baseline.cost)
            case LangevinBaseline():
                costs.append(baseline.cost(workload.pairs, workload.units, workload.steps))
    return costs
