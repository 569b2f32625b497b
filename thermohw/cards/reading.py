# SPDX-License-Identifier: Apache-2.0
"""Reading a card from its TOML file, and saying what is wrong with one."""

import os
import reprlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from thermohw.cards.kinds import AnyCard, IdealCard, JosephsonCard, MechanicalCard, RCCard
from thermohw.errors import CardError, FileFormatError
from thermohw.shipped import shipped_folder
from thermohw.storage import read_text

MAX_CARD_BYTES = 64 * 1024
"""Largest card file that is read, bytes."""

MAX_LINE = 4096
"""Longest line of a card, characters: a TOML parser's time and memory grow with the square of a dotted key's length."""

_KINDS: dict[str, type[AnyCard]] = {
    "ideal": IdealCard,
    "josephson": JosephsonCard,
    "mechanical": MechanicalCard,
    "rc": RCCard,
}


def card_names() -> tuple[str, ...]:
    """Get the names of the cards that ship with the package, sorted.

    Raises:
        StorageError: The installation lacks the folder `devices`.
    """
    return tuple(sorted(path.stem for path in shipped_folder("devices").glob("*.toml")))


def load_card(name_or_path: str | os.PathLike[str]) -> AnyCard:
    """Read and check a device card.

    Args:
        name_or_path: Name of a shipped card, such as `rc_chip`, or a path that ends in `.toml`.

    Raises:
        CardError: No shipped card has the name; or the file is no card. The message names the file, the key of the
            first fault, what would be right, and how many more faults there are.
        StorageError: The file cannot be read.
    """
    name = os.fspath(name_or_path)
    if name.endswith(".toml"):
        return _parse(_read(Path(name)), name)
    if name in card_names():
        return load_card(shipped_folder("devices") / f"{name}.toml")
    raise CardError(
        f"unknown device card {reprlib.repr(name)}; give a path ending in .toml or one of: {', '.join(card_names())}"
    )


def _read(path: Path) -> str:
    """Get the text of a card file."""
    if os.path.exists(path) and not os.path.isfile(path):  # unlike Path.exists, these two raise nothing
        raise CardError(f"{path}: not a file; a card is a TOML file")
    try:
        return read_text(path, MAX_CARD_BYTES)
    except FileFormatError as error:
        raise CardError(f"{error}; a card is a TOML file in UTF-8") from error


def _parse(text: str, where: str) -> AnyCard:
    """Check the text of a card; `where` names the file in messages."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_LINE:
            raise CardError(
                f"{where}: line {number} has {len(line)} characters, a card's lines have at most {MAX_LINE}"
            )
    try:
        fields = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also numbers and dates beyond Python's
        raise CardError(f"{where}: not TOML: {error}") from error
    kind = fields.get("kind")
    model = _KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        found = "is missing" if kind is None else f"is {reprlib.repr(kind)}"
        raise CardError(f"{where}: kind: {found}, must be one of: {', '.join(_KINDS)}")
    try:
        return model.model_validate(fields, strict=True)
    except ValidationError as error:
        raise CardError(f"{where}: {_first_fault(error, model)}") from error


def _first_fault(error: ValidationError, model: type[BaseModel]) -> str:
    """Say in one line what is wrong first, where, and what would be right; and how many faults there are besides."""
    first, *others = error.errors(include_url=False, include_input=False)
    place = first["loc"]
    match first["type"]:
        case "missing":
            fault = f"is missing; needed are: {_keys(model, place[:-1], required=True)}"
        case "extra_forbidden":
            fault = f"unknown key; keys here are: {_keys(model, place[:-1])}"
        case "model_type":
            fault = f"must be a table with the keys: {_keys(model, place, required=True)}"
        case "none_required":
            fault = "must be left out of a card of this kind"
        case _:
            fault = first["msg"].removeprefix("Value error, ")
    shown = ".".join(
        part if part.isidentifier() and len(part) <= 64 else reprlib.repr(part) for part in map(str, place)
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
