# SPDX-License-Identifier: Apache-2.0
"""Recipes of calibration: how a device is excited and read, as a TOML file that a lab edits."""

import os
import reprlib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from thermohw.cards.toml_files import find_toml, first_fault, read_toml, toml_names
from thermohw.errors import CardError
from thermohw.estimation.estimates import AnyMethod
from thermohw.estimation.sums import LAGS
from thermohw.shipped import shipped_folder

SCHEMA = "thermohw-recipe/1"
MOST_PATTERNS = 4096


class Recipe(BaseModel):
    """How a device is calibrated. Times are in the device's clock, 1/(mobility · kT); energies in its kT."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=64, description="what it is called")
    description: str = Field(min_length=1, max_length=4000, description="what it is for")
    method: AnyMethod = Field(description="how estimates are made: trajectories, snapshots, both, lines, or pairs")
    interval: float = Field(gt=0, le=1e9, description="Δ, time between readings")
    readings: int = Field(ge=LAGS, le=10**7, description="readings of a chain after it has settled")
    chains: int = Field(ge=2, le=10**7, description="chains under each pattern, a multiple of the groups")
    patterns: int = Field(ge=2, le=MOST_PATTERNS, description="patterns of applied biases, a power of two")
    amplitude: float = Field(gt=0, le=1e4, description="of the applied biases, kT")
    settle: float = Field(ge=0, le=1e12, description="time before the first reading")
    dt: float | None = Field(default=None, gt=0, description="time step of an emulator; chosen if left out")
    groups: int = Field(default=20, ge=2, le=1000, description="groups of chains behind the standard errors")
    noise: float | None = Field(
        default=None, ge=0, description="standard deviation of the noise of readings; estimated if left out"
    )
    coupling_width: float = Field(
        default=0.1, gt=0, le=10, description="for pairs: how far a coupling may be off, over the r.m.s. of all"
    )
    valid_days: float | None = Field(
        default=None, gt=0, le=36525, description="days after which a record is called old"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.patterns & (self.patterns - 1):
            raise ValueError(f"patterns must be a power of two (2, 4, 8 …), got {self.patterns}")
        if self.chains % self.groups:
            raise ValueError(f"chains must be a multiple of the {self.groups} groups, got {self.chains}")
        if self.dt is not None:
            steps = self.interval / self.dt
            if round(steps) < 1 or abs(steps - round(steps)) > 1e-6 * steps:
                raise ValueError(f"interval must be a whole number of steps dt, got {self.interval:g} / {self.dt:g}")
        return self

    @property
    def by_lines(self) -> bool:
        """Get whether sums are kept unit by unit, rather than of all units together."""
        return self.method in ("lines", "pairs")

    @property
    def skipped(self) -> int:
        """Get the number of readings that pass before the device has settled."""
        return int(-(-self.settle * (1 - 1e-9) // self.interval))

    @property
    def trajectory_time(self) -> float:
        """Get the length of a trajectory, in the device's clock: (settling + readings − 1) intervals."""
        return (self.skipped + self.readings - 1) * self.interval


def recipe_names() -> tuple[str, ...]:
    """Get the names of the recipes that ship with the package, sorted.

    Raises:
        StorageError: The installation lacks the folder `calibration`.
    """
    return toml_names(shipped_folder("calibration") / "recipes")


def load_recipe(name_or_path: str | os.PathLike[str]) -> Recipe:
    """Read and check a recipe (format: docs/formats.md).

    Args:
        name_or_path: Name of a shipped recipe, such as `standard`, or a path that ends in `.toml`.

    Raises:
        CardError: No shipped recipe has the name; or the file is no recipe. The message names the file, the key at
            fault, and what would be right.
        StorageError: The file cannot be read.
    """
    path = find_toml(name_or_path, shipped_folder("calibration") / "recipes", "recipe")
    return _parse(read_toml(Path(path), "a recipe"), path)


def _parse(fields: dict[str, Any], where: str) -> Recipe:
    found = fields.pop("schema", None)
    if found != SCHEMA:
        raise CardError(f"{where}: schema: is {reprlib.repr(found)}, must be {SCHEMA!r}")
    try:
        return Recipe.model_validate(fields, strict=True)
    except ValidationError as error:
        raise CardError(f"{where}: {first_fault(error, Recipe).removeprefix(': ')}") from error
