# SPDX-License-Identifier: Apache-2.0
"""Units that are faster or slower than others."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.langevin.as_built import AsBuilt
from thermohw.nonideal.draws import Draws, positive_factors
from thermohw.nonideal.effect import DynamicsEffect, Stage


class MobilityMismatch(DynamicsEffect):
    """μ'_i = μ f_i, with log-normal factors of mean 1, fixed for each unit; the Boltzmann density does not change."""

    stage: ClassVar[Stage] = Stage.DYNAMICS

    std: float = Field(default=0.0, ge=0, le=10, description="relative standard deviation of the mobility over units")

    @property
    def active(self) -> bool:
        """Get whether units differ."""
        return self.std > 0

    def on_dynamics(self, built: AsBuilt, device: Draws) -> AsBuilt:
        """Apply this device's mobilities."""
        factors = positive_factors(self.std, device.normals("mobility_mismatch", np.arange(built.units)))
        return replace(built, mobility=built.mobility * factors)
