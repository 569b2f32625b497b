# SPDX-License-Identifier: Apache-2.0
"""MNIST (LeCun, Cortes, Burges 1998) and sets of the same form, from a folder or a mirror.

A folder holds the four IDX files under their usual names, raw or gzip-packed (`t10k-images-idx3-ubyte.gz`,
`t10k-images.idx3-ubyte` and so on), or `mnist.npz` with the arrays `x_train`, `y_train`, `x_test` and `y_test`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from thermohw.datasets.idx import read_idx
from thermohw.datasets.numpy_files import read_numpy
from thermohw.datasets.stacks import images_from_arrays
from thermohw.errors import DatasetError, FileFormatError, StorageError
from thermohw.images import Images

Split = Literal["train", "test"]
Kind = Literal["images", "labels"]

_PREFIXES: Mapping[str, str] = {"test": "t10k", "train": "train"}
_DIMENSIONS: Mapping[Kind, int] = {"images": 3, "labels": 1}
_ARCHIVE = "mnist.npz"

_MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


@dataclass(frozen=True)
class Mirror:
    """A place from which the packed IDX files can be fetched, and what they must be.

    Attributes:
        url: Base address of the files.
        md5: MD5 checksum of each file, by name, 32 hex digits.
    """

    url: str = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    md5: Mapping[str, str] = field(default_factory=lambda: dict(_MD5))


MNIST_MIRROR = Mirror()
"""The mirror that is asked unless another is given."""


def mnist(
    folder: str | os.PathLike[str],
    *,
    split: Split | None = None,
    download: bool = False,
    mirror: Mirror = MNIST_MIRROR,
) -> Images:
    """Read MNIST, or a set of the same form, from a folder. IDX files go before `mnist.npz`.

    Args:
        folder: The folder with the files.
        split: "train" (60 000 images) or "test" (10 000); None for the test split, or for the training split where only
            that one is there.
        download: Fetch the files that are missing into the folder, checked against the mirror's checksums. Files
            that are there are never replaced.
        mirror: Where to fetch them.

    Returns:
        Images with pixels 0 … 255 and labels 0 … 9.

    Raises:
        StorageError: A file is missing, cannot be read or cannot be fetched.
        FileFormatError: A file is damaged, or is not what the mirror's checksum says.
        DatasetError: An unknown split, images and labels that do not fit, or pooch is needed and not installed.
    """
    if split not in (None, *_PREFIXES):
        raise DatasetError(f"split must be 'train', 'test' or None, got {split!r}")
    root = Path(folder)
    wanted = [split] if split else list(_PREFIXES)
    present = [name for name in wanted if _find(root, name, "images")]
    if not present and (root / _ARCHIVE).is_file():
        return _read_archive(root / _ARCHIVE, wanted)
    chosen = (present or wanted)[0]
    pixels, labels = (_locate(root, chosen, kind, mirror if download else None) for kind in ("images", "labels"))
    return images_from_arrays(
        read_idx(pixels, _DIMENSIONS["images"]), read_idx(labels, _DIMENSIONS["labels"]), str(pixels)
    )


def _file_name(split: str, kind: Kind) -> str:
    return f"{_PREFIXES[split]}-{kind}-idx{_DIMENSIONS[kind]}-ubyte.gz"


def _find(root: Path, split: str, kind: Kind) -> Path | None:
    packed = _file_name(split, kind)
    raw = packed.removesuffix(".gz")
    names = (raw, packed, raw.replace("-idx", ".idx"), packed.replace("-idx", ".idx"))
    return next((root / name for name in names if (root / name).is_file()), None)


def _locate(root: Path, split: str, kind: Kind, mirror: Mirror | None) -> Path:
    found = _find(root, split, kind)
    if found:
        return found
    name = _file_name(split, kind)
    if mirror:
        return _fetch(root, name, mirror)
    raise StorageError(f"{root}: no {name} (with or without .gz) and no {_ARCHIVE}; download=True fetches the files")


def _fetch(root: Path, name: str, mirror: Mirror) -> Path:
    try:
        import pooch  # an optional extra, needed by nobody who has the files
    except ImportError as error:
        raise DatasetError("downloading MNIST needs pooch: pip install thermohw[data]") from error
    url = f"{mirror.url.rstrip('/')}/{name}"
    if name not in mirror.md5:
        raise DatasetError(f"the mirror {mirror.url} states no checksum for {name}")
    try:
        return Path(pooch.retrieve(url, known_hash=f"md5:{mirror.md5[name]}", fname=name, path=root))
    except OSError as error:
        raise StorageError(f"cannot fetch {url} into {root}: {error}") from error
    except ValueError as error:  # a checksum that does not match, or an address that pooch cannot use
        raise FileFormatError(f"cannot use {url}: {error}") from error


def _read_archive(path: Path, splits: list[str]) -> Images:
    arrays = read_numpy(path)
    split = next((name for name in splits if f"x_{name}" in arrays), None)
    if split is None or f"y_{split}" not in arrays:
        wanted = " or ".join(f"x_{name} and y_{name}" for name in splits)
        raise FileFormatError(f"{path}: needs the arrays {wanted}; it has {', '.join(sorted(arrays)) or 'none'}")
    return images_from_arrays(arrays[f"x_{split}"], arrays[f"y_{split}"], f"{path} ({split})")
