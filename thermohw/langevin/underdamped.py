# SPDX-License-Identifier: Apache-2.0
"""The fast underdamped engine: BAOAB, with the time step rescaled so that free diffusion is exact."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import ProgramError
from thermohw.langevin.engine import Dynamics, Floats, Memory, NoiseKey
from thermohw.langevin.imperfect import imperfect_terms
from thermohw.langevin.inertial_kernel import advance_inertial
from thermohw.langevin.overdamped import is_sparse, layers, sine_terms, sparse_rows
from thermohw.langevin.splitting import Splitting
from thermohw.langevin.stability import amplitude_limit, divergence


@dataclass(frozen=True, eq=False)
class UnderdampedEngine:
    """BAOAB (see `Splitting`) at float32 or float64, for any couplings; needs inertia in every unit.

    Follows the reference engine path by path, to rounding.
    """

    dynamics: Dynamics
    _length: Floats = field(init=False, repr=False)
    _parameters: tuple[Any, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        dynamics, built, dtype = self.dynamics, self.dynamics.as_built, self.dynamics.dtype
        splitting = Splitting.of(built, dynamics.dt)
        scale = splitting.kick
        nothing: NDArray[Any] = np.empty((0, 0), dtype)
        split, matrices = built.units, (nothing,) * 4
        rows: tuple[NDArray[Any], ...] = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, dtype))
        if is_sparse(built):
            rows = sparse_rows(built, scale, dtype)
        else:
            split, (aa, ba, ab, bb) = layers(built, scale, dtype)
            matrices = tuple(np.ascontiguousarray(block.T) for block in (aa, ba, ab, bb))
        onsite = (2 * built.J2 * scale, 4 * built.J4 * scale)
        linear, cubic, kick, loss, amplitude = (
            values.astype(dtype) for values in (*onsite, scale, splitting.loss, splitting.amplitude)
        )
        limit = dtype(amplitude_limit(dynamics))
        sines = sine_terms(built, scale, dtype)
        knots, imperfect = dynamics.knots(), imperfect_terms(dynamics, scale)
        bath = (kick, loss, amplitude)
        parameters = (split, matrices, rows, linear, cubic, sines, *bath, *knots, limit, imperfect)
        object.__setattr__(self, "_length", splitting.length)
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
        """Advance states and velocities in place; see `Engine.advance`.

        Raises:
            ProgramError: No velocities.
        """
        if velocities is None:
            raise ProgramError("units with inertia need velocities beside their states")
        memory = Memory.of(self.dynamics, key, len(states)) if memory is None else memory
        first = (key.first_chain, key.first_step)
        displacements = (velocities * self._length).astype(states.dtype)
        kernel: Callable[..., int] = advance_inertial
        lanes = memory.lanes()
        failed = kernel(states, displacements, *self._parameters, lanes, key.halves, first, steps, work, record)
        memory.store(lanes)
        velocities[:] = displacements / self._length
        if failed >= 0:
            raise divergence(states, self.dynamics, failed, key.first_chain)
