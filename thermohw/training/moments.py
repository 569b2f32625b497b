# SPDX-License-Identifier: Apache-2.0
"""Normalised path statistics, sampled or expected, in the form that the solvers need."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import FileFormatError, TrainingError
from thermohw.path import PathStatistics
from thermohw.storage import load_arrays, save_arrays
from thermohw.topology import Topology
from thermohw.training.pair_kernel import expand, project

Floats = NDArray[np.float64]
MOMENTS_SCHEMA = "thermohw-path-moments/1"
_NUMBERS = ("mobility", "kT", "residual", "dt", "steps")
_VECTORS = ("mean", "force")


class SecondMoments(Protocol):
    """⟨y yᵀ⟩ and ⟨r yᵀ⟩/Δt of `PathStatistics`, as the two linear maps that the closed form needs."""

    @property
    def diagonal(self) -> Floats:
        """Get ⟨y_i²⟩, (units,)."""
        ...

    def anticommutator(self, topology: Topology, couplings: Floats) -> Floats:
        """Get [J S + S J]_ij on the allowed pairs, (pairs,)."""
        ...

    def symmetric_cross(self, topology: Topology) -> Floats:
        """Get [C + Cᵀ]_ij on the allowed pairs, (pairs,)."""
        ...


@dataclass(frozen=True, eq=False)
class DenseMoments:
    """Second moments as full matrices: S and C, (units, units)."""

    S: Floats
    C: Floats

    @property
    def diagonal(self) -> Floats:
        """Get ⟨y_i²⟩, (units,)."""
        return np.diagonal(self.S)

    def anticommutator(self, topology: Topology, couplings: Floats) -> Floats:
        """Get [J S + S J]_ij on the allowed pairs, (pairs,)."""
        i, j = topology.pairs.T
        J = np.zeros(self.S.shape)
        J[i, j] = couplings
        J[j, i] = couplings
        product = J @ self.S
        return product[i, j] + product[j, i]

    def symmetric_cross(self, topology: Topology) -> Floats:
        """Get [C + Cᵀ]_ij on the allowed pairs, (pairs,)."""
        i, j = topology.pairs.T
        return self.C[i, j] + self.C[j, i]


@dataclass(frozen=True, eq=False)
class LowRankMoments:
    """S = diag(D) + G Gᵀ and, off the diagonal, C = H Gᵀ, with few columns: independent units, few images.

    Attributes:
        D: (units,).
        G: (units, rank).
        H: (units, rank).
    """

    D: Floats
    G: Floats
    H: Floats

    @property
    def diagonal(self) -> Floats:
        """Get ⟨y_i²⟩, (units,)."""
        return self.D + (self.G**2).sum(axis=1)

    def anticommutator(self, topology: Topology, couplings: Floats) -> Floats:
        """Get [J S + S J]_ij on the allowed pairs, (pairs,)."""
        projected = np.zeros_like(self.G)
        project(topology.pairs, couplings, self.G, projected)
        out = np.empty(len(topology.pairs))
        expand(topology.pairs, couplings, self.D, self.G, projected, out)
        return out

    def symmetric_cross(self, topology: Topology) -> Floats:
        """Get [C + Cᵀ]_ij on the allowed pairs, (pairs,)."""
        out = np.empty(len(topology.pairs))
        expand(topology.pairs, np.zeros(len(topology.pairs)), self.D, self.G, self.H, out)
        return out


@dataclass(frozen=True, eq=False)
class PathMoments:
    """Path statistics per step: what `PathStatistics` holds, divided by n (and by Δt where r stands).

    Attributes:
        mobility: μ of the computer to be trained.
        kT: Its thermal energy.
        mean: (units,) ⟨y⟩.
        force: (units,) ⟨r⟩/Δt.
        second: ⟨y yᵀ⟩ and ⟨r yᵀ⟩/Δt.
        residual: ⟨r·r⟩/Δt².
        dt: Time step.
        steps: Number of steps averaged over.
    """

    mobility: float
    kT: float
    mean: Floats
    force: Floats
    second: SecondMoments
    residual: float
    dt: float
    steps: int

    @staticmethod
    def of(statistics: PathStatistics) -> "PathMoments":
        """Normalise sampled statistics.

        Raises:
            TrainingError: They hold no steps.
        """
        n, dt = statistics.n, statistics.dt
        if n == 0 or dt is None:
            raise TrainingError("the path statistics hold no steps")
        return PathMoments(
            statistics.mobility,
            statistics.kT,
            statistics.m / n,
            statistics.q / (n * dt),
            DenseMoments(statistics.S / n, statistics.C / (n * dt)),
            statistics.w / (n * dt**2),
            dt,
            n,
        )

    def save(self, path: str | os.PathLike[str], program: str) -> Path:
        """Write the moments, with the digest of the program that was trained on them.

        Raises:
            StorageError: The file cannot be written.
            TrainingError: Second moments of another form than `DenseMoments` and `LowRankMoments`.
        """
        if not isinstance(self.second, DenseMoments | LowRankMoments):
            raise TrainingError(f"second moments as {type(self.second).__name__} have no file format")
        arrays = {name: np.asarray(getattr(self, name)) for name in (*_NUMBERS, *_VECTORS)}
        return save_arrays(path, MOMENTS_SCHEMA, {**arrays, **vars(self.second), "program": np.array(program)})

    @staticmethod
    def load(path: str | os.PathLike[str], units: int) -> tuple["PathMoments", str]:
        """Read the moments of a number of units written by `save`, and the digest of their program.

        Raises:
            StorageError: The file cannot be read.
            FileFormatError: Damaged, edited, of another kind or number of units, or numbers that moments cannot have.
        """
        arrays = load_arrays(path, MOMENTS_SCHEMA, (*_NUMBERS, *_VECTORS, "program"))
        second = _second_moments(arrays, units)
        shapes = {name: () for name in (*_NUMBERS, "program")} | dict.fromkeys(_VECTORS, (units,))
        floats = all(arrays[name].dtype == np.float64 for name in _VECTORS)
        if second is None or not floats or any(arrays[name].shape != shape for name, shape in shapes.items()):
            raise FileFormatError(f"{path}: the arrays are not the moments of {units} units")
        numbers = {name: float(arrays[name]) for name in _NUMBERS if arrays[name].dtype.kind in "fiu"}
        sizes = [*numbers.values(), *(float(np.abs(arrays[name]).sum()) for name in (*_VECTORS, *vars(second)))]
        if len(numbers) < len(_NUMBERS) or not np.isfinite(sizes).all() or min(numbers.values()) <= 0:
            raise FileFormatError(f"{path}: {', '.join(_NUMBERS)} must be positive and all moments finite")
        if second.diagonal.min(initial=0.0) < 0:
            raise FileFormatError(f"{path}: a mean square ⟨y²⟩ is negative")
        mobility, kT, residual, dt, steps = numbers.values()
        mean, force = (arrays[name] for name in _VECTORS)
        return PathMoments(mobility, kT, mean, force, second, residual, dt, int(steps)), str(arrays["program"])


def _second_moments(arrays: dict[str, NDArray[Any]], units: int) -> DenseMoments | LowRankMoments | None:
    """Get the second moments of a file, None where their arrays do not fit each other or the number of units."""
    given = {name: array for name, array in arrays.items() if name in set("SCDGH") and array.dtype == np.float64}
    shapes = {name: array.shape for name, array in given.items()}
    if shapes == {"S": (units, units), "C": (units, units)}:
        return DenseMoments(**given)
    columns = given["G"].shape[-1:] if "G" in given else ()
    if columns and shapes == {"D": (units,), "G": (units, *columns), "H": (units, *columns)}:
        return LowRankMoments(**given)
    return None
