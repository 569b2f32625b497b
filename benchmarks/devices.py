# SPDX-License-Identifier: Apache-2.0
"""Trained digits on the physical devices, against the ideal computer, and what inertia does to them.

    python benchmarks/devices.py mnist:DIR [--samples 500] [--only table|inertia] [--figure FILE.png]

Preset `contrast`, one exemplar each of 0, 1 and 2. The table compares at duration 2.5 and dt = 1e-3, with the
Leimkuhler–Matthews step on devices without inertia, as its error is that of BAOAB with inertia.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from inertia import study
from numpy.typing import NDArray
from scipy.stats import chi2_contingency

from thermohw import CouplingTable, Program, RunPlan, Samples, TrainingRun, datasets, train
from thermohw.backends import EmulatedDevice, open_device
from thermohw.figures import save
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Integrator
from thermohw.statistics import Estimate
from thermohw.tables.quantize import nearest_codes
from thermohw.training.fidelity import correlations, score

DURATION, DT = 2.5, 1e-3
DEVICES = ("rc_chip", "mechanical_overdamped", "josephson_overdamped")
CARDS = (*DEVICES, "mechanical_cantilever", "josephson_flux")
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one device made of the program.

    Attributes:
        name: Device and program, in words.
        samples: Its samples.
        strength: (samples,) strongest |correlation| with a digit.
        digit: (samples,) index of that digit.
        released: (samples,) potential energy given up, k_BT: the heat less the kinetic energy's change, whose mean is
            zero but for the step's error in velocities (a share of about r Δt/4 of ½ k_BT a unit, r its stiffness).
        kinetic: Final kinetic temperature ⟨m v²⟩, k_BT; NaN without inertia.
    """

    name: str
    samples: Samples
    strength: Floats
    digit: NDArray[np.intp]
    released: Floats
    kinetic: float

    @property
    def counts(self) -> list[int]:
        """Get the samples of each digit, upright or not."""
        return np.bincount(self.digit, minlength=3).tolist()


def ranges(program: Program) -> None:
    """Print the largest couplings and biases beside what the cards allow."""
    strongest, bias = float(np.abs(program.couplings).max()), float(np.abs(program.biases).max())
    spread = float(np.sqrt(np.mean(program.couplings**2)))
    print(
        f"program: max |J| = {strongest:.3f}, r.m.s. J = {spread:.3f}, max |b| = {bias:.3f} (k_BT); nothing is clipped"
    )
    for name in CARDS:
        with open_device(name) as device:
            spec = device.spec
            print(
                f"  {name:22s} |J| ≤ {spec.coupling_limit:.1f}, |b| ≤ {spec.bias_limit:.1f} k_BT; m* = {spec.mass:.3g}"
            )


def on_card_levels(program: Program, device: EmulatedDevice, bits: int = 8) -> Program:
    """Round couplings to the levels of a converter whose codes span the card's whole range."""
    scale = device.spec.coupling_limit / (2 ** (bits - 1) - 1)
    return replace(program, couplings=nearest_codes(program.couplings, scale, bits) * scale)


def generate(
    run: TrainingRun, name: str, device: EmulatedDevice, program: Program | CouplingTable, plan: RunPlan
) -> Outcome:
    """Run, print a line of the table, and keep what the comparison needs."""
    device.program(program)
    samples = device.run(plan)
    fidelity = score(samples.visible_states, run.references, run.reference_labels)
    signed = np.abs(correlations(samples.visible_states, run.references))
    strength, heat = signed.max(axis=1), Estimate.of(samples.heat)
    scale = device.spec.scale
    joules = f"{heat.mean * scale.energy:.2e} J  {plan.duration * scale.time:.2e} s" if scale else ""
    print(
        f"{name:40s} {fidelity.recognised:5.3f} {fidelity.correlation:.4f} ± "
        f"{Estimate.of(strength).standard_error:.4f} {fidelity.purity:.3f} {fidelity.upright:.3f}  "
        f"{fidelity.entropy:.3f}  {fidelity.upright_counts!s:15s} {fidelity.inverted_counts!s:10s} "
        f"{heat.mean:7.1f} ± {heat.standard_error:.1f}  {joules}",
        flush=True,
    )
    released, kinetic = samples.heat, float("nan")
    if samples.velocities is not None and samples.initial_velocities is not None:
        end, start = (
            device.spec.mass * np.square(v, dtype=np.float64) for v in (samples.velocities, samples.initial_velocities)
        )
        released, kinetic = released + 0.5 * (end - start).sum(axis=1), float(end.mean())
    return Outcome(name, samples, strength, signed.argmax(axis=1), released, kinetic)


def outcomes(run: TrainingRun, count: int) -> list[Outcome]:
    """Get the ideal computer under other noise, the ideal one under the devices' noise, and the devices."""
    plan = RunPlan(DURATION, count, DT, seed=1)
    print(f"{'':40s} recog. |correlation|   purity upright entr.  upright         inverted   heat (k_BT)")
    ideal: list[tuple[str, int, Integrator]] = [
        ("ideal, other noise (the reference)", 2, "leimkuhler-matthews"),
        ("ideal", 1, "leimkuhler-matthews"),
        ("ideal, Euler–Maruyama", 1, "euler-maruyama"),
    ]
    found: list[Outcome] = []
    for name, seed, integrator in ideal:
        with open_device("ideal", integrator=integrator) as device:
            found.append(generate(run, name, device, run.program, replace(plan, seed=seed)))
    for card in DEVICES:
        with open_device(card) as device:
            found.append(generate(run, card, device, run.program, plan))
    with open_device("rc_chip") as device:
        table = CouplingTable.quantize(run.program, bits=8)
        found.append(generate(run, "rc_chip, 8 bits over max |J|", device, table, plan))
        coarse = on_card_levels(run.program, device)
        zeros = float(np.mean(np.equal(coarse.couplings, 0)))
        found.append(generate(run, f"rc_chip, 8 bits over ±16 k_BT, {zeros:.0%} zero", device, coarse, plan))
    return found


def compare(found: list[Outcome]) -> None:
    """Print how far each is from the ideal computer under independent noise, in standard errors."""
    reference, ideal, *_ = found
    print("\nagainst the reference: differences, in brackets in standard errors, of |correlation| and of the potential")
    print(
        "energy released (k_BT); χ² test of the digits' counts; the share of samples that show the digit of the ideal"
    )
    print("computer under the same noise; final kinetic temperature (k_BT)")
    for outcome in found[1:]:
        p = float(chi2_contingency([reference.counts, outcome.counts]).pvalue)
        same = float(np.mean(np.equal(outcome.digit, ideal.digit)))
        print(
            f"{outcome.name:40s} {_difference(outcome.strength, reference.strength, 4)}  "
            f"{_difference(outcome.released, reference.released, 1)}  p = {p:.3f}  same digit {same:.3f}  "
            f"kinetic {outcome.kinetic:.3f}"
        )


def _difference(values: Floats, others: Floats, digits: int) -> str:
    one, other = Estimate.of(values), Estimate.of(others)
    shift, error = one.mean - other.mean, float(np.hypot(one.standard_error, other.standard_error))
    return f"{shift:+.{digits}f} ({shift / error:+.1f})"


def cosine_beyond_fourth_order(run: TrainingRun, ideal: Outcome) -> None:
    """Print what the Josephson potential differs by from the quartic one, on the ideal computer's own states."""
    quartic, reach = AsBuilt.from_program(run.program), float(np.quantile(np.abs(ideal.samples.states), 0.99))
    for name in ("josephson_overdamped", "josephson_flux"):
        with open_device(name) as device:
            device.program(run.program)
            assert device.as_built is not None and device.spec.scale is not None
            sixth = device.spec.scale.length**2 / 30
            start, end = (
                device.as_built.energy(x) - quartic.energy(x)
                for x in (ideal.samples.initial_states, ideal.samples.states)
            )
            gained = Estimate.of(start - end)
            print(
                f"{name}: the sixth order is −{sixth:.3f} x² of the fourth ({-sixth * reach**2:.1%} at the 99 % "
                f"quantile |x| = {reach:.2f}); heat to first order {gained.mean:+.1f} ± "
                f"{gained.standard_error:.1f} k_BT"
            )


def main() -> None:
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", help="mnist:DIR or another source with classes 0, 1 and 2")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--only", choices=("table", "inertia"))
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    run = train(datasets.load(arguments.images).select([0, 1, 2], 1, 0))
    ranges(run.program)
    if arguments.only != "inertia":
        found = outcomes(run, arguments.samples)
        compare(found)
        cosine_beyond_fourth_order(run, found[1])
    if arguments.only != "table":
        figure = study(run)
        if arguments.figure is not None:
            save(figure, arguments.figure)


if __name__ == "__main__":
    main()
