# SPDX-License-Identifier: Apache-2.0
"""`thermohw calibrate` and `thermohw calibration`: what a device really is, as records."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from thermohw.cli.calibration_telling import change_rows, draw_changes, draw_record, notes, record_tables, told
from thermohw.cli.console import clear_failure, err, out, print_json, progress_bar, table
from thermohw.cli.options import (
    AnyDevice,
    AsJson,
    Clip,
    DeviceSeed,
    Effects,
    Mobility,
    Seed,
    Target,
    ThermalEnergy,
    open_device,
)
from thermohw.cli.sources import open_source
from thermohw.device import ThermodynamicDevice
from thermohw.errors import CalibrationError, StorageError
from thermohw.estimation.planning import Forecast, check_wanted, forecast, run_pilot
from thermohw.estimation.probing import probe
from thermohw.estimation.recipes import Recipe, load_recipe
from thermohw.estimation.record import CalibrationRecord
from thermohw.estimation.request import Request, other_device
from thermohw.langevin.noise import choose_seed
from thermohw.program import Program

calibration = typer.Typer(
    help="Tell what is in records of calibration, and what changed between two.", add_completion=False
)

RecordFolder = Annotated[Path, typer.Argument(help="Folder of a record of calibration.")]


def calibrate(
    target: Target,
    device: AnyDevice = "ideal",
    effects: Effects = None,
    device_seed: DeviceSeed = None,
    recipe: Annotated[
        str,
        typer.Option(help="Recipe: quick, standard, snapshots, lines or pairs (big networks), or the path of a .toml."),
    ] = "standard",
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the record; calibration/PROGRAM-DEVICE if not given.")
    ] = None,
    target_error: Annotated[
        float | None,
        typer.Option(help="Standard error that each coupling is to have, kT: sets the number of readings."),
    ] = None,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="Tell what --target-error takes, after a pilot.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Keep readings as CSV rather than npz; for small devices.")
    ] = False,
    mobility: Mobility = 1.0,
    kt: ThermalEnergy = 1.0,
    clip: Clip = False,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Measure what a device makes of a program: couplings, on-site energies, biases, mobilities, temperatures, noise.

    Biases are applied in patterns and states read; the record holds estimates with standard errors, and the readings.
    An interrupted calibration goes on after its last finished pattern.
    """
    with clear_failure():
        program, chosen = open_source(target).runnable(), load_recipe(recipe)
        place = folder or _place(target, device)
        known = Request.read(place)
        if device_seed is None and effects is not None and known is not None:
            found = known.device.details.get("device_seed", "")
            device_seed = int(found) if found.isdecimal() else None
        opener = partial(open_device, device, mobility, kt, clip=clip, effects=effects, device_seed=device_seed)
        with _markovian(opener) as opened:
            foretold = None
            if target_error is not None or plan_only:
                seed = _seed_of(seed, place)
                foretold = _plan(opened, program, chosen, place, seed, target_error)
                chosen = foretold.recipe
            if plan_only:
                _tell_plan(foretold, as_json)
                return
            with progress_bar("calibrating") as progress:
                probed = probe(opened, program, chosen, place, seed, progress, as_csv=as_csv)
        with err.status("estimating"):  # a minute for a thousand units
            record = CalibrationRecord.of(probed)
        files = _drawn(partial(draw_record, record, place / "figures"))
        _tell(record, files, {"measured": probed.measured, "patterns": chosen.patterns}, foretold, as_json)


@calibration.command("show")
def show_record(
    record: RecordFolder,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the figure; the record's if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a record and tell what is in it."""
    with clear_failure():
        loaded = CalibrationRecord.load(record)
        _tell(loaded, _drawn(partial(draw_record, loaded, folder or record / "figures")), {}, None, as_json)


@calibration.command("compare")
def compare_records(
    earlier: RecordFolder,
    later: RecordFolder,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the figure; the later record's if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what changed between two records of one program, in standard errors."""
    with clear_failure():
        before, after = CalibrationRecord.load(earlier), CalibrationRecord.load(later)
        changes = after.changes_since(before)
        files = _drawn(partial(draw_changes, changes, before, folder or later / "figures"))
        if other_device(before.request.device, after.request.device) is not None:
            err.print("note: the two records are not of one device, or not in one state", markup=False)
        if after.statement.date < before.statement.date:
            err.print("note: the second record is the older one, so that changes are backwards", markup=False)
        if as_json:
            dates = {"earlier": before.statement.date.isoformat(), "later": after.statement.date.isoformat()}
            print_json({**dates, "changes": told(changes), "files": [str(file) for file in files]})
            return
        title = f"Changes from {before.statement.date:%Y-%m-%d %H:%M} to {after.statement.date:%Y-%m-%d %H:%M} UTC"
        columns = ("parameter", "known", "mean", "r.m.s.", "typical s.e.", "χ²", "p", "largest, in s.e.")
        out.print(table(title, columns, change_rows(changes)))
        for file in files:
            out.print(str(file), soft_wrap=True)


def _drawn(draw: Callable[[], list[Path]]) -> list[Path]:
    """Draw figures; where they cannot be written, as in an archive, say so and go on."""
    try:
        return draw()
    except StorageError as error:
        err.print(f"note: no figures: {error}", markup=False, soft_wrap=True)
        return []


def _markovian(opener: Callable[..., ThermodynamicDevice]) -> ThermodynamicDevice:
    """Open a device; one that Leimkuhler–Matthews steps would emulate by Euler–Maruyama ones.

    The former share noise with their neighbours: good for samples, but motion then seems to have a memory. A board that
    says that it takes such steps can only be told of.
    """
    opened = opener()
    if opened.spec.details.get("integrator") != "leimkuhler-matthews":
        return opened
    if "url" in opened.spec.details:
        err.print(
            f"note: {opened.spec.name} is emulated in Leimkuhler–Matthews steps, which share their noise: its motion "
            "will seem to have a memory; serve it with --integrator euler-maruyama",
            markup=False,
            soft_wrap=True,
        )
        return opened
    opened.close()
    return opener(integrator="euler-maruyama")


def _place(target: Path, device: str) -> Path:
    resolved = target.resolve()
    name = resolved.name if target.is_dir() else resolved.stem
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in Path(device).stem)
    return Path("calibration") / f"{name}-{plain}"


def _seed_of(seed: int | None, place: Path) -> int:
    """Get the seed of a pilot and of what follows it: the one given, that of the folder's pilot, or a new one."""
    if seed is not None:
        return seed
    pilot = Request.read(place / "pilot")
    return choose_seed() if pilot is None else (pilot.seed - 1) % 2**64


def _plan(
    device: ThermodynamicDevice, program: Program, recipe: Recipe, place: Path, seed: int, wanted: float | None
) -> Forecast:
    if recipe.by_lines:
        raise CalibrationError(f"--target-error is of couplings, which the method {recipe.method} does not foretell")
    if wanted is None:
        raise CalibrationError("--plan-only needs the error to plan for: --target-error 0.1, in kT")
    check_wanted(wanted)
    with progress_bar("pilot") as progress:
        return forecast(run_pilot(device, program, recipe, place, seed, progress), recipe, wanted)


def _tell_plan(foretold: Forecast | None, as_json: bool) -> None:
    assert foretold is not None  # --plan-only makes one
    if as_json:
        print_json({"plan": foretold.as_dict()})
    else:
        out.print(str(foretold), soft_wrap=True)


def _tell(
    record: CalibrationRecord,
    files: Sequence[Path],
    counts: Mapping[str, Any],
    foretold: Forecast | None,
    as_json: bool,
) -> None:
    for note in notes(record):
        err.print(note, markup=False, soft_wrap=True)
    if as_json:
        plan = {} if foretold is None else {"plan": foretold.as_dict()}
        statement = record.statement.model_dump(mode="json")
        shown = {"record": str(record.folder), "files_drawn": [str(file) for file in files]}
        print_json({**statement, **counts, **plan, **shown, "deviations": told(record.deviations())})
        return
    if foretold is not None:
        out.print(str(foretold), soft_wrap=True)
    out.print(*record_tables(record), sep="\n")
    if counts:
        reused = counts["patterns"] - counts["measured"]
        out.print(f"{counts['measured']} patterns measured, {reused} there already", soft_wrap=True)
    for file in (record.folder / "record.json", *files):
        out.print(str(file), soft_wrap=True)
