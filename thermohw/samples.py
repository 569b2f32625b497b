# SPDX-License-Identifier: Apache-2.0
"""What a run brings back, with all that reproduces it."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import DeviceLimitError, FileFormatError
from thermohw.storage import load_arrays, parse_json, save_arrays
from thermohw.units import PhysicalScale

SCHEMA = "thermohw-samples/1"
_ARRAYS = ("states", "initial_states", "heat", "work")
_OPTIONAL = ("trajectory", "times", "velocities", "initial_velocities", "entropy")


@dataclass(frozen=True, eq=False)
class Readout:
    """What a backend brings back from a run: arrays over samples (`Samples` explains each) and the time step used."""

    states: NDArray[np.float32] | None
    initial_states: NDArray[np.float32] | None
    heat: NDArray[np.float64]
    work: NDArray[np.float64]
    trajectory: NDArray[np.float32] | None = None
    times: NDArray[np.float64] | None = None
    dt: float | None = None
    velocities: NDArray[np.float32] | None = None
    initial_velocities: NDArray[np.float32] | None = None
    entropy: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class PhysicalSamples:
    """Samples in SI units; the coordinate is `scale.coordinate` in `scale.unit`.

    Attributes:
        scale: What one reduced unit is.
        states: (samples, units) final coordinates: V, m or rad.
        initial_states: (samples, units) initial coordinates.
        heat: (samples,) heat given to the bath, J.
        work: (samples,) work done by the bias schedule, J.
        duration: Length of a trajectory, s.
        velocities: (samples, units) final rates of change, `scale.unit`/s, where units have inertia.
        initial_velocities: (samples, units) likewise.
        trajectory: (samples, records + 1, units) recorded coordinates, if kept.
        times: (records + 1,) their times, s.
    """

    scale: PhysicalScale
    states: NDArray[Any]
    initial_states: NDArray[Any]
    heat: NDArray[np.float64]
    work: NDArray[np.float64]
    duration: float
    velocities: NDArray[Any] | None = None
    initial_velocities: NDArray[Any] | None = None
    trajectory: NDArray[Any] | None = None
    times: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Samples:
    """The outcome of a run, and all that reproduces it.

    Attributes:
        states: (samples, units) final states, dimensionless; empty (0, units) if not kept.
        initial_states: (samples, units) initial states; empty if not kept.
        heat: (samples,) heat given to the bath, k_BT.
        work: (samples,) work done by the bias schedule, k_BT.
        seed: The run's seed.
        visible: Number of visible units; they come first.
        provenance: Device spec, program digest, plan and package version, for JSON.
        trajectory: (samples, records + 1, units) recorded states, if kept.
        times: (records + 1,) their times.
        velocities: (samples, units) final velocities dx/dt, where units have inertia and states were kept; of a step Δt
            that does not resolve μ m they are slower by O(Δt²), some percent at the default step, unlike the states.
        initial_velocities: (samples, units) likewise.
        entropy: (samples,) entropy given to the baths, Σ_i Q_i/kT_i, k_B; None where there is one temperature and a
            potential: it is the heat then. NaN where a unit has kT = 0.
    """

    states: NDArray[np.float32]
    initial_states: NDArray[np.float32]
    heat: NDArray[np.float64]
    work: NDArray[np.float64]
    seed: int
    visible: int
    provenance: dict[str, Any] = field(repr=False)
    trajectory: NDArray[np.float32] | None = field(default=None, repr=False)
    times: NDArray[np.float64] | None = field(default=None, repr=False)
    velocities: NDArray[np.float32] | None = field(default=None, repr=False)
    initial_velocities: NDArray[np.float32] | None = field(default=None, repr=False)
    entropy: NDArray[np.float64] | None = field(default=None, repr=False)

    @property
    def visible_states(self) -> NDArray[np.float32]:
        """Get the final states of the visible units, (samples, visible)."""
        return self.states[:, : self.visible]

    @property
    def dt(self) -> float | None:
        """Get the time step that was used; None for hardware that has none."""
        return self.provenance["plan"]["dt"]

    @property
    def scale(self) -> PhysicalScale | None:
        """Get what one reduced unit of the device is in SI units; None for the ideal device."""
        stated = self.provenance.get("device", {}).get("scale")
        return None if stated is None else PhysicalScale.model_validate(stated)

    def readout(self) -> Readout:
        """Get the arrays alone."""
        return Readout(
            self.states,
            self.initial_states,
            self.heat,
            self.work,
            self.trajectory,
            self.times,
            self.dt,
            self.velocities,
            self.initial_velocities,
            self.entropy,
        )

    def physical(self) -> "PhysicalSamples":
        """Get the samples in SI units, by the scale of the device that made them.

        Raises:
            DeviceLimitError: The device has no SI scale, as the ideal one.
        """
        scale = self.scale
        if scale is None:
            raise DeviceLimitError("these samples are dimensionless: run on a device that is built from a card")
        speed = scale.length / scale.time
        return PhysicalSamples(
            scale,
            self.states * scale.length,
            self.initial_states * scale.length,
            self.heat * scale.energy,
            self.work * scale.energy,
            float(self.provenance["plan"]["duration"]) * scale.time,
            None if self.velocities is None else self.velocities * speed,
            None if self.initial_velocities is None else self.initial_velocities * speed,
            None if self.trajectory is None else self.trajectory * scale.length,
            None if self.times is None else self.times * scale.time,
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the samples as `.npz` (format: docs/formats.md), atomically.

        Raises:
            StorageError: The file cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {"seed": np.array(self.seed, np.uint64), "visible": np.array(self.visible)}
        arrays["provenance"] = np.array(json.dumps(self.provenance, sort_keys=True))
        optional = {name: getattr(self, name) for name in _OPTIONAL}
        arrays |= {name: values for name, values in optional.items() if values is not None}
        return save_arrays(path, SCHEMA, arrays)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Samples":
        """Read samples written by `save`.

        Raises:
            StorageError: The file cannot be read.
            FileFormatError: The file is damaged, edited or of another kind.
        """
        arrays = load_arrays(path, SCHEMA, (*_ARRAYS, "seed", "visible", "provenance"))
        provenance = parse_json(str(arrays["provenance"]), str(path))
        if not isinstance(provenance, dict):
            raise FileFormatError(f"{path}: provenance must be a JSON object")
        for name in ("seed", "visible"):
            if arrays[name].ndim or arrays[name].dtype.kind not in "iu":
                raise FileFormatError(f"{path}: {name} must be a whole number, got {arrays[name].dtype}")
        return Samples(
            arrays["states"],
            arrays["initial_states"],
            arrays["heat"],
            arrays["work"],
            int(arrays["seed"]),
            int(arrays["visible"]),
            cast(dict[str, Any], provenance),
            arrays.get("trajectory"),
            arrays.get("times"),
            arrays.get("velocities"),
            arrays.get("initial_velocities"),
            arrays.get("entropy"),
        )
