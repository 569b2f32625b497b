# SPDX-License-Identifier: Apache-2.0
"""Charts of how programs fare on imperfect devices, against the strength of an imperfection."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from thermohw.errors import DatasetError
from thermohw.figures.canvas import BLUE, GREY
from thermohw.statistics import Estimate

MAX_PROGRAMS, MAX_STRENGTHS = 6, 6
"""Most programs and most imperfections that one figure shows legibly."""

DECADES = 10.0
"""Values that span more than this factor stand on a logarithmic axis, linear about zero where zero is among them."""

_COLOURS = (BLUE, "#e6550d", "#31a354", "#756bb1", "#000000", GREY)
_MARKERS = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True)
class Strength:
    """One imperfection, and how programs fare against its strength.

    Attributes:
        title: What it is called.
        label: What its strength is, with its unit.
        values: (values,) strengths; None where it is off though zero is no strength of it, as of bits.
        outcomes: By measure and program, (values,) means over devices; None where nothing was measured.
    """

    title: str
    label: str
    values: Sequence[float | None]
    outcomes: Mapping[str, Mapping[str, Sequence[Estimate | None]]]


@dataclass(frozen=True)
class _Style:
    colour: str
    marker: str
    width: float


def robustness(strengths: Sequence[Strength], measures: Mapping[str, str], devices: int) -> Figure:
    """Draw each measure (rows) against each imperfection's strength (columns), a curve a program, with standard errors.

    Hollow points are means over fewer devices than the others: some could not run. A dotted line is the mean with the
    imperfection off, where its strength has no zero.

    Args:
        strengths: (columns,) imperfections.
        measures: Label of each measure's axis, with its unit, by its name in the outcomes.
        devices: Devices behind each point.

    Raises:
        DatasetError: Nothing to draw, too much to be legible, or outcomes that are not as many as the values.
    """
    programs = _programs(strengths, measures)
    rows, columns = len(measures), len(strengths)
    figure = Figure(figsize=(1.2 + (4.2 if columns == 1 else 3.0) * columns, 1.55 * rows + 1.4), layout="constrained")
    panels = figure.subplots(rows, columns, sharex="col", sharey="row", squeeze=False)
    for column, strength in enumerate(strengths):
        _scale(panels[-1, column], strength.values)  # first: margins are those of the scale
    for row, (measure, label) in enumerate(measures.items()):
        panels[row, 0].set_ylabel(label, fontsize=9)
        for column, strength in enumerate(strengths):
            axes = panels[row, column]
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(color="0.92", linewidth=0.6)
            axes.tick_params(labelsize=8)
            for index, program in enumerate(programs):
                outcomes = strength.outcomes.get(measure, {}).get(program, ())
                # Curves that coincide lie nested, the first one widest, so that none hides another.
                style = _Style(_COLOURS[index], _MARKERS[index], 1.2 + 0.8 * (len(programs) - 1 - index))
                _draw(axes, strength.values, outcomes, devices, style)
    for column, strength in enumerate(strengths):
        panels[0, column].set_title(strength.title.replace("$", r"\$"), fontsize=10)
        panels[-1, column].set_xlabel(textwrap.fill(strength.label, 34 if columns > 1 else 60), fontsize=8)
    handles = [_key(index, name.replace("$", r"\$")) for index, name in enumerate(programs)]
    if any(None in strength.values for strength in strengths):
        handles.append(Line2D([], [], color="0.3", linestyle=":", label="off"))
    figure.legend(handles=handles, loc="outside upper center", fontsize=8, frameon=False, ncols=min(4, len(handles)))
    figure.supxlabel(f"mean ± standard error over {devices} devices", fontsize=8, color="0.3")
    return figure


def _programs(strengths: Sequence[Strength], measures: Mapping[str, str]) -> list[str]:
    """Get the programs' names, checking that all can be drawn."""
    curves = [
        (name, strength, outcomes)
        for strength in strengths
        for measure in measures
        for name, outcomes in strength.outcomes.get(measure, {}).items()
    ]
    names = list(dict.fromkeys(name for name, _, _ in curves))
    if not (0 < len(names) <= MAX_PROGRAMS and len(strengths) <= MAX_STRENGTHS):
        raise DatasetError(
            f"between 1 and {MAX_PROGRAMS} programs and {MAX_STRENGTHS} imperfections fit one figure, got {len(names)} "
            f"and {len(strengths)}"
        )
    for name, strength, outcomes in curves:
        if len(outcomes) != len(strength.values):
            raise DatasetError(
                f"{strength.title}: {len(strength.values)} strengths need as many outcomes of {name}, "
                f"got {len(outcomes)}"
            )
    return names


def _draw(
    axes: Axes, values: Sequence[float | None], outcomes: Sequence[Estimate | None], devices: int, style: _Style
) -> None:
    found = [(value, outcome) for value, outcome in zip(values, outcomes, strict=False) if outcome is not None]
    shown = [(value, outcome) for value, outcome in found if value is not None]
    if shown:
        x, y = [value for value, _ in shown], [outcome.mean for _, outcome in shown]
        errors = np.nan_to_num([outcome.standard_error for _, outcome in shown])
        axes.errorbar(x, y, errors, color=style.colour, linewidth=style.width, elinewidth=1, capsize=2)
        for value, outcome in shown:
            fill = style.colour if outcome.count >= devices else "white"
            size = 2.8 + style.width
            axes.plot(value, outcome.mean, style.marker, color=style.colour, mfc=fill, markersize=size, zorder=3)
    for value, outcome in found:
        if value is None:
            axes.axhline(outcome.mean, color=style.colour, linewidth=style.width, linestyle=":")


def _scale(axes: Axes, values: Sequence[float | None]) -> None:
    """Choose the scale of a column's axis, and put ticks at the values where it is not linear or they are bits."""
    numbers = np.array([value for value in values if value is not None], np.float64)
    positive = numbers[numbers > 0]
    decades = positive.size > 1 and positive.max() > DECADES * positive.min() and numbers.min() >= 0
    if decades and positive.size == numbers.size:
        axes.set_xscale("log")
    elif decades:
        axes.set_xscale("symlog", linthresh=float(positive.min()), linscale=0.5)
    whole = bool(numbers.size) and all(isinstance(value, int | None) for value in values)
    if (decades or whole) and numbers.size <= 12:
        axes.xaxis.set_major_locator(FixedLocator(numbers.tolist()))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _key(index: int, name: str) -> Line2D:
    return Line2D([], [], color=_COLOURS[index], marker=_MARKERS[index], markersize=4, linewidth=1.2, label=name)
