# SPDX-License-Identifier: Apache-2.0
"""Messages taken apart into commands: headers with their paths, and arguments (docs/protocol.md, section 1)."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from thermohw.instrument.command_error import CommandError
from thermohw.instrument.parser import BLOCK_MARK

BLANKS = " \t"

_COMMAND = re.compile(r"(\*[A-Za-z]+|:?[A-Za-z]\w*(?::[A-Za-z]\w*)*)(\??)(?:[ \t]+(.*))?", re.ASCII | re.DOTALL)
_WORD = re.compile(r"(\[)?:?([A-Z]+)([a-z]*)(\])?")


@dataclass(frozen=True)
class Call:
    """A command as it was sent.

    Attributes:
        header: Its whole path in upper case, without leading colon; `?` at the end of a query.
        arguments: Each as text, or a block's payload.
    """

    header: str
    arguments: tuple[str | bytearray, ...]


def calls(text: str, blocks: Sequence[bytearray]) -> Iterator[Call]:
    """Take a line's commands apart one by one, so that those before a wrong one can be carried out.

    Raises:
        CommandError: The next command does not follow the syntax.
    """
    if not text.strip(BLANKS):
        return
    level: tuple[str, ...] = ()
    remaining = iter(blocks)
    for command in text.split(";"):
        found = _COMMAND.fullmatch(command.strip(BLANKS))
        if found is None:
            raise CommandError(-102, f"a command reads HEADER ARGUMENT,...; got {_shown(command)}")
        header, query, rest = found.groups()
        if not header.startswith("*"):
            sent = tuple(header.upper().lstrip(":").split(":"))
            path = sent if header.startswith(":") else (*level, *sent)
            level = path[:-1]
            header = ":".join(path)
        yield Call(header.upper() + query, tuple(_arguments(rest, remaining)))


def _arguments(text: str | None, blocks: Iterator[bytearray]) -> Iterator[str | bytearray]:
    if text is None or not text.strip(BLANKS):
        return
    for argument in text.split(","):
        trimmed = argument.strip(BLANKS)
        if trimmed == BLOCK_MARK:
            yield next(blocks)
        elif BLOCK_MARK in trimmed:
            raise CommandError(-102, f"a block is an argument of its own; got {_shown(trimmed)}")
        else:
            yield trimmed


def forms(pattern: str) -> Iterator[str]:
    """Get all ways to write a header or word: `SYSTem:ERRor[:NEXT]` also as `SYST:ERR`, in upper case."""
    if pattern.startswith("*"):
        yield pattern
        return
    choices: list[tuple[str, ...]] = []
    for bracket, short, rest, _ in _WORD.findall(pattern):
        written = tuple(dict.fromkeys((short, short + rest.upper())))
        choices.append(("", *written) if bracket else written)
    for words in itertools.product(*choices):
        yield ":".join(word for word in words if word)


def _shown(text: str) -> str:
    return repr(text.strip(BLANKS).replace(BLOCK_MARK, "#...")[:40])
