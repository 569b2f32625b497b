# SPDX-License-Identifier: Apache-2.0
"""The entropy production of imperfect devices, split into excess and housekeeping."""

import numpy as np
import pytest

from thermohw.backends import SimulatedDevice
from thermohw.heat import steady_heat_rates
from thermohw.nonideal import (
    ColouredNoise,
    Effect,
    NonidealDevice,
    ReadoutNoise,
    TemperatureGradient,
    entropy_production,
)
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.topology import Topology

GRADIENT = TemperatureGradient(span=1.0)
PLAN = RunPlan(1.0, 400, 2e-3, seed=1)


def pair(J4: float = 0.0) -> Program:
    return Program(Topology.complete(2), np.full(2, 2.0), np.full(2, J4), np.zeros(2), np.array([1.5]))


def test_of_a_linear_computer_the_split_is_exact_and_housekeeping_has_its_rate() -> None:
    with NonidealDevice(SimulatedDevice(), [GRADIENT], device_seed=1) as device:
        device.program(pair())
        split = entropy_production(device, PLAN, device.run(PLAN))
        built = device.as_built
    assert split is not None and built is not None
    assert split.method.startswith("exact")
    assert split.excess.mean + split.housekeeping.mean == pytest.approx(split.total.mean)
    rate = float((steady_heat_rates(built) / built.kT).sum())
    assert rate > 0
    # the density relaxes from that of uncoupled units within a tenth of the run, hence the wider bound
    assert abs(split.housekeeping.mean - rate * PLAN.duration) < 5 * split.housekeeping.standard_error + 0.1 * rate
    assert split.housekeeping.mean > 5 * split.housekeeping.standard_error


@pytest.mark.parametrize("effect", [ColouredNoise(correlation_time=0.05), ReadoutNoise(std=0.3)])
def test_what_the_exact_split_does_not_know_is_measured_instead(effect: Effect) -> None:
    with NonidealDevice(SimulatedDevice(), [GRADIENT, effect], device_seed=1) as device:
        device.program(pair())
        split = entropy_production(device, PLAN, device.run(PLAN))
    assert split is not None and "second stretch" in split.method


def test_of_a_quartic_computer_a_second_stretch_tells_the_housekeeping() -> None:
    with NonidealDevice(SimulatedDevice(), [GRADIENT], device_seed=1) as device:
        device.program(pair(J4=1.0))
        split = entropy_production(device, PLAN, device.run(PLAN))
    assert split is not None and "second stretch" in split.method
    assert split.excess.mean + split.housekeeping.mean == pytest.approx(split.total.mean)
    assert split.housekeeping.mean > 3 * split.housekeeping.standard_error
    assert "no detailed balance" in str(split) and split.as_dict()["method"] == split.method


def test_with_detailed_balance_there_is_nothing_to_split() -> None:
    with SimulatedDevice() as device:
        device.program(pair())
        assert entropy_production(device, PLAN, device.run(PLAN)) is None
