# SPDX-License-Identifier: Apache-2.0
"""Biases that follow their schedule late."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from thermohw.langevin.schedule import BiasSchedule
from thermohw.nonideal.effect import PlanEffect, Stage
from thermohw.plan import RunPlan

POINTS_A_TIME_CONSTANT = 8
MAX_KNOTS = 4000
MIN_KNOTS = 200


class BiasSettling(PlanEffect):
    """τ db/dt = b_schedule − b, and |db/dt| ≤ slew rate: a single pole, and a driver that can do no more.

    The biases start settled. Work and heat are those of the biases that the units feel.
    """

    stage: ClassVar[Stage] = Stage.DRIVE

    settling_time: float = Field(default=0.0, ge=0, description="τ, in the device's time unit")
    slew_rate: float | None = Field(default=None, gt=0, description="largest |db/dt|, energy/time; None: no limit")

    @property
    def active(self) -> bool:
        """Get whether biases lag."""
        return self.settling_time > 0 or self.slew_rate is not None

    def on_plan(self, plan: RunPlan) -> RunPlan:
        """Replace the schedule by the biases that the units feel."""
        if plan.bias_schedule is None:
            return plan
        return replace(plan, bias_schedule=self.settled(plan.bias_schedule, plan.duration))

    def settled(self, schedule: BiasSchedule, duration: float) -> BiasSchedule:
        """Get the biases that units feel in the course of `duration`: exact at its knots where no slew limit acts."""
        spacing = self.settling_time / POINTS_A_TIME_CONSTANT
        wanted = duration / spacing if spacing else MIN_KNOTS
        count = int(np.clip(np.ceil(wanted), MIN_KNOTS, MAX_KNOTS))
        inside = schedule.times[(schedule.times > 0) & (schedule.times < duration)]
        times = np.unique(np.concatenate([np.linspace(0, duration, count + 1), inside]))
        target = np.stack([schedule.at(float(time)) for time in times])
        felt = target.copy()
        for k, step in enumerate(np.diff(times)):
            rise = target[k + 1] - target[k]
            lag = self.settling_time / step * rise if self.settling_time else np.zeros_like(rise)
            kept = np.exp(-step / self.settling_time) if self.settling_time else 0.0
            change = target[k + 1] - lag + (felt[k] - target[k] + lag) * kept - felt[k]
            if self.slew_rate is not None:
                change = np.clip(change, -self.slew_rate * step, self.slew_rate * step)
            felt[k + 1] = felt[k] + change
        return BiasSchedule(times, felt)
