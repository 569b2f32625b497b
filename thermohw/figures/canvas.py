# SPDX-License-Identifier: Apache-2.0
"""What all figures share: colours, labels with units, checked arrays, and files written whole."""

import io
import os
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import DatasetError, FileFormatError
from thermohw.storage import write_atomically

STATES = colormaps["Blues"]
"""Positive states blue, negative states white, as in the paper."""
COUPLINGS = colormaps["RdBu"]
"""Positive couplings blue, negative couplings red, as in the paper."""

BLUE, LIGHT_BLUE, RED, GREY = "#08519c", "#9ecae1", "#cb181d", "#737373"

TIME_LABEL = r"time ($1/\mu k_\mathrm{B}T$)"
HEAT_LABEL = r"heat ($k_\mathrm{B}T$)"
COUPLING_LABEL = r"coupling $J$ ($k_\mathrm{B}T$)"
STATE_LABEL = "state $x$ (dimensionless)"

_FORMATS = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
"""File types, each with the metadata to leave out: a file must not change because it is written another day."""


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as PNG (200 dots per inch), PDF or SVG, as the file's ending says, atomically.

    Raises:
        FileFormatError: Another ending.
        StorageError: The file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise FileFormatError(f"cannot write {path}: the ending must be {', '.join(_FORMATS)}")
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format=suffix[1:], dpi=200, facecolor="white", bbox_inches="tight", metadata=_FORMATS[suffix]
    )
    return write_atomically(path, buffer.getvalue())


def as_numbers(name: str, values: ArrayLike, axes: str) -> NDArray[np.float64]:
    """Get finite real numbers with one dimension for each of the words in `axes`, such as "chains, records, visible".

    Raises:
        DatasetError: Not numbers, none at all, another number of dimensions, or a number that is not finite.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DatasetError(f"{name} must be real numbers of shape ({axes}): {error}") from error
    wanted = axes.split(", ")
    if array.dtype.kind not in "biuf" or array.ndim != len(wanted) or not array.size:
        raise DatasetError(f"{name} must be real numbers of shape ({axes}), got {array.dtype} {array.shape}")
    finite = np.isfinite(array)
    if not finite.all():
        place = ", ".join(str(index) for index in np.unravel_index(int(np.argmin(finite)), array.shape))
        raise DatasetError(f"{name}[{place}] is not finite")
    return array.astype(np.float64)


def as_pictures(name: str, states: ArrayLike, axes: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Get the last axis (visible units) unfolded into (rows, columns).

    Raises:
        DatasetError: Not finite numbers of the dimensions in `axes`, or not rows × columns units.
    """
    array = as_numbers(name, states, axes)
    rows, columns = shape
    if min(shape) < 1 or array.shape[-1] != rows * columns:
        raise DatasetError(
            f"{name} has {array.shape[-1]} units in its last axis, a picture of {rows} × {columns} pixels needs "
            f"{rows * columns}; pass the visible units alone"
        )
    return array.reshape(*array.shape[:-1], rows, columns)


def as_records(
    trajectories: ArrayLike, times: ArrayLike, axes: str, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Get trajectories as pictures (chains, records, rows, columns), and their times (records,).

    Raises:
        DatasetError: Wrong shapes, numbers that are not finite, or times that do not increase.
    """
    pictures = as_pictures("trajectories", trajectories, axes, shape)
    clock = as_numbers("times", times, "records")
    if len(clock) != pictures.shape[1]:
        raise DatasetError(f"{pictures.shape[1]} records need as many times, got {len(clock)}")
    if (np.diff(clock) <= 0).any():
        raise DatasetError("times must increase from record to record")
    return pictures, clock


def symmetric_limit(values: NDArray[np.float64]) -> float:
    """Get the limit of a colour scale −limit … +limit that holds 99.5 % of the values; 1 where all are zero."""
    magnitudes = np.abs(values)
    return float(np.percentile(magnitudes, 99.5) or magnitudes.max() or 1.0)


def chart(width: float = 5.6, height: float = 3.4) -> tuple[Figure, Axes]:
    """Make an empty chart, sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
