# SPDX-License-Identifier: Apache-2.0
"""Units whose on-site energies differ."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.nonideal.draws import positive_factors
from thermohw.nonideal.effect import ProgramEffect, Programming, Stage
from thermohw.program import Program


class OnsiteMismatch(ProgramEffect):
    """J2'_i = J2_i f_i, J4'_i = J4_i h_i, with log-normal factors of mean 1, fixed for each unit of the device."""

    stage: ClassVar[Stage] = Stage.UNITS

    J2_std: float = Field(default=0.0, ge=0, le=10, description="relative standard deviation of J2 over units")
    J4_std: float = Field(default=0.0, ge=0, le=10, description="relative standard deviation of J4 over units")

    @property
    def active(self) -> bool:
        """Get whether units differ."""
        return bool(self.J2_std or self.J4_std)

    def on_program(self, program: Program, writing: Programming) -> Program:
        """Apply this device's units."""
        units = np.arange(program.units)
        J2 = program.J2 * positive_factors(self.J2_std, writing.device.normals("J2_mismatch", units))
        J4 = program.J4 * positive_factors(self.J4_std, writing.device.normals("J4_mismatch", units))
        return replace(program, J2=J2, J4=J4)
