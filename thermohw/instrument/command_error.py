# SPDX-License-Identifier: Apache-2.0
"""A command that is refused, with the SCPI number that says how, and what becomes of the package's own errors."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from thermohw.errors import (
    DeviceLimitError,
    DeviceStateError,
    InstrumentError,
    PlanError,
    ProtocolError,
)
from thermohw.protocol.scpi_errors import error_text

_NUMBERS: tuple[tuple[type[Exception], int], ...] = (
    (ProtocolError, -161),
    (DeviceLimitError, -222),
    (PlanError, -221),
    (DeviceStateError, -221),
)

_log = logging.getLogger(__name__)


class CommandError(InstrumentError):
    """A refused command: number (docs/protocol.md, section 6), and what exactly is wrong."""

    def __init__(self, number: int, detail: str = "") -> None:
        super().__init__(number, detail)
        self.number = number
        self.detail = detail

    def __str__(self) -> str:
        return error_text(self.number, self.detail)

    @staticmethod
    def of(error: Exception) -> "CommandError":
        """Get the refusal that tells a client of an error: the package's own words, under the number that fits."""
        if isinstance(error, CommandError):
            return error
        number = next((number for kind, number in _NUMBERS if isinstance(error, kind)), -200)
        return CommandError(number, reason(error))


class NotYet(Exception):
    """No refusal: the answer of a query comes at the end of the run."""


def reason(error: Exception) -> str:
    """Get in words why something failed."""
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}" if str(error) else "not enough memory"
    return str(error) or type(error).__name__


@contextmanager
def refusals() -> Generator[None]:
    """Turn whatever fails inside into a `CommandError`: an instrument outlives every command."""
    try:
        yield
    except (CommandError, NotYet):
        raise
    except Exception as error:
        refused = CommandError.of(error)
        if refused.number == -200:
            _log.warning("a command failed", exc_info=error)
        raise refused from error
