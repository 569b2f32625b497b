# SPDX-License-Identifier: Apache-2.0
"""Images that need no file, NumPy stacks, and the short forms of a command line."""

import io
import string
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from thermohw.datasets import digits, glyphs, load, stack
from thermohw.errors import DatasetError, FileFormatError, StorageError, ThermoHWError

ROOT = Path(__file__).parents[1]

# Real numbers of every width that a file may hold, none of them an image without contrast.
real: st.SearchStrategy[np.dtype[Any]] = st.one_of(
    hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64))
)


def ramp(dtype: np.dtype[Any], images: int, rows: int, columns: int) -> NDArray[Any]:
    return (np.arange(images * rows * columns) % 120).astype(dtype).reshape(images, rows, columns)


ramps = st.builds(ramp, real, st.integers(1, 3), st.integers(1, 4), st.integers(2, 4))


# Glyphs


@pytest.mark.parametrize("size", [28, 16, 57])
def test_glyphs_stand_as_mnist_digits_do(size: int) -> None:
    images = glyphs(string.digits, size=size)
    offset = np.arange(size) + 0.5 - size / 2
    margin = size // 28  # of the 4 pixels in 28, a 7 leaves 1.5: its centre of mass lies that high
    for pixels in images.pixels:
        ink = pixels / pixels.sum()
        assert abs(ink.sum(axis=0) @ offset) < 0.1
        assert abs(ink.sum(axis=1) @ offset) < 0.1
        drawn = np.argwhere(pixels > 25)
        sides = np.ptp(drawn, axis=0) + 1
        assert abs(sides.max() - size * 20 / 28) < 2
        assert drawn.min() >= margin
        assert drawn.max() < size - margin


def test_glyphs_are_upright_and_anti_aliased() -> None:
    seven, el = glyphs("7L").pixels
    assert seven.sum(axis=1).argmax() < 12  # the bar of a 7 is at its top, that of an L at its foot
    assert el.sum(axis=1).argmax() > 16
    assert el.sum(axis=0).argmax() < 12  # and the stem of an L at its left
    for pixels in (seven, el):
        assert pixels.max() == 255
        assert 0.1 < np.mean((pixels > 0) & (pixels < 255)) / np.mean(pixels > 0) < 0.8


def test_glyphs_of_one_kind_have_the_weight_of_mnist() -> None:
    assert glyphs(string.digits).pixels.mean() / 255 == pytest.approx(0.1325, rel=0.05)  # MNIST's test split


def test_glyphs_are_the_same_each_time() -> None:
    first, second = glyphs("012"), glyphs("012")
    assert np.array_equal(first.pixels, second.pixels)
    assert first.source == "glyphs:012 (28 × 28)"


@pytest.mark.parametrize(
    ("characters", "labels"), [("012", [0, 1, 2]), ("907", [9, 0, 7]), ("BA", [0, 1]), ("1A0", [0, 1, 2])]
)
def test_labels_are_the_digits_or_else_the_positions(characters: str, labels: list[int]) -> None:
    assert glyphs(characters).labels.tolist() == labels


@given(st.text(max_size=4), st.integers(-2, 40))
def test_any_text_gives_as_many_patterns_or_an_error(characters: str, size: int) -> None:
    try:
        images = glyphs(characters, size=size)
    except DatasetError:
        return
    assert images.pixels.shape == (len(characters), size, size)


@pytest.mark.parametrize(
    ("characters", "size", "message"),
    [
        ("", 28, "at least one character"),
        ("0 1", 28, r"' ' \(U\+0020\) leaves no ink"),
        ("a\U0001f9ff", 28, r"no character .* \(U\+1F9FF\)"),
        ("\ud800", 28, r"no character .* \(U\+D800\)"),
        ("010", 28, "'0' stands twice"),
        ("01", 7, "8 … 512 pixels, got 7"),
        ("01", 513, "8 … 512 pixels, got 513"),
    ],
)
def test_what_cannot_be_drawn_is_refused(characters: str, size: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        glyphs(characters, size=size)


def test_drawing_touches_no_global_state_and_heeds_none() -> None:
    code = """
import sys, matplotlib
matplotlib.rcParams.update({"font.family": "serif", "image.origin": "lower", "path.sketch": (9, 9, 9), "font.size": 40})
before = dict(matplotlib.rcParams)
from thermohw.datasets import glyphs
pixels = glyphs("25").pixels
assert dict(matplotlib.rcParams) == before and "matplotlib.pyplot" not in sys.modules
print(pixels.astype("uint8").tobytes().hex())
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert bytes.fromhex(run.stdout) == glyphs("25").pixels.astype(np.uint8).tobytes()


# scikit-learn


def test_digits_are_those_of_scikit_learn() -> None:
    pytest.importorskip("sklearn")
    images = digits()
    assert images.pixels.shape == (1797, 8, 8)
    assert np.bincount(images.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (images.pixels.min(), images.pixels.max()) == (0, 16)


def test_digits_without_scikit_learn_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DatasetError, match=r"pip install thermohw\[data\]"):
        digits()


# Stacks


def npz(**arrays: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Get one file for all hypothesis examples to write to."""
    return tmp_path_factory.mktemp("stacks") / "stack"


@given(array=ramps, name=st.sampled_from(["images", "pixels", "x", "anything"]), labelled=st.booleans())
def test_an_npz_round_trip_is_exact(path: Path, array: NDArray[Any], name: str, labelled: bool) -> None:
    labels = np.arange(len(array), dtype=np.uint8) + 3
    path.write_bytes(npz(**{name: array}, **({"labels": labels} if labelled else {})))
    images = stack(path)
    assert np.array_equal(images.pixels, array.astype(np.float64))
    assert images.labels.tolist() == (labels if labelled else np.arange(len(array))).tolist()


@given(array=ramps)
def test_an_npy_round_trip_is_exact(path: Path, array: NDArray[Any]) -> None:
    path.write_bytes(npy(array))
    assert np.array_equal(stack(path).pixels, array.astype(np.float64))


def test_flat_images_of_a_square_number_of_pixels_are_unfolded(path: Path) -> None:
    path.write_bytes(npy(np.arange(18.0).reshape(2, 9)))
    assert np.array_equal(stack(path).pixels, np.arange(18.0).reshape(2, 3, 3))


SMALL = npz(images=np.arange(18.0).reshape(2, 3, 3), labels=np.array([5, 6]))


@given(position=st.integers(0, len(SMALL) - 1), change=st.integers(1, 255))
def test_a_changed_byte_of_an_npz_never_changes_what_is_read(path: Path, position: int, change: int) -> None:
    damaged = bytearray(SMALL)
    damaged[position] ^= change
    path.write_bytes(damaged)
    try:
        images = stack(path)
    except ThermoHWError:
        return
    assert np.array_equal(images.pixels, np.arange(18.0).reshape(2, 3, 3))
    assert images.labels.tolist() == [5, 6]


@given(array=ramps, data=st.data())
def test_damage_to_an_npy_raises_nothing_but_the_projects_errors(
    path: Path, array: NDArray[Any], data: st.DataObject
) -> None:
    content = bytearray(npy(array))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        assert stack(path).pixels.size <= array.size * 8
    except ThermoHWError:
        pass


@given(cut=st.integers(0, 2000), tail=st.binary(min_size=1, max_size=9))
def test_a_shorter_file_or_a_longer_npy_is_refused(path: Path, cut: int, tail: bytes) -> None:
    plain = npy(np.arange(18.0).reshape(2, 3, 3))
    for wrong in (SMALL[: cut % len(SMALL)], plain[: cut % len(plain)], plain + tail):
        path.write_bytes(wrong)
        with pytest.raises(FileFormatError, match="stack"):
            stack(path)


@given(content=st.binary(max_size=60))
def test_arbitrary_bytes_are_no_stack(path: Path, content: bytes) -> None:
    for data in (content, b"\x93NUMPY" + content, b"PK\x03\x04" + content):
        path.write_bytes(data)
        with pytest.raises(FileFormatError):
            stack(path)


def test_a_damaged_shape_is_noticed_though_all_announced_numbers_are_there(path: Path) -> None:
    for content in (SMALL, npy(np.arange(18.0).reshape(2, 3, 3))):
        path.write_bytes(content.replace(b"(2, 3, 3)", b"(1, 3, 3)"))
        with pytest.raises(FileFormatError, match=r"1 × 3 × 3|CRC"):
            stack(path)


def test_an_array_that_a_damaged_directory_hides_is_noticed(path: Path) -> None:
    damaged = bytearray(SMALL)
    damaged[SMALL.index(b"PK\x01\x02") + 33] = 1  # the first entry now claims 256 more bytes of comment
    path.write_bytes(damaged)
    with pytest.raises(FileFormatError, match="the archive states 2 arrays, its directory has 1"):
        stack(path)


def test_python_objects_are_never_unpickled(path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([[print, 1]], dtype=object))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("images.npy", buffer.getvalue())
    for content in (buffer.getvalue(), archive.getvalue()):
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match="pickle"):
            stack(path)


GOOD = np.arange(18.0).reshape(2, 3, 3)
HOLED = GOOD.copy()
HOLED[1, 2, 0] = np.nan


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": HOLED}, "image 1 has a pixel that is NaN"),
        ({"images": np.ones((2, 3, 3))}, "image 0 is uniform"),
        ({"images": GOOD.reshape(3, 6)}, "6 pixels an image are no square"),
        ({"images": np.arange(9.0)}, r"must have shape \(images, rows, columns\)"),
        ({"images": np.float64(3)}, r"must have shape \(images, rows, columns\)"),
        ({"images": np.empty((0, 3, 3))}, r"must have shape \(images, rows, columns\)"),
        ({"images": GOOD.astype(complex)}, "real numbers .* complex128"),
        ({"images": GOOD.astype(str)}, "real numbers"),
        ({"images": GOOD.astype(np.longdouble)}, "real numbers of at most 64 bits"),
        ({"images": GOOD, "labels": np.arange(3)}, "2 images need as many labels"),
        ({"images": GOOD, "labels": np.array([0.0, 1.0])}, "labels must be whole numbers"),
        ({"images": GOOD, "labels": np.array([0, 2**63], np.uint64)}, "labels must be whole numbers"),
        ({"a": GOOD, "b": GOOD}, "no array named images or pixels or x, .*: a, b"),
        ({"labels": np.arange(2)}, "no array named images"),
    ],
)
def test_an_array_that_is_no_stack_of_images_is_refused(
    path: Path, arrays: dict[str, NDArray[Any]], message: str
) -> None:
    path.write_bytes(npz(**arrays))
    with pytest.raises(DatasetError, match=message):
        stack(path)


def test_an_archive_with_a_name_twice_or_a_stranger_inside_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("images.npy", npy(GOOD))
        file.writestr("images", npy(GOOD))
    with pytest.raises(FileFormatError, match="'images' stands twice"):
        stack(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("images.npy", npy(GOOD))
        file.writestr("readme.txt", "not an array")
    with pytest.raises(FileFormatError, match="damaged"):
        stack(path)


# Short forms


def test_short_forms_lead_to_the_readers(path: Path) -> None:
    path.write_bytes(SMALL)
    assert load("glyphs:ab").labels.tolist() == [0, 1]
    assert load(f"npz:{path}").labels.tolist() == [5, 6]
    pytest.importorskip("sklearn")
    assert len(load("digits")) == 1797


@pytest.mark.parametrize(
    "spec", ["", "mnist", "mnist:", "glyphs:", "npz", "npz:a\0b", "digits:3", "cifar:x", "glyphs 012"]
)
def test_another_form_lists_the_possible_ones(spec: str) -> None:
    with pytest.raises(DatasetError, match=r"mnist:DIR .* glyphs:012 .* digits .* npz:FILE") as error:
        load(spec)
    assert repr(spec) in str(error.value)


@pytest.mark.parametrize("spec", ["npz:absent.npz", "mnist:absent"])
def test_a_form_of_a_missing_file_is_a_storage_error(spec: str) -> None:
    with pytest.raises(StorageError, match="absent"):
        load(spec)


@given(st.text(max_size=12))
def test_any_text_is_a_form_or_an_error(spec: str) -> None:
    try:
        load(spec)
    except ThermoHWError:
        pass
