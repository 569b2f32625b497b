# SPDX-License-Identifier: Apache-2.0
"""Speed of the Langevin engine as ratios against named yardsticks, all in one run.

    python benchmarks/engine.py [--rounds 7] [--json FILE] [--figure FILE.png]

784 visible + 512 hidden units, float32, Euler–Maruyama. Rounds alternate between engine and yardstick, and the median
of the rounds' ratios is quoted, so that a drift of the machine's speed cancels.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from yardsticks import bare_products, bond_by_bond, jax_scan, torch_eager

from thermohw.figures import save
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics
from thermohw.langevin.ensemble import Ensemble, run_ensemble
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.program import Program
from thermohw.topology import Topology

VISIBLE, HIDDEN = 784, 512
Row = tuple[str, float, float, float]


class Stepper:
    """The engine on one problem, with its equilibrium drawn once: `advance` costs stepping alone."""

    def __init__(self, topology: Topology, chains: int, dtype: type = np.float32) -> None:
        couplings = 0.1 * np.random.default_rng(1).standard_normal(len(topology.pairs))
        program = Program(topology, np.full(topology.units, 10.0), np.full(topology.units, 10.0),
                          np.zeros(topology.units), couplings)  # fmt: skip
        self.dynamics = Dynamics(AsBuilt.from_program(program), 1e-3, dtype=dtype)
        self.engine = OverdampedEngine(self.dynamics)
        self.start = 0.2 * np.random.default_rng(2).standard_normal((chains, topology.units)).astype(dtype)
        self.matrix: NDArray[np.float32] = (
            program.matrix.toarray().astype(np.float32) if topology.units < 3000 else self.start
        )

    def advance(self, steps: int) -> None:
        """Advance all chains."""
        ensemble = Ensemble(self.engine, self.dynamics, self.start, len(self.start), steps, seed=1, keep="none")
        for _ in run_ensemble(ensemble):
            pass


def timed(function: Callable[[int], object], steps: int) -> float:
    """Get the seconds per step."""
    start = time.perf_counter()
    function(steps)
    return (time.perf_counter() - start) / steps


def compare(
    engine: Callable[[int], object], other: Callable[[int], object], steps: int, other_steps: int, rounds: int
) -> tuple[float, float, float]:
    """Get medians over rounds: seconds a step of the engine, of the other, and their ratio."""
    engine(2)
    other(2)
    pairs = [(timed(engine, steps), timed(other, other_steps)) for _ in range(rounds)]
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def against_yardsticks(chains: int, rounds: int) -> list[Row]:
    """Compare a batch of chains with bare products, PyTorch and JAX; rows (name, engine µs, yardstick µs, ratio)."""
    stepper = Stepper(Topology.layered(VISIBLE, HIDDEN), chains)
    steps = 250 if chains > 1 else 2000  # enough that the heat, evaluated at the ends, is a small share
    fixed = 20
    others = {
        "bare float32 products": (bare_products(stepper.matrix, VISIBLE, chains), steps),
        "PyTorch eager": (torch_eager(stepper.matrix, chains), max(5, steps // 8)),
        "JAX jit+scan": (jax_scan(stepper.matrix, chains, fixed), fixed),
    }
    rows: list[Row] = []
    for name, (other, count) in others.items():
        if other is None:
            print(f"{name}: not installed, left out")
            continue
        mine, its, ratio = compare(stepper.advance, other, steps, count, rounds)
        rows.append((f"{chains} chains, {name}", mine / chains * 1e6, its / chains * 1e6, ratio))
    return rows


def against_the_loop(rounds: int) -> list[Row]:
    """Compare 512 chains with the bond-by-bond C++ loop, in pairs: the loop's time moves by a factor of two."""
    batch = Stepper(Topology.layered(VISIBLE, HIDDEN), 512)
    pairs: list[tuple[float, float]] = []
    for _ in range(rounds):
        mine, loop = _median_step(batch, 3) / 512 * 1e6, bond_by_bond(400)
        if loop is None:
            print("bond-by-bond C++ loop: no compiler, left out")
            return []
        pairs.append((mine, loop))
    ours, its = (statistics.median(column) for column in zip(*pairs, strict=True))
    return [("512 chains, bond-by-bond C++ loop", ours, its, statistics.median(a / b for a, b in pairs))]


def scaling(rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Measure the cost of a step against the number of chains, and against that of couplings; seconds."""
    chains = [1, 4, 16, 64, 256, 1024]
    times = [_median_step(Stepper(Topology.layered(VISIBLE, HIDDEN), count), rounds) for count in chains]
    hidden = [64, 128, 256, 512, 1024]
    topologies = [Topology.layered(VISIBLE, count) for count in hidden]
    dense = [_median_step(Stepper(topology, 512), rounds) for topology in topologies]
    sides = [25, 50, 100, 200]
    grids = [Topology.grid(side, side) for side in sides]
    sparse = [_median_step(Stepper(grid, 128), rounds) for grid in grids]
    return {
        "chains (784 + 512 units)": ([float(count) for count in chains], times),
        "couplings, layered (512 chains)": ([float(len(topology.pairs)) for topology in topologies], dense),
        "couplings, grid (128 chains)": ([float(len(grid.pairs)) for grid in grids], sparse),
    }


def _median_step(stepper: Stepper, rounds: int) -> float:
    stepper.advance(2)
    first = timed(stepper.advance, 5)
    steps = max(100, min(2000, int(0.3 / first)))
    return statistics.median(timed(stepper.advance, steps) for _ in range(max(3, rounds // 2)))


def draw(curves: dict[str, tuple[list[float], list[float]]]) -> Figure:
    """Draw the cost of a step against size, each with a line of slope 1."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    for axes, (name, (sizes, seconds)) in zip(figure.subplots(1, 3), curves.items(), strict=True):
        axes.loglog(sizes, np.array(seconds) * 1e3, "o-", color="#08519c", label="measured")
        line = np.array(sizes) / sizes[-1] * seconds[-1] * 1e3
        axes.loglog(sizes, line, "--", color="grey", label="proportional")
        axes.set(xlabel=name, ylabel="time a step (ms)")
        axes.legend(frameon=False)
    return figure


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    rows: list[Row] = []
    for chains in (1, 512, 1024):
        rows += against_yardsticks(chains, arguments.rounds)
    rows += against_the_loop(arguments.rounds)
    grid = Stepper(Topology.grid(100, 100), 128)
    sparse = _median_step(grid, arguments.rounds) / 128 * 1e6
    double = _median_step(Stepper(Topology.layered(VISIBLE, HIDDEN), 512, np.float64), 3) / 512 * 1e6
    print(f"{'yardstick':44s} {'engine µs':>10s} {'yardstick µs':>13s} {'ratio':>7s}   (per chain and step)")
    for name, engine, other, ratio in rows:
        print(
            f"{name:44s} {engine:10.2f} {other:13.2f} {ratio:7.3f}" + (f"  (1/{1 / ratio:.0f})" if ratio < 0.1 else "")
        )
    print(f"grid 100×100, 128 chains: {sparse:.2f} µs per chain and step, {sparse * 1e3 / 1e4:.2f} ns a unit")
    print(f"784+512 units, 512 chains, float64: {double:.2f} µs per chain and step")
    if arguments.json or arguments.figure:
        curves = scaling(arguments.rounds)
        for name, (sizes, seconds) in curves.items():
            slope = np.polyfit(np.log(sizes[-3:]), np.log(seconds[-3:]), 1)[0]
            print(f"cost against {name}: exponent {slope:.2f} over the last three sizes")
        if arguments.figure:
            save(draw(curves), arguments.figure)
        if arguments.json:
            arguments.json.write_text(json.dumps({"rows": rows, "scaling": curves, "grid_us": sparse}, indent=1))


if __name__ == "__main__":
    main()
