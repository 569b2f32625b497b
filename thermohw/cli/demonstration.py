# SPDX-License-Identifier: Apache-2.0
"""The demo: the whole road on built-in data, in a minute or two."""

from pathlib import Path
from typing import Any

from rich.table import Table

from thermohw import datasets, figures
from thermohw.backends import SimulatedDevice
from thermohw.cli import generating
from thermohw.cli.console import err, progress_bar, table
from thermohw.cli.sources import Source
from thermohw.energy import intrinsic_advantage, load_baseline
from thermohw.plan import RunPlan
from thermohw.report import film_plan, generation_figures, save_figures, training_figures
from thermohw.statistics import Estimate
from thermohw.tables import CouplingTable
from thermohw.training.run import train

BITS = 8
MOVIE_CHAINS = 16
SLOW_FRAMES = 20
"""Recorded states shown one by one, while digits emerge; after them every third."""


def demonstrate(folder: Path, count: int, seed: int) -> tuple[dict[str, Any], list[Table]]:
    """Train on glyphs 0, 1, 2; quantize; program a simulated device with the table; generate; account for the heat.

    Args:
        folder: Where everything is written.
        count: Samples to generate.
        seed: Of all noise.

    Returns:
        The figures for JSON, and tables for people.
    """
    images = datasets.glyphs("012")
    err.print("training on three built-in glyphs (the first run compiles, which takes some seconds)")
    run = train(images, "contrast", overrides={"seed": seed}, folder=folder)
    drawn = training_figures(run, images)
    err.print(f"quantizing to {BITS} bits and exporting the table")
    quantized = run.quantize(BITS, seed=seed)
    tables = [
        quantized.save(folder / "tables" / f"digits{suffix}") for suffix in (".json", ".csv", ".npz", ".h", ".bin")
    ]
    plan = RunPlan(run.config.duration, count, run.config.dt, seed=seed)
    with SimulatedDevice() as device:
        device.program(CouplingTable.load(tables[0]))
        with progress_bar(f"generating {count} samples") as progress:
            samples = device.run(plan, progress=progress)
        film = device.run(film_plan(plan, samples))
    samples.save(folder / "samples.npz")
    fidelity = generating.fidelity_of(Source(folder, run=run).run, samples, None)
    drawn |= generation_figures(samples, film, run.image_shape, fidelity)
    paths = save_figures(drawn, folder / "figures")
    assert film.trajectory is not None and film.times is not None  # asked for
    shown = [frame for frame in range(len(film.times)) if frame <= SLOW_FRAMES or frame % 3 == 0]
    chains = film.trajectory[:MOVIE_CHAINS, shown, : samples.visible]
    paths.append(
        figures.animation(chains, film.times[shown], run.image_shape, folder / "figures" / "noise_to_digits.gif")
    )
    gain = intrinsic_advantage(Estimate.of(samples.heat), load_baseline())
    rows = [
        ("training", f"{run.metrics['seconds']:.1f} s for {run.metrics['parameters']} couplings"),
        ("modes of −J above the growth line", f"{run.metrics['growing_modes']} (one a digit)"),
        ("coupling table", f"{BITS} bits, digest {quantized.digest[:12]}…, {len(tables)} formats"),
        ("digital energy a sample (k_BT)", f"{gain.digital_kT:.3g}"),
        ("advantage, heat only", f"{gain.ratio:.3g} ± {gain.standard_error:.1g}"),
        ("written", f"{folder}: program.npz, samples.npz, tables/, {len(paths)} figures"),
    ]
    summary = {
        "folder": str(folder),
        "metrics": run.metrics,
        "advantage": gain.ratio,
        "figures": [str(path) for path in paths],
        "tables": [str(path) for path in tables],
        **generating.summarize(samples, fidelity),
    }
    return summary, [generating.summary_table(samples, fidelity), table("Demo", ("quantity", "value"), rows)]
