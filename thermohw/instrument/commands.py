# SPDX-License-Identifier: Apache-2.0
"""The table of commands (docs/protocol.md, section 4): headers, their arguments, and what they do."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from thermohw.instrument.arguments import Reader, block, checksum, number, whole, word
from thermohw.instrument.command_error import CommandError, NotYet
from thermohw.instrument.instrument import Instrument, What
from thermohw.instrument.settings import KEEPS, STARTS
from thermohw.instrument.syntax import Call, forms
from thermohw.protocol import VERSION

LARGEST = 2**32 - 1
RUN_GOES_ON, READY_TO_START = 16, 32
"""Bits of the operation register."""

LOADS: dict[str, What] = {
    "PROGram": "program",
    "PROGram:BIAS": "biases",
    "PROGram:SCHedule": "schedule",
    "RUN:STATes": "states",
}
"""Headers of what can be loaded; a program itself has `:DATA` behind it."""


@dataclass(frozen=True)
class Block:
    """A reply that is a block."""

    payload: bytes


Reply = str | Block | None


@dataclass
class LineState:
    """What one client's line is in.

    Attributes:
        checked: Whether checked lines are compulsory.
        abandoned: Whether plain lines that wait for the end of a run are to be forgotten.
    """

    checked: bool = False
    abandoned: bool = False


@dataclass(frozen=True)
class _Command:
    pattern: str
    action: Callable[..., Reply]
    takes: tuple[Reader, ...]
    required: int


class Commands:
    """The commands of an instrument on one client's line.

    Args:
        instrument: What they act on.
        line: State of the line.
    """

    def __init__(self, instrument: Instrument, line: LineState) -> None:
        self._instrument = instrument
        self._line = line
        self._table: dict[str, _Command] = {}
        self._add_common()
        self._add_loads()
        self._add_settings()
        self._add_runs()

    def carry_out(self, call: Call) -> Reply:
        """Carry a command out; returns its reply, if it has one.

        Raises:
            CommandError: It is unknown, its arguments are wrong, or the instrument refuses it.
        """
        command = self._table.get(call.header)
        if command is None:
            raise CommandError(-113, f"there is no {call.header[:60]}")
        given = call.arguments
        if len(given) > len(command.takes):
            blocks = [argument for argument in given if not isinstance(argument, str)]
            number = -168 if blocks and not command.takes else -108
            raise CommandError(number, f"{command.pattern} takes {len(command.takes)} arguments, got {len(given)}")
        if len(given) < command.required:
            raise CommandError(-109, f"{command.pattern} takes {command.required} arguments, got {len(given)}")
        values = [read(command.pattern, argument) for read, argument in zip(command.takes, given, strict=False)]
        return command.action(*values)

    def _add(self, pattern: str, action: Callable[..., Reply], *takes: Reader, required: int | None = None) -> None:
        command = _Command(pattern, action, takes, len(takes) if required is None else required)
        bare = pattern.removesuffix("?")
        for form in forms(bare):
            self._table[form + pattern[len(bare) :]] = command

    def _add_common(self) -> None:
        instrument, status = self._instrument, self._instrument.status
        mask = whole(0, 255)
        self._add("*IDN?", lambda: instrument.identity)
        self._add("*RST", instrument.reset)
        self._add("*CLS", self._clear)
        self._add("*ESE", partial(_assign, status, "event_enable"), mask)
        self._add("*ESE?", lambda: str(status.event_enable))
        self._add("*SRE", partial(_assign, status, "service_enable"), mask)
        self._add("*SRE?", lambda: str(status.service_enable))
        self._add("*ESR?", lambda: str(status.take_events()))
        self._add("*STB?", lambda: str(status.status_byte))
        self._add("*OPC", self._note_completion)
        self._add("*OPC?", self._await_completion)
        self._add("*WAI", lambda: None)
        self._add("*TST?", lambda: "0")
        self._add("SYSTem:ERRor[:NEXT]?", status.next_error)
        self._add("SYSTem:VERSion?", lambda: VERSION)
        self._add("SYSTem:CHECk", partial(_assign, self._line, "checked"), word({"ON": True, "OFF": False}))
        self._add("SYSTem:CHECk?", lambda: str(int(self._line.checked)))
        self._add("SYSTem:CAPability?", lambda: Block(instrument.capability.encode()))

    def _add_loads(self) -> None:
        instrument = self._instrument
        limits = instrument.limits
        self._add("UPLoad:DATA", instrument.upload.write, whole(0, limits.upload_bytes), block)
        for pattern, what in LOADS.items():
            direct = f"{pattern}:DATA" if what == "program" else pattern
            self._add(direct, partial(instrument.load, what), block)
            self._add(f"{pattern}:LOAD", partial(self._load, what), whole(0, 2**40), checksum)
            self._add(f"{pattern}:CRC?", partial(self._checksum, what))

    def _add_settings(self) -> None:
        instrument = self._instrument
        settings: dict[str, tuple[str, Reader]] = {
            "RUN:DURation": ("duration", number(0.0, above=True)),
            "RUN:DT": ("dt", number(0.0)),
            "RUN:SAMPles": ("samples", whole(1, instrument.limits.samples)),
            "RUN:FIRSt": ("first", whole(0, LARGEST)),
            "RUN:SEED": ("seed", whole(0, 2**64 - 1)),
            "RUN:KEEP": ("keep", word(KEEPS)),
            "RUN:RECord": ("record", whole(1, LARGEST)),
            "RUN:INITial": ("initial", word(STARTS)),
        }
        short = {value: next(forms(pattern)) for pattern, value in (*KEEPS.items(), *STARTS.items())}
        for pattern, (name, reader) in settings.items():
            self._add(pattern, partial(self._set, name), reader)
            self._add(f"{pattern}?", partial(self._setting, name, short))
        self._add("RUN:DT?", lambda: repr(instrument.dt))

    def _add_runs(self) -> None:
        instrument = self._instrument
        self._add("INITiate[:IMMediate]", instrument.initiate, whole(1, LARGEST), required=0)
        self._add("ABORt", instrument.abort)
        self._add("FETCh?", self._fetch, whole(0, LARGEST), whole(1, LARGEST))
        self._add("RUN:PROGress?", lambda: ",".join(map(str, instrument.progress)))
        self._add("RUN:TIMes?", lambda: Block(instrument.times()))
        self._add("RUN:ERRor?", self._failure)
        self._add("STATus:OPERation[:CONDition]?", self._operation)

    def _set(self, name: str, value: object) -> None:
        self._instrument.set(**{name: value})

    def _setting(self, name: str, short: dict[Any, str]) -> str:
        value = getattr(self._instrument.settings, name)
        return short[value] if isinstance(value, str) else repr(value)

    def _checksum(self, what: What) -> str:
        return f"#H{self._instrument.checksum(what):08X}"

    def _load(self, what: What, length: int, stated: int) -> None:
        self._instrument.load(what, self._instrument.upload.payload(length, stated))

    def _fetch(self, first: int, count: int) -> Block:
        return Block(self._instrument.fetch(first, count))

    def _failure(self) -> str:
        text = self._instrument.last_failure.replace('"', "'").encode("ascii", "replace").decode()
        return '"' + "".join(letter if letter.isprintable() else "?" for letter in text[:1024]) + '"'

    def _operation(self) -> str:
        if self._instrument.running:
            return str(RUN_GOES_ON)
        return str(0 if self._instrument.state == "IDLE" else READY_TO_START)

    def _clear(self) -> None:
        self._instrument.status.clear()
        self._line.checked = False
        self._line.abandoned = True

    def _note_completion(self) -> None:
        self._instrument.status.completing = True
        self._instrument.settle()

    def _await_completion(self) -> str:
        if self._instrument.running:
            raise NotYet
        return "1"


def _assign(target: object, name: str, value: object) -> None:
    setattr(target, name, value)
