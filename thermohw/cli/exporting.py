# SPDX-License-Identifier: Apache-2.0
"""What `export` writes: coupling tables in several formats, and the netlist of an RC network."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from rich.table import Table

from thermohw.backends import RCCircuit
from thermohw.cards import RCCard, load_card
from thermohw.cli.compensating import Compensated
from thermohw.cli.console import table
from thermohw.cli.sources import Source
from thermohw.errors import CardError, TableError
from thermohw.program import Program
from thermohw.spice import Netlist
from thermohw.tables import CouplingTable
from thermohw.tables.grids import GridName
from thermohw.tables.judging import SpuriousModesWarning
from thermohw.tables.quantize import BlockErrors
from thermohw.training.quantized import QuantizedProgram, RoundingMethod, quantize_program

SUFFIXES = {"json": ".json", "csv": ".csv", "npz": ".npz", "c": ".h", "bin": ".bin"}
"""File endings of the formats of coupling tables."""

NETLIST_DEVICE = "rc_board"
"""Card of a netlist, if none is named."""

LEADING_MODES = 10
"""Eigenvalues that JSON tells."""


def parse_formats(formats: str, device: str | None = None, calibrated: bool = False) -> list[str]:
    """Parse a comma-separated list of formats, and check that a device is named for a netlist or a calibration only.

    Raises:
        TableError: None, an unknown one, or a device for coupling tables alone.
    """
    names = list(dict.fromkeys(name.strip() for name in formats.split(",") if name.strip()))
    unknown = [name for name in names if name not in SUFFIXES and name != "spice"]
    if unknown or not names:
        known = ", ".join([*SUFFIXES, "spice"])
        raise TableError(f"unknown table format {', '.join(unknown) or formats!r}; there are: {known}")
    if device is not None and "spice" not in names and not calibrated:
        raise TableError(
            "--device belongs to --format spice or --calibration; any other coupling table is the same for every device"
        )
    return names


def quantize(
    source: Source,
    bits: int,
    method: str | None,
    grid: str,
    bias_bits: int | None,
    seed: int | None,
    made_up: Compensated,
) -> QuantizedProgram:
    """Quantize a program, as a source tells; spurious modes are for `notes` to tell.

    Args:
        source: A run, a program or a table: whose path moments are taken.
        bits: Bits a coupling.
        method: Name of a rounding method; None: `likelihood` where the path moments are known, else `nearest`.
        grid: Name of a grid.
        bias_bits: Bits a bias; None: as `bits`, but no fewer than 8.
        seed: Of the random rounding.
        made_up: What is rounded: the source's own, or one compensated for a device.

    Raises:
        TableError: Bits, method or grid that do not exist.
        TrainingError: The method needs path moments that are not there.
    """
    moments = None if source.run is None else source.run.moments
    chosen = method or ("nearest" if moments is None else "likelihood")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpuriousModesWarning)
        quantized = quantize_program(
            made_up.program, bits, cast(RoundingMethod, chosen), grid=cast(GridName, grid),
            bias_bits=bias_bits, seed=seed, moments=moments, gains=made_up.gains,
        )  # fmt: skip
    return replace(quantized, table=quantized.table.with_provenance(made_up.provenance))


def notes(quantized: QuantizedProgram) -> list[str]:
    """Tell, for people, what rounding did to the likelihood and to the modes."""
    table, modes = quantized.table, quantized.modes
    lines = [f"method {table.method}, {table.provenance['grid']} grid"]
    if quantized.distortion is not None:
        lines.append(f"loss of log-likelihood by the rounding, second order: {quantized.distortion:.4g} per unit time")
    lines.append(str(modes))
    if modes.spurious:
        lines.append(
            f"note: {modes.spurious} spurious modes grow: this table generates patterns that nobody trained; "
            "take the method likelihood, or more bits"
        )
    if modes.lost:
        lines.append(
            f"note: {modes.lost} of the program's modes no longer grow: patterns are missing; take the method "
            "likelihood, or more bits"
        )
    return lines


def summary(quantized: QuantizedProgram, errors: dict[str, BlockErrors]) -> dict[str, Any]:
    """Get what rounding did, for JSON."""
    spectra = {"program": quantized.modes.program, "table": quantized.modes.table}
    return {
        "digest": quantized.table.digest,
        "method": quantized.table.method,
        "grid": quantized.table.provenance["grid"],
        "seed": quantized.table.provenance.get("seed"),
        "distortion": quantized.distortion,
        "modes": {
            "growth_line": quantized.modes.program.growth_line,
            "spurious": quantized.modes.spurious,
            "lost": quantized.modes.lost,
            **{
                name: {"growing": found.growing, "leading": found.eigenvalues[:LEADING_MODES].tolist()}
                for name, found in spectra.items()
            },
        },
        "blocks": {block: vars(error) for block, error in errors.items()},
    }


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
