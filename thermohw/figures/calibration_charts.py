# SPDX-License-Identifier: Apache-2.0
"""Charts of calibrations: couplings as programmed and as measured, and whether deviations are those of chance."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
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

UnitSeries = tuple[ArrayLike, ArrayLike, float]
"""Values, their standard errors, and what they should be."""


def calibration(programmed: ArrayLike, couplings: Series, scores: ArrayLike, units: Mapping[str, UnitSeries]) -> Figure:
    """Draw a calibration: measured against programmed couplings, scores against the normal law, and what units are.

    Args:
        programmed: (pairs,) couplings, kT.
        couplings: (pairs,) as measured, with standard errors, kT.
        scores: (n,) normal scores of deviations of parameters from the programmed ones.
        units: By the label of its axis, (units,) values and standard errors each, NaN where nothing is known, and what
            they should be.

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


def calibration_differences(differences: Series, scores: ArrayLike, units: Mapping[str, UnitSeries]) -> Figure:
    """Draw what changed between two calibrations: couplings pair by pair, scores of all parameters, and units.

    Args:
        differences: (pairs,) of couplings, later − earlier, with standard errors, kT.
        scores: (n,) normal scores of the differences of all parameters.
        units: By the label of its axis, (units,) differences and standard errors each, and 0.

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
    return figure


def line_gains(
    gains: Mapping[str, Series], as_programmed: float, scores: ArrayLike, units: Mapping[str, UnitSeries]
) -> Figure:
    """Draw a calibration by lines, or what changed between two: gains unit by unit, scores, and what units are.

    Args:
        gains: Up to two, by what the legend calls them: (units,) and standard errors each, NaN where there are none.
        as_programmed: What a gain is where all is as programmed, or nothing has changed.
        scores: (n,) normal scores of the deviations of all parameters.
        units: As `calibration` takes them.

    Raises:
        DatasetError: No scores.
    """
    figure, (first, second, *rest) = _panels(len(units))
    first.axhline(as_programmed, color=GREY, linewidth=0.8, zorder=0)
    for colour, (label, (values, errors)) in zip((BLUE, RED), gains.items(), strict=False):
        found, spread = np.asarray(values, np.float64), np.asarray(errors, np.float64)
        known = np.isfinite(found) & np.isfinite(spread)
        if known.any():
            _points(first, np.flatnonzero(known).astype(np.float64), found[known], spread[known], colour, label)
    if first.get_legend_handles_labels()[1]:
        first.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8, frameon=False)
    first.xaxis.set_major_locator(MaxNLocator(integer=True))
    first.set(xlabel="unit", ylabel="gain of couplings" if as_programmed else "change of gain of couplings")
    _histogram(second, as_numbers("scores", scores, "n"))
    _per_unit(rest, units)
    return figure


def pair_knowledge(programmed: ArrayLike, couplings: ArrayLike, learnt: ArrayLike, resolved: float = 0.5) -> Figure:
    """Draw couplings found with a prior: against the programmed ones, and how much of each the readings know.

    Args:
        programmed: (pairs,) couplings, kT.
        couplings: (pairs,) as found, kT.
        learnt: (pairs,) share of the prior's variance that the readings removed, 0 to 1.
        resolved: Share from which a coupling counts as resolved.

    Raises:
        DatasetError: Wrong shapes.
    """
    wanted, found = as_numbers("programmed", programmed, "pairs"), as_numbers("couplings", couplings, "pairs")
    shares = as_numbers("learnt", learnt, "pairs")
    if not len(wanted) == len(found) == len(shares):
        raise DatasetError(
            f"{len(wanted)} pairs, {len(found)} couplings and {len(shares)} shares learnt do not go together"
        )
    figure, (first, second) = _panels(0)
    low, high = float(min(wanted.min(), found.min())), float(max(wanted.max(), found.max()))
    first.axline((low, low), (high + (high == low), high + (high == low)), color=GREY, linewidth=0.8, zorder=0)
    order = np.argsort(shares)
    dots = first.scatter(wanted[order], found[order], 5, shares[order], cmap="viridis", vmin=0, vmax=1, rasterized=True)
    bar = figure.colorbar(dots, ax=first)
    bar.set_label("known from readings", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    first.set(xlabel="programmed coupling ($k_\\mathrm{B}T$)", ylabel="coupling, prior and readings ($k_\\mathrm{B}T$)")
    second.hist(shares, np.linspace(0, 1, 41).tolist(), color=LIGHT_BLUE)
    second.axvline(resolved, color=RED, linewidth=1.2)
    second.set_title(f"{int((shares >= resolved).sum())} of {len(shares)} couplings resolved", fontsize=9)
    second.set(xlabel="share of the prior's variance removed", ylabel="couplings")
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


def _points(axes: Axes, x: Floats, y: Floats, errors: Floats, colour: str = BLUE, label: str | None = None) -> None:
    bars = errors if len(x) <= BARS_UP_TO else None
    size, strength = (3, 1.0) if len(x) <= CROWDED else (2, 0.3)
    bar = to_rgba(colour, strength)
    axes.errorbar(x, y, bars, fmt="o", color=colour, markersize=size, elinewidth=0.8, ecolor=bar, label=label)


def _histogram(axes: Axes, scores: Floats) -> None:
    """Draw scores beside the standard normal density; those beyond the axis count in its last bars, and are told."""
    limit = max(4.0, min(math.ceil(float(np.abs(scores).max())), 10.0))
    edges = np.linspace(-limit, limit, 2 * min(max(int(np.sqrt(len(scores))), 8), 40) + 1)
    width = float(edges[1] - edges[0])
    shown = np.clip(scores, -limit, np.nextafter(limit, 0))
    axes.hist(shown, edges.tolist(), weights=np.full(len(scores), 1 / (len(scores) * width)), color=LIGHT_BLUE)
    x = np.linspace(-limit, limit, 201)
    axes.plot(x, np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi), color=RED, linewidth=1.2)
    beyond = int((np.abs(scores) > limit).sum())
    told = f", {beyond} beyond ±{limit:g} in the last bars" if beyond else ""
    axes.set_title(f"r.m.s. {np.sqrt(np.mean(scores**2)):.3g} of {len(scores)} parameters{told}", fontsize=9)
    axes.set(xlabel="deviation (normal score)", ylabel="density")


def _per_unit(panels: list[Axes], units: Mapping[str, UnitSeries]) -> None:
    for axes, (label, (*series, reference)) in zip(panels, units.items(), strict=True):
        values, errors = (np.asarray(numbers, np.float64) for numbers in series)
        known = np.isfinite(values)
        if known.any():
            _points(axes, np.flatnonzero(known).astype(np.float64), values[known], np.nan_to_num(errors[known]))
            axes.axhline(reference, color=GREY, linewidth=0.8, zorder=0)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
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
