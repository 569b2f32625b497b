# SPDX-License-Identifier: Apache-2.0
"""A board that is hotter at one end."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.langevin.as_built import AsBuilt
from thermohw.nonideal.draws import Draws
from thermohw.nonideal.effect import DynamicsEffect, Stage


class TemperatureGradient(DynamicsEffect):
    """kT_i = kT [1 + s (i/(units − 1) − 1/2)]: linear in the unit's number, the mean unchanged."""

    stage: ClassVar[Stage] = Stage.DYNAMICS

    span: float = Field(default=0.0, gt=-2, lt=2, description="s, difference of the last and the first unit, relative")

    @property
    def active(self) -> bool:
        """Get whether there is a gradient."""
        return self.span != 0

    def on_dynamics(self, built: AsBuilt, device: Draws) -> AsBuilt:
        """Apply the gradient."""
        place = np.arange(built.units) / max(built.units - 1, 1) - 0.5 * (built.units > 1)
        return replace(built, kT=built.kT * (1 + self.span * place))
