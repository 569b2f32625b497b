# SPDX-License-Identifier: Apache-2.0
"""Arguments of commands: numbers, words, checksums and blocks, each read strictly."""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from thermohw.instrument.command_error import CommandError
from thermohw.instrument.syntax import forms

Value = TypeVar("Value")
Argument = str | bytearray
Reader = Callable[[str, Argument], object]
"""Reads an argument of a command that is named in errors."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_CHECKSUM = re.compile(r"#[hH]([0-9A-Fa-f]{1,8})")
_LONGEST_NUMBER = 255
_SHOWN = 40


def number(low: float, above: bool = False) -> Reader:
    """Read a finite float of at least `low`, or above it."""

    def read(command: str, argument: Argument) -> float:
        value = float(_number_text(command, argument))
        if not math.isfinite(value) or value < low or (above and value == low):
            raise CommandError(-222, f"{command} takes a number {'>' if above else '>='} {low:g}, got {argument!s}")
        return value

    return read


def whole(low: int, high: int) -> Reader:
    """Read a whole number between limits, exactly; `1e3` is one, too."""

    def read(command: str, argument: Argument) -> int:
        text = _number_text(command, argument)
        value = Decimal(text) if abs(float(text)) < 1e30 else Decimal("1e30")  # far beyond all limits
        if value != value.to_integral_value():
            raise CommandError(-104, f"{command} takes a whole number, got {text}")
        if not low <= value <= high:
            raise CommandError(-222, f"{command} takes {low} ... {high}, got {text}")
        return int(value)

    return read


def word(values: Mapping[str, object]) -> Reader:
    """Read a word: patterns such as `TRAJectory`, with what each means."""
    known = {form: value for pattern, value in values.items() for form in forms(pattern)}

    def read(command: str, argument: Argument) -> object:
        text = _text(command, argument)
        if not text or text[0] in "+-.0123456789#":
            raise CommandError(-104, f"{command} takes one of {', '.join(values)}")
        if text.upper() not in known:
            raise CommandError(-224, f"{command} takes one of {', '.join(values)}, got {text[:_SHOWN]}")
        return known[text.upper()]

    return read


def checksum(command: str, argument: Argument) -> int:
    """Read a CRC-32 as `#H0123ABCD`.

    Raises:
        CommandError: It is none.
    """
    text = _text(command, argument)
    found = _CHECKSUM.fullmatch(text)
    if found is None:
        raise CommandError(-104, f"{command} takes a checksum such as #H0123ABCD, got {text[:_SHOWN]}")
    return int(found[1], 16)


def block(command: str, argument: Argument) -> bytearray:
    """Read a block's payload.

    Raises:
        CommandError: It is no block.
    """
    if isinstance(argument, str):
        raise CommandError(-104, f"{command} takes a block, got {argument[:_SHOWN]}")
    return argument


def _text(command: str, argument: Argument) -> str:
    if not isinstance(argument, str):
        raise CommandError(-168, f"{command} takes no block here")
    if not argument:
        raise CommandError(-109, f"an argument of {command} is empty")
    return argument


def _number_text(command: str, argument: Argument) -> str:
    text = _text(command, argument)
    found = _NUMBER.match(text)
    if found is None:
        raise CommandError(-104, f"{command} takes a number, got {text[:_SHOWN]}")
    if found.end() < len(text):
        raise CommandError(-131, f"{command} takes a number without unit, got {text[:_SHOWN]}")
    if len(text) > _LONGEST_NUMBER:
        raise CommandError(-222, f"{command} takes numbers of at most {_LONGEST_NUMBER} characters")
    return text
