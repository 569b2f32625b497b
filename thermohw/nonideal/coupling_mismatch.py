# SPDX-License-Identifier: Apache-2.0
"""Couplers that differ from each other, for good."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from thermohw.nonideal.effect import ProgramEffect, Programming, Stage
from thermohw.program import Program


class CouplingMismatch(ProgramEffect):
    """J'_ij = J_ij (1 + σ g_ij) + σ_0 J_max h_ij, with g and h normal and fixed for each coupler of the device."""

    stage: ClassVar[Stage] = Stage.COUPLERS

    std: float = Field(default=0.0, ge=0, le=10, description="σ, relative standard deviation of a coupler's gain")
    additive_std: float = Field(default=0.0, ge=0, le=10, description="σ_0, of its offset, relative to the largest |J|")

    @property
    def active(self) -> bool:
        """Get whether couplers differ."""
        return bool(self.std or self.additive_std)

    def on_program(self, program: Program, writing: Programming) -> Program:
        """Apply this device's couplers."""
        pairs, couplings = program.topology.pairs.T, program.couplings
        if self.std:
            couplings = couplings * (1 + self.std * writing.device.normals("coupling_mismatch", *pairs))
        if self.additive_std:
            offset = self.additive_std * writing.full_scale
            couplings = couplings + offset * writing.device.normals("coupling_offset", *pairs)
        return replace(program, couplings=couplings)
