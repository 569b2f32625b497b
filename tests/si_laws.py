# SPDX-License-Identifier: Apache-2.0
"""What the shipped analog cards say in SI units, worked out by hand from the numbers in their files."""

import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import constants, optimize

from thermohw import Program, Topology
from thermohw.backends import AnalogDevice, JosephsonJunction, MechanicalOscillator, RCCircuit, open_device

Floats = NDArray[np.float64]
Parts = Mapping[str, Floats]

FOLDER = Path(__file__).parents[1] / "devices"
RINGING = ("mechanical_cantilever", "josephson_flux")
OVERDAMPED = ("rc_board", "rc_chip", "mechanical_overdamped", "josephson_overdamped")
ANALOG = OVERDAMPED + RINGING
BACKENDS = {"rc": RCCircuit, "mechanical": MechanicalOscillator, "josephson": JosephsonJunction}
PHI0 = constants.hbar / (2 * constants.e)


class Law(ABC):
    """The physics of one card: dz/dt = drift + noise of diffusion D, or inertia · d²z/dt² = drift − dz/dt + noise.

    Attributes:
        thermal: k_B T_eff, J.
        length: x_u, in the unit of the coordinate z.
        diffusion: D, z²/s.
        inertia: m/γ, s.
    """

    length: float
    diffusion: float
    inertia: float

    def __init__(self, name: str) -> None:
        text = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
        self.parts: dict[str, float] = {key: entry["value"] for key, entry in text["components"].items()}
        self.ranges: dict[str, tuple[float, float]] = {
            key: (text[key]["min"], text[key]["max"]) for key in ("couplings", "biases")
        }
        self.thermal = constants.k * text["temperature"]["value"]

    @property
    def time(self) -> float:
        """t0, s."""
        return self.length**2 / self.diffusion

    @abstractmethod
    def components(self, program: Program) -> dict[str, Floats]:
        """Component values by the names of the backend's attributes."""

    @abstractmethod
    def slope(self, parts: Parts, z: Floats) -> Floats:
        """∂E/∂z without the couplings, (…, units), J/z."""

    @abstractmethod
    def energy(self, parts: Parts, z: Floats) -> Floats:
        """E of the density exp(−E/k_B T_eff) without the couplings, (…, units), J."""

    @abstractmethod
    def coupling(self, parts: Parts) -> Floats:
        """Energies of the pairs, (pairs,), J/z²."""

    def total(self, parts: Parts, pairs: NDArray[Any], z: Floats) -> Floats:
        """E with couplings, (…), J."""
        first, second = pairs.T
        return self.energy(parts, z).sum(axis=-1) + (self.coupling(parts) * z[..., first] * z[..., second]).sum(axis=-1)

    def drift(self, parts: Parts, pairs: NDArray[Any], z: Floats) -> Floats:
        """−(D/k_B T) ∂E/∂z with couplings, (…, units), z/s: the velocity where there is no inertia."""
        matrix = np.zeros((z.shape[-1], z.shape[-1]))
        matrix[pairs[:, 0], pairs[:, 1]] = matrix[pairs[:, 1], pairs[:, 0]] = self.coupling(parts)
        return -self.diffusion / self.thermal * (self.slope(parts, z) + z @ matrix)


class RC(Law):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        C, g1, g_n = (self.parts[key] for key in ("capacitance", "conductance", "noise_conductance"))
        self.weight = C / g_n  # turns a power V·I into the energy of the density
        self.length = np.sqrt(20 * self.thermal * g_n / (C * g1))  # a linear node's ⟨V²⟩ is 1/20 of its square
        self.diffusion, self.inertia = self.thermal * g_n / C**2, 0.0

    def components(self, program: Program) -> dict[str, Floats]:
        g1 = self.parts["conductance"]
        return {
            "linear_conductance": program.J2 / 10 * g1,
            "cubic_conductance": program.J4 / 5 * g1 / self.length**2,
            "bias_current": program.biases / 20 * g1 * self.length,
            "coupling_conductance": program.couplings / 20 * g1,
        }

    def slope(self, parts: Parts, z: Floats) -> Floats:
        return self.weight * (
            parts["linear_conductance"] * z + parts["cubic_conductance"] * z**3 + parts["bias_current"]
        )

    def energy(self, parts: Parts, z: Floats) -> Floats:
        quartic = parts["linear_conductance"] * z**2 / 2 + parts["cubic_conductance"] * z**4 / 4
        return self.weight * (quartic + parts["bias_current"] * z)

    def coupling(self, parts: Parts) -> Floats:
        return self.weight * parts["coupling_conductance"]


class Mechanical(Law):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        k1, f0, Q = (self.parts[key] for key in ("stiffness", "resonance_frequency", "quality_factor"))
        self.mass = k1 / (2 * np.pi * f0) ** 2
        self.friction = np.sqrt(k1 * self.mass) / Q
        self.length = np.sqrt(20 * self.thermal / k1)
        self.diffusion, self.inertia = self.thermal / self.friction, self.mass / self.friction

    def components(self, program: Program) -> dict[str, Floats]:
        k1 = self.parts["stiffness"]
        return {
            "stiffness": program.J2 / 10 * k1,
            "cubic_stiffness": program.J4 / 5 * k1 / self.length**2,
            "force": program.biases / 20 * k1 * self.length,
            "coupling_stiffness": program.couplings / 20 * k1,
            "mass": np.array(self.mass),
            "friction": np.array(self.friction),
        }

    def slope(self, parts: Parts, z: Floats) -> Floats:
        return parts["stiffness"] * z + parts["cubic_stiffness"] * z**3 + parts["force"]

    def energy(self, parts: Parts, z: Floats) -> Floats:
        return parts["stiffness"] * z**2 / 2 + parts["cubic_stiffness"] * z**4 / 4 + parts["force"] * z

    def coupling(self, parts: Parts) -> Floats:
        return parts["coupling_stiffness"]


class Josephson(Law):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        L, R, C = (self.parts[key] for key in ("inductance", "resistance", "capacitance"))
        self.diffusion, self.inertia = self.thermal * R / PHI0**2, R * C

        def missed(x_u: float) -> float:  # L builds J2 = J4 = 10: E_J from J4, then E_L from J2
            return (240 / x_u**4 + 20 / x_u**2) * self.thermal - PHI0**2 / L

        self.length = float(optimize.brentq(missed, 0.1, 10, xtol=1e-14))

    def components(self, program: Program) -> dict[str, Floats]:
        k, x_u = self.thermal, self.length
        E_J = 24 * program.J4 * k / x_u**4
        E_L = E_J + 2 * program.J2 * k / x_u**2
        return {
            "critical_current": E_J / PHI0,
            "inductance": PHI0**2 / E_L,
            "external_phase": -program.biases * k / (E_L * x_u),
            "inverse_inductance": program.couplings * k / (x_u * PHI0) ** 2,
        }

    def slope(self, parts: Parts, z: Floats) -> Floats:
        loop = PHI0**2 / parts["inductance"] * (z - parts["external_phase"])
        return loop - PHI0 * parts["critical_current"] * np.sin(z)

    def energy(self, parts: Parts, z: Floats) -> Floats:
        loop = PHI0**2 / parts["inductance"] * (z - parts["external_phase"]) ** 2 / 2
        return loop + PHI0 * parts["critical_current"] * np.cos(z)

    def coupling(self, parts: Parts) -> Floats:
        return PHI0**2 * parts["inverse_inductance"]


class QuarticJosephson(Josephson):
    """The cosine to fourth order, which is what programs say: a control that no device may pass for."""

    def energy(self, parts: Parts, z: Floats) -> Floats:
        loop = PHI0**2 / parts["inductance"] * (z - parts["external_phase"]) ** 2 / 2
        return loop + PHI0 * parts["critical_current"] * (1 - z**2 / 2 + z**4 / 24)


def law_of(name: str) -> Law:
    """Get the physics of a shipped card."""
    return {"rc": RC, "mechanical": Mechanical, "josephson": Josephson}[name.split("_")[0]](name)


def device_of(name: str, overdamped: bool = False, clip: bool = False) -> AnalogDevice[Any, Any]:
    """Open the device of a shipped card."""
    device = open_device(name, overdamped=overdamped, clip=clip)
    assert isinstance(device, BACKENDS[name.split("_")[0]])
    return cast(AnalogDevice[Any, Any], device)


def pair(coupling: float = 0.0, biases: tuple[float, float] = (0.0, 0.0), J2: Any = 10.0, J4: Any = 10.0) -> Program:
    """Get two units, the paper's unless told otherwise."""
    return Program(Topology.complete(2), J2, J4, np.array(biases), np.array([coupling]))
