# SPDX-License-Identifier: Apache-2.0
"""Couplings and biases that are written inexactly, each time anew."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.nonideal.effect import ProgramEffect, Programming, Stage
from thermohw.program import Program


class ProgrammingNoise(ProgramEffect):
    """J' = J + σ J_max g, or J (1 + σ g) where it is proportional; biases likewise; g normal, fresh for each run.

    J_max is the largest |J| of the program. The additive law hits all allowed pairs, those at zero too.
    """

    stage: ClassVar[Stage] = Stage.WRITING
    fresh: ClassVar[bool] = True

    prog_noise_std: float = Field(default=0.0, ge=0, le=10, description="σ of couplings, relative")
    bias_noise_std: float = Field(default=0.0, ge=0, le=10, description="σ of biases, relative to the largest |b|")
    proportional: bool = Field(default=False, description="errors in proportion to each value, not to the largest")

    @property
    def active(self) -> bool:
        """Get whether there is any noise."""
        return bool(self.prog_noise_std or self.bias_noise_std)

    def on_program(self, program: Program, writing: Programming) -> Program:
        """Add the noise of one writing."""
        pairs, units = program.topology.pairs, np.arange(program.units)
        coupling_size = program.couplings if self.proportional else writing.full_scale
        bias_size = program.biases if self.proportional else writing.bias_full_scale
        couplings = self.prog_noise_std * coupling_size * writing.writing.normals("prog_noise", *pairs.T)
        biases = self.bias_noise_std * bias_size * writing.writing.normals("bias_noise", units)
        return replace(program, couplings=program.couplings + couplings, biases=program.biases + biases)
