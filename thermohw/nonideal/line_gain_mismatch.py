# SPDX-License-Identifier: Apache-2.0
"""Gain errors that whole lines of couplings share: coherent, so that they do not average out."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.nonideal.effect import ProgramEffect, Programming, Stage
from thermohw.program import Program


class LineGainMismatch(ProgramEffect):
    """J'_ij = (1 + c) (1 + σ_c g) (1 + σ g_i) (1 + σ g_j) J_ij, with g and g_i normal and fixed for the device."""

    stage: ClassVar[Stage] = Stage.LINES

    std: float = Field(default=0.0, ge=0, le=10, description="σ, of the gain of each unit's lines, relative")
    common: float = Field(
        default=0.0, gt=-1, le=10, description="c, error of the gain of all couplings, the same in all devices"
    )
    common_std: float = Field(
        default=0.0, ge=0, le=10, description="σ_c, of a device's gain of all couplings, relative"
    )

    @property
    def active(self) -> bool:
        """Get whether any gain is off."""
        return bool(self.std or self.common or self.common_std)

    def on_program(self, program: Program, writing: Programming) -> Program:
        """Apply this device's gains."""
        lines = 1 + self.std * writing.device.normals("line_gain", np.arange(program.units))
        whole = (1 + self.common) * (1 + self.common_std * float(writing.device.normals("common_gain", 0)))
        i, j = program.topology.pairs.T
        return replace(program, couplings=whole * lines[i] * lines[j] * program.couplings)
