# SPDX-License-Identifier: Apache-2.0
"""What one sample asks of a computer: values written and read on a device, steps and operations in a simulation."""

import math
from dataclasses import dataclass

from thermohw.errors import PlanError
from thermohw.program import Program

SAMPLES_PER_PROGRAMMING = 1000.0
"""Samples drawn from a program before another is written, where nothing else is said."""


@dataclass(frozen=True)
class Workload:
    """What one sample asks of a computer.

    Attributes:
        units: Units, visible and hidden.
        pairs: Coupled pairs.
        steps: Time steps of a digital simulation, a sample.
        values_written: Values written when the device is programmed: couplings, biases and on-site energies.
        values_read: Values read a sample: the visible units.
        samples_per_programming: Samples over which the cost of programming is spread.

    Raises:
        PlanError: A negative number, or less than one sample per programming.
    """

    units: int
    pairs: int
    steps: int
    values_written: int
    values_read: int
    samples_per_programming: float = SAMPLES_PER_PROGRAMMING

    def __post_init__(self) -> None:
        for name in ("units", "pairs", "steps", "values_written", "values_read"):
            if getattr(self, name) < 0:
                raise PlanError(f"{name} must not be negative, got {getattr(self, name)}")
        if not (math.isfinite(self.samples_per_programming) and self.samples_per_programming >= 1):
            raise PlanError(f"at least one sample is drawn per programming, got {self.samples_per_programming}")

    @staticmethod
    def of(program: Program, steps: int, samples_per_programming: float = SAMPLES_PER_PROGRAMMING) -> "Workload":
        """Count what a program asks for; a linear computer (J4 = 0 everywhere) has no quartic values to write.

        Args:
            program: The program.
            steps: Time steps of a digital simulation, a sample.
            samples_per_programming: Samples over which the cost of programming is spread.
        """
        topology = program.topology
        per_unit = 3 if program.J4.any() else 2
        pairs, written = len(topology.pairs), len(topology.pairs) + per_unit * topology.units
        return Workload(topology.units, pairs, steps, written, topology.visible, samples_per_programming)
