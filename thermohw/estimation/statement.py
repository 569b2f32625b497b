# SPDX-License-Identifier: Apache-2.0
"""What `record.json` says: a calibration in numbers, for people and other programs."""

import re
from pathlib import Path

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from thermohw.errors import FileFormatError
from thermohw.estimation.basis import Floats
from thermohw.estimation.estimates import AnyMethod, Estimates
from thermohw.estimation.quality import Quality
from thermohw.estimation.readings import file_of
from thermohw.estimation.request import FILE as REQUEST_FILE
from thermohw.estimation.request import Request
from thermohw.estimation.sealed import read_model

SCHEMA = "thermohw-calibration/1"
FILE, ESTIMATES_FILE, PAIRS_FILE, PROGRAM_FILE = "record.json", "estimates.npz", "pairs.npz", "program.npz"

_FILE_NAME = re.compile(r"request\.json|program\.npz|estimates\.npz|pairs\.npz|pattern-[0-9]{3,4}\.(npz|csv)")


class Parameter(BaseModel):
    """Estimates of one parameter, for people and other programs; null where there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: tuple[float | None, ...] = Field(
        description="a unit or a pair each; gains: two a unit, of couplings to visible and to hidden units"
    )
    standard_errors: tuple[float | None, ...] = Field(description="of these")

    @staticmethod
    def of(estimates: Estimates, name: str) -> "Parameter":
        """Get the estimates of a parameter."""
        return Parameter(
            values=_known(estimates.values[name].ravel()), standard_errors=_known(estimates.standard_error(name))
        )


class Statement(BaseModel):
    """What `record.json` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: AwareDatetime = Field(description="when it was made, UTC")
    version: str = Field(description="of the package")
    request: Request = Field(description="what was asked, of which device and program")
    method: AnyMethod = Field(description="how the estimates were made")
    parameters: dict[str, Parameter] = Field(description="estimates by name")
    reasons: dict[str, str] = Field(description="why a parameter has none")
    quality: Quality = Field(description="of the fit")
    seconds: float = Field(ge=0, description="wall time of all runs")
    files: dict[str, str] = Field(description="SHA-256 of each file of the record")

    @staticmethod
    def read(path: Path) -> "Statement":
        """Read a statement.

        Raises:
            StorageError: The file cannot be read.
            FileFormatError: It is damaged, edited or of another kind.
        """
        statement = read_model(path, SCHEMA, Statement)
        strange = [name for name in statement.files if not _FILE_NAME.fullmatch(name)]
        needed = {REQUEST_FILE, PROGRAM_FILE, ESTIMATES_FILE}
        needed |= {file_of(path.parent, number).name for number in range(statement.request.recipe.patterns)}
        if statement.method == "pairs":
            needed.add(PAIRS_FILE)
        if strange or not needed <= statement.files.keys():
            raise FileFormatError(f"{path}: its list of files is not that of a record")
        return statement


def _known(numbers: Floats) -> tuple[float | None, ...]:
    return tuple(number if np.isfinite(number) else None for number in numbers.tolist())
