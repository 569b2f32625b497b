# SPDX-License-Identifier: Apache-2.0
"""The paper's computer on MNIST 0, 1, 2: heat and digits over several exemplar triples, beside its own numbers.

python benchmarks/paper.py mnist:DIR [--triples 6] [--samples 1000] [--preset whitelam2025] [--out DIR]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from thermohw import RunPlan, SimulatedDevice, datasets, train
from thermohw.energy import load_baseline
from thermohw.figures import outcomes, save
from thermohw.report import paper_comparison
from thermohw.training import score


def main() -> None:
    """Train, generate and print a line for each exemplar triple."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", help="mnist:DIR or another source with classes 0, 1 and 2")
    parser.add_argument("--triples", type=int, default=6)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--preset", default="whitelam2025")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    images = datasets.load(arguments.images)
    means: list[float] = []
    deviations: list[float] = []
    print(" triple  train s     <Q>  s.e.   s.d.  |c|   entropy  upright           inverted")
    for triple in range(arguments.triples):
        started = time.perf_counter()
        run = train(images.select([0, 1, 2], 1, triple), arguments.preset)
        seconds = time.perf_counter() - started
        with SimulatedDevice() as device:
            device.program(run.program)
            samples = device.run(RunPlan(2.5, arguments.samples, 1e-3, seed=1))
        fidelity = score(samples.visible_states, run.references, run.reference_labels)
        means.append(float(samples.heat.mean()))
        deviations.append(float(samples.heat.std(ddof=1)))
        print(
            f"{triple:7d} {seconds:8.1f} {means[-1]:7.0f} {deviations[-1] / arguments.samples**0.5:5.0f} "
            f"{deviations[-1]:6.0f}  {fidelity.correlation:.2f}  {fidelity.entropy:.2f}     "
            f"{fidelity.upright_counts!s:17s} {fidelity.inverted_counts}",
            flush=True,
        )
        if arguments.out is not None:
            save(outcomes(samples.visible_states[:25], run.image_shape), arguments.out / f"outcomes_{triple}.png")
        if triple == 0:
            for row in paper_comparison(run, samples.heat, fidelity, load_baseline()):
                print(f"    {row.quantity:40s} {row.paper:26s} {row.ours:48s} {row.remark}")
    error = np.std(means, ddof=1) / len(means) ** 0.5 if len(means) > 1 else float("nan")
    print(f"mean over triples: <Q> = {np.mean(means):.0f} ± {error:.0f} k_BT, s.d. {np.mean(deviations):.0f} k_BT")


if __name__ == "__main__":
    main()
