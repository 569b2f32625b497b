# SPDX-License-Identifier: Apache-2.0
"""Images: what the road starts from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import DatasetError

LARGEST = 1e100
"""Largest pixel value, so that squares stay within double precision."""
FAINTEST = 1e-10
"""An image whose pixels differ by less than this share of the largest counts as uniform."""


@dataclass(frozen=True, eq=False)
class Images:
    """A stack of grey-scale images with class labels.

    Attributes:
        pixels: (images, rows, columns) float64, any scale; larger is more ink.
        labels: (images,) int64 class of each image.
        source: Where they come from, for provenance.

    Raises:
        DatasetError: A wrong shape, no image, no numbers, a pixel that is not finite, or an image without contrast.
    """

    pixels: NDArray[np.float64]
    labels: NDArray[np.int64]
    source: str

    def __post_init__(self) -> None:
        pixels = _real_numbers(self.pixels, "pixels", self.source).astype(np.float64)
        given = _real_numbers(self.labels, "labels", self.source)
        with np.errstate(invalid="ignore"):
            labels = given.astype(np.int64)
        if not np.array_equal(labels, given):
            raise DatasetError(f"{self.source}: labels must be whole numbers below 2⁶³")
        if pixels.ndim != 3 or pixels.size == 0:
            raise DatasetError(f"{self.source}: pixels must have shape (images, rows, columns), got {pixels.shape}")
        if labels.shape != (len(pixels),):
            raise DatasetError(f"{self.source}: {len(pixels)} images need as many labels, got {labels.shape}")
        finite = np.isfinite(pixels).all(axis=(1, 2))
        if not finite.all():
            raise DatasetError(f"{self.source}: image {int(np.argmin(finite))} has a pixel that is NaN or infinite")
        highest, lowest = pixels.max(axis=(1, 2)), pixels.min(axis=(1, 2))
        largest = np.maximum(highest, -lowest)
        huge = largest > LARGEST
        if huge.any():
            raise DatasetError(
                f"{self.source}: image {int(np.argmax(huge))} has a pixel beyond ±{LARGEST:g}; rescale it"
            )
        flat = highest - lowest <= np.maximum(FAINTEST * largest, 1 / LARGEST)
        if flat.any():
            raise DatasetError(f"{self.source}: image {int(np.argmax(flat))} is uniform; it has no pattern to learn")
        for name, array in (("pixels", pixels), ("labels", labels)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int]:
        """Get (rows, columns) of one image."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @property
    def classes(self) -> NDArray[np.int64]:
        """Get the distinct labels (classes,), ascending."""
        return np.unique(self.labels)

    def standardized(self) -> NDArray[np.float64]:
        """Get each image's pixels with zero mean and unit variance, (images, rows · columns)."""
        flat = self.pixels.reshape(len(self), -1)
        return (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)

    def select(self, classes: list[int], per_class: int | None = 1, skip: int = 0) -> "Images":
        """Get the first images of each class, in the order of `classes`.

        Args:
            classes: Labels wanted.
            per_class: Images a class; None for all.
            skip: Images of each class to pass over first.

        Raises:
            DatasetError: A class is absent or has too few images, or a count is out of range.
        """
        if skip < 0 or (per_class is not None and per_class < 1):
            raise DatasetError(f"per_class must be at least 1 and skip at least 0, got {per_class} and {skip}")
        chosen: list[int] = []
        for label in classes:
            found = np.flatnonzero(self.labels == label)[skip:]
            wanted = found.size if per_class is None else per_class
            if not found.size or found.size < wanted:
                raise DatasetError(
                    f"{self.source}: class {label} has {found.size} images after the first {skip}, {wanted} asked for; "
                    f"classes present: {', '.join(map(str, self.classes))}"
                )
            chosen.extend(found[:wanted].tolist())
        if not chosen:
            raise DatasetError(f"{self.source}: no class selected")
        return Images(self.pixels[chosen], self.labels[chosen], self.source)


def _real_numbers(values: ArrayLike, what: str, source: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DatasetError(f"{source}: {what} must form an array: {error}") from error
    if array.dtype.kind not in "biuf":
        raise DatasetError(f"{source}: {what} must be real numbers, got {array.dtype}")
    return array
