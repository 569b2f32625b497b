# SPDX-License-Identifier: Apache-2.0
"""The main job: images in, trained program out."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.simulated import SimulatedDevice
from thermohw.device import Progress, ThermodynamicDevice
from thermohw.errors import TrainingError
from thermohw.images import Images
from thermohw.program import Program
from thermohw.spectrum import mode_spectrum
from thermohw.storage import require_writable
from thermohw.training.checkpoint import Checkpoint, fingerprint
from thermohw.training.config import TrainingConfig, load_config, parse_config
from thermohw.training.descent import descend_trajectories
from thermohw.training.expected import expected_moments
from thermohw.training.flow import descend_flow
from thermohw.training.likelihood import Solution, maximize_likelihood
from thermohw.training.moments import PathMoments
from thermohw.training.noising import NoisingProtocol, build_protocol, class_fields
from thermohw.training.quadratic import PathQuadratic
from thermohw.training.sampled import sampled_moments
from thermohw.training.trained import TrainingRun
from thermohw.training.unit_law import UnitLaw, measure_unit_law

Floats = NDArray[np.float64]

MAX_REFERENCES = 200
"""More training images than this are represented by the mean of each class."""


def train(
    images: Images,
    preset: str | TrainingConfig = "contrast",
    *,
    overrides: Mapping[str, Any] | None = None,
    folder: str | os.PathLike[str] | None = None,
    device: ThermodynamicDevice | None = None,
    progress: Progress | None = None,
) -> TrainingRun:
    """Train couplings that turn noise into images like these.

    Args:
        images: What to learn.
        preset: Name of a preset, or a whole configuration.
        overrides: Values of the configuration to change.
        folder: Where to keep checkpoints; an interrupted training with the same arguments resumes from there.
        device: Where sampled noising runs; None for an ideal simulated device.
        progress: Called with (done, total) during sampled training.

    Raises:
        TrainingError: A bad configuration, images that cannot be coded, a foreign checkpoint, no convergence.
        StorageError: The folder cannot be written.
    """
    config = load_config(preset, overrides) if isinstance(preset, str) else preset
    if overrides and not isinstance(preset, str):
        config = parse_config({**config.model_dump(), **overrides}, "overrides")
    started = time.perf_counter()
    protocol = build_protocol(images, config)
    noiser = device or SimulatedDevice()
    path = None if folder is None else require_writable(folder)
    checkpoint = Checkpoint(path, fingerprint(images, config, noiser.spec.model_dump_json()))
    _check_choices(config, device)
    law = measure_unit_law(protocol, noiser, config.seed) if config.unit_law == "measured" else None
    expected = _expected(protocol, config)
    solution, gain = _solve(protocol, config, noiser, law, expected, checkpoint, progress)
    offset = None if law is None else law.offset / noiser.spec.kT
    trained = replace(_assemble(images, config, protocol, solution, offset), moments=expected)
    spectrum = mode_spectrum(trained.program)
    trained.metrics.update(
        parameters=len(solution.z),
        iterations=len(solution.curve) - 1,
        gain_per_time=gain,
        relative_gradient=None if np.isnan(solution.gradient_norm) else solution.gradient_norm,
        seconds=round(time.perf_counter() - started, 3),
        growing_modes=spectrum.growing,
        leading_mode=float(spectrum.eigenvalues[0]),
        growth_line=spectrum.growth_line,
    )
    if path is not None:
        trained.save(path)
        checkpoint.discard()
    return trained


def _solve(
    protocol: NoisingProtocol,
    config: TrainingConfig,
    device: ThermodynamicDevice,
    law: UnitLaw | None,
    expected: PathMoments | None,
    checkpoint: Checkpoint,
    progress: Progress | None,
) -> tuple[Solution, float]:
    """Get the solution, in k_BT, and its −ln P̃ per 1/(μ k_BT) less that of J = 0 (of descent: on the last round)."""
    topology = protocol.topology
    biased = np.arange(topology.visible, topology.units) if config.hidden_biases else np.arange(0)
    if not len(topology.pairs) + len(biased):
        raise TrainingError("nothing to train: without hidden units a layered computer has no couplings; set hidden")
    if config.method == "descent" and config.statistics == "sampled":
        solution = descend_trajectories(protocol, biased, config, device, checkpoint, law, progress)
        return solution, float(solution.curve[-len(protocol.fields) :, 1].mean())
    if config.statistics == "expected" and expected is not None:
        checkpoint.load({})  # nothing to resume, but another training's checkpoint is not to be lost
        moments = expected
    else:
        moments = sampled_moments(protocol, config, device, checkpoint, law, progress)
    quadratic = PathQuadratic(moments, topology, biased, config.ridge, config.errors.at(moments.kT))
    if not quadratic.linear.any():
        raise TrainingError("nothing to learn: the noising imposes no pattern on one end of every coupling")
    likelihood = config.method == "likelihood"
    solution = maximize_likelihood(quadratic) if likelihood else descend_flow(quadratic, config.descent_time)
    gain_unit = moments.mobility * moments.kT  # the device's time unit, in reduced ones
    curve = solution.curve / (1.0, gain_unit)
    return Solution(solution.z / moments.kT, curve, solution.gradient_norm), quadratic.gain(solution.z) / gain_unit


def _expected(protocol: NoisingProtocol, config: TrainingConfig) -> PathMoments | None:
    """Get the expected moments, by which tables are rounded later; None where sampling alone can do the time step."""
    try:
        return expected_moments(protocol)
    except TrainingError:
        if config.statistics == "expected":
            raise
        return None


def _check_choices(config: TrainingConfig, device: ThermodynamicDevice | None) -> None:
    """Refuse choices that do not go together.

    Raises:
        TrainingError: A device, or its law, where nothing is sampled; or errors that the method cannot reckon with.
    """
    sampled, flow = config.statistics == "sampled", config.method == "descent"
    if not sampled and (device is not None or config.unit_law == "measured"):
        raise TrainingError(
            "with expected statistics no noising runs, so that a device has no part in it: set statistics=sampled"
        )
    if config.errors.present and flow and (sampled or config.errors.limit is not None):
        raise TrainingError(
            "descent over sampled trajectories reckons with no errors of couplings, and descent with no limited range: "
            "set method=likelihood"
        )


def _assemble(
    images: Images, config: TrainingConfig, protocol: NoisingProtocol, solution: Solution, offset: Floats | None
) -> TrainingRun:
    """Make a program of the solution; hold the upright field, take off what units have of their own; add references."""
    topology = protocol.topology
    couplings, learned = np.split(solution.z, [len(topology.pairs)])
    classes, fields = class_fields(protocol, images.labels)
    biases = np.zeros(topology.units)
    biases[topology.visible :] = config.upright * fields.mean(axis=0)
    if config.hidden_biases:
        biases[topology.visible :] += learned
    if offset is not None:
        biases -= offset
    units = topology.units
    program = Program(topology, np.full(units, config.J2), np.full(units, config.J4), biases, couplings)
    references, labels = images.standardized(), images.labels
    if len(images) > MAX_REFERENCES:
        references = np.stack([references[labels == label].mean(axis=0) for label in classes])
        labels = classes
    metrics: dict[str, Any] = {"images": len(images), "source": images.source, "program": program.digest}
    return TrainingRun(program, config, metrics, references, labels, images.shape, classes, fields, solution.curve)
