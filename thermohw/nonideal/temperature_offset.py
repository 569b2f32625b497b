# SPDX-License-Identifier: Apache-2.0
"""Noise that is hotter or colder than it should be."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.langevin.as_built import AsBuilt
from thermohw.nonideal.draws import Draws, positive_factors
from thermohw.nonideal.effect import DynamicsEffect, Stage


class TemperatureOffset(DynamicsEffect):
    """kT_i = kT (1 + c) f_i, with log-normal factors of mean 1, fixed for each unit of the device.

    Heat stays in units of the nominal kT. Units at different temperatures keep a heat flow up between them.
    """

    stage: ClassVar[Stage] = Stage.DYNAMICS

    offset: float = Field(
        default=0.0, ge=-1, le=100, description="c, relative error of all temperatures; -1 is no noise"
    )
    std: float = Field(default=0.0, ge=0, le=10, description="relative standard deviation over units")

    @property
    def active(self) -> bool:
        """Get whether any temperature is off."""
        return bool(self.offset or self.std)

    def on_dynamics(self, built: AsBuilt, device: Draws) -> AsBuilt:
        """Apply this device's temperatures."""
        factors = positive_factors(self.std, device.normals("temperature", np.arange(built.units)))
        return replace(built, kT=built.kT * (1 + self.offset) * factors)
