# SPDX-License-Identifier: Apache-2.0
"""Ways of rounding trained couplings to few bits: loss of likelihood, modes, digits and heat against the float program.

`nearest` and `mse` round to the nearest level. The others have the scales of `likelihood`, the package's way: descent
on the grid from nearest levels or from random rounding; sequential rounding with error feedback and no dither.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from thermohw import CouplingTable, Program, RunPlan, SimulatedDevice, TrainingRun, datasets, train
from thermohw.statistics import Estimate
from thermohw.tables.grids import Grid
from thermohw.tables.judging import ModeComparison
from thermohw.tables.quantize import ScaleRule
from thermohw.training import Fidelity, score
from thermohw.training.moments import PathMoments
from thermohw.training.reduction import reduce_moments
from thermohw.training.rounding import RoundingProblem, distortion, full_quadratic, round_to_likelihood

DT = 2.5e-3
SWEEPS = 128
LEAST_P = 0.0027
"""Probability of a deviation of more than three standard errors."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What samples of a program look like: fidelity, heat, and counts of upright and inverted classes."""

    fidelity: Fidelity
    heat: Estimate

    @property
    def counts(self) -> Floats:
        """Get the counts (upright and inverted classes,)."""
        return np.array([*self.fidelity.upright_counts, *self.fidelity.inverted_counts], np.float64)

    def agrees(self, other: "Outcome") -> str:
        """Tell whether classes (chi-square) and heat agree within three standard errors."""
        both = np.stack([self.counts, other.counts])
        found = stats.chi2_contingency(both[:, both.sum(axis=0) > 0])
        apart = (self.heat.mean - other.heat.mean) / np.hypot(self.heat.standard_error, other.heat.standard_error)
        same = bool(found[1] > LEAST_P and abs(apart) < 3)
        return f"{'yes' if same else 'no'} (p {found[1]:.3f}, heat {apart:+.1f} s.e.)"


def sample(run: TrainingRun, program: Program, count: int, seed: int) -> Outcome:
    """Generate with the more accurate integrator, at a larger step."""
    with SimulatedDevice(integrator="leimkuhler-matthews") as device:
        device.program(program)
        samples = device.run(RunPlan(run.config.duration, count, DT, seed=seed))
    return Outcome(score(samples.visible_states, run.references, run.reference_labels), Estimate.of(samples.heat))


def methods(program: Program, moments: PathMoments, bits: int, seeds: int) -> Iterator[tuple[str, Program]]:
    """Round in all ways, biases at eight bits to the nearest."""
    tables = [round_to_likelihood(program, moments, bits, seed=seed) for seed in range(1, seeds + 1)]
    biases = tables[0].program.biases
    rules: dict[str, ScaleRule] = {"nearest": "max", "mse": "mse"}
    for name, rule in rules.items():
        yield name, replace(CouplingTable.quantize(program, bits, scale=rule).program, biases=biases)
    problem = RoundingProblem(program, moments, Grid(bits), biases - program.biases, reduce_moments(moments.second), 1)
    scales = np.array([tables[0].scales[block] for block in problem.blocks])

    def finished(index: NDArray[np.int32]) -> Program:
        return replace(program, couplings=program.couplings + problem.error(index, scales), biases=biases)

    nearest = problem.grid.nearest(program.couplings / scales[problem.block_of], 1.0)
    start = np.searchsorted(problem.grid.codes, nearest).astype(np.int32)
    yield "nearest, descent", finished(problem.descended(start, scales, SWEEPS).index)
    yield "random, descent", finished(problem.descended(problem.dithered(scales), scales, SWEEPS).index)
    yield "sequential", finished(problem.sequential(scales, 0.0))
    yield "sequential, descent", finished(problem.descended(problem.sequential(scales, 0.0), scales, SWEEPS).index)
    for table in tables:
        yield "likelihood", table.program


def measure(run: TrainingRun, bits: list[int], seeds: int, count: int) -> None:
    """Print the table of a trained run."""
    moments = run.moments
    assert moments is not None
    quadratic = full_quadratic(run.program, moments)
    z = quadratic.pack(run.program.couplings, run.program.biases)
    gain = -quadratic.gain(z)
    exact = sample(run, run.program, 4 * count, 1)
    print(f"\n{run.config.preset}: gain of the float program {gain:.0f} per unit time")
    print("| bits | method | δ | loss/gain | leading modes | \\|c\\| | entropy | classes | heat | as float |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    modes = ModeComparison.of(run.program, run.program)
    print(f"| float | | | | {leading(modes)} | {row(exact)} | |", flush=True)
    seed = 1  # each row has noise of its own
    for each in bits:
        for name, program in methods(run.program, moments, each, seeds):
            seed += 1
            loss = quadratic.value(quadratic.pack(program.couplings, program.biases)) - quadratic.value(z)
            outcome = sample(run, program, count, seed)
            delta = distortion(run.program, program, moments)
            modes = ModeComparison.of(run.program, program)
            print(
                f"| {each} | {name} | {delta:.4g} | {loss / gain:.2%} | {leading(modes)} | {row(outcome)} "
                f"| {outcome.agrees(exact)} |",
                flush=True,
            )


def leading(modes: ModeComparison) -> str:
    """Get the four leading modes, the growing ones and what is spurious among them."""
    values = ", ".join(f"{value:.1f}" for value in modes.table.eigenvalues[:4])
    return f"{values} ({modes.table.growing} grow)"


def row(outcome: Outcome) -> str:
    """Get the cells of an outcome."""
    found = outcome.fidelity
    classes = f"{', '.join(map(str, found.upright_counts))} / {', '.join(map(str, found.inverted_counts))}"
    heat = f"{outcome.heat.mean:.0f} ± {outcome.heat.standard_error:.1f}"
    return f"{found.correlation:.3f} | {found.entropy:.2f} | {classes} | {heat}"


def main() -> None:
    """Print a table for each preset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", help="mnist:DIR or another source with classes 0, 1, 2")
    parser.add_argument("--presets", default="contrast,whitelam2025")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of the configuration; repeatable")
    parser.add_argument("--bits", default="2,3,4,6,8")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=256)
    arguments = parser.parse_args()
    images = datasets.load(arguments.images).select([0, 1, 2], 1)
    overrides = dict(setting.split("=", 1) for setting in arguments.set)
    for preset in arguments.presets.split(","):
        run = train(images, preset, overrides=overrides)
        bits = [int(each) for each in arguments.bits.split(",")]
        measure(run, bits, arguments.seeds, arguments.samples)


if __name__ == "__main__":
    main()
