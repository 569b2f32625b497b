# SPDX-License-Identifier: Apache-2.0
"""Images: what is refused and how it is said, selection by class, and standardized pixels."""

from typing import Any

import numpy as np
import pytest

from thermohw import Images
from thermohw.errors import DatasetError

PIXELS = np.random.default_rng(0).uniform(0, 255, (7, 3, 4))
LABELS = np.array([2, 0, 2, 1, 0, 2, 1])


def changed(image: int, value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    pixels = PIXELS.copy()
    pixels[image] = value
    return pixels


@pytest.mark.parametrize(
    ("pixels", "labels", "words"),
    [
        (PIXELS[0], LABELS[:1], r"\(images, rows, columns\), got \(3, 4\)"),
        (PIXELS[:0], LABELS[:0], r"got \(0, 3, 4\)"),
        (PIXELS[:, :0], LABELS, r"got \(7, 0, 4\)"),
        (PIXELS, LABELS[:3], r"7 images need as many labels, got \(3,\)"),
        (PIXELS, LABELS[None], r"7 images need as many labels, got \(1, 7\)"),
        (changed(3, np.nan), LABELS, "image 3 has a pixel that is NaN"),
        (changed(5, [0, 1, -np.inf, 0]), LABELS, "image 5 has a pixel that is NaN or infinite"),
        (changed(2, [0, 1, -1e101, 0]), LABELS, "image 2 has a pixel beyond"),
        (changed(4, 17.5), LABELS, "image 4 is uniform"),
        (changed(1, [1e12, 1e12 + 1, 1e12, 1e12]), LABELS, "image 1 is uniform"),
        (changed(1, [0, 0, 1e-200, 0]), LABELS, "image 1 is uniform"),
        (PIXELS + 1j, LABELS, "pixels must be real numbers, got complex128"),
        (PIXELS.astype(str), LABELS, "pixels must be real numbers"),
        ([[[1, 2], [3]]], [0], "pixels must form an array"),
        (PIXELS, LABELS + 0.5, "labels must be whole numbers"),
        (PIXELS, np.where(LABELS == 1, np.nan, LABELS), "labels must be whole numbers"),
        (PIXELS, LABELS.astype(str), "labels must be real numbers"),
    ],
)
def test_bad_images_are_refused_by_name(pixels: Any, labels: Any, words: str) -> None:
    with pytest.raises(DatasetError, match="scans: .*" + words):
        Images(pixels, labels, "scans")


@pytest.mark.parametrize(
    "pixels",
    [
        PIXELS,
        PIXELS * 1e-60,
        PIXELS * -1e60,
        PIXELS.astype(np.uint8),
        PIXELS > np.median(PIXELS, (1, 2), keepdims=True),
    ],
    ids=["plain", "small", "large and negative", "bytes", "bits"],
)
def test_any_scale_and_kind_of_pixels_is_standardized(pixels: Any) -> None:
    flat = Images(pixels, LABELS, "scans").standardized()
    assert flat.shape == (7, 12)
    assert np.abs(flat.mean(axis=1)).max() < 1e-12
    assert np.abs((flat**2).mean(axis=1) - 1).max() < 1e-12
    for row, image in zip(flat, pixels.astype(np.float64), strict=True):
        assert np.corrcoef(row, image.ravel())[0, 1] == pytest.approx(1, abs=1e-12)


def test_images_are_their_own() -> None:
    pixels, labels = PIXELS.copy(), LABELS.astype(np.float64)
    images = Images(pixels, labels, "scans")  # pyright: ignore[reportArgumentType]
    pixels[:], labels[:] = 0, 5
    assert np.array_equal(images.pixels, PIXELS)
    assert np.array_equal(images.labels, LABELS)
    assert images.labels.dtype == np.int64
    assert (len(images), images.shape, images.classes.tolist()) == (7, (3, 4), [0, 1, 2])
    with pytest.raises(ValueError, match="read-only"):
        images.pixels[0] = 0


@pytest.mark.parametrize(
    ("classes", "per_class", "skip", "rows"),
    [
        ([0, 1, 2], 1, 0, [1, 3, 0]),
        ([2, 0], 2, 0, [0, 2, 1, 4]),
        ([2], None, 0, [0, 2, 5]),
        ([2, 1], None, 1, [2, 5, 6]),
        ([2, 1], 1, 1, [2, 6]),
        ([1, 1], 1, 0, [3, 3]),
    ],
)
def test_selection_takes_the_first_of_each_class(
    classes: list[int], per_class: int | None, skip: int, rows: list[int]
) -> None:
    chosen = Images(PIXELS, LABELS, "scans").select(classes, per_class, skip)
    assert np.array_equal(chosen.pixels, PIXELS[rows])
    assert np.array_equal(chosen.labels, LABELS[rows])
    assert chosen.source == "scans"


@pytest.mark.parametrize(
    ("classes", "per_class", "skip", "words"),
    [
        ([0, 7], 1, 0, "class 7 has 0 images .* classes present: 0, 1, 2"),
        ([0, 2], 3, 0, "class 0 has 2 images after the first 0, 3 asked for"),
        ([1], 2, 1, "class 1 has 1 images after the first 1, 2 asked for"),
        ([1], None, 2, "class 1 has 0 images after the first 2"),
        ([], 1, 0, "no class selected"),
        ([0], 0, 0, "per_class must be at least 1 and skip at least 0, got 0 and 0"),
        ([0], 1, -1, "per_class must be at least 1 and skip at least 0, got 1 and -1"),
    ],
)
def test_an_impossible_selection_is_refused(classes: list[int], per_class: int | None, skip: int, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        Images(PIXELS, LABELS, "scans").select(classes, per_class, skip)
