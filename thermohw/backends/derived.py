# SPDX-License-Identifier: Apache-2.0
"""What follows from a device card: scales, inertia, rates, ranges in k_BT, and whether the overdamped law holds."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from thermohw.backends.analog import NEGLIGIBLE_INERTIA, AnalogDevice
from thermohw.backends.josephson import JosephsonJunction
from thermohw.backends.opening import open_device
from thermohw.cards import REFERENCE_J2, REFERENCE_J4, AnyCard, Range
from thermohw.langevin.stability import largest_stable_step, relaxation_rates
from thermohw.program import Program
from thermohw.topology import Topology
from thermohw.units import thermal_energy

SAMPLE_DURATION = 2.5
"""Length of a sample in the paper, in reduced time."""


@dataclass(frozen=True)
class Fact:
    """One number that follows from a card.

    Attributes:
        name: What it is.
        value: The number.
        unit: Its unit; "1" for a ratio.
        key: Its name in JSON.
    """

    key: str
    name: str
    value: float
    unit: str


def facts(card: AnyCard) -> list[Fact]:
    """Get what follows from a card, at J2 = J4 = 10 k_BT."""
    temperature = card.temperature.value
    found = [
        Fact("temperature", "noise temperature T_eff", temperature, "K"),
        Fact("thermal_energy", "k_BT_eff", thermal_energy(temperature), "J"),
    ]
    device = open_device(card)
    device.program(Program.uncoupled(Topology.complete(1), REFERENCE_J2, REFERENCE_J4))
    built = device.as_built
    assert built is not None  # a program is loaded
    rate, step = float(relaxation_rates(built, np.zeros(1))[0]), largest_stable_step(built)
    if not isinstance(device, AnalogDevice):
        return found + _rates(rate, step, None)
    analog = cast(AnalogDevice[Any, Any], device)
    return found + _scales(analog) + _rates(rate, step, analog.scale.time) + _ranges(analog)


def overdamped_sentence(card: AnyCard) -> str:
    """Say whether the overdamped law holds for a device."""
    device = open_device(card)
    if not isinstance(device, AnalogDevice):
        return "Overdamped by definition: the ideal device obeys Eq. 1."
    mass: float = device.reduced_mass
    if mass == 0:
        return "Overdamped by construction: the units have no inertia."
    inertia, ringing = mass * 2 * REFERENCE_J2, 2 * mass * device.scale.time
    if inertia <= NEGLIGIBLE_INERTIA:
        return f"The overdamped law holds: m*·2 J2 = {inertia:.3g} is far below 1, so that inertia may be left out."
    if inertia < 0.25:
        return f"Overdamped, but m*·2 J2 = {inertia:.3g} is not negligible: run with inertia."
    return (
        f"The overdamped law does not hold: m*·2 J2 = {inertia:.3g}; a displaced unit rings, and its amplitude decays "
        f"in 2 m* t0 = {ringing:.3g} s. Run with inertia, and much longer than {SAMPLE_DURATION:g} t0."
    )


def _scales(device: AnalogDevice[Any, Any]) -> list[Fact]:
    scale, mass = device.scale, device.reduced_mass
    found = [
        Fact("length", f"x_u, {scale.coordinate} of one reduced unit", scale.length, scale.unit),
        Fact("time", "t0, reduced unit of time", scale.time, "s"),
        Fact("sample_time", f"one sample of duration {SAMPLE_DURATION:g}", SAMPLE_DURATION * scale.time, "s"),
        Fact("reduced_mass", "reduced mass m*", mass, "1"),
        Fact("quality_factor", "quality factor √(m*·2 J2)", float(np.sqrt(2 * REFERENCE_J2 * mass)), "1"),
    ]
    if isinstance(device, JosephsonJunction):
        parts = device.card.components
        bare = parts.resistance.value * np.sqrt(parts.capacitance.value / parts.inductance.value)
        found.append(Fact("bare_quality_factor", "quality factor R √(C_J/L), junction aside", float(bare), "1"))
    return found


def _rates(rate: float, step: float, time: float | None) -> list[Fact]:
    found = [
        Fact("stiffest_rate", "stiffest rate of a lone unit, without inertia", rate, "1/t0"),
        Fact("largest_stable_step", "largest stable time step", step, "t0"),
    ]
    if time is not None:
        found += [
            Fact("stiffest_rate_si", "stiffest rate", rate / time, "1/s"),
            Fact("largest_stable_step_si", "largest stable time step", step * time, "s"),
        ]
    return found


def _ranges(device: AnalogDevice[Any, Any]) -> list[Fact]:
    limits = device.limits
    (low, high), (lowest, highest) = limits.coupling_ends, (float(end[0]) for end in limits.bias_ends)
    readout: Range = device.card.readout
    found: list[Fact] = []
    for key, name, ends, allowed, unit in (
        ("coupling", "coupling", (low, high), limits.couplings, "k_BT"),
        ("bias", "bias", (lowest, highest), limits.biases, "k_BT"),
        ("readout", "readout", (readout.min / device.scale.length, readout.max / device.scale.length), readout, "x_u"),
    ):
        found += [
            Fact(f"{key}_min", f"lowest {name}", ends[0], unit),
            Fact(f"{key}_max", f"highest {name}", ends[1], unit),
        ]
        if allowed.bits is not None:
            step = (ends[1] - ends[0]) / (2**allowed.bits - 1)
            found.append(Fact(f"{key}_step", f"step of a {name}, {allowed.bits} bits", step, unit))
    return found
