# SPDX-License-Identifier: Apache-2.0
"""The `contrast` preset on exemplar sets: three digits, ten digits, and ten digits on demand.

python benchmarks/digits.py mnist:DIR [--sets 6] [--samples 1000]
"""

import argparse
import time

import numpy as np

from thermohw import Images, Program, RunPlan, SimulatedDevice, TrainingRun, datasets, train
from thermohw.training import Fidelity, score

DT = 1e-3


def generate(run: TrainingRun, program: Program, count: int, label: int | None = None) -> tuple[Fidelity, float]:
    """Get the fidelity and mean heat of samples of a program."""
    with SimulatedDevice() as device:
        device.program(program)
        samples = device.run(RunPlan(run.config.duration, count, DT, seed=1))
    return score(samples.visible_states, run.references, run.reference_labels, label), float(samples.heat.mean())


def measure(images: Images, classes: list[int], exemplar: int, count: int) -> TrainingRun:
    """Train on one exemplar of each class, generate without a label, and print a line."""
    started = time.perf_counter()
    run = train(images.select(classes, 1, exemplar))
    seconds = time.perf_counter() - started
    fidelity, heat = generate(run, run.program, count)
    print(
        f"{exemplar:4d} {len(classes):7d} {seconds:8.2f} {fidelity.recognised:11.3f} {fidelity.entropy:8.3f} "
        f"{fidelity.upright:8.3f} {fidelity.correlation:5.2f} {heat:7.0f}",
        flush=True,
    )
    return run


def main() -> None:
    """Print a table of three digits, ten digits, and on demand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", help="mnist:DIR or another source with classes 0 … 9")
    parser.add_argument("--sets", type=int, default=6)
    parser.add_argument("--samples", type=int, default=1000)
    arguments = parser.parse_args()
    images = datasets.load(arguments.images)
    print(" set classes  train s  recognised  entropy  upright  |c|   <Q>")
    for exemplar in range(arguments.sets):
        measure(images, [0, 1, 2], exemplar, arguments.samples)
    runs = [measure(images, list(range(10)), exemplar, arguments.samples) for exemplar in range(arguments.sets)]
    print("\n set   on demand: share of samples nearest to the digit asked for, of all samples; worst digit")
    for exemplar, run in enumerate(runs):
        each = arguments.samples // 10
        shares = [generate(run, run.program_for(label), each, label)[0].requested or 0.0 for label in range(10)]
        print(f"{exemplar:4d}   {np.mean(shares):.4f} of {10 * each};  worst {min(shares):.3f}", flush=True)


if __name__ == "__main__":
    main()
