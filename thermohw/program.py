# SPDX-License-Identifier: Apache-2.0
"""A program: the energy function that a thermodynamic computer is asked to have."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from thermohw.errors import FileFormatError, ProgramError
from thermohw.storage import digest_arrays, load_arrays, save_arrays
from thermohw.topology import Topology

SCHEMA = "thermohw-program/1"
ROUNDING = 1e-13
"""Relative size below which an eigenvalue may be zero."""


@dataclass(frozen=True, eq=False)
class Program:
    """On-site energies, biases and couplings: passive data that knows no device.

    V(x) = Σ_i (J2_i x_i² + J4_i x_i⁴ + b_i x_i) + Σ_(ij) J_ij x_i x_j        (paper, Eq. 2)

    Energies are in the unit of the device's kT (k_BT for a device with kT = 1); x is dimensionless.

    Attributes:
        topology: The units and the pairs that may be coupled.
        J2: (units,) quadratic on-site energies. A scalar is spread over the units.
        J4: (units,) quartic on-site energies. A scalar is spread over the units.
        biases: (units,) linear energies b.
        couplings: (pairs,) J_ij, in the order of `topology.pairs`.

    Raises:
        ProgramError: A wrong shape, a number that is not finite, or an energy that is not bounded below.
    """

    topology: Topology
    J2: NDArray[np.float64]
    J4: NDArray[np.float64]
    biases: NDArray[np.float64]
    couplings: NDArray[np.float64]

    def __post_init__(self) -> None:
        units, pairs = self.topology.units, len(self.topology.pairs)
        for name, length in (("J2", units), ("J4", units), ("biases", units), ("couplings", pairs)):
            object.__setattr__(self, name, _frozen_vector(name, getattr(self, name), length))
        self._check_bounded()

    @staticmethod
    def uncoupled(topology: Topology, J2: ArrayLike = 10.0, J4: ArrayLike = 10.0, biases: ArrayLike = 0.0) -> "Program":
        """Build a program with all couplings zero."""
        arrays = (np.asarray(values, np.float64) for values in (J2, J4, biases))
        return Program(topology, *arrays, couplings=np.zeros(len(topology.pairs)))

    @property
    def units(self) -> int:
        """Get the number of units."""
        return self.topology.units

    @cached_property
    def matrix(self) -> Any:
        """Get the symmetric coupling matrix as a (units, units) `scipy.sparse.csr_array`."""
        return self.topology.symmetric_matrix(self.couplings)

    @cached_property
    def _operator(self) -> Any:
        return dense_if_full(self.matrix)

    def energy(self, x: ArrayLike) -> NDArray[np.float64]:
        """Get V(x) of Eq. 2 for states x (…, units); returns (…), in the unit of kT."""
        states = self._states(x)
        onsite = ((self.J4 * states**2 + self.J2) * states + self.biases) * states
        coupling = 0.5 * (states * self._fields(states))
        return (onsite + coupling).sum(axis=-1)

    def gradient(self, x: ArrayLike) -> NDArray[np.float64]:
        """Get ∂V/∂x_i of Eq. 12 for states x (…, units); returns (…, units), in the unit of kT."""
        states = self._states(x)
        return (4 * self.J4 * states**2 + 2 * self.J2) * states + self.biases + self._fields(states)

    def with_biases(self, biases: ArrayLike) -> "Program":
        """Get the same program with other biases (units,)."""
        return replace(self, biases=np.asarray(biases, np.float64))

    @cached_property
    def digest(self) -> str:
        """Get the SHA-256 of the program's contents, 64 hex digits: equal programs have equal digests."""
        return digest_arrays(self._arrays())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the program as `.npz` (format: docs/formats.md), atomically.

        Raises:
            StorageError: The file cannot be written.
        """
        return save_arrays(path, SCHEMA, self._arrays())

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Program":
        """Read a program written by `save`.

        Raises:
            StorageError: The file cannot be read.
            FileFormatError: The file is damaged, edited or of another kind.
        """
        names = ("visible", "hidden", "pairs", "J2", "J4", "biases", "couplings")
        arrays = load_arrays(path, SCHEMA, names)
        try:
            return Program.from_arrays(arrays)
        except (ProgramError, TypeError) as error:
            raise FileFormatError(f"{path}: {error}") from error

    @staticmethod
    def from_arrays(arrays: dict[str, NDArray[Any]]) -> "Program":
        """Build a program from the named arrays of its file format.

        Raises:
            ProgramError: The arrays do not describe a program.
        """
        if arrays["pairs"].dtype != np.int32 or arrays["pairs"].ndim != 2 or arrays["pairs"].shape[1:] != (2,):
            raise ProgramError(f"pairs must be int32 of shape (pairs, 2), got {arrays['pairs'].dtype}")
        for name in ("visible", "hidden"):
            if arrays[name].ndim or arrays[name].dtype.kind not in "iu":
                raise ProgramError(f"{name} must be a whole number, got {arrays[name].dtype} {arrays[name].shape}")
        topology = Topology(int(arrays["visible"]), int(arrays["hidden"]), arrays["pairs"])
        return Program(topology, arrays["J2"], arrays["J4"], arrays["biases"], arrays["couplings"])

    def _arrays(self) -> dict[str, NDArray[Any]]:
        topology = self.topology
        counts = {"visible": np.array(topology.visible), "hidden": np.array(topology.hidden)}
        numbers = {"J2": self.J2, "J4": self.J4, "biases": self.biases, "couplings": self.couplings}
        return {**counts, "pairs": topology.pairs, **numbers}

    def _states(self, x: ArrayLike) -> NDArray[np.float64]:
        states = np.asarray(x, np.float64)
        if states.ndim < 1 or states.shape[-1] != self.topology.units:
            raise ProgramError(f"states must have shape (…, {self.topology.units}), got {states.shape}")
        return states

    def _fields(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = states.reshape(-1, states.shape[-1])
        return np.asarray((self._operator @ flat.T).T).reshape(states.shape)

    def _check_bounded(self) -> None:
        """Refuse an energy that is not bounded below (or has a flat direction, so no Boltzmann density)."""
        negative = np.flatnonzero(self.J4 < 0)
        if negative.size:
            raise ProgramError(f"energy is not bounded below: J4 = {self.J4[negative[0]]:g} < 0 at unit {negative[0]}")
        linear = np.flatnonzero(self.J4 == 0)
        weak = linear[self.J2[linear] <= 0]
        if weak.size:
            raise ProgramError(
                f"energy is not bounded below: unit {weak[0]} has J4 = 0 and J2 = {self.J2[weak[0]]:g}; "
                "it needs J2 > 0, or J4 > 0"
            )
        if linear.size and len(self.couplings):
            stiffness = (self.matrix + sparse.diags_array(2 * self.J2)).tocsr()[linear][:, linear]
            lowest = _lowest_eigenvalue(stiffness)
            if lowest <= ROUNDING * float(stiffness.diagonal().max()):
                raise ProgramError(
                    f"energy is not bounded below: the stiffness matrix 2 J2 + J of the {linear.size} linear units "
                    f"(J4 = 0) has the eigenvalue {lowest:.3g}; it must be positive: raise J2 or scale J down"
                )


def dense_if_full(matrix: Any) -> Any:
    """Get a sparse matrix as an array where that multiplies faster: where more than 5 % of it is filled."""
    return matrix.toarray() if matrix.nnz > 0.05 * matrix.shape[0] * matrix.shape[1] else matrix


def _frozen_vector(name: str, values: ArrayLike, length: int) -> NDArray[np.float64]:
    try:
        if np.iscomplexobj(values):
            raise TypeError("complex numbers")
        vector = np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ProgramError(f"{name} must be real numbers: {error}") from error
    if vector.ndim == 0:
        vector = np.full(length, float(vector))
    if vector.shape != (length,):
        raise ProgramError(f"{name} must have shape ({length},), got {vector.shape}")
    bad = np.flatnonzero(~np.isfinite(vector))
    if bad.size:
        raise ProgramError(f"{name}[{bad[0]}] is {vector[bad[0]]}; every value must be finite")
    vector.flags.writeable = False
    return vector


def _lowest_eigenvalue(matrix: Any) -> float:
    """Get the lowest eigenvalue of a sparse symmetric matrix, or Gershgorin's positive lower bound on it."""
    diagonal = matrix.diagonal()
    gershgorin = float((diagonal - (abs(matrix).sum(axis=1) - abs(diagonal))).min())
    if gershgorin > 0:
        return gershgorin
    if matrix.shape[0] <= 3000:
        return float(linalg.eigvalsh(matrix.toarray(), subset_by_index=[0, 0])[0])
    # a random start: one with the symmetry of the couplings would find the modes of that symmetry only
    start = np.random.default_rng(0).normal(size=int(matrix.shape[0]))
    try:
        return float(eigsh(matrix, k=1, which="SA", v0=start, return_eigenvectors=False, tol=1e-6)[0])
    except ArpackNoConvergence as error:
        raise ProgramError("cannot tell whether the energy is bounded below: the Lanczos iteration failed") from error
