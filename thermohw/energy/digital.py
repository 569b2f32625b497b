# SPDX-License-Identifier: Apache-2.0
"""The digital computer that a thermodynamic one is compared with."""

import tomllib
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field

from thermohw.units import Quantity, joules_to_kT


class DigitalBaseline(BaseModel):
    """A multilayer perceptron that denoises in some steps, charged for its multiply–accumulate operations only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    layers: tuple[int, ...] = Field(min_length=2, description="units in each layer")
    steps: int = Field(ge=1, description="denoising steps a sample")
    energy_per_mac: Quantity
    temperature: float = Field(gt=0, description="temperature whose k_BT energies are quoted in, K")
    source: str = Field(min_length=1)

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


def load_baseline(name: str = "whitelam2025") -> DigitalBaseline:
    """Get a digital baseline that ships with the package."""
    text = (resources.files("thermohw.energy") / "baselines" / f"{name}.toml").read_text()
    return DigitalBaseline.model_validate(tomllib.loads(text))
