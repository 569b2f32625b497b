# SPDX-License-Identifier: Apache-2.0
"""How often 95 % intervals of calibration cover the truth, over many simulated calibrations of one nonlinear network.

    python benchmarks/calibration_coverage.py [--calibrations 200] [--out FILE.json]

Sixteen units, all coupled, J2 from 0.4 to 0.8 and J4 from 0.3 to 0.6 kT, couplings of 0.25 kT; mobility 0.9, kT 1.1;
slowest relaxation time 1. Each calibration reads 320 chains under 32 patterns of applied biases. Trajectories are
Euler–Maruyama's at steps of 0.002, so that the truth is a diffusion to 1 %. Every calibration is read without noise and
with noise of 5 % of the states' standard deviation.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from thermohw import Program, RunPlan, SimulatedDevice, Topology
from thermohw.estimation import Estimates, LaggedMoments, Method, estimate
from thermohw.estimation.excitation import applied_biases
from thermohw.nonideal import NonidealDevice, ReadoutNoise

UNITS, MOBILITY, KT = 16, 0.9, 1.1
PATTERNS, CHAINS, GROUPS, AMPLITUDE = 32, 10, 20, 2.0
SPREAD = 0.64
"""Standard deviation of the states."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Condition:
    """Interval of readings in relaxation times, their number, steps an interval, and readings before it has settled."""

    interval: float
    readings: int
    steps: int
    settle: int


CONDITIONS = (Condition(0.01, 200, 5, 300), Condition(0.1, 60, 50, 30), Condition(0.5, 30, 250, 6))


def truth() -> Program:
    """Get the network."""
    rng = np.random.default_rng(0)
    topology = Topology.complete(UNITS)
    couplings = rng.normal(0, 0.25, len(topology.pairs))
    J2, J4 = rng.uniform(0.4, 0.8, UNITS), rng.uniform(0.3, 0.6, UNITS)
    return Program(topology, J2, J4, rng.normal(0, 0.3, UNITS), couplings)


def read(condition: Condition, noise: float, number: int) -> LaggedMoments:
    """Read the network once: calibration `number`, with the same trajectories whatever the noise of readings."""
    program = truth()
    patterns = applied_biases(PATTERNS, program.topology, program.biases, AMPLITUDE, None)
    total: LaggedMoments | None = None
    device = NonidealDevice(SimulatedDevice(MOBILITY, KT), [ReadoutNoise(std=noise)], device_seed=0)
    for run, applied in enumerate(patterns):
        device.program(program.with_biases(program.biases + applied))
        moments = LaggedMoments(applied, GROUPS, condition.settle)
        duration = (condition.settle + condition.readings) * condition.interval
        plan = RunPlan(
            duration,
            CHAINS,
            condition.interval / condition.steps,
            record_every=condition.steps,
            keep="none",
            first_chain=run * CHAINS,
            seed=number,
        )
        device.run(plan, [moments])
        total = moments if total is None else total + moments
    assert total is not None
    return total


def covered(found: Estimates) -> dict[str, tuple[float, float]]:
    """Get the share of each parameter's intervals that hold the truth, and their mean width in standard errors."""
    program = truth()
    exact: dict[str, Any] = {name: getattr(program, name) for name in ("J2", "J4", "biases", "couplings")}
    exact |= {"mobility": np.full(UNITS, MOBILITY), "kT": np.full(UNITS, KT)}
    shares: dict[str, tuple[float, float]] = {}
    for name, value in exact.items():
        low, high = found.interval(name)
        error = found.standard_error(name)
        if np.isfinite(error).all():
            shares[name] = float(((low <= value) & (value <= high)).mean()), float(error.mean())
    return shares


def calibrate(number: int, condition: Condition) -> list[tuple[str, float, dict[str, tuple[float, float]]]]:
    """Calibrate once by each method, without noise and with noise."""
    rows: list[tuple[str, float, dict[str, tuple[float, float]]]] = []
    for noise in (0.0, 0.05 * SPREAD):
        moments = read(condition, noise, number)
        motion: Method = "trajectories" if condition.interval < 0.2 else "both"  # the interval is too long for it alone
        methods: tuple[Method, ...] = (motion, "snapshots")
        for method in methods:
            known = noise if method == "snapshots" or condition.interval > 0.05 else None
            rows.append((method, noise, covered(estimate(moments, truth().topology, method, known))))
    return rows


def use_one_thread() -> None:
    """Keep a process to one thread, kernels and linear algebra: two processes on two cores are faster so."""
    numba.set_num_threads(1)
    threadpool_limits(1)


def main() -> None:
    """Print a table for each interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calibrations", type=int, default=200)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    names = ("J2", "J4", "biases", "couplings", "mobility", "kT")
    with ProcessPoolExecutor(2, initializer=use_one_thread) as pool:
        for condition in CONDITIONS:
            done = list(pool.map(partial(calibrate, condition=condition), range(arguments.calibrations)))
            print(f"\ninterval {condition.interval:g}\n\n| method | noise | {' | '.join(names)} |")
            print(f"|{'---|' * (2 + len(names))}", flush=True)
            for row in range(len(done[0])):
                method, noise, _ = done[0][row]
                cells: list[str] = []
                for name in names:
                    shares = np.array([found[row][2][name] for found in done if name in found[row][2]])
                    if not len(shares):
                        cells.append("—")
                        continue
                    mean, error = shares[:, 0].mean(), shares[:, 0].std(ddof=1) / len(shares) ** 0.5
                    cells.append(f"{mean:.3f} ± {error:.3f} (s.e. {shares[:, 1].mean():.3f})")
                    results.append(
                        {
                            "interval": condition.interval,
                            "method": method,
                            "noise": noise,
                            "parameter": name,
                            "coverage": float(mean),
                            "error": float(error),
                            "calibrations": len(shares),
                        }
                    )
                print(f"| {method} | {noise:g} | {' | '.join(cells)} |", flush=True)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
