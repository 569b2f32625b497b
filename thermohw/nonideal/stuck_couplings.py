# SPDX-License-Identifier: Apache-2.0
"""Couplers that hold one value whatever is written."""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from thermohw.nonideal.effect import ProgramEffect, Programming, Stage
from thermohw.program import Program


class StuckCouplings(ProgramEffect):
    """Each coupler is stuck with a probability: at zero, at either end of the range ±J_max, or at one of the three.

    J_max is the largest |J| of the program: the end of the range that the board uses for it.
    """

    stage: ClassVar[Stage] = Stage.STUCK

    stuck_prob: float = Field(default=0.0, ge=0, le=1, description="probability that a coupler is stuck")
    stuck_at: Literal["zero", "min", "max", "any"] = Field(default="zero", description="where; any: each a third")

    @property
    def active(self) -> bool:
        """Get whether any coupler may be stuck."""
        return self.stuck_prob > 0

    def on_program(self, program: Program, writing: Programming) -> Program:
        """Set the stuck couplers of this device."""
        pairs = program.topology.pairs.T
        stuck = writing.device.uniforms("stuck", *pairs) < self.stuck_prob
        if self.stuck_at == "any":
            level = np.floor(3 * writing.device.uniforms("stuck_at", *pairs)) - 1
        else:
            level = np.full(len(stuck), {"zero": 0.0, "min": -1.0, "max": 1.0}[self.stuck_at])
        return replace(program, couplings=np.where(stuck, level * writing.full_scale, program.couplings))
