# SPDX-License-Identifier: Apache-2.0
"""Pictures made of units: film strips, outcomes and receptive fields (the paper's Figs. 1 and 2)."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import DatasetError
from thermohw.figures.canvas import (
    COUPLING_LABEL,
    COUPLINGS,
    STATE_LABEL,
    STATES,
    TIME_LABEL,
    as_numbers,
    as_pictures,
    as_records,
)
from thermohw.figures.tiles import ColourScale, sheet

STATE_SCALE = ColourScale(STATES, STATE_LABEL)
COUPLING_SCALE = ColourScale(COUPLINGS, COUPLING_LABEL)

STRIP_LENGTH = 8
"""Most records that a film strip shows; fewer, down to 5, where they are then evenly spaced."""


def noising_filmstrip(trajectories: ArrayLike, times: ArrayLike, shape: tuple[int, int]) -> Figure:
    """Draw images dissolving into noise (paper, Fig. 1a), a row an image; at most 8 records, evenly chosen.

    Args:
        trajectories: (images, records, visible) states, dimensionless.
        times: (records,) times, 1/(μ k_BT), increasing.
        shape: (rows, columns) of one image.

    Raises:
        DatasetError: Wrong shapes, numbers that are not finite, or too many images.
    """
    pictures, clock = as_records(trajectories, times, "images, records, visible", shape)
    return _filmstrips(pictures, clock, [f"image {row + 1}" for row in range(len(pictures))])


def generation_filmstrips(trajectories: ArrayLike, times: ArrayLike, shape: tuple[int, int]) -> Figure:
    """Draw noise turning into images (paper, Fig. 2a), a row a trajectory; at most 8 records, evenly chosen.

    Args:
        trajectories: (chains, records, visible) states, dimensionless.
        times: (records,) times, 1/(μ k_BT), increasing.
        shape: (rows, columns) of one image.

    Raises:
        DatasetError: Wrong shapes, numbers that are not finite, or too many chains.
    """
    pictures, clock = as_records(trajectories, times, "chains, records, visible", shape)
    return _filmstrips(pictures, clock, [f"trajectory {row + 1}" for row in range(len(pictures))])


def outcomes(
    states: ArrayLike, shape: tuple[int, int], columns: int = 5, titles: Sequence[str] | None = None
) -> Figure:
    """Draw final states in a grid (paper, Fig. 2b).

    Args:
        states: (samples, visible) states, dimensionless.
        shape: (rows, columns) of one image.
        columns: Pictures in a row of the grid.
        titles: (samples,) words above the pictures.

    Raises:
        DatasetError: Wrong shapes, numbers that are not finite, or too many samples.
    """
    pictures = as_pictures("states", states, "samples, visible", shape)
    return sheet(pictures, columns, STATE_SCALE, titles=titles)


def receptive_fields(couplings: ArrayLike, shape: tuple[int, int], count: int = 16) -> Figure:
    """Draw the couplings of representative hidden units to the visible layer (paper, Fig. 2c), blue positive.

    The first one is the unit with the largest norm; each further one is the least like those already chosen (largest
    scalar product of the directions) among the units of at least half that norm. Titles count the hidden units from 0.

    Args:
        couplings: (visible, hidden) couplings, k_BT.
        shape: (rows, columns) of the visible layer.
        count: Hidden units to show, or all where there are fewer.

    Raises:
        DatasetError: Wrong shapes, numbers that are not finite, or an unusable count.
    """
    if count < 1:
        raise DatasetError(f"count must be at least 1, got {count}")
    by_unit = as_numbers("couplings", couplings, "visible, hidden").T
    fields = as_pictures("couplings (transposed)", by_unit, "hidden, visible", shape)
    chosen = _representative(by_unit, count)
    titles = [f"hidden {unit}" for unit in chosen]
    return sheet(fields[chosen], math.ceil(len(chosen) ** 0.5), COUPLING_SCALE, titles=titles)


def _representative(fields: NDArray[np.float64], count: int) -> list[int]:
    norms = np.linalg.norm(fields, axis=1)
    strongest = np.argsort(-norms, kind="stable")[: max(count, int((norms >= norms.max() / 2).sum()))]
    directions = fields[strongest] / np.maximum(norms[strongest, None], np.finfo(np.float64).tiny)
    chosen = [0]
    likeness = directions @ directions[0]
    while len(chosen) < min(count, len(strongest)):
        likeness[chosen] = np.inf
        chosen.append(int(np.argmin(likeness)))
        likeness = np.maximum(likeness, directions @ directions[chosen[-1]])
    return strongest[chosen].tolist()


def _filmstrips(pictures: NDArray[np.float64], times: NDArray[np.float64], names: list[str]) -> Figure:
    shown = _evenly(len(times))
    frames = pictures[:, shown].reshape(-1, *pictures.shape[2:])
    clock = [f"{time:.3g}" for time in times[shown]]
    figure = sheet(frames, len(shown), STATE_SCALE, x_names=clock, y_names=names)
    figure.axes[0].set_xlabel(TIME_LABEL, fontsize=9)
    return figure


def _evenly(records: int) -> NDArray[np.int64]:
    steps = records - 1
    if steps < STRIP_LENGTH:
        return np.arange(records)
    length = next((count for count in range(STRIP_LENGTH, 4, -1) if steps % (count - 1) == 0), STRIP_LENGTH)
    return np.linspace(0, steps, length).round().astype(np.int64)
