# SPDX-License-Identifier: Apache-2.0
"""Noise of the readout, fresh in each reading."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.langevin.noise import normals
from thermohw.nonideal.draws import READING
from thermohw.nonideal.effect import Floats, Reading, ReadoutEffect, Stage


class ReadoutNoise(ReadoutEffect):
    """y = x + σ g, with g normal, fresh for each reading of each unit."""

    stage: ClassVar[Stage] = Stage.READING

    std: float = Field(default=0.0, ge=0, description="σ, reduced")

    @property
    def active(self) -> bool:
        """Get whether there is noise."""
        return self.std > 0

    def on_states(self, states: Floats, reading: Reading) -> Floats:
        """Add the noise of one reading."""
        chains = reading.first_chain + np.arange(len(states))
        return states + self.std * normals(reading.fresh.seed, chains, reading.step, states.shape[1], READING)
