# SPDX-License-Identifier: Apache-2.0
"""Thermal noise with a memory."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from thermohw.langevin.as_built import AsBuilt
from thermohw.nonideal.draws import Draws
from thermohw.nonideal.effect import DynamicsEffect, Stage


class ColouredNoise(DynamicsEffect):
    """dx = −μ ∇V dt + ξ dt, τ_n dξ = −ξ dt + √(2 μ kT) dW: Ornstein–Uhlenbeck noise, white at the same kT as τ_n → 0.

    Friction stays without memory, so that no fluctuation–dissipation relation holds: a linear unit of relaxation rate
    r has the variance kT/V'' · 1/(1 + r τ_n).
    """

    stage: ClassVar[Stage] = Stage.DYNAMICS
    smooth: ClassVar[bool] = False

    correlation_time: float = Field(default=0.0, ge=0, description="τ_n, in the device's time unit")

    @property
    def active(self) -> bool:
        """Get whether the noise has a memory."""
        return self.correlation_time > 0

    def on_dynamics(self, built: AsBuilt, device: Draws) -> AsBuilt:
        """Colour the noise of all units."""
        return replace(built, noise_time=self.correlation_time)
