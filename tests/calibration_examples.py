# SPDX-License-Identifier: Apache-2.0
"""A small computer and a short recipe that calibration is tested with, and devices that can do less or break off."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from thermohw import Program, RunPlan, Topology
from thermohw.device import DeviceWrapper, Progress, ThermodynamicDevice
from thermohw.estimation.recipes import Recipe
from thermohw.langevin.observer import Observer
from thermohw.samples import Readout

TRIANGLE = Program(
    Topology.complete(3), np.full(3, 10.0), np.full(3, 10.0), np.array([0.5, -1.0, 0.0]), np.array([3.0, -2.0, 1.0])
)


def recipe(**changes: Any) -> Recipe:
    """Get a recipe that takes a fraction of a second, with some of its fields changed."""
    fields: dict[str, Any] = {
        "name": "short", "description": "for tests", "method": "both", "interval": 0.01, "readings": 12, "chains": 20,
        "patterns": 4, "amplitude": 5.0, "settle": 0.1, "dt": 0.001, "groups": 10, "noise": 0.0,
    }  # fmt: skip
    return Recipe.model_validate(fields | changes)


def as_toml(recipe: Recipe) -> str:
    """Write a recipe as the file that a lab would."""
    fields = {"schema": "thermohw-recipe/1", **recipe.model_dump(exclude_none=True)}
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in fields.items())


class Counted(DeviceWrapper):
    """Counts the runs of a device, and breaks off before one of them as Ctrl-C does."""

    def __init__(self, child: ThermodynamicDevice, breaks_at: int | None = None) -> None:
        super().__init__(child)
        self.runs = 0
        self._breaks_at = breaks_at

    def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
        if self.runs == self._breaks_at:
            raise KeyboardInterrupt
        self.runs += 1
        return super()._run(plan, observers, progress)


class Lesser(DeviceWrapper):
    """A device with some of its spec changed: fewer abilities, narrower limits."""

    def __init__(self, child: ThermodynamicDevice, **changes: Any) -> None:
        super().__init__(child)
        self._spec = child.spec.model_copy(update=changes)

    def _accept(self, program: Program) -> Program:
        self._check_limits(program)
        return super()._accept(program)
