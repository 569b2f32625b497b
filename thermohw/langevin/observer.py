# SPDX-License-Identifier: Apache-2.0
"""Observers: see each recorded step of a run and add up, so that no trajectory need be stored."""

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from thermohw.errors import PlanError
from thermohw.langevin.engine import Dynamics, Floats


@dataclass(frozen=True, eq=False)
class TrajectoryPiece:
    """Consecutive recorded states of some chains.

    Attributes:
        states: (records + 1, chains, units); the first is the last of the piece before.
        dynamics: What was integrated, and the schedule.
        first_chain: Number of the first chain.
        first_step: Number of the step at which the first state stands.
        spacing: Steps between recorded states.
    """

    states: Floats
    dynamics: Dynamics
    first_chain: int
    first_step: int
    spacing: int

    @property
    def interval(self) -> float:
        """Get the time between recorded states."""
        return self.spacing * self.dynamics.dt


class Observer(ABC):
    """Accumulates something additive from trajectories. Blocks of chains each get a fresh one; the results add up."""

    @abstractmethod
    def fresh(self) -> Self:
        """Get an empty observer with the same settings."""

    @abstractmethod
    def observe(self, piece: TrajectoryPiece) -> None:
        """Take in a piece of trajectories."""

    @abstractmethod
    def absorb(self, other: "Observer") -> None:
        """Add the content of another observer of the same kind to this one.

        Raises:
            PlanError: The other is of another kind.
        """

    def same_kind(self, other: "Observer") -> Self:
        """Get `other` if it is of this observer's kind.

        Raises:
            PlanError: It is not.
        """
        if not isinstance(other, type(self)):
            raise PlanError(f"a {type(self).__name__} cannot take in a {type(other).__name__}")
        return other

    def __add__(self, other: "Observer") -> Self:
        total = copy.deepcopy(self)
        total.absorb(other)
        return total
