# SPDX-License-Identifier: Apache-2.0
"""Speed of a board's line: samples fetched a second, and what running through `thermohw serve` costs.

    python benchmarks/line_speed.py [--rounds 7] [--megabytes 200] [--samples 128]

784 visible + 512 hidden units, initial and final states. The speed is that of `SerialDevice` between the first chunk
and the last, checksums, checks and all, of runs of a single step. The cost is that of a run of 2500 steps, from the
call to its samples, against the same run of the device itself in this process: pairs alternate, and the median of
their ratios is quoted, with quartiles.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from engine import HIDDEN, VISIBLE
from serving import line_options, serving

from thermohw import Program, RunPlan, SerialDevice, SimulatedDevice, Topology
from thermohw.device import ThermodynamicDevice

DT = 1e-3
DURATION = 2.5
TARGETS = {"tcp": 50.0, "pty": 20.0}
"""Samples fetched, MB/s."""


def program() -> Program:
    """Get random couplings of the size of trained ones, 0.09 kT, and biases."""
    topology, generator = Topology.layered(VISIBLE, HIDDEN), np.random.default_rng(1)
    couplings, biases = 0.09 * generator.standard_normal(len(topology.pairs)), np.zeros(topology.units)
    return Program(topology, np.array(10.0), np.array(10.0), biases, couplings)


def fetch_speed(device: SerialDevice, megabytes: float) -> float:
    """Get the speed of a fetch, MB/s."""
    record = 16 + 8 * device.held.units
    plan = RunPlan(DT, int(megabytes * 1e6 / record), DT, seed=1)
    marks: list[tuple[float, int]] = []
    device.run(plan, progress=lambda done, _: marks.append((time.perf_counter(), 2 * done - plan.n_samples)))
    fetched = [(moment, done) for moment, done in marks if done > 0]
    (began, first), (ended, last) = fetched[0], fetched[-1]
    return (last - first) * record / (ended - began) / 1e6


def seconds_of(device: ThermodynamicDevice, plan: RunPlan) -> float:
    """Get the time of a run, s."""
    started = time.perf_counter()
    device.run(plan)
    return time.perf_counter() - started


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabytes", type=float, default=200.0, help="of samples in a fetch")
    parser.add_argument("--samples", type=int, default=128, help="of a run whose cost is compared")
    arguments = parser.parse_args()
    plan = RunPlan(DURATION, arguments.samples, DT, seed=1)
    print(
        f"{'line':5s} {'program, s':>10s} {'MB/s':>6s}  {'quartiles':13s} run, s  served / direct  quartiles",
        flush=True,
    )
    for line, target in TARGETS.items():
        with (
            tempfile.TemporaryDirectory() as name,
            serving(*line_options(line, Path(name))) as url,
            SerialDevice(url) as board,
            SimulatedDevice() as device,
        ):
            started = time.perf_counter()
            board.program(program())
            loading = time.perf_counter() - started
            device.program(program())
            speeds = [fetch_speed(board, arguments.megabytes) for _ in range(arguments.rounds)]
            pairs = [(seconds_of(board, plan), seconds_of(device, plan)) for _ in range(arguments.rounds + 1)][1:]
        slow, speed, fast = statistics.quantiles(speeds, n=4)
        low, ratio, high = statistics.quantiles((mine / its for mine, its in pairs), n=4)
        direct = statistics.median(its for _, its in pairs)
        print(
            f"{line:5s} {loading:10.2f} {speed:6.0f}  {slow:.0f} … {fast:.0f} (≥ {target:g}) {direct:6.2f}  {ratio:.3f}"
            f"  {low:.3f} … {high:.3f} (≤ 1.05), load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
