# SPDX-License-Identifier: Apache-2.0
"""Digital denoisers that a thermodynamic computer is compared with, and what all digital computers have in common."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from thermohw.units import ROOM_TEMPERATURE, Quantity, joules_to_kT

ACCESS_BITS = 64
"""Bits moved by one memory access, in the tables of energies."""


def _joules(quantity: Quantity) -> Quantity:
    if quantity.unit != "J" or not 0 < quantity.value < 1:
        raise ValueError(f"an energy per operation is between 0 and 1 J, got {quantity.value:g} {quantity.unit}")
    return quantity


Joules = Annotated[Quantity, AfterValidator(_joules)]
"""Energy of one operation, J."""


@dataclass(frozen=True)
class DigitalCost:
    """What one sample costs on a digital computer.

    Attributes:
        name: The computer and the method.
        kind: A denoising perceptron, or the Langevin computer itself simulated.
        energy: Arithmetic, or the whole chip where the remark says so, J.
        memory: Reading the weights from on-chip memory, J, stated apart from `energy`; None where nobody states it.
        remark: What is counted, and what is not.
    """

    name: str
    kind: Literal["denoiser", "simulation"]
    energy: float
    memory: float | None
    remark: str

    @property
    def kT(self) -> float:
        """Get the energy in k_BT at room temperature."""
        return joules_to_kT(self.energy)


class WeightMemory(BaseModel):
    """On-chip memory from which every weight is read whenever it is used: a batch of one, no reuse."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bits: int = Field(ge=1, le=ACCESS_BITS, description="bits of a weight")
    access: Joules = Field(description="energy of a 64-bit access, J")

    def energy(self, weights: int) -> float:
        """Get the energy of reading that many weights, J."""
        return weights * self.bits / ACCESS_BITS * self.access.value


class DigitalBaseline(BaseModel):
    """A multilayer perceptron that denoises in some steps, charged for its multiply–accumulate operations only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["denoiser"] = "denoiser"
    name: str = Field(min_length=1)
    layers: tuple[Annotated[int, Field(ge=1, le=10**9)], ...] = Field(min_length=2, description="units in each layer")
    steps: int = Field(ge=1, le=10**9, description="denoising steps a sample")
    energy_per_mac: Joules
    memory: WeightMemory | None = Field(default=None, description="stated apart from the arithmetic")
    temperature: float = Field(
        default=ROOM_TEMPERATURE, gt=0, description="temperature whose k_BT energies are quoted in, K"
    )
    source: str = Field(min_length=1)
    remark: str = Field(min_length=1, description="what is counted, and what is not")

    @property
    def macs(self) -> int:
        """Get the multiply–accumulate operations a sample."""
        return self.steps * sum(first * second for first, second in zip(self.layers, self.layers[1:], strict=False))

    @property
    def energy(self) -> float:
        """Get the energy a sample, J."""
        return self.macs * self.energy_per_mac.value

    @property
    def energy_kT(self) -> float:
        """Get the energy a sample, k_BT at `temperature`."""
        return joules_to_kT(self.energy, self.temperature)

    @property
    def cost(self) -> DigitalCost:
        """Get what a sample costs; every multiply–accumulate reads one weight."""
        memory = None if self.memory is None else self.memory.energy(self.macs)
        return DigitalCost(self.name, self.kind, self.energy, memory, self.remark)
