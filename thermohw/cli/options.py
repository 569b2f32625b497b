# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from thermohw import backends as devices
from thermohw.backends import AnalogDevice, Clipping
from thermohw.backends.analog import SETTLING
from thermohw.cli.console import err
from thermohw.device import ThermodynamicDevice
from thermohw.errors import DeviceLimitError, TrainingError
from thermohw.langevin.engine import Integrator
from thermohw.langevin.noise import choose_seed
from thermohw.nonideal import NonidealDevice, load_profile

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of all noise; chosen and recorded if not given.")]
Target = Annotated[Path, typer.Argument(help="A run's folder, a program, or a coupling table.")]
SampleCount = Annotated[int, typer.Option("--samples", help="Number of independent trajectories.")]
Duration = Annotated[float, typer.Option(help="Length of a trajectory, in 1/(mobility · energy).")]
TimeStep = Annotated[float | None, typer.Option("--dt", help="Time step; the device's choice if not given.")]
DeviceName = Annotated[str, typer.Option("--device", help="Name of a device card, or path of one; `devices` lists.")]
AnyDevice = Annotated[
    str,
    typer.Option(
        "--device",
        help="Name of a device card, or path of one (`devices` lists); or a board's line: serial port or pyserial URL.",
    ),
]
Journal = Annotated[
    Path | None,
    typer.Option(
        "--journal", help="Folder that keeps what was fetched from a board, so that the same command goes on."
    ),
]
Overdamped = Annotated[bool, typer.Option("--overdamped", help="Leave inertia out, where it is negligible.")]
Clip = Annotated[bool, typer.Option("--clip", help="Let couplings and biases saturate at the device's ranges.")]
Effects = Annotated[
    str | None,
    typer.Option("--effects", help="Imperfections: a profile's name (ideal, typical, …), or the path of one, .toml."),
]
DeviceSeed = Annotated[
    int | None,
    typer.Option("--device-seed", min=0, help="Which device of its kind; chosen and recorded if not given."),
]
Mobility = Annotated[float, typer.Option(help="Mobility μ of the device, 1/(energy · time).")]
ThermalEnergy = Annotated[float, typer.Option("--kt", help="Thermal energy, in the unit of the program's energies.")]
IntegratorName = Annotated[
    str | None,
    typer.Option("--integrator", help="euler-maruyama (ideal's default) or leimkuhler-matthews (that of cards)."),
]


def open_device(
    name: str,
    mobility: float = 1.0,
    kT: float = 1.0,
    integrator: str | None = None,
    *,
    overdamped: bool = False,
    clip: bool = False,
    effects: str | None = None,
    device_seed: int | None = None,
    journal: Path | None = None,
) -> ThermodynamicDevice:
    """Open a device by the name or the path of its card, or a board by its line; with a profile's imperfections.

    Raises:
        DeviceLimitError: An unknown integrator, or a parameter out of range or not this device's to set.
        CardError: An unknown device or profile, or a card or profile that is not valid.
        StorageError: The card's file cannot be read.
        TransportError: The line cannot be opened, or nobody answers.
        ProtocolError: Who answers does not speak the protocol.
    """
    integrators: dict[str | None, Integrator | None] = {None: None, **{known: known for known in get_args(Integrator)}}
    if integrator not in integrators:
        raise DeviceLimitError(f"unknown integrator {integrator!r}; there are: {', '.join(get_args(Integrator))}")
    if effects is None and device_seed is not None:
        raise DeviceLimitError("--device-seed tells imperfect devices apart: give --effects too")
    profile = None if effects is None else load_profile(effects)
    if devices.is_line(name):
        given = {
            "mobility": mobility != 1,
            "kt": kT != 1,
            "integrator": integrator,
            "overdamped": overdamped,
            "clip": clip,
        }
        _refuse(name, [option for option, value in given.items() if value])
        device: ThermodynamicDevice = devices.SerialDevice(name, journal=journal)
    else:
        if journal is not None:
            raise DeviceLimitError(f"--journal keeps what is fetched from a board; {name} is an emulated device")
        device = devices.open_device(
            name, mobility=mobility, kT=kT, overdamped=overdamped, clip=clip, integrator=integrators[integrator]
        )
    try:
        return device if profile is None else NonidealDevice(device, profile.effects, device_seed)
    except DeviceLimitError:
        device.close()
        raise


def _refuse(name: str, options: list[str]) -> None:
    if options:
        raise DeviceLimitError(
            f"--{options[0]} is for emulated devices; {name} is a board, whose properties are its own"
        )


def noising_device(
    name: str | None, effects: str | None, device_seed: int | None
) -> AbstractContextManager[ThermodynamicDevice | None]:
    """Open the device on which a training samples its noising; nothing where none is asked for.

    Raises:
        DeviceLimitError: A device seed without effects.
        CardError: An unknown device or profile, or one that is not valid.
    """
    if (name, effects, device_seed) == (None, None, None):
        return nullcontext()
    return open_device(name or "ideal", effects=effects, device_seed=device_seed)


def one_device_seed(effects: str | None, device_seed: int | None) -> int | None:
    """Get the device seed of a command that opens several devices: one is chosen for all if none is given."""
    return choose_seed() if effects is not None and device_seed is None else device_seed


def clipping_of(device: ThermodynamicDevice) -> Clipping | None:
    """Get what clipping did to the loaded program, if the device clips."""
    return device.clipping if isinstance(device, AnalogDevice | NonidealDevice) else None


def warn_of_inertia(device: ThermodynamicDevice, duration: float) -> None:
    """Say so where units have not come to rest by the end of a run."""
    settling = SETTLING * device.spec.mass
    if duration < settling:
        err.print(
            f"note: units of {device.spec.name} have inertia, m* = {device.spec.mass:.3g}: after {duration:g} t0 they "
            f"still ring, and part of the heat is kinetic energy yet; --duration {duration + settling:.3g} is enough",
            markup=False,
        )


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Parse `key=value` settings; the values' types are checked by the configuration.

    Raises:
        TrainingError: A setting without a key or `=`.
    """
    parsed: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not (key.strip() and equals):
            raise TrainingError(f"--set {setting!r} must read KEY=VALUE, as in --set amplitude=30")
        parsed[key.strip()] = value.strip()
    return parsed


def parse_classes(text: str | None) -> list[int] | None:
    """Parse a comma-separated list of class labels.

    Raises:
        TrainingError: Not whole numbers.
    """
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise TrainingError(f"--select {text!r} must be class labels such as 0,1,2") from None
