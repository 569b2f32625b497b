# SPDX-License-Identifier: Apache-2.0
"""Cost of a step on the physical devices, as ratios to the ideal engine in paired rounds of one run.

    python benchmarks/device_speed.py [--rounds 9] [--chains 512] [--steps 250]

784 visible + 512 hidden units, float32, time step 1e-3; every device integrates the same program. Rounds alternate
between a device and the ideal engine, and the median of the rounds' ratios is quoted, with their quartiles: on a
machine that does other work too, single rounds scatter.
"""

import argparse
import statistics
from dataclasses import dataclass

import numpy as np
from engine import HIDDEN, VISIBLE, Stepper, timed

from thermohw.backends import open_device
from thermohw.langevin.engine import Dynamics
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.underdamped import UnderdampedEngine
from thermohw.program import Program
from thermohw.topology import Topology

DT = 1e-3


@dataclass(frozen=True)
class Case:
    """A device, whether its inertia is left out, and by how much a step may cost more than the ideal one."""

    name: str
    card: str
    overdamped: bool
    target: float


CASES = (
    Case("RC", "rc_chip", False, 1.1),
    Case("mechanical, overdamped", "mechanical_overdamped", True, 1.1),
    Case("Josephson (cosine), overdamped", "josephson_overdamped", True, 2.0),
    Case("mechanical with inertia", "mechanical_cantilever", False, 2.0),
    Case("Josephson (cosine) with inertia", "josephson_overdamped", False, 2.0),
)


class DeviceStepper(Stepper):
    """The engine on what a device builds of the ideal stepper's problem, from the same initial states."""

    def __init__(self, ideal: Stepper, program: Program, case: Case) -> None:
        self.start, self.matrix = ideal.start, ideal.matrix
        with open_device(case.card, overdamped=case.overdamped) as device:
            device.program(program)
            assert device.as_built is not None
            self.dynamics = Dynamics(device.as_built, DT)
        inertial = self.dynamics.as_built.inertial
        self.engine = UnderdampedEngine(self.dynamics) if inertial else OverdampedEngine(self.dynamics)


def paired_ratios(stepper: Stepper, ideal: Stepper, steps: int, rounds: int) -> tuple[list[float], list[float]]:
    """Get the seconds a step of the device and its ratio to the ideal engine, both (rounds,)."""
    stepper.advance(2)
    pairs = [(timed(stepper.advance, steps), timed(ideal.advance, steps)) for _ in range(rounds)]
    return [mine for mine, _ in pairs], [mine / its for mine, its in pairs]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--chains", type=int, default=512)
    parser.add_argument("--steps", type=int, default=250)
    arguments = parser.parse_args()
    topology = Topology.layered(VISIBLE, HIDDEN)
    ideal = Stepper(topology, arguments.chains)
    ideal.advance(2)
    couplings = 0.1 * np.random.default_rng(1).standard_normal(len(topology.pairs))  # those of the ideal stepper
    unit = np.full(topology.units, 10.0)
    program = Program(topology, unit, unit, np.zeros(topology.units), couplings)
    print(f"{'device':34s} {'µs':>6s} {'ratio':>6s}   {'quartiles':12s} target   (µs per chain and step)")
    for case in CASES:
        stepper = DeviceStepper(ideal, program, case)
        seconds, ratios = paired_ratios(stepper, ideal, arguments.steps, arguments.rounds)
        low, middle, high = statistics.quantiles(ratios, n=4)
        cost = statistics.median(seconds) / arguments.chains * 1e6
        verdict = "" if middle <= case.target else "  missed"
        print(
            f"{case.name:34s} {cost:6.1f} {middle:6.2f}   {low:.2f} … {high:.2f}  ≤ {case.target}{verdict}", flush=True
        )


if __name__ == "__main__":
    main()
