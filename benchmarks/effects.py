# SPDX-License-Identifier: Apache-2.0
"""Cost of a step with imperfect dynamics, as ratios to the plain step in paired rounds of one run.

    python benchmarks/effects.py [--rounds 9] [--chains 512] [--steps 250]

784 visible + 512 hidden units, float32, time step 1e-3. Rounds alternate between an effect and the plain computer; the
median of the rounds' ratios is quoted, with their quartiles. "Heat along the path" is that of unequal temperatures.
"""

import argparse
import statistics
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from device_speed import paired_ratios
from engine import HIDDEN, VISIBLE, Stepper

from thermohw.langevin.flicker import Flicker
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.topology import Topology

UNITS = VISIBLE + HIDDEN


@dataclass(frozen=True)
class Case:
    """An effect, the fields of `AsBuilt` that it sets, and by how much a step may cost more than the plain one."""

    name: str
    fields: dict[str, Any]
    target: float


CASES = (
    Case("plain, against itself", {}, 1.0),
    Case("rails", {"rail": np.array(0.9)}, 1.15),
    Case("flicker, highest for the step", {"flicker": Flicker(1.0, 0.01, 19.0)}, 1.15),
    Case("flicker, five decades, slow", {"flicker": Flicker(1.0, 2e-5, 2.0)}, 1.15),
    Case("coloured noise", {"noise_time": np.array(0.01)}, 1.4),
    Case("heat along the path", {"kT": np.linspace(0.9, 1.1, UNITS)}, 1.03),
)


class EffectStepper(Stepper):
    """The engine on the plain stepper's computer with an effect, from the same initial states."""

    def __init__(self, plain: Stepper, case: Case) -> None:
        self.matrix, self.start = plain.matrix, plain.start
        self.dynamics = replace(plain.dynamics, as_built=replace(plain.dynamics.as_built, **case.fields))
        rail = self.dynamics.as_built.rail.astype(np.float32)
        if self.dynamics.as_built.railed:
            self.start = np.clip(plain.start, -rail, rail)
        self.engine = OverdampedEngine(self.dynamics)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--chains", type=int, default=512)
    parser.add_argument("--steps", type=int, default=250)
    arguments = parser.parse_args()
    plain = Stepper(Topology.layered(VISIBLE, HIDDEN), arguments.chains)
    plain.advance(2)
    print(f"{'effect':32s} {'µs':>6s} {'ratio':>6s}   {'quartiles':14s} target   (µs per chain and step)")
    for case in CASES:
        seconds, ratios = paired_ratios(EffectStepper(plain, case), plain, arguments.steps, arguments.rounds)
        low, middle, high = statistics.quantiles(ratios, n=4)
        cost = statistics.median(seconds) / arguments.chains * 1e6
        print(f"{case.name:32s} {cost:6.1f} {middle:6.3f}   {low:.3f} … {high:.3f}  ≤ {case.target}", flush=True)


if __name__ == "__main__":
    main()
