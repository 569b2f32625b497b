# SPDX-License-Identifier: Apache-2.0
"""What a calibration was asked to do, kept in its folder, so that readings of different devices are never mixed."""

import json
import reprlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field

from thermohw.device import DeviceSpec
from thermohw.errors import CalibrationError
from thermohw.estimation.recipes import Recipe
from thermohw.estimation.sealed import digest_of, read_model, write_sealed
from thermohw.storage import require_writable

SCHEMA = "thermohw-calibration-request/1"
FILE = "request.json"
NUMERICS = ("url", "engine", "integrator", "precision")
"""Details of a device that are not the device's own."""

_DIGEST = "^[0-9a-f]{64}$"


class Request(BaseModel):
    """What is calibrated and how; equal requests measure the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe = Field(description="how")
    seed: int = Field(ge=0, lt=2**64, description="of all noise of an emulator")
    device: DeviceSpec = Field(description="which device, without the line to it")
    asked: str = Field(pattern=_DIGEST, description="digest of the program that was asked for")
    program: str = Field(pattern=_DIGEST, description="digest of the program that the device holds of it")

    @property
    def digest(self) -> str:
        """Get the SHA-256 of all of it, 64 hex digits."""
        return digest_of(self.model_dump(mode="json"))

    def difference(self, other: "Request") -> str | None:
        """Say in what another request differs first; None if it does not."""
        if self.device != other.device:
            return f"another device: {_first_difference(self.device, other.device)}"
        if self.program != other.program:
            return f"another program: {self.program[:12]}… there, {other.program[:12]}… now"
        if self.recipe != other.recipe:
            return f"another recipe: {_first_difference(self.recipe, other.recipe)}"
        return None if self.seed == other.seed else f"another seed: {self.seed} there, {other.seed} now"

    def bind(self, folder: Path) -> None:
        """Claim a folder for this request, or check that it is claimed for the same; a claim without readings lapses.

        Raises:
            CalibrationError: It holds the calibration of something else.
            FileFormatError: What it says is damaged.
            StorageError: It cannot be read or written.
        """
        found = self.read(folder)
        difference = None if found is None else found.difference(self)
        if found is None or (difference is not None and not any(folder.glob("pattern-*"))):
            write_sealed(require_writable(folder) / FILE, SCHEMA, self.model_dump(mode="json"))
        elif difference is not None:
            raise CalibrationError(f"{folder} holds a calibration of {difference}; choose another folder")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the request that a folder is claimed for; None if there is none.

        Raises:
            FileFormatError: It is damaged.
            StorageError: It cannot be read.
        """
        path = folder / FILE
        return read_model(path, SCHEMA, cls) if path.exists() else None


def identity(spec: DeviceSpec) -> DeviceSpec:
    """Get what tells a device apart from others: its spec without the line to it."""
    return _without(spec, "url")


def other_device(there: DeviceSpec, now: DeviceSpec) -> str | None:
    """Say in what two specs are of different devices; None if of one, however an emulator integrates or is reached."""
    old, new = (_without(spec, *NUMERICS) for spec in (there, now))
    return None if old == new else f"another device: {_first_difference(old, new)}"


def _without(spec: DeviceSpec, *keys: str) -> DeviceSpec:
    return spec.model_copy(update={"details": {key: value for key, value in spec.details.items() if key not in keys}})


def _first_difference(there: BaseModel, now: BaseModel) -> str:
    old, new = _flat(there.model_dump()), _flat(now.model_dump())
    key = next(key for key in (*old, *new) if old.get(key) != new.get(key))
    return f"{key} is {reprlib.repr(old.get(key))} there, {reprlib.repr(new.get(key))} now"


def _flat(values: dict[str, Any], within: str = "") -> dict[str, Any]:
    """Get nested tables as one, with keys such as `details.effects.quantization.coupling_bits`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        table = _table(value)
        found |= {f"{within}{key}": value} if table is None else _flat(table, f"{within}{key}.")
    return found


def _table(value: Any) -> dict[str, Any] | None:
    """Get a value as a table if it is one, or the JSON of one as in the details of devices."""
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError):
            value = json.loads(value)
    return cast(dict[str, Any], value) if isinstance(value, dict) else None
