# SPDX-License-Identifier: Apache-2.0
"""Readings taken a little early, by chance."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.nonideal.effect import HistoryEffect, Stage


class SamplingJitter(HistoryEffect):
    """A reading that is due at t is taken at a uniformly random instant of the window [t − w, t], w = √12 σ.

    The clock is common to all units of a computer. Between time steps states are interpolated linearly; nothing is
    read before the start of a run.
    """

    stage: ClassVar[Stage] = Stage.SAMPLING

    std: float = Field(
        default=0.0, ge=0, description="σ, standard deviation of the instants, in the device's time unit"
    )

    @property
    def active(self) -> bool:
        """Get whether instants vary."""
        return self.std > 0

    @property
    def window(self) -> float:
        """Get w, the width of the window."""
        return float(np.sqrt(12) * self.std)
