# SPDX-License-Identifier: Apache-2.0
"""Time and memory of calibration pair by pair, against the number of units and of readings.

    python benchmarks/calibration_size.py [--sizes 49+32,196+128,784+512] [--readings 2000,8000] [--images mnist:DIR]

All visible–hidden and hidden–hidden pairs, J2 = J4 = 10; couplings are random, of 6 k_BT/√units, or with --images those
of 784 + 512 units trained on one exemplar each of 0, 1 and 2 (preset `contrast`). Read after the digits have formed.
The device's couplings are off by 10 %, its biases by 0.3 k_BT, mobilities by 20 %; noise of readings 0.01. Eight
patterns of applied biases of 4 k_BT, readings 0.005 apart. "Sums", "lines" and "pairs" are the computing that
calibration takes, the run of the emulated device apart; memory is the peak of the process. Learnt is the mean share of
the prior's variance that readings removed, and a coupling is resolved where it is half; the prior is as wide as the
couplings' true errors on the whole.
"""

import argparse
import resource
import sys
import time
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from thermohw import Program, RunPlan, SimulatedDevice, Topology, datasets, train
from thermohw.estimation.excitation import applied_biases
from thermohw.estimation.lines import LineMoments, estimate_lines
from thermohw.estimation.pair_moments import PairMoments
from thermohw.estimation.pairs import PairPrior, estimate_pairs
from thermohw.langevin.engine import Dynamics
from thermohw.langevin.observer import TrajectoryPiece
from thermohw.nonideal import BiasOffset, CouplingMismatch, Effect, MobilityMismatch, NonidealDevice, ReadoutNoise

WIDTH, NOISE = 0.1, 0.01
EFFECTS: tuple[Effect, ...] = (
    CouplingMismatch(std=WIDTH),
    BiasOffset(std=0.3),
    MobilityMismatch(std=0.2),
    ReadoutNoise(std=NOISE),
)
INTERVAL, STEPS, CHAINS, PATTERNS, AMPLITUDE, GROUPS, PIECE = 0.005, 40, 16, 8, 4.0, 8, 32
FORMING = RunPlan(2.5, CHAINS, 2.5e-3, keep="final", seed=1)


def random_network(visible: int, hidden: int) -> Program:
    """Get a network of random couplings."""
    topology = Topology.layered(visible, hidden)
    couplings = np.random.default_rng(1).normal(0, 6 / np.sqrt(topology.units), len(topology.pairs))
    onsite = np.full(topology.units, 10.0)
    return Program(topology, onsite, onsite, np.zeros(topology.units), couplings)


def read(device: NonidealDevice, readings: int, pattern: int) -> tuple[NDArray[np.float32], Dynamics]:
    """Run a device that holds a program; get what is read, (chains, readings, units)."""
    first = pattern * CHAINS
    states = device.run(replace(FORMING, first_chain=first)).states
    each = -(-readings // (CHAINS * PATTERNS))
    plan = RunPlan(each * INTERVAL, CHAINS, INTERVAL / STEPS, record_every=STEPS, keep="trajectory", seed=2)
    trajectory = device.run(replace(plan, initial=states, first_chain=first)).trajectory
    assert trajectory is not None and device.as_built is not None
    return trajectory, Dynamics(device.as_built, INTERVAL / STEPS)


def measure(program: Program, readings: int) -> str:
    """Get a row: what it took, and what it gave."""
    topology = program.topology
    zero = np.zeros(topology.units)
    lines, pairs = LineMoments(zero, GROUPS, program=program), PairMoments(zero)
    running, summing = 0.0, 0.0
    with NonidealDevice(SimulatedDevice(), EFFECTS, device_seed=1) as device:
        for number, applied in enumerate(applied_biases(PATTERNS, topology, program.biases, AMPLITUDE, None)):
            started = time.perf_counter()
            device.program(program.with_biases(program.biases + applied))
            trajectory, dynamics = read(device, readings, number)
            running += time.perf_counter() - started
            started = time.perf_counter()
            of_lines, of_pairs = LineMoments(applied, GROUPS, program=program), PairMoments(applied, INTERVAL)
            for start in range(0, trajectory.shape[1] - 1, PIECE):
                states = trajectory[:, start : start + PIECE + 1].transpose(1, 0, 2)
                of_lines.observe(TrajectoryPiece(states, dynamics, number * CHAINS, start * STEPS, STEPS))
            for chain in trajectory:
                of_pairs.take(chain[:, None])
            lines.absorb(of_lines)
            pairs.absorb(of_pairs)
            summing += time.perf_counter() - started
        device.program(program)
        real = device.realised(seed=0)
    started = time.perf_counter()
    prior = PairPrior.of(estimate_lines(lines), program, WIDTH)
    lining, started = time.perf_counter() - started, time.perf_counter()
    found = estimate_pairs(pairs, prior)
    fitting = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    scores = (found.values["couplings"] - real.couplings) / found.errors["couplings"]
    error, before = (
        np.sqrt(np.mean((values - real.couplings) ** 2)) for values in (found.values["couplings"], program.couplings)
    )
    return (
        f"| {topology.visible} + {topology.hidden} | {len(topology.pairs)} | {pairs.count:.0f} | {running:.1f} | "
        f"{summing:.1f} | {lining:.1f} | {fitting:.1f} | {memory:.2f} | {found.learnt.mean():.2%} | {found.resolved} | "
        f"{error:.4f} of {before:.4f} | {np.mean(np.abs(scores) < 1.96):.3f} | {found.condition:.2g} |"
    )


def trained(images: str) -> Program:
    """Get the network trained on one exemplar each of three digits."""
    return train(datasets.load(images).select([0, 1, 2], 1, 0), "contrast").program


def main() -> None:
    """Print a row for each size and number of readings, each from a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", default="49+32,196+128,784+512")
    parser.add_argument("--readings", default="2000,8000")
    parser.add_argument("--images", help="mnist:DIR or another source with classes 0, 1 and 2, in place of sizes")
    arguments = parser.parse_args()
    print(
        "| units | pairs | readings | device (s) | sums (s) | lines (s) | pairs (s) | memory (GiB) | learnt | "
        "resolved | error left (k_BT) | inside 95 % | condition |\n|" + "---|" * 13
    )
    sizes = [tuple(map(int, size.split("+"))) for size in arguments.sizes.split(",")]
    programs = [random_network(*size) for size in sizes] if arguments.images is None else [trained(arguments.images)]
    for program in programs:
        for readings in map(int, arguments.readings.split(",")):
            with get_context("spawn").Pool(1) as pool:
                print(pool.apply(measure, (program, readings)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
