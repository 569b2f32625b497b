# SPDX-License-Identifier: Apache-2.0
"""Images: what the road starts from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import DatasetError


@dataclass(frozen=True, eq=False)
class Images:
    """A stack of grey-scale images with class labels.

    Attributes:
        pixels: (images, rows, columns) float64, any scale; larger is more ink.
        labels: (images,) int64 class of each image.
        source: Where they come from, for provenance.

    Raises:
        DatasetError: A wrong shape, no image, a pixel that is not finite, or an image without contrast.
    """

    pixels: NDArray[np.float64]
    labels: NDArray[np.int64]
    source: str

    def __post_init__(self) -> None:
        pixels = np.array(self.pixels, np.float64)
        labels = np.array(self.labels, np.int64)
        if pixels.ndim != 3 or pixels.size == 0:
            raise DatasetError(f"{self.source}: pixels must have shape (images, rows, columns), got {pixels.shape}")
        if labels.shape != (len(pixels),):
            raise DatasetError(f"{self.source}: {len(pixels)} images need as many labels, got {labels.shape}")
        finite = np.isfinite(pixels).all(axis=(1, 2))
        if not finite.all():
            raise DatasetError(f"{self.source}: image {int(np.argmin(finite))} has a pixel that is NaN or infinite")
        flat = np.ptp(pixels, axis=(1, 2)) == 0
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
            DatasetError: A class is absent or has too few images.
        """
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
