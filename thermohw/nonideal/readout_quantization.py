# SPDX-License-Identifier: Apache-2.0
"""Readings of few bits."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.nonideal.effect import Floats, Reading, ReadoutEffect, Stage


class ReadoutQuantization(ReadoutEffect):
    """y = Δ · round(x/Δ), Δ = 2 R/2^bits, with codes from −2^(bits−1) to 2^(bits−1) − 1: a converter that saturates."""

    stage: ClassVar[Stage] = Stage.CONVERTER

    bits: int | None = Field(default=None, ge=2, le=24, description="bits of a reading; None: continuous")
    span: float = Field(default=2.0, gt=0, description="R, end of the range −R … R, reduced")

    @property
    def active(self) -> bool:
        """Get whether readings are rounded."""
        return self.bits is not None

    def on_states(self, states: Floats, reading: Reading) -> Floats:
        """Convert the readings."""
        if self.bits is None:
            return states
        half = 2 ** (self.bits - 1)
        step = self.span / half
        return np.clip(np.rint(states / step), -half, half - 1) * step
