# SPDX-License-Identifier: Apache-2.0
"""Noising protocols: images imposed as biases on an uncoupled computer, then slowly withdrawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.device import ThermodynamicDevice
from thermohw.errors import TrainingError
from thermohw.images import Images
from thermohw.langevin.observer import Observer
from thermohw.langevin.schedule import BiasSchedule
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.samples import Samples
from thermohw.topology import Topology
from thermohw.training.config import TrainingConfig

Floats = NDArray[np.float64]
RAMP_KNOTS = 33
"""Knots by which a curved ramp is made piecewise linear."""


@dataclass(frozen=True, eq=False)
class NoisingProtocol:
    """b_i(t) = s(t) B_i on units with J = 0, from equilibrium at t = 0, with s falling from 1 to 0 (paper, Fig. 1).

    Energies in k_BT, times in 1/(μ k_BT).

    Attributes:
        topology: Of the computer to be trained.
        J2: Quadratic on-site energy.
        J4: Quartic on-site energy.
        fields: (images, units) full biases B: −A · pixels on visible units, −A_h · code on hidden ones.
        ramp_times: (knots,) times of the piecewise-linear ramp, from 0 to the duration.
        ramp: (knots,) values s.
        dt: Time step.
    """

    topology: Topology
    J2: float
    J4: float
    fields: Floats
    ramp_times: Floats
    ramp: Floats
    dt: float

    @property
    def duration(self) -> float:
        """Get the length t_f of a trajectory."""
        return float(self.ramp_times[-1])

    @property
    def steps(self) -> int:
        """Get the number of steps of a trajectory."""
        return RunPlan(duration=self.duration, n_samples=1).steps(self.dt)

    def ramp_at_steps(self) -> Floats:
        """Get s(t_k) for each step (steps,)."""
        return np.interp(np.arange(self.steps) * self.dt, self.ramp_times, self.ramp)

    def chain(self, image: int, number: int) -> int:
        """Get the chain number that keys the noise of an image's trajectory `number`, which no other one shares."""
        return image * min(2**24, 2**32 // (len(self.fields) + 1)) + number

    def schedule(self, device: ThermodynamicDevice, image: int) -> BiasSchedule:
        """Get the biases imposed for an image, in the energies and times of a device."""
        kT, clock = device.spec.kT, device.spec.kT * device.spec.mobility
        return BiasSchedule(self.ramp_times / clock, self.ramp[:, None] * self.fields[image] * kT)

    def run(
        self,
        device: ThermodynamicDevice,
        image: int,
        plan: RunPlan,
        observers: tuple[Observer, ...] = (),
    ) -> Samples:
        """Noise one image on a device; energies and times are converted to the device's units.

        Args:
            device: Any device; it is programmed with zero couplings.
            image: Number of the image.
            plan: Samples, records, seed and first chain; its duration, step and schedule are replaced.
            observers: See every recorded step.
        """
        kT, clock = device.spec.kT, device.spec.kT * device.spec.mobility
        device.program(Program.uncoupled(self.topology, self.J2 * kT, self.J4 * kT))
        schedule = self.schedule(device, image)
        asked = RunPlan(
            self.duration / clock, plan.n_samples, self.dt / clock, schedule, "uncoupled",
            plan.record_every, plan.keep, plan.first_chain, plan.seed,
        )  # fmt: skip
        return device.run(asked, observers)


def build_protocol(images: Images, config: TrainingConfig) -> NoisingProtocol:
    """Build the noising protocol of a configuration for some images.

    Raises:
        TrainingError: The images cannot be coded as asked, or have fewer pixels than hidden units have partners.
    """
    patterns = pixel_patterns(images, config)
    codes = hidden_codes(patterns, images.labels, config)
    fields = np.concatenate([-config.amplitude * patterns, -config.hidden_amplitude * codes], axis=1)
    topology = _topology(patterns.shape[1], config)
    share = np.linspace(0, 1, 2 if config.ramp == "linear" else RAMP_KNOTS)
    ramp = {"linear": 1 - share, "quadratic": (1 - share) ** 2, "cosine": np.cos(share * np.pi / 2)}[config.ramp]
    return NoisingProtocol(topology, config.J2, config.J4, fields, share * config.duration, ramp, config.dt)


def _topology(pixels: int, config: TrainingConfig) -> Topology:
    if not config.partners:
        return Topology.layered(pixels, config.hidden, hidden_couplings=config.hidden_couplings)
    if config.partners > pixels:
        raise TrainingError(
            f"partners = {config.partners} of each hidden unit are more than the {pixels} pixels; "
            f"set 1 … {pixels}, or 0 for all"
        )
    return Topology.sparse_layered(
        pixels, config.hidden, config.partners, config.seed, hidden_couplings=config.hidden_couplings
    )


def pixel_patterns(images: Images, config: TrainingConfig) -> Floats:
    """Get the pixel values to impose, (images, visible), dimensionless.

    Raises:
        TrainingError: An image has no pixel on one side of the threshold.
    """
    standardized = images.standardized()
    if config.pixels == "standardized":
        return standardized
    signs = np.where(standardized > config.threshold, 1.0, -1.0)
    uniform = np.abs(signs.mean(axis=1)) == 1
    if uniform.any():
        raise TrainingError(
            f"image {int(np.argmax(uniform))} has all its standardized pixels on one side of the threshold "
            f"{config.threshold:g}; choose another threshold"
        )
    return signs


def hidden_codes(patterns: Floats, labels: NDArray[np.int64], config: TrainingConfig) -> Floats:
    """Get the patterns to impose on hidden units, (images, hidden): a crop of the image, or signs of its class."""
    if config.hidden_code == "crop":
        return patterns[:, (config.crop_start + np.arange(config.hidden)) % patterns.shape[1]]
    classes, which = np.unique(labels, return_inverse=True)
    signs = np.random.default_rng([config.seed, 0]).choice([-1.0, 1.0], size=(len(classes), config.hidden))
    return signs[which]


def class_fields(protocol: NoisingProtocol, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
    """Get the classes (classes,) and the mean noising field of each on the hidden units, (classes, hidden), k_BT."""
    classes = np.unique(labels)
    hidden = protocol.fields[:, protocol.topology.visible :]
    return classes, np.stack([hidden[labels == label].mean(axis=0) for label in classes])
