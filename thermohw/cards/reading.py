# SPDX-License-Identifier: Apache-2.0
"""Reading a card from its TOML file, and saying what is wrong with one."""

import os
import reprlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from thermohw.cards.kinds import AnyCard, IdealCard, JosephsonCard, MechanicalCard, RCCard
from thermohw.cards.toml_files import find_toml, first_fault, read_toml, toml_names
from thermohw.errors import CardError
from thermohw.shipped import shipped_folder

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
    return toml_names(shipped_folder("devices"))


def load_card(name_or_path: str | os.PathLike[str]) -> AnyCard:
    """Read and check a device card.

    Args:
        name_or_path: Name of a shipped card, such as `rc_chip`, or a path that ends in `.toml`.

    Raises:
        CardError: No shipped card has the name; or the file is no card. The message names the file, the key of the
            first fault, what would be right, and how many more faults there are.
        StorageError: The file cannot be read.
    """
    path = find_toml(name_or_path, shipped_folder("devices"), "device card")
    return _parse(read_toml(Path(path), "a card"), path)


def _parse(fields: dict[str, Any], where: str) -> AnyCard:
    """Check the content of a card; `where` names the file in messages."""
    kind = fields.get("kind")
    model = _KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        found = "is missing" if kind is None else f"is {reprlib.repr(kind)}"
        raise CardError(f"{where}: kind: {found}, must be one of: {', '.join(_KINDS)}")
    try:
        return model.model_validate(fields, strict=True)
    except ValidationError as error:
        raise CardError(f"{where}: {first_fault(error, model)}") from error
