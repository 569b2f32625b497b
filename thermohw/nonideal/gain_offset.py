# SPDX-License-Identifier: Apache-2.0
"""Readout channels with a gain and an offset of their own."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.nonideal.effect import Floats, Reading, ReadoutEffect, Stage


class GainOffset(ReadoutEffect):
    """y_i = (1 + a) (1 + σ_a g_i) x_i + c + σ_c h_i, with g and h normal and fixed for each channel of the device."""

    stage: ClassVar[Stage] = Stage.AMPLIFIER

    gain_error: float = Field(default=0.0, gt=-1, le=100, description="a, relative error of all gains")
    gain_std: float = Field(default=0.0, ge=0, le=10, description="σ_a, of a channel's gain, relative")
    offset: float = Field(default=0.0, description="c, offset of all channels, reduced")
    offset_std: float = Field(default=0.0, ge=0, description="σ_c, of a channel's offset, reduced")

    @property
    def active(self) -> bool:
        """Get whether any channel is off."""
        return bool(self.gain_error or self.gain_std or self.offset or self.offset_std)

    def on_states(self, states: Floats, reading: Reading) -> Floats:
        """Read states through this device's channels."""
        channels = np.arange(states.shape[1], dtype=np.int64)
        gain = (1 + self.gain_error) * (1 + self.gain_std * reading.device.normals("readout_gain", channels))
        offset = self.offset + self.offset_std * reading.device.normals("readout_offset", channels)
        return gain * states + offset
