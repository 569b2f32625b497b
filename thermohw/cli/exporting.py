# SPDX-License-Identifier: Apache-2.0
"""What `export` writes: coupling tables in several formats, and the netlist of an RC network."""

from pathlib import Path

from rich.table import Table

from thermohw.backends import RCCircuit
from thermohw.cards import RCCard, load_card
from thermohw.cli.console import table
from thermohw.errors import CardError, TableError
from thermohw.program import Program
from thermohw.spice import Netlist
from thermohw.tables import CouplingTable
from thermohw.tables.quantize import BlockErrors, ScaleRule

SUFFIXES = {"json": ".json", "csv": ".csv", "npz": ".npz", "c": ".h", "bin": ".bin"}
"""File endings of the formats of coupling tables."""

NETLIST_DEVICE = "rc_board"
"""Card of a netlist, if none is named."""


def parse_formats(formats: str, device: str | None = None) -> list[str]:
    """Parse a comma-separated list of formats, and check that a device is named for a netlist only.

    Raises:
        TableError: None, an unknown one, or a device for coupling tables alone.
    """
    names = list(dict.fromkeys(name.strip() for name in formats.split(",") if name.strip()))
    unknown = [name for name in names if name not in SUFFIXES and name != "spice"]
    if unknown or not names:
        known = ", ".join([*SUFFIXES, "spice"])
        raise TableError(f"unknown table format {', '.join(unknown) or formats!r}; there are: {known}")
    if device is not None and "spice" not in names:
        raise TableError("--device belongs to --format spice; a coupling table is the same for every device")
    return names


def scale_rule(name: str) -> ScaleRule:
    """Get the rule by which a block's scale is chosen.

    Raises:
        TableError: An unknown one.
    """
    rules: dict[str, ScaleRule] = {"max": "max", "mse": "mse"}
    if name not in rules:
        raise TableError(f"unknown scale {name!r}; there are: {', '.join(rules)}")
    return rules[name]


def write_netlist(program: Program, device: str, clip: bool, duration: float, seed: int | None, path: Path) -> Path:
    """Write the netlist of a program on an RC card; its noise is seeded, `duration` in units of t0.

    Raises:
        CardError: The card is not of an RC circuit.
        PlanError: A seed that ngspice does not take.
        DeviceLimitError: The program does not fit the card.
    """
    card = load_card(device)
    if not isinstance(card, RCCard):
        raise CardError(f"a netlist is of an RC network; {card.name} is of kind {card.kind!r}, try --device rc_board")
    with RCCircuit(card, clip=clip) as circuit:
        circuit.program(program)
        held = circuit.held
        scale = circuit.scale
        return Netlist(
            circuit.components(held),
            duration=duration * scale.time,
            output=f"{path.stem}.raw",
            seed=seed,
            provenance={
                "program": held.digest,
                "card": card.name,
                "clipping": str(circuit.clipping or "none"),
                "scale": f"x_u = {scale.length!r} V, t0 = {scale.time!r} s",
            },
        ).save(path)


def error_table(quantized: CouplingTable, errors: dict[str, BlockErrors]) -> Table:
    """Get what quantization did to each block, for people."""
    rows = [
        (block, str(quantized.bits[block]), f"{quantized.scales[block]:.4g}", *_error_cells(error))
        for block, error in errors.items()
    ]
    columns = ("block", "bits", "scale (k_BT/code)", "clipped", "rms error (k_BT)", "largest (k_BT)", "relative rms")
    return table("Coupling table", columns, rows)


def _error_cells(error: BlockErrors) -> tuple[str, str, str, str]:
    return str(error.clipped), f"{error.rms:.3g}", f"{error.largest:.3g}", f"{error.relative_rms:.3%}"
