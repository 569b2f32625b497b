# SPDX-License-Identifier: Apache-2.0
"""From a device card to the device."""

import os
import re
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from thermohw.backends.analog import AnalogDevice
from thermohw.backends.emulated import EmulatedDevice, EngineName, Precision
from thermohw.backends.josephson import JosephsonJunction
from thermohw.backends.mechanical import MechanicalOscillator
from thermohw.backends.rc_circuit import RCCircuit
from thermohw.backends.simulated import SimulatedDevice
from thermohw.cards import AnyCard, DeviceCard, IdealCard, JosephsonCard, MechanicalCard, RCCard, load_card
from thermohw.errors import DeviceLimitError
from thermohw.langevin.engine import Integrator

ANALOG: dict[type[DeviceCard], type[AnalogDevice[Any, Any]]] = {
    RCCard: RCCircuit,
    MechanicalCard: MechanicalOscillator,
    JosephsonCard: JosephsonJunction,
}
"""The backend of each kind of card that has components."""

_PORT = re.compile(r"COM[0-9]+", re.IGNORECASE)


def is_line(name: str) -> bool:
    """Get whether a name is that of a line, for `SerialDevice`: a URL, a port, or the path of a character device."""
    if "://" in name or name.startswith("/dev/") or _PORT.fullmatch(name):
        return True
    try:
        return Path(name).is_char_device()
    except (OSError, ValueError):  # no name that a file could have
        return False


def open_device(
    card: AnyCard | str | os.PathLike[str],
    *,
    mobility: float = 1.0,
    kT: float = 1.0,
    overdamped: bool = False,
    clip: bool = False,
    engine: EngineName = "auto",
    integrator: Integrator | None = None,
    precision: Precision = "float32",
    executor: Executor | None = None,
) -> EmulatedDevice:
    """Open the emulated device that a card describes.

    Args:
        card: A card, the name of one that ships with the package, or the path of one.
        mobility: μ of the ideal device; a card's device has its own.
        kT: Thermal energy of the ideal device, likewise.
        overdamped: Leave inertia out; refused where it is not negligible.
        clip: Let couplings and biases saturate at the ends of their ranges.
        engine: See `EmulatedDevice`, as all that follows.
        integrator: Euler–Maruyama, the default of the ideal device, or Leimkuhler–Matthews, that of all others; None
            with inertia, where it is BAOAB.
        precision: Of the states while they are integrated.
        executor: Where blocks of trajectories run.

    Raises:
        CardError: No such card, or one that is not valid.
        StorageError: The card's file cannot be read.
        DeviceLimitError: mobility or kT out of range, or not this device's to set; inertia is not negligible and was
            to be left out, or an integrator without it was asked for.
    """
    known = load_card(card) if isinstance(card, str | os.PathLike) else card
    if isinstance(known, IdealCard):
        chosen: Integrator = integrator or "euler-maruyama"
        return SimulatedDevice(mobility, kT, engine=engine, integrator=chosen, precision=precision, executor=executor)
    if (mobility, kT) != (1.0, 1.0):
        raise DeviceLimitError(f"mobility and kT belong to the ideal device; those of {known.name} are its card's")
    device = ANALOG[type(known)](
        known,
        overdamped=overdamped,
        clip=clip,
        engine=engine,
        integrator=integrator or "leimkuhler-matthews",
        precision=precision,
        executor=executor,
    )
    if device.spec.mass and integrator is not None:
        raise DeviceLimitError(f"{known.name} has inertia, which BAOAB integrates; {integrator} is for devices without")
    return device
