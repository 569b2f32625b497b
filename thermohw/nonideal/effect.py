# SPDX-License-Identifier: Apache-2.0
"""What an effect is: a frozen model of one imperfection, and the hooks by which it acts on a device."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from thermohw.langevin.as_built import AsBuilt
from thermohw.nonideal.draws import Draws
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.units import Status

Floats = NDArray[np.float64]


class Stage(IntEnum):
    """Where in the signal chain an effect acts; effects apply in this order, whatever order they are listed in."""

    CODES = auto()
    WRITING = auto()
    STUCK = auto()
    COUPLERS = auto()
    AGEING = auto()
    LINES = auto()
    LEAKAGE = auto()
    UNITS = auto()
    DYNAMICS = auto()
    DRIVE = auto()
    AMPLIFIER = auto()
    BANDWIDTH = auto()
    SAMPLING = auto()
    READING = auto()
    CONVERTER = auto()


class Effect(BaseModel, ABC):
    """One imperfection of a device; at its defaults it does nothing.

    Energies are in the unit of the device's kT, times in its time unit, states in reduced units, unless a field says
    otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    stage: ClassVar[Stage]

    source: str = Field(default="", max_length=2000, description="where the numbers come from")
    status: Status = Field(default="assumed", description="how well the numbers are known")

    @classmethod
    def name(cls) -> str:
        """Get the effect's name in profiles and on the command line: `coupling_mismatch` for CouplingMismatch."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @property
    @abstractmethod
    def active(self) -> bool:
        """Get whether the effect does anything at its present strength."""


@dataclass(frozen=True)
class Programming:
    """What an effect may ask while a program is written.

    Attributes:
        intended: The program that was asked for, before any error; for knots of a schedule, with the largest biases.
        device: Fixed draws, of the device seed.
        writing: Fresh draws, of the run's seed.
        elapsed: Time since programming, s.
    """

    intended: Program
    device: Draws
    writing: Draws
    elapsed: float = 0.0

    @cached_property
    def full_scale(self) -> float:
        """Get the largest |J| of the program that was asked for: a board sets the gain of its couplers to it."""
        return float(np.abs(self.intended.couplings).max(initial=0.0))

    @cached_property
    def bias_full_scale(self) -> float:
        """Get the largest |b| of the program that was asked for."""
        return float(np.abs(self.intended.biases).max(initial=0.0))


class ProgramEffect(Effect):
    """An effect on what the device holds; any device can have it.

    Attributes:
        fresh: Whether each run draws it anew, because each run stands for a program written anew.
    """

    fresh: ClassVar[bool] = False

    @abstractmethod
    def on_program(self, program: Program, writing: Programming) -> Program:
        """Get what becomes of a program, which earlier stages may have changed."""


class DynamicsEffect(Effect):
    """An effect on the equation of motion; only an emulated device can have it.

    Attributes:
        smooth: Whether noise stays white and forces smooth, as Leimkuhler–Matthews steps need them.
    """

    smooth: ClassVar[bool] = True

    @abstractmethod
    def on_dynamics(self, built: AsBuilt, device: Draws) -> AsBuilt:
        """Get what is integrated instead.

        Raises:
            DeviceLimitError: The device has what the effect would bring, as inertia.
        """


class PlanEffect(Effect):
    """An effect on how the device carries out a plan; any device can have it."""

    @abstractmethod
    def on_plan(self, plan: RunPlan) -> RunPlan:
        """Get the plan that is carried out."""


@dataclass(frozen=True)
class Reading:
    """Which states are being read, for the draws of an effect.

    Attributes:
        device: Fixed draws, of the device seed.
        fresh: Fresh draws, of the run's seed.
        first_chain: Number of the first of the chains.
        step: Number of the time step at which they are read.
    """

    device: Draws
    fresh: Draws
    first_chain: int
    step: int


class ReadoutEffect(Effect):
    """An effect on each state as it is read, by itself; any device can have it."""

    @abstractmethod
    def on_states(self, states: Floats, reading: Reading) -> Floats:
        """Get the reading of states (chains, units)."""


class HistoryEffect(Effect):
    """An effect on readings that depends on the states before; needs a device that shows its trajectories."""
