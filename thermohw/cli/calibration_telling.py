# SPDX-License-Identifier: Apache-2.0
"""Records of calibration as tables, notes, JSON and figures."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from thermohw import figures
from thermohw.cli.console import table
from thermohw.estimation.agreement import Agreement
from thermohw.estimation.basis import Floats
from thermohw.estimation.comparison import Difference
from thermohw.estimation.estimates import LEAST_RESPONSE
from thermohw.estimation.pairs import LEARNT
from thermohw.estimation.record import CalibrationRecord
from thermohw.report import save_figures

LABELS = {
    "J2": "J2",
    "J4": "J4",
    "biases": "biases",
    "couplings": "couplings",
    "gains": "gains of lines",
    "mobility": "mobility",
    "kT": "kT",
    "noise": "noise of readings",
    "asymmetry": "asymmetry K_ij − K_ji",
}
MADE = {
    "trajectories": "from the motion",
    "snapshots": "from states at equilibrium alone",
    "both": "energies from states at equilibrium, mobilities from the motion",
    "lines": "from the motion, line by line",
    "pairs": "from the motion, line by line, then pair by pair",
}
"""What methods do."""

LEAST_MOBILITY = 0.5
"""Mobility over the stated one below which a note says that the motion is not the law's; its inverse likewise."""

UNLIKELY = 1e-3
"""Probability below which a note says that residuals, reciprocity or temperature are off."""


def record_tables(record: CalibrationRecord) -> list[Table]:
    """Get what was found and how good it is, for people."""
    statement, quality = record.statement, record.statement.quality
    request = statement.request
    title = f"{request.device.name}, {statement.date:%Y-%m-%d %H:%M} UTC: measured − programmed"
    columns = ("parameter", "known", "mean", "r.m.s.", "typical s.e.", "χ²", "p", "largest, in s.e.")
    rows = change_rows(record.deviations())
    days = record.age / timedelta(days=1)
    facts = [
        ("program", f"{request.asked[:12]}…, {record.program.units} units, {quality.pairs} pairs"),
        ("method", f"{MADE[statement.method]}; recipe {request.recipe.name}, seed {request.seed}"),
        ("age", f"{days:.1f} days"),
        ("noise of readings", _noise(record)),
        ("residuals white", _verdict(quality.whiteness, "not asked of states alone")),
        ("couplings reciprocal", _verdict(quality.reciprocity, "no couplings, or lines alone")),
        ("temperature as stated", _verdict(quality.temperature, "not known")),
        (
            "mean kT over the stated one",
            "–" if quality.temperature_ratio is None else f"{quality.temperature_ratio:.4g}",
        ),
        ("worst condition", f"{quality.condition:.3g}, unit {quality.condition_unit}"),
        *_couplings(record),
    ]
    return [table(title, columns, rows), table("Quality", ("what", "value"), facts)]


def notes(record: CalibrationRecord) -> list[str]:
    """Get what a reader must be told: parameters that are not known, and what speaks against the fit."""
    quality = record.statement.quality
    found = [f"note: {LABELS[name]} not known: {reason}" for name, reason in record.statement.reasons.items()]
    for judged, words in (
        (quality.whiteness, "residuals are not white: noise, inertia or readout has a memory that the law leaves out"),
        (quality.reciprocity, "couplings are not reciprocal: the forces have no potential"),
        (quality.temperature, "the temperature is not the stated one"),
    ):
        if judged is not None and judged.p < UNLIKELY:
            found.append(f"note: {words} (p = {judged.p:.1g}; worst {judged.worst}, {judged.deviation:+.1f} s.e.)")
    found += _doubts(record)
    return found if record.outdated is None else [*found, f"note: {record.outdated}"]


def _doubts(record: CalibrationRecord) -> list[str]:
    """Get what speaks against a fit that its own tests may not see."""
    estimates, spec = record.estimates, record.request.device
    found: list[str] = []
    asked = record.request.recipe.method == "both" and spec.trajectories
    if asked and estimates.method == "snapshots" and spec.mass:
        found.append("note: units have inertia: energies are from states alone, and hold where these have settled")
    elif asked and estimates.method != "trajectories":
        found.append(
            "note: the interval is long against the motion: energies are from states alone, as those of equilibrium, "
            "which forces without a potential do not have"
        )
    mobility, errors = estimates.values["mobility"], estimates.standard_error("mobility")
    known = np.isfinite(mobility) & np.isfinite(errors)
    if not known.any():
        return found
    weak = np.flatnonzero(known & (mobility < LEAST_RESPONSE * errors))
    if weak.size:
        unit = int(weak[0])
        found.append(
            f"note: {weak.size} units are not seen to respond to their biases, the first unit {unit} (mobility "
            f"{mobility[unit]:.2g} ± {errors[unit]:.1g}): what is told of them is not to be relied on"
        )
    ratio = float(np.median(mobility[known])) / spec.mobility
    if not LEAST_MOBILITY <= ratio <= 1 / LEAST_MOBILITY:
        found.append(f"note: mobilities are {ratio:.2g} times the stated one: inertia, a slow readout, or another law?")
    return found


def _noise(record: CalibrationRecord) -> str:
    noise, error = record.estimates.values["noise"][0], record.estimates.standard_error("noise")[0]
    if record.request.recipe.noise is not None:
        return f"{noise:.3g}, as stated"
    if record.statement.method == "snapshots":
        return "taken as 0: states alone do not tell it" if noise == 0 else f"{noise:.3g}"
    return f"{noise:.3g} ± {error:.1g}" if np.isfinite(error) else f"{noise:.3g}, not told from 0"


def change_rows(changes: Sequence[Difference]) -> list[tuple[str, ...]]:
    """Get a row for each parameter."""
    return [_row(change) for change in changes]


def told(changes: Sequence[Difference]) -> dict[str, Any]:
    """Get differences by parameter, for JSON."""
    return {
        change.name: {
            **_numbers(change),
            "agreement": None if change.agreement is None else change.agreement.model_dump(),
        }
        for change in changes
    }


def draw_record(record: CalibrationRecord, folder: Path) -> list[Path]:
    """Draw a record: its couplings one by one where they are known, and its lines; returns the files written."""
    found = {change.name: change for change in record.deviations()}
    spec, estimates = record.request.device, record.estimates
    scores = np.concatenate([change.scores for change in found.values()])
    if not scores.size:
        return []
    kT = spec.kT
    units = {
        f"{name} / stated": (estimates.values[name] / stated, estimates.standard_error(name) / stated, 1.0)
        for name, stated in (("mobility", spec.mobility), ("kT", kT))
    }
    units["bias offset ($k_\\mathrm{B}T$)"] = (found["biases"].values / kT, found["biases"].errors / kT, 0.0)
    drawn: dict[str, Figure] = {}
    if estimates.method == "lines":
        gains = _by_layer(estimates.values["gains"], estimates.standard_error("gains"))
        drawn["lines"] = figures.line_gains(gains, 1.0, scores, units)
    if record.pairs is not None:
        couplings, learnt = record.pairs.values["couplings"], record.pairs.learnt
        drawn["pairs"] = figures.pair_knowledge(record.program.couplings / kT, couplings / kT, learnt, LEARNT)
    couplings = estimates.values.get("couplings", np.zeros(0))
    if couplings.size and np.isfinite(couplings).all():
        series = couplings / kT, estimates.standard_error("couplings") / kT
        drawn["calibration"] = figures.calibration(record.program.couplings / kT, series, scores, units)
    return save_figures(drawn, folder)


def draw_changes(changes: Sequence[Difference], earlier: CalibrationRecord, folder: Path) -> list[Path]:
    """Draw what changed since an earlier record; returns the file written, none without couplings."""
    found, kT = {change.name: change for change in changes}, earlier.request.device.kT
    scores = np.concatenate([change.scores for change in changes])
    if not scores.size:
        return []
    scales = {
        "change of mobility / stated": ("mobility", earlier.request.device.mobility),
        "change of kT / stated": ("kT", kT),
        "change of bias ($k_\\mathrm{B}T$)": ("biases", kT),
    }
    units = {
        label: (found[name].values / scale, found[name].errors / scale, 0.0) for label, (name, scale) in scales.items()
    }
    if "gains" in found:
        gains = _by_layer(found["gains"].values, found["gains"].errors)
        return save_figures({"changes": figures.line_gains(gains, 0.0, scores, units)}, folder)
    couplings = found.get("couplings")
    if couplings is None or not (couplings.values.size and np.isfinite(couplings.values).all()):
        return []
    drawn = figures.calibration_differences((couplings.values / kT, couplings.errors / kT), scores, units)
    return save_figures({"changes": drawn}, folder)


def _by_layer(gains: Floats, errors: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Get gains and errors, two a unit, as those of the couplings to visible and to hidden units."""
    visible, hidden = zip(gains.reshape(-1, 2).T, errors.reshape(-1, 2).T, strict=True)
    both = {"to visible units": visible, "to hidden units": hidden}
    return {label: series for label, series in both.items() if np.isfinite(series[0]).any()}


def _numbers(change: Difference) -> dict[str, Any]:
    known = np.isfinite(change.values)
    values, errors = change.values[known], change.errors[known]
    if not values.size:
        return {"known": 0, "mean": None, "rms": None, "typical_error": None}
    rms = float(np.sqrt(np.mean(values**2)))
    return {
        "known": int(known.sum()),
        "mean": float(values.mean()),
        "rms": rms,
        "typical_error": float(np.median(errors)),
    }


def _row(change: Difference) -> tuple[str, ...]:
    numbers = _numbers(change)
    sizes = [f"{numbers[key]:.3g}" if numbers["known"] else "–" for key in ("mean", "rms", "typical_error")]
    judged = change.agreement
    verdict = ["–"] * 3
    if judged is not None:
        verdict = [
            f"{judged.chi2:.1f} of {judged.count}",
            f"{judged.p:.2g}",
            f"{judged.deviation:+.1f}, {judged.worst}",
        ]
    return (LABELS[change.name], f"{numbers['known']} of {len(change.values)}", *sizes, *verdict)


def _verdict(judged: Agreement | None, otherwise: str) -> str:
    if judged is None:
        return otherwise
    total = f"χ² = {judged.chi2:.1f} of {judged.count}, p = {judged.p:.2g}"
    return f"{total}; largest {judged.deviation:+.1f} s.e., {judged.worst}"


def _couplings(record: CalibrationRecord) -> list[tuple[str, str]]:
    """Tell what is not known of couplings one by one."""
    quality, method = record.statement.quality, record.statement.method
    if method == "lines":
        return [("couplings", "line by line, no pair by itself")]
    unresolved = f"{quality.unresolved} of {quality.pairs}"
    if record.pairs is None:
        return [("couplings below 2 s.e.", f"{unresolved}{_named(record)}")]
    words = f"{unresolved}; the readings removed {quality.learnt:.2%} of the prior's variance{_named(record)}"
    return [("worst condition of partners", f"{record.pairs.condition:.3g}"), ("couplings not resolved", words)]


def _named(record: CalibrationRecord) -> str:
    named = [
        f"({pair.units[0]}, {pair.units[1]}) {pair.coupling:.2g} ± {pair.standard_error:.1g}"
        for pair in record.statement.quality.least_known
    ]
    return f"; least known {', '.join(named)}" if named else ""
