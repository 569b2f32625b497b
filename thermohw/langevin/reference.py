# SPDX-License-Identifier: Apache-2.0
"""The reference engine: slow, plain, in double precision. Every other engine must follow it path by path."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.engine import Dynamics, Floats, Memory, NoiseKey
from thermohw.langevin.imperfect import inverse_temperatures, onsite_heat
from thermohw.langevin.noise import DYNAMICS, normals
from thermohw.langevin.splitting import Splitting
from thermohw.langevin.stability import check_finite

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ReferenceEngine:
    """x_{k+1} = x_k − μ ∇V(x_k) Δt + √(2 μ kT Δt) η_k        (paper, Eq. 3).

    Leimkuhler–Matthews replaces η_k by (η_k + η_{k+1})/2. With inertia, BAOAB: see `Splitting`.
    Coloured noise replaces η_k by y_k = y_{k-1} + (1 − e^{−Δt/τ_n}) (η_k − y_{k-1}), flicker noise adds to it, and
    rails reflect: see docs/theory.md, Imperfect dynamics.
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
        memory: Memory | None = None,
    ) -> None:
        """Advance states in place; see `Engine.advance`."""
        dynamics, built = self.dynamics, self.dynamics.as_built
        memory = Memory.of(dynamics, key, len(states)) if memory is None else memory
        noise = _Noise(dynamics, key, len(states), memory)
        spacing = steps // record.shape[0] if record.shape[0] else steps + 1
        x = states.astype(np.float64)
        bias = dynamics.biases_at(key.first_step)
        counted = len(memory.flow) > 0 and not built.inertial
        if counted:
            memory.flow[:] += onsite_heat(built, x)
        v = np.zeros(x.shape) if velocities is None else velocities.astype(np.float64)
        for step in range(key.first_step, key.first_step + steps):
            if built.inertial:
                x, v, heat = _baoab(dynamics, x, v, bias, noise.of(step))
            else:
                x, heat = _euler(dynamics, x, bias, noise.of(step))
            check_finite(x, dynamics, step, key.first_chain)
            if len(memory.flow):
                memory.flow[:] += np.stack([heat.sum(axis=1), heat @ inverse_temperatures(built)], axis=1)
            following = dynamics.biases_at(step + 1)
            work += x @ (following - bias)
            bias = following
            taken = step + 1 - key.first_step
            if taken % spacing == 0:
                record[taken // spacing - 1] = x
        if counted:
            memory.flow[:] -= onsite_heat(built, x)
        states[:] = x
        noise.store(memory)
        if velocities is not None:
            velocities[:] = v


class _Noise:
    """The number that stands for η in a step of each unit: white, coloured or with flicker noise beside it."""

    def __init__(self, dynamics: Dynamics, key: NoiseKey, chains: int, memory: Memory) -> None:
        self._dynamics, self._seed = dynamics, key.seed
        self._chains = key.first_chain + np.arange(chains)
        self._coloured, self._flicker = memory.noise.astype(np.float64), memory.flicker.astype(np.float64)

    def of(self, step: int) -> Array:
        """Get the numbers (chains, units) of a step; each step must be asked for once, in order."""
        dynamics, built = self._dynamics, self._dynamics.as_built
        noise = self._normals(step + built.inertial)  # with inertia, number 0 made the velocities
        if dynamics.smooth:
            noise = 0.5 * (noise + self._normals(step + 1))
        if built.coloured:
            self._coloured += dynamics.fresh_share() * (noise - self._coloured)
            noise = self._coloured
        if built.flicker is None:
            return noise
        renewal = built.flicker.renewal(dynamics.dt)
        for process, hold in enumerate(renewal.holds.tolist()):
            if step % hold == 0:
                kick = renewal.kick[process] * self._normals(step // hold + 1, renewal.stream(process))
                self._flicker[process] = renewal.decay[process] * self._flicker[process] + kick
        return noise + self._flicker.sum(axis=0)

    def store(self, memory: Memory) -> None:
        """Leave behind what the step to come needs."""
        memory.noise[:], memory.flicker[:] = self._coloured, self._flicker
        memory.drive[:] = self._flicker.sum(axis=0)

    def _normals(self, number: int, stream: int = DYNAMICS) -> Array:
        return normals(self._seed, self._chains, number, self._dynamics.as_built.units, stream)


def reflected(x: Array, v: Array, rail: Array) -> tuple[Array, Array]:
    """Reflect states (…, units) at rails (units,): x → ±2 rail − x, v → −v, at most as far as the other rail."""
    beyond = np.abs(x) > rail
    wall = np.where(np.isfinite(rail), rail, 0.0)
    back = np.copysign(np.maximum(2 * wall - np.abs(x), -wall), x)
    return np.where(beyond, back, x), np.where(beyond, -v, v)


def _euler(dynamics: Dynamics, x: Array, bias: Array, noise: Array) -> tuple[Array, Array]:
    """Take a step; returns the states and the work of couplings and biases on each unit."""
    built, dt = dynamics.as_built, dynamics.dt
    force = built.force(x, bias)
    after = x + built.mobility * dt * force + np.sqrt(2 * built.mobility * built.kT * dt) * noise
    after, _ = reflected(after, after, built.rail)
    work = 0.5 * (force + built.onsite.slope(x) + built.force(after, bias) + built.onsite.slope(after)) * (after - x)
    return after, work


def _baoab(dynamics: Dynamics, x: Array, v: Array, bias: Array, noise: Array) -> tuple[Array, Array, Array]:
    """Take a step; returns states, velocities and the kinetic energy that each unit gives to its bath."""
    built, split = dynamics.as_built, Splitting.of(dynamics.as_built, dynamics.dt)
    half_kick = 0.5 * split.length / built.mass
    v = v + half_kick * built.force(x, bias)
    x, v = reflected(x + 0.5 * split.length * v, v, built.rail)
    kinetic = 0.5 * built.mass * v**2
    v = v - split.loss * v + split.amplitude / split.length * noise
    heat = kinetic - 0.5 * built.mass * v**2
    x, v = reflected(x + 0.5 * split.length * v, v, built.rail)
    return x, v + half_kick * built.force(x, bias), heat
