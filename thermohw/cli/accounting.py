# SPDX-License-Identifier: Apache-2.0
"""What `energy` tells: the heat a sample beside the paper, or a ledger of each device beside digital computers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from thermohw import figures
from thermohw.backends import Clipping
from thermohw.backends.analog import SETTLING
from thermohw.backends.emulated import default_step
from thermohw.cards import card_names, load_card
from thermohw.cli import generating
from thermohw.cli.console import err, json_text, out, print_json, table
from thermohw.cli.options import clipping_of
from thermohw.cli.sources import Source
from thermohw.device import ThermodynamicDevice
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
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.noise import choose_seed
from thermohw.nonideal import EntropyProduction, entropy_production
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.report import paper_comparison, save_figures
from thermohw.samples import Samples
from thermohw.statistics import Estimate
from thermohw.storage import require_writable, write_atomically
from thermohw.units import thermal_energy

SCHEMA = "thermohw-energy/1"

Opener = Callable[[str], ThermodynamicDevice]
"""Opens a device by the name or the path of its card, with what else was asked for."""


def parse_devices(text: str) -> list[str]:
    """Get the devices that are meant: every shipped card, or names and paths with commas between them.

    Raises:
        CardError: No such card.
    """
    names = list(card_names()) if text == "all" else [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        load_card(name)  # before anything runs
    return names or ["ideal"]


def heat_alone(file: Path | None, names: list[str], effects: str | None, folder: Path | None) -> bool:
    """Get whether the heat is all that is asked for: of samples in a file, or on the ideal device.

    Raises:
        PlanError: Samples in a file, and something that only fresh ones can tell.
    """
    if file is not None and (names != ["ideal"] or effects is not None or folder is not None):
        raise PlanError("--from tells the heat of samples that are there; it goes without --device, --effects, --out")
    return file is not None or (names == ["ideal"] and folder is None)


def tell_heat(source: Source, file: Path | None, opener: Opener, plan: RunPlan, as_json: bool) -> None:
    """Print the heat a sample on the ideal device, or of samples in a file, beside the paper's."""
    split: EntropyProduction | None = None
    if file is not None:
        ran = Samples.load(file)
    else:
        with opener("ideal") as device:
            ran = generating.run_plan(device, source.runnable(), plan)
            split = entropy_production(device, plan, ran)
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
                **_entropy(split),
            }
        )
        return
    if rows:
        cells = [(row.quantity, row.paper, row.ours, row.remark) for row in rows]
        out.print(table("Beside the paper", ("quantity", "paper", "ours", "remark"), cells))
    out.print(f"heat {heat} k_BT a sample{_in_joules(heat, ran)}; digital {gain.digital_kT:.3g} k_BT ({baseline.name})")
    out.print(f"advantage ({gain}), {gain.counts}")
    if split is not None:
        out.print(str(split), soft_wrap=True)


def _in_joules(heat: Estimate, samples: Samples) -> str:
    scale = samples.scale
    return "" if scale is None else f" of the device's own, {joules_text(heat.mean * scale.energy)}"


def tell_ledgers(
    source: Source, names: list[str], opener: Opener, plan: RunPlan, amortise: float, folder: Path, as_json: bool
) -> None:
    """Run a program on several devices, and print and draw where the energy goes.

    Raises:
        DeviceLimitError: No device holds the program.
        StorageError: The folder cannot be written.
    """
    found = not folder.exists()
    require_writable(folder)
    seeded = replace(plan, seed=choose_seed() if plan.seed is None else plan.seed)
    program = source.runnable()
    dt = default_step(seeded, AsBuilt.from_program(program)) if seeded.dt is None else seeded.dt
    workload = Workload.of(program, seeded.steps(dt), amortise)
    accounts: list[_Account] = []
    refused: dict[str, str] = {}
    for name in names:
        try:
            accounts.append(_account(name, program, opener, seeded, workload))
        except DeviceLimitError as error:
            refused[name] = str(error)
    if not accounts:
        if found:
            folder.rmdir()
        raise DeviceLimitError("; ".join(refused.values()))
    comparison = Comparison.of([account.ledger for account in accounts], workload)
    told = {
        "schema": SCHEMA,
        **comparison.as_dict(),
        "refused": refused,
        "clipping": {a.name: a.clipping.as_dict() for a in accounts if a.clipping is not None},
        "entropy": {a.name: a.entropy.as_dict() for a in accounts if a.entropy is not None},
        "seed": seeded.seed,
        "samples": seeded.n_samples,
    }
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
    for account in accounts:
        for remark in (account.clipping, account.entropy):
            if remark is not None:
                err.print(f"{account.name}: {remark}", markup=False, soft_wrap=True)
    for name, reason in refused.items():
        err.print(f"left out: {name}: {reason}", markup=False, soft_wrap=True)
    for file in (folder / "energy.json", *files):
        out.print(str(file), soft_wrap=True)


@dataclass(frozen=True)
class _Account:
    """What one device needs for a sample.

    Attributes:
        name: As it was asked for.
        ledger: Where the energy goes.
        clipping: What its ranges did to the program, if it clips.
        entropy: What keeps it out of equilibrium, if anything does.
    """

    name: str
    ledger: Ledger
    clipping: Clipping | None
    entropy: EntropyProduction | None


def _account(name: str, program: Program, opener: Opener, plan: RunPlan, workload: Workload) -> _Account:
    card = load_card(name)
    with opener(name) as device:
        longer = _until_settled(device, plan)
        if longer is not plan:
            err.print(
                f"{card.name}: runs for {longer.duration:.4g} t0 at its own step, until kinetic energy is heat",
                markup=False,
            )
        samples = generating.run_plan(device, program, longer)
        scale, clipping = device.spec.scale, clipping_of(device)
        entropy = entropy_production(device, longer, samples)
    kT = thermal_energy(card.temperature.value)
    seconds = None if scale is None else longer.duration * scale.time
    ledger = device_ledger(card.name, card.energy, Estimate.of(samples.heat), kT, seconds, workload)
    return _Account(name, ledger, clipping, entropy)


def _entropy(split: EntropyProduction | None) -> dict[str, Any]:
    return {} if split is None else {"entropy": split.as_dict()}


def _until_settled(device: ThermodynamicDevice, plan: RunPlan) -> RunPlan:
    """Get a plan that is longer where there is inertia, at the device's own time step."""
    mass = device.spec.mass
    if mass * 20 < 1:
        return plan
    return replace(plan, duration=plan.duration + SETTLING * mass, dt=None)
