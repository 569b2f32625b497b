# SPDX-License-Identifier: Apache-2.0
"""The `thermohw` command: train, generate, export, energy, show, demo."""

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from thermohw import datasets
from thermohw.cli import generating
from thermohw.cli.console import clear_failure, out, print_json, progress_bar, table
from thermohw.cli.demonstration import demonstrate
from thermohw.cli.describing import describe
from thermohw.cli.options import (
    AsJson,
    DeviceName,
    Duration,
    IntegratorName,
    Mobility,
    SampleCount,
    Seed,
    Target,
    ThermalEnergy,
    TimeStep,
    open_device,
    parse_classes,
    parse_settings,
)
from thermohw.cli.sources import open_source
from thermohw.energy import intrinsic_advantage, load_baseline
from thermohw.errors import TableError
from thermohw.plan import RunPlan
from thermohw.report import paper_comparison, save_figures, training_figures
from thermohw.samples import Samples
from thermohw.statistics import Estimate
from thermohw.storage import require_writable
from thermohw.tables import CouplingTable
from thermohw.tables.quantize import BlockErrors, ScaleRule
from thermohw.training.run import train as train_images

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train, program and run thermodynamic computers: images to couplings to samples, with their heat.",
)


@app.callback()
def settings(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what the devices do.")] = False,
) -> None:
    """Train, program and run thermodynamic computers: images to couplings to samples, with their heat."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Folder for everything that the demo writes.")] = Path(
        "thermohw-demo"
    ),
    samples: SampleCount = 1000,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Built-in glyphs to digits grown out of thermal noise: train, quantize, export, generate, account for the heat."""
    with clear_failure():
        summary, tables = demonstrate(folder, samples, 1 if seed is None else seed)
        if as_json:
            print_json(summary)
        else:
            out.print(*tables, sep="\n")


@app.command()
def train(
    images: Annotated[str, typer.Option(help="mnist:DIR, glyphs:CHARACTERS, digits, or npz:FILE.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder of the run; an interrupted training resumes there.")],
    preset: Annotated[str, typer.Option(help="whitelam2025 or contrast.")] = "contrast",
    select: Annotated[str | None, typer.Option(help="Classes to learn, such as 0,1,2; all if not given.")] = None,
    per_class: Annotated[int, typer.Option(min=1, help="Images of each class.")] = 1,
    skip: Annotated[int, typer.Option(min=0, help="Images of each class to pass over.")] = 0,
    method: Annotated[str | None, typer.Option(help="likelihood or descent; the preset's if not given.")] = None,
    hidden: Annotated[int | None, typer.Option(help="Number of hidden units; the preset's if not given.")] = None,
    override: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the configuration; repeatable.")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch MNIST into DIR if it is not there.")] = False,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Train couplings on images and write a run's folder."""
    with clear_failure():
        overrides: dict[str, Any] = parse_settings(override or [])
        named = {"method": method, "hidden": hidden, "seed": seed}
        overrides |= {name: value for name, value in named.items() if value is not None}
        stack = datasets.load(images, download=download)
        classes = parse_classes(select)
        chosen = stack.select(classes if classes is not None else stack.classes.tolist(), per_class, skip)
        with progress_bar("training") as progress:
            run = train_images(chosen, preset, overrides=overrides, folder=folder, progress=progress)
        drawn = save_figures(training_figures(run, chosen), folder / "figures")
        if as_json:
            print_json({"run": str(folder), "metrics": run.metrics, "config": run.config.model_dump()})
            return
        rows = [
            (name, f"{value:.6g}" if isinstance(value, float) else str(value)) for name, value in run.metrics.items()
        ]
        out.print(table(f"Trained {folder}", ("metric", "value"), rows))
        out.print(f"{len(drawn)} figures in {folder / 'figures'}", soft_wrap=True)


@app.command()
def generate(
    target: Target,
    file: Annotated[Path, typer.Option("--out", help="Samples, .npz.")],
    samples: SampleCount = 1000,
    label: Annotated[int | None, typer.Option(help="Class to generate on demand; any if not given.")] = None,
    hold: Annotated[float, typer.Option(min=0, help="Share of the class's noising field to hold, with --label.")] = 0.2,
    duration: Duration = 2.5,
    dt: TimeStep = None,
    device: DeviceName = "ideal",
    mobility: Mobility = 1.0,
    kt: ThermalEnergy = 1.0,
    integrator: IntegratorName = "euler-maruyama",
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Run a program from noise and write the samples, with pictures beside them."""
    with clear_failure():
        source = open_source(target)
        program = source.on_demand(label, hold)
        require_writable(file.parent)
        plan = RunPlan(duration, samples, dt, seed=seed)
        with open_device(device, mobility, kt, integrator) as opened:
            drawn_from = generating.run_plan(opened, program, plan)
            drawn_from.save(file)
            fidelity = generating.fidelity_of(source.run, drawn_from, label)
            figures = generating.draw_generation(
                source, opened, plan, drawn_from, fidelity, file.with_name(f"{file.stem}-figures")
            )
        if as_json:
            print_json({"file": str(file), **generating.summarize(drawn_from, fidelity)})
        else:
            out.print(generating.summary_table(drawn_from, fidelity))
            out.print(f"samples in {file}; {len(figures)} figures beside it", soft_wrap=True)


@app.command()
def export(
    target: Target,
    folder: Annotated[Path, typer.Option("--out", help="Folder for the tables.")],
    bits: Annotated[int, typer.Option(help="Bits a coupling, 2 to 16.")] = 8,
    scale: Annotated[str, typer.Option(help="max or mse: how each block's scale is chosen.")] = "max",
    formats: Annotated[str, typer.Option("--format", help="Any of json,csv,npz,c,bin.")] = "json,csv,npz,c,bin",
    as_json: AsJson = False,
) -> None:
    """Quantize a program to a coupling table that a board can load, and write it in several formats."""
    with clear_failure():
        source = open_source(target)
        program = source.runnable()
        quantized = CouplingTable.quantize(program, bits, scale=_scale_rule(scale))
        suffixes = _suffixes(formats)
        name = target.resolve().stem if target.is_dir() else target.stem
        require_writable(folder)
        files = [quantized.save(folder / f"{name}-{bits}bit{suffix}") for suffix in suffixes]
        errors = quantized.report(program)
        if as_json:
            details = {block: vars(error) for block, error in errors.items()}
            print_json({"files": [str(file) for file in files], "digest": quantized.digest, "blocks": details})
            return
        rows = [
            (block, str(quantized.bits[block]), f"{quantized.scales[block]:.4g}", *_error_cells(error))
            for block, error in errors.items()
        ]
        columns = (
            "block",
            "bits",
            "scale (k_BT/code)",
            "clipped",
            "rms error (k_BT)",
            "largest (k_BT)",
            "relative rms",
        )
        out.print(table("Coupling table", columns, rows))
        for file in files:
            out.print(f"{file}  {file.stat().st_size / 1e6:.2f} MB", soft_wrap=True)


@app.command()
def energy(
    target: Target,
    samples: SampleCount = 1000,
    file: Annotated[
        Path | None, typer.Option("--from", help="Samples already generated; runs afresh if not given.")
    ] = None,
    duration: Duration = 2.5,
    dt: TimeStep = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Tell the heat a sample and the intrinsic advantage over the paper's digital denoiser."""
    with clear_failure():
        source = open_source(target)
        if file is not None:
            ran = Samples.load(file)
        else:
            with open_device("ideal", 1.0, 1.0, "euler-maruyama") as device:
                ran = generating.run_plan(device, source.runnable(), RunPlan(duration, samples, dt, seed=seed))
        baseline = load_baseline()
        gain = intrinsic_advantage(Estimate.of(ran.heat), baseline)
        fidelity = generating.fidelity_of(source.run, ran, None)
        rows = (
            [] if source.run is None or fidelity is None else paper_comparison(source.run, ran.heat, fidelity, baseline)
        )
        if as_json:
            print_json(
                {
                    "heat_kT": vars(gain.thermodynamic_kT),
                    "advantage": {"ratio": gain.ratio, "standard_error": gain.standard_error, "counts": gain.counts},
                    "digital": {"energy_kT": gain.digital_kT, **baseline.model_dump(mode="json")},
                    "comparison": [vars(row) for row in rows],
                }
            )
            return
        if rows:
            cells = [(row.quantity, row.paper, row.ours, row.remark) for row in rows]
            out.print(table("Beside the paper", ("quantity", "paper", "ours", "remark"), cells))
        out.print(f"heat {gain.thermodynamic_kT} k_BT a sample; digital {gain.digital_kT:.3g} k_BT ({baseline.name})")
        out.print(f"advantage ({gain.ratio:.3g} ± {gain.standard_error:.1g}), {gain.counts}")


@app.command()
def show(
    target: Annotated[Path, typer.Argument(help="A run's folder, a program, a coupling table, or samples.")],
    folder: Annotated[Path | None, typer.Option("--out", help="Folder for the figures.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what is in a run, program, table or samples file, and draw it."""
    with clear_failure():
        source = open_source(target)
        rows, drawn = describe(source)
        beside = target / "figures" if target.is_dir() else target.with_name(f"{target.stem}-figures")
        files = save_figures(drawn, folder or beside)
        if as_json:
            print_json({**dict(rows), "figures": [str(file) for file in files]})
        else:
            out.print(table(str(target), ("what", "value"), [(name, str(value)) for name, value in rows]))
            for file in files:
                out.print(str(file), soft_wrap=True)


def _scale_rule(name: str) -> ScaleRule:
    rules: dict[str, ScaleRule] = {"max": "max", "mse": "mse"}
    if name not in rules:
        raise TableError(f"unknown scale {name!r}; there are: {', '.join(rules)}")
    return rules[name]


def _suffixes(formats: str) -> list[str]:
    suffixes = {"json": ".json", "csv": ".csv", "npz": ".npz", "c": ".h", "bin": ".bin"}
    names = [name.strip() for name in formats.split(",") if name.strip()]
    unknown = [name for name in names if name not in suffixes]
    if unknown or not names:
        raise TableError(f"unknown table format {', '.join(unknown) or formats!r}; there are: {', '.join(suffixes)}")
    return [suffixes[name] for name in names]


def _error_cells(error: BlockErrors) -> tuple[str, str, str, str]:
    return str(error.clipped), f"{error.rms:.3g}", f"{error.largest:.3g}", f"{error.relative_rms:.3%}"
