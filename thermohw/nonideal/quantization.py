# SPDX-License-Identifier: Apache-2.0
"""Couplings and biases of few bits."""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from thermohw.nonideal.effect import Floats, ProgramEffect, Programming, Stage
from thermohw.program import Program
from thermohw.tables.quantize import MAX_BITS, MIN_BITS, ScaleRule, choose_scale, levels_of, nearest_codes


class Quantization(ProgramEffect):
    """J = scale · code with |code| ≤ 2^(bits−1) − 1, each block of couplings with its own scale, as a coupling table.

    Rounding is to the nearest level; a program that was rounded better, to a table of the same bits, passes unchanged
    where its largest codes are used.
    """

    stage: ClassVar[Stage] = Stage.CODES

    coupling_bits: int | None = Field(
        default=None, ge=MIN_BITS, le=MAX_BITS, description="bits a coupling; None: continuous"
    )
    bias_bits: int | None = Field(default=None, ge=MIN_BITS, le=MAX_BITS, description="bits a bias; None: continuous")
    method: Literal["nearest", "mse"] = Field(
        default="nearest", description="scale: of the largest value, or of least error"
    )
    coupling_range: float | None = Field(
        default=None, gt=0, description="energy of the largest coupling code; None: chosen for each program and block"
    )
    bias_range: float | None = Field(
        default=None, gt=0, description="energy of the largest bias code; None: chosen likewise"
    )

    @property
    def active(self) -> bool:
        """Get whether anything is rounded."""
        return self.coupling_bits is not None or self.bias_bits is not None

    def on_program(self, program: Program, writing: Programming) -> Program:
        """Round couplings and biases to the nearest levels."""
        couplings = program.couplings.copy()
        for mask in program.topology.blocks.values():
            asked = writing.intended.couplings[mask]
            couplings[mask] = self._rounded(couplings[mask], asked, self.coupling_bits, self.coupling_range)
        biases = self._rounded(program.biases, writing.intended.biases, self.bias_bits, self.bias_range)
        return replace(program, couplings=couplings, biases=biases)

    def _rounded(self, values: Floats, asked: Floats, bits: int | None, span: float | None) -> Floats:
        if bits is None:
            return values
        rule: ScaleRule = "max" if self.method == "nearest" else "mse"
        scale = choose_scale(asked, bits, rule) if span is None else span / levels_of(bits)
        return np.asarray(nearest_codes(values, scale, bits) * scale, np.float64)
