# SPDX-License-Identifier: Apache-2.0
"""Programs compensated by a record of calibration, for `export --calibration`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from thermohw.cli.calibration_telling import UNLIKELY, notes
from thermohw.cli.console import err
from thermohw.cli.options import open_device
from thermohw.errors import CalibrationError
from thermohw.estimation.basis import Floats
from thermohw.estimation.compensation import Deviations, compensate
from thermohw.estimation.record import CalibrationRecord
from thermohw.estimation.request import other_device
from thermohw.estimation.sealed import file_digest
from thermohw.estimation.statement import FILE
from thermohw.program import Program

CalibrationFolder = Annotated[
    Path | None, typer.Option("--calibration", help="Record of calibration of the device that is compensated for.")
]
KeepOnsite = Annotated[
    bool,
    typer.Option("--keep-onsite", help="For --calibration: J2 and J4 are built in; only couplings and biases change."),
]


@dataclass(frozen=True, eq=False)
class Compensated:
    """A program for a device as it is.

    Attributes:
        program: What is to be programmed.
        provenance: Record, device and the program that was wanted, by name.
        gains: (pairs,) what the device makes of a programmed coupling, both over the kT that they are held to; None: 1.
    """

    program: Program
    provenance: dict[str, str]
    gains: Floats | None = None


def compensated(
    wanted: Program,
    folder: Path | None,
    device: str | None,
    effects: str | None,
    device_seed: int | None,
    *,
    clip: bool,
    onsite: bool = True,
) -> Compensated:
    """Compensate a program by a record of calibration, and tell on standard error what that did.

    Args:
        wanted: What is wanted; of the record's units and pairs.
        folder: Of the record; None: the program as it is wanted.
        device: Card or line of the device that the table is for, which must be the record's; None: it is.
        effects: Profile of its imperfections.
        device_seed: Which device of its kind.
        clip: Whether couplings and biases may saturate.
        onsite: Whether the device's J2 and J4 can be programmed.

    Raises:
        CalibrationError: Effects without a record; a record of another device or topology, or one that knows too
            little; or what it takes is beyond the device.
        StorageError: There is no record, or it cannot be read.
        FileFormatError: It is damaged.
    """
    if folder is None:
        if effects is not None or device_seed is not None:
            raise CalibrationError("--effects and --device-seed name the device of --calibration: give that too")
        if not onsite:
            raise CalibrationError("--keep-onsite says what --calibration may change: give that too")
        return Compensated(wanted, {})
    record = CalibrationRecord.load(folder)
    if device is not None:
        _check_device(record, device, effects, device_seed, clip)
    if not record.program.topology.same_as(wanted.topology):
        here, there = record.program.topology, wanted.topology
        raise CalibrationError(
            f"{folder} is the calibration of {here.units} units and {len(here.pairs)} pairs, the program has "
            f"{there.units} units and {len(there.pairs)} pairs: a record must be of the same units and pairs"
        )
    request = record.request
    deviations = Deviations.of(record.estimates, record.program, request.device.kT, record.pairs)
    program = compensate(wanted, deviations, onsite=onsite)
    if not clip:
        _check_limits(record, program)
    _tell(record, deviations, wanted)
    provenance = {
        "wanted": wanted.digest,
        "calibration": folder.resolve().name,
        "calibration.date": record.statement.date.isoformat(),
        "calibration.sha256": file_digest(folder / FILE),
        "device": request.device.name,
    }
    return Compensated(program, provenance, deviations.gains / deviations.heating)


def _tell(record: CalibrationRecord, deviations: Deviations, wanted: Program) -> None:
    request, gains = record.request, deviations.gains
    found = f"couplings' gains {gains.mean():.3f} ± {gains.std():.3f}, " if gains.size else ""
    offset = float(np.sqrt(np.mean(deviations.offsets**2)))
    err.print(
        f"compensated by {record.folder}, {record.statement.date:%Y-%m-%d %H:%M} UTC, of {request.device.name}: {found}"
        f"biases off by {offset:.3g} r.m.s., kT {deviations.heating:.4g} times the stated one",
        markup=False,
        soft_wrap=True,
    )
    if wanted.digest not in (request.asked, request.program):
        err.print("note: the record is of another program of the same pairs; its gains are taken for this one")
    for note in notes(record):
        err.print(note, markup=False, soft_wrap=True)
    white = record.statement.quality.whiteness
    if white is not None and white.p < UNLIKELY:
        err.print("note: the law that was fitted is not the device's: see whether a plain table does better")


def _check_device(
    record: CalibrationRecord, device: str, effects: str | None, device_seed: int | None, clip: bool
) -> None:
    with open_device(device, clip=clip, effects=effects, device_seed=device_seed) as opened:
        difference = other_device(record.request.device, opened.spec)
        if difference is not None:
            raise CalibrationError(
                f"{record.folder} is the calibration of {difference}; name the record's device, "
                "with its --effects and --device-seed if it has any, or none"
            )


def _check_limits(record: CalibrationRecord, program: Program) -> None:
    spec = record.request.device
    for what, values, limit in (
        ("coupling", program.couplings, spec.coupling_limit),
        ("bias", program.biases, spec.bias_limit),
    ):
        largest = float(np.abs(values).max(initial=0.0))
        if limit is not None and largest > limit:
            raise CalibrationError(
                f"compensated, the largest {what} is {largest:.4g}, and {spec.name} holds ±{limit:g}: scale "
                f"the program by {limit / largest:.3g}, or let it saturate (--clip)"
            )
