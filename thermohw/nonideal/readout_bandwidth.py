# SPDX-License-Identifier: Apache-2.0
"""A readout that is slower than the units."""

from typing import ClassVar

from pydantic import Field

from thermohw.nonideal.effect import HistoryEffect, Stage


class ReadoutBandwidth(HistoryEffect):
    """τ dy/dt = x − y, y(0) = x(0): a single pole of the bandwidth 1/(2πτ); the states are held over each time step."""

    stage: ClassVar[Stage] = Stage.BANDWIDTH

    time_constant: float = Field(default=0.0, ge=0, description="τ, in the device's time unit")

    @property
    def active(self) -> bool:
        """Get whether readings lag."""
        return self.time_constant > 0
