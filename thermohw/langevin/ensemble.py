# SPDX-License-Identifier: Apache-2.0
"""Runs an ensemble of chains in blocks through `map_blocks`; memory is bounded by the block, not by the ensemble."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.engine import Dynamics, Engine, Floats, Memory, NoiseKey
from thermohw.langevin.equilibrium import UncoupledEquilibrium, maxwell_velocities
from thermohw.langevin.observer import Observer, TrajectoryPiece
from thermohw.parallel import map_blocks

RECORD_BYTES = 2**24
"""Recorded states held at a time by one block, bytes."""

Initial = UncoupledEquilibrium | NDArray[np.float64] | NDArray[np.float32]
Keep = Literal["none", "final", "both", "trajectory"]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Independent chains of one prepared engine.

    Attributes:
        engine: Advances the chains.
        dynamics: What the engine was prepared with.
        initial: Where chains start: an equilibrium to sample, or states (chains, units).
        chains: How many chains.
        steps: How many steps each takes.
        seed: Of all noise.
        first_chain: Number of the first chain; it keys the noise.
        record_every: Steps between the states that observers and the kept trajectory see.
        keep: Which states come back.
    """

    engine: Engine
    dynamics: Dynamics
    initial: Initial
    chains: int
    steps: int
    seed: int
    first_chain: int = 0
    record_every: int = 1
    keep: Keep = "both"


@dataclass(frozen=True, eq=False)
class Block:
    """What a block of chains brings back.

    Attributes:
        rows: Which chains of the ensemble.
        states: (chains, units) final states.
        initial: (chains, units) initial states.
        trajectory: (records + 1, chains, units).
        velocities: (chains, units) final velocities; (0, units) without inertia.
        initial_velocities: (chains, units) likewise.
        energy_drop: (chains,) energy at the start − at the end, in the unit of kT, each at the biases of its time;
            with inertia, kinetic energy included.
        work: (chains,) done by the schedule, in the unit of kT.
        heat: (chains,) given to the baths, in the unit of kT: by the first law where forces have a potential; without
            one the work of the forces along the path, with inertia the kinetic energy that the baths took.
        entropy: (chains,) Σ_i Q_i/kT_i along the path, k_B; NaN where a kT is 0, None where it is heat/kT.
        observers: Filled by these chains.
    """

    rows: range
    states: Floats | None
    initial: Floats | None
    trajectory: Floats | None
    velocities: Floats
    initial_velocities: Floats
    energy_drop: NDArray[np.float64]
    work: NDArray[np.float64]
    heat: NDArray[np.float64]
    entropy: NDArray[np.float64] | None
    observers: tuple[Observer, ...]


def run_ensemble(
    ensemble: Ensemble, observers: Sequence[Observer] = (), executor: Executor | None = None
) -> Iterator[Block]:
    """Run an ensemble and yield its blocks in order; each block's observers are its own.

    Raises:
        DivergenceError: A chain diverged.
    """
    size = block_size(ensemble.chains)
    blocks = [range(first, min(first + size, ensemble.chains)) for first in range(0, ensemble.chains, size)]
    function: Callable[[range], Block] = partial(_run_block, ensemble, tuple(observers))
    return map_blocks(function, blocks, executor)


def block_size(chains: int) -> int:
    """Get the block size for a number of chains: a function of it alone, so that results do not depend on threads.

    BLAS copies the couplings into its own layout for every product, so that small blocks pay for it again and again.
    """
    return min(256, max(16, -(-chains // 4)))


def _run_block(ensemble: Ensemble, observers: tuple[Observer, ...], rows: range) -> Block:
    dynamics = ensemble.dynamics
    first_chain = ensemble.first_chain + rows.start
    if isinstance(ensemble.initial, UncoupledEquilibrium):
        states = ensemble.initial.sample(NoiseKey(ensemble.seed, first_chain), len(rows), dynamics.dtype)
    else:
        states = np.array(ensemble.initial[rows.start : rows.stop], dynamics.dtype)
    initial = states.copy()
    velocities = maxwell_velocities(dynamics.as_built, NoiseKey(ensemble.seed, first_chain), len(rows), dynamics.dtype)
    initial_velocities = velocities.copy()
    work = np.zeros(len(rows))
    watching = tuple(observer.fresh() for observer in observers)
    memory = Memory.of(dynamics, NoiseKey(ensemble.seed, first_chain), len(rows))
    trajectory = _follow(ensemble, (states, velocities, memory), work, watching, first_chain)
    built, end = dynamics.as_built, dynamics.biases_at(ensemble.steps)
    drop = built.energy(initial, dynamics.biases_at(0)) - built.energy(states, end)
    if built.inertial:
        drop += built.kinetic_energy(initial_velocities) - built.kinetic_energy(velocities)
    return Block(
        rows,
        None if ensemble.keep == "none" else states,
        initial if ensemble.keep in ("both", "trajectory") else None,
        trajectory,
        velocities,
        initial_velocities,
        drop,
        work,
        drop + work if built.symmetric else memory.flow[:, 0],
        None if built.balanced else memory.flow[:, 1],
        watching,
    )


def _follow(
    ensemble: Ensemble,
    chains: tuple[Floats, Floats, Memory],
    work: NDArray[np.float64],
    watching: tuple[Observer, ...],
    first_chain: int,
) -> Floats | None:
    """Advance a block to its end, showing its recorded states to the observers; returns the trajectory if kept."""
    states, velocities, memory = chains
    steps, spacing, storing = ensemble.steps, ensemble.record_every, ensemble.keep == "trajectory"
    seed, engine = ensemble.seed, ensemble.engine
    nothing = np.empty((0, *states.shape), states.dtype)
    if not (watching or storing):
        engine.advance(states, NoiseKey(seed, first_chain, 0), steps, work, nothing, velocities, memory)
        return None
    records = steps // spacing
    kept = np.empty((records + 1, *states.shape), states.dtype) if storing else None
    if kept is not None:
        kept[0] = states
    at_once = max(1, RECORD_BYTES // states.nbytes)
    for start in range(0, records, at_once):
        count = min(at_once, records - start)
        piece = np.empty((count + 1, *states.shape), states.dtype)
        piece[0] = states
        key = NoiseKey(seed, first_chain, start * spacing)
        engine.advance(states, key, count * spacing, work, piece[1:], velocities, memory)
        for observer in watching:
            observer.observe(TrajectoryPiece(piece, ensemble.dynamics, first_chain, start * spacing, spacing))
        if kept is not None:
            kept[start + 1 : start + 1 + count] = piece[1:]
    if steps % spacing:
        key = NoiseKey(seed, first_chain, records * spacing)
        engine.advance(states, key, steps % spacing, work, nothing, velocities, memory)
    return kept
