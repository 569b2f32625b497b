# SPDX-License-Identifier: Apache-2.0
"""Charts of calibrations: couplings as programmed and as measured, and whether deviations are those of chance."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import DatasetError
from thermohw.figures.canvas import BLUE, GREY, LIGHT_BLUE, RED, as_numbers

Floats = NDArray[np.float64]

BARS_UP_TO = 2000
"""Couplings that are drawn with error bars; of more, only the points show."""

CROWDED = 100
"""More points than that are smaller, with lighter error bars."""

Series = tuple[ArrayLike, ArrayLike]
"""Values and their standard errors."""


def calibration(programmed: ArrayLike, couplings: Series, scores: ArrayLike, units: Mapping[str, Series]) -> Figure:
    """Draw a calibration: measured against programmed couplings, scores against the normal law, and what units are.

    Args:
        programmed: (pairs,) couplings, kT.
        couplings: (pairs,) as measured, with standard errors, kT.
        scores: (n,) deviations of parameters from the programmed ones in standard errors.
        units: By the label of its axis, (units,) values and standard errors each; NaN where nothing is known.

    Raises:
        DatasetError: Wrong shapes, or no scores.
    """
    wanted, (found, errors) = as_numbers("programmed", programmed, "pairs"), _series("couplings", couplings)
    if len(wanted) != len(found):
        raise DatasetError(f"{len(wanted)} programmed couplings need as many measured ones, got {len(found)}")
    figure, (first, second, *rest) = _panels(len(units))
    low, high = float(min(wanted.min(), found.min())), float(max(wanted.max(), found.max()))
    first.axline((low, low), (high + (high == low), high + (high == low)), color=GREY, linewidth=0.8, zorder=0)
    _points(first, wanted, found, errors)
    first.set(xlabel="programmed coupling ($k_\\mathrm{B}T$)", ylabel="measured coupling ($k_\\mathrm{B}T$)")
    _histogram(second, as_numbers("scores", scores, "n"))
    _per_unit(rest, units)
    return figure


def calibration_differences(differences: Series, scores: ArrayLike, units: Mapping[str, Series]) -> Figure:
    """Draw what changed between two calibrations: couplings pair by pair, scores of all parameters, and units.

    Args:
        differences: (pairs,) of couplings, later − earlier, with standard errors, kT.
        scores: (n,) differences of all parameters in standard errors.
        units: By the label of its axis, (units,) differences and standard errors each.

    Raises:
        DatasetError: Wrong shapes, or no scores.
    """
    found, errors = _series("differences", differences)
    figure, (first, second, *rest) = _panels(len(units))
    first.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    _points(first, np.arange(len(found), dtype=np.float64), found, errors)
    first.set(xlabel="pair", ylabel="change of coupling ($k_\\mathrm{B}T$)")
    _histogram(second, as_numbers("scores", scores, "n"))
    _per_unit(rest, units)
    for axes in rest:
        axes.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    return figure


def _panels(below: int) -> tuple[Figure, list[Axes]]:
    """Lay out two panels above, and panels for units below."""
    figure = Figure(figsize=(8.2, 3.4 + (2.4 if below else 0)), layout="constrained")
    grid = figure.add_gridspec(2 if below else 1, 2 * max(below, 1), height_ratios=[1.5, 1] if below else [1])
    half = max(below, 1)
    places = [grid[0, :half], grid[0, half:], *(grid[1, 2 * index : 2 * index + 2] for index in range(below))]
    panels = [figure.add_subplot(place) for place in places]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    return figure, panels


def _points(axes: Axes, x: Floats, y: Floats, errors: Floats) -> None:
    bars = errors if len(x) <= BARS_UP_TO else None
    size, colour = (3, BLUE) if len(x) <= CROWDED else (2, LIGHT_BLUE)
    axes.errorbar(x, y, bars, fmt="o", color=BLUE, markersize=size, elinewidth=0.8, ecolor=colour)


def _histogram(axes: Axes, scores: Floats) -> None:
    """Draw scores beside the standard normal density; those beyond the axis count in its last bars."""
    limit = max(4.0, min(math.ceil(float(np.abs(scores).max())), 10.0))
    edges = np.linspace(-limit, limit, 2 * min(max(int(np.sqrt(len(scores))), 8), 40) + 1)
    width = float(edges[1] - edges[0])
    shown = np.clip(scores, -limit, np.nextafter(limit, 0))
    axes.hist(shown, edges.tolist(), weights=np.full(len(scores), 1 / (len(scores) * width)), color=LIGHT_BLUE)
    x = np.linspace(-limit, limit, 201)
    axes.plot(x, np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi), color=RED, linewidth=1.2)
    axes.set_title(f"r.m.s. {np.sqrt(np.mean(scores**2)):.3g} of {len(scores)} parameters", fontsize=9)
    axes.set(xlabel="deviation (standard errors)", ylabel="density")


def _per_unit(panels: list[Axes], units: Mapping[str, Series]) -> None:
    for axes, (label, series) in zip(panels, units.items(), strict=True):
        values, errors = (np.asarray(numbers, np.float64) for numbers in series)
        known = np.isfinite(values)
        if known.any():
            _points(axes, np.flatnonzero(known).astype(np.float64), values[known], np.nan_to_num(errors[known]))
        else:
            axes.text(0.5, 0.5, "not known", ha="center", va="center", transform=axes.transAxes, color=GREY)
            axes.set(xticks=[], yticks=[])
        axes.set_xlabel("unit", fontsize=8)
        axes.set_ylabel(label, fontsize=8)


def _series(name: str, series: Series) -> tuple[Floats, Floats]:
    values, errors = (as_numbers(name, numbers, "pairs") for numbers in series)
    if len(values) != len(errors):
        raise DatasetError(f"{len(values)} {name} need as many standard errors, got {len(errors)}")
    return values, errors
