# SPDX-License-Identifier: Apache-2.0
"""States that cannot leave the supply rails."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from thermohw.langevin.as_built import AsBuilt
from thermohw.nonideal.draws import Draws
from thermohw.nonideal.effect import DynamicsEffect, Stage


class Rails(DynamicsEffect):
    """|x_i| ≤ limit: a hard wall, so that in equilibrium the Boltzmann density is cut off there."""

    stage: ClassVar[Stage] = Stage.DYNAMICS
    smooth: ClassVar[bool] = False

    limit: float | None = Field(default=None, gt=0, description="largest |x|, reduced; None: no rails")

    @property
    def active(self) -> bool:
        """Get whether there are rails."""
        return self.limit is not None

    def on_dynamics(self, built: AsBuilt, device: Draws) -> AsBuilt:
        """Put the rails in."""
        return built if self.limit is None else replace(built, rail=self.limit)
