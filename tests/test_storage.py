# SPDX-License-Identifier: Apache-2.0
"""Storage: files whole or not at all, arrays that come back exactly, and damage that is noticed."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from thermohw import storage
from thermohw.errors import FileFormatError, StorageError
from thermohw.storage import (
    atomic_file,
    digest_arrays,
    load_arrays,
    parse_json,
    read_bytes,
    read_text,
    require_writable,
    save_arrays,
    schema_of,
    write_atomically,
)

SCHEMA = "test-arrays/1"
Arrays = dict[str, NDArray[Any]]
names = st.text("abcdefgh_xyz", min_size=1, max_size=6).filter(lambda name: name not in ("schema", "checksum"))
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
any_arrays = st.dictionaries(
    names,
    st.sampled_from(["<f8", "<f4", ">f8", "<i4", "<u8", "|b1", "<U3"]).flatmap(lambda dtype: hnp.arrays(dtype, shapes)),
    max_size=3,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage")


def same(first: Arrays, second: Arrays) -> bool:
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype
        and first[name].shape == second[name].shape
        and first[name].tobytes() == second[name].tobytes()
        for name in first
    )


# Writing


def test_a_file_appears_whole_with_its_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file.txt"
    with atomic_file(target) as file:
        file.write("k_BT ≥ 0".encode())
        assert not target.exists()
    assert read_text(target) == "k_BT ≥ 0"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    target = write_atomically(tmp_path / "file.txt", "old")
    for path in (target, tmp_path / "new.txt"):
        with pytest.raises(error), atomic_file(path) as file:
            file.write(b"half of it")
            raise error
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]
    assert target.read_text() == "old"


def test_writing_under_a_file_is_refused(tmp_path: Path) -> None:
    target = write_atomically(tmp_path / "file.txt", b"content")
    with pytest.raises(StorageError, match=r"cannot write .*file\.txt"):
        write_atomically(target / "inside.txt", b"")
    with pytest.raises(StorageError, match=r"cannot write .*file\.txt"):
        save_arrays(target / "inside.npz", SCHEMA, {})
    with pytest.raises(StorageError, match=r"cannot write into .*file\.txt"):
        require_writable(target / "folder")
    with pytest.raises(StorageError, match=r"cannot write into .*file\.txt"):
        require_writable(target)
    assert target.read_bytes() == b"content"


def test_writing_over_a_folder_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError, match="taken"):
        write_atomically(tmp_path / "taken", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_writable_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    made = require_writable(tmp_path / "a" / "b")
    assert made.is_dir()
    assert list(made.iterdir()) == []


# Reading


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(StorageError, match="cannot read"):
            read_bytes(path)
        with pytest.raises(StorageError, match="cannot read"):
            load_arrays(path, SCHEMA)
        with pytest.raises(StorageError, match="cannot read"):
            schema_of(path)
    file = write_atomically(tmp_path / "file", b"abc\xff")
    assert read_bytes(file, limit=4) == b"abc\xff"
    with pytest.raises(FileFormatError, match="4 bytes, more than the 3"):
        read_bytes(file, limit=3)
    with pytest.raises(FileFormatError, match="byte 3"):
        read_text(file)


@given(arrays=any_arrays)
def test_arrays_come_back_exactly(folder: Path, arrays: Arrays) -> None:
    path = save_arrays(folder / "arrays.npz", SCHEMA, arrays)
    assert same(load_arrays(path, SCHEMA, arrays), arrays)
    assert schema_of(path) == SCHEMA


EXAMPLE: Arrays = {"x": np.linspace(0, 1, 7, dtype=np.float32), "n": np.array(3), "text": np.array("µ")}


@settings(max_examples=300)
@given(
    at=st.floats(0, 1, exclude_max=True),
    kind=st.sampled_from(["flip", "delete", "insert", "cut off"]),
    content=st.binary(min_size=1, max_size=9),
)
def test_damaged_arrays_are_refused_or_equal(folder: Path, at: float, kind: str, content: bytes) -> None:
    data = save_arrays(folder / "whole.npz", SCHEMA, EXAMPLE).read_bytes()
    place = int(at * len(data))
    changed = {
        "flip": data[:place] + bytes([data[place] ^ (content[0] or 1)]) + data[place + 1 :],
        "delete": data[:place] + data[place + len(content) :],
        "insert": data[:place] + content + data[place:],
        "cut off": data[:place],
    }[kind]
    path = write_atomically(folder / "damaged.npz", changed)
    try:
        found = load_arrays(path, SCHEMA, EXAMPLE)
    except FileFormatError as error:
        assert "damaged.npz" in str(error)
    else:
        assert same(found, EXAMPLE)


@given(data=st.binary(max_size=60))
def test_other_bytes_are_refused(folder: Path, data: bytes) -> None:
    path = write_atomically(folder / "other.npz", data)
    with pytest.raises(FileFormatError, match=r"other\.npz"):
        load_arrays(path, SCHEMA)
    with pytest.raises(FileFormatError, match=r"other\.npz"):
        schema_of(path)


def test_wrong_contents_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_arrays(tmp_path / "a.npz", SCHEMA, EXAMPLE)
    with pytest.raises(FileFormatError, match=r"schema is 'test-arrays/1', expected 'test-arrays/2'"):
        load_arrays(path, "test-arrays/2")
    with pytest.raises(FileFormatError, match="arrays missing: y, z"):
        load_arrays(path, SCHEMA, ("z", "x", "y"))
    with np.load(path, allow_pickle=False) as archive:
        contents = dict(archive)
    np.savez(tmp_path / "copied.npz", allow_pickle=False, **contents)
    assert same(load_arrays(tmp_path / "copied.npz", SCHEMA), EXAMPLE)
    edited = {**contents, "n": np.array(4)}
    np.savez(tmp_path / "edited.npz", allow_pickle=False, **edited)
    with pytest.raises(FileFormatError, match="checksum does not match"):
        load_arrays(tmp_path / "edited.npz", SCHEMA)
    np.savez(tmp_path / "plain.npz", allow_pickle=False, n=np.array(4))
    assert schema_of(tmp_path / "plain.npz") == "none"
    with pytest.raises(FileFormatError, match="schema is 'none'"):
        load_arrays(tmp_path / "plain.npz", SCHEMA)
    monkeypatch.setattr(storage, "MAX_ARRAY_BYTES", 100)
    with pytest.raises(FileFormatError, match=r"unpacks to .* bytes, more than 100"):
        load_arrays(path, SCHEMA)


def test_pickled_objects_are_not_opened(tmp_path: Path) -> None:
    held = io.BytesIO()
    np.savez(held, allow_pickle=True, schema=np.array(SCHEMA), trap=np.array([{}], dtype=object))
    path = write_atomically(tmp_path / "trap.npz", held.getvalue())
    with pytest.raises(FileFormatError, match=r"trap\.npz"):
        load_arrays(path, SCHEMA)


# Digest


@given(arrays=any_arrays)
def test_the_digest_ignores_byte_order_layout_and_sequence(arrays: Arrays) -> None:
    strided = {name: np.stack([array, array], axis=-1)[..., 0] for name, array in arrays.items()}
    turned = {name: strided[name].astype(strided[name].dtype.newbyteorder()) for name in reversed(strided)}
    for other in (strided, turned, {name: np.array(array, order="F") for name, array in arrays.items()}):
        assert digest_arrays(other) == digest_arrays(arrays)


def test_the_digest_tells_apart() -> None:
    x = np.arange(6, dtype=np.int32)
    variants: list[Arrays] = [
        {},
        {"x": x},
        {"y": x},
        {"x": x, "y": x},
        {"x": x.astype(np.uint32)},
        {"x": x.view(np.float32)},
        {"x": x.reshape(2, 3)},
        {"x": x.reshape(3, 2)},
        {"x": x.reshape(2, 3).T},
        {"x": x[::-1]},
        {"x": x[:0]},
        {"x": x[:0].reshape(0, 2)},
        {"x": np.array(0.0)},
        {"x": np.array(-0.0)},
    ]
    assert len({digest_arrays(arrays) for arrays in variants}) == len(variants)


# JSON


def test_json_is_read_or_its_fault_is_placed() -> None:
    assert parse_json('{"a": {"b": [1, 2.5, null]}, "b": "µ"}', "f") == {"a": {"b": [1, 2.5, None]}, "b": "µ"}
    with pytest.raises(FileFormatError, match=r"card\.json: not JSON: .* at line 2, column 7"):
        parse_json('{"a": 1,\n "b": }', "card.json")
    with pytest.raises(FileFormatError, match=r"card\.json.*'a' stands twice"):
        parse_json('[{"a": 1, "b": 2, "a": 1}]', "card.json")
    for hostile in ("[" * 200_000, "1" * 10_000):
        with pytest.raises(FileFormatError, match=r"card\.json"):
            parse_json(hostile, "card.json")


@given(text=st.text(max_size=30) | st.text('[]{}:,"01.eE-nultrefasNI ', max_size=20))
def test_any_text_is_json_or_a_format_error(text: str) -> None:
    try:
        parse_json(text, "f.json")
    except FileFormatError as error:
        assert str(error).startswith("f.json: not JSON")


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(StorageError, match="null"):
        read_bytes("a\0b")
