# SPDX-License-Identifier: Apache-2.0
"""Units with a bias of their own."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.nonideal.effect import ProgramEffect, Programming, Stage
from thermohw.program import Program


class BiasOffset(ProgramEffect):
    """b'_i = b_i + c + σ g_i, with g normal and fixed for each unit of the device."""

    stage: ClassVar[Stage] = Stage.UNITS

    std: float = Field(default=0.0, ge=0, description="σ, of a unit's offset, in the unit of kT")
    common: float = Field(default=0.0, description="c, offset of all units, in the unit of kT")

    @property
    def active(self) -> bool:
        """Get whether there is any offset."""
        return bool(self.std or self.common)

    def offsets(self, program: Program, writing: Programming) -> np.ndarray:
        """Get what is added to the biases, (units,)."""
        return self.common + self.std * writing.device.normals("bias_offset", np.arange(program.units))

    def on_program(self, program: Program, writing: Programming) -> Program:
        """Add this device's offsets."""
        return replace(program, biases=program.biases + self.offsets(program, writing))
