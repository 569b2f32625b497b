# SPDX-License-Identifier: Apache-2.0
"""The fast overdamped engine: dense layers by matrix products, sparse or small computers lane by lane."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.dense_kernel import advance_dense
from thermohw.langevin.engine import Dynamics, Floats, Memory, NoiseKey
from thermohw.langevin.imperfect import imperfect_terms, onsite_heat
from thermohw.langevin.noise_kernel import fill_noise
from thermohw.langevin.sparse_kernel import advance_sparse
from thermohw.langevin.stability import amplitude_limit, divergence

SPARSE_FILL = 0.05
"""Couplings fuller than this share of the matrix run faster as matrix products."""
SMALL_UNITS = 48
"""Computers up to this size run faster lane by lane, whatever their couplings."""


@dataclass(frozen=True, eq=False)
class OverdampedEngine:
    """Euler–Maruyama (Eq. 3) or Leimkuhler–Matthews at float32 or float64, for any couplings and imperfect dynamics.

    Follows the reference engine path by path, to rounding.
    """

    dynamics: Dynamics
    _sparse: bool = field(init=False, repr=False)
    _parameters: tuple[Any, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        dynamics, built = self.dynamics, self.dynamics.as_built
        scale = built.mobility * dynamics.dt
        sparse = is_sparse(built)
        onsite = (2 * built.J2 * scale, 4 * built.J4 * scale, scale, np.sqrt(2 * scale * built.kT))
        linear, cubic, scale_cast, amplitude = (values.astype(dynamics.dtype) for values in onsite)
        couplings = sparse_rows(built, scale, dynamics.dtype) if sparse else layers(built, scale, dynamics.dtype)
        sines = sine_terms(built, scale, dynamics.dtype)
        limit = dynamics.dtype(amplitude_limit(dynamics))
        knots, imperfect = dynamics.knots(), imperfect_terms(dynamics, scale)
        parameters = (couplings, linear, cubic, sines, scale_cast, amplitude, *knots, limit, imperfect)
        object.__setattr__(self, "_sparse", sparse)
        object.__setattr__(self, "_parameters", parameters)

    def advance(
        self,
        states: Floats,
        key: NoiseKey,
        steps: int,
        work: NDArray[np.float64],
        record: Floats,
        velocities: Floats | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Advance states in place; see `Engine.advance`."""
        memory = Memory.of(self.dynamics, key, len(states)) if memory is None else memory
        smooth = self.dynamics.smooth
        previous = np.empty((len(states) if smooth else 0, states.shape[1]), states.dtype)
        if smooth:
            fill_noise(previous, key.first_step, key.first_chain, key.halves)
        if len(memory.flow):
            memory.flow[:] += onsite_heat(self.dynamics.as_built, states)
        first = (key.first_chain, key.first_step)
        # chosen here and not stored: a compiled function that is pickled is compiled again by every process
        kernel: Callable[..., int] = advance_sparse if self._sparse else advance_dense
        arrays = memory.lanes() if self._sparse else memory.arrays()
        failed = kernel(states, *self._parameters, previous, arrays, key.halves, first, steps, work, record)
        if failed >= 0:
            raise divergence(states, self.dynamics, failed, key.first_chain)
        if self._sparse:
            memory.store(arrays)
        if len(memory.flow):
            memory.flow[:] -= onsite_heat(self.dynamics.as_built, states)


def is_sparse(built: AsBuilt) -> bool:
    """Tell whether a computer runs faster with sparse couplings than by matrix products."""
    return built.units <= SMALL_UNITS or built.couplings.nnz <= SPARSE_FILL * built.units**2


def sine_terms(
    built: AsBuilt, scale: NDArray[np.float64], dtype: type[np.float32] | type[np.float64]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Get wavenumbers w and strengths c w · scale of the on-site cosines, (units,); (0,) where there are none."""
    if not built.cosine.any():
        return np.empty(0, dtype), np.empty(0, dtype)
    return built.wavenumber.astype(dtype), (built.cosine * built.wavenumber * scale).astype(dtype)


def sparse_rows(
    built: AsBuilt, scale: NDArray[np.float64], dtype: type[np.float32] | type[np.float64]
) -> tuple[NDArray[Any], ...]:
    """Get K · scale in compressed sparse rows: (starts, columns, values)."""
    rows = built.couplings
    values = rows.data * np.repeat(scale, np.diff(rows.indptr))
    return rows.indptr.astype(np.int64), rows.indices.astype(np.int64), values.astype(dtype)


def layers(built: AsBuilt, scale: NDArray[np.float64], dtype: type[np.float32] | type[np.float64]) -> tuple[Any, ...]:
    """Split K · scale, transposed for products from the right; visible units that couple make it a single layer."""
    matrix = np.ascontiguousarray((built.couplings.toarray() * scale[:, None]).T.astype(dtype))
    v = built.visible
    split = v if v and not matrix[:v, :v].any() else built.units
    blocks = (matrix[:split, :split], matrix[split:, :split], matrix[:split, split:], matrix[split:, split:])
    nothing: NDArray[Any] = np.empty((0, 0), dtype)
    return split, tuple(np.ascontiguousarray(block) if block.any() else nothing for block in blocks)
