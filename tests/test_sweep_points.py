# SPDX-License-Identifier: Apache-2.0
"""The file of a sweep's points: nothing is lost, what was cut short is dropped, and damage is a clear error."""

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermohw.errors import FileFormatError, StorageError
from thermohw.sweep import Point
from thermohw.sweep.points import FILE, PointFile

KEYS = [f"{number:064x}" for number in range(4)]


def point(number: int, failure: str | None = None) -> Point:
    return Point(
        key=KEYS[number],
        program="f" * 64,
        effects={"coupling_mismatch": {"std": 0.1 * number}},
        device_seed=number,
        seed=2**64 - 1 - number,
        dt=None if failure else 0.001,
        measures={} if failure else {"heat": 1 / (number + 3), "likelihood": 1e-300, "recognised": 1.0},
        failure=failure,
    )


POINTS = [point(0), point(1, "diverged at t = 0.2\nµ ≥ 1"), point(2), point(3)]


def written(folder: Path) -> bytes:
    file = PointFile(folder)
    file.load()
    for each in POINTS:
        file.add(each)
    return (folder / FILE).read_bytes()


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("points"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


def load(folder: Path, content: bytes) -> dict[str, Point]:
    (folder / FILE).write_bytes(content)
    return PointFile(folder).load()


def test_points_come_back_exactly(folder: Path, content: bytes) -> None:
    assert load(folder, content) == dict(zip(KEYS, POINTS, strict=True))
    assert (folder / FILE).read_bytes() == content


def test_without_a_folder_nothing_is_kept() -> None:
    file = PointFile(None)
    file.add(POINTS[0])
    assert file.load() == {}


def test_threads_add_whole_lines(tmp_path: Path) -> None:
    file = PointFile(tmp_path)
    file.load()
    threads = [threading.Thread(target=lambda: [file.add(each) for each in POINTS * 10]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.load() == dict(zip(KEYS, POINTS, strict=True))
    assert (tmp_path / FILE).read_bytes().count(b"\n") == 1 + 8 * 40


@given(st.data())
def test_a_last_line_cut_short_is_dropped_and_the_file_goes_on(
    folder: Path, content: bytes, data: st.DataObject
) -> None:
    header = content.index(b"\n") + 1
    length = data.draw(st.integers(header, len(content)))
    whole = content[:length].count(b"\n") - 1
    assert load(folder, content[:length]) == dict(zip(KEYS[:whole], POINTS[:whole], strict=True))
    file = PointFile(folder)
    file.load()
    file.add(POINTS[3])
    assert file.load() == dict(zip(KEYS[:whole], POINTS[:whole], strict=True)) | {KEYS[3]: POINTS[3]}


@given(st.data())
def test_a_damaged_byte_is_refused_or_changes_nothing(folder: Path, content: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != content[place]))
    expected = dict(zip(KEYS, POINTS, strict=True))
    try:
        found = load(folder, content[:place] + bytes([byte]) + content[place + 1 :])
    except FileFormatError as error:
        assert FILE in str(error)
        return
    if place == len(content) - 1:
        del expected[KEYS[-1]]  # its end of line is gone
    assert found == expected


@given(st.binary(max_size=200))
def test_another_file_is_refused_and_kept(folder: Path, other: bytes) -> None:
    with pytest.raises(FileFormatError, match=FILE):
        load(folder, other)
    assert (folder / FILE).read_bytes() == other


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"point": {}}', "line 6: checksum does not match"),
        ("[]", "line 6: must be a JSON object"),
        ("", "line 6: not JSON"),
        ('{"point": 1, "point": 2}', "stands twice"),
    ],
)
def test_a_line_that_is_no_point_is_named(folder: Path, content: bytes, line: str, words: str) -> None:
    with pytest.raises(FileFormatError, match=words):
        load(folder, content + line.encode() + b"\n")


def test_other_schemas_are_refused(folder: Path) -> None:
    for schema in ("thermohw-sweep-points/2", "thermohw-sweep/1", None):
        with pytest.raises(FileFormatError, match=r"expected 'thermohw-sweep-points/1'.*choose another folder"):
            load(folder, json.dumps({"schema": schema}).encode() + b"\n")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="cannot write"):
        PointFile(tmp_path / "file").load()
