# SPDX-License-Identifier: Apache-2.0
"""Charts of heat, convergence, couplings, modes and classes."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import DatasetError
from thermohw.figures.canvas import (
    BLUE,
    COUPLING_LABEL,
    GREY,
    HEAT_LABEL,
    LIGHT_BLUE,
    RED,
    as_numbers,
    chart,
)

_KT = r"k_\mathrm{B}T"
_BLOCK_COLOURS = (BLUE, "#e6550d", "#31a354", "#756bb1", GREY, RED)


def heat_histogram(heat: ArrayLike, mean: float, standard_error: float) -> Figure:
    """Draw the distribution of the heat over trajectories, with its mean ± standard error and standard deviation.

    Args:
        heat: (samples,) heat given off in each trajectory, k_BT.
        mean: Mean heat, k_BT.
        standard_error: Standard error of that mean, k_BT; NaN where it is not defined.

    Raises:
        DatasetError: No samples, or a number that is not finite.
    """
    values = as_numbers("heat", heat, "samples")
    if not math.isfinite(mean):
        raise DatasetError(f"the mean heat is {mean}")
    figure, axes = chart()
    axes.hist(values, bins=_bins(values), color=LIGHT_BLUE, edgecolor="white", linewidth=0.5)
    axes.axvline(mean, color=BLUE, linewidth=1.5)
    statement = rf"$\langle Q \rangle = {_quoted(mean, standard_error)}\ {_KT}$"
    if math.isfinite(standard_error):
        axes.axvspan(mean - standard_error, mean + standard_error, color=BLUE, alpha=0.25, linewidth=0)
        statement += " (mean ± s.e.)"
    if len(values) > 1:
        statement += rf",  s.d. ${values.std(ddof=1):.3g}\ {_KT}$"
    axes.set_title(f"{statement},  {_thousands(len(values))} samples", fontsize=9)
    axes.set(xlabel=HEAT_LABEL, ylabel="samples")
    return figure


def convergence(x: ArrayLike, y: ArrayLike, xlabel: str, ylabel: str) -> Figure:
    """Draw how a quantity converges; an axis is logarithmic where its values are positive and span a factor above 100.

    Args:
        x: (steps,) iterations, sizes or time steps.
        y: (steps,) what converges, such as the negative log-likelihood.
        xlabel: What x is, with its unit.
        ylabel: What y is, with its unit.

    Raises:
        DatasetError: Wrong shapes, or a number that is not finite.
    """
    across, up = as_numbers("x", x, "steps"), as_numbers("y", y, "steps")
    if len(across) != len(up):
        raise DatasetError(f"x and y must have the same length, got {len(across)} and {len(up)}")
    figure, axes = chart()
    marker = "o" if len(up) <= 40 else ""
    axes.plot(across, up, color=BLUE, marker=marker, markersize=3.5, linewidth=1.5)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.set(xscale="log" if _spans_decades(across) else "linear", yscale="log" if _spans_decades(up) else "linear")
    axes.grid(color="0.9", linewidth=0.6)
    return figure


def coupling_histogram(values: Mapping[str, ArrayLike]) -> Figure:
    """Draw the distribution of the couplings of each block of pairs, on a logarithmic scale.

    Args:
        values: Couplings (pairs,), k_BT, by the name of their block, such as "visible-hidden".

    Raises:
        DatasetError: No block, too many, one without couplings, or a number that is not finite.
    """
    if not 0 < len(values) <= len(_BLOCK_COLOURS):
        raise DatasetError(f"between 1 and {len(_BLOCK_COLOURS)} blocks fit one figure, got {len(values)}")
    blocks = {name: as_numbers(name, couplings, "pairs") for name, couplings in values.items()}
    limit = max(float(np.abs(couplings).max()) for couplings in blocks.values()) or 1.0
    edges = np.linspace(-limit, limit, 82).tolist()
    figure, axes = chart()
    for (name, couplings), colour in zip(blocks.items(), _BLOCK_COLOURS, strict=False):
        rms = float(np.sqrt(np.mean(couplings**2)))
        label = name.replace("$", r"\$") + rf": {_thousands(len(couplings))} pairs, r.m.s. ${rms:.3g}\ {_KT}$"
        axes.hist(couplings, edges, histtype="stepfilled", color=colour, alpha=0.15)
        axes.hist(couplings, edges, histtype="step", color=colour, label=label)
    axes.set(xlabel=COUPLING_LABEL, ylabel="pairs", yscale="log")
    axes.set_ylim(bottom=0.7)
    figure.legend(loc="outside upper center", fontsize=8, frameon=False)
    return figure


def mode_spectrum(eigenvalues: ArrayLike, growth_line: float) -> Figure:
    """Draw the spectrum of −J against the line above which a mode grows out of the noise.

    A mode grows where its eigenvalue exceeds 1/⟨x²⟩₀, the inverse variance of an uncoupled unit (24.5 k_BT for
    J2 = J4 = 10 k_BT): the first diagnostic of any program or table.

    Args:
        eigenvalues: (units,) eigenvalues of −J, k_BT.
        growth_line: 1/⟨x²⟩₀, k_BT.

    Raises:
        DatasetError: No eigenvalues, a number that is not finite, or a growth line that is not positive.
    """
    values = as_numbers("eigenvalues", eigenvalues, "units")
    if not (math.isfinite(growth_line) and growth_line > 0):
        raise DatasetError(f"the growth line 1/⟨x²⟩₀ must be positive, got {growth_line}")
    above = values > growth_line
    # The line is an edge of the bins, so that no bar holds modes of both sides.
    step = max(float(np.ptp(np.append(values, growth_line))) / 60, 1e-9 * growth_line)
    first, last = math.floor((values.min() - growth_line) / step), math.ceil((values.max() - growth_line) / step)
    edges = [growth_line + step * index for index in range(min(first, -1) - 1, max(last, 1) + 2)]
    figure, axes = chart()
    axes.hist([values[~above], values[above]], edges, stacked=True, color=[LIGHT_BLUE, BLUE], edgecolor="white", lw=0.3)
    axes.axvline(growth_line, color=RED, linewidth=1.2)
    line = rf"growth line $1/\langle x^2 \rangle_0 = {growth_line:.3g}\ {_KT}$"
    number = _in_words(int(above.sum()))
    axes.set_title(f"{number} of {_thousands(len(values))} modes above the {line}", fontsize=9)
    axes.set(xlabel=rf"eigenvalue of $-J$ (${_KT}$)", ylabel="modes", yscale="log")
    axes.set_ylim(bottom=0.7)
    return figure


def class_histogram(upright: ArrayLike, inverted: ArrayLike, labels: Sequence[str]) -> Figure:
    """Draw how many samples fell in each class: upright ones upwards, inverted ones (x → −x) downwards.

    Args:
        upright: (classes,) counts.
        inverted: (classes,) counts.
        labels: (classes,) names.

    Raises:
        DatasetError: Wrong shapes, or a count that is negative or not finite.
    """
    counts = [as_numbers(name, values, "classes") for name, values in (("upright", upright), ("inverted", inverted))]
    if not len(counts[0]) == len(counts[1]) == len(labels):
        raise DatasetError(f"{len(counts[0])} upright and {len(counts[1])} inverted counts for {len(labels)} labels")
    if min(counts[0].min(), counts[1].min()) < 0:
        raise DatasetError("counts must not be negative")
    figure, axes = chart()
    place = np.arange(len(labels))
    for values, sign, name, colour in zip(counts, (1, -1), ("upright", "inverted"), (BLUE, LIGHT_BLUE), strict=True):
        bars = axes.bar(place, sign * values, 0.7, color=colour, label=name)
        axes.bar_label(bars, [f"{value:g}" if value else "" for value in values], padding=2, fontsize=8)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.margins(y=0.12)
    axes.set_xticks(place, list(labels))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.set(xlabel="class", ylabel="samples")
    figure.legend(loc="outside upper center", fontsize=8, frameon=False, ncols=2)
    return figure


def _bins(values: NDArray[np.float64]) -> int:
    """Get the Freedman–Diaconis number of bins, kept within 10 … 80: an outlier must not ask for millions."""
    spread = np.subtract(*np.percentile(values, [75, 25]))
    width = 2 * spread / len(values) ** (1 / 3)
    return int(np.clip(np.ptp(values) / width, 10, 80)) if width > 0 else 10


def _spans_decades(values: NDArray[np.float64]) -> bool:
    return bool(values.min() > 0 and values.max() > 100 * values.min())


def _quoted(mean: float, standard_error: float) -> str:
    """Get a mean with its standard error, rounded to the two leading digits of the latter."""
    if not (math.isfinite(standard_error) and standard_error > 0):
        return f"{mean:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(standard_error)))
    return rf"{mean:.{decimals}f} \pm {standard_error:.{decimals}f}"


def _in_words(count: int) -> str:
    words = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[count] if count < len(words) else _thousands(count)


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", "\N{THIN SPACE}")
