# SPDX-License-Identifier: Apache-2.0
"""What `energy` tells: the heat a sample beside the paper, or a ledger of each device beside digital computers."""

from dataclasses import replace
from pathlib import Path

from thermohw import figures
from thermohw.backends import EmulatedDevice
from thermohw.cards import card_names, load_card
from thermohw.cli import generating
from thermohw.cli.console import err, json_text, out, print_json, table
from thermohw.cli.options import open_device
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
from thermohw.errors import DeviceLimitError
from thermohw.langevin.noise import choose_seed
from thermohw.plan import RunPlan
from thermohw.report import paper_comparison, save_figures
from thermohw.samples import Samples
from thermohw.statistics import Estimate
from thermohw.storage import require_writable, write_atomically
from thermohw.units import thermal_energy

SETTLING = 5.0
"""Time, in units of m*, for which a device with inertia runs on until its energy has become heat: e^-5 is left."""


def parse_devices(text: str) -> list[str]:
    """Get the devices that are meant: every shipped card, or names and paths with commas between them.

    Raises:
        CardError: No such card.
    """
    names = list(card_names()) if text == "all" else [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        load_card(name)  # before anything runs
    return names or ["ideal"]


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
    with open_device("ideal") as ideal:
        reference = generating.run_plan(ideal, program, replace(seeded, n_samples=1))
    assert reference.dt is not None  # emulated
    workload = Workload.of(program, seeded.steps(reference.dt), amortise)
    ledgers: list[Ledger] = []
    refused: dict[str, str] = {}
    for name in names:
        try:
            ledgers.append(_ledger(source, name, seeded, clip, workload))
        except DeviceLimitError as error:
            refused[name] = str(error)
    if not ledgers:
        raise DeviceLimitError("; ".join(refused.values()))
    comparison = Comparison.of(ledgers, workload)
    told = {**comparison.as_dict(), "refused": refused, "seed": seeded.seed, "samples": seeded.n_samples}
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
    for name, reason in refused.items():
        err.print(f"left out: {name}: {reason}", markup=False, soft_wrap=True)
    for file in (folder / "energy.json", *files):
        out.print(str(file), soft_wrap=True)


def _ledger(source: Source, name: str, plan: RunPlan, clip: bool, workload: Workload) -> Ledger:
    card = load_card(name)
    with open_device(name, clip=clip) as device:
        longer = _until_settled(device, plan)
        if longer is not plan:
            err.print(f"{card.name}: runs for {longer.duration:.4g} t0, until kinetic energy is heat", markup=False)
        samples = generating.run_plan(device, source.runnable(), longer)
        scale = device.spec.scale
    kT = thermal_energy(card.temperature.value)
    seconds = None if scale is None else longer.duration * scale.time
    return device_ledger(card.name, card.energy, Estimate.of(samples.heat), kT, seconds, workload)


def _until_settled(device: EmulatedDevice, plan: RunPlan) -> RunPlan:
    """Get a plan that is longer where there is inertia, at the device's own time step."""
    mass = device.spec.mass
    if mass * 20 < 1:
        return plan
    return replace(plan, duration=plan.duration + SETTLING * mass, dt=None)
