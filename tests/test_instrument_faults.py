# SPDX-License-Identifier: Apache-2.0
"""Speed and faults of a line: laws in standard errors, and by a clock that the test turns."""

import math
import selectors

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermohw import SimulatedDevice
from thermohw.errors import TransportError
from thermohw.instrument import FaultRates, Instrument
from thermohw.instrument.connection import Connection
from thermohw.instrument.faults import ByteFaults, LineFaults
from thermohw.instrument.line_rate import LineRate
from thermohw.transport import block, with_checksum

SIGMAS = 5.0
BYTES = 1_000_000


def passed(rates: FaultRates, seed: int = 1, data: bytes = bytes(BYTES)) -> np.ndarray:
    return np.frombuffer(ByteFaults(rates, (seed,)).apply(data), np.uint8)


def assert_count(count: int, rate: float, trials: int = BYTES) -> None:
    """Check a binomial count in standard errors."""
    assert abs(count - trials * rate) < SIGMAS * math.sqrt(trials * rate * (1 - rate))


@pytest.mark.parametrize("rate", [1e-4, 0.1])
def test_each_fault_hits_as_many_bytes_as_its_rate_says(rate: float) -> None:
    flipped = passed(FaultRates(flips=rate))
    assert len(flipped) == BYTES
    assert_count(int((flipped != 0).sum()), rate)
    hit = flipped[flipped != 0]
    for bit in range(8):
        assert_count(int((hit == 1 << bit).sum()), 1 / 8, len(hit))
    assert_count(BYTES - len(passed(FaultRates(drops=rate))), rate)
    assert_count(len(passed(FaultRates(duplicates=rate))) - BYTES, rate)


def test_faults_split_as_their_rates_say() -> None:
    rates = FaultRates(flips=0.01, drops=0.02, duplicates=0.03)
    numbered = np.tile(np.arange(0, 250, 50, dtype=np.uint8), BYTES // 5)  # no flip of one makes another
    faults = ByteFaults(rates, (3,))
    out = faults.apply(numbered.tobytes())
    assert_count(faults.hits, 0.06)
    assert_count(int((~np.isin(np.frombuffer(out, np.uint8), numbered[:5])).sum()), 0.01)
    mean, spread = BYTES * (0.03 - 0.02), math.sqrt(BYTES * (0.02 + 0.03))
    assert abs(len(out) - BYTES - mean) < SIGMAS * spread


def test_a_dropped_byte_is_gone_and_a_doubled_one_is_doubled() -> None:
    data = bytes(range(256)) * 40
    doubled = ByteFaults(FaultRates(duplicates=0.01), (4,)).apply(data)
    expected = bytearray()
    at = 0
    for byte in data:
        twice = doubled[at : at + 2] == bytes([byte, byte])
        expected += bytes([byte]) * (1 + twice)
        at += 1 + twice
    assert bytes(doubled) == bytes(expected)
    assert len(doubled) > len(data) > len(ByteFaults(FaultRates(drops=0.01), (4,)).apply(data))


@given(st.lists(st.integers(min_value=0, max_value=400), max_size=12), st.integers(min_value=0, max_value=5))
def test_which_bytes_are_hit_depends_on_the_seed_alone(places: list[int], seed: int) -> None:
    rates, data = FaultRates(flips=0.02, drops=0.02, duplicates=0.02), bytes(range(200)) * 2
    whole, cut = ByteFaults(rates, (seed,)), ByteFaults(rates, (seed,))
    ends = sorted(places)
    pieces = [cut.apply(data[start:end]) for start, end in zip([0, *ends], [*ends, 400], strict=True)]
    assert b"".join(pieces) == whole.apply(data)


def test_seeds_and_directions_have_faults_of_their_own() -> None:
    rates = FaultRates(flips=1e-3)
    assert not np.array_equal(passed(rates, 1), passed(rates, 2))
    line = LineFaults(rates, 1, 0.0)
    assert bytes(line.inward.apply(bytes(BYTES))) != bytes(line.outward.apply(bytes(BYTES)))


def test_without_faults_every_byte_is_untouched() -> None:
    data = bytes(BYTES)
    faults = ByteFaults(FaultRates(), (1,))
    assert all(faults.apply(data) is data for _ in range(3))
    line = LineFaults(FaultRates(), 1, 0.0)
    assert (line.next_event(), line.frozen(1e9), line.disconnects(1e9)) == (None, None, False)


def test_events_in_time_come_as_often_as_stated() -> None:
    span = 20_000.0
    line = LineFaults(FaultRates(disconnects=5.0, stalls=10.0, delays=20.0), 7, 0.0)
    now, broken, stopped = 0.0, 0, list[float]()
    while (due := line.next_event()) is not None and due < span:
        now = due
        broken += line.disconnects(now)
        until = line.frozen(now)
        if until is not None and (not stopped or until != stopped[-1]):
            stopped.append(until)
    assert abs(broken - span / 5) < SIGMAS * math.sqrt(span / 5)
    rate = 1 / 10 + 1 / 20  # some stops lie within others, and are not seen
    assert abs(len(stopped) - span * rate) < SIGMAS * math.sqrt(span * rate) + span * rate * 0.15


@pytest.mark.parametrize(("name", "shortest", "longest"), [("delays", 0.01, 0.1), ("stalls", 0.3, 1.0)])
def test_delays_and_stalls_last_as_long_as_stated(name: str, shortest: float, longest: float) -> None:
    line = LineFaults(FaultRates.parse(f"{name}=1000"), 2, 0.0)
    lasted: list[float] = []
    for _ in range(200):
        now = line.next_event()
        assert now is not None
        until = line.frozen(now)
        assert until is not None and line.frozen(until) is None
        lasted.append(until - now)
    assert shortest < min(lasted) and max(lasted) < longest
    mean, error = (shortest + longest) / 2, (longest - shortest) / math.sqrt(12 * 200)
    assert abs(np.mean(lasted) - mean) < SIGMAS * error


def test_faults_are_read_from_text() -> None:
    assert FaultRates.parse("flips=1e-5, drops=2e-5,disconnects=5") == FaultRates(flips=1e-5, drops=2e-5, disconnects=5)
    for text in ("", "flips", "flip=1", "flips=x", "flips=-1", "flips=nan", "flips=1", "flips=0,flips=0", "stalls=0"):
        with pytest.raises(TransportError, match="faults"):
            FaultRates.parse(text)


# Speed


class ClockedStream:
    """A client that sends without end and reads all, counted."""

    name = "clocked"

    def __init__(self, sending: bytes) -> None:
        self.sending = memoryview(sending)
        self.taken = self.answered = 0

    def fileno(self) -> int:
        return -1

    def read(self, count: int) -> bytes | None:
        piece = bytes(self.sending[self.taken : self.taken + count])
        self.taken += len(piece)
        return piece or None

    def write(self, data: memoryview) -> int:
        self.answered += len(data)
        return len(data)

    def hung_up(self) -> bool:
        return False

    def close(self) -> None:
        pass


@pytest.mark.parametrize("baud", [300, 9600, 115_200, 3_000_000])
@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_line_is_as_fast_as_its_rate_within_a_tenth(baud: int, direction: str) -> None:
    seconds = 20.0
    expected = seconds * baud / 10
    line = b"UPL:DATA 0," + block(with_checksum(bytes(50_000))) + b"\n" if direction == "in" else b"SYST:CAP?\n"
    stream = ClockedStream(line * int(expected * 1.5 / len(line) + 2))
    instrument = Instrument(SimulatedDevice())
    connection = Connection(stream, instrument, baud, None, 0.0)
    now = 0.0
    while now < seconds:
        ready = connection.events(now)
        wake = connection.wake_at(now)
        connection.proceed(ready, now)
        now += 1e-5 if ready or wake is None else max(wake - now, 1e-5)
    instrument.close()
    moved = stream.taken if direction == "in" else stream.answered
    assert moved == pytest.approx(expected, rel=0.1)


def test_a_pause_does_not_add_up_to_a_burst() -> None:
    rate = LineRate(9600, 0.0)
    assert rate.allowance(1000.0) == 19
    rate.take(19)
    assert rate.allowance(1000.0) == 0
    assert rate.ready_at(1000.0) > 1000.0
    assert LineRate(None, 0.0).allowance(0.0) == LineRate(None, 0.0).allowance(9.0) >= 2**20


def test_a_frozen_line_neither_reads_nor_writes() -> None:
    faults = LineFaults(FaultRates(stalls=1e-3), 1, 0.0)
    instrument = Instrument(SimulatedDevice())
    connection = Connection(ClockedStream(b"*IDN?\n"), instrument, None, faults, 0.0)
    assert connection.events(1.0) == 0
    sound = Connection(ClockedStream(b"*IDN?\n"), instrument, None, None, 0.0)
    assert sound.events(1.0) == selectors.EVENT_READ
    instrument.close()
