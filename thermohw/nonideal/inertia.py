# SPDX-License-Identifier: Apache-2.0
"""Units with a mass where the ideal ones have none."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from thermohw.errors import DeviceLimitError
from thermohw.langevin.as_built import AsBuilt
from thermohw.nonideal.draws import Draws
from thermohw.nonideal.effect import DynamicsEffect, Stage


class Inertia(DynamicsEffect):
    """m dv_i = −(∂_iV + v_i/μ) dt + √(2 kT/μ) dW_i: the overdamped law holds for μ m · V'' ≪ 1/μ."""

    stage: ClassVar[Stage] = Stage.DYNAMICS

    mass: float = Field(default=0.0, ge=0, description="m, energy · time²; m* of a card where μ = kT = 1")

    @property
    def active(self) -> bool:
        """Get whether there is a mass."""
        return self.mass > 0

    def on_dynamics(self, built: AsBuilt, device: Draws) -> AsBuilt:
        """Give each unit the mass.

        Raises:
            DeviceLimitError: The units have a mass of their own.
        """
        if built.inertial:
            raise DeviceLimitError("inertia: the units of this device have inertia of their own; leave the effect out")
        return replace(built, mass=self.mass)
