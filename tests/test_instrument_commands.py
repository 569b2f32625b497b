# SPDX-License-Identifier: Apache-2.0
"""Headers, arguments and registers: what is understood, and what is refused under which number."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermohw.backends import SimulatedDevice
from thermohw.instrument import Instrument
from thermohw.instrument.arguments import Argument, Reader, block, checksum, number, whole, word
from thermohw.instrument.command_error import CommandError, reason, refusals
from thermohw.instrument.commands import Commands, LineState
from thermohw.instrument.parser import BLOCK_MARK
from thermohw.instrument.registers import StatusRegisters
from thermohw.instrument.syntax import Call, calls, forms
from thermohw.instrument.upload import UploadArea
from thermohw.transport import with_checksum


@pytest.fixture
def instrument() -> Iterator[Instrument]:
    made = Instrument(SimulatedDevice())
    yield made
    made.close()


def refusal(reader: Reader, argument: Argument) -> int:
    with pytest.raises(CommandError) as caught:
        reader("RUN:X", argument)
    assert "RUN:X" in caught.value.detail
    return caught.value.number


def test_forms_are_the_short_and_the_long_one_and_nothing_between() -> None:
    assert set(forms("SYSTem:ERRor[:NEXT]")) == {
        f"{first}:{second}{third}"
        for first in ("SYST", "SYSTEM")
        for second in ("ERR", "ERROR")
        for third in ("", ":NEXT")
    }
    assert set(forms("TRAJectory")) == {"TRAJ", "TRAJECTORY"}
    assert list(forms("*IDN?")) == ["*IDN?"]


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("run:seed 1;samp 5", ["RUN:SEED", "RUN:SAMP"]),
        ("RUN:SEED 1;*OPC;SAMP 5", ["RUN:SEED", "*OPC", "RUN:SAMP"]),
        ("RUN:SEED 1 ; :INIT", ["RUN:SEED", "INIT"]),
        ("PROG:BIAS:LOAD 4,#H0;CRC?", ["PROG:BIAS:LOAD", "PROG:BIAS:CRC?"]),
        (":SYST:ERR?;VERS?", ["SYST:ERR?", "SYST:VERS?"]),
        ("\t*IDN?  ", ["*IDN?"]),
    ],
)
def test_a_header_starts_where_the_one_before_ended(text: str, headers: list[str]) -> None:
    assert [call.header for call in calls(text, ())] == headers


def test_arguments_are_parted_by_commas_and_blocks_are_counted_off() -> None:
    payloads = (bytearray(b"a;b"), bytearray(b"\n"))
    text = f"A 1 , {BLOCK_MARK};B \t{BLOCK_MARK}"
    assert list(calls(text, payloads)) == [Call("A", ("1", payloads[0])), Call("B", (payloads[1],))]


@pytest.mark.parametrize("text", [";", "A;", "?", "1", "A:", ":", "A?B", "*", "A?:B", "A::B", "::A", f"A{BLOCK_MARK}"])
def test_what_is_no_command_is_a_syntax_error(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        list(calls(text, (bytearray(),)))
    assert caught.value.number == -102


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("+1e3", 1000), ("5.0", 5), (str(2**64 - 1), 2**64 - 1), ("0.1E1", 1), ("007", 7)]
)
def test_whole_numbers_are_read_exactly(text: str, value: int) -> None:
    assert whole(0, 2**64 - 1)("RUN:X", text) == value


@pytest.mark.parametrize(
    ("reader", "argument", "expected"),
    [
        (whole(1, 10), "0", -222),
        (whole(1, 10), "11", -222),
        (whole(0, 2**64 - 1), str(2**64), -222),
        (whole(1, 10), "-1e999999999", -222),
        (whole(1, 10), "1e999999999999999999999", -222),
        (whole(1, 10), "1" * 300, -222),
        (whole(1, 10), "2.5", -104),
        (whole(1, 10), "1e-999999999", -104),
        (whole(1, 10), "FIVE", -104),
        (whole(1, 10), "5 V", -131),
        (whole(1, 10), "5s", -131),
        (whole(1, 10), "#H5", -104),
        (whole(1, 10), "١", -104),
        (whole(1, 10), "", -109),
        (whole(1, 10), bytearray(b"5"), -168),
        (number(0.0), "-1e-9", -222),
        (number(0.0, above=True), "0", -222),
        (number(0.0), "1e999", -222),
        (number(0.0), "NAN", -104),
        (number(0.0), "INF", -104),
        (number(0.0), "-INFINITY", -104),
        (number(0.0), ".", -104),
        (number(0.0), "2.5ms", -131),
        (word({"ON": 1}), "OF", -224),
        (word({"ON": 1}), "1", -104),
        (word({"ON": 1}), bytearray(b"ON"), -168),
        (checksum, "123", -104),
        (checksum, "#HG", -104),
        (checksum, "#H123456789", -104),
        (block, "abc", -104),
    ],
)
def test_a_wrong_argument_is_refused_under_its_number(reader: Reader, argument: Argument, expected: int) -> None:
    assert refusal(reader, argument) == expected


def test_right_arguments_are_read() -> None:
    assert number(0.0)("RUN:X", "0") == 0.0
    assert number(0.0)("RUN:X", ".25e1") == 2.5
    assert word({"TRAJectory": "t", "NONE": "n"})("RUN:X", "traj") == "t"
    assert checksum("RUN:X", "#h0123aBcD") == 0x0123ABCD
    assert block("RUN:X", bytearray(b"a")) == b"a"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (Call("RUN:SEEED", ("1",)), -113),
        (Call("SYSTE:VERS?", ()), -113),
        (Call("RUN:PROG", ()), -113),
        (Call("RUN:SEED", ()), -109),
        (Call("RUN:SEED", ("1", "2")), -108),
        (Call("*IDN?", ("1",)), -108),
        (Call("*CLS", (bytearray(),)), -168),
        (Call("FETC?", ("1",)), -109),
        (Call("SYST:CHEC", ("MAYBE",)), -224),
        (Call("INIT", ("0",)), -222),
        (Call("RUN:KEEP", ("ALL",)), -224),
    ],
)
def test_a_wrong_command_is_refused_under_its_number(instrument: Instrument, call: Call, expected: int) -> None:
    with pytest.raises(CommandError) as caught:
        Commands(instrument, LineState()).carry_out(call)
    assert caught.value.number == expected


@given(st.text(max_size=40), st.lists(st.binary(max_size=8).map(bytearray), max_size=3))
def test_any_text_is_carried_out_or_refused(text: str, blocks: list[bytearray]) -> None:
    made = Instrument(SimulatedDevice())
    commands = Commands(made, LineState())
    text = "".join(letter for letter in text if letter != BLOCK_MARK) + f";A {BLOCK_MARK}" * len(blocks)
    with closing(made), pytest.raises(CommandError):
        for call in calls(text, blocks):
            commands.carry_out(call)
        raise CommandError(0)


def test_the_error_queue_holds_sixteen_and_says_when_it_overflowed() -> None:
    status = StatusRegisters()
    for count in range(20):
        status.report(CommandError(-222, f'error "{count}"'))
    errors = [status.next_error() for _ in range(17)]
    assert errors[0] == "-222,\"Data out of range; error '0'\""
    assert errors[14].startswith("-222")
    assert errors[15:] == ['-350,"Queue overflow"', '0,"No error"']


@pytest.mark.parametrize(("number_", "bit"), [(-113, 32), (-222, 16), (-363, 8), (-350, 8)])
def test_errors_set_their_bit_of_the_event_register(number_: int, bit: int) -> None:
    status = StatusRegisters()
    assert status.take_events() == 128
    status.report(CommandError(number_))
    status.event_enable, status.service_enable = bit, 32 | 64
    assert status.status_byte == 4 | 32 | 64
    assert status.take_events() == bit
    assert (status.status_byte, status.take_events()) == (4, 0)
    status.clear()
    assert status.status_byte == 0


def test_a_text_of_an_error_is_plain_ascii_of_bounded_length() -> None:
    text = str(CommandError(-200, 'μ "quoted"\n' + "x" * 500))
    assert text.isascii() and text.isprintable() and text.count('"') == 2 and len(text) < 220


def test_whatever_fails_becomes_a_refusal() -> None:
    with pytest.raises(CommandError) as caught, refusals():
        raise MemoryError
    assert (caught.value.number, caught.value.detail) == (-200, "not enough memory")
    assert reason(ZeroDivisionError()) == "ZeroDivisionError"


def test_the_upload_area_is_written_in_pieces_in_any_order() -> None:
    area = UploadArea(100)
    payload = with_checksum(bytes(range(50)))
    stated = int.from_bytes(payload[-4:], "little")
    area.write(30, bytearray(with_checksum(payload[30:])))
    area.write(0, bytearray(with_checksum(payload[:30])))
    assert area.payload(54, stated) == payload
    area.write(0, bytearray(with_checksum(b"")))
    for attempt, expected in (
        (lambda: area.write(70, bytearray(with_checksum(bytes(31)))), -223),
        (lambda: area.payload(54, stated ^ 1), -161),
        (lambda: area.payload(3, 0), -222),
        (lambda: area.payload(101, 0), -222),
        (lambda: UploadArea(100).payload(54, 0), -161),
        (lambda: area.write(0, bytearray(b"12345678")), -161),
    ):
        with pytest.raises(CommandError) as caught, refusals():
            attempt()
        assert caught.value.number == expected
    area.clear()
    with pytest.raises(CommandError):
        area.payload(54, stated)
