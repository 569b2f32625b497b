# SPDX-License-Identifier: Apache-2.0
"""Files written whole or not at all, with a schema version and a checksum, and checked when read."""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import FileFormatError, StorageError

MAX_ARRAY_BYTES = 64 * 2**30
"""Largest total of unpacked arrays that a reader accepts from one file, bytes."""


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Generator[IO[bytes]]:
    """Open a file for writing that appears at `path`, whole, when the block ends well, and not at all otherwise.

    Missing parent folders are made; the content goes through a temporary file beside it and an atomic rename.

    Raises:
        StorageError: The folder or file cannot be written; nothing is left behind.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror or error}") from error


def require_writable(folder: str | os.PathLike[str]) -> Path:
    """Make a folder if need be and check that files can be written into it, before long work whose results go there.

    Raises:
        StorageError: It cannot be made or written to.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target):
            return target
    except OSError as error:
        raise StorageError(f"cannot write into {target}: {error.strerror or error}") from error


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write `content` to `path`, whole or not at all; text is written as UTF-8.

    Raises:
        StorageError: The folder or file cannot be written; nothing is left behind.
    """
    with atomic_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return Path(path)


def read_bytes(path: str | os.PathLike[str], limit: int = MAX_ARRAY_BYTES) -> bytes:
    """Read a whole file of at most `limit` bytes.

    Raises:
        StorageError: The file is missing, not a file, or not readable.
        FileFormatError: The file is larger than `limit`.
    """
    source = Path(path)
    if "\0" in str(source):
        raise StorageError(f"cannot read {str(source)!r}: no file has a null in its name")
    try:
        size = source.stat().st_size
        if size > limit:
            raise FileFormatError(f"{source}: {size} bytes, more than the {limit} that this reader accepts")
        return source.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {source}: {error.strerror or error}") from error


def read_text(path: str | os.PathLike[str], limit: int = 2**30) -> str:
    """Read a whole UTF-8 text file.

    Raises:
        StorageError: The file is missing or not readable.
        FileFormatError: The file is too large or not UTF-8.
    """
    try:
        return read_bytes(path, limit).decode()
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path}: not UTF-8 text (byte {error.start})") from error


def digest_arrays(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Get the SHA-256 of named arrays (names, dtypes, shapes and little-endian bytes), as 64 hex digits."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        flat = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(-1)
        digest.update(f"{name}|{flat.dtype.str}|{array.shape}|".encode())
        if flat.nbytes:
            digest.update(flat.view(np.uint8).data)
    return digest.hexdigest()


def save_arrays(path: str | os.PathLike[str], schema: str, arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write named arrays as an `.npz` with `schema` ("kind/version") and a checksum, atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    content = {name: np.asarray(array) for name, array in arrays.items()}
    content["schema"] = np.array(schema)
    content["checksum"] = np.array(digest_arrays(content))
    with atomic_file(path) as file:
        np.savez(file, allow_pickle=False, **content)
    return Path(path)


def load_arrays(path: str | os.PathLike[str], schema: str, names: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
    """Read an `.npz` written by `save_arrays`; check its schema, its checksum and that `names` are there.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: Damaged, edited, of another schema, or an array is missing.
    """
    with _open_archive(path) as archive:
        arrays = {name: np.asarray(archive[name]) for name in archive.files}
    found = str(arrays.get("schema", "none"))
    if found != schema:
        raise FileFormatError(f"{path}: schema is {found!r}, expected {schema!r}")
    checksum = str(arrays.pop("checksum", "missing"))
    if checksum != digest_arrays(arrays):
        raise FileFormatError(f"{path}: checksum does not match the contents; the file is damaged or was edited")
    del arrays["schema"]
    missing = sorted(set(names) - set(arrays))
    if missing:
        raise FileFormatError(f"{path}: arrays missing: {', '.join(missing)}")
    return arrays


def schema_of(path: str | os.PathLike[str]) -> str:
    """Get the schema that an `.npz` claims, "none" if it has none; nothing else is read or checked.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: Not a readable `.npz`.
    """
    with _open_archive(path) as archive:
        return str(archive["schema"]) if "schema" in archive.files else "none"


@contextmanager
def _open_archive(path: str | os.PathLike[str]) -> Generator[Any]:
    """Open an `.npz` without unpickling anything; its arrays are read, and damage reported, inside the block."""
    try:
        file = Path(path).open("rb")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        try:
            with zipfile.ZipFile(file) as archive:
                total = sum(entry.file_size for entry in archive.infolist())
            if total > MAX_ARRAY_BYTES:
                raise FileFormatError(f"{path}: unpacks to {total} bytes, more than {MAX_ARRAY_BYTES}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                yield arrays
        except FileFormatError:
            raise
        except Exception as error:  # zipfile and the .npy header parser raise a dozen builtin types on damaged bytes
            raise FileFormatError(f"{path}: not a readable .npz file ({type(error).__name__}: {error})") from error


def parse_json(text: str, where: str) -> Any:
    """Parse JSON text.

    Raises:
        FileFormatError: Not JSON (the message gives line and column), or an object has a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_distinct_keys)
    except json.JSONDecodeError as error:
        raise FileFormatError(f"{where}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except (RecursionError, ValueError) as error:
        raise FileFormatError(f"{where}: not JSON that can be read: {error}") from error


def _distinct_keys(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice in a JSON object: readers differ on which of the two they take."""
    found: dict[str, Any] = {}
    for key, value in entries:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found
