# SPDX-License-Identifier: Apache-2.0
"""A program, plans and boards in memory, for the tests of the serial client."""

from collections.abc import Callable
from typing import Any

import numpy as np
from memory_board import MemoryBoard, MemoryTransport

from thermohw import (
    BiasSchedule,
    Program,
    RunPlan,
    SerialDevice,
    SimulatedDevice,
    Topology,
)
from thermohw.backends import open_device
from thermohw.device import ThermodynamicDevice
from thermohw.nonideal import (
    NonidealDevice,
    TemperatureGradient,
)
from thermohw.samples import Samples

PROGRAM = Program(
    Topology.layered(3, 2), np.array(1.0), np.array(0.5), np.linspace(-1, 1, 5), np.linspace(-0.7, 0.6, 7)
)
SCHEDULE = BiasSchedule(np.array([0.0, 0.3]), np.array([[0.0] * 5, [1.0, 0.5, 0.0, -0.5, -1.0]]))
STATES = np.linspace(-1, 1, 60).reshape(12, 5).astype(np.float32)
PLAN = RunPlan(0.4, 12, 0.02, seed=3)
ARRAYS = (
    "states", "initial_states", "heat", "work", "trajectory", "times", "velocities", "initial_velocities", "entropy",
)  # fmt: skip


def opened(board: MemoryBoard, rate: float = 0.0, **settings: Any) -> SerialDevice:
    return SerialDevice("bench", transport=lambda: MemoryTransport(board, rate, seed=2), **settings)


def assert_same(samples: Samples, other: Samples) -> None:
    for name in ARRAYS:
        found, expected = getattr(samples, name), getattr(other, name)
        assert (found is None) == (expected is None), name
        if expected is not None:
            assert found.dtype == expected.dtype, name
            assert np.array_equal(found, expected), name
    assert samples.dt == other.dt


def inertial() -> ThermodynamicDevice:
    return open_device("mechanical_cantilever")


def graded() -> ThermodynamicDevice:
    return NonidealDevice(SimulatedDevice(), [TemperatureGradient(span=0.5)], 1)


class Trouble(MemoryBoard):
    """Does something else when it is asked for a certain thing."""

    def __init__(self, header: bytes, answer: Callable[["Trouble"], bytes | None], **settings: Any) -> None:
        super().__init__(**settings)
        self.header, self.instead = header, answer

    def _carry_out(self, message: bytes) -> list[bytes]:
        if message.startswith(self.header):
            answer = self.instead(self)
            if answer is not None:
                return [answer]
        return super()._carry_out(message)
