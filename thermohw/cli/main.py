# SPDX-License-Identifier: Apache-2.0
"""The `thermohw` command: demo, train, generate, export, energy, sweep, calibrate, serve, record, show, devices."""

import logging
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from thermohw import datasets
from thermohw.cli import accounting, compensating, exporting, generating
from thermohw.cli.calibrating import calibrate, calibration
from thermohw.cli.compensating import CalibrationFolder, KeepOnsite
from thermohw.cli.console import clear_failure, out, print_json, progress_bar, table
from thermohw.cli.demonstration import demonstrate
from thermohw.cli.describing import describe
from thermohw.cli.devices import devices
from thermohw.cli.options import (
    AnyDevice,
    AsJson,
    Clip,
    DeviceSeed,
    Duration,
    Effects,
    IntegratorName,
    Journal,
    Mobility,
    Overdamped,
    SampleCount,
    Seed,
    Target,
    ThermalEnergy,
    TimeStep,
    clipping_of,
    noising_device,
    one_device_seed,
    open_device,
    parse_classes,
    parse_settings,
    warn_of_inertia,
)
from thermohw.cli.recording import record
from thermohw.cli.serving import serve
from thermohw.cli.sources import open_source
from thermohw.cli.sweeping import sweep
from thermohw.energy.workload import SAMPLES_PER_PROGRAMMING
from thermohw.nonideal import load_profile
from thermohw.plan import RunPlan
from thermohw.report import save_figures, training_figures
from thermohw.storage import require_writable
from thermohw.training.coupling_errors import CouplingErrors
from thermohw.training.run import train as train_images

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train, program and run thermodynamic computers: images to couplings to samples, with their heat.",
)

app.add_typer(devices, name="devices")
app.add_typer(calibration, name="calibration")


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
    hardware_aware: Annotated[
        str | None, typer.Option("--hardware-aware", help="Profile of imperfections of couplings to reckon with.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Card of the device that noises, for --set statistics=sampled.")
    ] = None,
    effects: Effects = None,
    device_seed: DeviceSeed = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch MNIST into DIR if it is not there.")] = False,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Train couplings on images and write a run's folder."""
    with clear_failure():
        overrides: dict[str, Any] = parse_settings(override or [])
        named = {"method": method, "hidden": hidden, "seed": seed}
        overrides |= {name: value for name, value in named.items() if value is not None}
        if hardware_aware is not None:
            overrides["errors"] = CouplingErrors.of(load_profile(hardware_aware).effects).model_dump()
        stack = datasets.load(images, download=download)
        classes = parse_classes(select)
        chosen = stack.select(classes if classes is not None else stack.classes.tolist(), per_class, skip)
        with progress_bar("training") as progress, noising_device(device, effects, device_seed) as noiser:
            run = train_images(chosen, preset, overrides=overrides, folder=folder, device=noiser, progress=progress)
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
    device: AnyDevice = "ideal",
    effects: Effects = None,
    device_seed: DeviceSeed = None,
    mobility: Mobility = 1.0,
    kt: ThermalEnergy = 1.0,
    integrator: IntegratorName = None,
    overdamped: Overdamped = False,
    clip: Clip = False,
    journal: Journal = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Run a program from noise and write the samples, with pictures beside them."""
    with clear_failure():
        source = open_source(target)
        program = source.on_demand(label, hold)
        require_writable(file.parent)
        plan = RunPlan(duration, samples, dt, seed=seed)
        opening = open_device(
            device, mobility, kt, integrator,
            overdamped=overdamped, clip=clip, effects=effects, device_seed=device_seed, journal=journal,
        )  # fmt: skip
        with opening as opened:
            drawn_from = generating.run_plan(opened, program, plan)
            saturated = clipping_of(opened)
            warn_of_inertia(opened, duration)
            drawn_from.save(file)
            fidelity = generating.fidelity_of(source.run, drawn_from, label)
            figures = generating.draw_generation(
                source, opened, plan, drawn_from, fidelity, file.with_name(f"{file.stem}-figures")
            )
        if as_json:
            clipped = {} if saturated is None else {"clipping": saturated.as_dict()}
            print_json({"file": str(file), **generating.summarize(drawn_from, fidelity), **clipped})
        else:
            out.print(generating.summary_table(drawn_from, fidelity))
            if saturated is not None:
                out.print(str(saturated), soft_wrap=True)
            out.print(f"samples in {file}; {len(figures)} figures beside it", soft_wrap=True)


@app.command()
def export(
    target: Target,
    folder: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    bits: Annotated[int, typer.Option(help="Bits a coupling, 2 to 16.")] = 8,
    method: Annotated[
        str | None, typer.Option(help="nearest, mse or likelihood; likelihood for a run, nearest for a mere program.")
    ] = None,
    grid: Annotated[str, typer.Option(help="uniform, power-of-two (2 to 5 bits) or ternary (2 bits).")] = "uniform",
    bias_bits: Annotated[
        int | None, typer.Option(help="Bits a bias, 2 to 16; as a coupling, but no fewer than 8, if not given.")
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", help="Any of json,csv,npz,c,bin; spice, with --device, for a netlist of it.")
    ] = "json,csv,npz,c,bin",
    device: Annotated[
        str | None,
        typer.Option("--device", help="RC card of the netlist; rc_board if not given. Or the device of --calibration."),
    ] = None,
    calibration_folder: CalibrationFolder = None,
    keep_onsite: KeepOnsite = False,
    effects: Effects = None,
    device_seed: DeviceSeed = None,
    clip: Clip = False,
    duration: Duration = 2.5,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Quantize a program to a coupling table that a board can load, or write the netlist of its RC network.

    With --calibration both are of the program that makes the device of a record do what was wanted.
    """
    with clear_failure():
        source = open_source(target)
        names = exporting.parse_formats(formats, device, calibration_folder is not None)
        made_up = compensating.compensated(
            source.runnable(), calibration_folder, device, effects, device_seed, clip=clip, onsite=not keep_onsite
        )
        program = made_up.program
        stem = target.resolve().stem if target.is_dir() else target.stem
        rounding = (bits, method, grid, bias_bits, seed)
        quantized = None if names == ["spice"] else exporting.quantize(source, *rounding, made_up)
        require_writable(folder)  # nothing is left of what is refused
        files, told = list[Path](), dict[str, Any]()
        if quantized is not None:
            errors = quantized.table.report(program)
            told = exporting.summary(quantized, errors)
            if not as_json:
                out.print(exporting.error_table(quantized.table, errors))
                out.print(*exporting.notes(quantized), sep="\n", soft_wrap=True)
            suffixes = [exporting.SUFFIXES[name] for name in names if name != "spice"]
            files += [quantized.table.save(folder / f"{stem}-{bits}bit{suffix}") for suffix in suffixes]
        if "spice" in names:
            board = device or exporting.NETLIST_DEVICE
            netlist = folder / f"{stem}-{Path(board).stem}.cir"
            files.append(exporting.write_netlist(program, board, clip, duration, seed, netlist))
        if as_json:
            print_json({"files": [str(file) for file in files], **told})
            return
        for file in files:
            out.print(f"{file}  {file.stat().st_size / 1e6:.2f} MB", soft_wrap=True)


@app.command()
def energy(
    target: Target,
    device: Annotated[
        str, typer.Option("--device", help="A card, several with commas, or all: the ledger of each, beside ideal.")
    ] = "ideal",
    samples: SampleCount = 1000,
    file: Annotated[
        Path | None, typer.Option("--from", help="Samples already generated; runs afresh if not given.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for energy.json and figures; beside the program if not given.")
    ] = None,
    amortise: Annotated[
        float, typer.Option("--per-programming", min=1, help="Samples over which programming is spread.")
    ] = SAMPLES_PER_PROGRAMMING,
    duration: Duration = 2.5,
    dt: TimeStep = None,
    clip: Clip = False,
    effects: Effects = None,
    device_seed: DeviceSeed = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Tell the energy a sample, and the advantage over digital computers: heat alone, or a ledger of each device."""
    with clear_failure():
        source = open_source(target)
        names = accounting.parse_devices(device)
        opener = partial(open_device, clip=clip, effects=effects, device_seed=one_device_seed(effects, device_seed))
        plan = RunPlan(duration, samples, dt, seed=seed)
        if accounting.heat_alone(file, names, effects, folder):
            accounting.tell_heat(source, file, opener, plan, as_json)
            return
        beside = target / "energy" if target.is_dir() else target.with_name(f"{target.stem}-energy")
        accounting.tell_ledgers(source, names, opener, plan, amortise, folder or beside, as_json)


app.command()(sweep)
app.command()(calibrate)
app.command()(record)
app.command()(serve)


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
