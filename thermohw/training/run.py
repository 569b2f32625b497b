# SPDX-License-Identifier: Apache-2.0
"""The main job: images in, trained program out."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.simulated import SimulatedDevice
from thermohw.device import Progress, ThermodynamicDevice
from thermohw.errors import FileFormatError, TrainingError
from thermohw.images import Images
from thermohw.program import Program
from thermohw.spectrum import mode_spectrum
from thermohw.storage import load_arrays, parse_json, read_text, require_writable, save_arrays, write_atomically
from thermohw.training.checkpoint import Checkpoint, fingerprint
from thermohw.training.config import TrainingConfig, load_config, parse_config
from thermohw.training.descent import descend_flow, descend_trajectories
from thermohw.training.expected import expected_moments
from thermohw.training.likelihood import Solution, maximize_likelihood
from thermohw.training.moments import PathMoments
from thermohw.training.noising import NoisingProtocol, build_protocol, class_fields
from thermohw.training.quadratic import PathQuadratic
from thermohw.training.sampled import sampled_moments

REFERENCES_SCHEMA = "thermohw-references/1"
MAX_REFERENCES = 200
"""More training images than this are represented by the mean of each class."""


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A trained program, and what is needed to use and judge it.

    Attributes:
        program: What to load onto a device; energies in k_BT.
        config: How it was trained.
        metrics: Figures of the training, for JSON.
        references: (references, visible) images to compare samples with.
        reference_labels: (references,) their classes.
        image_shape: (rows, columns).
        classes: (classes,) labels that can be asked for.
        fields: (classes, hidden) noising field of each class on the hidden units, k_BT.
        curve: (points, 2) convergence of the training.
    """

    program: Program
    config: TrainingConfig
    metrics: dict[str, Any]
    references: NDArray[np.float64]
    reference_labels: NDArray[np.int64]
    image_shape: tuple[int, int]
    classes: NDArray[np.int64]
    fields: NDArray[np.float64]
    curve: NDArray[np.float64] = field(repr=False)

    def program_for(self, label: int, strength: float = 0.2) -> Program:
        """Get the program that generates one class on demand: a share of its noising field held on the hidden units.

        The program's own hidden biases give way to `strength` times the class's field; nothing is trained anew.

        Raises:
            TrainingError: The class was not trained, or there are no hidden units to hold a field on.
        """
        if label not in self.classes:
            raise TrainingError(f"class {label} was not trained; there are {', '.join(map(str, self.classes))}")
        if self.fields.shape[1] == 0:
            raise TrainingError("class on demand needs hidden units; this program has none")
        held = strength * self.fields[int(np.searchsorted(self.classes, label))]
        return self.program.with_biases(np.concatenate([self.program.biases[: self.program.topology.visible], held]))

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write `program.npz`, `config.json`, `metrics.json` and `references.npz` into a folder, each atomically.

        Raises:
            StorageError: The folder cannot be written.
        """
        path = Path(folder)
        arrays = {name: getattr(self, name) for name in _REFERENCE_ARRAYS}
        save_arrays(path / "references.npz", REFERENCES_SCHEMA, {**arrays, "image_shape": np.array(self.image_shape)})
        write_atomically(path / "config.json", self.config.model_dump_json(indent=1) + "\n")
        write_atomically(path / "metrics.json", json.dumps(self.metrics, indent=1, sort_keys=True) + "\n")
        self.program.save(path / "program.npz")
        return path

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> "TrainingRun":
        """Read a run written by `save`.

        Raises:
            StorageError: The folder or a file in it is missing.
            FileFormatError: A file is damaged, edited or of another kind.
        """
        path = Path(folder)
        program = Program.load(path / "program.npz")
        arrays = load_arrays(path / "references.npz", REFERENCES_SCHEMA, (*_REFERENCE_ARRAYS, "image_shape"))
        config = parse_json(read_text(path / "config.json"), str(path / "config.json"))
        metrics = parse_json(read_text(path / "metrics.json"), str(path / "metrics.json"))
        if not isinstance(config, dict) or not isinstance(metrics, dict):
            raise FileFormatError(f"{path}: config.json and metrics.json must be JSON objects")
        rows, columns = (int(length) for length in arrays["image_shape"])
        if rows * columns != program.topology.visible or arrays["references"].shape[1:] != (rows * columns,):
            raise FileFormatError(f"{path}: references.npz does not fit program.npz")
        return TrainingRun(
            program,
            parse_config(config, str(path / "config.json")),
            metrics,
            image_shape=(rows, columns),
            **{name: arrays[name] for name in _REFERENCE_ARRAYS},
        )


_REFERENCE_ARRAYS = ("references", "reference_labels", "classes", "fields", "curve")


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
    solution, gain = _solve(protocol, config, noiser, checkpoint, progress)
    trained = _assemble(images, config, protocol, solution)
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
    checkpoint: Checkpoint,
    progress: Progress | None,
) -> tuple[Solution, float]:
    """Get the solution, in k_BT, and its log-likelihood gain per unit time (for descent, on the last trajectories)."""
    topology = protocol.topology
    biased = np.arange(topology.visible, topology.units) if config.hidden_biases else np.arange(0)
    if config.method == "descent" and config.statistics == "sampled":
        solution = descend_trajectories(protocol, biased, config, device, checkpoint, progress)
        return solution, float(solution.curve[-len(protocol.fields) :, 1].mean())
    moments: PathMoments
    if config.statistics == "expected":
        moments = expected_moments(protocol)
    else:
        moments = sampled_moments(protocol, config, device, checkpoint, progress)
    quadratic = PathQuadratic(moments, topology, biased, config.ridge)
    if config.method == "likelihood":
        solution = maximize_likelihood(quadratic)
    else:
        solution = descend_flow(quadratic, config.descent_time)
    gain = quadratic.gain(solution.z)
    return Solution(solution.z / moments.kT, solution.curve, solution.gradient_norm), gain


def _assemble(images: Images, config: TrainingConfig, protocol: NoisingProtocol, solution: Solution) -> TrainingRun:
    """Make a program of the solution; hold the upright field; choose the references."""
    topology = protocol.topology
    couplings, learned = np.split(solution.z, [len(topology.pairs)])
    classes, fields = class_fields(protocol, images.labels)
    biases = np.zeros(topology.units)
    biases[topology.visible :] = config.upright * fields.mean(axis=0)
    if config.hidden_biases:
        biases[topology.visible :] += learned
    units = topology.units
    program = Program(topology, np.full(units, config.J2), np.full(units, config.J4), biases, couplings)
    references, labels = images.standardized(), images.labels
    if len(images) > MAX_REFERENCES:
        references = np.stack([references[labels == label].mean(axis=0) for label in classes])
        labels = classes
    metrics: dict[str, Any] = {"images": len(images), "source": images.source, "program": program.digest}
    return TrainingRun(program, config, metrics, references, labels, images.shape, classes, fields, solution.curve)
