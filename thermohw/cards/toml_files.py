# SPDX-License-Identifier: Apache-2.0
"""TOML files that a lab edits: read within bounds, and their first fault told in one line."""

import os
import reprlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from thermohw.errors import CardError, FileFormatError
from thermohw.storage import read_text

MAX_BYTES = 64 * 1024
"""Largest file that is read, bytes."""

MAX_LINE = 4096
"""Longest line, characters: a TOML parser's time and memory grow with the square of a dotted key's length."""


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: The file.
        what: What it should be, such as "a card", for messages.

    Raises:
        CardError: It is no file, too large, or not TOML in UTF-8.
        StorageError: The file cannot be read.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # unlike Path.exists, these two raise nothing
        raise CardError(f"{path}: not a file; {what} is a TOML file")
    try:
        text = read_text(path, MAX_BYTES)
    except FileFormatError as error:
        raise CardError(f"{error}; {what} is a TOML file in UTF-8") from error
    text = text.removeprefix("\ufeff")  # some editors begin a file with it
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_LINE:
            raise CardError(f"{path}: line {number} has {len(line)} characters, {what} has at most {MAX_LINE} in one")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also numbers and dates beyond Python's
        raise CardError(f"{path}: not TOML: {error}") from error


def toml_names(folder: Path) -> tuple[str, ...]:
    """Get the names of the TOML files in a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def find_toml(name_or_path: str | os.PathLike[str], folder: Path, kind: str) -> str:
    """Get the path of a file that is named as those in a folder are, or by its path.

    Args:
        name_or_path: Name of a file in the folder, or a path that ends in `.toml`.
        folder: Where files that have names stand.
        kind: What the files are, such as "device card", for messages.

    Raises:
        CardError: No such name.
    """
    name = os.fspath(name_or_path)
    if name.endswith(".toml"):
        return name
    known = toml_names(folder)
    if name in known:
        return str(folder / f"{name}.toml")
    raise CardError(f"unknown {kind} {reprlib.repr(name)}; give a path ending in .toml or one of: {', '.join(known)}")


def first_fault(error: ValidationError, model: type[BaseModel], within: str = "") -> str:
    """Say in one line what is wrong first, where, and what would be right; and how many faults there are besides.

    Args:
        error: What validation found.
        model: What was validated.
        within: Key of the table that was validated, if it is not the whole file.
    """
    first, *others = error.errors(include_url=False, include_input=False)
    place = first["loc"]
    match first["type"]:
        case "missing":
            fault = f"is missing; needed are: {_keys(model, place[:-1], required=True)}"
        case "extra_forbidden":
            fault = f"unknown key; keys here are: {_keys(model, place[:-1])}"
        case "model_type":
            needed = _keys(model, place, required=True) or _keys(model, place)
            fault = f"must be a table with the keys: {needed}"
        case "none_required":
            fault = "must be left out of a card of this kind"
        case _:
            fault = first["msg"].removeprefix("Value error, ")
    shown = ".".join(
        part if part.isidentifier() and len(part) <= 64 else reprlib.repr(part)
        for part in map(str, (within, *place) if within else place)
    )
    return f"{shown}: {fault}" + (f" (and {len(others)} more)" if others else "")


def _keys(model: type[BaseModel], place: Sequence[int | str], required: bool = False) -> str:
    """Get the keys of the table at a place in a card."""
    for part in place:
        by_key = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        model = next(kind for kind in _flat(by_key[str(part)]) if issubclass(kind, BaseModel))
    fields = model.model_fields.items()
    return ", ".join(field.alias or name for name, field in fields if field.is_required() or not required)


def _flat(annotation: Any) -> list[type]:
    """Get the classes in an annotation such as `Quantity | None`."""
    parts = get_args(annotation)
    return [kind for part in parts for kind in _flat(part)] if parts else [annotation] * isinstance(annotation, type)
