# SPDX-License-Identifier: Apache-2.0
"""The IDX reader: exact round trips, and damage that is noticed wherever the format lets it be noticed."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from thermohw.datasets.idx import MAX_ELEMENTS, parse_idx, read_idx
from thermohw.errors import FileFormatError, StorageError

IMAGES_HEADER, LABELS_HEADER = 16, 8
Stack = NDArray[np.uint8]

stacks = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=4))


def pack_idx(array: Stack) -> bytes:
    """Write the format as its description has it, independently of the reader."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def header(*dimensions: int) -> bytes:
    return struct.pack(f">HBB{len(dimensions)}I", 0, 8, len(dimensions), *dimensions)


@given(hnp.arrays(np.uint8, hnp.array_shapes(max_dims=3, max_side=4)), st.booleans())
def test_round_trip_is_exact(array: Stack, packed: bool) -> None:
    data = pack_idx(array)
    read = parse_idx(gzip.compress(data) if packed else data, array.ndim, "file")
    assert read.dtype == np.uint8
    assert np.array_equal(read, array)
    assert read.shape == array.shape


@given(stacks, st.data())
def test_a_changed_byte_of_a_raw_file_is_caught_or_changes_its_own_pixel_alone(
    array: Stack, data: st.DataObject
) -> None:
    content = bytearray(pack_idx(array))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    if position < IMAGES_HEADER:
        with pytest.raises(FileFormatError, match="file: "):
            parse_idx(bytes(content), 3, "file")
    else:
        read = parse_idx(bytes(content), 3, "file")
        assert np.flatnonzero(read != array).tolist() == [position - IMAGES_HEADER]


@given(stacks, st.data())
def test_a_changed_byte_of_a_packed_file_never_changes_a_pixel(array: Stack, data: st.DataObject) -> None:
    content = bytearray(gzip.compress(pack_idx(array)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        read = parse_idx(bytes(content), 3, "file")
    except FileFormatError:
        return
    assert np.array_equal(read, array)


@given(stacks, st.booleans(), st.data())
def test_a_shorter_or_longer_file_is_refused(array: Stack, packed: bool, data: st.DataObject) -> None:
    content = gzip.compress(pack_idx(array)) if packed else pack_idx(array)
    keep = data.draw(st.integers(0, len(content) - 1))
    extra = data.draw(st.binary(min_size=1, max_size=20).filter(lambda tail: not packed or any(tail)))  # gzip may pad
    for wrong in (content[:keep], content + extra):
        with pytest.raises(FileFormatError):
            parse_idx(wrong, 3, "file")


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_refused(content: bytes) -> None:
    for data in (content, gzip.compress(content), b"\x1f\x8b" + content, b"\0\0\x08\x03" + content):
        with pytest.raises(FileFormatError):
            parse_idx(data, 3, "file")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "data end at byte 0, inside the 16-byte header"),
        (b"\0\0\x08\x03\0\0", "data end at byte 6, inside the 16-byte header"),
        (b"\x89PNG", "byte 0 is 0x89; an IDX file starts with two zero bytes"),
        (b"\0\0\x0d\x03", "byte 2 is 0x0d; the element type must be 0x08"),
        (header(5) + bytes(5), "byte 3 is 0x01; the number of dimensions must be 3"),
        (header(2, 0, 4), "byte 8: dimension 1 is 0"),
        (header(2, 2, 2) + bytes(7), "data end at byte 23; the 2 × 2 × 2 elements .* end at byte 24"),
        (header(2, 2, 2) + bytes(9), "data go on after byte 24"),
        (gzip.compress(header(2, 2, 2) + bytes(9), mtime=0), "data go on after byte 24"),
        (header(2**31, 2**31, 2**31), f"4 … announce .* more than the {MAX_ELEMENTS} accepted"),
        (gzip.compress(header(1, 1, 1) + b"x", mtime=0)[:-3], "gzip damage after unpacked byte .*ended before"),
        (gzip.compress(header(1, 1, 1) + b"x", mtime=0)[:-8] + bytes(8), "gzip damage after unpacked byte .*CRC"),
    ],
)
def test_a_refusal_names_file_and_byte(content: bytes, message: str) -> None:
    with pytest.raises(FileFormatError, match=f"^t10k.gz: .*{message}"):
        parse_idx(content, 3, "t10k.gz")


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(gzip.compress(header(1, 2, 2) + bytes(2**26), 1), id="more than announced"),
        pytest.param(gzip.compress(header(1, 2**15, 2**15) + bytes(9), 1), id="less than announced"),
        pytest.param(header(1, 2**15, 2**15) + bytes(9), id="less than announced, raw"),
    ],
)
def test_memory_is_bounded_by_what_is_there_and_by_what_is_announced(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError):
            parse_idx(bomb, 3, "bomb")
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_a_file_is_read_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    labels = np.array([7, 2, 1], np.uint8)
    for name, content in (("a.gz", pack_idx(labels)), ("b", gzip.compress(pack_idx(labels)))):
        (tmp_path / name).write_bytes(content)
        assert np.array_equal(read_idx(tmp_path / name, 1), labels)


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(StorageError, match="cannot read"):
            read_idx(path, 1)
