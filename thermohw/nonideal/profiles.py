# SPDX-License-Identifier: Apache-2.0
"""Profiles: the imperfections of a kind of device, as a TOML file that a lab edits."""

import os
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thermohw.cards.toml_files import find_toml, first_fault, read_toml, toml_names
from thermohw.errors import CardError
from thermohw.nonideal.catalogue import EFFECTS, in_signal_order
from thermohw.nonideal.effect import Effect
from thermohw.shipped import shipped_folder

SCHEMA = "thermohw-effects/1"
_HEADER = ("schema", "name", "description")


@dataclass(frozen=True)
class Profile:
    """Named imperfections.

    Attributes:
        name: What it is called.
        description: What it stands for.
        effects: In the order in which they act.
    """

    name: str
    description: str
    effects: tuple[Effect, ...]


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    profile_schema: str = Field(alias="schema", pattern=f"^{SCHEMA}$")
    name: str = Field(min_length=1, max_length=64)
    description: str = Field(min_length=1, max_length=4000)


def profile_names() -> tuple[str, ...]:
    """Get the names of the profiles that ship with the package, sorted.

    Raises:
        StorageError: The installation lacks the folder `devices`.
    """
    return toml_names(shipped_folder("devices") / "profiles")


def load_profile(name_or_path: str | os.PathLike[str]) -> Profile:
    """Read and check a profile (format: docs/formats.md).

    Args:
        name_or_path: Name of a shipped profile, such as `typical`, or a path that ends in `.toml`.

    Raises:
        CardError: No shipped profile has the name; or the file is no profile. The message names the file, the effect
            and key at fault, and what would be right.
        StorageError: The file cannot be read.
    """
    path = find_toml(name_or_path, shipped_folder("devices") / "profiles", "profile")
    return _parse(read_toml(Path(path), "a profile of effects"), path)


def _parse(fields: dict[str, Any], where: str) -> Profile:
    given = {key: value for key, value in fields.items() if key not in EFFECTS}
    unknown = [key for key, value in given.items() if key not in _HEADER and isinstance(value, dict)]
    if unknown:
        raise CardError(f"{where}: unknown effect {reprlib.repr(unknown[0])}; there are: {', '.join(EFFECTS)}")
    try:
        header = _Header.model_validate(given, strict=True)
    except ValidationError as error:
        raise CardError(f"{where}: {first_fault(error, _Header)}") from error
    effects: list[Effect] = []
    for name, kind in EFFECTS.items():
        if name in fields:
            try:
                effects.append(kind.model_validate(fields[name], strict=True))
            except ValidationError as error:
                raise CardError(f"{where}: {first_fault(error, kind, name)}") from error
    return Profile(header.name, header.description, in_signal_order(effects))
