# SPDX-License-Identifier: Apache-2.0
"""The reader of ngspice's raw files: exact round trips of files written here, and refusal of damaged ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from thermohw.errors import FileFormatError, PlanError, StorageError
from thermohw.spice.rawfile import RawFile, read

HEADER = """\
Title: {title}
Date: Sat Jan  3 11:22:33  2026
Plotname: Transient Analysis
Flags: real
No. Variables: {count}
No. Points: {points}
Variables:
{table}
Binary:
"""


def raw_bytes(names: Sequence[str], times: NDArray[np.float64], values: NDArray[np.float64], title: str = "t") -> bytes:
    rows = ["\t0\ttime\ttime\n", *(f"\t{index}\t{name}\tvoltage\n" for index, name in enumerate(names, 1))]
    header = HEADER.format(title=title, count=len(names) + 1, points=len(times), table="".join(rows).rstrip("\n"))
    return header.encode() + np.column_stack([times, values]).astype("<f8").tobytes()


EXAMPLE = raw_bytes(["v(n0)", "v(n1)"], np.array([1e-9, 3e-9, 4e-9]), np.array([[1.0, 2], [3, 6], [4, -8]]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("raw")


def written(folder: Path, data: bytes) -> Path:
    path = folder / "example.raw"
    path.write_bytes(data)
    return path


@st.composite
def files(draw: st.DrawFn) -> RawFile:
    points, count = draw(st.integers(1, 20)), draw(st.integers(0, 5))
    finite = st.floats(allow_nan=False, allow_infinity=False)
    times = np.sort(draw(arrays(np.float64, points, elements=finite, unique=True)))
    values = draw(arrays(np.float64, (points, count), elements=finite))
    title = draw(st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1))
    return RawFile(title, tuple(f"v(n{unit})" for unit in range(count)), ("voltage",) * count, times, values)


@given(file=files())
def test_round_trip_is_exact(folder: Path, file: RawFile) -> None:
    found = read(written(folder, raw_bytes(file.variables, file.times, file.values, file.title)))
    assert (found.title, found.variables, found.units) == (file.title, file.variables, file.units)
    np.testing.assert_array_equal(found.times, file.times)
    np.testing.assert_array_equal(found.values, file.values)


@given(damage=st.data())
def test_damage_anywhere_is_refused_or_read_as_numbers(folder: Path, damage: st.DataObject) -> None:
    """A raw file has no checksum: another finite voltage cannot be told, but nothing else may happen."""
    data = bytearray(EXAMPLE)
    for _ in range(damage.draw(st.integers(1, 4))):
        begin = damage.draw(st.integers(0, len(data)))
        end = damage.draw(st.integers(begin, min(begin + 20, len(data))))
        data[begin:end] = damage.draw(st.binary(max_size=20))
    try:
        found = read(written(folder, bytes(data)))
    except FileFormatError as error:
        assert "example.raw" in str(error)
    else:
        assert found.values.shape == (len(found.times), len(found.variables))
        assert np.isfinite(found.values).all() and (np.diff(found.times) > 0).all()


@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(folder: Path, data: bytes) -> None:
    with pytest.raises(FileFormatError, match=r"example\.raw"):
        read(written(folder, data))


@pytest.mark.parametrize("length", range(len(EXAMPLE)))
def test_every_truncation_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(FileFormatError, match=r"example\.raw"):
        read(written(tmp_path, EXAMPLE[:length]))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"Title: t\n", b"", "no line 'Title:'"),
        (b"Flags: real\n", b"", "no line 'Flags:'"),
        (b"No. Points: 3\n", b"", "no line 'No. Points:'"),
        (b"Flags: real", b"Flags: complex", "line 4: flags are 'complex'"),
        (b"Flags: real", b"Flags: real\nFlags: real", "line 5 must be 'key: value' with a new key"),
        (b"Points: 3", b"Points: 4", "take 96 bytes from byte"),
        (b"Points: 3", b"Points: 2", "take 48 bytes from byte"),
        (b"Points: 3", b"Points: 0", "line 6: the count must be"),
        (b"Points: 3", b"Points: -3", "line 6: the count must be"),
        (b"Points: 3", b"Points: 999999999999999999", "take 23999999999999999976 bytes"),
        (b"Points: 3", b"Points: " + b"9" * 5000, "line 6: the count must be"),
        (b"Variables: 3", b"Variables: 999999999", "says 999999999 variables, but lists 3"),
        (b"Variables: 3", b"Variables: 2", "says 2 variables, but lists 3"),
        (b"\t2\tv(n1)", b"\t3\tv(n1)", "line 10 must be '2 name type'"),
        (b"\tv(n1)", b"\tv(n0)", "line 10 must be '2 name type' with a new name"),
        (b"time\ttime", b"frequency\tfrequency", "line 8: the first variable must be time"),
        (b"Title: t", b"Title: \xff", r"not UTF-8 text \(byte 7\)"),
        (b"\nBinary:\n", b"\nValues:\n", "'Binary:' is missing"),
        (np.float64(3e-9).tobytes(), np.float64(1e-9).tobytes(), "time goes from 1e-09 to 1e-09"),
        (np.float64(4e-9).tobytes(), np.float64(2e-9).tobytes(), "time goes from 3e-09 to 2e-09"),
        (np.float64(6).tobytes(), np.float64("nan").tobytes(), "nan is not a finite number"),
        (np.float64(-8).tobytes(), np.float64(-8).tobytes() + EXAMPLE, "but there are"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    assert EXAMPLE.count(old) == 1
    with pytest.raises(FileFormatError, match=message):
        read(written(tmp_path, EXAMPLE.replace(old, new)))


def test_the_byte_of_a_bad_number_is_named(tmp_path: Path) -> None:
    place = EXAMPLE.index(np.float64(6).tobytes())
    data = EXAMPLE[:place] + np.float64("inf").tobytes() + EXAMPLE[place + 8 :]
    with pytest.raises(FileFormatError, match=f"byte {place}: inf"):
        read(written(tmp_path, data))


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"none\.raw"):
        read(tmp_path / "none.raw")


def test_resampling_interpolates_on_the_grid(tmp_path: Path) -> None:
    found = read(written(tmp_path, EXAMPLE)).resample(1e-9)
    np.testing.assert_allclose(found.times, [1e-9, 2e-9, 3e-9, 4e-9], rtol=1e-12)
    np.testing.assert_allclose(found.values, [[1, 2], [2, 4], [3, 6], [4, -8]], rtol=1e-12)


@pytest.mark.parametrize("interval", [0.0, -1e-9, float("nan"), float("inf"), 1.0, 1e-30])
def test_an_impossible_interval_is_refused(tmp_path: Path, interval: float) -> None:
    with pytest.raises(PlanError, match="interval"):
        read(written(tmp_path, EXAMPLE)).resample(interval)
