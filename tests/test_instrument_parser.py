# SPDX-License-Identifier: Apache-2.0
"""Lines out of bytes: any cut gives the same, garbage costs one quiet, and nothing grows beyond its limits."""

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermohw.instrument.parser import BLOCK_MARK, LONGEST_SKIP, Line, LineParser
from thermohw.protocol import LineLimits
from thermohw.transport import block, seal

LIMITS = LineLimits(
    line_bytes=128, block_bytes=300, upload_bytes=1000, fetch_bytes=1000, samples=10, stored_bytes=1000, knots=4
)
EVERY_BYTE = bytes(range(256))


def parse(data: bytes, limits: LineLimits = LIMITS) -> list[Line]:
    return LineParser(limits).feed(data, 0.0)


def outcome(line: Line) -> tuple[object, ...]:
    return line.text, tuple(map(bytes, line.blocks)), line.tag, str(line.error), line.size


def numbers(lines: list[Line]) -> list[int | None]:
    return [None if line.error is None else line.error.number for line in lines]


def test_lines_end_in_line_feeds_and_empty_ones_are_ignored() -> None:
    assert [line.text for line in parse(b"*IDN?\r\n\n \r\nRUN:SEED 1;SAMP 5\n*RST")] == ["*IDN?", "RUN:SEED 1;SAMP 5"]


def test_blocks_hold_any_byte_wherever_they_stand_in_a_line() -> None:
    (line,) = parse(b"A " + block(EVERY_BYTE) + b";B 1," + block(b"\n#15;") + b" ;C\n")
    assert line.text == f"A {BLOCK_MARK};B 1,{BLOCK_MARK} ;C"
    assert list(map(bytes, line.blocks)) == [EVERY_BYTE, b"\n#15;"]
    assert line.error is None


@pytest.mark.parametrize("message", [b"*IDN?", b"", b"A " + block(EVERY_BYTE), b"A " + block(b"\n") + b";B 1"])
def test_a_checked_line_is_known_by_its_seal(message: bytes) -> None:
    (line,) = parse(seal(message, 0x4F))
    assert (line.tag, line.error) == (0x4F, None)
    assert parse(seal(message, 0x4F)[:-1] + b"\r\n")[0].tag == 0x4F
    (lower,) = parse(seal(message, 0x4F)[:-9] + seal(message, 0x4F)[-9:].lower())
    assert (lower.tag, lower.error) == (0x4F, None)


@given(st.integers(min_value=0, max_value=43), st.integers(min_value=0, max_value=7))
def test_no_flipped_bit_of_a_checked_line_is_carried_out(at: int, bit: int) -> None:
    sent = seal(b"RUN:STAT " + block(b"123\n4567 ") + b";1 7", 3)[:-1]
    line = bytearray(sent)
    at %= len(line)
    line[at] ^= 1 << bit
    parser = LineParser(LIMITS)
    for found in parser.feed(bytes(line) + b"\n", 0.0) + parser.tick(1.0):
        refused = found.error is not None or found.tag is None  # plain, where checked lines are compulsory
        assert refused or line.upper() == sent.upper()  # a digit of the checksum in the other case


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (b"A" * 129 + b"\n", -363),
        (b"A " + block(bytes(301)) + b"tail\n", -223),
        (b"A " + block(bytes(200)) + b"," + block(bytes(101)) + b"\n", -223),
        (b"A #0abc\n", -161),
        (b"A #3 12\n", -161),
        (b"A #31\n", -161),
        (b"A\x07\n", -101),
        (b"\xff\n", -101),
        (b"A\0\n", -101),
    ],
)
def test_a_broken_line_is_skipped_and_the_next_one_read(data: bytes, number: int) -> None:
    lines = parse(data + b"*IDN?\n")
    assert numbers(lines) == [number, None]
    assert lines[1].text == "*IDN?"


def test_lines_and_blocks_of_just_the_longest_are_taken() -> None:
    assert numbers(parse(b"A" * 128 + b"\n" + b"A " + block(bytes(300)) + b"\n")) == [None, None]


def test_a_block_too_long_is_skipped_by_its_count_line_feeds_included() -> None:
    lines = parse(b"A " + block(b"\n*RST\n" * 100) + b"\n*IDN?\n")
    assert numbers(lines) == [-223, None]
    assert lines[1].text == "*IDN?"


def test_a_count_beyond_belief_is_skipped_up_to_the_quiet() -> None:
    parser = LineParser(LIMITS)
    assert parser.feed(b"A #8%d" % (LONGEST_SKIP + 1) + b"\n*RST\n", 0.0) == []
    assert parser.tick(0.24) == []
    assert numbers(parser.tick(0.25)) == [-223]
    assert [line.text for line in parser.feed(b"*IDN?\n", 0.25)] == ["*IDN?"]


@pytest.mark.parametrize("begun", [b"*ID", b"A #", b"A #3", b"A #3128", b"A #3128abc\n\n", b"A" * 500])
def test_what_stops_halfway_is_dropped_after_a_quiet_and_only_then(begun: bytes) -> None:
    parser = LineParser(LIMITS)
    assert parser.deadline is None
    parser.feed(begun, 1.0)
    assert parser.deadline == 1.25
    assert parser.tick(1.24) == []
    assert numbers(parser.tick(1.25)) == [-363]
    assert parser.held == 0
    assert parser.tick(9.0) == []
    assert numbers(parser.feed(b"*IDN?\n", 9.0)) == [None]


def test_time_in_which_nobody_listened_is_no_quiet() -> None:
    parser = LineParser(LIMITS)
    parser.feed(b"*ID", 0.0)
    parser.touch(5.0)
    assert parser.tick(5.2) == []
    assert [line.text for line in parser.feed(b"N?\n", 5.2)] == ["*IDN?"]


pieces = st.one_of(
    st.sampled_from([b"*IDN?\n", b"\n", b"\r\n", b"#", b"#0", b"#1", b"#3128", b"#9999999999", b";", b" ~01"]),
    st.binary(max_size=60),
    st.binary(max_size=310).map(block),
    st.binary(max_size=30).map(lambda message: seal(message, 7)),
    st.integers(min_value=1, max_value=200).map(lambda count: b"A" * count),
)


@given(st.lists(pieces, max_size=12).map(b"".join), st.data())
def test_however_a_stream_is_cut_its_lines_are_the_same(stream: bytes, data: st.DataObject) -> None:
    whole, cut, single = LineParser(LIMITS), LineParser(LIMITS), LineParser(LIMITS)
    expected = [outcome(line) for line in whole.feed(stream, 0.0) + whole.tick(1.0)]
    places = sorted(data.draw(st.lists(st.integers(min_value=0, max_value=len(stream)), max_size=8)))
    found: list[Line] = []
    for start, end in zip([0, *places], [*places, len(stream)], strict=True):
        found += cut.feed(bytearray(stream[start:end]), 0.0)
    assert [outcome(line) for line in found + cut.tick(1.0)] == expected
    found = [line for byte in stream for line in single.feed(bytes([byte]), 0.0)]
    assert [outcome(line) for line in found + single.tick(1.0)] == expected


def test_ten_thousand_random_and_damaged_streams_never_raise_nor_grow() -> None:
    rng = random.Random(1)
    sound = seal(b"A " + block(bytes(range(100))), 1) + b"*IDN?\r\n" + b"B #210" + bytes(10) + b";C 1.5e3,#HAB\n"
    parser = LineParser(LIMITS)
    longest = LIMITS.line_bytes + LIMITS.block_bytes
    for number in range(10_000):
        stream = bytearray(sound if number % 2 else rng.randbytes(rng.randrange(200)))
        for _ in range(rng.randrange(1, 6)):
            if stream:
                at = rng.randrange(len(stream))
                stream[at : at + rng.randrange(3)] = rng.choice([b"", b"#", b"\n", rng.randbytes(2)])
        lines = parser.feed(stream, float(number))
        assert parser.held <= longest
        assert all(sum(map(len, line.blocks)) <= LIMITS.block_bytes for line in lines)
        parser.tick(number + 0.5)
        assert parser.held == 0
    assert [line.text for line in parser.feed(b"*IDN?\n", 1e6)] == ["*IDN?"]


def test_a_large_block_is_read_in_one_pass() -> None:
    limits = LIMITS.model_copy(update={"block_bytes": 2**24})
    payload = random.Random(2).randbytes(2**23)
    stream = seal(b"A " + block(payload), 9)
    parser = LineParser(limits)
    lines = [line for at in range(0, len(stream), 4096) for line in parser.feed(stream[at : at + 4096], 0.0)]
    assert [line.tag for line in lines] == [9]
    assert zlib.crc32(lines[0].blocks[0]) == zlib.crc32(payload)
