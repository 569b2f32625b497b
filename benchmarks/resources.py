# SPDX-License-Identifier: Apache-2.0
"""Time and peak memory of large jobs, each in a process of its own.

python benchmarks/resources.py ensemble [--chains 100000] [--steps 50]
python benchmarks/resources.py training mnist:DIR
"""

import argparse
import resource
import time

import numpy as np

from thermohw import Program, RunPlan, SimulatedDevice, Topology, datasets, train


def ensemble(chains: int, steps: int) -> None:
    """Run many chains of 784 + 512 units and keep their final states only."""
    topology = Topology.layered(784, 512)
    couplings = 0.1 * np.random.default_rng(1).standard_normal(len(topology.pairs))
    units = np.ones(topology.units)
    with SimulatedDevice() as device:
        device.program(Program(topology, 10 * units, 10 * units, 0 * units, couplings))
        samples = device.run(RunPlan(steps * 1e-3, chains, 1e-3, keep="final", seed=1))
    print(f"{len(samples.states)} chains, {steps} steps, {samples.states.nbytes / 1e9:.2f} GB of final states")


def training(images: str) -> None:
    """Train the default preset on all images of a source."""
    run = train(datasets.load(images))
    print(
        f"{run.metrics['images']} images, {run.metrics['parameters']} couplings, {run.metrics['iterations']} iterations"
    )


def main() -> None:
    """Run one job and print its time and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    jobs = parser.add_subparsers(dest="job", required=True)
    many = jobs.add_parser("ensemble")
    many.add_argument("--chains", type=int, default=100_000)
    many.add_argument("--steps", type=int, default=50)
    jobs.add_parser("training").add_argument("images")
    arguments = parser.parse_args()
    started = time.perf_counter()
    if arguments.job == "ensemble":
        ensemble(arguments.chains, arguments.steps)
    else:
        training(arguments.images)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"{time.perf_counter() - started:.1f} s, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
