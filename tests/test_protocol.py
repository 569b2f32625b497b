# SPDX-License-Identifier: Apache-2.0
"""Payloads: exact round trips, and arbitrary damage that ends in one kind of error; capabilities nobody vouches for."""

import hashlib
import json
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from memory_board import LIMITS
from tables_examples import assert_same, programs, tables

from thermohw import BiasSchedule, CouplingTable, Program, SimulatedDevice, Topology
from thermohw.errors import FileFormatError, ProtocolError
from thermohw.protocol import Capability, SampleLayout, pack_samples, unpack_samples
from thermohw.protocol.capability import MAX_CAPABILITY_BYTES
from thermohw.protocol.payloads import (
    pack_biases,
    pack_program,
    pack_schedule,
    pack_states,
    pack_times,
    unpack_biases,
    unpack_program,
    unpack_schedule,
    unpack_states,
    unpack_times,
)
from thermohw.protocol.sample_payload import HEADER, PARTS
from thermohw.protocol.scpi_errors import MAX_TEXT, SCPI_ERRORS, error_text
from thermohw.samples import Readout
from thermohw.tables.binary_program import decode_program, encode_program
from thermohw.transport import with_checksum

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def readout(parts: int, count: int, units: int, recorded: int, seed: int = 0) -> Readout:
    random = np.random.default_rng(seed)
    vector = (count, units)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(PARTS, vector) | {"trajectory": (count, recorded, units)}
    arrays: dict[str, Any] = {
        name: random.normal(size=shapes[name]).astype(np.float32) if parts & bit else None
        for name, bit in PARTS.items()
    }
    arrays["entropy"] = random.normal(size=count) if parts & PARTS["entropy"] else None
    return Readout(heat=random.normal(size=count), work=random.normal(size=count), **arrays)


def damaged(payload: bytes, data: st.DataObject) -> bytes:
    """Get a payload with a run of bytes replaced by others; with a right checksum, where the damage is a lie."""
    start = data.draw(st.integers(0, max(0, len(payload) - 1)))
    stop = data.draw(st.integers(start, min(len(payload), start + 9)))
    changed = payload[:start] + data.draw(st.binary(max_size=9)) + payload[stop:]
    return with_checksum(changed[:-4]) if data.draw(st.booleans()) else changed


# Round trips


@given(program=programs())
def test_a_program_passes_exactly(program: Program) -> None:
    found = unpack_program(pack_program(program))
    assert isinstance(found, Program)
    assert found.digest == program.digest


@given(table=tables())
def test_a_table_passes_exactly(table: CouplingTable) -> None:
    found = unpack_program(pack_program(table))
    assert isinstance(found, CouplingTable)
    assert_same(table, found)


@given(biases=hnp.arrays(np.float32, st.integers(1, 9), elements=FLOATS))
def test_biases_pass_exactly(biases: Any) -> None:
    assert np.array_equal(unpack_biases(pack_biases(biases), len(biases)), biases)


@given(data=st.data(), knots=st.integers(1, 5), units=st.integers(1, 4))
def test_a_schedule_passes_exactly(data: st.DataObject, knots: int, units: int) -> None:
    biases = data.draw(hnp.arrays(np.float64, (knots, units), elements=st.floats(-1e9, 1e9)))
    schedule = BiasSchedule(np.cumsum(data.draw(hnp.arrays(np.float64, knots, elements=st.floats(0.1, 9)))), biases)
    found = unpack_schedule(pack_schedule(schedule), units)
    assert found is not None
    assert np.array_equal(found.times, schedule.times)
    assert np.array_equal(found.biases, schedule.biases)
    assert unpack_schedule(pack_schedule(None), units) is None


@given(states=hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=FLOATS))
def test_states_pass_exactly(states: Any) -> None:
    assert np.array_equal(unpack_states(pack_states(states), states.shape[1]), states)


@given(steps=hnp.arrays(np.float64, st.integers(0, 9), elements=st.floats(1e-9, 1e3)))
def test_times_pass_exactly(steps: Any) -> None:
    times = np.unique(np.cumsum(steps))
    assert np.array_equal(unpack_times(pack_times(times)), times)


PART_SETS = st.sets(st.sampled_from(sorted(PARTS))).map(lambda names: sum(PARTS[name] for name in names))


@given(parts=PART_SETS, count=st.integers(1, 5), units=st.integers(1, 4), seed=st.integers(0, 99), data=st.data())
def test_samples_pass_exactly(parts: int, count: int, units: int, seed: int, data: st.DataObject) -> None:
    recorded = 3 if parts & PARTS["trajectory"] else 0
    run, layout = readout(parts, count, units, recorded, seed), SampleLayout(parts, units, recorded)
    first = data.draw(st.integers(0, count - 1))
    part = data.draw(st.integers(1, count - first))
    found = unpack_samples(pack_samples(run, layout, 7, first, part), 7, first, part, layout)
    assert set(found) == {"heat", "work", *(name for name, bit in PARTS.items() if parts & bit)}
    for name, array in found.items():
        assert np.array_equal(array, getattr(run, name)[first : first + part])
    if parts & ~PARTS["entropy"]:
        assert SampleLayout.of(run) == layout
    assert layout.dtype.itemsize == layout.record_bytes


def test_the_layout_of_samples_is_the_documented_one() -> None:
    run = Readout(
        np.array([[1, 2]], np.float32), np.array([[3, 4]], np.float32), np.array([0.5]), np.array([0.25]),
        entropy=np.array([0.125]),
    )  # fmt: skip
    payload = pack_samples(run, SampleLayout(35, 2, 0), 9, 0, 1)
    header = struct.pack("<4sHHIIIIII", b"THWS", 1, 1 + 2 + 32, 9, 0, 1, 2, 0, 40)
    content = header + struct.pack("<3d4f", 0.5, 0.25, 0.125, 1, 2, 3, 4)
    assert payload == content + struct.pack("<I", zlib.crc32(content))


# Damage

SCHEDULE = pack_schedule(BiasSchedule(np.array([0.0, 1.0]), np.array([[1.0, 2.0], [3.0, 4.0]])))
SAMPLES = pack_samples(readout(3, 4, 2, 0), SampleLayout(3, 2, 0), 7, 0, 4)
PROGRAM = Program(Topology.complete(3), np.array(1.0), np.array(1.0), np.ones(3), np.linspace(-1, 1, 3))
LISTED = Program(
    Topology.from_pairs(4, 0, [(0, 2), (1, 3)]), np.array(1.0), np.array(1.0), np.ones(4), np.array([1, 2.0])
)
READERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "program": (pack_program(PROGRAM), unpack_program),
    "listed": (pack_program(LISTED), unpack_program),
    "table": (pack_program(CouplingTable.quantize(PROGRAM, 6)), unpack_program),
    "biases": (pack_biases([1.0, 2.0]), lambda payload: unpack_biases(payload, 2)),
    "schedule": (SCHEDULE, lambda payload: unpack_schedule(payload, 2)),
    "states": (pack_states(np.ones((3, 2))), lambda payload: unpack_states(payload, 2)),
    "times": (pack_times([0.0, 1.0, 2.5]), unpack_times),
    "samples": (SAMPLES, lambda payload: unpack_samples(payload, 7, 0, 4, SampleLayout(3, 2, 0))),
    "capability": (
        Capability(protocol="1.0", spec=SimulatedDevice().spec, programs=("table",), limits=LIMITS).encode(),
        lambda payload: Capability.read(payload, "board"),
    ),
    "capability's text": (
        Capability(protocol="1.0", spec=SimulatedDevice().spec, programs=("table",), limits=LIMITS).encode()[:-4],
        lambda text: Capability.read(with_checksum(text), "board"),
    ),
}


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_damage_ends_in_one_kind_of_error(name: str, data: st.DataObject) -> None:
    payload, read = READERS[name]
    read(payload)
    try:
        read(damaged(payload, data))
    except ProtocolError as error:
        assert len(str(error)) < 2000


@pytest.mark.parametrize("name", READERS)
@given(payload=st.binary(max_size=60))
def test_rubbish_ends_in_one_kind_of_error(name: str, payload: bytes) -> None:
    read = READERS[name][1]
    for wrong in (payload, with_checksum(payload), READERS[name][0][:8] + payload):
        if name == "times" and len(wrong) == 12:
            continue  # eight bytes are a time
        try:
            read(wrong)
        except ProtocolError:
            continue
        assert name in ("biases", "schedule", "states", "times"), wrong  # short ones can be right


def biases_for(units: int) -> Callable[[bytes], object]:
    return lambda payload: unpack_biases(payload, units)


def schedule_for(units: int) -> Callable[[bytes], object]:
    return lambda payload: unpack_schedule(payload, units)


def states_for(units: int) -> Callable[[bytes], object]:
    return lambda payload: unpack_states(payload, units)


@pytest.mark.parametrize(
    ("read", "payload", "words"),
    [
        (biases_for(3), pack_biases([1.0, 2.0]), "3 units take 12 bytes"),
        (biases_for(1), with_checksum(struct.pack("<f", np.inf)), "number 0 is not finite"),
        (schedule_for(3), SCHEDULE, "2 knots of 2 units in .* the program has 3"),
        (schedule_for(2), with_checksum(struct.pack("<II", 2**32 - 1, 2)), "4294967295 knots"),
        (
            schedule_for(1),
            with_checksum(struct.pack("<II4d", 2, 1, 1.0, 1.0, 0, 0)),
            "times must increase",
        ),
        (states_for(2), with_checksum(struct.pack("<II", 2**31, 2)), "2147483648 of 2 units"),
        (states_for(2), with_checksum(b"abc"), "too few for its two sizes"),
        (unpack_times, with_checksum(struct.pack("<2d", 1, 1)), "do not increase"),
        (unpack_times, with_checksum(struct.pack("<d", np.nan)), "number 0 is not finite"),
        (unpack_times, with_checksum(b"1234"), "no whole number of float64"),
    ],
)  # fmt: skip
def test_what_is_whole_but_makes_no_sense_is_refused(read: Any, payload: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        read(payload)


@pytest.mark.parametrize("field", range(9))
def test_samples_that_were_not_asked_for_are_refused(field: int) -> None:
    header = list(HEADER.unpack_from(SAMPLES))
    header[field] = b"THWX" if field == 0 else header[field] ^ 1
    payload = with_checksum(HEADER.pack(*header) + SAMPLES[HEADER.size : -4])
    with pytest.raises(ProtocolError, match="samples: the header is"):
        unpack_samples(payload, 7, 0, 4, SampleLayout(3, 2, 0))


@pytest.mark.parametrize(
    ("parts", "units", "recorded"), [(64, 1, 0), (-1, 1, 0), (0, 0, 0), (16, 1, 0), (0, 1, 3), (0, 1, -1)]
)
def test_an_impossible_layout_is_refused(parts: int, units: int, recorded: int) -> None:
    with pytest.raises(ProtocolError, match="samples: parts"):
        SampleLayout(parts, units, recorded)


# Programs in binary form


def test_the_binary_program_is_the_documented_one() -> None:
    data = encode_program(LISTED)
    header = struct.pack("<8sHHBBHIIII", b"THWENERG", 1, 32, 0, 2, 0, 4, 0, 2, len(data))
    energies = struct.pack("<14d", *LISTED.J2, *LISTED.J4, *LISTED.biases, *LISTED.couplings)
    content = header + energies + struct.pack("<4H", 0, 2, 1, 3) + bytes.fromhex(LISTED.digest)
    assert data == content + struct.pack("<I", zlib.crc32(content))
    parts = {
        "J2|<f8|(4,)|": LISTED.J2, "J4|<f8|(4,)|": LISTED.J4, "biases|<f8|(4,)|": LISTED.biases,
        "couplings|<f8|(2,)|": LISTED.couplings, "hidden|<i8|()|": np.array(0),
        "pairs|<i4|(2, 2)|": LISTED.topology.pairs,
        "visible|<i8|()|": np.array(4),
    }  # fmt: skip
    digest = hashlib.sha256(b"".join(name.encode() + array.tobytes() for name, array in parts.items()))
    assert digest.hexdigest() == LISTED.digest


def resealed(data: bytes | bytearray) -> bytes:
    return bytes(data[:-4]) + zlib.crc32(data[:-4]).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("place", "form", "value", "words"),
    [
        (8, "<H", 2, "version 2; this reader knows version 1"),
        (10, "<H", 33, "header has"),
        (12, "<B", 9, "header has"),
        (13, "<B", 3, "header has"),
        (14, "<H", 1, "header has"),
        (16, "<I", 2**32 - 1, r"add up to \d+ bytes"),
        (24, "<I", 2**32 - 1, r"add up to \d+ bytes"),
        (28, "<I", 4, "but the header says 4"),
        (32, "<d", np.nan, "every value must be finite"),
        (32, "<d", 2.0, "the digest is not that of the program"),
        (56, "<d", -1.0, "not bounded below"),
        (12, "<B", 1, r"3 pairs, but topology kind 1 with 3 visible and 0 hidden units has 0"),
    ],
)
def test_a_lying_program_is_refused(place: int, form: str, value: float, words: str) -> None:
    data = bytearray(encode_program(PROGRAM))
    struct.pack_into(form, data, place, value)
    with pytest.raises(FileFormatError, match=rf"^board: .*{words}"):
        decode_program(resealed(data), "board")


def test_a_program_cannot_ask_for_more_memory_than_it_has() -> None:
    wide = Program.uncoupled(Topology.from_pairs(60_000, 0, [[0, 1]]))
    data = bytearray(encode_program(wide))
    data[12] = 3  # all-to-all: 1.8·10⁹ pairs
    del data[-40:-36]
    struct.pack_into("<I", data, 28, len(data))
    with pytest.raises(FileFormatError, match="1 pairs, but topology kind 3"):
        decode_program(resealed(data), "board")


# Capabilities


def told(**changes: Any) -> bytes:
    """Get the JSON of a capability with changes such as `limits__samples`."""
    content: dict[str, Any] = json.loads(READERS["capability's text"][0])
    for key, value in changes.items():
        *path, last = key.split("__")
        inner = content
        for step in path:
            inner = inner[step]
        inner[last] = value
    return json.dumps(content).encode()


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "no object": b"[]",
    "nested": b"[" * 60_000,
    "nested objects": b'{"a":' * 10_000,
    "too long": b" " * (MAX_CAPABILITY_BYTES + 1),
    "not ASCII": told().replace(b"ideal", "ideäl".encode()),
    "a key twice": told().replace(b'"heat"', b'"protocol"', 1),
    "a huge number": told().replace(b'"samples": 4096', b'"samples": ' + b"9" * 5000),
    "digits": told().replace(b'"mobility": 1.0', b'"mobility": 1' + b"0" * 40_000),
    "infinite": told().replace(b'"mobility": 1.0', b'"mobility": 1e999'),
    "infinity": told().replace(b'"kT": 1.0', b'"kT": Infinity'),
    "infinite mass": told().replace(b'"mass": 0.0', b'"mass": Infinity'),
    "infinite limit": told(spec__bias_limit=1).replace(b'"bias_limit": 1', b'"bias_limit": Infinity'),
    "not a number": told().replace(b'"quiet": 0.25', b'"quiet": NaN'),
    "another protocol": told(protocol="2.0"),
    "no protocol": told(protocol=1.0),
    "unknown key": told(extra=1),
    "unknown limit": told(limits__extra=1),
    "no programs": told(programs=[]),
    "unknown programs": told(programs=["pickle"]),
    "no samples": told(limits__samples=0),
    "negative": told(limits__stored_bytes=-1),
    "endless": told(limits__fetch_bytes=2**63),
    "tiny blocks": told(limits__block_bytes=1),
    "tiny lines": told(limits__line_bytes=2),
    "long quiet": told(limits__quiet=1e6),
    "no kT": told(spec__kT=0),
    "no units": told(spec__units=0),
    "fractional units": told(spec__units=1.5),
    "boolean text": told(spec__schedules="perhaps"),
    "no name": told(spec__name=""),
    "two lines": told(spec__name="a\nb"),
    "escape": told(spec__name="\x1b[2J"),
    "long text": told(spec__details={"a": "x" * 10_000}),
    "text that is no text": told(spec__details={"a": {"b": 1}}),
}


def test_a_capability_passes_exactly() -> None:
    payload = READERS["capability"][0]
    assert Capability.read(payload, "board").encode() == payload
    Capability.read(with_checksum(told()), "board")
    with pytest.raises(ProtocolError, match="board: the capability: CRC-32 is"):
        Capability.read(told(), "board")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_capability_nobody_would_vouch_for_is_refused_at_once(name: str) -> None:
    started = time.monotonic()
    with pytest.raises(ProtocolError, match=r"^board: ") as refusal:
        Capability.read(with_checksum(HOSTILE[name]), "board")
    assert time.monotonic() - started < 2
    assert len(str(refusal.value)) < 1000


# Errors


@given(number=st.sampled_from(sorted(SCPI_ERRORS)), detail=st.text(max_size=300))
def test_an_error_is_one_line_of_ascii(number: int, detail: str) -> None:
    text = error_text(number, detail)
    assert text.startswith(f'{number},"{SCPI_ERRORS[number]}')
    assert text.isascii() and text.isprintable()
    assert text.count('"') == 2
    assert len(text) <= MAX_TEXT + len(f'{number},""')
