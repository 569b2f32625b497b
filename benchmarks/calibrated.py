# SPDX-License-Identifier: Apache-2.0
"""Closed loop: imperfect devices calibrated, programs compensated, and run, against the ideal device.

    python benchmarks/calibrated.py mnist:DIR [--devices 8] [--samples 256] [--figure FILE.png]

Preset `contrast`, one exemplar each of 0, 1 and 2, 784 + 512 units. The devices: couplings off by 10 %, biases by 0.3
k_BT, on-site energies by 5 %, mobilities by 20 %, 8 bits, 5 % hotter, readings with noise of 0.01. Each is calibrated
line by line under 8 patterns of applied biases, the program compensated, and rounded by the device to its 8 bits. Heat
is in units of the kT that the device really has.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from thermohw import Program, RunPlan, SimulatedDevice, ThermodynamicDevice, TrainingRun, datasets, train
from thermohw.estimation import Estimates
from thermohw.estimation.compensation import Deviations, compensate
from thermohw.estimation.excitation import applied_biases
from thermohw.estimation.lines import LineMoments, estimate_lines
from thermohw.figures import save
from thermohw.figures.canvas import BLUE
from thermohw.nonideal import (
    BiasOffset,
    CouplingMismatch,
    MobilityMismatch,
    NonidealDevice,
    OnsiteMismatch,
    Quantization,
    ReadoutNoise,
    TemperatureOffset,
)
from thermohw.statistics import Estimate
from thermohw.training import Fidelity, score

EFFECTS = (
    CouplingMismatch(std=0.1),
    BiasOffset(std=0.3),
    OnsiteMismatch(J2_std=0.05, J4_std=0.05),
    MobilityMismatch(std=0.2),
    TemperatureOffset(offset=0.05),
    Quantization(coupling_bits=8, bias_bits=8),
    ReadoutNoise(std=0.01),
)
HEATING = 1.05
DURATION, DT = 2.5, 2.5e-3
INTERVAL, STEPS, READINGS, CHAINS, PATTERNS, AMPLITUDE, GROUPS = 0.005, 100, 40, 64, 8, 4.0, 16


@dataclass(frozen=True)
class Quality:
    """What a program gives on a device; heat in units of the device's own kT."""

    recognised: float
    correlation: float
    entropy: float
    heat: Estimate

    @staticmethod
    def of(device: ThermodynamicDevice, program: Program, run: TrainingRun, samples: int, heating: float) -> "Quality":
        """Run a program and score it."""
        device.program(program)
        found = device.run(RunPlan(DURATION, samples, DT, seed=11))
        fidelity: Fidelity = score(found.visible_states, run.references, run.reference_labels)
        correlation = float(fidelity.as_dict()["correlation"])
        return Quality(fidelity.recognised, correlation, fidelity.entropy, Estimate.of(found.heat / heating))

    def __str__(self) -> str:
        return f"{self.recognised:.3f} | {self.correlation:.3f} | {self.entropy:.3f} | {self.heat}"


def simulated() -> SimulatedDevice:
    """Get the device behind the effects."""
    return SimulatedDevice(integrator="leimkuhler-matthews")


def calibrate(program: Program, device_seed: int) -> Estimates:
    """Calibrate a device by its lines, read after digits have formed: only then do couplings pull hard enough to show.

    Euler–Maruyama at fine steps stands for continuous motion.
    """
    total: LineMoments | None = None
    patterns = applied_biases(PATTERNS, program.topology, program.biases, AMPLITUDE, None)
    formed = RunPlan(DURATION, CHAINS, DT, keep="final", seed=1)
    read = RunPlan(READINGS * INTERVAL, CHAINS, INTERVAL / STEPS, record_every=STEPS, keep="none", seed=2)
    with NonidealDevice(SimulatedDevice(), EFFECTS, device_seed) as device:
        for number, applied in enumerate(patterns):
            device.program(program.with_biases(program.biases + applied))
            states = device.run(replace(formed, first_chain=number * CHAINS)).states
            moments = LineMoments(applied, GROUPS, program=program)
            device.run(replace(read, initial=states, first_chain=number * CHAINS), [moments])
            total = moments if total is None else total + moments
    assert total is not None
    return estimate_lines(total)


def draw(ideal: Quality, raw: list[Quality], compensated: list[Quality]) -> Figure:
    """Draw correlation and heat of each device, raw and compensated, against the ideal one."""
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    panels = cast(list[Axes], list(figure.subplots(1, 2)))
    devices = np.arange(1, len(raw) + 1)
    for axes, name in zip(
        panels, ("correlation with the nearest digit", "heat of a sample (its own k_BT)"), strict=True
    ):
        heat = name.startswith("heat")
        for shift, (label, colour, marker, found) in enumerate(
            (("raw", "0.55", "o", raw), ("compensated", BLUE, "s", compensated))
        ):
            values = [each.heat.mean if heat else each.correlation for each in found]
            errors = [each.heat.standard_error if heat else 0.0 for each in found]
            at = devices + 0.2 * shift - 0.1
            axes.errorbar(at, values, errors, fmt=marker, color=colour, ms=4.5, capsize=2, lw=1, label=label)
        axes.axhline(ideal.heat.mean if heat else ideal.correlation, color="k", lw=1, label="ideal device")
        axes.set_xlabel("device")
        axes.set_ylabel(name)
        axes.set_xticks(devices)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False, fontsize=8)
    return figure


def main() -> None:
    """Print a row for each device and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", help="mnist:DIR or another source with classes 0, 1 and 2")
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    run = train(datasets.load(arguments.images).select([0, 1, 2], 1, 0), "contrast")
    program, samples = run.program, arguments.samples
    print(
        "| device | program | recognised | \\|c\\| | entropy | heat (own k_BT) | heating found | seconds |\n|"
        + "---|" * 8
    )
    ideal = Quality.of(simulated(), program, run, samples, 1.0)
    print(f"| ideal | trained | {ideal} | | |", flush=True)
    qualities: dict[str, list[Quality]] = {"raw": [], "compensated": []}
    for seed in range(arguments.devices):
        started = time.perf_counter()
        estimates = calibrate(program, seed)
        deviations = Deviations.of(estimates, program)
        seconds = time.perf_counter() - started
        device = NonidealDevice(simulated(), EFFECTS, seed)
        programs: dict[str, Any] = {"raw": program, "compensated": compensate(program, deviations)}
        for name, each in programs.items():
            found = Quality.of(device, each, run, samples, HEATING)
            qualities[name].append(found)
            told = f"{deviations.heating:.4f} | {seconds:.0f}" if name == "compensated" else "|"
            print(f"| {seed + 1} | {name} | {found} | {told} |", flush=True)
    for name, found in qualities.items():
        heats, correlations = (
            Estimate.of(values) for values in ([q.heat.mean for q in found], [q.correlation for q in found])
        )
        print(f"{name}: |c| {correlations}, heat {heats}; ideal {ideal.correlation:.4f}, {ideal.heat}")
    if arguments.figure is not None:
        save(draw(ideal, qualities["raw"], qualities["compensated"]), arguments.figure)


if __name__ == "__main__":
    main()
