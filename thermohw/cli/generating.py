# SPDX-License-Identifier: Apache-2.0
"""Generation as several commands do it: run, score, draw, tell."""

from pathlib import Path
from typing import Any

from rich.table import Table

from thermohw.cli.console import progress_bar, table
from thermohw.cli.sources import Source
from thermohw.device import ThermodynamicDevice
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.report import film_plan, generation_figures, save_figures
from thermohw.samples import Samples
from thermohw.statistics import Estimate
from thermohw.training import Fidelity, TrainingRun, score


def run_plan(device: ThermodynamicDevice, program: Program, plan: RunPlan) -> Samples:
    """Program a device and run it under a progress bar."""
    device.program(program)
    with progress_bar("generating") as progress:
        return device.run(plan, progress=progress)


def fidelity_of(run: TrainingRun | None, samples: Samples, label: int | None) -> Fidelity | None:
    """Score samples against a run's references, if there is a run."""
    if run is None or not len(samples.states):
        return None
    return score(samples.visible_states, run.references, run.reference_labels, label)


def summarize(samples: Samples, fidelity: Fidelity | None) -> dict[str, Any]:
    """Get the figures of a generation, for JSON."""
    heat = Estimate.of(samples.heat)
    summary: dict[str, Any] = {
        "samples": len(samples.heat),
        "heat_kT": {
            "mean": heat.mean,
            "standard_error": heat.standard_error,
            "standard_deviation": heat.standard_deviation,
        },
        "seed": samples.seed,
        "provenance": samples.provenance,
    }
    scale = samples.scale
    if scale is not None:
        summary["heat_joules"] = heat.mean * scale.energy
        summary["seconds_a_sample"] = samples.provenance["plan"]["duration"] * scale.time
    if fidelity is not None:
        summary["fidelity"] = fidelity.as_dict()
    return summary


def summary_table(samples: Samples, fidelity: Fidelity | None) -> Table:
    """Get the figures of a generation, for people."""
    heat = Estimate.of(samples.heat)
    scale = samples.scale
    rows = [
        ("samples", str(len(samples.heat))),
        ("mean heat (k_BT)", str(heat)),
        ("standard deviation of heat (k_BT)", f"{heat.standard_deviation:.3g}"),
        ("seed", str(samples.seed)),
    ]
    if scale is not None:
        rows.insert(1, ("device", str(samples.provenance["device"]["name"])))
        rows.insert(3, ("mean heat (J)", f"{heat.mean * scale.energy:.3g}"))
        rows.insert(4, ("time a sample (s)", f"{samples.provenance['plan']['duration'] * scale.time:.3g}"))
    if fidelity is not None:
        rows += [
            ("recognised, |correlation| ≥ 0.6", f"{fidelity.recognised:.1%}"),
            ("upright", f"{fidelity.upright:.1%}"),
            ("entropy over classes, of its maximum", f"{fidelity.entropy:.3f}"),
            ("upright samples of each class", _counts(fidelity.classes, fidelity.upright_counts)),
            ("inverted samples of each class", _counts(fidelity.classes, fidelity.inverted_counts)),
        ]
        if fidelity.requested is not None:
            rows.append(("nearest to the class asked for", f"{fidelity.requested:.1%}"))
    return table("Generation", ("quantity", "value"), rows)


def draw_generation(
    source: Source,
    device: ThermodynamicDevice,
    plan: RunPlan,
    samples: Samples,
    fidelity: Fidelity | None,
    folder: Path,
) -> list[Path]:
    """Draw a generation on a device that still holds its program; returns the files written."""
    if source.image_shape is None:
        return []
    film = device.run(film_plan(plan, samples))
    return save_figures(generation_figures(samples, film, source.image_shape, fidelity), folder)


def _counts(classes: tuple[int, ...], counts: tuple[int, ...]) -> str:
    return "  ".join(f"{label}: {count}" for label, count in zip(classes, counts, strict=True))
