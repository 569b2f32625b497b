# SPDX-License-Identifier: Apache-2.0
"""Tables that set our numbers beside the paper's, and the figures of a run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from thermohw import figures
from thermohw.backends import SimulatedDevice
from thermohw.energy import DigitalBaseline, intrinsic_advantage
from thermohw.images import Images
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.samples import Samples
from thermohw.spectrum import mode_spectrum
from thermohw.statistics import Estimate
from thermohw.training import Fidelity, TrainingRun
from thermohw.training.noising import build_protocol

STRIP_TRAJECTORIES = 3
OUTCOMES = 25
FRAMES = 50
"""Recorded states of a filmed trajectory."""
STRIP_LENGTH = 7


@dataclass(frozen=True)
class Row:
    """A line of a comparison.

    Attributes:
        quantity: What, with its unit.
        paper: The paper's figure, or a dash.
        ours: Ours.
        remark: Where ours comes from: reproduced, a fit, or not reproduced.
    """

    quantity: str
    paper: str
    ours: str
    remark: str


def paper_comparison(run: TrainingRun, heat: np.ndarray, fidelity: Fidelity, baseline: DigitalBaseline) -> list[Row]:
    """Set a run beside the paper's description of its computer and every number of its last section.

    Args:
        run: A trained run.
        heat: (samples,) heat of generation, k_BT.
        fidelity: Scores of those samples.
        baseline: The paper's digital denoiser.
    """
    estimate = Estimate.of(heat)
    advantage = intrinsic_advantage(estimate, baseline)
    topology = run.program.topology
    blocks = {name: int(mask.sum()) for name, mask in topology.blocks.items()}
    counts = ", ".join(
        f"{label}: {up} upright {down} inverted"
        for label, up, down in zip(fidelity.classes, fidelity.upright_counts, fidelity.inverted_counts, strict=True)
    )
    mac_kT = baseline.energy_kT / baseline.macs
    fitted = "fit: amplitude and learning rate chosen for it" if run.config.preset == "whitelam2025" else ""
    amplitudes = f"{run.config.amplitude:g}, {run.config.hidden_amplitude:g}"
    spread = f"{estimate.standard_deviation:.3g}"
    gain = f"({advantage.ratio:.3g} ± {advantage.standard_error:.1g})"
    return [
        Row("visible + hidden units", "784 + 512", f"{topology.visible} + {topology.hidden}", "as stated"),
        Row("visible–hidden couplings", "N_v N_h = 401408", str(blocks.get("visible-hidden", 0)), "as stated"),
        Row("hidden–hidden couplings", "N_h (N_h−1)/2 = 130816", str(blocks.get("hidden-hidden", 0)), "as stated"),
        Row("J2, J4 (k_BT)", "10, 10", f"{run.config.J2:g}, {run.config.J4:g}", "as stated"),
        Row("trajectory length t_f (1/μk_BT)", "2.5", f"{run.config.duration:g}", "as stated"),
        Row("bias amplitudes A, A_h (k_BT)", "not stated", amplitudes, fitted),
        Row("trajectories of the estimate", "1000", str(estimate.count), "as stated" if estimate.count == 1000 else ""),
        Row("mean heat ⟨Q⟩ (k_BT)", "2.9e3", str(estimate), fitted),
        Row("standard deviation of Q (k_BT)", "3.5e2", spread, "depends on the exemplars; thermal floor 30"),
        Row("digits generated", "0, 2 and an inverted 1", counts, _digit_remark(fidelity)),
        Row("energy of a multiply–accumulate (k_BT)", "2.4e8 (1 pJ)", f"{mac_kT:.2g}", f"{baseline.temperature:g} K"),
        Row("multiply–accumulates a step", "2.2e5", str(baseline.macs // baseline.steps), "784·128 + 128² + 128·784"),
        Row("denoising steps", "10", str(baseline.steps), "the paper's assumption"),
        Row("digital energy a sample (k_BT)", "5e14", f"{baseline.energy_kT:.2g}", "arithmetic only"),
        Row("advantage", "> 1e11", gain, advantage.counts),
    ]


def _digit_remark(fidelity: Fidelity) -> str:
    absent = [
        str(label)
        for label, up, down in zip(fidelity.classes, fidelity.upright_counts, fidelity.inverted_counts, strict=True)
        if up + down < 0.02 * fidelity.samples
    ]
    return f"not reproduced: a pure {', '.join(absent)} at this heat" if absent else "all classes appear"


def program_figures(program: Program, image_shape: tuple[int, int] | None) -> dict[str, Figure]:
    """Draw a program: coupling histogram by block, spectrum of −J, and receptive fields of hidden units."""
    topology = program.topology
    spectrum = mode_spectrum(program)
    drawn = {"spectrum": figures.mode_spectrum(spectrum.eigenvalues, spectrum.growth_line)}
    if len(program.couplings):
        by_block = {name: program.couplings[mask] for name, mask in topology.blocks.items()}
        drawn["couplings"] = figures.coupling_histogram(by_block)
    mask = topology.blocks.get("visible-hidden")
    if image_shape is not None and mask is not None:
        fields = np.zeros((topology.visible, topology.hidden))
        i, j = topology.pairs[mask].T
        fields[i, j - topology.visible] = program.couplings[mask]
        drawn["receptive_fields"] = figures.receptive_fields(fields, image_shape, min(16, topology.hidden))
    return drawn


def training_figures(run: TrainingRun, images: Images) -> dict[str, Figure]:
    """Draw a training: noising of its first images (Fig. 1a), convergence, and the program."""
    protocol = build_protocol(images, run.config)
    every = max(1, protocol.steps // 10)
    plan = RunPlan(1.0, 1, record_every=every, keep="trajectory", seed=run.config.seed)
    strips: list[np.ndarray] = []
    times = np.zeros(0)
    with SimulatedDevice() as device:
        for image in range(min(STRIP_TRAJECTORIES, len(images))):
            samples = protocol.run(device, image, plan)
            assert samples.trajectory is not None and samples.times is not None  # asked for
            strips.append(samples.trajectory[0, :, : protocol.topology.visible])
            times = samples.times
    drawn = {"noising": figures.noising_filmstrip(np.stack(strips), times, run.image_shape)}
    name = "descent time τ" if run.config.method == "descent" else "iteration"
    drawn["convergence"] = figures.convergence(
        run.curve[:, 0], run.curve[:, 1], name, "−ln P̃ per unit time, from J = 0"
    )
    return drawn | program_figures(run.program, run.image_shape)


def generation_figures(
    samples: Samples, film: Samples, image_shape: tuple[int, int], fidelity: Fidelity | None
) -> dict[str, Figure]:
    """Draw a generation: filmstrips (Fig. 2a), outcomes (Fig. 2b), heat, and classes.

    Args:
        samples: Outcomes.
        film: Some samples with their trajectories kept.
        image_shape: (rows, columns).
        fidelity: Scores of the samples, if there is something to score against.
    """
    assert film.trajectory is not None and film.times is not None  # the caller keeps them
    heat = Estimate.of(samples.heat)
    shown = _emergence(len(film.times))
    strips = film.trajectory[:STRIP_TRAJECTORIES, shown, : samples.visible]
    drawn = {
        "generation": figures.generation_filmstrips(strips, film.times[shown], image_shape),
        "outcomes": figures.outcomes(samples.visible_states[:OUTCOMES], image_shape),
        "heat": figures.heat_histogram(samples.heat, heat.mean, heat.standard_error),
    }
    if fidelity is not None:
        labels = [str(label) for label in fidelity.classes]
        drawn["classes"] = figures.class_histogram(fidelity.upright_counts, fidelity.inverted_counts, labels)
    return drawn


def film_plan(plan: RunPlan, samples: Samples) -> RunPlan:
    """Get a plan that repeats the first trajectories of a run and keeps about 50 states of each."""
    steps = plan.steps(samples.dt) if samples.dt is not None else FRAMES
    every, count = max(1, steps // FRAMES), min(OUTCOMES, plan.n_samples)
    return RunPlan(plan.duration, count, samples.dt, record_every=every, keep="trajectory", seed=samples.seed)


def _emergence(records: int) -> np.ndarray:
    """Choose records for a strip: dense at first, where patterns emerge, sparse later."""
    last = records - 1
    later = np.geomspace(1, max(last, 1), STRIP_LENGTH - 1).round().astype(int)
    return np.unique(np.minimum(np.concatenate([[0], later]), last))


def save_figures(drawn: dict[str, Figure], folder: Path, progress: Callable[[str], None] | None = None) -> list[Path]:
    """Write figures as PNG into a folder; returns their paths."""
    paths: list[Path] = []
    for name, figure in drawn.items():
        paths.append(figures.save(figure, folder / f"{name}.png"))
        if progress is not None:
            progress(name)
    return paths
