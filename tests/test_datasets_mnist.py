# SPDX-License-Identifier: Apache-2.0
"""MNIST folders: made-up files, a mirror on the loopback interface, and the real test split where it is at hand."""

import gzip
import hashlib
import os
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from thermohw.datasets import MNIST_MIRROR, Mirror, load, mnist
from thermohw.datasets.mnist_files import Split
from thermohw.errors import DatasetError, FileFormatError, StorageError

ROOT = Path(__file__).parents[1]
REAL = Path(os.environ.get("THERMOHW_MNIST", ROOT.parent / "shared" / "data" / "mnist"))

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def made_up(images: int, seed: int) -> Pair:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (images, 5, 4), np.uint8), random.integers(0, 10, images, np.uint8)


TEST, TRAIN = made_up(3, seed=1), made_up(4, seed=2)


def pack_idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_pair(folder: Path, prefix: str, pair: Pair, *, separator: str = "-", packed: bool = True) -> None:
    for array, kind in zip(pair, ("images", "labels"), strict=True):
        content = pack_idx(array)
        name = f"{prefix}-{kind}{separator}idx{array.ndim}-ubyte"
        (folder / (name + ".gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)


def assert_same(folder: Path, pair: Pair, split: Split | None = None) -> None:
    images = mnist(folder, split=split)
    assert np.array_equal(images.pixels, pair[0])
    assert np.array_equal(images.labels, pair[1])
    assert str(folder) in images.source


@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("packed", [True, False])
def test_all_usual_names_are_read(tmp_path: Path, separator: str, packed: bool) -> None:
    write_pair(tmp_path, "t10k", TEST, separator=separator, packed=packed)
    write_pair(tmp_path, "train", TRAIN, separator=separator, packed=packed)
    assert_same(tmp_path, TEST, "test")
    assert_same(tmp_path, TRAIN, "train")
    assert_same(tmp_path, TEST)
    assert np.array_equal(load(f"mnist:{tmp_path}").pixels, TEST[0])


def test_an_archive_is_read_where_there_are_no_idx_files(tmp_path: Path) -> None:
    archive = tmp_path / "mnist.npz"
    np.savez(archive, x_train=TRAIN[0], y_train=TRAIN[1], x_test=TEST[0], y_test=TEST[1])
    assert_same(tmp_path, TEST, "test")
    assert_same(tmp_path, TRAIN, "train")
    assert_same(tmp_path, TEST)
    np.savez(archive, x_train=TRAIN[0], y_train=TRAIN[1])
    assert_same(tmp_path, TRAIN)
    with pytest.raises(FileFormatError, match=r"needs the arrays x_test and y_test; it has x_train, y_train"):
        mnist(tmp_path, split="test")
    write_pair(tmp_path, "t10k", TEST)
    assert_same(tmp_path, TEST)


def test_the_training_split_is_taken_where_only_that_is_there(tmp_path: Path) -> None:
    write_pair(tmp_path, "train", TRAIN)
    assert_same(tmp_path, TRAIN)
    with pytest.raises(StorageError, match=r"no t10k-images-idx3-ubyte.gz .* download=True"):
        mnist(tmp_path, split="test")


def test_images_without_their_labels_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "t10k", TEST)
    write_pair(tmp_path, "train", TRAIN)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(StorageError, match=r"no t10k-labels-idx1-ubyte.gz"):
        mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(pack_idx(TRAIN[1]))
    with pytest.raises(DatasetError, match="3 images need as many labels"):
        mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(pack_idx(TEST[0]))
    with pytest.raises(FileFormatError, match=r"t10k-labels-idx1-ubyte: byte 3 is 0x03"):
        mnist(tmp_path)


def test_nothing_there_and_an_unknown_split_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(StorageError, match=r"no t10k-images-idx3-ubyte.gz"):
            mnist(folder)
    with pytest.raises(DatasetError, match="split must be 'train', 'test' or None, got 'valid'"):
        mnist(tmp_path, split="valid")  # pyright: ignore[reportArgumentType]


# Download


@dataclass
class Site:
    """A mirror on the loopback interface, and what was asked of it."""

    mirror: Mirror
    requests: list[str]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    source = tmp_path / "source"
    source.mkdir()
    write_pair(source, "t10k", TEST)
    files = {path.name: path.read_bytes() for path in source.iterdir()}
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            content = files.get(self.path.removeprefix("/mnist/"))
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Keep silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        checksums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
        yield Site(Mirror(f"http://127.0.0.1:{server.server_port}/mnist/", checksums), requests)
        server.shutdown()
        thread.join()


def test_missing_files_are_fetched_once_and_checked(tmp_path: Path, site: Site) -> None:
    folder = tmp_path / "new" / "folder"
    images = mnist(folder, download=True, mirror=site.mirror)
    assert np.array_equal(images.pixels, TEST[0])
    assert sorted(site.requests) == ["/mnist/t10k-images-idx3-ubyte.gz", "/mnist/t10k-labels-idx1-ubyte.gz"]
    assert sorted(path.name for path in folder.iterdir()) == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    mnist(folder, download=True, mirror=site.mirror)
    assert len(site.requests) == 2


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path, site: Site) -> None:
    own = TEST[0][::-1]
    (tmp_path / "t10k-images.idx3-ubyte").write_bytes(pack_idx(own))
    assert np.array_equal(mnist(tmp_path, download=True, mirror=site.mirror).pixels, own)
    assert site.requests == ["/mnist/t10k-labels-idx1-ubyte.gz"]


def test_a_wrong_file_a_missing_one_and_a_dead_mirror_are_errors_that_leave_nothing(tmp_path: Path, site: Site) -> None:
    folder = tmp_path / "folder"
    wrong = Mirror(site.mirror.url, {name: "0" * 32 for name in site.mirror.md5})
    with pytest.raises(FileFormatError, match=r"t10k-images-idx3-ubyte.gz: .*hash"):
        mnist(folder, download=True, mirror=wrong)
    absent = Mirror(site.mirror.url + "other/", site.mirror.md5)
    with pytest.raises(StorageError, match=r"cannot fetch .*404"):
        mnist(folder, download=True, mirror=absent)
    with pytest.raises(StorageError, match="cannot fetch"):
        mnist(folder, download=True, mirror=Mirror("http://127.0.0.1:9/", site.mirror.md5))
    with pytest.raises(FileFormatError, match="cannot use nowhere"):
        mnist(folder, download=True, mirror=Mirror("nowhere", site.mirror.md5))
    with pytest.raises(DatasetError, match=r"no checksum for train-images-idx3-ubyte.gz"):
        mnist(folder, split="train", download=True, mirror=site.mirror)
    assert list(folder.iterdir()) == []


def test_download_without_pooch_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DatasetError, match=r"pip install thermohw\[data\]"):
        mnist(tmp_path, download=True)
    with pytest.raises(DatasetError, match=r"pip install thermohw\[data\]"):
        load(f"mnist:{tmp_path}", download=True)
    with pytest.raises(StorageError, match="download=True fetches"):
        load(f"mnist:{tmp_path}")


# The real files

real = pytest.mark.skipif(not REAL.is_dir(), reason="MNIST is not at hand; THERMOHW_MNIST names its folder")


@real
def test_the_real_test_split_is_read() -> None:
    images = mnist(REAL, split="test")
    assert images.pixels.shape == (10_000, 28, 28)
    assert np.bincount(images.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.pixels.mean() / 255 == pytest.approx(0.13251, abs=1e-5)
    assert images.labels[:5].tolist() == [7, 2, 1, 0, 4]


@real
def test_the_real_files_have_the_checksums_of_the_mirror() -> None:
    found = [path for path in REAL.glob("*-ubyte.gz") if path.name in MNIST_MIRROR.md5]
    assert found
    for path in found:
        assert hashlib.md5(path.read_bytes()).hexdigest() == MNIST_MIRROR.md5[path.name]
