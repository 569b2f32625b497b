# SPDX-License-Identifier: Apache-2.0
"""The binary form of coupling tables: its layout, and the refusal of headers that lie."""

import hashlib
import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables_examples import SMALL, assert_same, example_table

from thermohw import CouplingTable, Program, Topology
from thermohw.errors import FileFormatError


def sealed(data: bytes | bytearray) -> bytes:
    """Give edited data the right length field and checksum."""
    content = bytearray(data[:-4])
    struct.pack_into("<I", content, 68, len(data))
    return bytes(content) + struct.pack("<I", zlib.crc32(content))


def test_the_binary_layout_is_the_documented_one() -> None:
    table = example_table()
    units, pairs = table.topology.units, len(table.topology.pairs)
    data = table.to_bytes()
    assert data[:8] == b"THWTABLE"
    assert struct.unpack_from("<HHBB4BH", data, 8) == (1, 72, 3, 2, 8, 8, 8, 12, 0)
    assert struct.unpack_from("<III", data, 20) == (3, 2, pairs)
    assert struct.unpack_from("<4d", data, 32) == tuple(table.scales.values())
    metadata_bytes, total = struct.unpack_from("<II", data, 64)
    assert total == len(data)
    assert total % 4 == 0
    assert np.array_equal(np.frombuffer(data, "<f8", units, 72), table.J2)
    assert np.array_equal(np.frombuffer(data, "<f8", units, 72 + 8 * units), table.J4)
    codes = 72 + 16 * units
    assert np.array_equal(np.frombuffer(data, "<i2", pairs, codes), table.codes)
    assert np.array_equal(np.frombuffer(data, "<i2", units, codes + 2 * pairs), table.bias_codes)
    metadata = codes + 2 * pairs + 2 * units
    assert json.loads(data[metadata : metadata + metadata_bytes])["provenance"] == table.provenance
    assert data[metadata + metadata_bytes : -4].hex() == table.digest
    assert struct.unpack("<I", data[-4:]) == (zlib.crc32(data[:-4]),)
    assert_same(table, CouplingTable.from_bytes(data))


def test_the_digest_is_the_documented_one() -> None:
    table = example_table()
    details = {
        "bits": dict(table.bits),
        "hidden": 2,
        "method": "nearest",
        "provenance": dict(table.provenance),
        "scales": {block: scale.hex() for block, scale in table.scales.items()},
        "schema": "thermohw-table/1",
        "visible": 3,
    }
    text = json.dumps(details, sort_keys=True, separators=(",", ":")).encode("ascii")
    parts = (
        b"J2|<f8|(5,)|" + struct.pack("<5d", *table.J2),
        b"J4|<f8|(5,)|" + struct.pack("<5d", *table.J4),
        b"bias_codes|<i4|(5,)|" + struct.pack("<5i", *table.bias_codes),
        b"codes|<i4|(10,)|" + struct.pack("<10i", *table.codes),
        f"details||u1|({len(text)},)|".encode() + text,
        b"pairs|<i4|(10, 2)|" + struct.pack("<20i", *table.topology.pairs.ravel()),
    )
    assert hashlib.sha256(b"".join(parts)).hexdigest() == table.digest


@pytest.mark.parametrize(
    ("topology", "kind", "width"),
    [
        (Topology.layered(3, 3), 1, 2),
        (Topology.layered(3, 3, hidden_couplings=False), 2, 2),
        (Topology.complete(3, 3), 3, 2),
        (Topology.grid(2, 3), 0, 2),
        (Topology.from_pairs(65536, 0, [[0, 65535]]), 0, 2),
        (Topology.from_pairs(65536, 1, [[0, 65536], [65535, 65536]]), 0, 4),
    ],
)
def test_only_irregular_topologies_list_their_pairs(topology: Topology, kind: int, width: int) -> None:
    couplings = np.linspace(-1, 1, len(topology.pairs))
    program = Program(topology, np.array(1.0), np.array(1.0), np.zeros(topology.units), couplings)
    table = CouplingTable.quantize(program, 8)
    data = table.to_bytes()
    assert (data[12], data[13]) == (kind, width)
    if kind == 0:
        listed = np.frombuffer(data, f"<u{width}", topology.pairs.size, 72 + 16 * topology.units)
        assert np.array_equal(listed.reshape(-1, 2), topology.pairs)
    assert_same(table, CouplingTable.from_bytes(data))


@given(place=st.integers(0, 71), value=st.binary(min_size=1, max_size=8))
def test_a_lying_binary_header_is_refused(place: int, value: bytes) -> None:
    for table in (SMALL, example_table()):
        data = bytearray(table.to_bytes())
        end = min(place + len(value), 72)
        data[place:end] = value[: end - place]
        try:
            found = CouplingTable.from_bytes(sealed(data), "block")
        except FileFormatError as error:
            assert str(error).startswith("block: ")
        else:
            assert_same(table, found)


def test_an_edited_binary_with_a_right_checksum_is_refused() -> None:
    data = SMALL.to_bytes()
    codes = 72 + 16 * 3

    def edited(place: int, form: str, value: float) -> bytes:
        changed = bytearray(data)
        struct.pack_into(form, changed, place, value)
        return sealed(changed)

    for changed, reason in (
        (edited(codes, "<h", 4), "digest does not match"),
        (edited(codes, "<h", 8), "code 8 of the pair"),
        (edited(72, "<d", 1.5), "digest does not match"),
        (edited(72, "<d", np.nan), "every value must be finite"),
        (edited(8, "<H", 2), "version 2; this reader knows version 1"),
        (edited(12, "<B", 3), "2 pairs, but topology kind 3 with 2 visible and 1 hidden units has 3"),
        (edited(12, "<B", 9), "topology kind"),
        (edited(18, "<H", 1), "reserved"),
        (edited(20, "<I", 2**31), r"add up to \d+ bytes"),
        (edited(28, "<I", 2**32 - 1), r"add up to \d+ bytes"),
        (edited(40, "<d", -1.0), "scales.visible-hidden"),
        (edited(32, "<d", 1.0), "bits.visible-visible"),
        (data[:-1], "header says"),
        (data[:60], "cut off after 60 bytes"),
        (data[:-1] + bytes([data[-1] ^ 1]), "CRC-32"),
        (b"", "not a binary coupling table"),
    ):
        with pytest.raises(FileFormatError, match=reason):
            CouplingTable.from_bytes(changed)


def test_a_topology_kind_cannot_ask_for_more_memory_than_the_file_has() -> None:
    topology = Topology.from_pairs(60_000, 0, [[0, 1]])
    table = CouplingTable.quantize(Program.uncoupled(topology), 8)
    data = bytearray(table.to_bytes())
    data[12] = 3  # 1.8·10⁹ pairs
    del data[72 + 16 * 60_000 : 72 + 16 * 60_000 + 4]
    with pytest.raises(FileFormatError, match="1 pairs, but topology kind 3"):
        CouplingTable.from_bytes(sealed(data))


def test_metadata_must_be_its_two_keys() -> None:
    data = replace(SMALL, provenance={}).to_bytes()
    blob = data[data.index(b'{"method') : -36]
    for new, reason in (
        (b'{"method": "nearest"}', "keys method and provenance"),
        (b"[]", "keys method and provenance"),
        (b'{"method": 1, "provenance": {}}', "method: .*valid string"),
        (b"\xff", "metadata: not ASCII"),
        (b"{", "metadata: not JSON"),
    ):
        changed = bytearray(data.replace(blob, new))
        struct.pack_into("<I", changed, 64, len(new))
        with pytest.raises(FileFormatError, match=reason):
            CouplingTable.from_bytes(sealed(changed))
