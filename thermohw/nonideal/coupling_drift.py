# SPDX-License-Identifier: Apache-2.0
"""Couplings that fade after they were written."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.nonideal.effect import ProgramEffect, Programming, Stage
from thermohw.program import Program


class CouplingDrift(ProgramEffect):
    """J'_ij = J_ij ((t + t_0)/t_0)^−ν_ij, ν_ij = |ν + σ_ν g_ij|, at the time t since programming.

    The power law of phase-change memory (M. Le Gallo and A. Sebastian, J. Phys. D 53, 213002 (2020)). The exponents
    belong to the device: its drift is one history, which `NonidealDevice.wait` carries on and programming starts anew.
    A run itself takes no time on this scale.
    """

    stage: ClassVar[Stage] = Stage.AGEING

    nu: float = Field(default=0.0, ge=0, le=2, description="ν, mean drift exponent")
    nu_std: float = Field(default=0.0, ge=0, le=2, description="σ_ν, spread of the exponent over couplers")
    t0: float = Field(default=20.0, gt=0, description="t_0, time after which drift is seen, s")
    elapsed: float = Field(default=0.0, ge=0, description="time between programming and the first run, s")

    @property
    def active(self) -> bool:
        """Get whether couplings fade."""
        return bool(self.nu or self.nu_std)

    def on_program(self, program: Program, writing: Programming) -> Program:
        """Let the couplings fade for as long as they have been held."""
        exponents = np.abs(self.nu + self.nu_std * writing.device.normals("drift", *program.topology.pairs.T))
        age = 1 + (self.elapsed + writing.elapsed) / self.t0
        return replace(program, couplings=program.couplings * age**-exponents)
