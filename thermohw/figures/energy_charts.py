# SPDX-License-Identifier: Apache-2.0
"""Charts of the energy of one sample: every row of every ledger beside digital computers, and where they break even."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Annotation
from numpy.typing import NDArray

from thermohw.energy import ROW_NAMES, DigitalCost, Ledger, Row, break_even, joules_text
from thermohw.errors import DatasetError
from thermohw.figures.canvas import BLUE, GREY, LIGHT_BLUE, RED, chart

MAX_DEVICES = 10
"""Most devices that one chart shows legibly."""

MAX_BASELINES = 16

ENERGY_LABEL = "energy per sample (J)"

_ROW_COLOURS = dict(zip(ROW_NAMES, (RED, "#e6550d", "#31a354", "#756bb1", LIGHT_BLUE), strict=True))
_DEVICE_COLOURS = (GREY, BLUE, "#4eb3d3", "#e6550d", "#fdae6b", "#756bb1", RED, "#31a354", "#b15928", "#000000")
_KIND_COLOURS = {"denoiser": GREY, "simulation": "#252525"}
_LINE_INCHES = 0.17
_BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
_FEWEST_SAMPLES, _MOST_SAMPLES = 1e4, 1e12
"""Bounds of the end of the axis of samples per programming."""


def energy_ledgers(ledgers: Sequence[Ledger], baselines: Sequence[DigitalCost]) -> Figure:
    """Draw every row of every ledger as a point on one logarithmic axis, and digital computers below on the same axis.

    Lengths mean nothing on a logarithmic axis, hence points and not bars. A row that nobody states is a hatched line
    marked "unknown"; a total that lacks one is a lower bound, drawn as an arrow.

    Args:
        ledgers: (devices,) one a device.
        baselines: (computers,) energies of digital computers.

    Raises:
        DatasetError: No device, too many to be legible, or nothing with a positive energy.
    """
    _check(ledgers, baselines)
    limits = _energy_limits(ledgers, baselines)
    lines = len(ledgers) * (len(ROW_NAMES) + 2)
    height = _LINE_INCHES * (lines + 1.4 * len(baselines)) + 1.5
    figure = Figure(figsize=(8.6, height), layout="constrained")
    shares = {"height_ratios": [lines, 1.4 * len(baselines) + 1]} if baselines else None
    panels = figure.subplots(2 if baselines else 1, sharex=True, squeeze=False, gridspec_kw=shares)[:, 0]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set(xscale="log", xlim=limits)
        axes.grid(axis="x", color="0.92", linewidth=0.6)
    _draw_devices(panels[0], ledgers)
    if baselines:
        _draw_baselines(panels[1], panels[0], baselines)
    panels[-1].set_xlabel(ENERGY_LABEL)
    figure.legend(handles=_keys(baselines), loc="outside upper center", fontsize=8, frameon=False, ncols=5)
    return figure


def break_even_curves(ledgers: Sequence[Ledger], baselines: Sequence[DigitalCost]) -> Figure:
    """Draw the energy of a sample against the samples per programming, against digital computers, crossings marked.

    A curve is dashed where rows of the device are unknown: it is then a lower bound, and so are its crossings.

    Args:
        ledgers: (devices,) one a device.
        baselines: (computers,) energies of digital computers.

    Raises:
        DatasetError: No device, too many to be legible, or nothing with a positive energy.
    """
    _check(ledgers, baselines)
    figure, axes = chart(8.6, 5.4)
    end = _last_samples(ledgers, baselines)
    samples = np.geomspace(1, end, 241)
    curves = [_amortised(ledger, samples) for ledger in ledgers]
    for index, (ledger, curve) in enumerate(zip(ledgers, curves, strict=True)):
        # Curves that coincide lie nested, the first one widest, so that none hides another.
        covered = sum(bool(np.allclose(curve, later, rtol=0.1, atol=0)) for later in curves[index + 1 :])
        colour, width = _DEVICE_COLOURS[index], 1.6 + 2.2 * covered
        name = ledger.device.replace("$", r"\$") + (" (at least)" if ledger.lower_bound else "")
        style = (0, (8 / width, 3.2 / width)) if ledger.lower_bound else "-"
        axes.plot(samples, np.where(curve > 0, curve, np.nan), color=colour, linestyle=style, lw=width, label=name)
        for cost in baselines:
            crossing = break_even(ledger, cost).samples
            if crossing is not None and 1 <= crossing <= end:
                size = 5 + 2.6 * covered
                axes.plot(crossing, cost.energy, "o", color=colour, ms=size, markeredgecolor="white", zorder=4)
    shown = [cost.energy for cost in baselines] + np.concatenate(curves).tolist()
    limits = _decades(shown)
    axes.set(xscale="log", yscale="log", xlim=(1, end), ylim=limits)
    axes.set(xlabel="samples per programming", ylabel=ENERGY_LABEL)
    for cost, place in zip(baselines, _spread([cost.energy for cost in baselines], limits), strict=True):
        _label_line(axes, cost, place)
    figure.legend(loc="outside upper center", fontsize=8, frameon=False, ncols=4)
    return figure


def _check(ledgers: Sequence[Ledger], baselines: Sequence[DigitalCost]) -> None:
    if not 0 < len(ledgers) <= MAX_DEVICES:
        raise DatasetError(f"between 1 and {MAX_DEVICES} devices fit one chart, got {len(ledgers)}")
    if len(baselines) > MAX_BASELINES:
        raise DatasetError(f"at most {MAX_BASELINES} digital computers fit one chart, got {len(baselines)}")


def _energy_limits(ledgers: Sequence[Ledger], baselines: Sequence[DigitalCost]) -> tuple[float, float]:
    rows = [row.energy.mean for ledger in ledgers for row in ledger.rows if row.energy is not None]
    digital = [energy for cost in baselines for energy in (cost.energy, cost.memory) if energy is not None]
    low, high = _decades(rows + [ledger.total.mean for ledger in ledgers] + digital)
    return low, high


def _decades(energies: Sequence[float]) -> tuple[float, float]:
    positive = [energy for energy in energies if energy > 0 and np.isfinite(energy)]
    if not positive:
        raise DatasetError("no energy is positive, and a logarithmic axis shows no other")
    return 10.0 ** np.floor(np.log10(min(positive)) - 0.2), 10.0 ** np.ceil(np.log10(max(positive)) + 0.2)


def _draw_devices(axes: Axes, ledgers: Sequence[Ledger]) -> None:
    names: dict[float, str] = {}
    step = len(ROW_NAMES) + 2
    for index, ledger in enumerate(ledgers):
        top = index * step
        names[top + (step - 2) / 2] = ledger.device.replace("$", r"\$")
        for line, row in enumerate(ledger.rows):
            _draw_row(axes, row, top + line)
        _draw_total(axes, ledger, top + len(ROW_NAMES))
        if index:
            axes.axhline(top - 1, color="0.8", linewidth=0.8)
    axes.set_yticks(list(names), list(names.values()), fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(step * len(ledgers) - 1, -1)


def _draw_row(axes: Axes, row: Row, line: float) -> None:
    colour = _ROW_COLOURS[row.name]
    if row.energy is None or not row.energy.mean > 0:
        words = "unknown" if row.energy is None else joules_text(row.energy.mean)
        if row.energy is None:
            axes.axhspan(line - 0.35, line + 0.35, facecolor="none", edgecolor=colour, hatch="////", linewidth=0)
        text = axes.text(0.012, line, f"{row.name}: {words}", transform=axes.get_yaxis_transform())
        text.set(fontsize=7, va="center", color="0.2", bbox=_BEHIND)
        return
    mean, error = row.energy.mean, np.nan_to_num(row.energy.standard_error)
    axes.plot(mean, line, ">" if row.missing else "o", color=colour, markersize=5, zorder=3)
    axes.plot([max(mean - error, mean * 1e-3), mean + error], [line, line], color=colour, linewidth=1.2)
    _number(axes, mean, line, ("≥ " if row.missing else "") + joules_text(mean))


def _draw_total(axes: Axes, ledger: Ledger, line: float) -> None:
    total, bound = ledger.total, ledger.lower_bound
    words = f"total {'≥ ' if bound else ''}{joules_text(total.mean)}"
    if total.mean > 0:
        axes.plot(total.mean, line, ">" if bound else "D", color="black", markersize=6, zorder=3)
        _number(axes, total.mean, line, words).set_fontweight("bold")


def _number(axes: Axes, x: float, y: float, words: str, left: float | None = None) -> Annotation:
    """Write words right of x, or left of `left` (x if None) where they would leave the axes."""
    low, high = np.log10(axes.get_xlim())
    aside = (np.log10(x) - low) / (high - low) > 0.6
    place = left if aside and left is not None else x
    text = axes.annotate(words, (place, y), (-6 if aside else 6, 0), textcoords="offset points", fontsize=7)
    text.set(va="center", ha="right" if aside else "left", color="0.2", bbox=_BEHIND)
    return text


def _draw_baselines(axes: Axes, devices: Axes, baselines: Sequence[DigitalCost]) -> None:
    for line, cost in enumerate(baselines):
        colour = _KIND_COLOURS[cost.kind]
        axes.plot(cost.energy, line, "s", color=colour, markersize=5, zorder=3)
        devices.axvline(cost.energy, color=colour, linewidth=0.6, linestyle=":", zorder=0)
        axes.plot([cost.energy] * 2, [-1, line], color=colour, linewidth=0.6, linestyle=":", zorder=0)
        words, points = joules_text(cost.energy), [cost.energy]
        if cost.memory:
            axes.plot(cost.memory, line, "s", color=colour, markersize=5, fillstyle="none", zorder=3)
            words += f", memory {joules_text(cost.memory)}"
            points.append(cost.memory)
        _number(axes, max(points), line, words, min(points))
    axes.set_yticks(range(len(baselines)), [cost.name.replace("$", r"\$") for cost in baselines], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(baselines) - 0.3, -1)


def _keys(baselines: Sequence[DigitalCost]) -> list[Line2D | Patch]:
    def point(name: str, colour: str, marker: str, fill: Literal["full", "none"] = "full") -> Line2D:
        return Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=5, fillstyle=fill, label=name)

    keys: list[Line2D | Patch] = [point(name, colour, "o") for name, colour in _ROW_COLOURS.items()]
    keys += [point("total", "black", "D"), point("at least", "black", ">")]
    keys.append(Patch(facecolor="none", edgecolor="0.5", hatch="////", linewidth=0, label="unknown"))
    if baselines:
        keys += [point("digital", GREY, "s"), point("its memory traffic, apart", GREY, "s", "none")]
    return keys


def _amortised(ledger: Ledger, samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Get the system energy a sample (points,) for other samples per programming (points,)."""
    once, rest = _split(ledger)
    return once / samples + rest


def _last_samples(ledgers: Sequence[Ledger], baselines: Sequence[DigitalCost]) -> float:
    """Get the end of the axis: programming is a hundredth of what remains by then, and ten times every crossing."""
    ends = [_FEWEST_SAMPLES]
    for ledger in ledgers:
        once, rest = _split(ledger)
        ends += [100 * once / rest] if rest > 0 else []
        crossings = [break_even(ledger, cost).samples for cost in baselines]
        ends += [10 * crossing for crossing in crossings if crossing is not None]
    return min(10.0 ** np.ceil(np.log10(max(ends))), _MOST_SAMPLES)


def _split(ledger: Ledger) -> tuple[float, float]:
    """Get the energy of one programming, zero where it is unknown, and that of all other rows, J."""
    programming = ledger.row("programming").energy
    spread = programming.mean if programming is not None else 0.0
    return spread * ledger.samples_per_programming, ledger.total.mean - spread


def _spread(energies: Sequence[float], limits: tuple[float, float]) -> list[float]:
    """Get places for labels (computers,), as near to the energies as their size on a logarithmic axis allows."""
    low, high = np.log10(limits)
    gap = (high - low) / 34
    order = np.argsort(energies, kind="stable")
    places = np.log10(np.asarray(energies, np.float64)[order])
    for _ in range(200):
        overlap = np.maximum(gap - np.diff(places), 0) / 2
        places[:-1] -= overlap
        places[1:] += overlap
    return (10.0 ** places[np.argsort(order)]).tolist()


def _label_line(axes: Axes, cost: DigitalCost, place: float) -> None:
    colour = _KIND_COLOURS[cost.kind]
    axes.axhline(cost.energy, color=colour, linewidth=0.8, linestyle=":", zorder=1)
    arrow = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "relpos": (0, 0.5)}
    where = axes.get_yaxis_transform()
    words = f"{cost.name.replace('$', chr(92) + '$')}, {joules_text(cost.energy)}"
    axes.annotate(
        words, (1, cost.energy), (1.03, place), where, where, arrow, annotation_clip=False, fontsize=7, va="center"
    )
