# SPDX-License-Identifier: Apache-2.0
"""What `energy` tells: the heat a sample beside the paper, or a ledger of each device beside digital computers."""

from dataclasses import replace
from pathlib import Path

from thermohw import figures
from thermohw.backends import Clipping, EmulatedDevice, SimulatedDevice
from thermohw.backends.analog import SETTLING
from thermohw.cards import card_names, load_card
from thermohw.cli import generating
from thermohw.cli.console import err, json_text, out, print_json, table
from thermohw.cli.options import clipping_of, open_device
from thermohw.cli.sources import Source
from thermohw.energy import (
    Comparison,
    Ledger,
    Workload,
    device_ledger,
    intrinsic_advantage,
    joules_text,
    load_baseline,
)
from thermohw.errors import DeviceLimitError, PlanError
from thermohw.langevin.noise import choose_seed
from thermohw.plan import RunPlan
from thermohw.report import paper_comparison, save_figures
from thermohw.samples import Samples
from thermohw.statistics import Estimate
from thermohw.storage import require_writable, write_atomically
from thermohw.units import thermal_energy

SCHEMA = "thermohw-energy/1"


def parse_devices(text: str) -> list[str]:
    """Get the devices that are meant: every shipped card, or names and paths with commas between them.

    Raises:
        CardError: No such card.
    """
    names = list(card_names()) if text == "all" else [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        load_card(name)  # before anything runs
    return names or ["ideal"]


def heat_alone(file: Path | None, names: list[str], folder: Path | None) -> bool:
    """Get whether the heat is all that is asked for: of samples in a file, or on the ideal device.

    Raises:
        PlanError: Samples in a file, and something that only fresh ones can tell.
    """
    if file is not None and (names != ["ideal"] or folder is not None):
        raise PlanError("--from tells the heat of samples that are there; it goes without --device and --out")
    return file is not None or (names == ["ideal"] and folder is None)


def tell_heat(source: Source, file: Path | None, plan: RunPlan, as_json: bool) -> None:
    """Print the heat a sample on the ideal device, or of samples in a file, beside the paper's."""
    if file is not None:
        ran = Samples.load(file)
    else:
        with open_device("ideal") as device:
            ran = generating.run_plan(device, source.runnable(), plan)
    baseline = load_baseline()
    heat = Estimate.of(ran.heat)
    gain = intrinsic_advantage(heat, baseline, None if ran.scale is None else ran.scale.energy)
    fidelity = generating.fidelity_of(source.run, ran, None)
    rows = [] if source.run is None or fidelity is None else paper_comparison(source.run, ran.heat, fidelity, baseline)
    if as_json:
        print_json(
            {
                "heat_kT": vars(heat),
                "advantage": {"ratio": gain.ratio, "standard_error": gain.standard_error, "counts": gain.counts},
                "digital": {"energy_kT": gain.digital_kT, **baseline.model_dump(mode="json")},
                "comparison": [vars(row) for row in rows],
            }
        )
        return
    if rows:
        cells = [(row.quantity, row.paper, row.ours, row.remark) for row in rows]
        out.print(table("Beside the paper", ("quantity", "paper", "ours", "remark"), cells))
    out.print(f"heat {heat} k_BT a sample{_in_joules(heat, ran)}; digital {gain.digital_kT:.3g} k_BT ({baseline.name})")
    out.print(f"advantage ({gain}), {gain.counts}")


def _in_joules(heat: Estimate, samples: Samples) -> str:
    scale = samples.scale
    return "" if scale is None else f" of the device's own, {joules_text(heat.mean * scale.energy)}"


def tell_ledgers(
    source: Source, names: list[str], plan: RunPlan, clip: bool, amortise: float, folder: Path, as_json: bool
) -> None:
    """Run a program on several devices, and print and draw where the energy goes.

    Raises:
        DeviceLimitError: No device holds the program.
        StorageError: The folder cannot be written.
    """
    require_writable(folder)
    program = source.runnable()
    seeded = replace(plan, seed=choose_seed() if plan.seed is None else plan.seed)
    with SimulatedDevice(engine="overdamped") as ideal:  # step by step, for linear programs too
        reference = generating.run_plan(ideal, program, replace(seeded, n_samples=1))
    assert reference.dt is not None  # emulated
    workload = Workload.of(program, seeded.steps(reference.dt), amortise)
    ledgers: list[Ledger] = []
    refused: dict[str, str] = {}
    clipped: dict[str, Clipping] = {}
    for name in names:
        try:
            ledger, clipping = _ledger(source, name, seeded, clip, workload)
            ledgers.append(ledger)
            if clipping is not None:
                clipped[name] = clipping
        except DeviceLimitError as error:
            refused[name] = str(error)
    if not ledgers:
        raise DeviceLimitError("; ".join(refused.values()))
    comparison = Comparison.of(ledgers, workload)
    saturated = {name: clipping.as_dict() for name, clipping in clipped.items()}
    told = {"schema": SCHEMA, **comparison.as_dict(), "refused": refused, "clipping": saturated}
    told |= {"seed": seeded.seed, "samples": seeded.n_samples}
    write_atomically(folder / "energy.json", json_text(told))
    drawn = {
        "ledgers": figures.energy_ledgers(comparison.ledgers, comparison.digital),
        "break_even": figures.break_even_curves(comparison.ledgers, comparison.digital),
    }
    files = save_figures(drawn, folder)
    if as_json:
        print_json({**told, "figures": [str(file) for file in files]})
        return
    for text in comparison.tables():
        out.print(table(text.title, text.columns, text.rows))
    for name, clipping in clipped.items():
        err.print(f"{name}: {clipping}", markup=False, soft_wrap=True)
    for name, reason in refused.items():
        err.print(f"left out: {name}: {reason}", markup=False, soft_wrap=True)
    for file in (folder / "energy.json", *files):
        out.print(str(file), soft_wrap=True)


def _ledger(source: Source, name: str, plan: RunPlan, clip: bool, workload: Workload) -> tuple[Ledger, Clipping | None]:
    card = load_card(name)
    with open_device(name, clip=clip) as device:
        longer = _until_settled(device, plan)
        if longer is not plan:
            err.print(
                f"{card.name}: runs for {longer.duration:.4g} t0 at its own step, until kinetic energy is heat",
                markup=False,
            )
        samples = generating.run_plan(device, source.runnable(), longer)
        scale, clipping = device.spec.scale, clipping_of(device)
    kT = thermal_energy(card.temperature.value)
    seconds = None if scale is None else longer.duration * scale.time
    return device_ledger(card.name, card.energy, Estimate.of(samples.heat), kT, seconds, workload), clipping


def _until_settled(device: EmulatedDevice, plan: RunPlan) -> RunPlan:
    """Get a plan that is longer where there is inertia, at the device's own time step."""
    mass = device.spec.mass
    if mass * 20 < 1:
        return plan
    return replace(plan, duration=plan.duration + SETTLING * mass, dt=None)
