# SPDX-License-Identifier: Apache-2.0
"""The reference engine: slow, plain, in double precision. Every other engine must follow it path by path."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.engine import Dynamics, Floats, NoiseKey
from thermohw.langevin.noise import normals
from thermohw.langevin.splitting import Splitting
from thermohw.langevin.stability import check_finite

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ReferenceEngine:
    """x_{k+1} = x_k − μ ∇V(x_k) Δt + √(2 μ kT Δt) η_k        (paper, Eq. 3).

    Leimkuhler–Matthews replaces η_k by (η_k + η_{k+1})/2. With inertia, BAOAB: see `Splitting`.
    """

    dynamics: Dynamics

    def advance(
        self,
        states: Floats,
        key: NoiseKey,
        steps: int,
        work: NDArray[np.float64],
        record: Floats,
        velocities: Floats | None = None,
    ) -> None:
        """Advance states in place; see `Engine.advance`."""
        dynamics, built, dt = self.dynamics, self.dynamics.as_built, self.dynamics.dt
        chains = key.first_chain + np.arange(len(states))
        spacing = steps // record.shape[0] if record.shape[0] else steps + 1
        x = states.astype(np.float64)
        bias = dynamics.biases_at(key.first_step)
        v = np.zeros(x.shape) if velocities is None else velocities.astype(np.float64)
        for step in range(key.first_step, key.first_step + steps):
            if built.inertial:
                x, v = _baoab(dynamics, x, v, bias, normals(key.seed, chains, step + 1, built.units))
            else:
                noise = normals(key.seed, chains, step, built.units)
                if dynamics.integrator == "leimkuhler-matthews":
                    noise = 0.5 * (noise + normals(key.seed, chains, step + 1, built.units))
                x = x + built.mobility * dt * built.force(x, bias) + np.sqrt(2 * built.mobility * built.kT * dt) * noise
            check_finite(x, dynamics, step, key.first_chain)
            following = dynamics.biases_at(step + 1)
            work += x @ (following - bias)
            bias = following
            taken = step + 1 - key.first_step
            if taken % spacing == 0:
                record[taken // spacing - 1] = x
        states[:] = x
        if velocities is not None:
            velocities[:] = v


def _baoab(dynamics: Dynamics, x: Array, v: Array, bias: Array, noise: Array) -> tuple[Array, Array]:
    built, split = dynamics.as_built, Splitting.of(dynamics.as_built, dynamics.dt)
    half_kick = 0.5 * split.length / built.mass
    v = v + half_kick * built.force(x, bias)
    x = x + 0.5 * split.length * v
    v = v - split.loss * v + split.amplitude / split.length * noise
    x = x + 0.5 * split.length * v
    return x, v + half_kick * built.force(x, bias)
