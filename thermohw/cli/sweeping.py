# SPDX-License-Identifier: Apache-2.0
"""What `sweep` asks for and tells: quality, likelihood and heat against the strength of an imperfection."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from thermohw import backends, figures
from thermohw.cli.console import clear_failure, err, json_text, out, print_json, progress_bar, table
from thermohw.cli.options import AsJson, Clip, DeviceName, Duration, Effects, Target, TimeStep, warn_of_inertia
from thermohw.cli.sources import open_source
from thermohw.errors import DeviceLimitError, PlanError
from thermohw.figures.robustness import MAX_PROGRAMS, MAX_STRENGTHS, Strength
from thermohw.nonideal import load_profile
from thermohw.program import Program
from thermohw.report import save_figures
from thermohw.storage import write_atomically
from thermohw.sweep import Axis, Curve, Level, Sweep, SweepSettings
from thermohw.sweep import sweep as run_sweep
from thermohw.sweep.points import Measure

COLUMNS: dict[Measure, str] = {
    "recognised": "recognised",
    "correlation": "|correlation|",
    "purity": "purity",
    "diversity": "diversity",
    "upright": "upright",
    "likelihood": "likelihood",
    "heat": "heat (k_BT)",
    "entropy_production": "entropy (k_B)",
}
"""Measures, as columns of a table are called."""

DRAWN: dict[Measure, str] = {
    "recognised": "fidelity:\nshare recognised",
    "correlation": "fidelity:\nmean |correlation|",
    "diversity": "diversity:\nentropy of classes\nof its maximum",
    "likelihood": "likelihood:\ngain, of the\nprogram's own",
    "heat": "heat a sample\n($k_\\mathrm{B}T$)",
}
"""Measures that are drawn, with the labels of their axes."""

EffectNames = Annotated[
    list[str],
    typer.Option(
        "--effect",
        help="EFFECT.FIELD to vary, or EFFECT for the first number among its fields (coupling_mismatch is "
        "coupling_mismatch.std); repeatable.",
    ),
]
ValueLists = Annotated[
    list[str],
    typer.Option(
        "--values", help="Values with commas between them, such as 0,0.05,0.1; off: without. One for each --effect."
    ),
]
Rivals = Annotated[
    list[str] | None,
    typer.Option("--against", help="LABEL=PATH of another run, program or table to compare with; repeatable."),
]


def sweep(
    target: Target,
    effect: EffectNames,
    values: ValueLists,
    devices: Annotated[int, typer.Option("--devices", help="Device instances at each value.")] = 8,
    samples: Annotated[int, typer.Option("--samples", help="Samples of each device.")] = 256,
    device: DeviceName = "ideal",
    effects: Effects = None,
    against: Rivals = None,
    duration: Duration = 2.5,
    dt: TimeStep = None,
    clip: Clip = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all noise.")] = 1,
    device_seed: Annotated[int, typer.Option("--device-seed", min=0, help="First device; the others follow it.")] = 1,
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for points, sweep.json and figure; beside the program if not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell how quality, likelihood and heat depend on the strength of an imperfection, over several devices.

    Effects that are present at all points come from --effects. Finished points are kept in the folder, and are not
    measured again: more values, devices or programs add to them.
    """
    with clear_failure():
        source = open_source(target)
        axes = _axes(effect, values)
        label, rivals = _label(target), _rivals(against or [])
        _check_sizes(axes, rivals)
        background = () if effects is None else load_profile(effects).effects
        settings = SweepSettings(devices, samples, duration, dt, seed, device_seed)
        beside = target / "sweep" if target.is_dir() else target.with_name(f"{target.stem}-sweep")
        place = folder or beside
        opener = partial(backends.open_device, device, clip=clip)
        with opener() as opened:
            warn_of_inertia(opened, duration)
        with progress_bar("points") as progress:
            found = run_sweep(
                source.run or source.runnable(),
                axes,
                label=label,
                rivals=rivals,
                background=background,
                settings=settings,
                opener=opener,
                folder=place,
                progress=progress,
            )
        _tell(found, clip, place, as_json)


def _tell(found: Sweep, clip: bool, folder: Path, as_json: bool) -> None:
    """Write and draw a sweep, and print it.

    Raises:
        StorageError: The folder cannot be written.
    """
    told = {**found.as_dict(), "clip": clip}
    written = [write_atomically(folder / "sweep.json", json_text(told))]
    written += save_figures({"sweep": figures.robustness(*_drawing(found))}, folder)
    if as_json:
        print_json({**told, "files": [str(file) for file in written]})
        return
    out.print(*_tables(found), sep="\n")
    for remark in (*found.remarks, *_failures(found)):
        err.print(remark, markup=False, soft_wrap=True)
    out.print(f"{found.measured} points measured, {found.reused} there already", soft_wrap=True)
    for file in written:
        out.print(str(file), soft_wrap=True)


def _axes(effects: Sequence[str], values: Sequence[str]) -> list[Axis]:
    """Pair effects with their values; values that are given once are those of all.

    Raises:
        DeviceLimitError: Not as many, or a value that is no number.
    """
    if len(values) not in (1, len(effects)):
        raise DeviceLimitError(
            f"{len(effects)} --effect need as many --values, or one for all; there are {len(values)}"
        )
    lists = list(values) if len(values) == len(effects) else list(values) * len(effects)
    return [Axis.of(name, _numbers(name, text)) for name, text in zip(effects, lists, strict=True)]


def _numbers(name: str, text: str) -> list[float | None]:
    try:
        return [None if part.strip() == "off" else float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise DeviceLimitError(f"--values {text!r} of {name} must be numbers such as 0,0.05,0.1, or off") from None


def _check_sizes(axes: Sequence[Axis], rivals: Mapping[str, Program]) -> None:
    """Refuse, before anything runs, more than one figure shows.

    Raises:
        PlanError: More.
    """
    if len(axes) > MAX_STRENGTHS or len(rivals) >= MAX_PROGRAMS:
        raise PlanError(
            f"one figure shows up to {MAX_STRENGTHS} effects and {MAX_PROGRAMS} programs, the run's own among them; "
            f"got {len(axes)} and {len(rivals) + 1}: sweep them by turns, into the same folder"
        )


def _label(path: Path) -> str:
    resolved = path.resolve()
    return resolved.name if path.is_dir() else resolved.stem


def _rivals(texts: Sequence[str]) -> dict[str, Program]:
    """Load programs to compare with, by their labels.

    Raises:
        PlanError: A label that stands twice, or none.
    """
    rivals: dict[str, Program] = {}
    for text in texts:
        label, equals, path = text.partition("=")
        if not equals:
            label, path = _label(Path(text)), text
        if not label.strip() or label in rivals:
            raise PlanError(f"--against {text!r}: each program needs a label of its own, as in aware=runs/aware")
        rivals[label] = open_source(Path(path)).runnable()
    return rivals


def _drawing(found: Sweep) -> tuple[list[Strength], dict[str, str], int]:
    strengths: list[Strength] = []
    measures: dict[str, str] = {name: label for name, label in DRAWN.items() if name in found.measures}
    for axis in found.axes:
        curves = [curve for curve in found.curves if curve.axis == axis]
        outcomes = {
            name: {curve.label: [level.measures.get(name) for level in curve.levels] for curve in curves}
            for name in DRAWN
            if name in found.measures
        }
        label = axis.description.partition(";")[0]  # the rest says what None means
        strengths.append(Strength(axis.name, label, axis.values, outcomes))
    return strengths, measures, found.settings.devices


def _tables(found: Sweep) -> list[Table]:
    columns = ("program", "value", "devices", *(COLUMNS[name] for name in found.measures))
    return [
        table(
            f"{axis.name}: {axis.description}",
            columns,
            [_row(curve, level, found) for curve in found.curves if curve.axis == axis for level in curve.levels],
        )
        for axis in found.axes
    ]


def _row(curve: Curve, level: Level, found: Sweep) -> list[str]:
    cells = [str(level.measures[name]) if name in level.measures else "–" for name in found.measures]
    ran = found.settings.devices - len(level.failures)
    return [curve.label, "off" if level.value is None else f"{level.value:g}", str(ran), *cells]


def _failures(found: Sweep) -> list[str]:
    return [
        f"{curve.label}, {curve.axis.name} = {level.value}: {len(level.failures)} of {found.settings.devices} devices "
        f"could not run: {level.failures[0]}"
        for curve in found.curves
        for level in curve.levels
        if level.failures
    ]
