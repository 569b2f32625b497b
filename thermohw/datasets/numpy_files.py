# SPDX-License-Identifier: Apache-2.0
"""NumPy's `.npy` and `.npz` files of other people, read strictly: nothing unpickled, nothing left unread."""

import io
import os
import zipfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import FileFormatError
from thermohw.storage import read_bytes

MAX_BYTES = 16 * 2**30
"""Largest total of unpacked arrays that is accepted from one file, bytes."""


def read_numpy(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read the arrays of an `.npz` file, or the one array of an `.npy` file under the name `images`.

    The kind is told by the first bytes, not by the name. An `.npz` carries a CRC-32 for each array, which is checked;
    an `.npy` carries none.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: Neither of the two, damaged, too large, or holding Python objects.
    """
    where = str(path)
    data = read_bytes(path, MAX_BYTES)
    if not data.startswith((b"\x93NUMPY", b"PK")):
        raise FileFormatError(f"{where}: bytes 0 … 5 are {data[:6]!r}; neither an .npy nor an .npz file")
    try:
        if data.startswith(b"PK"):
            return _read_archive(data, where)
        return {"images": _read_array(io.BytesIO(data), where)}
    except FileFormatError:
        raise
    except Exception as error:  # zipfile and the .npy header parser raise a dozen builtin types on damaged bytes
        raise FileFormatError(f"{where}: damaged ({type(error).__name__}: {error})") from error


def _read_archive(data: bytes, where: str) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        _check_directory(data, len(archive.infolist()), where)
        total = sum(entry.file_size for entry in archive.infolist())
        if total > MAX_BYTES:
            raise FileFormatError(f"{where}: unpacks to {total} bytes, more than the {MAX_BYTES} accepted")
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name in arrays:
                raise FileFormatError(f"{where}: array {name!r} stands twice")
            with archive.open(entry) as member:
                arrays[name] = _read_array(member, f"{where}: {name}")
    return arrays


def _check_directory(data: bytes, found: int, where: str) -> None:
    """Compare the number of arrays with the one that the archive states: a damaged directory can hide some."""
    end = data.rindex(b"PK\x05\x06")
    stated = int.from_bytes(data[end + 10 : end + 12], "little")
    if stated != found:
        raise FileFormatError(
            f"{where}: byte {end + 10}: the archive states {stated} arrays, its directory has {found}"
        )


def _read_array(stream: IO[bytes], where: str) -> NDArray[Any]:
    """Read one array and make sure that nothing follows.

    Only the read past the end makes zipfile compare the CRC; without it a damaged shape would give fewer images.
    """
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    if stream.read(1):
        raise FileFormatError(f"{where}: bytes follow after the {' × '.join(map(str, array.shape))} array announced")
    return array
