# SPDX-License-Identifier: Apache-2.0
"""What is varied: one number of one effect, over some values."""

import math
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from thermohw.cards.toml_files import first_fault
from thermohw.errors import DeviceLimitError
from thermohw.nonideal import EFFECTS, CouplingDrift, Effect


@dataclass(frozen=True)
class Axis:
    """One field of one effect, and the values that it takes.

    Attributes:
        effect: The kind of effect.
        field: Its field.
        values: Ascending, None last: the field at its default, which is off.
    """

    effect: type[Effect]
    field: str
    values: tuple[float | None, ...]

    @staticmethod
    def of(name: str, values: Iterable[float | None]) -> "Axis":
        """Check a field's name and its values.

        Args:
            name: EFFECT.FIELD; EFFECT alone means the first number among its fields.
            values: In any order; None is the field's default.

        Raises:
            DeviceLimitError: An unknown effect or field, one that is no number, no value, or one out of bounds.
        """
        effect, _, field = name.partition(".")
        if effect not in EFFECTS:
            raise DeviceLimitError(f"unknown effect {reprlib.repr(effect)}; there are: {', '.join(EFFECTS)}")
        kind = EFFECTS[effect]
        numeric = numeric_fields(kind)
        chosen = field if "." in name else numeric[0]
        if chosen not in numeric:
            raise DeviceLimitError(
                f"{effect} has no number {reprlib.repr(field)} to vary; it has {', '.join(numeric)}, and "
                f"{effect} alone means {effect}.{numeric[0]}"
            )
        default = kind.model_fields[chosen].default
        checked = {default if value is None else _checked(kind, chosen, value) for value in values}
        if not checked:
            raise DeviceLimitError(f"{effect}.{chosen} needs at least one value")
        ordered = sorted(checked, key=lambda value: math.inf if value is None else value)
        return Axis(kind, chosen, tuple(ordered))

    @property
    def name(self) -> str:
        """Get EFFECT.FIELD."""
        return f"{self.effect.name()}.{self.field}"

    @property
    def description(self) -> str:
        """Get what the field is, with its unit."""
        return self.effect.model_fields[self.field].description or self.name

    def effects(self, background: Sequence[Effect], value: float | None) -> tuple[Effect, ...]:
        """Get the effects of a device at one value: the background's, this field changed.

        Raises:
            DeviceLimitError: At this value the effect does nothing, since other fields of it are off.
        """
        base = next((effect for effect in background if type(effect) is self.effect), self.effect())
        varied = self.effect.model_validate({**base.model_dump(), self.field: value})
        unaged = isinstance(varied, CouplingDrift) and varied.elapsed == 0  # points run as soon as they are programmed
        if value != self.effect.model_fields[self.field].default and (unaged or not varied.active):
            others = [name for name in self.effect.model_fields if name not in (self.field, "source", "status")]
            raise DeviceLimitError(
                f"{self.name} = {value:g} does nothing by itself: set also {' or '.join(others)}, in the profile of "
                "effects that are there at all points"
            )
        return (*(effect for effect in background if type(effect) is not self.effect), varied)


def numeric_fields(kind: type[Effect]) -> list[str]:
    """Get the names of an effect's fields that are numbers, in the order in which they are declared."""
    fields = kind.model_fields.items()
    return [name for name, field in fields if {int, float} & {field.annotation, *get_args(field.annotation)}]


def _checked(kind: type[Effect], field: str, value: Any) -> float:
    try:
        return getattr(kind.model_validate({field: value}), field)
    except ValidationError as error:
        raise DeviceLimitError(f"{first_fault(error, kind, kind.name())}; got {value!r}") from error
