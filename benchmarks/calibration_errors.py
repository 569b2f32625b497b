# SPDX-License-Identifier: Apache-2.0
"""Errors of calibration against the amount of data, the Cramér–Rao bound, and its bias against the interval.

    python benchmarks/calibration_errors.py [--figure FILE.png]

The network of `calibration_coverage.py`. The bound is that of a diffusion watched without gaps for a time T: the Fisher
information of unit i's drift is T ⟨f_i f_iᵀ⟩/(2 μ_i kT_i) with its features f_i; the parameters, of which a coupling is
one and not two, follow by the chain rule. The bias is the mean deviation over the network where errors are small.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from calibration_coverage import AMPLITUDE, KT, MOBILITY, PATTERNS, UNITS, truth
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thermohw import RunPlan, SimulatedDevice
from thermohw.estimation import LaggedMoments, estimate
from thermohw.estimation.excitation import applied_biases
from thermohw.estimation.regression import Regressors
from thermohw.estimation.trajectories import fit_law
from thermohw.figures import save
from thermohw.figures.canvas import BLUE

Floats = NDArray[np.float64]

FINE, STEPS, SETTLE, GROUPS = 0.01, 5, 300, 40
PARAMETERS = ("J2", "J4", "biases", "couplings", "mobility")


def read(chains: int, readings: int, interval: float, steps: int, settle: int, seed: int) -> LaggedMoments:
    """Read the network under all patterns."""
    program = truth()
    total: LaggedMoments | None = None
    plan = RunPlan((settle + readings) * interval, chains, interval / steps, record_every=steps, keep="none", seed=seed)
    for run, applied in enumerate(applied_biases(PATTERNS, program.topology, program.biases, AMPLITUDE, None)):
        with SimulatedDevice(MOBILITY, KT) as device:
            device.program(program.with_biases(program.biases + applied))
            moments = LaggedMoments(applied, GROUPS, settle)
            device.run(replace(plan, first_chain=run * chains), [moments])
        total = moments if total is None else total + moments
    assert total is not None
    return total


def bounds(moments: LaggedMoments) -> dict[str, Floats]:
    """Get the Cramér–Rao bounds of the standard errors at the truth, couplings taken as reciprocal."""
    program, means = truth(), moments.means()
    time = float(moments.counts.sum()) * moments.interval
    pairs = program.topology.pairs
    number = {tuple(pair): 4 * UNITS + at for at, pair in enumerate(pairs.tolist())}
    information = np.zeros((4 * UNITS + len(pairs), 4 * UNITS + len(pairs)))
    matrix = program.matrix.toarray()
    for regressors in Regressors.of_all(program.topology, means.basis):
        unit, partners = regressors.unit, regressors.partners.tolist()
        slopes = np.zeros((len(regressors.columns), len(information)))  # d(drift coefficients)/d(parameters)
        own = (2 * program.J2[unit], 4 * program.J4[unit], program.biases[unit], 1.0)
        slopes[:4, 3 * UNITS + unit] = own
        slopes[4:, 3 * UNITS + unit] = matrix[unit, partners]
        for at, factor in enumerate((2.0, 4.0, 1.0)):
            slopes[at, at * UNITS + unit] = factor * MOBILITY
        for at, partner in enumerate(partners):
            slopes[4 + at, number[min(unit, partner), max(unit, partner)]] = MOBILITY
        here = means.products[0][np.ix_(regressors.columns, regressors.columns)]
        information += slopes.T @ (time * here / (2 * MOBILITY * KT)) @ slopes
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    parts = np.split(errors, [UNITS, 2 * UNITS, 3 * UNITS, 4 * UNITS])
    return dict(zip(("J2", "J4", "biases", "mobility", "couplings"), parts, strict=True))


def main() -> None:
    """Print both tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    program = truth()
    exact = {name: getattr(program, name) for name in PARAMETERS[:4]} | {"mobility": np.full(UNITS, MOBILITY)}
    print("| time read | " + " | ".join(f"{name}: r.m.s. error, s.e., bound" for name in PARAMETERS) + " |")
    print(f"|{'---|' * (1 + len(PARAMETERS))}")
    times: list[float] = []
    curves: dict[str, list[tuple[float, float, float]]] = {name: [] for name in PARAMETERS}
    for chains, readings in ((5, 100), (10, 200), (20, 400), (40, 800)):
        moments = read(chains, readings, FINE, STEPS, SETTLE, seed=chains)
        found, bound = estimate(moments, program.topology, "trajectories", 0.0), bounds(moments)
        times.append(float(moments.counts.sum()) * FINE)
        cells: list[str] = []
        for name in PARAMETERS:
            error = float(np.sqrt(((found.values[name] - exact[name]) ** 2).mean()))
            stated, least = (float(np.sqrt((each**2).mean())) for each in (found.standard_error(name), bound[name]))
            curves[name].append((error, stated, least))
            cells.append(f"{error:.4f}, {stated:.4f}, {least:.4f} ({stated / least:.2f})")
        print(f"| {times[-1]:.0f} | {' | '.join(cells)} |", flush=True)
    print("\n| interval | J2 | J4 | couplings | mobility | kT |\n|---|---|---|---|---|---|")
    intervals, biases = (0.02, 0.05, 0.1, 0.2, 0.5), list[dict[str, float]]()
    for interval in intervals:
        steps = round(interval / 0.001)
        moments = read(96, round(6 / interval), interval, steps, round(3 / interval), seed=7)
        law = fit_law(moments.means(), program.topology)
        deviations = {
            "J2": (law.J2 - program.J2).mean() / program.J2.mean(),
            "J4": (law.J4 - program.J4).mean() / program.J4.mean(),
            "couplings": (law.couplings.mean(axis=1) @ program.couplings) / (program.couplings @ program.couplings) - 1,
            "mobility": law.mobility.mean() / MOBILITY - 1,
            "kT": law.kT.mean() / KT - 1,
        }
        biases.append(deviations)
        print(f"| {interval:g} | {' | '.join(f'{100 * value:+.1f} %' for value in deviations.values())} |", flush=True)
    if arguments.figure is not None:
        save(draw(np.array(times), curves, np.array(intervals), biases), arguments.figure)


def draw(
    times: Floats,
    curves: dict[str, list[tuple[float, float, float]]],
    intervals: Floats,
    biases: list[dict[str, float]],
) -> Figure:
    """Draw errors against the time read with their bounds, and biases against the interval."""
    figure = Figure(figsize=(8.8, 3.4), layout="constrained")
    left, right = cast(list[Axes], list(figure.subplots(1, 2)))
    colours: dict[str, str] = dict(zip(PARAMETERS, ("k", "0.5", "tab:orange", BLUE, "tab:green"), strict=True))
    for name, points in curves.items():
        error, stated, least = np.array(points).T
        left.loglog(times, error, "o", ms=4, color=colours[name])
        left.loglog(times, stated, color=colours[name], lw=1.2, label=name)
        left.loglog(times, least, ":", color=colours[name], lw=1.2)
    left.set_xlabel("time read, all chains together (relaxation times)")
    left.set_ylabel("error (kT; mobility 1)")
    left.legend(
        frameon=False,
        fontsize=7,
        title="points: r.m.s. error\nlines: standard error\ndotted: bound",
        title_fontsize=7,
    )
    for name in ("J2", "J4", "couplings", "mobility", "kT"):
        sizes = [100 * abs(each[name]) for each in biases]
        right.loglog(intervals, sizes, "s-", ms=3.5, lw=1, color=colours.get(name, "tab:red"), label=name)
    right.loglog(intervals, 100 * intervals**2, "k--", lw=0.8, label="∝ Δ²")
    right.set_xticks(intervals, [f"{interval:g}" for interval in intervals])
    right.minorticks_off()
    right.set_xlabel("interval Δ (relaxation times)")
    right.set_ylabel("|bias| (%)")
    right.legend(frameon=False, fontsize=7)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
