# SPDX-License-Identifier: Apache-2.0
"""Stacks of images of one's own, as NumPy files."""

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.datasets.numpy_files import read_numpy
from thermohw.errors import DatasetError
from thermohw.images import Images

IMAGE_NAMES = ("images", "pixels", "x")
LABEL_NAMES = ("labels", "y")


def stack(path: str | os.PathLike[str]) -> Images:
    """Read a stack of images from an `.npz` or `.npy` file (told by its first bytes, not by its name).

    In an `.npz` the images are the array `images`, `pixels` or `x`, or else the only array that is not the labels; the
    labels are the array `labels` or `y`. Without labels every image is a class of its own, labelled by its position.
    An `.npz` carries checksums, which are checked; an `.npy` carries none.

    Args:
        path: A file with real numbers of shape (images, rows, columns), or (images, pixels) with a square number of
            pixels; larger is more ink.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: The file is damaged, or holds Python objects.
        DatasetError: No image array, a wrong shape or type, or a pixel that is not finite.
    """
    where = str(path)
    arrays = read_numpy(path)
    labels = next((name for name in LABEL_NAMES if name in arrays), None)
    images = _find_images(arrays, labels, where)
    return images_from_arrays(arrays[images], None if labels is None else arrays[labels], where)


def images_from_arrays(pixels: NDArray[Any], labels: NDArray[Any] | None, where: str) -> Images:
    """Build images from arrays as files hold them.

    Args:
        pixels: (images, rows, columns), or (images, pixels) with a square number of pixels.
        labels: (images,) whole numbers; None for the position of each image.
        where: The file, for messages and provenance.

    Raises:
        DatasetError: A wrong shape or type, or a pixel that is not finite.
    """
    if pixels.dtype.kind not in "biuf" or pixels.dtype.itemsize > 8:
        raise DatasetError(f"{where}: pixels must be real numbers of at most 64 bits, got {pixels.dtype}")
    if pixels.ndim == 2 and pixels.size:
        side = math.isqrt(pixels.shape[1])
        if side**2 != pixels.shape[1]:
            raise DatasetError(
                f"{where}: {pixels.shape[1]} pixels an image are no square; give the shape (images, rows, columns)"
            )
        pixels = pixels.reshape(-1, side, side)
    if labels is None:
        labels = np.arange(len(pixels) if pixels.ndim else 0)
    if labels.dtype.kind not in "iu" or (labels.size and int(labels.max()) >= 2**63):
        raise DatasetError(f"{where}: labels must be whole numbers below 2⁶³, got {labels.dtype}")
    return Images(pixels.astype(np.float64), labels.astype(np.int64), where)


def _find_images(arrays: Mapping[str, NDArray[Any]], labels: str | None, where: str) -> str:
    named = [name for name in IMAGE_NAMES if name in arrays]
    others = [name for name in arrays if name != labels]
    if named or len(others) == 1:
        return (named or others)[0]
    found = ", ".join(sorted(arrays)) or "none"
    raise DatasetError(f"{where}: no array named {' or '.join(IMAGE_NAMES)}, and not just one array; arrays: {found}")
