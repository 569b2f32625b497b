# SPDX-License-Identifier: Apache-2.0
"""Settings of a run, as the commands of `RUN:` make them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from thermohw.instrument.command_error import CommandError
from thermohw.langevin.ensemble import Keep
from thermohw.langevin.schedule import BiasSchedule
from thermohw.plan import RunPlan

Start = Literal["uncoupled", "unbiased", "states"]

KEEPS: dict[str, Keep] = {"NONE": "none", "FINal": "final", "BOTH": "both", "TRAJectory": "trajectory"}
STARTS: dict[str, Start] = {"UNCoupled": "uncoupled", "UNBiased": "unbiased", "STATes": "states"}


@dataclass(frozen=True)
class Settings:
    """Settings of a run, with what they are after `*RST`; `dt` is 0 where the device chooses."""

    duration: float = 1.0
    dt: float = 0.0
    samples: int = 1
    first: int = 0
    seed: int = 0
    keep: Keep = "both"
    record: int = 1
    initial: Start = "uncoupled"

    def plan(self, schedule: BiasSchedule | None, states: NDArray[np.float32] | None) -> RunPlan:
        """Get the plan of a run with these settings.

        Raises:
            CommandError: States are to start from, and there are none, or not as many as samples.
            PlanError: The settings do not go together.
        """
        start: Literal["uncoupled", "unbiased"] | NDArray[np.float32]
        if self.initial != "states":
            start = self.initial
        elif states is None:
            raise CommandError(-221, "RUN:INITial is STATes, but RUN:STATes holds none")
        elif len(states) != self.samples:
            raise CommandError(-221, f"RUN:STATes holds {len(states)} states, RUN:SAMPles is {self.samples}")
        else:
            start = states
        return RunPlan(
            self.duration,
            self.samples,
            self.dt or None,
            schedule,
            start,
            self.record,
            self.keep,
            self.first,
            self.seed,
        )
